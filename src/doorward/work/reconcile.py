"""Makes devices hold the access codes they should.

Which rows: `due` rows of kind `codes`, one a device, claimed by lease. Woken by: the bell of that name, the earliest
`due_at`, and a poll. If it dies half way: the lease runs out and the device is looked at again; every step is safe to
repeat, since we choose the directory user's id and read back what we wrote. If two run at once: both make the device
hold the same codes; the outcome is written by revision, so nothing is announced twice.

Two looks: the quick one compares what is wanted with what the device is known to hold, and writes the differences; the
full one first reads the whole directory and corrects what is known. Full reads come after connecting, after a change
that was not ours, and from time to time. A read that fails changes nothing.
"""

import asyncio
from collections import defaultdict
from typing import Any

import structlog

from doorward.core import access_codes as rules
from doorward.core import actions, devices, events, plan, problems
from doorward.core.context import Core
from doorward.providers.base import DeviceReport, ProgramsCodes, ProgramsManyCodes, ProviderError, WantedCode, Written
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store import due
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.store.due import DueRow
from doorward.wire.events import access_code as event
from doorward.wire.time import iso_or_none
from doorward.work.links import Links

log = structlog.get_logger()

KIND = devices.RECONCILE
LEASE_MS = 120_000
POLL_S = 5.0
DRAIN_S = 5.0
GATHER_S = 0.02
"""After a nudge: changes come in bursts, and one look serves them all."""
AT_ONCE = 32
FULL_READ_MS = 3_600_000
"""A full read at least so often, whatever the device says of its directory."""
AFTER_WRITES_MS = 60_000
"""A full read this long after we wrote."""
OWN_ECHO_MS = 3_000
"""How long after a write of ours a device still speaks of it."""
TOGETHER = 40
"""New codes in one go: bounds how long the first of them waits for its outcome to be written."""
BACKOFF_S = (2, 5, 15, 60, 300, 900)
"""Pauses after a failed step or an unreachable device."""


