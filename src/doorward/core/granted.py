"""How access grants and their methods stand, as Seam shows them. Reads rows and writes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from msgspec import UNSET

from doorward.core import code_state, grant_pins, grant_progress, problems
from doorward.core.context import Core
from doorward.core.grant_doors import is_over
from doorward.core.grant_progress import is_wanted
from doorward.core.pins import pin_of
from doorward.core.plan import Content
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
    spaces: defaultdict[str, dict[str, None]] = defaultdict(dict)
    doors: defaultdict[str, set[str]] = defaultdict(set)
    for grant_id, space_id, device_id in await store.leads(read, workspace_id, ids):
        if space_id is not None:
            spaces[grant_id][space_id] = None
        if device_id is not None:
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
            list(spaces[row.access_grant_id]),
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
        display_status=_grant_status(core, row, methods, doors),
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
        pending_mutations=_pending(core, row, methods, codes),
        errors=_errors(row),
        warnings=_warnings(core, row, methods, codes, doors),
        created_at=iso(row.created_at),
    )


def _grant_status(core: Core, row: GrantRow, methods: list[MethodRow], doors: set[str]) -> str:
    now = core.clock.now()
    if not row.is_wanted:
        return "Being deleted"
    if is_over(row.ends_at, now):
        return "Over"
    if not methods or not doors:
        return "Without doors" if methods else "Without access methods"
    if any(method.issued_at is None for method in methods):
        return "Being set up"
    return "Active" if row.starts_at <= now else "Ready"


def _errors(row: GrantRow) -> list[dict[str, Any]]:
    missing = grant_progress.lacking(row)
    if not missing:
        return []
    text = " ".join(dict.fromkeys(missing.values()))
    code = "cannot_create_requested_access_methods"
    since = min(one.created_at for one in problems.read(row.warnings_json) if one.code == grant_progress.UNSUPPORTED)
    return [_said("error", code, text, since, missing_device_ids=list(missing))]


def _warnings(
    core: Core, row: GrantRow, methods: list[MethodRow], codes: dict[str, list[CodeRow]], doors: set[str]
) -> list[dict[str, Any]]:
    asked = grant_progress.requests_of(core, row)
    pins = {method.request_number: grant_progress.pin_of(core, method) for method in methods}
    shown = problems.wire(row.warnings_json, "warning")
    for one in shown:
        if one["warning_code"] == grant_pins.UNAVAILABLE:
            number = one.pop("number")
            one["original_code"], one["new_code"] = asked[number][1] or "", pins.get(number) or ""
    every = [code for method in methods for code in codes[method.access_method_id]]
    if not row.is_wanted:
        text = "The access grant is being deleted: some of its doors have not let go of it yet."
        return [*shown, _said("warning", "being_deleted", text, _since(every, row.created_at))]
    if (lacking := _lacking(core, row, methods, pins, codes, doors)) is not None:
        text = "Some doors of the access grant do not have its code."
        if not methods or not doors:
            text = "The access grant leads to no door." if methods else "The access grant has no access method."
        shown.append(_said("warning", "underprovisioned_access", text, lacking))
    if excess := [code.requested_at for code in every if _is_excess(core, row, code, doors)]:
        text = (
            "Some doors still have a code of the access grant that they should not have, or for longer than it lasts."
        )
        shown.append(_said("warning", "overprovisioned_access", text, min(excess)))
    if moving := _moving(core, methods, codes):
        text = "Some doors do not have the times of the access grant yet."
        ids = [method.access_method_id for method, _ in moving]
        since = min(code.requested_at for _, (code, _) in moving)
        shown.append(_said("warning", "updating_access_times", text, since, access_method_ids=ids))
    return shown


def _since(codes: Sequence[CodeRow], otherwise: int) -> int:
    """When codes that are to go were to go first."""
    return min((code.requested_at for code in codes if not code.is_wanted), default=otherwise)


def _lacking(
    core: Core,
    row: GrantRow,
    methods: list[MethodRow],
    pins: dict[int, str | None],
    codes: dict[str, list[CodeRow]],
    doors: set[str],
) -> int | None:
    """Since when a door does not have a method that was issued, as far as that is known; None: all have them."""
    if is_over(row.ends_at, core.clock.now()):
        return None
    if not methods or not doors:
        return row.created_at
    told = {one.data.get("device_id"): one.created_at for one in problems.read(row.warnings_json)}
    since = []
    for method in methods:
        if method.is_wanted and method.issued_at is not None:
            asked = {one.device_id: one.requested_at for one in codes[method.access_method_id] if is_wanted(one)}
            missing = doors - _open(core, pins, method, codes)
            since += [asked.get(one) or told.get(one) or row.created_at for one in missing]
    return min(since, default=None)


def _open(core: Core, pins: dict[int, str | None], row: MethodRow, codes: dict[str, list[CodeRow]]) -> set[str]:
    """Doors that have its PIN, or a backup code in its place: a code of one door can be deleted by itself, or be given
    another PIN."""
    pin = pins[row.request_number]
    return {
        c.device_id
        for c in codes[row.access_method_id]
        if is_wanted(c) and c.held_sealed is not None and (c.pulled_for or pin_of(core, c) == pin)
    }


def _is_excess(core: Core, row: GrantRow, code: CodeRow, doors: set[str]) -> bool:
    """A device holds a code of a grant that it should not have any more, or for longer than the grant lasts."""
    if code.is_managed and code.held_sealed is None:
        return False
    ends_at = code.ends_at
    if code.is_managed and code.held_revision != code.revision and (held := code_state.held_of(core, code)):
        ends_at = held.ends_at
    if row.ends_at is not None and (ends_at is None or ends_at > row.ends_at):
        return True
    return not code.is_wanted and code.device_id not in doors


def _said(kind: str, code: str, message: str, at: int, **members: Any) -> dict[str, Any]:
    return {f"{kind}_code": code, "message": message, "created_at": iso(at), **members}


def _pending(
    core: Core, row: GrantRow, methods: list[MethodRow], codes: dict[str, list[CodeRow]]
) -> list[dict[str, Any]]:
    """Doors that have come or gone, and times that some doors do not have yet."""
    shown = []
    wanted = [method for method in methods if method.is_wanted]
    if changing := [one for m in wanted if (one := _changing(codes[m.access_method_id])) and _is_change(m, one)]:
        before, after, since = zip(*changing, strict=True)
        text = "The doors of the access grant are being changed."
        ends = {"from": {"device_ids": _union(before)}, "to": {"device_ids": _union(after)}}
        shown.append({**_said("mutation", "updating_spaces", text, max(since)), **ends})
    if moving := _moving(core, methods, codes):
        ids = [method.access_method_id for method, _ in moving]
        code, held = moving[0][1]
        text = "The times are being changed."
        said = _said("mutation", "updating_access_times", text, code.requested_at, access_method_ids=ids)
        shown.append({**said, "from": _frame(held), "to": _frame(row)})
    return shown


_Changing = tuple[list[str], list[str], int]
"""Devices that hold a method's code, those that are to, and since when they differ."""


