"""Access grants: who may go where, when, and by which means.

    grant ──▶ methods ──▶ of mode `code`: one PIN, and an access code on each door

The doors are the devices that the grant names, and those in the spaces that it names. Everything is made in the
transaction that asks for it, by the rules of access codes; their engine does the rest, and calls `grant_progress` back,
in the transaction that writes down what a device holds. So a method is issued when the last door has its code, and a
grant is gone when the last door has let go, whatever dies in between.

A PIN that is asked for and is not free on one of the doors is replaced by another one on all of them, and the grant
says so; also when its first doors come later. It is free where no code has it, whenever that one opens: intercoms take
a PIN once. What cannot be done on a door because of that door stands as a warning; the others are done, and that door
is when it can be (`offer`).

Who changes a grant, or writes down what a device holds of one, has locked the workspace's grants (`lock`), and has done
so before any device. So the last door knows that it is the last, and a grant that goes leaves no door behind.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from doorward.core import access_codes as codes
from doorward.core import code_state, devices, pins, problems
from doorward.core import grant_progress as progress
from doorward.core.access_codes import Change, Wish
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.core.plan import Content
from doorward.errors import (
    ApiError,
    DeviceTypeNotSupported,
    InvalidInput,
    NotSupported,
    SpaceNotFound,
    UserIdentityNotFound,
)
from doorward.ids import new_id
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes as code_store
from doorward.store import access_grants as store
from doorward.store import devices as device_store
from doorward.store import spaces as space_store
from doorward.store import user_identities as identity_store
from doorward.store.access_codes import CodeRow
from doorward.store.access_grants import GrantRow, MethodRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.events import access_grant as event
from doorward.wire.events.access_code import AccessCodeUnmanagedConvertedToManaged
from doorward.wire.reply import Issue
from doorward.wire.time import iso, iso_or_none, parse

UNAVAILABLE = "requested_code_unavailable"
OPEN_END_MS = 10 * 365 * 24 * 3_600_000
"""The codes of a grant that begins later and has no end, end then: intercoms know no code that only begins."""
SECOND_MS = 1000
LAST_MS = (2**32 - 1) * SECOND_MS
"""As far as intercoms count: codes of a grant that ends later end then."""
MOST_DEVICES = 500
Place = tuple[DeviceRow, DeviceReport]
"""A door that can have codes, and which."""
TOO_MANY = f"An access grant leads to {MOST_DEVICES} devices at most."


@dataclass(frozen=True)
class Request:
    """A means of access that is asked for."""

    mode: str
    code: str | None = None
    is_wish: bool = False
    """One of many that are told at once: a PIN that a door does not take is replaced as one that is in use is."""


@dataclass(frozen=True)
class GrantWish:
    """What a grant is to be."""

    user_identity_id: str
    device_ids: Sequence[str]
    space_ids: Sequence[str]
    requests: Sequence[Request]
    starts_at: str | None = None
    ends_at: str | None = None
    name: str | None = None
    access_grant_key: str | None = None
    reservation_key: str | None = None
    customer_key: str | None = None
    kind: str = store.OWN


# ---------------------------------------------------------------- create


async def create(tx: Tx, core: Core, workspace: WorkspaceRow, wish: GrantWish) -> GrantRow:
    """A new grant, its methods, and their codes. Raises ApiError, and then nothing of it is there."""
    workspace_id, now = workspace.workspace_id, core.clock.now()
    await progress.lock(tx, workspace_id)
    person = await identity_store.get(tx, workspace_id, wish.user_identity_id)
    if person is None:  # deleted since the caller looked: whoever deletes them locks the grants, too
        raise UserIdentityNotFound(data={"user_identity_id": wish.user_identity_id})
    await _check_key(tx, workspace_id, wish.kind, wish.access_grant_key)
    for space_id in wish.space_ids:
        if await space_store.get(tx, workspace_id, space_id) is None:
            raise SpaceNotFound(data={"space_id": space_id})
    for device_id in wish.device_ids:
        await devices.get(tx, workspace_id, device_id)
    if not wish.device_ids and not wish.space_ids:
        raise InvalidInput("Must provide device_ids, space_ids or space_keys")
    starts_at, ends_at = frame(wish.starts_at, wish.ends_at, now)
    row = GrantRow(
        workspace_id=workspace_id,
        access_grant_id=new_id(),
        access_grant_key=wish.access_grant_key,
        reservation_key=wish.reservation_key,
        customer_key=wish.customer_key,
        user_identity_id=person.merged_into or person.user_identity_id,
        name=wish.name,
        starts_at=starts_at,
        ends_at=ends_at,
        requests_sealed=core.vault.seal_json([], progress.REQUESTS),
        warnings_json="[]",
        is_wanted=1,
        created_at=now,
        kind=wish.kind,
    )
    await store.add(tx, row, wish.device_ids, wish.space_ids)
    await progress.tell(tx, core, row, event.AccessGrantCreated(access_grant_id=row.access_grant_id))
    return await add_methods(tx, core, row, wish.requests)


async def _check_key(tx: Tx, workspace_id: str, kind: str, key: str | None) -> None:
    if key is not None and await store.by_key(tx, workspace_id, kind, key) is not None:
        raise InvalidInput.of("access_grant_key", "Another access grant has this key")


def frame(starts_at: str | None, ends_at: str | None, now: int) -> tuple[int, int | None]:
    """When a grant holds: whole seconds, as doors know them. Raises InvalidInput."""
    start = _second(now if starts_at is None else parse(starts_at))
    if start >= LAST_MS:
        raise InvalidInput.of("starts_at", "Must be before 2106: intercoms know no later time")
    if ends_at is None:
        return start, None
    end = _second(parse(ends_at))
    if end <= now:
        raise InvalidInput.of("ends_at", "Must be in the future")
    if end <= start:
        raise InvalidInput.of("ends_at", "Must be later than starts_at, by a second or more")
    return start, end


def _second(at: int) -> int:
    return at // SECOND_MS * SECOND_MS


async def add_methods(tx: Tx, core: Core, row: GrantRow, requests: Sequence[Request]) -> GrantRow:
    """Further means of access."""
    await progress.lock(tx, row.workspace_id)
    row = await progress.get(tx, row.workspace_id, row.access_grant_id)
    if not row.is_wanted:
        raise InvalidInput("The access grant is being deleted")
    now = core.clock.now()
    if is_over(row.ends_at, now):
        raise InvalidInput("The access grant is over")
    asked, missing = progress.requests_of(core, row), dict[str, str]()
    for request in requests:
        if request.mode != "code":
            raise NotSupported(f"Doorward issues codes only, no {request.mode.replace('_', ' ')}s.")
        if len(doors := await progress.device_ids(tx, row)) > MOST_DEVICES:
            raise InvalidInput(TOO_MANY)
        places, row = await _places(tx, core, row, doors)
        able = {device.device_id for device, _ in places}
        missing |= {one: progress.lacking(row)[one] for one in doors if one not in able}
        pin, refusing = await _pin_for(tx, core, places, request)
        method = MethodRow(
            workspace_id=row.workspace_id,
            access_method_id=new_id(),
            access_grant_id=row.access_grant_id,
            request_number=len(asked),
            mode=request.mode,
            code_sealed=core.vault.seal(pin, progress.PIN) if pin is not None else None,
            is_wanted=1,
            issued_at=None,
            created_at=now,
        )
        asked.append((request.mode, request.code, now))
        await store.add_method(tx, method)
        await progress.tell(tx, core, row, event.AccessMethodCreated(**progress.about_method(row, method)))
        for device, report in places:
            await _add_code(tx, core, row, method, device, report, pin or "")
        row = await _tell_unavailable(tx, core, row, method, refusing, "All doors got another one.")
    await _tell_missing(tx, core, row, missing)
    asked_for = core.vault.seal_json(asked, progress.REQUESTS)
    return await store.change(tx, row, requests_sealed=asked_for, granted_at=None)


async def _places(tx: Tx, core: Core, row: GrantRow, ids: Sequence[str]) -> tuple[list[Place], GrantRow]:
    """Doors that can have codes, locked; of the others the grant says so."""
    found = []
    for device_id in ids:
        await tx.lock("device", row.workspace_id, device_id)
        device = await device_store.get(tx, row.workspace_id, device_id)
        try:
            if device is None or not device.is_managed:
                raise DeviceTypeNotSupported("The device is not managed.")
            found.append((device, pins.takes_codes(device)))
        except DeviceTypeNotSupported as exc:
            row = await _warn(tx, core, row, progress.UNSUPPORTED, device_id, exc.message)
    return found, row


async def _pin_for(tx: Tx, core: Core, places: Sequence[Place], request: Request) -> tuple[str | None, dict[str, str]]:
    """The PIN that is asked for; where a door cannot have it, or none is asked for, another one for all of them. And
    those doors, with what is wrong. Raises InvalidInput where no PIN fits all."""
    pin, refusing = request.code, dict[str, str]()
    if pin is not None:
        refusing = await _refusing(tx, core, places, request)
    if places and (pin is None or refusing):
        free = await pins.common_pin(tx, core, places, len(pin) if pin is not None else None)
        if free is None:
            raise InvalidInput("No PIN fits all of these doors. Make an access grant for each kind of door.")
        return free, refusing
    return pin if pin is not None and pins.is_pin(pin) else None, refusing


async def _refusing(
    read: Reader, core: Core, places: Sequence[Place], request: Request, but: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Doors that cannot have a PIN, and why. `but`: the grant's own codes, by door.

    Raises InvalidInput where one could never have it, unless it is only wished for.
    """
    pin, found = request.code or "", dict[str, str]()
    for device, report in places:
        try:
            pins.check_pin(pin, report)
        except InvalidInput:
            if not request.is_wish:
                raise
            found[device.device_id] = "The PIN that was asked for cannot be used on this device."
        else:
            if await _is_taken(read, core, device, pin, but=(but or {}).get(device.device_id, "")):
                found[device.device_id] = "The PIN that was asked for is in use on this device."
    return found


