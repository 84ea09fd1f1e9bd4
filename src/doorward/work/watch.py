"""Follows what happens at the devices: a `Follower` for each device that has a login.

Which rows: devices with a login, and the bookmarks of their logs. Woken by: the bell `links` (accounts changed), and a
poll that looks for devices without a follower and writes the bookmarks that moved. If it dies half way: a bookmark lags
by one poll at most; a device remembers its own events, and each has a key, so what is told again changes nothing.
"""

import asyncio

import structlog

from doorward.core import happened as rules
from doorward.core.accounts import LINKS
from doorward.core.context import Core
from doorward.providers.base import CodesChanged, DeviceEvent, LockMoved, StateRead
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


class Watcher:
    """Starts and stops followers."""

    def __init__(self, core: Core, links: Links, commander: Commander, reconciler: Reconciler) -> None:
        self._core = core
        self._links = links
        self._commander = commander
        self._reconciler = reconciler
        self._crew = Crew(core, links, self._take)
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.followers: dict[tuple[str, str], Follower] = {}

    async def run(self) -> None:
        """Until cancelled."""
        core, bell = self._core, self._core.wake.bell(LINKS)
        try:
            while True:
                bell.clear()  # before looking
                self._links.stale()
                try:
                    await self._look()
                    await self._tidy()
                except Exception:
                    log.exception("looking for devices to watch failed")
                if await core.clock.wait(bell, POLL_S):
                    await self._links.drop_gone()
                    for follower in list(self.followers.values()):
                        await follower.wake_if_login_changed()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await asyncio.shield(asyncio.ensure_future(self._save()))

    async def _look(self) -> None:
        wanted = set(await store.with_login(self._core.db.read))
        for key, task in list(self._tasks.items()):
            # One that ended has nothing to follow; one that died of something unforeseen is replaced.
            if key not in wanted or (task.done() and self.followers[key].phase is not Phase.ENDED):
                self._tasks.pop(key).cancel()
                del self.followers[key]
        for key in wanted - self._tasks.keys():
            follower = self.followers[key] = Follower(self._crew, *key)
            self._tasks[key] = asyncio.ensure_future(follower.run())

    async def _tidy(self) -> None:
        """What is not urgent: sums of floods that are over, and bookmarks."""
        core, now = self._core, self._core.clock.now()
        for follower in list(self.followers.values()):
            for note in follower.limiter.over(now):
                await core.db.write(rules.apply, core, *follower.key, note)
        await self._save()

    async def _save(self) -> None:
        """Write the bookmarks that moved, all in one transaction."""
        moved = [(f, f.bookmark.value) for f in self.followers.values() if f.bookmark.value != f.saved]
        if not moved:
            return
        rows = [(*follower.key, value) for follower, value in moved if value is not None]
        await self._core.db.write(bookmarks.put_many, BOOKMARK, rows)
        for follower, value in moved:
            follower.saved = value

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
