"""How an access code stands: what is wanted of it, and what its device holds. As the plan and as Seam see it.

Reads rows and writes nothing. What holds a PIN is sealed.
"""

from typing import Any, cast

from msgspec import UNSET

from doorward.core import breaker, devices, plan, problems
from doorward.core.context import Core
from doorward.core.pins import pin_of
from doorward.core.plan import Code, Content
from doorward.store.access_codes import CodeRow, SeenCode
from doorward.store.devices import DeviceRow
from doorward.wire.access_code import AccessCode, Status
from doorward.wire.time import iso, iso_or_none

HELD = "what a device holds"
EXTERNAL = "what others made of a code"
CONFLICT = "conflicting_external_modification"
IN_EFFECT = "external_modification_in_effect"
IN_DOUBT = -1
"""In place of the held revision: an answer to a write of ours was lost, so the device may hold more than we know."""
INTERFERENCE = "third_party_integration_detected"
LATE = "delay_in_setting_on_device"


def seal_held(core: Core, content: Content) -> str:
    return core.vault.seal_json([content.name, content.pin, content.starts_at, content.ends_at], HELD)


def held_of(core: Core, row: CodeRow) -> Content | None:
    """What the device is known to hold of it."""
    return Content(*core.vault.open_json(row.held_sealed, HELD)) if row.held_sealed else None


def seal_external(core: Core, before: Content, after: Content) -> str:
    contents = [[c.name, c.pin, c.starts_at, c.ends_at] for c in (before, after)]
    return core.vault.seal_json(contents, EXTERNAL)


def external_of(core: Core, row: CodeRow) -> tuple[Content, Content] | None:
    """What somebody else made of it at the device: before and after."""
    if row.external_sealed is None:
        return None
    before, after = core.vault.open_json(row.external_sealed, EXTERNAL)
    return Content(*before), Content(*after)


def planned(core: Core, row: CodeRow) -> Code:
    """A row as the plan sees it."""
    wanted = None
    if row.is_wanted:
        wanted = Content(row.name, pin_of(core, row) or "", row.starts_at, row.ends_at)
    return Code(
        code_id=row.access_code_id,
        ref=row.ref,
        wanted=wanted,
        held=held_of(core, row),
        is_current=row.held_revision == row.revision,
        retry_at=row.retry_at,
        is_deferred=bool(row.is_deferred),
        seen=external[1] if (external := external_of(core, row)) else None,
    )


def asked_anew(core: Core, row: CodeRow) -> dict[str, Any]:
    """Columns of a new revision: something else is wanted from now on, whatever failed before."""
    return {
        "revision": row.revision + 1,
        "requested_at": core.clock.now(),
        "failures": 0,
        "retry_at": 0,
        "breaker_json": breaker.CLOSED,
        "errors_json": "[]",
    }


def is_put_off(core: Core, row: CodeRow) -> bool:
    """Its device is to have it when it begins, and does not have it now, which is as it should be."""
    return bool(
        row.is_deferred and row.held_sealed is None and row.starts_at is not None and row.starts_at > core.clock.now()
    )


def is_refused(row: CodeRow) -> bool:
    """Its device did not take it when it was last tried."""
    is_held = row.held_revision == row.revision
    return not is_held and any(issue.code != CONFLICT for issue in problems.read(row.errors_json))


def is_late(row: CodeRow) -> bool:
    """It was told that its device should hold it for some time."""
    return any(issue.code == LATE for issue in problems.read(row.warnings_json))


