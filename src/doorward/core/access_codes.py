"""Access codes: the rules of what may be wanted, and how a code is shown.

Creating, changing and deleting only write what is wanted, with a due row for the device; `work/reconcile` makes it
true and writes what is held. So a device that is off, slow or wrong never stands between a caller and an answer.
"""

from dataclasses import dataclass
from typing import Any

from doorward.core import actions, code_state, devices, grant_progress, pins
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.errors import (
    AccessCodeBeingRemoved,
    AccessCodeNotFound,
    DeviceIsOffline,
    DeviceTypeNotSupported,
    DuplicateAccessCode,
    InvalidInput,
)
from doorward.ids import new_id
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store.access_codes import CodeRow
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.events import access_code as event
from doorward.wire.time import iso, iso_or_none, parse, to_minute

NO_POOL = "Cannot use the backup pool for ongoing codes"
BOTH_DATES = "Both starts_at and ends_at must be provided if one is"


@dataclass(frozen=True)
class Wish:
    """What a caller asks of a new code; None: not said."""

    device_id: str
    code: str | None = None
    name: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    preferred_code_length: float | None = None
    is_external_modification_allowed: bool = False
    common_code_key: str | None = None
    attempt_for_offline_device: bool = True
    use_backup_access_code_pool: bool = False
    prefer_native_scheduling: bool = True
    is_offline_access_code: bool = False
    is_one_time_use: bool = False


@dataclass(frozen=True)
class Change:
    """What a caller asks of an existing code; None: as it is."""

    access_code_id: str
    device_id: str | None = None
    code: str | None = None
    name: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    type: str | None = None
    is_managed: bool | None = None
    is_external_modification_allowed: bool | None = None
    attempt_for_offline_device: bool = True
    use_backup_access_code_pool: bool | None = None
    prefer_native_scheduling: bool | None = None
    frame: tuple[int | None, int | None] | None = None
    """Exact times in place of all that is said of them: those of its access grant."""


# ---------------------------------------------------------------- rules


def times(starts_at: str | None, ends_at: str | None, now: int) -> tuple[int | None, int | None]:
    """Both or neither, in whole minutes, ending later than they start and than now."""
    if (starts_at is None) != (ends_at is None):
        raise InvalidInput(BOTH_DATES)
    if starts_at is None or ends_at is None:
        return None, None
    start, end = _minute("starts_at", starts_at), _minute("ends_at", ends_at)
    if end <= start:
        raise InvalidInput.of("ends_at", "Must be later than starts_at")
    if end <= now:
        raise InvalidInput.of("ends_at", "Must be in the future")
    return start, end


def _minute(name: str, text: str) -> int:
    at = to_minute(parse(text))
    try:
        iso(at)
    except OverflowError:  # an offset or the rounding led out of the calendar
        raise InvalidInput.of(name, "Invalid date") from None
    return at


async def refuse_duplicate(
    tx: Tx, device: DeviceRow, digest: str, starts_at: int | None, ends_at: int | None, but: str = ""
) -> None:
    """Two codes with one PIN may follow each other on a device, not overlap."""
    for other in await store.find_by_hash(tx, device.workspace_id, device.device_id, digest):
        if other.access_code_id == but or (other.is_managed and not other.is_wanted):
            continue
        apart = (ends_at is not None and other.starts_at is not None and ends_at <= other.starts_at) or (
            starts_at is not None and other.ends_at is not None and other.ends_at <= starts_at
        )
        if not apart:
            period = f"{iso(other.starts_at or 0)} to {iso(other.ends_at)}" if other.ends_at else "ongoing"
            raise DuplicateAccessCode(
                f'The code "{other.name or other.access_code_id}" ({period}) has the same PIN on this device.',
                data={"device_id": device.device_id, "access_code_id": other.access_code_id},
            )


# ---------------------------------------------------------------- create, change, delete


