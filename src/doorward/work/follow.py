"""Follows one device: a small machine that connects, listens, and comes back after trouble.

    CONNECTING → SUBSCRIBING → WATCHING        all is well
         ↑           ↓            ↓
         └──────── WAITING ←──────┘            trouble: a pause that grows, with full jitter
         └──────── SHUT_OUT                    the login was refused several times: a long pause, or a new login
    ENDED                                      the device is gone, or tells nothing

Which rows: its device, and the bookmark of its log, which the `Watcher` writes. If it dies half way: the next one goes
on from the bookmark, and what comes again is known by its key. If two follow one device: the same, by the same key.
"""

import asyncio
import enum
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, cast

import structlog

from doorward.core import devices, problems
from doorward.core.context import Core
from doorward.providers.base import Link, Watches
from doorward.providers.errors import NotAuthorized, Offline, ProviderError
from doorward.providers.events import (
    AlarmsForgotten,
    Bookmark,
    DeviceEvent,
    StateRead,
)
from doorward.store import bookmarks
from doorward.store import devices as store
from doorward.store.devices import DeviceRow
from doorward.work.limit import Limiter
from doorward.work.links import Links

log = structlog.get_logger()

BOOKMARK: Final = "log"
SHORTEST_S: Final = 0.5
"""Of a pause, before its jitter."""
GROWS_TO_S: Final = 60.0
"""The widest jitter after trouble: so long a device that is back may stay unnoticed."""
SHUT_OUT_S: Final = 600.0
"""Devices block whoever guesses: a login that was refused is tried rarely, twice this long at most."""
REFUSALS: Final = 3
"""Logins refused in a row, after which it is taken for wrong."""
STARTS_AT_ONCE: Final = 100
"""Devices that are being connected to at the same time."""
LOST_AFTER: Final = 3
"""Failures in a row, after which a device takes its turn among the lost: they must not keep the others waiting."""
STEADY_S: Final = 60.0
"""So long a watch makes up for the failures before it."""


UNHEARD = "doorward_events_not_followed"


def _turns() -> asyncio.Semaphore:
    return asyncio.Semaphore(STARTS_AT_ONCE)


class Phase(enum.Enum):
    """Where a follower stands."""

    CONNECTING = "connecting"
    """Waits for its turn, and for its account's link."""
    SUBSCRIBING = "subscribing"
    """Asks for what was missed, and how the device stands."""
    WATCHING = "watching"
    WAITING = "waiting"
    """Pauses after trouble."""
    SHUT_OUT = "shut_out"
    """Pauses for long: the login is wrong."""
    ENDED = "ended"


_NEXT: Final = {
    Phase.CONNECTING: {Phase.SUBSCRIBING, Phase.WAITING, Phase.SHUT_OUT, Phase.ENDED},
    Phase.SUBSCRIBING: {Phase.WATCHING, Phase.WAITING, Phase.SHUT_OUT, Phase.CONNECTING},
    Phase.WATCHING: {Phase.WAITING, Phase.SHUT_OUT, Phase.CONNECTING},
    Phase.WAITING: {Phase.CONNECTING},
    Phase.SHUT_OUT: {Phase.CONNECTING},
    Phase.ENDED: set(),
}