async def _tell_unavailable(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, refusing: Mapping[str, str], instead: str
) -> GrantRow:
    for device_id, why in refusing.items():
        text = f"{why} {instead}"
        row = await _warn(tx, core, row, UNAVAILABLE, device_id, text, number=method.request_number)
    return row


async def _is_taken(read: Reader, core: Core, device: DeviceRow, pin: str, but: str = "") -> bool:
    """A code of the device other than `but` has this PIN, now or later, and is not about to go."""
    found = await code_store.find_by_hash(read, device.workspace_id, device.device_id, pins.pin_hash(core, device, pin))
    now = core.clock.now()
    return any(
        one.is_wanted and not (one.is_managed and (one.ends_at or now + 1) <= now)
        for one in found
        if one.access_code_id != but
    )


async def _warn(tx: Tx, core: Core, row: GrantRow, code: str, device_id: str, message: str, **data: object) -> GrantRow:
    """A warning about one door; each stands once."""
    found = problems.read(row.warnings_json)
    if any(one.code == code and one.data.get("device_id") == device_id for one in found):
        return row
    new = Issue(code=code, message=message, created_at=core.clock.now(), data={"device_id": device_id, **data})
    return await store.change(tx, row, warnings_json=problems.write([*found, new]))


async def _tell_missing(tx: Tx, core: Core, row: GrantRow, missing: Mapping[str, str]) -> None:
    if missing:
        told = event.CouldNotCreateRequestedAccessMethods(
            access_grant_id=row.access_grant_id,
            error_message=" ".join(dict.fromkeys(missing.values())),
            missing_device_ids=list(missing),
        )
        await progress.tell(tx, core, row, told)