class Reconciler:
    """The loop."""

    def __init__(self, core: Core, links: Links) -> None:
        self._core = core
        self._links = links
        self._full_read_at: defaultdict[str, int] = defaultdict(int)
        self._wrote_at: dict[str, int] = {}
        self._busy: set[asyncio.Task[None]] = set()

    def ask_full_read(self, device_id: str) -> None:
        """The next look at this device reads its whole directory."""
        self._full_read_at[device_id] = 0

    def wrote_lately(self, device_id: str) -> bool:
        """We changed its directory just now: what it says of changes is about ours, most likely.

        Somebody else's edit in that moment is found by the full read that follows our writes.
        """
        return self._core.clock.now() - self._wrote_at.get(device_id, 0) < OWN_ECHO_MS

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
        failed, again_at = False, core.clock.now() + FULL_READ_MS
        try:
            again_at = await self.device(row.workspace_id, row.subject_id)
        except ProviderError as exc:
            failed = True
            pause = BACKOFF_S[min(row.attempt, len(BACKOFF_S) - 1)]
            again_at = core.clock.now() + pause * 1000
            await core.db.write(devices.trouble, core, row.workspace_id, row.subject_id, exc)
        except Exception:
            failed = True
            again_at = core.clock.now() + 30_000
            log.exception("reconciling a device failed", device_id=row.subject_id)
        await core.db.write(due.release, row, core.process_id, again_at, failed=failed)

    async def device(self, workspace_id: str, device_id: str) -> int:
        """One look at one device; when to look again. Raises ProviderError when it cannot be reached."""
        core = self._core
        row = await device_store.get(core.db.read, workspace_id, device_id)
        if row is None or row.secret_sealed is None:
            return core.clock.now() + FULL_READ_MS
        link = await self._links.of(row)
        if not row.online:
            # Known as offline or refusing: whether it still is, it says itself.
            said = await link.read_device(row.ref)
            await core.db.write(devices.report, core, workspace_id, device_id, said)
        if not isinstance(link, ProgramsCodes):
            return core.clock.now() + FULL_READ_MS
        now = core.clock.now()
        if self._full_read_at[device_id] <= now:
            await self._read_all(row, link)
            self._full_read_at[device_id] = now + FULL_READ_MS
        codes = {c.access_code_id: c for c in await store.needing_work(core.db.read, workspace_id, device_id, now)}
        report = devices.report_of(row)
        steps, wake = plan.steps(
            [rules.planned(core, c) for c in codes.values()],
            keeps_schedules=report.keeps_schedules,
            now=now,
            begun={c.access_code_id: c.status == "set" for c in codes.values()},
        )
        if any(not isinstance(step, plan.Begin) for step in steps):
            self._wrote_at[device_id] = now
            self._full_read_at[device_id] = min(self._full_read_at[device_id], now + AFTER_WRITES_MS)
        retry: list[int] = []
        if isinstance(link, ProgramsManyCodes):
            fresh = [s for s in steps if isinstance(s, plan.Set) and s.code.held is None]
            if len(fresh) > 1:
                steps = [s for s in steps if s not in fresh]
                retry += await self._set_many(row, link, [(s, codes[s.code.code_id]) for s in fresh])
        for step in steps:
            at = await self._step(row, report, link, step, codes[step.code.code_id])
            if at is not None:
                retry.append(at)
        change = await store.next_change_at(core.db.read, workspace_id, device_id, now)
        times = [self._full_read_at[device_id], *retry, *(at for at in (wake, change) if at is not None)]
        return max(min(times), now + 20)

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
                    await link.remove_code(device.ref, row.ref)
                    await core.db.write(self._is_removed, device, row)
        except ProviderError as exc:
            if problems.device_code(exc):
                raise  # the device's own state: it is not this code's fault
            return await core.db.write(self._failed, device, row, exc, isinstance(step, plan.Remove))
        return None

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
        held = rules.held_of(core, row)
        values: dict[str, Any] = {"held_sealed": rules.seal_held(core, content), "held_revision": before.revision}
        if current:
            values |= {
                "status": "unset" if future else "set",
                "errors_json": "[]",
                "warnings_json": problems.without(row.warnings_json, "delay_in_setting_on_device"),
                "failures": 0,
                "retry_at": 0,
            }
        row = await store.change(tx, row, **values)
        about = {"access_code_id": row.access_code_id, **events.about_device(device)}
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
        pin = rules.pin_of(core, row) or ""
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
            await store.change(tx, row, held_sealed=None, held_revision=None, status="setting")
            return
        about = {"access_code_id": row.access_code_id, **events.about_device(device)}
        if row.held_sealed is not None:
            await events.emit(tx, core, row.workspace_id, event.AccessCodeRemovedFromDevice(**about))
        await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
        await store.delete(tx, row.workspace_id, row.access_code_id)
        pin = rules.pin_of(core, row)
        await events.emit(tx, core, row.workspace_id, event.AccessCodeDeleted(code=pin, **about))

    async def _failed(
        self, tx: Tx, device: DeviceRow, before: CodeRow, error: ProviderError, removing: bool
    ) -> int | None:
        """A step failed for a reason of the code's own. Said once; tried again later where that can help."""
        core = self._core
        row = await self._locked(tx, before.workspace_id, before.device_id, before.access_code_id)
        if row is None or row.revision != before.revision:
            return None
        now = core.clock.now()
        code = problems.code_error(error, removing=removing)
        is_news = code not in {issue.code for issue in problems.read(row.errors_json)}
        failures = row.failures + 1
        pause = BACKOFF_S[min(row.failures, len(BACKOFF_S) - 1)] * 1000
        retry_at = now + pause if problems.can_retry(error) or removing else 2**62
        if row.ends_at is not None and row.ends_at > now:
            retry_at = min(retry_at, row.ends_at)  # then it is to be removed, whatever kept it from being set
        row = await store.change(
            tx,
            row,
            errors_json=problems.with_issue("[]" if is_news else row.errors_json, code, error.message, now),
            failures=failures,
            retry_at=retry_at,
        )
        if is_news:
            cls = event.AccessCodeFailedToRemoveFromDevice if removing else event.AccessCodeFailedToSetOnDevice
            about = events.about_device(device) | rules.issues_of(row, device)
            await events.emit(tx, core, row.workspace_id, cls(access_code_id=row.access_code_id, **about))
        await actions.finish_level(tx, core, row.workspace_id, row.access_code_id, error=problems.attempt_error(error))
        return retry_at if retry_at < 2**62 else None

    # ------------------------------------------------------------ full read

    async def _read_all(self, device: DeviceRow, link: ProgramsCodes) -> None:
        """Read the whole directory, and correct what the device is known to hold."""
        core = self._core
        known = await store.of_device(core.db.read, device.workspace_id, device.device_id)
        found = await link.read_codes(device.ref)
        ours = [rules.planned(core, row) for row in known if row.is_managed]
        for difference in plan.differences(ours, found):
            await core.db.write(self._differs, device, difference)

    async def _differs(self, tx: Tx, device: DeviceRow, difference: plan.Difference) -> None:
        """Somebody else changed or removed one of our codes."""
        core = self._core
        row = await self._locked(tx, device.workspace_id, device.device_id, difference.code.code_id)
        if row is None or row.held_sealed is None or rules.held_of(core, row) != difference.code.held:
            return  # we changed it ourselves meanwhile
        about = {"access_code_id": row.access_code_id, **events.about_device(device)}
        now = core.clock.now()
        if difference.found is None and not row.is_wanted:
            return  # it was to go anyway: the step that removes it says so
        if difference.found is not None and row.is_external_modification_allowed:
            text = "The code was changed at the device, and is allowed to be."
            warnings = problems.with_issue(row.warnings_json, "external_modification_in_effect", text, now)
            if warnings != row.warnings_json:
                await store.change(tx, row, warnings_json=warnings)
                await events.emit(tx, core, row.workspace_id, event.AccessCodeModifiedExternalToSeam(**about))
            return
        gone = difference.found is None
        text = "The code was removed at the device." if gone else "The code was changed at the device."
        errors = problems.with_issue(
            row.errors_json, "conflicting_external_modification", f"{text} It is being set again.", now
        )
        values: dict[str, Any] = {"errors_json": errors, "held_revision": None}
        if gone:
            values["held_sealed"] = None
            values["status"] = "setting" if row.status == "set" else row.status
        await store.change(tx, row, **values)
        cls = event.AccessCodeDeletedExternalToSeam if gone else event.AccessCodeModifiedExternalToSeam
        await events.emit(tx, core, row.workspace_id, cls(**about))


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
    )
