"""What must hold: at every moment (`always`), and when all has been well for a while (`after_quiet`)."""

from typing import Any

from doorward.providers.my_2n.codes import clean_name
from doorward.providers.my_2n.emulator import Unit
from doorward.providers.my_2n.emulator.directory import Entry

from .house import House
from .model import Code, contains, image

QUIET_S = 1_300
"""Longer than every pause of a healthy server's loops but the hourly read: the longest is 1,200 s, after a login that
was refused, and the reader that refused it may take nothing for another half minute."""
LONGEST_S = 7_800
"""Two full reads and the longest pause between tries: what is wrong then stays wrong."""
STEP_S = 5
START = "2000-01-01T00:00:00Z"
FRESH = "39174620"
"""A PIN that no story uses."""
PROMPT_S = 3
BIRTH_OF_FOUND = "unmanaged.converted_to_managed"
POOL = 3
"""Reserve codes of a device that has any."""
REQUESTS, REQUESTS_PER_DEED, REQUESTS_PER_S = 100, 40, 2
"""What a device's small web server must bear. Half of it was the most in hundreds of stories."""
READER_S = 31
"""A reader that was refused too often takes nothing for thirty seconds."""
NEAR_MS = 30_000
"""A start or an end this close is waited for: whoever looks just then may see either side of it."""


async def always(house: House) -> None:
    """After every step."""
    for index, door in enumerate(house.doors):
        unit = await house.unit(index)
        for uuid, before in door.owners.items():
            entry = unit.directory.find(uuid)
            assert entry is not None, f"an entry of the owner's is gone from door {index}: {uuid}"
            assert image(entry) == before, f"an entry of the owner's was changed at door {index}: {uuid}"
        assert door.released <= len(door.unlocks), (
            f"door {index} was released {door.released} times by {len(door.unlocks)} commands"
        )
        most = REQUESTS + REQUESTS_PER_DEED * len(house.deeds) + REQUESTS_PER_S * house.loop.time()
        assert door.requests <= most, f"door {index} is hammered: {door.requests} requests"
    for unit, seen, only in house.strangers:
        assert [image(one) for one in unit.directory.live()] == [only], "a stranger's directory was written to"
        assert not seen.released, "a stranger's door was opened"
    assert not house.said.surprises, house.said.surprises[0]


def nothing_secret(lines: list[str], pins: tuple[str, ...]) -> None:
    """No PIN and no password was logged."""
    for line in lines:
        assert not any(pin in line for pin in pins), f"a PIN was logged: {line}"


# ---------------------------------------------------------------- keypad


async def enter(house: House, door: int, pin: str) -> None:
    """Somebody types a PIN: it opens for the owner's people and ours, in their time, and for nobody else."""
    unit = await house.unit(door)
    opened = press(unit, pin)
    if opened is None:
        return
    at = unit.device_time() * 1000
    who = unit.directory.find(opened)
    assert who is not None
    house.tell(f"the PIN opens door {door} for {who.get('name')!r}")
    if opened.lower() in house.doors[door].owners:
        return
    code = next((c for c in house.codes if c.ref == opened.lower() and c.device == door), None)
    assert code is not None, f"door {door} opened for an entry that nobody asked for: {opened}"
    if pin in house.doors[door].tampered:
        return
    assert any(p == pin and contains(frame, at) for p, frame in code.asked), f"{code} opened out of its time"
    if code.is_over(house.now):
        reply = await house.call("/access_codes/get", access_code_id=code.code_id)
        assert reply.status == 200, f"{code} opened when the API had said that it is gone"


def press(unit: Unit, pin: str) -> str | None:
    """Type a PIN; the UUID of whoever is let in."""
    before = unit.log.next_id
    unit.press_keys(f"{pin}*")
    for line in unit.log.events:
        if line.id >= before and line.name == "UserAuthenticated":
            return str(_decode(line.json)["params"]["uuid"])
    return None


def _decode(text: bytes) -> Any:
    import msgspec

    return msgspec.json.decode(text)


# ---------------------------------------------------------------- after quiet


async def after_quiet(house: House) -> None:
    """All faults are gone, everything is mended, time has passed: the world is as it was asked for, or says why not."""
    await house.mend()
    await house.loop.advance(60, step=STEP_S)
    before = [door.requests for door in house.doors]
    await house.loop.advance(QUIET_S - 60, step=STEP_S)
    for door, count in zip(house.doors, before, strict=True):
        assert door.requests - count < QUIET_S, f"a device in order is asked {door.requests - count} times"
    waited = QUIET_S
    while wrong := await wrongs(house):
        assert waited < LONGEST_S, f"after {waited} s of quiet: " + "; ".join(wrong)
        await house.loop.advance(600, step=STEP_S)
        waited += 600
    house.tell(f"all is well after {waited} s")
    await _attempts_have_ended(house)
    for code in house.codes:
        await _told_in_order(house, code)
    for index in range(len(house.doors)):
        await _keypad_agrees(house, index)
        await _still_serves(house, index)


