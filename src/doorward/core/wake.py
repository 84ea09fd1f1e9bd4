"""Nudges between the parts of one process.

A nudge only saves waiting: whoever sleeps also looks by itself from time to time, and everything that must not be
lost is a row. So nothing here is durable, and nothing needs to be.
"""

import asyncio
from collections import defaultdict

from doorward.clock import Clock


class Wake:
    """Named bells, and waiting for one thing to end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bells: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._endings: dict[str, list[asyncio.Event]] = {}

    def bell(self, name: str) -> asyncio.Event:
        """The bell of a loop. Clear it *before* looking for work, never after."""
        return self._bells[name]

    def ring(self, name: str) -> None:
        self._bells[name].set()

    def ended(self, subject_id: str) -> None:
        """Tell whoever waits for this that it is over."""
        for event in self._endings.pop(subject_id, ()):
            event.set()

    def expect(self, subject_id: str) -> asyncio.Event:
        """An event that is set when `subject_id` ends. Ask before starting it."""
        event = asyncio.Event()
        self._endings.setdefault(subject_id, []).append(event)
        return event

    async def wait(self, subject_id: str, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an expected ending; false when the time is over."""
        try:
            return await self._clock.wait(event, seconds)
        finally:
            waiting = self._endings.get(subject_id, [])
            if event in waiting:
                waiting.remove(event)
                if not waiting:
                    del self._endings[subject_id]