async def create(tx: Tx, core: Core, workspace: WorkspaceRow, wish: Wish) -> tuple[CodeRow, AttemptRow]:
    """Want a new code on a device."""
    starts_at, ends_at = times(wish.starts_at, wish.ends_at, core.clock.now())
    device, report = await may_have(tx, workspace, wish, ends_at)
    pin = wish.code if wish.code is not None else await _shared_pin(tx, core, device, report, wish)
    if pin is not None:
        pins.check_pin(pin, report)
        digest = pins.pin_hash(core, device, pin)
        await refuse_duplicate(tx, device, digest, starts_at, ends_at)
    else:
        pin, digest = await pins.random_pin(tx, core, device, report, wish.preferred_code_length)
    row = new_row(core, device, wish, pin, digest, starts_at, ends_at)
    attempt = await add(tx, core, device, row)
    return row, attempt


async def _shared_pin(tx: Tx, core: Core, device: DeviceRow, report: DeviceReport, wish: Wish) -> str | None:
    """The PIN of the codes whose common key the new one asks for, if this device can have it; None: it cannot."""
    if wish.common_code_key is None:
        return None
    for other in await store.of_common_key(tx, device.workspace_id, wish.common_code_key):
        pin = pins.pin_of(core, other)
        if other.is_wanted and pin is not None and len(pin) in report.code_lengths:
            return pin if await pins.is_free(tx, core, device, pin) else None
    return None


async def may_have(tx: Tx, workspace: WorkspaceRow, wish: Wish, ends_at: int | None) -> tuple[DeviceRow, DeviceReport]:
    """The device of a wish, locked until the transaction ends, and its report. Raises ApiError when it cannot have
    such a code, whatever its PIN."""
    await tx.lock("device", workspace.workspace_id, wish.device_id)
    device = await devices.get(tx, workspace.workspace_id, wish.device_id)
    report = pins.takes_codes(device)
    if wish.is_offline_access_code or wish.is_one_time_use:
        raise DeviceTypeNotSupported("This device has no offline or one-time access codes.")
    if wish.use_backup_access_code_pool and ends_at is None:
        raise InvalidInput(NO_POOL)
    if not (device.online or wish.attempt_for_offline_device):
        raise DeviceIsOffline(data={"device_id": device.device_id})
    return device, report


def new_row(
    core: Core,
    device: DeviceRow,
    wish: Wish,
    pin: str,
    digest: str,
    starts_at: int | None,
    ends_at: int | None,
    *,
    is_backup: bool = False,
) -> CodeRow:
    """A new code, wanted and not yet held. A reserve code is named after itself until it is pulled."""
    access_code_id, now = new_id(), core.clock.now()
    return CodeRow(
        workspace_id=device.workspace_id,
        access_code_id=access_code_id,
        device_id=device.device_id,
        ref=access_code_id,
        name=f"Backup {access_code_id[-8:]}" if is_backup else wish.name,
        code_sealed=core.vault.seal(pin, pins.PIN),
        code_hash=digest,
        starts_at=starts_at,
        ends_at=ends_at,
        is_managed=1,
        is_backup=int(is_backup),
        is_offline=0,
        is_one_time_use=0,
        is_external_modification_allowed=int(wish.is_external_modification_allowed),
        common_code_key=wish.common_code_key,
        pulled_backup_access_code_id=None,
        is_wanted=1,
        revision=1,
        requested_at=now,
        held_revision=None,
        held_sealed=None,
        status="unset" if starts_at is not None and starts_at > now else "setting",
        errors_json="[]",
        warnings_json="[]",
        failures=0,
        retry_at=0,
        created_at=now,
        uses_backup_pool=int(wish.use_backup_access_code_pool),
        is_deferred=int(not (wish.prefer_native_scheduling and devices.report_of(device).keeps_schedules)),
    )


async def add(tx: Tx, core: Core, device: DeviceRow, row: CodeRow) -> AttemptRow:
    """Store a new managed code, say so, and have its device looked at. The device is locked already."""
    await store.add(tx, row)
    created = event.AccessCodeCreated(access_code_id=row.access_code_id, **about_device(device))
    await emit(tx, core, row.workspace_id, created)
    attempt = await actions.start_level(tx, core, device, "CREATE_ACCESS_CODE", row.access_code_id)
    await devices.wake(tx, core, row.workspace_id, row.device_id)
    return await _unless_put_off(tx, core, row, attempt)


