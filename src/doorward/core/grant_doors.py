"""The codes of access grants on their doors, as these come and go.

Doors are the devices that a grant names, and those in its spaces. A door that cannot have the codes now gets them when
it can (`offer`). Everything is made in the transaction that changes a space or a device; if it dies half way, doors and
codes are as before.

The workspace's grants are locked for it (`grant_progress.lock`), before any device is.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from doorward.core import access_codes as codes
from doorward.core import code_state, devices, grant_pins, pins, problems
from doorward.core import grant_progress as progress
from doorward.core.access_codes import Wish
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.core.grant_pins import Place, Request
from doorward.core.plan import Content
from doorward.errors import InvalidInput
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes as code_store
from doorward.store import access_grants as store
from doorward.store.access_codes import CodeRow
from doorward.store.access_grants import GrantRow, MethodRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.wire.events import access_grant as event
from doorward.wire.events.access_code import AccessCodeUnmanagedConvertedToManaged
from doorward.wire.reply import Issue

OPEN_END_MS = 10 * 365 * 24 * 3_600_000
"""The codes of a grant that begins later and has no end, end then: intercoms know no code that only begins."""
SECOND_MS = 1000
LAST_MS = (2**32 - 1) * SECOND_MS
"""As far as intercoms count: codes of a grant that ends later end then."""
MOST_DEVICES = 500
TOO_MANY = f"An access grant leads to {MOST_DEVICES} devices at most."


# ---------------------------------------------------------------- doors come and go


async def space_changed(tx: Tx, core: Core, workspace_id: str, space_id: str, device_ids: Collection[str]) -> None:
    """Grants to a space follow it: devices that came into it get their codes, those that left lose them. On others, a
    code that somebody deleted stays so."""
    await progress.lock(tx, workspace_id)
    for row in await store.of_place(tx, workspace_id, "spaces", space_id):
        await follow(tx, core, row, device_ids)


async def space_gone(tx: Tx, core: Core, workspace_id: str, space_id: str, device_ids: Collection[str]) -> None:
    """A space was deleted: its doors, these, are no doors of any grant through it."""
    await progress.lock(tx, workspace_id)
    grants = await store.of_place(tx, workspace_id, "spaces", space_id)
    await store.forget_place(tx, workspace_id, "spaces", space_id)
    for row in grants:
        await follow(tx, core, row, device_ids)


async def device_is_managed(tx: Tx, core: Core, device: DeviceRow) -> None:
    """A device is managed again: its doors' grants have theirs there as they should. Grants and device are locked."""
    workspace_id, device_id = device.workspace_id, device.device_id
    for code in await code_store.granted_on_device(tx, workspace_id, device_id):
        if code.is_managed or not code.is_wanted:
            continue
        method = await store.get_method(tx, workspace_id, code.access_method_id or "")
        row = await progress.get(tx, workspace_id, method.access_grant_id) if method is not None else None
        if method is None or row is None or not method.is_wanted or device_id not in await progress.device_ids(tx, row):
            await let_go(tx, core, code)
        else:
            await _take_back(tx, core, row, method, device, code)
    for row in await store.to_device(tx, workspace_id, device_id):
        await follow(tx, core, row)


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
        [
            await grant_pins.fits(read, core, device, progress.pin_of(core, m))
            for m in methods
            if m.access_method_id not in there
        ]
    )


async def _try_again(tx: Tx, core: Core, before: GrantRow, device_id: str) -> None:
    await progress.lock(tx, before.workspace_id)
    row = await store.get(tx, before.workspace_id, before.access_grant_id)
    if row is not None and row.is_wanted:
        await follow(tx, core, row, [device_id])


