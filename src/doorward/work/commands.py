"""Carries out locks and unlocks: at most once each, never late.

    free device:  write the attempt as `sending` → one call → write the outcome
    busy device:  write it as `queued` → wait for the turn → `queued → sending` if the deadline allows → the same

Whoever asked waits for the outcome, up to the command wait. If this process dies half way, nobody sends the attempt
again: `close_orphans` (at start, and in the sweep) ends it as an error, outcome unknown. Two processes never carry
out the same attempt: it belongs to the one that wrote it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from doorward.core import actions, devices, problems
from doorward.core.context import Core
from doorward.providers.base import Link, Locks
from doorward.providers.errors import (
    Offline,
    OutcomeUnknown,
    ProviderError,
    Unsupported,
)
from doorward.providers.reports import Moved
from doorward.store import action_attempts
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.work.links import Links

log = structlog.get_logger()

T = TypeVar("T")
GRACE_MS = 5_000
"""How long after its deadline an attempt may still be written by whoever owns it."""
ECHO_S = 5.0
"""How long after a command the device may still tell of it."""
UNKNOWN = "The server stopped while the command was on its way: it may or may not have been carried out."


@dataclass
class _Lane:
    """One device's turn: a single command at a time."""

    lock: asyncio.Lock
    waiting: int = 0


