"""Which PIN the doors of an access grant can have.

A PIN that is asked for and is not free on one of them is replaced by another one on all of them, and the grant says so.
It is free where no code has it, whenever that one opens: intercoms take a PIN once. What cannot be done on a door
because of that door stands as a warning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from doorward.core import grant_progress as progress
from doorward.core import pins, problems
from doorward.core.context import Core
from doorward.errors import ApiError, DeviceTypeNotSupported, InvalidInput
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes as code_store
from doorward.store import access_grants as store
from doorward.store import devices as device_store
from doorward.store.access_grants import GrantRow, MethodRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.wire.reply import Issue

UNAVAILABLE = "requested_code_unavailable"
Place = tuple[DeviceRow, DeviceReport]
"""A door that can have codes, and which."""


@dataclass(frozen=True)
class Request:
    """A means of access that is asked for."""

    mode: str
    code: str | None = None
    is_wish: bool = False
    """One of many that are told at once: a PIN that a door does not take is replaced as one that is in use is."""


async def places(tx: Tx, core: Core, row: GrantRow, ids: Sequence[str]) -> tuple[list[Place], GrantRow]:
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
            row = await warn(tx, core, row, progress.UNSUPPORTED, device_id, exc.message)
    return found, row


async def pin_for(tx: Tx, core: Core, places: Sequence[Place], request: Request) -> tuple[str | None, dict[str, str]]:
    """The PIN that is asked for; where a door cannot have it, or none is asked for, another one for all of them. And
    those doors, with what is wrong. Raises InvalidInput where no PIN fits all."""
    pin, refusing = request.code, dict[str, str]()
    if pin is not None:
        refusing = await refusals(tx, core, places, request)
    if places and (pin is None or refusing):
        free = await pins.common_pin(tx, core, places, len(pin) if pin is not None else None)
        if free is None:
            raise InvalidInput("No PIN fits all of these doors. Make an access grant for each kind of door.")
        return free, refusing
    return pin if pin is not None and pins.is_pin(pin) else None, refusing


async def refusals(
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


async def _is_taken(read: Reader, core: Core, device: DeviceRow, pin: str, but: str = "") -> bool:
    """A code of the device other than `but` has this PIN, now or later, and is not about to go."""
    found = await code_store.find_by_hash(read, device.workspace_id, device.device_id, pins.pin_hash(core, device, pin))
    now = core.clock.now()
    return any(
        one.is_wanted and not (one.is_managed and (one.ends_at or now + 1) <= now)
        for one in found
        if one.access_code_id != but
    )


async def fits(read: Reader, core: Core, device: DeviceRow, pin: str | None) -> bool:
    """Whether the device can have this PIN; None: one that is free."""
    if pin is None:
        return True
    try:
        pins.check_pin(pin, pins.takes_codes(device))
    except ApiError:
        return False
    return not await _is_taken(read, core, device, pin)


async def tell_unavailable(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, refusing: Mapping[str, str], instead: str
) -> GrantRow:
    for device_id, why in refusing.items():
        text = f"{why} {instead}"
        row = await warn(tx, core, row, UNAVAILABLE, device_id, text, number=method.request_number)
    return row


async def warn(tx: Tx, core: Core, row: GrantRow, code: str, device_id: str, message: str, **data: object) -> GrantRow:
    """A warning about one door; each stands once."""
    found = problems.read(row.warnings_json)
    if any(one.code == code and one.data.get("device_id") == device_id for one in found):
        return row
    new = Issue(code=code, message=message, created_at=core.clock.now(), data={"device_id": device_id, **data})
    return await store.change(tx, row, warnings_json=problems.write([*found, new]))
