"""What callers of the API do with codes that the owner made: take them over, or have them removed.

Both begin with everything mended, so that the model knows how they must end; the server may die at any moment of them.
"""

from dataclasses import dataclass
from typing import Any

from doorward.providers.my_2n.emulator.directory import Entry

from .deeds_calls import die
from .deeds_people import is_ready
from .house import House
from .model import Code

DONE_S = 120
"""Longer than a restart and every pause after a first failure."""
PATIENCE = 20
"""So many times that a device may take which has refused our login: it is asked rarely."""


async def _found(house: House, door: int, index: int) -> tuple[dict[str, Any], Entry] | None:
    """An unmanaged code as the API shows it, and its entry; None: there is none that both know."""
    unit = await house.unit(door)
    if not is_ready(unit):
        return None
    await house.mend()
    for _ in range(PATIENCE):
        await house.loop.advance(DONE_S)
        device = await house.get("/devices/get", "device", device_id=house.device_id(door))
        if device["properties"]["online"] and not device["errors"]:
            break
    listed = await house.get("/access_codes/unmanaged/list", "access_codes", device_id=house.device_id(door))
    entries = {
        entry.get("name"): entry for entry in unit.directory.live() if entry.uuid.lower() in house.doors[door].owners
    }
    known = [(one, entries[one["name"]]) for one in listed if one["name"] in entries]
    known = [(one, entry) for one, entry in known if entry.get("access.pin") == one["code"]]
    return known[index % len(known)] if known else None


def _refusal(entry: Entry, force: bool) -> bool:
    owner = entry.get("owner")
    return owner in ("ACOM", "My2N") or (not force and owner != "" and not owner.startswith("doorward-"))


async def _ask(house: House, path: str, body: dict[str, Any], entry: Entry, dies: int | None, force: bool) -> bool:
    """Make the call; whether it may have been taken."""
    if dies is not None:
        await die(house, path, body, dies)
        return True
    reply = await house.call(path, **body)
    house.tell(f"{path} of {entry.get('name')!r}: {reply.status}")
    if _refusal(entry, force):
        assert (reply.status, reply.error["type"]) == (400, "access_code_cannot_be_managed"), reply
        return False
    assert reply.status == 200, reply
    house.attempts.append(reply.json["action_attempt"]["action_attempt_id"])
    return True


@dataclass(frozen=True)
class TakeOver:
    """Ask to manage a code of the owner's from now on. `dies`: the server does, so many turns of its loop later."""

    door: int
    index: int
    force: bool
    dies: int | None = None

    async def do(self, house: House) -> None:
        found = await _found(house, self.door, self.index)
        if found is None:
            return
        shown, entry = found
        door, key, pin = house.doors[self.door], entry.uuid.lower(), shown["code"]
        before = door.owners.pop(key)
        body = {"access_code_id": shown["access_code_id"], "force": self.force}
        if await _ask(house, "/access_codes/unmanaged/convert_to_managed", body, entry, self.dies, self.force):
            await house.loop.advance(DONE_S)
        reply = await house.call("/access_codes/get", access_code_id=shown["access_code_id"])
        house.tell(f"{entry.get('name')!r} is {'ours' if reply.status == 200 else 'as before'}")
        if reply.status != 200:
            door.owners[key] = before
            return
        assert not _refusal(entry, self.force), "what others keep was taken over"
        code = Code(house.number(), self.door, shown["access_code_id"], shown["name"], pin, (None, None), found_as=key)
        code.asked = [(pin, (None, None))]  # (a PIN that others there have, too, was not asked for)
        house.codes.append(code)


@dataclass(frozen=True)
class RemoveFound:
    """Ask that a code of the owner's be removed."""

    door: int
    index: int
    dies: int | None = None

    async def do(self, house: House) -> None:
        found = await _found(house, self.door, self.index)
        if found is None:
            return
        shown, entry = found
        door, key = house.doors[self.door], entry.uuid.lower()
        before = door.owners.pop(key)
        about = {"access_code_id": shown["access_code_id"]}
        if await _ask(house, "/access_codes/unmanaged/delete", about, entry, self.dies, force=False):
            await house.loop.advance(DONE_S)
        there = (await house.unit(self.door)).directory.find(key)
        reply = await house.call("/access_codes/unmanaged/get", **about)
        house.tell(f"{entry.get('name')!r} is {'there' if there else 'gone'}")
        assert (there is None) == (reply.status == 404), "the API and the device do not agree"
        assert there is None or self.dies is not None or _refusal(entry, force=False), "it was to be removed"
        if there is not None:
            door.owners[key] = before
