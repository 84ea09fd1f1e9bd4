"""Codes that are not ours: what a read of a device's directory shows of them, and what becomes of them.

Each function is one transaction about some of the codes; work/directory calls them until all that was read is stored.
If the process dies in between, the same read shows the same again, and what is stored already is no news.

They have rows with `is_managed = 0`, and nothing writes to their entries unless somebody asked for it:
**taking over** makes a row managed at once, with `takes_over` until its device holds our tag; if the entry turns out to
be another's or to be gone, it is unmanaged again. **Removing** leaves the row unmanaged, and not wanted. So does the
end of an access grant with those of its codes that nobody manages any more.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from doorward.core import actions, code_state, devices, grant_progress, pins, plan, problems
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.core.plan import Content
from doorward.errors import AccessCodeBeingRemoved, AccessCodeCannotBeManaged, AccessCodeNotFound
from doorward.ids import new_id
from doorward.providers.errors import NotOurs, ProviderError
from doorward.providers.reports import FoundCode, TakeOver
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store.access_codes import CodeRow, SeenCode
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.access_code import UnmanagedAccessCode
from doorward.wire.events import access_code as event
from doorward.wire.time import iso, iso_or_none

# ---------------------------------------------------------------- as they are found


def is_news(core: Core, device: DeviceRow, row: CodeRow, found: FoundCode) -> bool:
    """Whether an unmanaged code is not (any more) as its row says."""
    return any(getattr(row, name) != value for name, value in _columns(core, device, row, found, seal=False).items())


def _columns(core: Core, device: DeviceRow, row: CodeRow | None, found: FoundCode, *, seal: bool) -> dict[str, Any]:
    """The columns of an unmanaged code that the device decides."""
    digest = pins.pin_hash(core, device, found.pin) if found.pin else None
    ours = row.name if row is not None else None
    values: dict[str, Any] = {
        # A name that was ours may be longer than what the device shows of it.
        "name": ours if ours and plan.same_name(ours, found.name) else found.name or None,
        "code_hash": digest,
        "starts_at": found.starts_at,
        "ends_at": found.ends_at,
        "is_kept_elsewhere": int(found.is_kept_elsewhere),
        "is_claimed": int(found.is_claimed),
    }
    if seal and (row is None or row.code_hash != digest):
        values["code_sealed"] = core.vault.seal(found.pin, pins.PIN) if found.pin else None
    return values


async def store_found(tx: Tx, core: Core, device: DeviceRow, found: Sequence[FoundCode], *, is_first: bool) -> None:
    """Codes that are not ours: new ones get rows, changed ones are corrected.

    `is_first`: the device's directory was never read before. What is in it then did not appear now: no events.
    """
    workspace_id, device_id, now = device.workspace_id, device.device_id, core.clock.now()
    await tx.lock("device", workspace_id, device_id)
    if await device_store.get(tx, workspace_id, device_id) is None:
        return  # it was disconnected meanwhile
    refs = [one.ref.lower() for one in found]
    known = {row.ref: row for row in await store.of_refs(tx, workspace_id, device_id, refs)}
    new = []
    for ref, one in zip(refs, found, strict=True):
        row = known.get(ref)
        if row is None:
            new.append(_row(core, device, ref, one, now))
        elif not row.is_managed:
            values = _columns(core, device, row, one, seal=True)
            if any(getattr(row, name) != value for name, value in values.items()):
                await store.change(tx, row, **values)
    if new:
        await store.add_many(tx, new)
    if not is_first:
        for row in new:
            created = event.AccessCodeUnmanagedCreated(access_code_id=row.access_code_id, **about_device(device))
            await emit(tx, core, workspace_id, created)


def _row(core: Core, device: DeviceRow, ref: str, found: FoundCode, now: int) -> CodeRow:
    return CodeRow(
        workspace_id=device.workspace_id,
        access_code_id=new_id(),
        device_id=device.device_id,
        ref=ref,
        is_managed=0,
        is_backup=0,
        is_offline=0,
        is_one_time_use=0,
        is_external_modification_allowed=0,
        common_code_key=None,
        pulled_backup_access_code_id=None,
        is_wanted=1,
        revision=1,
        requested_at=now,
        held_revision=None,
        held_sealed=None,
        status="set",
        errors_json="[]",
        warnings_json="[]",
        failures=0,
        retry_at=0,
        created_at=now,
        **({"code_sealed": None} | _columns(core, device, None, found, seal=True)),
    )


async def forget_gone(tx: Tx, core: Core, device: DeviceRow, rows: Sequence[CodeRow]) -> None:
    """Codes that are not ours, and are no longer on the device."""
    if any(row.access_method_id is not None for row in rows):
        await grant_progress.lock(tx, device.workspace_id)
    await tx.lock("device", device.workspace_id, device.device_id)
    known = await store.of_refs(tx, device.workspace_id, device.device_id, [row.ref for row in rows])
    for row in known:
        if not row.is_managed and await store.delete(tx, row.workspace_id, row.access_code_id):
            await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
            removed = event.AccessCodeUnmanagedRemoved(access_code_id=row.access_code_id, **about_device(device))
            await emit(tx, core, row.workspace_id, removed)
            await grant_progress.code_changed(tx, core, row)


def wire(core: Core, seen: SeenCode) -> UnmanagedAccessCode:
    """An unmanaged code as Seam shows it."""
    row, now = seen.row, core.clock.now()
    is_bound = row.ends_at is not None or row.starts_at is not None
    opens = (row.starts_at is None or row.starts_at <= now) and (row.ends_at is None or row.ends_at > now)
    errors = problems.wire(row.errors_json, "error", is_access_code_error=True)
    errors += problems.wire(seen.device_errors_json, "error", is_device_error=True)
    account = {"is_connected_account_error": True, "is_device_error": False}
    errors += problems.wire(seen.account_errors_json, "error", **account)
    return UnmanagedAccessCode(
        access_code_id=row.access_code_id,
        workspace_id=row.workspace_id,
        device_id=row.device_id,
        name=row.name,
        code=pins.pin_of(core, row),
        type="time_bound" if is_bound else "ongoing",
        status="set" if opens else "unset",
        starts_at=iso_or_none(row.starts_at) if is_bound else UNSET,
        ends_at=iso_or_none(row.ends_at) if is_bound else UNSET,
        created_at=iso(row.created_at),
        cannot_be_managed=True if row.is_kept_elsewhere else UNSET,
        cannot_delete_unmanaged_access_code=True if row.is_kept_elsewhere or row.is_claimed else UNSET,
        errors=errors,
        warnings=[],
    )


# ---------------------------------------------------------------- taken over, or removed


async def get(read: Reader, workspace_id: str, access_code_id: str) -> CodeRow:
    """An unmanaged code. Raises AccessCodeNotFound."""
    row = await store.get(read, workspace_id, access_code_id)
    if row is None or row.is_managed:
        raise AccessCodeNotFound(data={"access_code_id": access_code_id})
    return row


async def _to_write(tx: Tx, workspace_id: str, access_code_id: str) -> tuple[CodeRow, DeviceRow]:
    """The code and its device, which is locked. Raises ApiError when its entry cannot be written."""
    row = await get(tx, workspace_id, access_code_id)
    await tx.lock("device", workspace_id, row.device_id)
    row = await get(tx, workspace_id, access_code_id)
    if row.is_kept_elsewhere:
        raise AccessCodeCannotBeManaged(
            "Another system keeps this access code on the device and would write it again. Change or remove it there.",
            data={"access_code_id": access_code_id},
        )
    return row, await devices.get(tx, workspace_id, row.device_id)


async def take_over(
    tx: Tx,
    core: Core,
    workspace: WorkspaceRow,
    access_code_id: str,
    *,
    force: bool = False,
    is_external_modification_allowed: bool | None = None,
) -> AttemptRow:
    """Manage a code from now on. Raises ApiError; `force`: even one that carries another integration's tag."""
    workspace_id, now = workspace.workspace_id, core.clock.now()
    row, device = await _to_write(tx, workspace_id, access_code_id)
    about = {"access_code_id": access_code_id}
    if not row.is_wanted:
        raise AccessCodeBeingRemoved(data=about)
    if row.is_claimed and not force:
        raise AccessCodeCannotBeManaged(
            "Another integration or workspace manages this access code. With force: true it is taken over.", data=about
        )
    pin = pins.pin_of(core, row)
    if not pin:
        raise AccessCodeCannotBeManaged("The device does not tell this access code's PIN.", data=about)
    if row.ends_at is not None and row.ends_at <= now:
        raise AccessCodeCannotBeManaged("This access code's time is over.", data=about)
    attempt = await actions.start_level(tx, core, device, "CONVERT_ACCESS_CODE_TO_MANAGED", access_code_id)
    allowed = row.is_external_modification_allowed
    if is_external_modification_allowed is not None:
        allowed = int(is_external_modification_allowed)
    await store.change(
        tx,
        row,
        is_managed=1,
        takes_over=int(TakeOver.CLAIMED if force else TakeOver.UNCLAIMED),
        is_external_modification_allowed=allowed,
        held_sealed=code_state.seal_held(core, Content(row.name, pin, row.starts_at, row.ends_at)),
        held_revision=None,
        external_sealed=None,
        status="unset" if row.starts_at is not None and row.starts_at > now else "set",
        **code_state.asked_anew(core, row),
    )
    await devices.wake(tx, core, workspace_id, device.device_id)
    return attempt


