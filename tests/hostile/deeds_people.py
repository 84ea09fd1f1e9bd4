"""What people do at the device: its owner in its web pages, and whoever stands at the keypad."""

from dataclasses import dataclass
from typing import Literal

from tests.support import directory

from doorward.providers.my_2n.emulator import Unit

from . import checks
from .house import House


@dataclass(frozen=True)
class OwnerAdds:
    """The owner adds somebody."""

    door: int
    pin: str
    owner: str

    async def do(self, house: House) -> None:
        unit = await house.unit(self.door)
        if is_ready(unit):
            await house.own(self.door, await directory.add(unit, f"Owner's {house.number()}", self.pin, self.owner))


@dataclass(frozen=True)
class OwnerEdits:
    """The owner changes an entry of their own; `pin` None: removes it."""

    door: int
    index: int
    pin: str | None

    async def do(self, house: House) -> None:
        unit, owners = await house.unit(self.door), list(house.doors[self.door].owners)
        if not owners or not is_ready(unit):
            return
        uuid = owners[self.index % len(owners)]
        code = next((c for c in house.codes if c.ref == uuid), None)
        if self.pin is not None:
            await directory.edit(unit, uuid, access={"pin": self.pin})
            if code is not None:
                code.edits += 1
        else:
            await directory.remove(unit, uuid)
            if code is not None:
                code.is_adopted = False
                code.removals += 1
        await house.own(self.door, uuid)


@dataclass(frozen=True)
class OwnerMeddles:
    """The owner changes or removes an entry of ours, or makes it theirs (`adopt`)."""

    index: int
    how: Literal["pin", "frame", "name", "remove", "adopt"]
    pin: str

    async def do(self, house: House) -> None:
        if not house.codes:
            return
        code = house.codes[self.index % len(house.codes)]
        unit = await house.unit(code.device)
        if self.how == "adopt":
            # The device has no compare-and-set: what we are writing at this very moment would still win.
            unit.faults.clear()
            await house.loop.advance(60)
        entry = unit.directory.find(code.ref)
        if entry is None or code.is_adopted or not is_ready(unit):
            return
        house.tell(f"the owner meddles with {code}")
        door = house.doors[code.device]
        code.edits += self.how != "remove"
        code.removals += self.how == "remove"
        match self.how:
            case "pin":
                door.tampered.add(self.pin)
                await directory.edit(unit, entry.uuid, access={"pin": self.pin})
            case "frame":
                door.tampered.add(entry.get("access.pin"))
                await directory.edit(unit, entry.uuid, access={"validFrom": "0", "validTo": "0"})
            case "name":
                await directory.edit(unit, entry.uuid, name="Meddled")
            case "remove":
                await directory.remove(unit, entry.uuid)
            case "adopt":
                await directory.edit(unit, entry.uuid, owner="ACOM")
                code.is_adopted = True
                await house.own(code.device, code.ref)


@dataclass(frozen=True)
class TypePin:
    """Somebody types a PIN."""

    door: int
    pin: str

    async def do(self, house: House) -> None:
        await checks.enter(house, self.door, self.pin)


def is_ready(unit: Unit) -> bool:
    """It has power, and no armed fault would hit the owner's own edit."""
    return not unit.is_off and not any(f.kind in ("directory-full", "duplicate-pin") for f in unit.faults.armed())