async def wrongs(house: House) -> list[str]:
    """What is not as it should be."""
    while any(_is_near(house, code) for code in house.codes):
        await house.loop.advance(NEAR_MS / 1000, step=STEP_S)
    found: list[str] = []
    for index in range(len(house.doors)):
        device = await house.get("/devices/get", "device", device_id=house.device_id(index))
        if device["errors"] or not device["properties"]["online"]:
            found.append(f"door {index} is well but shows {[e['error_code'] for e in device['errors']]}")
        unit = await house.unit(index)
        expected = {c.ref for c in house.codes if c.device == index and not c.is_over(house.now)}
        reserve = await _reserve(house, unit, index, expected)
        if house.doors[index].has_pool is not None and len(reserve) != (POOL if house.doors[index].has_pool else 0):
            found.append(f"door {index} holds {len(reserve)} reserve codes")
        expected |= reserve
        for entry in unit.directory.live():
            key = entry.uuid.lower()
            if key not in house.doors[index].owners and key not in expected:
                found.append(f"door {index} holds an entry that nobody wants: {_name(house, key)}")
        for code in house.codes:
            if code.device == index:
                found += await _wrongs_of(house, unit, code)
    return found


async def _reserve(house: House, unit: Unit, index: int, known: set[str]) -> set[str]:
    """Entries that are reserve codes, as the API says."""
    found = set()
    for entry in unit.directory.live():
        key = entry.uuid.lower()
        if key not in known and key not in house.doors[index].owners:
            reply = await house.call("/access_codes/get", access_code_id=key)
            shown = reply.json["access_code"] if reply.status == 200 else {}
            if shown.get("is_backup") and shown["status"] == "set" and shown["code"] == entry.get("access.pin"):
                found.add(key)
    return found


def _name(house: House, key: str) -> str:
    return next((repr(c) for c in house.codes if c.ref == key), key)


def _is_near(house: House, code: Code) -> bool:
    return any(at is not None and abs(at - house.now) < NEAR_MS for at in code.frame) and not code.is_deleted


async def _wrongs_of(house: House, unit: Unit, code: Code) -> list[str]:
    reply = await house.call("/access_codes/get", access_code_id=code.code_id)
    if reply.status == 404:
        return [] if code.is_over(house.now) else [f"{code} is gone from the API"]
    shown = reply.json["access_code"]
    said = [one["error_code"] for one in shown["errors"]]
    if code.is_over(house.now):
        said = [one for one in said if one != "conflicting_external_modification"]
        if code.is_adopted and said == ["failed_to_remove_from_device"]:
            return []
        return [f"{code} is over but still there: {shown['status']} {said}"]
    if said:
        excuses = _excuses(unit, code)
        if code.edits or code.removals:
            said = [one for one in said if one != "conflicting_external_modification"] or said  # why it was to be set
        return [] if set(said) <= excuses else [f"{code} shows {said}; it may show {sorted(excuses)}"]
    entry = unit.directory.find(code.ref)
    if entry is None:
        return [f"{code} is not on the device and shows no error ({shown['status']})"]
    future = code.is_future(house.now)
    found = []
    if shown["status"] != ("unset" if future else "set") or shown["pending_mutations"]:
        found.append(f"{code} is on the device but shows {shown['status']} {shown['pending_mutations']}")
    if future and not shown["is_scheduled_on_device"]:
        found.append(f"{code} is on the device but not shown as scheduled")
    if not code.is_adopted:
        # Who asks for a PIN that the owner has given away already is told so. (Later, the owner may do as they like.)
        door = house.doors[code.device]
        for uuid in door.owners:
            owners = unit.directory.find(uuid)
            if (
                owners is not None
                and owners.get("access.pin") == code.pin
                and door.written_at[uuid] < code.pin_asked_at
            ):
                found.append(f"{code} was set although the owner's {owners.get('name')} has its PIN")
    return found + [f"{code} has the wrong {what} on the device" for what in _differences(entry, code)]


