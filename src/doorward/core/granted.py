"""How access grants and their methods stand, as Seam shows them. Reads rows and writes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from msgspec import UNSET

from doorward.core import access_grants as rules
from doorward.core import code_state, grant_progress, problems
from doorward.core.context import Core
from doorward.core.grant_progress import is_wanted
from doorward.core.pins import pin_of
from doorward.store import access_codes, user_identities
from doorward.store import access_grants as store
from doorward.store.access_codes import CodeRow
from doorward.store.access_grants import GrantRow, MethodRow
from doorward.store.db import Reader
from doorward.store.user_identities import IdentityRow
from doorward.wire.access_grant import AccessGrant, AccessMethod, Mode, RequestedMethod
from doorward.wire.time import iso, iso_or_none

NAME = "PIN code"


async def _codes(read: Reader, methods: Sequence[MethodRow]) -> dict[str, list[CodeRow]]:
    """Method → its codes."""
    found: defaultdict[str, list[CodeRow]] = defaultdict(list)
    if methods:
        ids = [one.access_method_id for one in methods]
        for code in await access_codes.of_methods(read, methods[0].workspace_id, ids):
            found[code.access_method_id or ""].append(code)
    return found


# ---------------------------------------------------------------- grants


async def grants(core: Core, read: Reader, rows: Sequence[GrantRow]) -> list[AccessGrant]:
    """Grants of one workspace as Seam shows them."""
    if not rows:
        return []
    workspace_id, ids = rows[0].workspace_id, [row.access_grant_id for row in rows]
    methods: defaultdict[str, list[MethodRow]] = defaultdict(list)
    for method in await store.methods_of(read, workspace_id, ids):
        methods[method.access_grant_id].append(method)
    codes = await _codes(read, [one for some in methods.values() for one in some])
    spaces: defaultdict[str, list[str]] = defaultdict(list)
    for grant_id, space_id in await store.places(read, workspace_id, ids, "spaces"):
        spaces[grant_id].append(space_id)
    doors: defaultdict[str, set[str]] = defaultdict(set)
    for grant_id, device_id in await store.doors(read, workspace_id, ids):
        doors[grant_id].add(device_id)
    people = {
        one.user_identity_id: one
        for one in await user_identities.find_all(read, workspace_id, {row.user_identity_id for row in rows})
    }
    return [
        _grant(
            core,
            row,
            people.get(row.user_identity_id),
            methods[row.access_grant_id],
            codes,
            spaces[row.access_grant_id],
            doors[row.access_grant_id],
        )
        for row in rows
    ]


def _grant(
    core: Core,
    row: GrantRow,
    person: IdentityRow | None,
    methods: list[MethodRow],
    codes: dict[str, list[CodeRow]],
    space_ids: list[str],
    doors: set[str],
) -> AccessGrant:
    asked = grant_progress.requests_of(core, row)
    name = row.name or (f"Access of {person.full_name}" if person and person.full_name else "Access")
    return AccessGrant(
        access_grant_id=row.access_grant_id,
        access_grant_key=row.access_grant_key if row.access_grant_key is not None else UNSET,
        reservation_key=row.reservation_key if row.reservation_key is not None else UNSET,
        workspace_id=row.workspace_id,
        user_identity_id=row.user_identity_id,
        name=row.name,
        display_name=name,
        display_status=_grant_status(core, row, methods),
        starts_at=iso(row.starts_at),
        ends_at=iso_or_none(row.ends_at),
        space_ids=space_ids,
        location_ids=space_ids,
        requested_access_methods=[
            RequestedMethod(
                mode=cast("Mode", mode),
                code=pin if pin is not None else UNSET,
                display_name=NAME,
                created_access_method_ids=[m.access_method_id for m in methods if m.request_number == number],
                created_at=iso(when),
            )
            for number, (mode, pin, when) in enumerate(asked)
        ],
        access_method_ids=[m.access_method_id for m in methods],
        pending_mutations=_moving(core, row, methods, codes),
        errors=_errors(row),
        warnings=_warnings(core, row, methods, codes, doors),
        created_at=iso(row.created_at),
    )


def _grant_status(core: Core, row: GrantRow, methods: list[MethodRow]) -> str:
    now = core.clock.now()
    if not row.is_wanted:
        return "Being deleted"
    if row.ends_at is not None and row.ends_at <= now:
        return "Over"
    if any(method.issued_at is None for method in methods):
        return "Being set up"
    return "Active" if row.starts_at <= now else "Ready"


def _errors(row: GrantRow) -> list[dict[str, Any]]:
    missing = grant_progress.lacking(row)
    if not missing:
        return []
    text = " ".join(dict.fromkeys(missing.values()))
    code = "cannot_create_requested_access_methods"
    return [_said("error", code, text, row.created_at, missing_device_ids=list(missing))]


def _warnings(
    core: Core, row: GrantRow, methods: list[MethodRow], codes: dict[str, list[CodeRow]], doors: set[str]
) -> list[dict[str, Any]]:
    asked = grant_progress.requests_of(core, row)
    pins = {method.request_number: grant_progress.pin_of(core, method) for method in methods}
    shown = problems.wire(row.warnings_json, "warning")
    for one in shown:
        if one["warning_code"] == rules.UNAVAILABLE:
            number = one.pop("number")
            one["original_code"], one["new_code"] = asked[number][1] or "", pins.get(number) or ""
    if not row.is_wanted:
        text = "The access grant is being deleted: some of its doors have not let go of it yet."
        return [*shown, _said("warning", "being_deleted", text, row.created_at)]
    is_over = row.ends_at is not None and row.ends_at <= core.clock.now()
    lacking = [
        m for m in methods if m.is_wanted and m.issued_at is not None and doors - _open(core, pins, m, codes) != set()
    ]
    if lacking and not is_over:
        text = "Some doors of the access grant do not have its code."
        shown.append(_said("warning", "underprovisioned_access", text, row.created_at))
    return shown


def _open(core: Core, pins: dict[int, str | None], row: MethodRow, codes: dict[str, list[CodeRow]]) -> set[str]:
    """Doors that are to have its PIN, or a backup code in its place: a code of one door can be deleted by itself, or
    be given another PIN."""
    pin = pins[row.request_number]
    return {
        c.device_id for c in codes[row.access_method_id] if is_wanted(c) and (c.pulled_for or pin_of(core, c) == pin)
    }


def _said(kind: str, code: str, message: str, at: int, **members: Any) -> dict[str, Any]:
    return {f"{kind}_code": code, "message": message, "created_at": iso(at), **members}


def _moving(
    core: Core, row: GrantRow, methods: list[MethodRow], codes: dict[str, list[CodeRow]]
) -> list[dict[str, Any]]:
    """Times that some doors do not have yet."""
    for method in methods:
        if moved := _times(core, codes[method.access_method_id]):
            ids = [method.access_method_id]
            text = "The times are being changed."
            frame = {"starts_at": iso(row.starts_at), "ends_at": iso_or_none(row.ends_at)}
            said = _said("mutation", "updating_access_times", text, moved[0], access_method_ids=ids)
            return [{**said, "from": moved[1], "to": frame}]
    return []


def _times(core: Core, codes: Sequence[CodeRow]) -> tuple[int, dict[str, Any]] | None:
    """Since when other times are wanted than a device holds, and what it holds."""
    for code in codes:
        held = code_state.held_of(core, code)
        if is_wanted(code) and held and (held.starts_at, held.ends_at) != (code.starts_at, code.ends_at):
            before = {"starts_at": iso_or_none(held.starts_at), "ends_at": iso_or_none(held.ends_at)}
            return code.requested_at, before
    return None


# ---------------------------------------------------------------- methods


async def methods(core: Core, read: Reader, rows: Sequence[MethodRow]) -> list[AccessMethod]:
    """Methods of one workspace as Seam shows them."""
    codes = await _codes(read, rows)
    return [_method(core, row, codes[row.access_method_id]) for row in rows]


def _method(core: Core, row: MethodRow, codes: list[CodeRow]) -> AccessMethod:
    is_late = any(code_state.is_late(code) for code in codes)
    errors, warnings = [], []
    if (
        row.is_wanted
        and row.issued_at is None
        and any(code_state.is_refused(code) for code in codes if is_wanted(code))
    ):
        text = "A door did not take the code; its access code says why. It is tried again."
        errors.append(_said("error", "failed_to_issue", text, row.created_at))
    if not row.is_wanted:
        text = "The access method is being deleted: some doors have not let go of it yet."
        warnings.append(_said("warning", "being_deleted", text, row.created_at))
    elif is_late:
        text = "Some doors do not have the code yet, though they should."
        warnings.append(_said("warning", "delay_in_issuing", text, row.created_at))
    if pulled := [code.requested_at for code in codes if is_wanted(code) and code.pulled_for]:
        text = "On some doors a backup access code stands for the code: see their access codes."
        warnings.append(_said("warning", "pulled_backup_access_code", text, min(pulled)))
    status = "Being deleted" if not row.is_wanted else "Being set up" if row.issued_at is None else "Issued"
    return AccessMethod(
        access_method_id=row.access_method_id,
        workspace_id=row.workspace_id,
        mode=cast("Mode", row.mode),
        code=grant_progress.pin_of(core, row),
        display_name=NAME,
        display_status=status,
        is_issued=row.issued_at is not None,
        issued_at=iso_or_none(row.issued_at),
        pending_mutations=_mutations(core, row, codes),
        errors=errors,
        warnings=warnings,
        created_at=iso(row.created_at),
    )


def _mutations(core: Core, row: MethodRow, codes: list[CodeRow]) -> list[dict[str, Any]]:
    # What nobody manages any more stays as it is, until it is to go.
    codes = [code for code in codes if code.is_managed or not code.is_wanted]
    held = list({code.device_id: 0 for code in codes if code.held_sealed is not None})
    wanted = list({code.device_id: 0 for code in codes if code.is_wanted})
    since = max((code.requested_at for code in codes), default=row.created_at)
    here = {"from": {"device_ids": held}, "to": {"device_ids": wanted}}
    if not row.is_wanted or set(held) - set(wanted):
        return [{**_said("mutation", "revoking_access", "The code is being removed from doors.", since), **here}]
    if set(wanted) - set(held):
        return [{**_said("mutation", "provisioning_access", "The code is being set on doors.", since), **here}]
    if moved := _times(core, codes):
        code = next(one for one in codes if one.requested_at == moved[0])
        frame = {"starts_at": iso_or_none(code.starts_at), "ends_at": iso_or_none(code.ends_at)}
        said = _said("mutation", "updating_access_times", "The times are being changed.", moved[0])
        return [{**said, "from": moved[1], "to": frame}]
    return []
