"""Access grants: who may go where, when, and by which means.

    grant ──▶ methods ──▶ of mode `code`: one PIN, and an access code on each door

The doors are the devices that the grant names, and those in the spaces that it names (`grant_doors`); all get one PIN
(`grant_pins`). Everything is made in the transaction that asks for it, by the rules of access codes; their engine does
the rest, and calls `grant_progress` back, in the transaction that writes down what a device holds. So a method is
issued when the last door has its code, and a grant is gone when the last door has let go, whatever dies in between.

Who changes a grant, or writes down what a device holds of one, has locked the workspace's grants (`lock`), and has done
so before any device. So the last door knows that it is the last, and a grant that goes leaves no door behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, UnsetType

from doorward.core import access_codes as codes
from doorward.core import devices, grant_doors, grant_pins, pins, problems
from doorward.core import grant_progress as progress
from doorward.core.access_codes import Change
from doorward.core.context import Core
from doorward.core.grant_pins import Place, Request
from doorward.errors import InvalidInput, NotSupported, SpaceNotFound, UserIdentityNotFound
from doorward.ids import new_id
from doorward.store import access_codes as code_store
from doorward.store import access_grants as store
from doorward.store import spaces as space_store
from doorward.store import user_identities as identity_store
from doorward.store.access_grants import GrantRow, MethodRow
from doorward.store.db import Tx
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.events import access_grant as event
from doorward.wire.time import iso, iso_or_none, parse


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
    if start >= grant_doors.LAST_MS:
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
    return at // grant_doors.SECOND_MS * grant_doors.SECOND_MS


async def add_methods(tx: Tx, core: Core, row: GrantRow, requests: Sequence[Request]) -> GrantRow:
    """Further means of access."""
    await progress.lock(tx, row.workspace_id)
    row = await progress.get(tx, row.workspace_id, row.access_grant_id)
    if not row.is_wanted:
        raise InvalidInput("The access grant is being deleted")
    now = core.clock.now()
    if grant_doors.is_over(row.ends_at, now):
        raise InvalidInput("The access grant is over")
    asked, missing = progress.requests_of(core, row), dict[str, str]()
    for request in requests:
        if request.mode != "code":
            raise NotSupported(f"Doorward issues codes only, no {request.mode.replace('_', ' ')}s.")
        if len(doors := await progress.device_ids(tx, row)) > grant_doors.MOST_DEVICES:
            raise InvalidInput(grant_doors.TOO_MANY)
        places, row = await grant_pins.places(tx, core, row, doors)
        able = {device.device_id for device, _ in places}
        missing |= {one: progress.lacking(row)[one] for one in doors if one not in able}
        pin, refusing = await grant_pins.pin_for(tx, core, places, request)
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
            await grant_doors.add_code(tx, core, row, method, device, report, pin or "")
        row = await grant_pins.tell_unavailable(tx, core, row, method, refusing, "All doors got another one.")
    await grant_doors.tell_missing(tx, core, row, missing)
    asked_for = core.vault.seal_json(asked, progress.REQUESTS)
    return await store.change(tx, row, requests_sealed=asked_for, granted_at=None)


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
    was_over = grant_doors.is_over(row.ends_at, core.clock.now())
    row = await store.change(tx, row, **values)
    if has_new_times:
        changed = event.AccessTimesChanged(
            access_grant_id=row.access_grant_id,
            access_grant_key=progress.known(row.access_grant_key),
            starts_at=iso(row.starts_at),
            ends_at=progress.known(iso_or_none(row.ends_at)),
        )
        await progress.tell(tx, core, row, changed)
    if grant_doors.is_over(row.ends_at, core.clock.now()):
        for code in await grant_doors.codes_of(tx, row):
            await grant_doors.let_go(tx, core, code)
    elif has_new_times or (has_new_name and name):
        if is_wish:
            row = await _avoid(tx, core, workspace, row)
        for code in await grant_doors.codes_of(tx, row):
            asked = Change(
                access_code_id=code.access_code_id, name=name or None, frame=grant_doors.code_times(core, row)
            )
            await codes.change(tx, core, workspace, asked)
    if has_new_times and was_over:
        row = await store.change(tx, row, granted_at=None)
        for method in await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
            await store.change_method(tx, method, issued_at=None)
    if has_new_times:
        await grant_doors.follow(tx, core, row, None if was_over else progress.lacking(row))
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
        warnings_json=problems.without(row.warnings_json, grant_pins.UNAVAILABLE),
    )
    held, places, refusing, row = await _held(tx, core, row, method, pin)
    if refusing:
        return await grant_pins.tell_unavailable(tx, core, row, method, refusing, "All doors keep the one they have.")
    await _change_pin(tx, core, workspace, [held[device.device_id] for device, _ in places], pin)
    if pins.is_pin(pin):
        await store.change_method(tx, method, code_sealed=core.vault.seal(pin, progress.PIN))
        await grant_doors.follow(tx, core, row)
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
            row = await grant_pins.tell_unavailable(tx, core, row, method, refusing, "All doors got another one.")
    return row


async def _held(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, pin: str
) -> tuple[dict[str, str], list[Place], dict[str, str], GrantRow]:
    """A method's codes by their devices; those devices; and those among them that cannot have this PIN."""
    own = [code for code in await grant_doors.codes_of(tx, row, method) if not code.pulled_for]
    held = {code.device_id: code.access_code_id for code in own}
    places, row = await grant_pins.places(tx, core, row, list(held))
    return (
        held,
        places,
        await grant_pins.refusals(tx, core, places, Request(method.mode, pin, is_wish=True), but=held),
        row,
    )


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
        await grant_doors.follow(tx, core, row)


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
        await grant_doors.let_go(tx, core, code)
    await progress.settle(tx, core, row, method)
