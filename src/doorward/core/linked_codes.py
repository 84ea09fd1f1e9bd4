"""Linked access codes: one PIN for several doors.

Creating them is one transaction: all are wanted, or none is. Their devices are locked in the order of their ids, so
that two callers never wait for each other. From then on each code lives by itself; deleting one leaves the others.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from doorward.core import access_codes as rules
from doorward.core import pins
from doorward.core.access_codes import Change, Wish
from doorward.core.context import Core
from doorward.errors import AccessCodeNotFound, DuplicateAccessCode, InvalidInput
from doorward.ids import new_id
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes as store
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow

KEY = "auto_set_by_create_multiple_"
MOST_DEVICES = 500
"""In one transaction."""
Otherwise = Literal["throw", "create_random_code"]
"""What to do where the PIN cannot be: refuse all of it, or give those devices a PIN of their own."""

_Place = tuple[DeviceRow, DeviceReport]


async def create(
    tx: Tx, core: Core, workspace: WorkspaceRow, wish: Wish, device_ids: Sequence[str], otherwise: Otherwise
) -> list[CodeRow]:
    """Want a code on each of these devices, in their order; `wish.device_id` is not looked at.

    Without a PIN one that fits everywhere is chosen, and the codes get a common key. Raises ApiError.
    """
    if not device_ids or len(device_ids) > MOST_DEVICES:
        raise InvalidInput.of("device_ids", f"Must be 1 to {MOST_DEVICES} devices")
    if len(set(device_ids)) < len(device_ids):
        raise InvalidInput.of("device_ids", "Must not name a device twice")
    starts_at, ends_at = rules.times(wish.starts_at, wish.ends_at, core.clock.now())
    places: dict[str, _Place] = {}
    for device_id in sorted(device_ids):
        places[device_id] = await rules.may_have(tx, workspace, replace(wish, device_id=device_id), ends_at)
    pin = wish.code
    if pin is None:
        wish = replace(wish, common_code_key=KEY + new_id())
        pin = await pins.common_pin(tx, core, list(places.values()), wish.preferred_code_length)
        if pin is None and otherwise == "throw":
            raise InvalidInput(
                "No PIN fits all of these devices. With behavior_when_code_cannot_be_shared: create_random_code those "
                "that cannot share it get PINs of their own."
            )
    rows = []
    for device_id in device_ids:
        device, report = places[device_id]
        its = await _pin_for(tx, core, places[device_id], pin, (starts_at, ends_at), otherwise)
        if its is None:
            its, _ = await pins.random_pin(tx, core, device, report, wish.preferred_code_length)
        row = rules.new_row(core, device, wish, its, pins.pin_hash(core, device, its), starts_at, ends_at)
        await rules.add(tx, core, device, row)
        rows.append(row)
    return rows


async def _pin_for(
    tx: Tx, core: Core, place: _Place, pin: str | None, frame: tuple[int | None, int | None], otherwise: Otherwise
) -> str | None:
    """The common PIN, where this device can have it; None: it cannot, and may have another."""
    device, report = place
    if pin is None:
        return None
    try:
        pins.check_pin(pin, report)
        await rules.refuse_duplicate(tx, device, pins.pin_hash(core, device, pin), *frame)
    except (InvalidInput, DuplicateAccessCode):
        if otherwise == "throw":
            raise
        return None
    return pin


async def change(
    tx: Tx,
    core: Core,
    workspace: WorkspaceRow,
    common_code_key: str,
    *,
    name: str | None = None,
    starts_at: str | None = None,
    ends_at: str | None = None,
) -> list[CodeRow]:
    """Want all codes with this key to have another name or other times. Those that are to go already stay so.

    Raises: AccessCodeNotFound when there is none; ApiError as for one of them, and then none is changed.
    """
    found = await store.of_common_key(tx, workspace.workspace_id, common_code_key)
    wanted = [row for row in found if row.is_wanted]
    if not wanted:
        raise AccessCodeNotFound(data={"common_code_key": common_code_key})
    changed = []
    for row in wanted:
        wish = Change(access_code_id=row.access_code_id, name=name, starts_at=starts_at, ends_at=ends_at)
        changed.append((await rules.change(tx, core, workspace, wish))[0])
    return changed
