"""What happens at a device, and what becomes of it: state, events, warnings, notes."""

from typing import Any

import msgspec
from msgspec import UNSET

from doorward.core import devices, problems
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.providers.events import (
    AccessDenied,
    Alarm,
    AlarmChanged,
    AlarmsForgotten,
    DeviceEvent,
    DoorbellRang,
    DoorMoved,
    LetIn,
    LockMoved,
    Noted,
    StateRead,
    Tampered,
)
from doorward.store import access_codes, access_grants, device_log
from doorward.store import devices as store
from doorward.store import events as event_store
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.wire.events import device as event

OLDEST_MS = 8 * 24 * 3_600_000
"""What happened longer ago is not told of any more, whatever a device remembers."""
ECHO_MS = 10_000
"""A command of ours and what the device's log says of it are not further apart."""

_DENIED = {
    # A device's word → Seam's code and a sentence; other words have no code.
    "invalidCredential": ("unknown_code", "The code or card is not known to the device."),
    "invalidTime": ("expired_code", "The code or card is not valid at this time."),
    "invalidProfile": ("expired_code", "The code or card is not valid at this time of the day."),
    "invalidSequence": ("credential_error", "A code or card of the sequence was wrong."),
    "timeout": ("credential_error", "The second code or card did not come in time."),
}
_ALARM_TEXTS = {
    Alarm.DOOR_FORCED: "The door was opened without anybody having been let in, and has not been closed since.",
    Alarm.DOOR_HELD_OPEN: "The door has been open for longer than the intercom allows.",
    Alarm.SWITCHES_BLOCKED: "The intercom was tampered with and has blocked its switches: it releases no door for now.",
    Alarm.ACCESS_BLOCKED: "Access is blocked on the intercom: codes and cards are refused until it is released there.",
}


async def apply(
    tx: Tx,
    core: Core,
    workspace_id: str,
    device_id: str,
    happened: DeviceEvent,
    *,
    is_past: bool = False,
    login: str | None = None,
) -> None:
    """Something happened at a device: once for each of its keys, whatever is told twice.

    `is_past`: it comes out of the device's memory, after nobody listened for a while. A report follows that has the
    last word on how the device stands. `login`: the sealed login of the link that tells it; one that was replaced
    meanwhile may have watched another door of the device.
    """
    await tx.lock("device", workspace_id, device_id)
    row = await store.get(tx, workspace_id, device_id)
    if row is None:
        return
    if login is not None and row.secret_sealed != login and isinstance(happened, StateRead | LockMoved | LetIn):
        return
    if isinstance(happened, StateRead):
        await devices.take_report(tx, core, row, happened.report, of_watch=True)
        return
    if happened.occurred_at < core.clock.now() - OLDEST_MS:
        return
    if isinstance(happened, AlarmsForgotten):
        await _set_warnings(tx, row, problems.without(row.warnings_json, *(alarm.value for alarm in Alarm)))
        return
    if not await store.first_time(tx, workspace_id, device_id, happened.key, happened.occurred_at):
        return
    match happened:
        case LockMoved():
            await _lock_moved(tx, core, row, happened, is_past=is_past)
        case LetIn():
            who = await _code_of(tx, row, happened.code_ref)
            at = happened.occurred_at
            await devices.tell_moved(tx, core, row, locked=False, method=happened.method, occurred_at=at, **who)
        case DoorMoved():
            warnings = row.warnings_json
            if not happened.is_open:
                warnings = problems.without(warnings, Alarm.DOOR_FORCED.value, Alarm.DOOR_HELD_OPEN.value)
            await store.change(tx, row, door_open=int(happened.is_open), warnings_json=warnings)
        case AccessDenied():
            await _denied(tx, core, row, happened)
        case DoorbellRang():
            await emit(
                tx, core, workspace_id, event.DeviceDoorbellRang(**about_device(row)), occurred_at=happened.occurred_at
            )
        case Tampered():
            await emit(
                tx, core, workspace_id, event.DeviceTampered(**about_device(row)), occurred_at=happened.occurred_at
            )
        case AlarmChanged():
            code, text = happened.alarm.value, _ALARM_TEXTS[happened.alarm]
            if happened.is_on:
                warnings = problems.with_issue(row.warnings_json, code, text, happened.occurred_at)
            else:
                warnings = problems.without(row.warnings_json, code)
            await _set_warnings(tx, row, warnings)
        case Noted():
            data = msgspec.json.encode(happened.data).decode()
            note = device_log.NoteRow(workspace_id, device_id, happened.key, happened.name, happened.occurred_at, data)
            await device_log.add(tx, note)
        case _:
            raise AssertionError(type(happened))


async def _set_warnings(tx: Tx, row: DeviceRow, warnings_json: str) -> None:
    if warnings_json != row.warnings_json:
        await store.change(tx, row, warnings_json=warnings_json)


async def _denied(tx: Tx, core: Core, row: DeviceRow, happened: AccessDenied) -> None:
    who = await _code_of(tx, row, happened.code_ref)
    known = _DENIED.get(happened.reason)
    denied = event.LockAccessDenied(
        reason={"reason_code": known[0], "message": known[1]} if known else UNSET,
        access_code_id=who.get("access_code_id", UNSET),
        user_identity_id=who.get("user_identity_id", UNSET),
        **about_device(row),
    )
    await emit(tx, core, row.workspace_id, denied, occurred_at=happened.occurred_at)


async def _lock_moved(tx: Tx, core: Core, row: DeviceRow, happened: LockMoved, *, is_past: bool) -> None:
    locked = int(happened.locked)
    if happened.method in ("remote", "automatic") and row.locked == locked:
        return  # the end of our own command, told by its answer already
    if is_past and happened.method == "remote":
        cls = event.LockLocked if locked else event.LockUnlocked
        at, kind = happened.occurred_at, cls.__event_type__
        if await event_store.has_of_command(
            tx, row.workspace_id, row.device_id, kind, since=at - ECHO_MS, until=at + ECHO_MS
        ):
            return  # a command of a server that was ended before the device's log was read
    row = await store.change(tx, row, locked=locked)
    if happened.entry and not await store.first_time(
        tx, row.workspace_id, row.device_id, happened.entry, happened.occurred_at
    ):
        return  # who was let in is told of already
    await devices.tell_moved(
        tx,
        core,
        row,
        locked=happened.locked,
        method=happened.method,
        occurred_at=happened.occurred_at,
        **await _code_of(tx, row, happened.code_ref),
    )


async def _code_of(tx: Tx, row: DeviceRow, ref: str | None) -> dict[str, Any]:
    """The code that was entered, and whose it is: of an access grant's, its person."""
    if ref is None:
        return {}
    code = await access_codes.find_by_ref(tx, row.workspace_id, row.device_id, ref.lower())
    if code is None:
        return {}
    method_id = code.access_method_id
    person = await access_grants.person_of(tx, row.workspace_id, method_id) if method_id is not None else None
    return {
        "access_code_id": code.access_code_id,
        "access_code_is_managed": bool(code.is_managed),
        **({"user_identity_id": person} if person is not None else {}),
    }