class Commander:
    """Carries out commands; `api.commands.Commands`."""

    def __init__(self, core: Core, links: Links) -> None:
        self._core = core
        self._links = links
        self._lanes: defaultdict[tuple[str, str], _Lane] = defaultdict(lambda: _Lane(asyncio.Lock()))
        self._tasks: set[asyncio.Task[None]] = set()
        self._echoes: defaultdict[tuple[str, str], list[tuple[bool, float]]] = defaultdict(list)

    async def run(self, device: DeviceRow, action_type: str) -> AttemptRow:
        """Start a command, wait for it a while, and return it as it then stands."""
        core = self._core
        lane = self._lanes[device.workspace_id, device.device_id]
        sending = not lane.lock.locked() and not lane.waiting
        lane.waiting += 1
        try:
            if sending:
                await lane.lock.acquire()
            row = await core.db.write(actions.start_command, core, device, action_type, sending=sending)
        except BaseException:
            lane.waiting -= 1
            if sending:
                lane.lock.release()
            raise
        task = asyncio.ensure_future(self._carry_out(row, device, lane, sending=sending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait((task,), timeout=core.config.command_wait)
        return await actions.get(core.db.read, row.workspace_id, row.action_attempt_id)

    async def ask(self, device: DeviceRow, question: Callable[[Link], Awaitable[T]], seconds: float) -> T:
        """As `api.commands.Commands.ask`. Nothing is written of it: the device's watcher notices troubles by itself."""
        link = await self._links.of(device)
        try:
            async with asyncio.timeout(seconds):
                return await question(link)
        except TimeoutError:
            raise Offline("The device did not answer in time.") from None

    async def settled(self, workspace_id: str, device_id: str) -> None:
        """Wait until no command of ours is under way at the device."""
        lane = self._lanes.get((workspace_id, device_id))
        if lane is not None and lane.waiting:
            async with lane.lock:
                pass

    def is_echo(self, workspace_id: str, device_id: str, *, locked: bool) -> bool:
        """The device tells of a command of ours. Each has one such echo, which may come when the next command has
        moved the door on already."""
        key, now = (workspace_id, device_id), self._core.clock.monotonic()
        expected = [one for one in self._echoes.pop(key, []) if one[1] > now]
        found = next((i for i, one in enumerate(expected) if one[0] == locked), None)
        # Commands before the one that is told of moved nothing: the device will not tell of them.
        rest = expected if found is None else expected[found + 1 :]
        if rest:
            self._echoes[key] = rest
        return found is not None

    def _expect_echo(self, key: tuple[str, str], *, locked: bool) -> None:
        now = self._core.clock.monotonic()
        # A device that tells nothing takes none of them away.
        expected = [one for one in self._echoes[key] if one[1] > now]
        self._echoes[key] = [*expected, (locked, now + ECHO_S)]

    def forget(self, workspace_id: str, device_id: str) -> None:
        """The device is gone, or has no login any more: keep nothing of it."""
        self._echoes.pop((workspace_id, device_id), None)

    async def _carry_out(self, row: AttemptRow, device: DeviceRow, lane: _Lane, *, sending: bool) -> None:
        core = self._core
        try:
            if not sending:
                await lane.lock.acquire()
            try:
                if not sending and not await core.db.write(action_attempts.claim, row, core.clock.now()):
                    late = Offline("The device was busy until the command's deadline; nothing was sent.")
                    await core.db.write(self._failed, row, late)
                    return
                try:
                    moved = await self._send(row, device)
                except ProviderError as exc:
                    await core.db.write(self._failed, row, exc)
                    await self._note_trouble(device, exc)
                    return
                if moved.locked is not None:
                    self._expect_echo((device.workspace_id, device.device_id), locked=moved.locked)
                await core.db.write(self._succeeded, row, moved)
            finally:
                lane.lock.release()
        except Exception:
            # The attempt stays open; the sweep ends it as "outcome unknown".
            log.exception("command failed unexpectedly", action_attempt_id=row.action_attempt_id)
        finally:
            lane.waiting -= 1
            if not lane.waiting:
                self._lanes.pop((device.workspace_id, device.device_id), None)

    async def _send(self, row: AttemptRow, device: DeviceRow) -> Moved:
        link = await self._links.of(device)
        left = (row.deadline_at - self._core.clock.now()) / 1000
        if not isinstance(link, Locks):
            raise Unsupported("This device cannot be locked or unlocked over the network.")
        if left <= 0:
            raise Offline("The command's deadline passed before it could be sent; nothing was sent.")
        call = link.lock if row.action_type == "LOCK_DOOR" else link.unlock
        try:
            return await asyncio.wait_for(call(device.ref, left), left)
        except TimeoutError:
            raise OutcomeUnknown("The device did not answer in time: it may or may not have moved.") from None

    async def _succeeded(self, tx: Tx, row: AttemptRow, moved: Moved) -> None:
        core = self._core
        assert row.device_id is not None
        await devices.moved_by_command(tx, core, row.workspace_id, row.device_id, moved.locked, row.action_attempt_id)
        await actions.finish(tx, core, row, result={"was_confirmed_by_device": moved.confirmed})

    async def _failed(self, tx: Tx, row: AttemptRow, error: ProviderError) -> None:
        await actions.finish(tx, self._core, row, error=problems.attempt_error(error))

    async def _note_trouble(self, device: DeviceRow, error: ProviderError) -> None:
        if problems.device_code(error):
            await self._core.db.write(devices.trouble, self._core, device.workspace_id, device.device_id, error)

    async def drain(self) -> None:
        """Wait for what is under way; every command has a deadline."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._core.config.command_deadline)


async def close_orphans(core: Core, *, all_of_them: bool) -> int:
    """End attempts whose time is over. `all_of_them`: no other process can be carrying any out (SQLite, at start)."""
    before = 2**62 if all_of_them else core.clock.now() - GRACE_MS

    async def write(tx: Tx) -> int:
        count = 0
        for row in await action_attempts.unfinished(tx, before):
            if row.phase == "level":
                if row.deadline_at < core.clock.now():
                    slow = Offline(
                        "The device has not taken the change yet. It will be made when the device can be reached."
                    )
                    count += await actions.finish(tx, core, row, error=problems.attempt_error(slow))
                continue
            error = (
                problems.attempt_error(OutcomeUnknown(UNKNOWN))
                if row.phase == "sending"
                else problems.attempt_error(Offline("The server stopped before the command was sent."))
            )
            count += await actions.finish(tx, core, row, error=error)
        return count

    return await core.db.write(write)