def code_times(core: Core, row: GrantRow) -> tuple[int | None, int | None]:
    """The times of its codes: its own to the second, and none for what holds from now on without an end."""
    if row.ends_at is None and row.starts_at <= core.clock.now():
        return None, None
    end = row.ends_at if row.ends_at is not None else row.starts_at + OPEN_END_MS
    return max(row.starts_at, SECOND_MS), min(end, LAST_MS)


async def _add_code(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, device: DeviceRow, report: DeviceReport, pin: str
) -> None:
    wish = Wish(device_id=device.device_id, code=pin, name=row.name)
    code = codes.new_row(core, device, wish, pin, pins.pin_hash(core, device, pin), *code_times(core, row))
    await codes.add(tx, core, device, msgspec.structs.replace(code, access_method_id=method.access_method_id))


# ---------------------------------------------------------------- change


async def change(
    tx: Tx,
    core: Core,
    workspace: WorkspaceRow,
    row: GrantRow,
    *,
    name: str | UnsetType | None = UNSET,
    key: str | None = None,
    times: tuple[int, int | None] | None = None,
    is_wish: bool = False,
) -> GrantRow:
    """Another name, key or time; all codes follow. Raises ApiError, and then none of them does.

    Without a name, codes keep the one they have. One that is over now lets go of its codes; one that was over, and is
    not any more, gets them anew. `is_wish`: a PIN that is in use at the new times is replaced.
    """
    await progress.lock(tx, row.workspace_id)
    row = await progress.get(tx, row.workspace_id, row.access_grant_id)
    if not row.is_wanted:
        raise InvalidInput("The access grant is being deleted")
    values: dict[str, Any] = {}
    if key is not None and key != row.access_grant_key:
        await _check_key(tx, row.workspace_id, row.kind, key)
        values["access_grant_key"] = key
    has_new_name = name is not UNSET and name != row.name
    if has_new_name:
        values["name"] = name
    has_new_times = times is not None and times != (row.starts_at, row.ends_at)
    if times is not None and has_new_times:
        values |= {"starts_at": times[0], "ends_at": times[1]}
    if not values:
        return row
    was_over = is_over(row.ends_at, core.clock.now())
    row = await store.change(tx, row, **values)
    if has_new_times:
        changed = event.AccessTimesChanged(
            access_grant_id=row.access_grant_id,
            access_grant_key=progress.known(row.access_grant_key),
            starts_at=iso(row.starts_at),
            ends_at=progress.known(iso_or_none(row.ends_at)),
        )
        await progress.tell(tx, core, row, changed)
    if is_over(row.ends_at, core.clock.now()):
        for code in await _codes_of(tx, row):
            await _let_go(tx, core, code)
    elif has_new_times or (has_new_name and name):
        if is_wish:
            row = await _avoid(tx, core, workspace, row)
        for code in await _codes_of(tx, row):
            asked = Change(access_code_id=code.access_code_id, name=name or None, frame=code_times(core, row))
            await codes.change(tx, core, workspace, asked)
    if has_new_times and was_over:
        row = await store.change(tx, row, granted_at=None)
        for method in await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
            await store.change_method(tx, method, issued_at=None)
    if has_new_times:
        await _follow(tx, core, row, None if was_over else progress.lacking(row))
    return row