def _changing(codes: Sequence[CodeRow]) -> _Changing | None:
    """None: the devices that are to hold a method's code do, and no other."""
    # What nobody manages any more stays as it is, until it is to go.
    codes = [code for code in codes if code.is_managed or not code.is_wanted]
    held = list({code.device_id: 0 for code in codes if code.held_sealed is not None})
    wanted = list({code.device_id: 0 for code in codes if code.is_wanted})
    return (held, wanted, max(code.requested_at for code in codes)) if set(held) != set(wanted) else None


def _is_change(method: MethodRow, changing: _Changing) -> bool:
    """Its doors have changed; not: it is being set up."""
    return method.issued_at is not None or bool(set(changing[0]) - set(changing[1]))


def _union(parts: Sequence[list[str]]) -> list[str]:
    return sorted({one for part in parts for one in part})


_Moved = tuple[CodeRow, Content]
"""A code, and what its device holds of it."""


def _moving(core: Core, methods: list[MethodRow], codes: dict[str, list[CodeRow]]) -> list[tuple[MethodRow, _Moved]]:
    """Methods that some door has with other times."""
    found = ((method, _times(core, codes[method.access_method_id])) for method in methods)
    return [(method, moved) for method, moved in found if moved is not None]


def _times(core: Core, codes: Sequence[CodeRow]) -> _Moved | None:
    """A code that its device holds with other times than are wanted."""
    for code in codes:
        if not is_wanted(code) or code.held_revision == code.revision:
            continue
        held = code_state.held_of(core, code)
        if held and (held.starts_at, held.ends_at) != (code.starts_at, code.ends_at):
            return code, held
    return None


