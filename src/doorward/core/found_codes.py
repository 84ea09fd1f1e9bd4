"""What a read of a device's directory shows, as rows and events: our codes that others changed, and codes not ours.

Each function is one transaction about some of the codes; work/directory calls them until all that was read is stored.
If the process dies in between, the same read shows the same again, and what is stored already is no news.
Codes that are not ours get rows with `is_managed = 0`; nothing here or elsewhere writes to their entries.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from doorward.core import breaker, code_state, pins, plan, problems
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.core.plan import Content, Difference
from doorward.ids import new_id
from doorward.providers.base import FoundCode
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store.access_codes import CodeRow, SeenCode
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.wire.access_code import UnmanagedAccessCode
from doorward.wire.events import access_code as event
from doorward.wire.time import iso, iso_or_none

# ---------------------------------------------------------------- codes that are not ours


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
    await tx.lock("device", device.workspace_id, device.device_id)
    known = await store.of_refs(tx, device.workspace_id, device.device_id, [row.ref for row in rows])
    for row in known:
        if not row.is_managed and await store.delete(tx, row.workspace_id, row.access_code_id):
            removed = event.AccessCodeUnmanagedRemoved(access_code_id=row.access_code_id, **about_device(device))
            await emit(tx, core, row.workspace_id, removed)


def wire(core: Core, seen: SeenCode) -> UnmanagedAccessCode:
    """An unmanaged code as Seam shows it."""
    row, now = seen.row, core.clock.now()
    is_bound = row.ends_at is not None or row.starts_at is not None
    opens = (row.starts_at is None or row.starts_at <= now) and (row.ends_at is None or row.ends_at > now)
    errors = problems.wire(seen.device_errors_json, "error", is_device_error=True)
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
        cannot_delete_unmanaged_access_code=True if row.is_kept_elsewhere else UNSET,
        errors=errors,
        warnings=[],
    )


# ---------------------------------------------------------------- codes of ours


async def store_differences(
    tx: Tx, core: Core, device: DeviceRow, differences: Sequence[Difference], *, is_first: bool
) -> None:
    """Somebody else changed or removed codes of ours: said, and to be repaired, unless they may.

    `is_first`: the first look of this process; the one before may have died with a write of its own on the way.
    """
    await tx.lock("device", device.workspace_id, device.device_id)
    for one in differences:
        row = await store.get(tx, device.workspace_id, one.code.code_id)
        if row is None or not row.is_managed or code_state.planned(core, row) != one.code:
            continue  # it was changed here meanwhile: the next read compares again
        in_doubt = row.held_revision == code_state.IN_DOUBT or (is_first and not one.code.is_current)
        if in_doubt and one.found is not None:
            continue  # most likely our own write, whose answer was lost; it is written again anyway
        if plan.is_over(one.code.wanted, core.clock.now()) and one.found is None:
            continue  # it was to go anyway: the step that removes it says so
        if row.is_external_modification_allowed and one.code.is_current:
            await _accept(tx, core, device, row, one)
        else:
            await _object(tx, core, device, row, one)


async def _accept(tx: Tx, core: Core, device: DeviceRow, row: CodeRow, one: Difference) -> None:
    """It may be changed at the device: the code is from now on what the device holds."""
    now, found, old = core.clock.now(), one.found, one.code.held
    is_removed = found is None or found.pin == ""
    text = "The code was removed at the device." if is_removed else "The code was changed at the device."
    text += " It is allowed to be, so it stays so."
    data = {"change_type": "removed" if is_removed else "modified"}
    values: dict[str, Any] = {
        "warnings_json": problems.with_issue(row.warnings_json, code_state.IN_EFFECT, text, now, **data)
    }
    if found is None or found.pin == "":
        values |= {"held_sealed": None, "held_revision": row.revision, "status": "unset", "external_sealed": None}
    else:
        is_future = found.starts_at is not None and found.starts_at > now
        new = _content(row.name, found, old)
        values |= {
            "name": new.name,
            "code_sealed": core.vault.seal(new.pin, pins.PIN),
            "code_hash": pins.pin_hash(core, device, new.pin),
            "starts_at": new.starts_at,
            "ends_at": new.ends_at,
            "held_sealed": code_state.seal_held(core, new),
            "status": "unset" if is_future else "set",
            "external_sealed": code_state.seal_external(core, old, new) if old is not None else None,
        }
    await store.change(tx, row, **values)
    cls = event.AccessCodeDeletedExternalToSeam if is_removed else event.AccessCodeModifiedExternalToSeam
    await emit(tx, core, row.workspace_id, cls(access_code_id=row.access_code_id, **about_device(device)))


async def _object(tx: Tx, core: Core, device: DeviceRow, row: CodeRow, one: Difference) -> None:
    """It may not be changed at the device: it is set again, unless that was undone too often."""
    now, found, held = core.clock.now(), one.found, one.code.held
    if held is None:
        return
    if found is not None and not one.fields:
        # Whoever changed it changed it back. The next look makes sure, and takes the error away.
        await store.change(tx, row, external_sealed=None, retry_at=0, held_revision=None)
        return
    struck = breaker.strike(breaker.read(row.breaker_json), now)
    is_gone = found is None
    text = "The code was removed at the device." if is_gone else "The code was changed at the device."
    values: dict[str, Any] = {"breaker_json": breaker.write(struck), "held_revision": None}
    if struck.is_open(now):
        text += (
            f" This happened again and again, so it is not set again before {iso(struck.open_until)}, or until it is"
            " changed here. Find out who else edits the device's directory."
        )
        warning = "Something else keeps changing this code at the device."
        values["retry_at"] = not_past_end(row, struck.open_until, now)
        values["warnings_json"] = problems.with_issue(row.warnings_json, code_state.INTERFERENCE, warning, now)
    else:
        text += " It is being set again."
    data = {"change_type": "removed" if is_gone else "modified"}
    values["errors_json"] = problems.with_issue(row.errors_json, code_state.CONFLICT, text, now, **data)
    if found is None:
        values |= {"held_sealed": None, "external_sealed": None}
        values["status"] = "setting" if row.status == "set" else row.status
    else:
        values["external_sealed"] = code_state.seal_external(core, held, _content(held.name, found, held))
    await store.change(tx, row, **values)
    cls = event.AccessCodeDeletedExternalToSeam if is_gone else event.AccessCodeModifiedExternalToSeam
    await emit(tx, core, row.workspace_id, cls(access_code_id=row.access_code_id, **about_device(device)))


def _content(name: str | None, found: FoundCode, old: Content | None) -> Content:
    """What was found, under our name where the device only spells it otherwise; a PIN that is hidden is the old one."""
    kept = name if plan.same_name(name, found.name) else found.name
    pin = found.pin if found.pin is not None else old.pin if old else ""
    return Content(kept, pin, found.starts_at, found.ends_at)


def not_past_end(row: CodeRow, at: int, now: int) -> int:
    """At its end a code is to be removed, whatever kept it from being set."""
    return min(at, row.ends_at) if row.ends_at is not None and row.ends_at > now else at


async def release(tx: Tx, core: Core, device: DeviceRow) -> None:
    """An entry has gone or got another PIN: codes that waited for just that are tried again at once."""
    for row in await store.waiting(tx, device.workspace_id, device.device_id, core.clock.now()):
        if _WAITING & {issue.code for issue in problems.read(row.errors_json)}:
            await store.change(tx, row, retry_at=0, failures=0, breaker_json=breaker.CLOSED)


_WAITING = {"duplicate_code_on_device", "no_space_for_access_code_on_device"}