async def wish_for(tx: Tx, core: Core, workspace: WorkspaceRow, row: GrantRow, pin: str) -> GrantRow:
    """Another PIN than before is wished for: all doors get it or, where one cannot have it, keep the one they have. The
    grant is not over."""
    await progress.lock(tx, row.workspace_id)
    asked = progress.requests_of(core, row)
    found = await store.methods_of(tx, row.workspace_id, [row.access_grant_id])
    method = next((one for one in found if one.is_wanted), None)
    if method is None or asked[method.request_number][1] == pin:
        return row
    asked[method.request_number] = (method.mode, pin, core.clock.now())
    row = await store.change(
        tx,
        row,
        requests_sealed=core.vault.seal_json(asked, progress.REQUESTS),
        warnings_json=problems.without(row.warnings_json, UNAVAILABLE),
    )
    held, places, refusing, row = await _held(tx, core, row, method, pin)
    if refusing:
        return await _tell_unavailable(tx, core, row, method, refusing, "All doors keep the one they have.")
    await _change_pin(tx, core, workspace, [held[device.device_id] for device, _ in places], pin)
    if pins.is_pin(pin):
        await store.change_method(tx, method, code_sealed=core.vault.seal(pin, progress.PIN))
        await _follow(tx, core, row)
    return await progress.get(tx, row.workspace_id, row.access_grant_id)