async def _unless_put_off(tx: Tx, core: Core, row: CodeRow, attempt: AttemptRow) -> AttemptRow:
    """The attempt; of a code that is set later it has succeeded: there is nothing to wait for."""
    if not code_state.is_put_off(core, row):
        return attempt
    await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
    return await actions.get(tx, row.workspace_id, attempt.action_attempt_id)


async def get(read: Reader, workspace_id: str, access_code_id: str, device_id: str | None = None) -> CodeRow:
    """A managed code. Raises AccessCodeNotFound."""
    row = await store.get(read, workspace_id, access_code_id)
    if row is None or not row.is_managed or (device_id is not None and row.device_id != device_id):
        data = {"access_code_id": access_code_id, **({"device_id": device_id} if device_id else {})}
        raise AccessCodeNotFound(data=data)
    return row


async def change(tx: Tx, core: Core, workspace: WorkspaceRow, wish: Change) -> tuple[CodeRow, AttemptRow]:
    """Want a code to be otherwise."""
    workspace_id, now = workspace.workspace_id, core.clock.now()
    row = await get(tx, workspace_id, wish.access_code_id, wish.device_id)
    if row.access_method_id is not None:
        await grant_progress.lock(tx, workspace_id)
    await tx.lock("device", workspace_id, row.device_id)
    row = await get(tx, workspace_id, wish.access_code_id, wish.device_id)
    if not row.is_wanted:
        raise AccessCodeBeingRemoved(data={"access_code_id": row.access_code_id})
    device = await devices.get(tx, workspace_id, row.device_id)
    if not (device.online or wish.attempt_for_offline_device):
        raise DeviceIsOffline(data={"device_id": device.device_id})
    starts_at, ends_at = _changed_times(row, wish, now)
    if wish.frame is None and (starts_at, ends_at) != (row.starts_at, row.ends_at):
        starts_at, ends_at = await _within_grant(tx, row, starts_at, ends_at, now)
    values: dict[str, Any] = {"starts_at": starts_at, "ends_at": ends_at}
    if wish.name is not None:
        values["name"] = wish.name
    digest = row.code_hash or ""
    if wish.code is not None:
        pins.check_pin(wish.code, pins.takes_codes(device))
        digest = pins.pin_hash(core, device, wish.code)
        if digest != row.code_hash:
            values |= {"code_sealed": core.vault.seal(wish.code, pins.PIN), "code_hash": digest}
    await refuse_duplicate(tx, device, digest, starts_at, ends_at, but=row.access_code_id)
    attempt = await actions.start_level(tx, core, device, "UPDATE_ACCESS_CODE", row.access_code_id)
    values = {name: value for name, value in values.items() if getattr(row, name) != value}
    if wish.is_external_modification_allowed is not None:
        row = await store.change(tx, row, is_external_modification_allowed=int(wish.is_external_modification_allowed))
    if wish.prefer_native_scheduling is not None and devices.report_of(device).keeps_schedules:
        row = await store.change(tx, row, is_deferred=int(not wish.prefer_native_scheduling))
    pool = row.uses_backup_pool if wish.use_backup_access_code_pool is None else wish.use_backup_access_code_pool
    if wish.use_backup_access_code_pool and ends_at is None:
        raise InvalidInput(NO_POOL)
    if (pool := int(bool(pool) and ends_at is not None)) != row.uses_backup_pool:
        row = await store.change(tx, row, uses_backup_pool=pool)
        await devices.wake(tx, core, workspace_id, device.device_id)
    if wish.is_managed is False:
        if values:
            raise InvalidInput("Change a code first, and stop managing it then")
        row = await stop_managing(tx, core, device, row)
        return row, await actions.get(tx, workspace_id, attempt.action_attempt_id)
    if not values:
        if row.held_revision == row.revision or code_state.is_put_off(core, row):
            await actions.finish_level(tx, core, workspace_id, row.access_code_id)
        return row, await actions.get(tx, workspace_id, attempt.action_attempt_id)
    future = starts_at is not None and starts_at > now
    row = await store.change(
        tx,
        row,
        **values,
        **code_state.asked_anew(core, row),
        status="unset" if future else ("setting" if row.status != "set" else "set"),
    )
    await emit(
        tx,
        core,
        workspace_id,
        event.AccessCodeMutationsRequested(
            access_code_id=row.access_code_id,
            requested_mutations=code_state.mutations(core, row),
            **about_device(device),
        ),
    )
    await devices.wake(tx, core, workspace_id, device.device_id)
    return row, await _unless_put_off(tx, core, row, attempt)