def _differences(entry: Entry, code: Code) -> list[str]:
    start, end = code.frame
    wanted = {
        "access.pin": code.pin,
        "name": clean_name(code.name),
        "access.validFrom": str(start // 1000) if start is not None else "0",
        "access.validTo": str(-(-end // 1000)) if end is not None else "0",
    }
    found = [f"{path}" for path, value in wanted.items() if entry.get(path, "0" if "valid" in path else "") != value]
    if not code.is_adopted and not entry.get("owner").startswith("doorward-"):
        found.append("owner")
    return found


def _excuses(unit: Unit, code: Code) -> set[str]:
    """The errors that a wanted code may show when all is well."""
    found: set[str] = set()
    for entry in unit.directory.live():
        if entry.get("access.pin") == code.pin and entry.uuid.lower() != code.ref:
            found.add("duplicate_code_on_device")
    if code.may_be_rejected:
        found.add("code_constraints_violated")
    if code.is_adopted:
        found.add("failed_to_set_on_device")
    return found


async def _attempts_have_ended(house: House) -> None:
    outcomes: dict[str, str] = {}
    for attempt_id in house.attempts:
        attempt = await house.get("/action_attempts/get", "action_attempt", action_attempt_id=attempt_id)
        outcomes[attempt_id] = attempt["status"]
        assert attempt["status"] in ("success", "error"), f"an attempt never ended: {attempt}"
        assert (attempt["error"] is not None) == (attempt["status"] == "error")
    for index, door in enumerate(house.doors):
        done = sum(outcomes.get(one or "") == "success" for one in door.unlocks)
        assert door.released >= done, f"door {index} was released {door.released} times, said to be {done} times"


async def _told_in_order(house: House, code: Code) -> None:
    """Events about a code: a life in a legal order, nothing announced twice."""
    events = await house.get("/events/list", "events", since=START, access_code_id=code.code_id)
    told = [one["event_type"].removeprefix("access_code.") for one in events]
    if code.found_as:
        # What it was before it was ours is nobody's business.
        told = told[told.index(BIRTH_OF_FOUND) :] if BIRTH_OF_FOUND in told else told
    birth = BIRTH_OF_FOUND if code.found_as else "created"
    legal = told[:1] == [birth] and told.count(birth) == 1
    for name in ("removed_from_device", "deleted"):
        legal = legal and told.count(name) <= 1
    if "deleted" in told:
        legal = legal and told[-1] == "deleted"
    is_set = False
    for name in told:
        if name == "set_on_device":
            legal = legal and not is_set
            is_set = True
        elif name in (
            # Asked for while it was being set, another time frame arrives after it: then it begins a second time.
            *("mutations_requested", "time_frame_changed"),
            *("deleted_external_to_seam", "modified_external_to_seam"),
        ):
            is_set = False
    for name, most in (("deleted_external_to_seam", code.removals), ("modified_external_to_seam", code.edits)):
        legal = legal and told.count(name) <= most
    assert legal, f"{code} had an impossible life: {told}"


async def _keypad_agrees(house: House, index: int) -> None:
    """What the API says of the codes is what the door does."""
    unit = await house.unit(index)
    pins = {c.pin for c in house.codes if c.device == index}
    for pin in sorted(pins):
        holders = [e for e in unit.directory.live() if e.get("access.pin") == pin]
        if any(e.uuid.lower() in house.doors[index].owners for e in holders):
            continue  # the owner's business
        codes = [c for c in house.codes if c.device == index and c.pin == pin and not c.is_adopted]
        may = [c for c in codes if not c.is_over(house.now) and not c.is_future(house.now)]
        good = [c for c in may if unit.directory.find(c.ref) is not None]
        await house.loop.advance(READER_S)
        if any(_is_near(house, c) for c in codes):
            continue
        opened = press(unit, pin)
        who = next((c for c in house.codes if opened is not None and c.ref == opened.lower()), None)
        if who is not None and who not in codes:
            # The PIN that the owner gave to another code's entry, which could not be set right: its error says so.
            assert pin in house.doors[index].tampered, f"door {index} opens for {who} by a PIN that nobody gave it"
            assert not who.is_over(house.now) and not who.is_future(house.now), f"{who} opens out of its time"
            continue
        assert opened is None or who in may, f"door {index} opens for {who or opened}, which is over or not yet begun"
        assert opened is not None or not good, f"door {index} does not open for {good}"


async def _still_serves(house: House, index: int) -> None:
    """After all that, a healthy device is as quick as on its first day."""
    about = {"device_id": house.device_id(index)}
    await house.loop.advance(READER_S)
    made = await house.get("/access_codes/create", "access_code", code=FRESH, name="Fresh", **about)
    await house.loop.advance(PROMPT_S)
    shown = await house.get("/access_codes/get", "access_code", access_code_id=made["access_code_id"])
    assert (shown["status"], shown["errors"]) == ("set", []), f"door {index} takes no new code: {shown}"
    unit = await house.unit(index)
    assert press(unit, FRESH) == made["access_code_id"], f"door {index} does not open for a new code"
    await house.loop.advance(PROMPT_S)
    told = await house.get("/events/list", "events", since=START, access_code_id=made["access_code_id"])
    types = [one["event_type"] for one in told]
    assert {"lock.locked", "lock.unlocked"} & set(types), f"nobody tells what happens at door {index}: {types}"
    house.doors[index].unlocks.append(None)
    before = house.doors[index].released
    attempt = await house.get("/locks/unlock_door", "action_attempt", **about)
    assert attempt["status"] == "success", f"door {index} does not unlock: {attempt}"
    assert house.doors[index].released == before + 1
    reply = await house.call("/access_codes/delete", access_code_id=made["access_code_id"])
    assert reply.status == 200, reply
    await house.loop.advance(PROMPT_S)
    assert unit.directory.find(made["access_code_id"]) is None, f"door {index} keeps a code that is to go"