async def _avoid(tx: Tx, core: Core, workspace: WorkspaceRow, row: GrantRow) -> GrantRow:
    """A PIN that is in use on a door at the grant's new times is replaced on all of them."""
    for method in await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
        pin = progress.pin_of(core, method)
        if not method.is_wanted or pin is None:
            continue
        held, places, refusing, row = await _held(tx, core, row, method, pin)
        free = await pins.common_pin(tx, core, places, len(pin)) if refusing else None
        if free is not None:
            await _change_pin(tx, core, workspace, [held[device.device_id] for device, _ in places], free)
            await store.change_method(tx, method, code_sealed=core.vault.seal(free, progress.PIN))
            row = await _tell_unavailable(tx, core, row, method, refusing, "All doors got another one.")
    return row


async def _held(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, pin: str
) -> tuple[dict[str, str], list[Place], dict[str, str], GrantRow]:
    """A method's codes by their devices; those devices; and those among them that cannot have this PIN."""
    own = [code for code in await _codes_of(tx, row, method) if not code.pulled_for]
    held = {code.device_id: code.access_code_id for code in own}
    places, row = await _places(tx, core, row, list(held))
    return held, places, await _refusing(tx, core, places, Request(method.mode, pin, is_wish=True), but=held), row


async def _change_pin(tx: Tx, core: Core, workspace: WorkspaceRow, code_ids: Sequence[str], pin: str) -> None:
    for code_id in code_ids:
        await codes.change(tx, core, workspace, Change(access_code_id=code_id, code=pin))


async def give_to(tx: Tx, core: Core, row: GrantRow, user_identity_id: str) -> GrantRow:
    """It is this person's from now on."""
    if user_identity_id == row.user_identity_id:
        return row
    given = await store.change(tx, row, user_identity_id=user_identity_id)
    await progress.forget_nobody(tx, core, row)
    return given


async def move(tx: Tx, core: Core, row: GrantRow, space_ids: Sequence[str]) -> None:
    """It leads to these spaces from now on, beside the devices that it names."""
    await progress.lock(tx, row.workspace_id)
    if set(space_ids) != set(await progress.space_ids(tx, row)):
        await store.move(tx, row, space_ids)
        await _follow(tx, core, row)


async def _codes_of(read: Reader, row: GrantRow, method: MethodRow | None = None) -> list[CodeRow]:
    """Codes of a grant, or of one of its methods, that are wanted, by their devices; not those that nobody manages any
    more."""
    methods = [method] if method else await store.methods_of(read, row.workspace_id, [row.access_grant_id])
    found = await code_store.of_methods(read, row.workspace_id, [one.access_method_id for one in methods])
    return [code for code in found if progress.is_wanted(code)]


async def space_changed(tx: Tx, core: Core, workspace_id: str, space_id: str, device_ids: Collection[str]) -> None:
    """Grants to a space follow it: devices that came into it get their codes, those that left lose them. On others, a
    code that somebody deleted stays so."""
    await progress.lock(tx, workspace_id)
    for row in await store.of_place(tx, workspace_id, "spaces", space_id):
        await _follow(tx, core, row, device_ids)


async def space_gone(tx: Tx, core: Core, workspace_id: str, space_id: str, device_ids: Collection[str]) -> None:
    """A space was deleted: its doors, these, are no doors of any grant through it."""
    await progress.lock(tx, workspace_id)
    grants = await store.of_place(tx, workspace_id, "spaces", space_id)
    await store.forget_place(tx, workspace_id, "spaces", space_id)
    for row in grants:
        await _follow(tx, core, row, device_ids)


async def offer(core: Core, device: DeviceRow) -> None:
    """After a look at a device: grants that it could not have the codes of get it, as soon as it can."""
    for row in await store.warned_of(core.db.read, device.workspace_id, device.device_id):
        if device.device_id in progress.lacking(row) and await _has_room(core, row, device):
            await core.db.write(_try_again, core, row, device.device_id)


async def _has_room(core: Core, row: GrantRow, device: DeviceRow) -> bool:
    """Whether the device can have one of the grant's codes that it does not have."""
    read = core.db.read
    if is_over(row.ends_at, core.clock.now()) or not device.is_managed or not devices.report_of(device).code_lengths:
        return False
    methods = [one for one in await store.methods_of(read, row.workspace_id, [row.access_grant_id]) if one.is_wanted]
    held = await code_store.of_methods(read, row.workspace_id, [one.access_method_id for one in methods])
    there = {code.access_method_id for code in held if code.device_id == device.device_id}
    return any(
        [await _fits(read, core, device, progress.pin_of(core, m)) for m in methods if m.access_method_id not in there]
    )


