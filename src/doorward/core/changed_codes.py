"""Codes of ours that somebody else changed or removed at the device: said, and to be repaired, unless they may.

Each function is one transaction about some of the codes; if the process dies in between, the same read shows the same.
"""

from collections.abc import Sequence
from typing import Any

from doorward.core import breaker, code_state, found_codes, pins, plan, problems
from doorward.core.context import Core
from doorward.core.devices import wake
from doorward.core.events import about_device, emit
from doorward.core.plan import Content, Difference
from doorward.providers.reports import FoundCode
from doorward.store import access_codes as store
from doorward.store import devices
from doorward.store.access_codes import CodeRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.wire.events import access_code as event
from doorward.wire.events import device as device_event
from doorward.wire.time import iso

TRANSFERRED = "management_transferred"
INTERFERENCE = "Something else keeps changing access codes at the device. Find out who else edits its directory."


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
        if row.takes_over:
            await found_codes.found_otherwise(tx, core, device, row, one.found)
            continue
        in_doubt = row.held_revision == code_state.IN_DOUBT or (is_first and not one.code.is_current)
        if in_doubt and one.found is not None:
            continue  # most likely our own write, whose answer was lost; it is written again anyway
        if plan.is_over(one.code.wanted, core.clock.now()) and one.found is None:
            continue  # it was to go anyway: the step that removes it says so
        if row.is_external_modification_allowed and one.code.is_current and row.access_method_id is None:
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


async def tell_interference(core: Core, device: DeviceRow) -> None:
    """After a look at a device: say on it whether something else keeps changing its codes."""
    if await _is_meddled_with(core.db.read, device) != _is_told(device):
        await core.db.write(_tell_interference, core, device)


async def _is_meddled_with(read: Reader, device: DeviceRow) -> bool:
    return await store.has_warning(read, device.workspace_id, device.device_id, code_state.INTERFERENCE)


def _is_told(device: DeviceRow) -> bool:
    return any(issue.code == code_state.INTERFERENCE for issue in problems.read(device.warnings_json))


async def _tell_interference(tx: Tx, core: Core, before: DeviceRow) -> None:
    await tx.lock("device", before.workspace_id, before.device_id)
    row = await devices.get(tx, before.workspace_id, before.device_id)
    is_so = await _is_meddled_with(tx, before)
    if row is None or is_so == _is_told(row):
        return
    now, warnings = core.clock.now(), problems.without(row.warnings_json, code_state.INTERFERENCE)
    if is_so:
        warnings = problems.with_issue(warnings, code_state.INTERFERENCE, INTERFERENCE, now)
    row = await devices.change(tx, row, warnings_json=warnings)
    cls = (
        device_event.DeviceThirdPartyIntegrationDetected
        if is_so
        else device_event.DeviceThirdPartyIntegrationNoLongerDetected
    )
    await emit(tx, core, row.workspace_id, cls(**about_device(row)))


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
    is_waited_for = False
    for row in await store.waiting(tx, device.workspace_id, device.device_id, core.clock.now()):
        if _WAITING & {issue.code for issue in problems.read(row.errors_json)}:
            await store.change(tx, row, retry_at=0, failures=0, breaker_json=breaker.CLOSED)
            is_waited_for = True
    if is_waited_for:
        await wake(tx, core, device.workspace_id, device.device_id)


_WAITING = {"duplicate_code_on_device", "no_space_for_access_code_on_device"}


async def store_claims(tx: Tx, core: Core, device: DeviceRow, claims: Sequence[tuple[str, bool]]) -> None:
    """Codes (by their ids) on which another integration has put its tag (true), or that are ours again."""
    await tx.lock("device", device.workspace_id, device.device_id)
    for access_code_id, is_claimed in claims:
        row = await store.get(tx, device.workspace_id, access_code_id)
        if row is None or not row.is_managed:
            continue
        warnings = problems.without(row.warnings_json, TRANSFERRED)
        if is_claimed:
            text = (
                "Another integration or workspace has taken this code over at the device. It is not changed or removed "
                "from here any more."
            )
            warnings = problems.with_issue(row.warnings_json, TRANSFERRED, text, core.clock.now())
        await store.change(tx, row, warnings_json=warnings, is_claimed=int(is_claimed))