def mutations(core: Core, row: CodeRow) -> list[dict[str, Any]]:
    """Seam's pending mutations: what is wanted and not held."""

    def one(code: str, message: str, **members: Any) -> dict[str, Any]:
        return {"mutation_code": code, "message": message, "created_at": iso(row.requested_at), **members}

    if not row.is_wanted:
        return [one("deleting", "The code is being removed from the device.")]
    if row.held_revision == row.revision:
        return []
    held = held_of(core, row)
    if is_put_off(core, row):
        text = "The code is set on the device when its time comes."
        return [one("deferring_creation", text, scheduled_at=iso_or_none(row.starts_at))]
    if held is None:
        return [one("creating", "The code is being set on the device.")]
    found = []
    if held.name != row.name:
        found.append(
            one(
                "updating_name", "The name is being changed.", **{"from": {"name": held.name}, "to": {"name": row.name}}
            )
        )
    pin = pin_of(core, row)
    if held.pin != pin:
        found.append(
            one("updating_code", "The PIN is being changed.", **{"from": {"code": held.pin}, "to": {"code": pin}})
        )
    if (held.starts_at, held.ends_at) != (row.starts_at, row.ends_at):
        frame = {
            "from": {"starts_at": iso_or_none(held.starts_at), "ends_at": iso_or_none(held.ends_at)},
            "to": {"starts_at": iso_or_none(row.starts_at), "ends_at": iso_or_none(row.ends_at)},
        }
        found.append(one("updating_time_frame", "The times are being changed.", **frame))
    return found


def wire(core: Core, seen: SeenCode) -> AccessCode:
    """A code as Seam shows it."""
    row = seen.row
    bound = row.ends_at is not None or row.starts_at is not None
    errors = problems.wire(row.errors_json, "error", is_access_code_error=True)
    errors += problems.wire(seen.device_errors_json, "error", is_device_error=True)
    account = {"is_connected_account_error": True, "is_device_error": False}
    errors += problems.wire(seen.account_errors_json, "error", **account)
    scheduled = row.held_sealed is not None and row.status == "unset"
    status = cast("Status", row.status)
    if seen.account_errors_json != "[]":
        status = "unknown"
    elif status == "unset" and row.held_sealed is None and row.held_revision is None and row.starts_at is not None:
        status = "setting" if row.starts_at <= core.clock.now() else status
    return AccessCode(
        access_code_id=row.access_code_id,
        workspace_id=row.workspace_id,
        device_id=row.device_id,
        name=row.name,
        appearance={"name": row.name, "first_name": None, "last_name": None} if row.held_sealed else None,
        code=pin_of(core, row),
        type="time_bound" if bound else "ongoing",
        status=status,
        starts_at=iso_or_none(row.starts_at) if bound else UNSET,
        ends_at=iso_or_none(row.ends_at) if bound else UNSET,
        created_at=iso(row.created_at),
        common_code_key=row.common_code_key,
        is_backup=True if row.is_backup else UNSET,
        is_backup_access_code_available=bool(
            seen.has_reserve and row.ends_at is not None and row.pulled_backup_access_code_id is None
        ),
        is_external_modification_allowed=bool(row.is_external_modification_allowed),
        is_offline_access_code=bool(row.is_offline),
        is_one_time_use=bool(row.is_one_time_use),
        is_scheduled_on_device=scheduled if bound else UNSET,
        pulled_backup_access_code_id=row.pulled_backup_access_code_id,
        pending_mutations=mutations(core, row),
        errors=_with_fields(core, row, errors),
        warnings=_with_fields(core, row, problems.wire(row.warnings_json, "warning")),
    )


def _with_fields(core: Core, row: CodeRow, issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The issues, those about changes at the device with what was changed: it may be the PIN, so it is sealed apart."""
    external = external_of(core, row)
    if external is not None:
        before, after = (
            {"name": c.name, "code": c.pin, "starts_at": iso_or_none(c.starts_at), "ends_at": iso_or_none(c.ends_at)}
            for c in external
        )
        for issue in issues:
            if CONFLICT in issue.values() or IN_EFFECT in issue.values():
                issue["modified_fields"] = [
                    {"field": name, "from": before[name], "to": after[name]}
                    for name in before
                    if before[name] != after[name]
                    and not (name == "name" and plan.same_name(before["name"], after["name"] or ""))
                ]
    return issues


def issues_of(row: CodeRow, device: DeviceRow) -> dict[str, Any]:
    """What is wrong, as a code's events carry it."""
    return {
        "access_code_errors": problems.wire(row.errors_json, "error", is_access_code_error=True),
        "access_code_warnings": problems.wire(row.warnings_json, "warning"),
        **devices.issues_of(device),
    }
