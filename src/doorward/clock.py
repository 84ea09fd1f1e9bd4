"""Time, in one place, so that tests can drive it.

Instants inside the server are integers: milliseconds since 1970, UTC. They are what both databases store,
what sorts, and what an intercom's own clock is compared with. Text appears only at the border (`wire/time.py`).
"""

import asyncio
import time


class Clock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that only ever grow; for time-outs and pulse lengths."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait. Never negative."""
        await asyncio.sleep(max(0.0, seconds))

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait until `event` is set or the time is over; true when it was set."""
        if event.is_set():
            return True
        waiter = asyncio.ensure_future(event.wait())
        sleeper = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait((waiter, sleeper), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiter, sleeper):
                task.cancel()
            await asyncio.gather(waiter, sleeper, return_exceptions=True)
        return event.is_set()


class ManualClock(Clock):
    """A clock that moves only when told to. Sleepers wake in the order of their time."""

    def __init__(self, now: int = 1_790_000_000_000) -> None:
        self._now = now
        self._started = now
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._started) / 1000

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        self._sleepers.append((self._now + round(seconds * 1000), self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers one by one and letting each run before the next."""
        end = self._now + round(seconds * 1000)
        await self._settle()
        while True:
            self._sleepers = [s for s in self._sleepers if not s[2].done()]
            due = min((s for s in self._sleepers if s[0] <= end), default=None)
            if due is None:
                break
            self._sleepers.remove(due)
            self._now = max(self._now, due[0])
            due[2].set_result(None)
            await self._settle()
        self._now = end

    def jump(self, seconds: float) -> None:
        """Move on at once, as for a machine that was asleep: whoever waits wakes late, when it is next moved on."""
        self._now += round(seconds * 1000)

    @staticmethod
    async def _settle() -> None:
        """Let what was woken run, and what it wakes, while there is any."""
        ready = getattr(asyncio.get_running_loop(), "_ready", (None,))  # uvloop's cannot be seen
        for round_ in range(10):
            await asyncio.sleep(0)
            if round_ >= 2 and not ready:
                break
