"""Makes devices hold the access codes they should.

Which rows: `due` rows of kind `codes`, one a device, claimed by lease. Woken by: the bell of that name, the earliest
`due_at`, and a poll. If it dies half way: the lease runs out and the device is looked at again; every step is safe to
repeat, since we choose the directory user's id and read back what we wrote. If two run at once: both make the device
hold the same codes; the outcome is written by revision, so nothing is announced twice.

A look compares what is wanted with what the device is known to hold, and writes the differences. Where something may
have changed at the device, it first reads what is new in the directory, and from time to time all of it: see
`work.directory`. A read that fails changes nothing, and keeps nothing from being set that is wanted.

A code is removed only when its own row, read at that moment, says so: see docs/decisions/0008.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import structlog

from doorward.core import (
    actions,
    backup_pool,
    breaker,
    changed_codes,
    code_state,
    devices,
    events,
    found_codes,
    pins,
    plan,
    problems,
)
from doorward.core.context import Core
from doorward.providers.base import (
    DeviceReport,
    DuplicateCode,
    NotAuthorized,
    NotOurs,
    OutcomeUnknown,
    ProgramsCodes,
    ProgramsManyCodes,
    ProviderError,
    TakeOver,
    WantedCode,
    Written,
)
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store import due
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.store.due import DueRow
from doorward.wire.events import access_code as event
from doorward.wire.time import iso, iso_or_none
from doorward.work import follow
from doorward.work.directory import Directory
from doorward.work.links import Links

log = structlog.get_logger()

KIND = devices.RECONCILE
LEASE_MS = 120_000
POLL_S = 5.0
DRAIN_S = 3.0
GATHER_S = 0.02
"""After a nudge: changes come in bursts, and one look serves them all."""
AT_ONCE = 32
IDLE_MS = 3_600_000
"""A device that needs nothing is looked at again after this time."""
AFTER_WRITES_MS = 60_000
"""The directory is read this long after we wrote: by then others would have changed what we wrote."""
TIDY_PAUSE_MS = 60_000
"""Between portions of codes whose time is over."""
OWN_ECHO_MS = 3_000
"""How long after a write of ours a device still speaks of it."""
TOGETHER = 40
"""New codes in one go: bounds how long the first of them waits for its outcome to be written."""
BACKOFF_S = (2, 5, 15, 60, 300, 900)
"""Pauses after a failed step; the widest ones after a look that failed."""


def pause_s(error: ProviderError, tries: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
    """How long to wait after the failure number `tries` (from 0) of a whole look, in seconds. Full jitter: devices
    that failed together are not asked together again. A login that was refused is tried rarely (`work.follow`)."""
    if isinstance(error, NotAuthorized) and error.missing is None and tries + 1 >= follow.REFUSALS:
        return follow.pause_s(follow.Phase.SHUT_OUT, tries, jitter)
    return follow.SHORTEST_S + jitter(0.0, BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])


class Reconciler:
    """The loop."""

    def __init__(self, core: Core, links: Links) -> None:
        self._core = core
        self._links = links
        self._directory = Directory(core)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._wrote_at: dict[str, int] = {}
        self._gone: set[str] = set()
        """Devices to be forgotten when the look at them that is under way ends."""
        self._busy: set[asyncio.Task[None]] = set()

    def ask_read(self, device_id: str) -> None:
        """The next look at this device reads what is new in its directory."""
        self._directory.ask(device_id, 0)

    def wrote_lately(self, device_id: str) -> bool:
        """We changed its directory just now: what it says of changes is about ours, most likely.

        Somebody else's edit in that moment is found by the read that follows our writes.
        """
        return self._core.clock.now() - self._wrote_at.get(device_id, 0) < OWN_ECHO_MS

    def forget(self, device_id: str) -> None:
        """The device is gone, or has no login any more: keep nothing of it."""
        turn = self._turns.get(device_id)
        if turn is not None and turn.locked():
            self._gone.add(device_id)
            return
        self._gone.discard(device_id)
        self._turns.pop(device_id, None)
        self._wrote_at.pop(device_id, None)
        self._directory.forget(device_id)

    async def run(self) -> None:
        """Until cancelled."""
        core, bell = self._core, self._core.wake.bell(KIND)
        while True:
            bell.clear()  # before looking: what is rung from here on is another look
            try:
                pause = await self._round()
            except Exception:
                log.exception("reconciling failed")
                pause = POLL_S
            if await core.clock.wait(bell, pause):
                await asyncio.sleep(GATHER_S)

    async def drain(self) -> None:
        """Let looks that are under way end: each step is bounded by the driver's time-outs."""
        if self._busy:
            _, late = await asyncio.wait(self._busy, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _round(self) -> float:
        core = self._core
        room = AT_ONCE - len(self._busy)
        now = core.clock.now()
        soonest = await due.next_at(core.db.read, KIND)
        if room and ((soonest is not None and soonest <= now) or not self._busy):
            for row in await core.db.write(due.claim, KIND, core.process_id, now, now + LEASE_MS, room):
                task = asyncio.ensure_future(self._look(row))
                self._busy.add(task)
                task.add_done_callback(self._done)
            soonest = await due.next_at(core.db.read, KIND)
        if soonest is None or (soonest <= now and len(self._busy) >= AT_ONCE):
            return POLL_S
        return min(POLL_S, max(0.0, (soonest - core.clock.now()) / 1000))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._core.wake.ring(KIND)

    async def _look(self, row: DueRow) -> None:
        core = self._core
        failed, again_at = False, core.clock.now() + IDLE_MS
        try:
            again_at = await self.device(row.workspace_id, row.subject_id)
        except ProviderError as exc:
            failed = True
            again_at = core.clock.now() + round(pause_s(exc, row.attempt) * 1000)
            await core.db.write(devices.trouble, core, row.workspace_id, row.subject_id, exc)
        except Exception:
            failed = True
            again_at = core.clock.now() + 30_000
            log.exception("reconciling a device failed", device_id=row.subject_id)
        await core.db.write(due.release, row, core.process_id, again_at, failed=failed)

    async def device(self, workspace_id: str, device_id: str) -> int:
        """One look at one device; when to look again. Raises ProviderError when it cannot be reached."""
        try:
            async with self._turns[device_id]:  # what is read and what is written after it belong together
                return await self._device(workspace_id, device_id)
        finally:
            if device_id in self._gone:
                self.forget(device_id)

    async def _device(self, workspace_id: str, device_id: str) -> int:
        core = self._core
        row = await device_store.get(core.db.read, workspace_id, device_id)
        if row is None or row.secret_sealed is None:
            self.forget(device_id)
            return core.clock.now() + IDLE_MS
        link = await self._links.of(row)
        # Known as offline or refusing: whether it still is, it says itself. It is believed once the whole look went
        # well: a login that may ask for the state and not for the codes would bring it up and down again each time.
        said = None if row.online else await link.read_device(row.ref)
        again_at = core.clock.now() + IDLE_MS
        if isinstance(link, ProgramsCodes):
            again_at = await self._codes(row, link, said or devices.report_of(row))
        if said is not None:
            await core.db.write(devices.report, core, workspace_id, device_id, said)
        return again_at

    async def _codes(self, row: DeviceRow, link: ProgramsCodes, report: DeviceReport) -> int:
        """Read what is new, and make the device hold what it should; when to look again."""
        core, workspace_id, device_id = self._core, row.workspace_id, row.device_id
        reading = await self._directory.look(row, link)
        await backup_pool.tend(core, row)
        now = core.clock.now()
        work = await store.needing_work(core.db.read, workspace_id, device_id, now)
        if any(code.takes_over for code in work):
            # What others have made of it until this moment is what is taken over.
            self._directory.ask(device_id, now)
            reading = await self._directory.look(row, link)
            work = await store.needing_work(core.db.read, workspace_id, device_id, now)
        codes = {code.access_code_id: code for code in work}
        steps, wake = plan.steps(
            [code_state.planned(core, c) for c in codes.values()],
            keeps_schedules=report.keeps_schedules,
            now=now,
            begun={c.access_code_id: c.status == "set" for c in codes.values()},
        )
        steps, left = await self._portion(row, report, steps, now)
        await self._directory.say(row)
        if any(not isinstance(step, plan.Begin) for step in steps):
            self._wrote_at[device_id] = now
            self._directory.ask(device_id, now + AFTER_WRITES_MS)
        retry = [now + TIDY_PAUSE_MS] if left else []
        if isinstance(link, ProgramsManyCodes):
            fresh = [s for s in steps if isinstance(s, plan.Set) and s.code.held is None]
            if len(fresh) > 1:
                steps = [s for s in steps if s not in fresh]
                retry += await self._set_many(row, link, [(s, codes[s.code.code_id]) for s in fresh])
        for step in steps:
            at = await self._step(row, report, link, step, codes[step.code.code_id])
            if at is not None:
                retry.append(at)
        await backup_pool.tell(core, row)
        change = await store.next_change_at(core.db.read, workspace_id, device_id, now)
        read_at = self._directory.next_at(device_id, reading)
        times = [read_at, *retry, *(at for at in (wake, change) if at is not None)]
        return max(min(times), now + 20)

    async def _portion(
        self, device: DeviceRow, report: DeviceReport, steps: list[plan.Step], now: int
    ) -> tuple[list[plan.Step], int]:
        """The steps of this pass: not too much is tidied away at once."""
        core, left = self._core, 0
        if sum(isinstance(step, plan.Remove) for step in steps) > 1:
            held = await store.count_held(core.db.read, device.workspace_id, device.device_id)
            most = plan.most(core.config.mass_removal_guard, held)
            steps, left = plan.portion(steps, most, keeps_schedules=report.keeps_schedules, now=now)
        text = ""
        if left:
            text = (
                f"Many access codes end together. They open no door any more; {left} of them are still in the "
                "device's directory and are removed in portions."
            )
            log.warning("many access codes end together", device_id=device.device_id, left=left)
        self._directory.note(device.device_id, "tidying", text)
        return steps, left

    # ------------------------------------------------------------ steps

    async def _set_many(
        self, device: DeviceRow, link: ProgramsManyCodes, fresh: list[tuple[plan.Set, CodeRow]]
    ) -> list[int]:
        """Set new codes together; when to try those again that were refused."""
        core = self._core
        retry = []
        for start in range(0, len(fresh), TOGETHER):
            part = fresh[start : start + TOGETHER]
            wanted = [_wanted(row, step) for step, row in part]
            outcomes = await link.set_codes(device.ref, wanted)
            self._wrote_at[device.device_id] = core.clock.now()
            good = [
                (row, step.code.wanted)
                for (step, row), outcome in zip(part, outcomes, strict=True)
                if isinstance(outcome, Written) and step.code.wanted is not None
            ]
            await core.db.write(self._are_set, device, good)
            for (_, row), outcome in zip(part, outcomes, strict=True):
                if isinstance(outcome, ProviderError):
                    at = await core.db.write(self._failed, device, row, outcome, False)
                    retry += [at] if at is not None else []
        return retry

    async def _are_set(self, tx: Tx, device: DeviceRow, done: list[tuple[CodeRow, plan.Content]]) -> None:
        for row, content in done:
            await self._is_set(tx, device, row, content)

    async def _step(
        self, device: DeviceRow, report: DeviceReport, link: ProgramsCodes, step: plan.Step, row: CodeRow
    ) -> int | None:
        """Carry out a step; when to try again, if it failed for a reason of its own."""
        core = self._core
        try:
            match step:
                case plan.Set():
                    wanted = step.code.wanted
                    assert wanted is not None
                    await link.set_code(device.ref, _wanted(row, step))
                    await core.db.write(self._is_set, device, row, wanted)
                case plan.Begin():
                    await core.db.write(self._begins, device, row)
                case plan.Remove():
                    if await self._is_over(row):
                        await self._remove(device, link, row)
                        await core.db.write(self._is_removed, device, row)
        except ProviderError as exc:
            if problems.device_code(exc):
                raise  # the device's own state: it is not this code's fault
            return await core.db.write(self._failed, device, row, exc, isinstance(step, plan.Remove))
        return None

    @staticmethod
    async def _remove(device: DeviceRow, link: ProgramsCodes, row: CodeRow) -> None:
        """Make the device let go of it. What another integration has taken over since is its business."""
        is_found = row.ref != row.access_code_id
        try:
            await link.remove_code(device.ref, row.ref, takes_over=TakeOver(row.takes_over), is_found=is_found)
        except NotOurs:
            if not row.is_claimed or row.takes_over:
                raise

    async def _is_over(self, before: CodeRow) -> bool:
        """The last word before a code is removed from a device: its own row, as it is now."""
        row = await store.get(self._core.db.read, before.workspace_id, before.access_code_id)
        if row is None or (row.is_wanted and not row.is_managed):
            return False  # not ours to touch any more
        if row.is_wanted and (row.ends_at is None or row.ends_at > self._core.clock.now()):
            if before.revision == row.revision:
                log.error("a removal was planned that nobody asked for", access_code_id=row.access_code_id)
            return False
        return True

    @staticmethod
    async def _locked(tx: Tx, workspace_id: str, device_id: str, access_code_id: str) -> CodeRow | None:
        """The code as it is now, and stays until the transaction ends."""
        await tx.lock("device", workspace_id, device_id)
        return await store.get(tx, workspace_id, access_code_id)

    async def _is_set(self, tx: Tx, device: DeviceRow, before: CodeRow, content: plan.Content) -> None:
        """The device holds this revision now."""
        core = self._core
        row = await self._locked(tx, before.workspace_id, before.device_id, before.access_code_id)
        if row is None:
            return
        now = core.clock.now()
        current = row.revision == before.revision
        future = content.starts_at is not None and content.starts_at > now
        held = code_state.held_of(core, row)
        values: dict[str, Any] = {"held_sealed": code_state.seal_held(core, content), "held_revision": before.revision}
        if current:
            values |= {
                "status": "unset" if future else "set",
                "errors_json": "[]",
                "warnings_json": problems.without(
                    row.warnings_json, "delay_in_setting_on_device", code_state.IN_EFFECT, code_state.INTERFERENCE
                ),
                "external_sealed": None,
                "failures": 0,
                "retry_at": 0,
            }
        about = {"access_code_id": row.access_code_id, **events.about_device(device)}
        if row.takes_over:
            values |= {"takes_over": 0, "is_claimed": 0}
            await events.emit(tx, core, row.workspace_id, event.AccessCodeUnmanagedConvertedToManaged(**about))
        row = await store.change(tx, row, **values)
        if held is None and row.is_wanted:
            cls = event.AccessCodeScheduledOnDevice if future else event.AccessCodeSetOnDevice
            await events.emit(tx, core, row.workspace_id, cls(code=content.pin, **about))
        elif held is not None:
            await self._tell_changes(tx, row, held, content, about)
            was_future = held.starts_at is not None and before.status == "unset"
            if was_future and not future:
                await events.emit(tx, core, row.workspace_id, event.AccessCodeSetOnDevice(code=content.pin, **about))
        if current:
            await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)

    async def _tell_changes(
        self, tx: Tx, row: CodeRow, old: plan.Content, new: plan.Content, about: dict[str, Any]
    ) -> None:
        core = self._core
        told: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = []
        if old.name != new.name:
            told.append(("name", event.AccessCodeNameChanged, {"name": old.name}, {"name": new.name}))
        if old.pin != new.pin:
            told.append(("code", event.AccessCodeCodeChanged, {"code": old.pin}, {"code": new.pin}))
        if (old.starts_at, old.ends_at) != (new.starts_at, new.ends_at):
            before, after = (
                {"starts_at": iso_or_none(c.starts_at), "ends_at": iso_or_none(c.ends_at)} for c in (old, new)
            )
            told.append(("time frame", event.AccessCodeTimeFrameChanged, before, after))
        if not told:
            return
        reason = "The device holds the change that was asked for."
        await events.emit(tx, core, row.workspace_id, event.AccessCodeChanged(change_reason=reason, **about))
        for what, cls, before, after in told:
            changed = cls(description=f"The access code's {what} was changed.", from_=before, to=after, **about)
            await events.emit(tx, core, row.workspace_id, changed)

    async def _begins(self, tx: Tx, device: DeviceRow, before: CodeRow) -> None:
        """A scheduled code opens the door from now on."""
        core = self._core
        row = await self._locked(tx, before.workspace_id, before.device_id, before.access_code_id)
        if row is None or row.status == "set" or row.revision != before.revision:
            return
        row = await store.change(tx, row, status="set")
        about = events.about_device(device)
        pin = pins.pin_of(core, row) or ""
        begun = event.AccessCodeSetOnDevice(access_code_id=row.access_code_id, code=pin, **about)
        await events.emit(tx, core, row.workspace_id, begun)

    async def _is_removed(self, tx: Tx, device: DeviceRow, before: CodeRow) -> None:
        """The device has let go of it: its life is over."""
        core = self._core
        row = await self._locked(tx, before.workspace_id, before.device_id, before.access_code_id)
        if row is None:
            return
        if row.is_wanted and row.revision != before.revision:
            # It was given more time while we removed it: the next look sets it again.
            await store.change(tx, row, held_sealed=None, held_revision=None, external_sealed=None, status="setting")
            return
        if not row.is_managed:
            await found_codes.forget_gone(tx, core, device, [row])
            return
        about = {"access_code_id": row.access_code_id, **events.about_device(device)}
        if row.held_sealed is not None and not row.is_claimed:
            await events.emit(tx, core, row.workspace_id, event.AccessCodeRemovedFromDevice(**about))
        await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
        await store.delete(tx, row.workspace_id, row.access_code_id)
        await changed_codes.release(tx, core, device)
        pin = pins.pin_of(core, row)
        await events.emit(tx, core, row.workspace_id, event.AccessCodeDeleted(code=pin, **about))

    async def _failed(
        self, tx: Tx, device: DeviceRow, before: CodeRow, error: ProviderError, removing: bool
    ) -> int | None:
        """A step failed for a reason of the code's own. Said once; tried again later where that can help."""
        core = self._core
        row = await self._locked(tx, before.workspace_id, before.device_id, before.access_code_id)
        if row is None:
            return None
        if isinstance(error, OutcomeUnknown) and not removing and row.held_sealed is not None:
            row = await store.change(tx, row, held_revision=code_state.IN_DOUBT)
        if row.revision != before.revision:
            return None
        if isinstance(error, NotOurs) and (row.is_managed and row.takes_over if row.is_wanted else not row.is_managed):
            await found_codes.give_up(tx, core, device, row, error)
            return None
        now = core.clock.now()
        code = problems.code_error(error, removing=removing)
        known = problems.read(row.errors_json)
        is_news = code not in {issue.code for issue in known}
        # The failure before is old; that somebody else changed the code stands until it is repaired.
        errors = problems.write([one for one in known if one.code in (code, code_state.CONFLICT)])
        failures = row.failures + 1
        pause = BACKOFF_S[min(row.failures, len(BACKOFF_S) - 1)] * 1000
        retry_at = now + pause if problems.can_retry(error) or removing else 2**62
        text, data, struck = error.message, {}, breaker.read(row.breaker_json)
        if not removing:
            # What should be gone is tried on and on: it may still open the door.
            struck = breaker.strike(struck, now)
            if struck.is_open(now):
                retry_at = max(retry_at, struck.open_until)
            if struck.is_open(now) and problems.can_retry(error):
                text += f" It failed again and again; the next try is at {iso(retry_at)}, or when it is changed."
        if isinstance(error, DuplicateCode) and error.ref is not None:
            other = await store.find_by_ref(tx, row.workspace_id, row.device_id, error.ref.lower())
            if other is not None:
                data[f"{'managed' if other.is_managed else 'unmanaged'}_access_code_id"] = other.access_code_id
        retry_at = changed_codes.not_past_end(row, retry_at, now)
        row = await store.change(
            tx,
            row,
            errors_json=problems.with_issue(errors, code, text, now, **data),
            failures=failures,
            breaker_json=breaker.write(struck),
            retry_at=retry_at,
        )
        if is_news:
            cls = event.AccessCodeFailedToRemoveFromDevice if removing else event.AccessCodeFailedToSetOnDevice
            about = events.about_device(device) | code_state.issues_of(row, device)
            await events.emit(tx, core, row.workspace_id, cls(access_code_id=row.access_code_id, **about))
        await actions.finish_level(tx, core, row.workspace_id, row.access_code_id, error=problems.attempt_error(error))
        return retry_at if retry_at < 2**62 else None


def _wanted(row: CodeRow, step: plan.Set) -> WantedCode:
    """What the device should hold, in the driver's words."""
    content = step.code.wanted
    assert content is not None
    return WantedCode(
        code_id=row.access_code_id,
        ref=row.ref,
        name=content.name or "Access code",
        pin=content.pin,
        starts_at=content.starts_at,
        ends_at=content.ends_at,
        takes_over=TakeOver(row.takes_over),
    )