async def follow(tx: Tx, core: Core, row: GrantRow, only: Collection[str] | None = None) -> None:
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
                await let_go(tx, core, code)
        there = {code.device_id for code in held if code.is_wanted and not code.pulled_for}
        pin = progress.pin_of(core, method)
        missing = [one for one in wanted if one not in there and (only is None or one in only)]
        room = max(0, MOST_DEVICES - len(there))
        places, row = await grant_pins.places(tx, core, row, missing[:room])
        for device_id in missing[room:]:
            row = await grant_pins.warn(tx, core, row, progress.UNSUPPORTED, device_id, TOO_MANY)
        has_door = any(code.is_wanted and code.device_id in wanted for code in held)
        if places and (pin is None or not has_door):
            method, row = await _choose(tx, core, row, method, places)
            pin = progress.pin_of(core, method)
        for device, report in places:
            if pin is not None and await grant_pins.fits(tx, core, device, pin):
                await add_code(tx, core, row, method, device, report, pin)
            else:
                text = "The PIN of the access grant cannot be used on this device."
                row = await grant_pins.warn(tx, core, row, progress.UNSUPPORTED, device.device_id, text)
        await progress.settle(tx, core, row, method)
    row = await _as_old(tx, row, before)
    await tell_missing(tx, core, row, {one: why for one, why in progress.lacking(row).items() if one not in known})


async def _choose(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, places: Sequence[Place]
) -> tuple[MethodRow, GrantRow]:
    """These are the first doors of a method, or the only ones after others: its PIN is the one that it has, or that
    was asked for, or another one, as it would have been if they had been there from the beginning. A method with
    another PIN is issued anew."""
    asked = progress.pin_of(core, method) or progress.requests_of(core, row)[method.request_number][1]
    try:
        pin, refusing = await grant_pins.pin_for(tx, core, places, Request(method.mode, asked, is_wish=True))
    except InvalidInput:
        return method, row
    if pin is not None and pin != progress.pin_of(core, method):
        sealed = core.vault.seal(pin, progress.PIN)
        method = await store.change_method(tx, method, code_sealed=sealed, issued_at=None)
    return method, await grant_pins.tell_unavailable(tx, core, row, method, refusing, "All doors got another one.")


async def _as_old(tx: Tx, row: GrantRow, before: Sequence[Issue]) -> GrantRow:
    """Warnings that stood before stand since then."""
    since = {(one.code, one.data.get("device_id")): one.created_at for one in before}
    issues = problems.read(row.warnings_json)
    for one in issues:
        one.created_at = since.get((one.code, one.data.get("device_id")), one.created_at)
    return await store.change(tx, row, warnings_json=problems.write(issues))


# ---------------------------------------------------------------- codes


async def tell_missing(tx: Tx, core: Core, row: GrantRow, missing: Mapping[str, str]) -> None:
    if missing:
        told = event.CouldNotCreateRequestedAccessMethods(
            access_grant_id=row.access_grant_id,
            error_message=" ".join(dict.fromkeys(missing.values())),
            missing_device_ids=list(missing),
        )
        await progress.tell(tx, core, row, told)


async def add_code(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, device: DeviceRow, report: DeviceReport, pin: str
) -> None:
    wish = Wish(device_id=device.device_id, code=pin, name=row.name)
    code = codes.new_row(core, device, wish, pin, pins.pin_hash(core, device, pin), *code_times(core, row))
    await codes.add(tx, core, device, msgspec.structs.replace(code, access_method_id=method.access_method_id))


def code_times(core: Core, row: GrantRow) -> tuple[int | None, int | None]:
    """The times of its codes: its own to the second, and none for what holds from now on without an end."""
    if row.ends_at is None and row.starts_at <= core.clock.now():
        return None, None
    end = row.ends_at if row.ends_at is not None else row.starts_at + OPEN_END_MS
    return max(row.starts_at, SECOND_MS), min(end, LAST_MS)


async def codes_of(read: Reader, row: GrantRow, method: MethodRow | None = None) -> list[CodeRow]:
    """Codes of a grant, or of one of its methods, that are wanted, by their devices; not those that nobody manages any
    more."""
    methods = [method] if method else await store.methods_of(read, row.workspace_id, [row.access_grant_id])
    found = await code_store.of_methods(read, row.workspace_id, [one.access_method_id for one in methods])
    return [code for code in found if progress.is_wanted(code)]


async def let_go(tx: Tx, core: Core, code: CodeRow) -> None:
    """Its door is to have it no more; also where nobody manages it any more: it is ours, and opens the door."""
    await tx.lock("device", code.workspace_id, code.device_id)
    current = await code_store.get(tx, code.workspace_id, code.access_code_id)
    if current is not None and current.is_wanted:
        await codes.let_go(tx, core, current)
        await devices.wake(tx, core, code.workspace_id, code.device_id)


def is_over(ends_at: int | None, now: int) -> bool:
    return ends_at is not None and ends_at <= now