async def _fits(read: Reader, core: Core, device: DeviceRow, pin: str | None) -> bool:
    """Whether the device can have this PIN; None: one that is free."""
    if pin is None:
        return True
    try:
        pins.check_pin(pin, pins.takes_codes(device))
    except ApiError:
        return False
    return not await _is_taken(read, core, device, pin)


async def _try_again(tx: Tx, core: Core, before: GrantRow, device_id: str) -> None:
    await progress.lock(tx, before.workspace_id)
    row = await store.get(tx, before.workspace_id, before.access_grant_id)
    if row is not None and row.is_wanted:
        await _follow(tx, core, row, [device_id])


async def _follow(tx: Tx, core: Core, row: GrantRow, only: Collection[str] | None = None) -> None:
    """Give the codes of a grant to all of its doors (`only`: to those of them), and to no other. Raises nothing of a
    grant's own: whoever changes a space answers for no grant."""
    if is_over(row.ends_at, core.clock.now()):
        return
    wanted, known = await progress.device_ids(tx, row), progress.lacking(row)
    # Doors that cannot have the codes are found anew below; the others may have left, or have room for them now.
    before = problems.read(row.warnings_json)
    left = [
        one
        for one in before
        if one.code != progress.UNSUPPORTED or (only is not None and one.data.get("device_id") not in only)
    ]
    row = await store.change(tx, row, warnings_json=problems.write(left))
    for method in await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
        if not method.is_wanted:
            continue
        held = await code_store.of_methods(tx, row.workspace_id, [method.access_method_id])
        for code in held:
            if code.is_wanted and code.device_id not in wanted:
                await _let_go(tx, core, code)
        there = {code.device_id for code in held if code.is_wanted and not code.pulled_for}
        pin = progress.pin_of(core, method)
        missing = [one for one in wanted if one not in there and (only is None or one in only)]
        room = max(0, MOST_DEVICES - len(there))
        places, row = await _places(tx, core, row, missing[:room])
        for device_id in missing[room:]:
            row = await _warn(tx, core, row, progress.UNSUPPORTED, device_id, TOO_MANY)
        has_door = any(code.is_wanted and code.device_id in wanted for code in held)
        if places and (pin is None or not has_door):
            method, row = await _choose(tx, core, row, method, places)
            pin = progress.pin_of(core, method)
        for device, report in places:
            if pin is not None and await _fits(tx, core, device, pin):
                await _add_code(tx, core, row, method, device, report, pin)
            else:
                text = "The PIN of the access grant cannot be used on this device."
                row = await _warn(tx, core, row, progress.UNSUPPORTED, device.device_id, text)
        await progress.settle(tx, core, row, method)
    row = await _as_old(tx, row, before)
    await _tell_missing(tx, core, row, {one: why for one, why in progress.lacking(row).items() if one not in known})


async def _choose(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, places: Sequence[Place]
) -> tuple[MethodRow, GrantRow]:
    """These are the first doors of a method, or the only ones after others: its PIN is the one that it has, or that
    was asked for, or another one, as it would have been if they had been there from the beginning. A method with
    another PIN is issued anew."""
    asked = progress.pin_of(core, method) or progress.requests_of(core, row)[method.request_number][1]
    try:
        pin, refusing = await _pin_for(tx, core, places, Request(method.mode, asked, is_wish=True))
    except InvalidInput:
        return method, row
    if pin is not None and pin != progress.pin_of(core, method):
        sealed = core.vault.seal(pin, progress.PIN)
        method = await store.change_method(tx, method, code_sealed=sealed, issued_at=None)
    return method, await _tell_unavailable(tx, core, row, method, refusing, "All doors got another one.")