def _frame(of: CodeRow | GrantRow | Content) -> dict[str, Any]:
    return {"starts_at": iso_or_none(of.starts_at), "ends_at": iso_or_none(of.ends_at)}


# ---------------------------------------------------------------- methods


async def methods(core: Core, read: Reader, rows: Sequence[MethodRow]) -> list[AccessMethod]:
    """Methods of one workspace as Seam shows them."""
    if not rows:
        return []
    grants = await store.find_all(read, rows[0].workspace_id, {row.access_grant_id for row in rows})
    ends = {grant.access_grant_id: grant.ends_at for grant in grants}
    return await methods_until(core, read, [(row, ends.get(row.access_grant_id)) for row in rows])


async def methods_until(core: Core, read: Reader, rows: Sequence[tuple[MethodRow, int | None]]) -> list[AccessMethod]:
    """The same of methods with the ends of their grants."""
    codes, now = await _codes(read, [row for row, _ in rows]), core.clock.now()
    return [_method(core, row, codes[row.access_method_id], is_over=is_over(ends_at, now)) for row, ends_at in rows]


def _method(core: Core, row: MethodRow, codes: list[CodeRow], *, is_over: bool) -> AccessMethod:
    errors, warnings = [], []
    if row.is_wanted and row.issued_at is None:
        refused = [code for code in codes if is_wanted(code) and code_state.is_refused(code)]
        if since := [issue.created_at for code in refused for issue in problems.read(code.errors_json)]:
            text = "A door did not take the code; its access code says why. It is tried again."
            errors.append(_said("error", "failed_to_issue", text, min(since)))
    if not row.is_wanted:
        text = "The access method is being deleted: some doors have not let go of it yet."
        warnings.append(_said("warning", "being_deleted", text, _since(codes, row.created_at)))
    else:
        told = [issue for code in codes if is_wanted(code) for issue in problems.read(code.warnings_json)]
        if since := [issue.created_at for issue in told if issue.code == code_state.LATE]:
            text = "Some doors do not have the code yet, though they should."
            warnings.append(_said("warning", "delay_in_issuing", text, min(since)))
        if moved := _times(core, codes):
            text = "Some doors do not have the times of the access method yet."
            warnings.append(_said("warning", "updating_access_times", text, moved[0].requested_at))
    if pulled := [code.requested_at for code in codes if is_wanted(code) and code.pulled_for]:
        text = "On some doors a backup access code stands for the code: see their access codes."
        warnings.append(_said("warning", "pulled_backup_access_code", text, min(pulled)))
    status = "Over" if is_over else "Being set up" if row.issued_at is None else "Issued"
    return AccessMethod(
        access_method_id=row.access_method_id,
        workspace_id=row.workspace_id,
        mode=cast("Mode", row.mode),
        code=grant_progress.pin_of(core, row),
        display_name=NAME,
        display_status=status if row.is_wanted else "Being deleted",
        is_issued=row.issued_at is not None,
        issued_at=iso_or_none(row.issued_at),
        pending_mutations=_mutations(core, row, codes),
        errors=errors,
        warnings=warnings,
        created_at=iso(row.created_at),
    )


def _mutations(core: Core, row: MethodRow, codes: list[CodeRow]) -> list[dict[str, Any]]:
    changing = _changing(codes)
    if changing is not None or not row.is_wanted:
        held, wanted, since = changing or ([], [], _since(codes, row.created_at))
        code, text = "provisioning_access", "The code is being set on doors."
        if not row.is_wanted or set(held) - set(wanted):
            code, text = "revoking_access", "The code is being removed from doors."
        here = {"from": {"device_ids": held}, "to": {"device_ids": wanted}}
        return [{**_said("mutation", code, text, since), **here}]
    if moved := _times(core, codes):
        wished, there = moved
        text = "The times are being changed."
        said = _said("mutation", "updating_access_times", text, wished.requested_at)
        return [{**said, "from": _frame(there), "to": _frame(wished)}]
    return []
