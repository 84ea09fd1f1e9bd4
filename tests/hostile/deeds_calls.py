"""What callers of the API do: codes and commands. A refusal must be one that the model expects."""

import asyncio
from dataclasses import dataclass
from typing import Any

from doorward.wire.time import iso

from .house import House
from .model import Code, Frame, overlap

MINUTE_MS = 60_000

Minutes = tuple[int, int] | None
"""Minutes from now to a code's start, and its length; None: ongoing."""


def frame_of(house: House, minutes: Minutes) -> Frame:
    """A time frame on whole minutes that has not ended yet."""
    if minutes is None:
        return None, None
    now = -(-house.now // MINUTE_MS) * MINUTE_MS
    start = now + minutes[0] * MINUTE_MS
    return start, max(start, now) + minutes[1] * MINUTE_MS


def times_of(frame: Frame) -> dict[str, str]:
    """The frame as a call says it."""
    start, end = frame
    return {} if start is None or end is None else {"starts_at": iso(start), "ends_at": iso(end)}


def clashes(
    house: House, door: int, pin: str, frame: Frame, but: Code | None = None, *, even_over: bool = False
) -> bool:
    """Whether the API must refuse it; `even_over`: whether it may, as one that is over or gone may not be known so."""
    return (even_over and pin in house.doors[door].owners_pins) or any(
        c.device == door
        and c is not but
        and c.pin == pin
        and overlap(c.frame, frame)
        and not (c.is_deleted if even_over else c.is_over(house.now))
        for c in house.codes
    )


async def judge_rejection(house: House, code: Code) -> None:
    """Whether the device may refuse this revision for good."""
    unit = await house.unit(code.device)
    code.may_be_rejected = any(fault.kind == "duplicate-pin" for fault in unit.faults.armed())


def pick(house: House, index: int) -> Code | None:
    """One of the codes that are wanted; from 4 on, one whose entry is the owner's, if there is any."""
    codes = [c for c in house.codes if not c.is_deleted]
    if index >= 4:
        codes = [c for c in codes if c.is_adopted] or codes
    return codes[index % len(codes)] if codes else None


async def die(house: House, path: str, body: dict[str, Any], turns: int) -> None:
    """Make a call, and have the server die so many turns of its loop later."""
    house.keep(house.world.raw(path, body))
    for _ in range(turns):
        await asyncio.sleep(0)
    await house.stop(abrupt=True)
    await house.start()


@dataclass(frozen=True)
class Create:
    """Ask for a code. `dies`: the server does, so many turns of its loop later."""

    door: int
    pin: str
    minutes: Minutes = None
    dies: int | None = None

    async def do(self, house: House) -> None:
        frame, number = frame_of(house, self.minutes), house.number()
        name = f"Guest {number}"
        body = {"device_id": house.device_id(self.door), "code": self.pin, "name": name, **times_of(frame)}
        if self.dies is not None:
            await die(house, "/access_codes/create", body, self.dies)
            found = await house.get("/access_codes/list", "access_codes", device_id=house.device_id(self.door))
            made = next((one for one in found if one["name"] == name), None)
            house.tell(f"code {number} was {'made' if made else 'never made'}")
            if made is None:
                return
        else:
            reply = await house.call("/access_codes/create", **body)
            house.tell(f"create code {number}: {reply.status}")
            if reply.status != 200:
                kind = reply.error["type"]
                if kind == "duplicate_access_code":
                    assert clashes(house, self.door, self.pin, frame, even_over=True), reply
                else:
                    assert kind == "device_type_not_supported", reply  # it could not be asked what it can do
                return
            made = reply.json["access_code"]
            house.attempts.append(reply.json["action_attempt"]["action_attempt_id"])
        assert not clashes(house, self.door, self.pin, frame), made
        code_id = made["access_code_id"]
        code = Code(
            number, self.door, code_id, name, self.pin, frame, asked=[(self.pin, frame)], pin_asked_at=house.now
        )
        await judge_rejection(house, code)
        house.codes.append(code)


@dataclass(frozen=True)
class Update:
    """Ask for another PIN, time or name. `minutes` False: the time stays."""

    index: int
    pin: str | None = None
    minutes: Minutes | bool = False
    rename: bool = False
    dies: int | None = None

    async def do(self, house: House) -> None:
        code = pick(house, self.index)
        if code is None:
            return
        keeps = isinstance(self.minutes, bool)
        frame = code.frame if isinstance(self.minutes, bool) else frame_of(house, self.minutes)
        pin, name = self.pin or code.pin, f"{code.name}." if self.rename else code.name
        body: dict[str, Any] = {"access_code_id": code.code_id, "code": pin, "name": name, **times_of(frame)}
        if frame[0] is None:
            body["type"] = "ongoing"
        code.asked.append((pin, frame))
        if self.dies is not None:
            await die(house, "/access_codes/update", body, self.dies)
            reply = await house.call("/access_codes/get", access_code_id=code.code_id)
            shown = reply.json["access_code"] if reply.status == 200 else {}
            if (shown.get("code"), shown.get("name")) != (pin, name) or (
                shown.get("ends_at") != times_of(frame).get("ends_at")
            ):
                house.tell(f"{code} stayed as it was")
                return
            house.tell(f"{code} was changed")
        else:
            reply = await house.call("/access_codes/update", **body)
            house.tell(f"update {code}: {reply.status}")
            if reply.status != 200:
                over, kind = code.is_over(house.now), reply.error["type"]
                assert (
                    (kind == "access_code_not_found" and over)
                    or (kind == "invalid_input" and over and keeps)
                    or (
                        kind == "duplicate_access_code"
                        and clashes(house, code.device, pin, frame, code, even_over=True)
                    )
                    or kind == "device_type_not_supported"
                ), reply
                return
            house.attempts.append(reply.json["action_attempt"]["action_attempt_id"])
        assert not clashes(house, code.device, pin, frame, code), reply
        changed = (pin, frame, name) != (code.pin, code.frame, code.name)
        if pin != code.pin:
            code.pin_asked_at = house.now
        code.pin, code.frame, code.name = pin, frame, name
        if changed:
            await judge_rejection(house, code)


@dataclass(frozen=True)
class Delete:
    """Ask for a code to be gone."""

    index: int
    dies: int | None = None

    async def do(self, house: House) -> None:
        code = pick(house, self.index)
        if code is None:
            return
        body = {"access_code_id": code.code_id}
        if self.dies is not None:
            await die(house, "/access_codes/delete", body, self.dies)
            reply = await house.call("/access_codes/get", **body)
            code.is_deleted = reply.status == 404 or reply.json["access_code"]["status"] == "removing"
            house.tell(f"{code} was {'given up' if code.is_deleted else 'kept'}")
            return
        reply = await house.call("/access_codes/delete", **body)
        house.tell(f"delete {code}: {reply.status}")
        if reply.status != 200:
            assert reply.status == 404 and code.is_over(house.now), reply
            return
        code.is_deleted = True
        house.attempts.append(reply.json["action_attempt"]["action_attempt_id"])


@dataclass(frozen=True)
class Move:
    """Unlock or lock a door."""

    door: int
    unlock: bool = True
    dies: int | None = None

    async def do(self, house: House) -> None:
        path = "/locks/unlock_door" if self.unlock else "/locks/lock_door"
        body = {"device_id": house.device_id(self.door)}
        tries = house.doors[self.door].unlocks
        if self.unlock:
            tries.append(None)
        if self.dies is not None:
            await die(house, path, body, self.dies)
            return
        reply = await house.call(path, **body)
        assert reply.status == 200, reply
        attempt = reply.json["action_attempt"]
        house.tell(f"{path} of door {self.door}: {attempt['status']} {(attempt['error'] or {}).get('type', '')}")
        house.attempts.append(attempt["action_attempt_id"])
        if self.unlock:
            tries[-1] = attempt["action_attempt_id"]
