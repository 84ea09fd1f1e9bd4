"""Follows what happens at the devices: a `Follower` for each device that has a login.

Which rows: devices with a login, and the bookmarks of their logs. Woken by: the bell `links` (accounts changed), and a
poll that looks for devices without a follower and writes the bookmarks that moved. If it dies half way: a bookmark lags
by one poll at most; a device remembers its own events, and each has a key, so what is told again changes nothing.
"""

import asyncio
from collections.abc import Iterable

import structlog

from doorward.core import happened as rules
from doorward.core.accounts import LINKS
from doorward.core.context import Core
from doorward.providers.events import (
    CodesChanged,
    DeviceEvent,
    LockMoved,
    StateRead,
)
from doorward.store import bookmarks, due
from doorward.store import devices as store
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.work.commands import Commander
from doorward.work.follow import BOOKMARK, Crew, Follower, Phase
from doorward.work.links import Links
from doorward.work.reconcile import KIND, Reconciler

log = structlog.get_logger()

POLL_S = 5.0
EDITED_MS = 1_000
"""A directory that somebody edits is read this long after the first change: edits come in groups."""
PART = 250
"""Devices looked through before others have their turn."""
LEAVE_S = 3.0
"""At the end, to close the channels of all devices: a supervisor that waits 10 s for us must not become impatient."""
LEAVE_AT_ONCE = 64

Key = tuple[str, str]
"""Workspace and device id."""


class Watcher:
    """Starts and stops followers."""

    def __init__(self, core: Core, links: Links, commander: Commander, reconciler: Reconciler) -> None:
        self._core = core
        self._links = links
        self._commander = commander
        self._reconciler = reconciler
        self._crew = Crew(core, links, self._take)
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._over: dict[Key, asyncio.Task[None]] = {}
        """Of `_tasks`, those that ended by themselves."""
        self._leaving: set[asyncio.Task[None]] = set()
        """Those that were told to end."""
        self.followers: dict[Key, Follower] = {}

    async def run(self) -> None:
        """Until cancelled."""
        core, bell, is_told = self._core, self._core.wake.bell(LINKS), True
        try:
            while True:
                bell.clear()  # before looking
                self._links.stale()
                try:
                    await self._look(is_told=is_told)
                    if is_told:
                        await self._follow_changes()
                    is_told = False
                    await self._tidy()
                except Exception:
                    log.exception("looking for devices to watch failed")
                is_told |= await core.clock.wait(bell, POLL_S)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._leave()))

    # ------------------------------------------------------------ who is followed

    async def _look(self, *, is_told: bool) -> None:
        """Follow what has a login now, and nothing else. In parts, so that others have their turn in between."""
        gone, last = set(self._tasks), ("", "")
        for key in list(self._over):
            # One that ended has nothing to follow, unless accounts changed; one that died is replaced.
            if is_told or self.followers[key].phase is not Phase.ENDED:
                self._drop(key)
        while part := await store.with_login(self._core.db.read, last, PART):
            last = part[-1]
            for key in part:
                gone.discard(key)
                if key not in self._tasks:
                    self._follow(key)
            await asyncio.sleep(0)
        for key in gone:
            if key in self._tasks:
                self._drop(key)
            self._commander.forget(*key)
            self._reconciler.forget(key[1])

    async def _follow_changes(self) -> None:
        """Accounts changed: try new logins at once, and let go of links that nobody needs."""
        for follower in list(self.followers.values()):
            await follower.wake_if_login_changed()
        if self._leaving:  # they close their channels over the links
            await asyncio.wait(self._leaving, timeout=LEAVE_S)
        await self._links.drop_gone()

    def _follow(self, key: Key) -> None:
        follower = self.followers[key] = Follower(self._crew, *key)
        task = self._tasks[key] = asyncio.ensure_future(follower.run())
        task.add_done_callback(lambda task: self._ended(key, task))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        if self._tasks.get(key) is task:
            self._over[key] = task

    def _drop(self, key: Key) -> None:
        task = self._tasks.pop(key)
        self._over.pop(key, None)
        self._crew.stirred.discard(self.followers.pop(key))
        if task.cancel():
            self._leaving.add(task)

    async def _leave(self) -> None:
        """Close the channels at the devices, as many as there is time for, and write the bookmarks.

        The others are cut off: a device forgets a channel that nobody pulls.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + LEAVE_S
        rest, leaving = list(self._tasks.values()), set(self._leaving)
        while (rest or leaving) and (left := until - loop.time()) > 0:
            while rest and len(leaving) < LEAVE_AT_ONCE:
                task = rest.pop()
                task.cancel()
                leaving.add(task)
            _, leaving = await asyncio.wait(leaving, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if rest or leaving:
            log.info("no time to close every channel", left=len(rest) + len(leaving))
            self._links.abandon()  # at once, before any of them could go on
            for task in (*rest, *leaving):
                task.cancel()
            await asyncio.gather(*rest, *leaving, return_exceptions=True)
        await self._save(self.followers.values())

    # ------------------------------------------------------------ what is kept

    async def _tidy(self) -> None:
        """What is not urgent: sums of floods that are over, and bookmarks."""
        core, now, stirred = self._core, self._core.clock.now(), self._crew.stirred
        for follower in list(stirred):
            for note in follower.limiter.over(now):
                await core.db.write(rules.apply, core, *follower.key, note)
        await self._save(stirred)
        for follower in list(stirred):
            if not follower.limiter and follower.bookmark.value == follower.saved:
                stirred.discard(follower)

    async def _save(self, followers: Iterable[Follower]) -> None:
        """Write the bookmarks that moved, all in one transaction."""
        moved = [(f, f.bookmark.value) for f in followers if f.bookmark.value != f.saved]
        if not moved:
            return
        rows = [(*follower.key, value) for follower, value in moved if value is not None]
        await self._core.db.write(bookmarks.put_many, BOOKMARK, rows)
        for follower, value in moved:
            follower.saved = value

    # ------------------------------------------------------------ what they tell

    async def _take(self, device: DeviceRow, happened: DeviceEvent, is_past: bool) -> None:
        core, workspace_id, device_id = self._core, device.workspace_id, device.device_id
        if isinstance(happened, CodesChanged):
            if not self._reconciler.wrote_lately(device_id):
                self._reconciler.ask_read(device_id)
                await core.db.write(self._look_at_codes, workspace_id, device_id, EDITED_MS)
            return
        if isinstance(happened, LockMoved) and happened.method == "remote":
            # Our own command says so itself, and knows more: let it speak first.
            await self._commander.settled(workspace_id, device_id)
            if self._commander.is_echo(workspace_id, device_id, locked=happened.locked):
                return
            row = await store.get(core.db.read, workspace_id, device_id)
            if row is None or row.locked == int(happened.locked):
                return
        told = (core, workspace_id, device_id, happened)
        await core.db.write(rules.apply, *told, is_past=is_past, login=device.secret_sealed)
        if isinstance(happened, StateRead):
            self._reconciler.ask_read(device_id)
            await core.db.write(self._look_at_codes, workspace_id, device_id, 0)

    async def _look_at_codes(self, tx: Tx, workspace_id: str, device_id: str, wait_ms: int) -> None:
        await due.put(tx, workspace_id, KIND, device_id, self._core.clock.now() + wait_ms)
        tx.after_commit(lambda: self._core.wake.ring(KIND))
