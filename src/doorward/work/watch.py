"""Follows what happens at the devices: one watcher for each device that has a login.

Which rows: devices with a login. Woken by: the bell `links` (accounts changed), and a poll that looks for devices
without a watcher. If it dies half way: a device remembers its own events, and each has a key, so what is told again
after a reconnect changes nothing. If two watch one device: the same, by the same key.

A watcher's states: `connecting` → `watching` → (error) → `waiting` → `connecting` … with pauses that grow and jitter,
so that a site coming back is not met by all of its watchers at once.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import structlog

from doorward.core import devices
from doorward.core.accounts import LINKS
from doorward.core.context import Core
from doorward.providers.base import (
    CodesChanged,
    DeviceEvent,
    LockMoved,
    NotAuthorized,
    Offline,
    ProviderError,
    StateRead,
    Watches,
)
from doorward.store import devices as store
from doorward.store import due
from doorward.store.db import Tx
from doorward.work.commands import Commander
from doorward.work.links import Links
from doorward.work.reconcile import KIND, Reconciler

log = structlog.get_logger()

POLL_S = 5.0
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
NOT_AUTHORIZED_PAUSE_S = 120.0
"""A wrong login is tried rarely: devices block whoever guesses."""
STARTS_AT_ONCE = 50
"""Watchers that connect at the same time."""
EDITED_MS = 1_000
"""A directory that somebody edits is read this long after the first change: edits come in groups."""


class Watcher:
    """Starts and stops watchers."""

    def __init__(self, core: Core, links: Links, commander: Commander, reconciler: Reconciler) -> None:
        self._core = core
        self._links = links
        self._commander = commander
        self._reconciler = reconciler
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._connecting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._waiting: set[asyncio.Event] = set()
        """Watchers that pause after an error; a new login ends their pause."""

    async def run(self) -> None:
        """Until cancelled."""
        core, bell = self._core, self._core.wake.bell(LINKS)
        try:
            while True:
                bell.clear()  # before looking
                self._links.stale()
                try:
                    await self._look()
                except Exception:
                    log.exception("looking for devices to watch failed")
                if await core.clock.wait(bell, POLL_S):
                    await self._links.drop_gone()
                    for event in self._waiting:
                        event.set()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look(self) -> None:
        wanted = set(await store.with_login(self._core.db.read))
        for key in [k for k, task in self._tasks.items() if k not in wanted or task.done()]:
            self._tasks.pop(key).cancel()
        for key in wanted - self._tasks.keys():
            self._tasks[key] = asyncio.ensure_future(self._watch(*key))

    async def _watch(self, workspace_id: str, device_id: str) -> None:
        core, tries = self._core, 0
        while True:
            link = None
            try:
                row = await store.get(core.db.read, workspace_id, device_id)
                if row is None:
                    return
                async with self._connecting:
                    link = await self._links.of(row)
                if not isinstance(link, Watches):
                    return
                async with aclosing(cast("Any", link.watch(row.ref))) as events:
                    async for happened in cast("AsyncIterator[DeviceEvent]", events):
                        if isinstance(happened, StateRead):
                            tries = 0
                        await self._take(workspace_id, device_id, happened)
                error: ProviderError = Offline("The device stopped telling what happens.")
            except ProviderError as exc:
                error = exc
            except Exception:
                log.exception("a watcher failed", device_id=device_id)
                error = Offline("Watching the device failed.")
            if link is not None and not self._links.is_open(link):
                continue  # the logins changed: on with the new link
            await core.db.write(devices.trouble, core, workspace_id, device_id, error)
            pause = NOT_AUTHORIZED_PAUSE_S if isinstance(error, NotAuthorized) else PAUSES_S[min(tries, 4)]
            tries += 1
            again = asyncio.Event()
            self._waiting.add(again)
            try:
                await core.clock.wait(again, pause * random.uniform(0.7, 1.3))  # noqa: S311 - jitter
            finally:
                self._waiting.discard(again)

    async def _take(self, workspace_id: str, device_id: str, happened: DeviceEvent) -> None:
        core = self._core
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
        await core.db.write(devices.apply, core, workspace_id, device_id, happened)
        if isinstance(happened, StateRead):
            self._reconciler.ask_read(device_id)
            await core.db.write(self._look_at_codes, workspace_id, device_id, 0)

    async def _look_at_codes(self, tx: Tx, workspace_id: str, device_id: str, wait_ms: int) -> None:
        await due.put(tx, workspace_id, KIND, device_id, self._core.clock.now() + wait_ms)
        tx.after_commit(lambda: self._core.wake.ring(KIND))