async def stop_managing(tx: Tx, core: Core, device: DeviceRow, row: CodeRow) -> CodeRow:
    """It is left as it is from now on, among the codes of others. The device is locked already."""
    row = await store.change(tx, row, is_managed=0)
    if not row.takes_over:  # else nobody was told yet that it is managed
        now_unmanaged = event.AccessCodeUnmanagedCreated(access_code_id=row.access_code_id, **about_device(device))
        await emit(tx, core, row.workspace_id, now_unmanaged)
    await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
    return row


def _changed_times(row: CodeRow, wish: Change, now: int) -> tuple[int | None, int | None]:
    if wish.frame is not None:
        return wish.frame
    if wish.type == "ongoing":
        if wish.starts_at is not None or wish.ends_at is not None:
            raise InvalidInput("An ongoing code has no starts_at and ends_at")
        return None, None
    if wish.starts_at is None and wish.ends_at is None:
        if wish.type == "time_bound" and row.ends_at is None:
            raise InvalidInput("A time_bound code needs starts_at and ends_at")
        return row.starts_at, row.ends_at
    return times(wish.starts_at or iso_or_none(row.starts_at), wish.ends_at or iso_or_none(row.ends_at), now)


async def _within_grant(
    tx: Tx, row: CodeRow, starts_at: int | None, ends_at: int | None, now: int
) -> tuple[int | None, int | None]:
    """Of a code that is part of an access grant: times that do not lead out of the grant's, but for the rounding."""
    if row.access_method_id is None:
        return starts_at, ends_at
    method = await grant_progress.get_method(tx, row.workspace_id, row.access_method_id)
    grant = await grant_progress.get(tx, row.workspace_id, method.access_grant_id)
    is_too_early = (now if starts_at is None else starts_at) < to_minute(grant.starts_at)
    is_too_late = grant.ends_at is not None and (ends_at is None or ends_at > to_minute(grant.ends_at))
    if is_too_early or is_too_late:
        raise InvalidInput(
            "This code is part of an access grant, and cannot begin before it or end after it. Change the access grant."
        )
    if starts_at is None or ends_at is None:
        return starts_at, ends_at
    return max(starts_at, grant.starts_at), ends_at if grant.ends_at is None else min(ends_at, grant.ends_at)


async def delete(
    tx: Tx, core: Core, workspace: WorkspaceRow, access_code_id: str, device_id: str | None = None
) -> AttemptRow:
    """Want a code to be gone. Its row stays until the device has let go of it."""
    workspace_id = workspace.workspace_id
    row = await get(tx, workspace_id, access_code_id, device_id)
    await tx.lock("device", workspace_id, row.device_id)
    row = await get(tx, workspace_id, access_code_id, device_id)
    device = await device_store.get(tx, workspace_id, row.device_id)
    assert device is not None
    attempt = await actions.start_level(tx, core, device, "DELETE_ACCESS_CODE", access_code_id)
    if row.is_wanted:
        await let_go(tx, core, row)
        await devices.wake(tx, core, workspace_id, device.device_id)
    return attempt


async def let_go(tx: Tx, core: Core, row: CodeRow) -> None:
    """It is not wanted any more."""
    await store.change(tx, row, is_wanted=0, status="removing", **code_state.asked_anew(core, row))