def pause_s(phase: Phase, tries: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
    """How long to wait after the failure number `tries` (from 0), in seconds. Full jitter: devices that were lost
    together come back spread over the whole time."""
    if phase is Phase.SHUT_OUT:
        return SHUT_OUT_S + jitter(0.0, SHUT_OUT_S)
    return SHORTEST_S + jitter(0.0, min(GROWS_TO_S, 2.0 ** min(tries, 16)))


@dataclass(frozen=True)
class Crew:
    """What all followers of a process share."""

    core: Core
    links: Links
    take: Callable[[DeviceRow, DeviceEvent, bool], Awaitable[None]]
    """Makes an event true; the last one is whether it comes out of the device's memory."""
    starts: asyncio.Semaphore = field(default_factory=_turns)
    """Whose turn it is to connect."""
    lost: asyncio.Semaphore = field(default_factory=_turns)
    """The same, for devices that have failed for a while."""
    stirred: "set[Follower]" = field(default_factory=set)
    """Those whose bookmark moved, or who count what they hold back: the others need no looking at."""


class Follower:
    """One device's. `phase` is for logs and tests."""

    __slots__ = (
        "_again",
        "_crew",
        "_login",
        "_refusals",
        "_since",
        "_tries",
        "bookmark",
        "key",
        "limiter",
        "phase",
        "saved",
    )

    def __init__(self, crew: Crew, workspace_id: str, device_id: str) -> None:
        self.key = (workspace_id, device_id)
        self.phase = Phase.CONNECTING
        self.bookmark = Bookmark(moved=self._stir)
        self.saved: str | None = None
        """The bookmark as it is stored."""
        self.limiter = Limiter()
        self._crew = crew
        self._again: asyncio.Event | None = None
        self._login: tuple[str | None, str] | None = None
        self._tries = 0
        self._refusals = 0
        self._since = 0.0
        """When the last watch began, in monotonic seconds."""

    async def run(self) -> None:
        """Until cancelled, or until there is nothing to follow."""
        crew = self._crew
        await self._remember()
        while True:
            link: Link | None = None
            try:
                self._login = await store.login_of(crew.core.db.read, *self.key)
                row = await store.get(crew.core.db.read, *self.key)
                if row is None or self._login is None:
                    self._go(Phase.ENDED)
                    return
                async with crew.starts if self._tries < LOST_AFTER else crew.lost:
                    link = await crew.links.of(row)
                    if not isinstance(link, Watches):
                        self._go(Phase.ENDED)
                        return
                    # As it is now: the link may have been opened with a newer login than the row was read with.
                    row = await store.get(crew.core.db.read, *self.key) or row
                    events = cast("Any", link.watch(row.ref, self.bookmark))
                    self._go(Phase.SUBSCRIBING)
                    is_begun = await self._begin(row, events)
                if is_begun:
                    await self._listen(row, events)
                error: ProviderError = Offline("The device stopped telling what happens.")
            except ProviderError as exc:
                error = exc
            except Exception:
                log.exception("a watcher failed", device_id=self.key[1])
                error = Offline("Watching the device failed.")
            if link is not None and not crew.links.is_open(link):
                self._go(Phase.CONNECTING)  # the logins changed: on with the new link
                continue
            await crew.core.db.write(devices.trouble, crew.core, *self.key, error)
            if problems.device_code(error) is None and self._tries:
                # The device is well, but will not let itself be followed, and not by accident.
                await self._say(f"What happens at the door is not told: {error.message}")
            await self._wait(error)

    async def _remember(self) -> None:
        core = self._crew.core
        while True:
            try:
                self.saved = self.bookmark.value = await bookmarks.get(core.db.read, *self.key, BOOKMARK)
                return
            except Exception:
                log.exception("a bookmark could not be read", device_id=self.key[1])
                await core.clock.sleep(pause_s(Phase.WAITING, 3))

    async def _begin(self, row: DeviceRow, events: AsyncIterator[DeviceEvent]) -> bool:
        """Up to the first report: all of it is past. False when the device stopped before."""
        try:
            if self.bookmark.value is None:
                # Nothing is known of its log: neither are alarms from before.
                now = self._crew.core.clock.now()
                await self._take(row, AlarmsForgotten(f"anew:{now}", now), is_past=True)
            async for happened in events:
                await self._take(row, happened, is_past=True)
                if isinstance(happened, StateRead):
                    await self._say("")
                    self._refusals = 0
                    self._since = self._crew.core.clock.monotonic()
                    self._go(Phase.WATCHING)
                    return True
        except BaseException:
            await cast("Any", events).aclose()
            raise
        return False

    async def _say(self, text: str) -> None:
        """Have the device's warning say why it is not followed; empty: it is."""
        core = self._crew.core
        row = await store.get(core.db.read, *self.key)
        if row is not None and (text or UNHEARD in row.warnings_json):
            await core.db.write(devices.warn, core, row, UNHEARD, text)

    async def _listen(self, row: DeviceRow, events: AsyncIterator[DeviceEvent]) -> None:
        async with aclosing(cast("Any", events)):
            async for happened in events:
                await self._take(row, happened, is_past=False)

    async def _take(self, row: DeviceRow, happened: DeviceEvent, *, is_past: bool) -> None:
        for one in self.limiter.sift(happened):
            await self._crew.take(row, one, is_past)
        if self.limiter:
            self._stir()

    def _stir(self) -> None:
        self._crew.stirred.add(self)

    # ------------------------------------------------------------ phases

    def _go(self, phase: Phase, **why: Any) -> None:
        assert phase in _NEXT[self.phase], (self.phase, phase)
        was, self.phase = self.phase, phase
        # Thousands start at once: only what an operator may want to know is told at that level.
        tell = log.debug if phase in (Phase.CONNECTING, Phase.SUBSCRIBING) else log.info
        tell("watcher", device_id=self.key[1], phase=phase.value, was=was.value, **why)

    async def _wait(self, error: ProviderError) -> None:
        clock, phase = self._crew.core.clock, Phase.WAITING
        if self.phase is Phase.WATCHING and clock.monotonic() - self._since >= STEADY_S:
            self._tries = 0  # else one that comes and goes would be asked without a pause
        # A login that works but lacks a privilege is no guess.
        is_refused = isinstance(error, NotAuthorized) and error.missing is None
        self._refusals = self._refusals + 1 if is_refused else 0
        if self._refusals >= REFUSALS:
            phase = Phase.SHUT_OUT
        pause = pause_s(phase, self._tries)
        self._tries += 1
        again = self._again = asyncio.Event()
        self._go(phase, error=type(error).__name__, pause_s=round(pause, 1), tries=self._tries)
        try:
            await clock.wait(again, pause)
        finally:
            self._again = None
        if again.is_set():
            self._tries = self._refusals = 0
        self._go(Phase.CONNECTING)

    async def wake_if_login_changed(self) -> None:
        """Ends a pause, if there is another login to try."""
        if self._again is not None and await store.login_of(self._crew.core.db.read, *self.key) != self._login:
            again = self._again
            if again is not None:
                again.set()
