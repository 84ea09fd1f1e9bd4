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

import structlog

from doorward.core import (
    backup_pool,
    changed_codes,
    code_state,
    devices,
    grant_doors,
    outcomes,
    plan,
    problems,
)
from doorward.core.context import Core
from doorward.providers.base import ProgramsCodes, ProgramsManyCodes
from doorward.providers.errors import NotAuthorized, NotOurs, ProviderError
from doorward.providers.reports import (
    DeviceReport,
    TakeOver,
    WantedCode,
    Written,
)
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store import due
from doorward.store.access_codes import CodeRow
from doorward.store.devices import DeviceRow
from doorward.store.due import DueRow
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


def pause_s(error: ProviderError, tries: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
    """How long to wait after the failure number `tries` (from 0) of a whole look, in seconds. Full jitter: devices
    that failed together are not asked together again. A login that was refused is tried rarely (`work.follow`)."""
    if isinstance(error, NotAuthorized) and error.missing is None and tries + 1 >= follow.REFUSALS:
        return follow.pause_s(follow.Phase.SHUT_OUT, tries, jitter)
    return follow.SHORTEST_S + jitter(0.0, outcomes.BACKOFF_S[min(tries, len(outcomes.BACKOFF_S) - 1)])


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
            device = await device_store.get(core.db.read, row.workspace_id, row.subject_id)
            if device is not None:
                await self._tell_late(device)
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
        has_pool = await backup_pool.tend(core, row)
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
        fresh = [step for step in steps if isinstance(step, plan.Set) and step.code.held is None]
        many = link if isinstance(link, ProgramsManyCodes) and len(fresh) > 1 else None
        together = {step.code.code_id for step in fresh} if many is not None else set()
        for step in steps:
            if step.code.code_id in together and isinstance(step, plan.Set):
                continue
            at = await self._step(row, report, link, step, codes[step.code.code_id])
            if at is not None:
                retry.append(at)
        if many is not None:  # last: a PIN may be free only now, and room, too
            retry += await self._set_many(row, report, many, [(step, codes[step.code.code_id]) for step in fresh])
        if has_pool:
            await backup_pool.tell(core, row)
        await changed_codes.tell_interference(core, row)
        await grant_doors.offer(core, row)
        if retry:
            await self._tell_late(row)
        change = await store.next_change_at(core.db.read, workspace_id, device_id, now)
        read_at = self._directory.next_at(device_id, reading)
        times = [read_at, *retry, *(at for at in (wake, change) if at is not None)]
        return max(min(times), now + 20)

    async def _tell_late(self, device: DeviceRow) -> None:
        """What is not done long after it should be is told to be late."""
        core, now = self._core, self._core.clock.now()
        work = await store.needing_work(core.db.read, device.workspace_id, device.device_id, now)
        if any(outcomes.is_late(code, now) for code in work):
            await core.db.write(outcomes.tell_late, core, device)

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
        self, device: DeviceRow, report: DeviceReport, link: ProgramsManyCodes, fresh: list[tuple[plan.Set, CodeRow]]
    ) -> list[int]:
        """Set new codes together; when to try those again that were refused."""
        core = self._core
        retry = []
        for start in range(0, len(fresh), TOGETHER):
            part = fresh[start : start + TOGETHER]
            began_at = core.clock.now()
            wanted = [_wanted(row, step, report) for step, row in part]
            found = await link.set_codes(device.ref, wanted)
            self._wrote_at[device.device_id] = core.clock.now()
            good = [
                (row, step.code.wanted)
                for (step, row), outcome in zip(part, found, strict=True)
                if isinstance(outcome, Written) and step.code.wanted is not None
            ]
            await core.db.write(outcomes.are_set, core, device, good, began_at)
            for (_, row), outcome in zip(part, found, strict=True):
                if isinstance(outcome, ProviderError):
                    at = await core.db.write(outcomes.failed, core, device, row, outcome, "set", began_at)
                    retry += [at] if at is not None else []
        return retry

    async def _step(
        self, device: DeviceRow, report: DeviceReport, link: ProgramsCodes, step: plan.Step, row: CodeRow
    ) -> int | None:
        """Carry out a step; when to try again, if it failed for a reason of its own."""
        core = self._core
        began_at = core.clock.now()
        try:
            match step:
                case plan.Set():
                    wanted = step.code.wanted
                    assert wanted is not None
                    await link.set_code(device.ref, _wanted(row, step, report))
                    await core.db.write(outcomes.is_set, core, device, row, wanted, began_at)
                case plan.Begin():
                    await core.db.write(outcomes.begins, core, device, row)
                case plan.Withdraw():
                    await self._remove(device, link, row)
                    await core.db.write(outcomes.is_withdrawn, core, device, row, began_at)
                case plan.Remove():
                    if await self._is_over(row):
                        await self._remove(device, link, row)
                        await core.db.write(outcomes.is_removed, core, device, row, began_at)
        except ProviderError as exc:
            if problems.device_code(exc):
                raise  # the device's own state: it is not this code's fault
            name = {plan.Set: "set", plan.Withdraw: "withdraw"}.get(type(step), "remove")
            return await core.db.write(outcomes.failed, core, device, row, exc, name, began_at)
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


def _wanted(row: CodeRow, step: plan.Set, report: DeviceReport) -> WantedCode:
    """What the device should hold, in the driver's words. Without a schedule where the device keeps none."""
    content = step.code.wanted
    assert content is not None
    return WantedCode(
        code_id=row.access_code_id,
        ref=row.ref,
        name=content.name or "Access code",
        pin=content.pin,
        starts_at=content.starts_at if report.keeps_schedules else None,
        ends_at=content.ends_at if report.keeps_schedules else None,
        takes_over=TakeOver(row.takes_over),
    )