async def device_is_managed(tx: Tx, core: Core, device: DeviceRow) -> None:
    """A device is managed again: its doors' grants have theirs there as they should. Grants and device are locked."""
    workspace_id, device_id = device.workspace_id, device.device_id
    for code in await code_store.granted_on_device(tx, workspace_id, device_id):
        if code.is_managed or not code.is_wanted:
            continue
        method = await store.get_method(tx, workspace_id, code.access_method_id or "")
        row = await progress.get(tx, workspace_id, method.access_grant_id) if method is not None else None
        if method is None or row is None or not method.is_wanted or device_id not in await progress.device_ids(tx, row):
            await _let_go(tx, core, code)
        else:
            await _take_back(tx, core, row, method, device, code)
    for row in await store.to_device(tx, workspace_id, device_id):
        await _follow(tx, core, row)


async def _take_back(tx: Tx, core: Core, row: GrantRow, method: MethodRow, device: DeviceRow, code: CodeRow) -> None:
    """Manage one of its codes again, which carries our tag still: as the grant is now, whatever became of it."""
    held, (starts_at, ends_at) = pins.pin_of(core, code), code_times(core, row)
    pin = held if code.pulled_for else progress.pin_of(core, method)
    assert pin is not None  # it had one when the code was made
    is_future = starts_at is not None and starts_at > core.clock.now()
    await code_store.change(
        tx,
        code,
        is_managed=1,
        name=row.name or code.name,
        code_sealed=core.vault.seal(pin, pins.PIN),
        code_hash=pins.pin_hash(core, device, pin),
        starts_at=starts_at,
        ends_at=ends_at,
        held_sealed=code_state.seal_held(core, Content(code.name, held, code.starts_at, code.ends_at))
        if held
        else None,
        held_revision=None,
        external_sealed=None,
        status="unset" if is_future else "set" if held else "setting",
        **code_state.asked_anew(core, code),
    )
    about = {"access_code_id": code.access_code_id, **about_device(device)}
    await emit(tx, core, row.workspace_id, AccessCodeUnmanagedConvertedToManaged(**about))
    await devices.wake(tx, core, row.workspace_id, device.device_id)


async def _as_old(tx: Tx, row: GrantRow, before: Sequence[Issue]) -> GrantRow:
    """Warnings that stood before stand since then."""
    since = {(one.code, one.data.get("device_id")): one.created_at for one in before}
    issues = problems.read(row.warnings_json)
    for one in issues:
        one.created_at = since.get((one.code, one.data.get("device_id")), one.created_at)
    return await store.change(tx, row, warnings_json=problems.write(issues))


def is_over(ends_at: int | None, now: int) -> bool:
    return ends_at is not None and ends_at <= now


async def _let_go(tx: Tx, core: Core, code: CodeRow) -> None:
    """Its door is to have it no more; also where nobody manages it any more: it is ours, and opens the door."""
    await tx.lock("device", code.workspace_id, code.device_id)
    current = await code_store.get(tx, code.workspace_id, code.access_code_id)
    if current is not None and current.is_wanted:
        await codes.let_go(tx, core, current)
        await devices.wake(tx, core, code.workspace_id, code.device_id)


# ---------------------------------------------------------------- delete


async def delete(tx: Tx, core: Core, row: GrantRow) -> None:
    """It is not wanted any more; it is gone when all its doors have let go."""
    await progress.lock(tx, row.workspace_id)
    current = await store.get(tx, row.workspace_id, row.access_grant_id)
    if current is None:
        return
    row = await store.change(tx, current, is_wanted=0)
    for method in await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
        await delete_method(tx, core, method)
    await progress.end(tx, core, row)


async def delete_method(tx: Tx, core: Core, method: MethodRow) -> None:
    """It is not wanted any more; it is gone when all doors have let go."""
    await progress.lock(tx, method.workspace_id)
    current = await store.get_method(tx, method.workspace_id, method.access_method_id)
    if current is None:
        return
    method, row = current, await progress.get(tx, method.workspace_id, method.access_grant_id)
    if method.is_wanted:
        method = await store.change_method(tx, method, is_wanted=0)
        await progress.tell(tx, core, row, event.AccessMethodRevoked(**progress.about_method(row, method)))
    for code in await code_store.of_methods(tx, method.workspace_id, [method.access_method_id]):
        await _let_go(tx, core, code)
    await progress.settle(tx, core, row, method)