async def remove(tx: Tx, core: Core, workspace: WorkspaceRow, access_code_id: str) -> AttemptRow:
    """Have a code removed from its device though it is not managed. Raises ApiError."""
    workspace_id = workspace.workspace_id
    row, device = await _to_write(tx, workspace_id, access_code_id)
    if row.is_claimed:
        raise AccessCodeCannotBeManaged(
            "Another integration or workspace manages this access code. To remove it, take it over first "
            "(convert_to_managed with force: true).",
            data={"access_code_id": access_code_id},
        )
    attempt = await actions.start_level(tx, core, device, "DELETE_ACCESS_CODE", access_code_id)
    if row.is_wanted:
        values = {"is_wanted": 0, "takes_over": int(TakeOver.UNCLAIMED), "external_sealed": None}
        await store.change(tx, row, **values, **code_state.asked_anew(core, row))
        await devices.wake(tx, core, workspace_id, device.device_id)
    return attempt


async def give_up(tx: Tx, core: Core, device: DeviceRow, row: CodeRow, error: ProviderError) -> None:
    """Its entry turned out not to be ours to write: it is unmanaged, and stays as it is."""
    if row.is_managed:
        text = f"This access code could not be taken over. {error.message}"
        errors = problems.with_issue("[]", problems.code_error(error, removing=False), text, core.clock.now())
        issues = code_state.issues_of(msgspec.structs.replace(row, errors_json=errors), device)
        failed = event.AccessCodeUnmanagedFailedToConvertToManaged(
            access_code_id=row.access_code_id, **about_device(device), **issues
        )
        await emit(tx, core, row.workspace_id, failed)
    # Not managed any more, and wanted as it is; nothing is kept of what was tried or asked for meanwhile.
    values: dict[str, Any] = {"errors_json": "[]", "warnings_json": "[]", "failures": 0, "retry_at": 0}
    held = code_state.held_of(core, row)
    if held is not None:
        values |= {
            "name": held.name,
            "code_sealed": core.vault.seal(held.pin, pins.PIN),
            "code_hash": pins.pin_hash(core, device, held.pin),
            "starts_at": held.starts_at,
            "ends_at": held.ends_at,
            "held_sealed": None,
            "held_revision": None,
            "external_sealed": None,
        }
    await store.change(tx, row, is_managed=0, is_wanted=1, takes_over=0, access_method_id=None, **values)
    await grant_progress.code_changed(tx, core, row)
    await actions.finish_level(tx, core, row.workspace_id, row.access_code_id, error=problems.attempt_error(error))


async def found_otherwise(tx: Tx, core: Core, device: DeviceRow, row: CodeRow, found: FoundCode | None) -> None:
    """Before it could be taken over, a code was changed or removed at the device."""
    if found is None:
        await give_up(tx, core, device, row, NotOurs("It was removed at the device."))
        await forget_gone(tx, core, device, [row])
    elif found.pin and code_state.held_of(core, row) == code_state.planned(core, row).wanted:
        values = _columns(core, device, row, found, seal=True)
        new = Content(values["name"], found.pin, found.starts_at, found.ends_at)
        await store.change(tx, row, **values, held_sealed=code_state.seal_held(core, new))
