"""What callers of the API do with a device's backup pool."""

from dataclasses import dataclass

from .checks import START
from .deeds_calls import die, judge_rejection, pick
from .house import House
from .model import Code


@dataclass(frozen=True)
class SwitchPool:
    """Have a device keep reserve codes, or none. `dies`: the server does, so many turns of its loop later."""

    door: int
    is_on: bool
    dies: int | None = None

    async def do(self, house: House) -> None:
        body = {"device_id": house.device_id(self.door), "backup_access_code_pool_enabled": self.is_on}
        door = house.doors[self.door]
        if self.dies is not None:
            await die(house, "/devices/update", body, self.dies)
            device = await house.get("/devices/get", "device", device_id=house.device_id(self.door))
            door.has_pool = device["properties"].get("backup_access_code_pool_enabled")
            return
        reply = await house.call("/devices/update", **body)
        assert reply.status == 200, reply
        door.has_pool = self.is_on


@dataclass(frozen=True)
class Pull:
    """Ask for a reserve code in place of another."""

    index: int
    dies: int | None = None

    async def do(self, house: House) -> None:
        code = pick(house, self.index)
        if code is None:
            return
        body = {"access_code_id": code.code_id}
        if self.dies is not None:
            await die(house, "/access_codes/pull_backup_access_code", body, self.dies)
        shown = await house.call("/access_codes/get", **body)
        had = shown.json["access_code"]["pulled_backup_access_code_id"] if shown.status == 200 else None
        if self.dies is None:
            reply = await house.call("/access_codes/pull_backup_access_code", **body)
            house.tell(f"pull a reserve for {code}: {reply.status}")
            if reply.status != 200:
                kinds = {
                    "access_code_not_time_bound": code.frame[1] is None,
                    "access_code_not_found": code.is_over(house.now),
                    "access_code_being_removed": code.is_over(house.now),
                    "backup_access_code_not_found": True,
                    "invalid_input": code.is_backup,
                }
                assert kinds.get(reply.error["type"]), reply
                return
            pulled_id = reply.json["access_code"]["access_code_id"]
            assert had in (None, pulled_id) or any(c.code_id == had and c.is_deleted for c in house.codes), reply
        else:
            pulled_id = had
        if pulled_id is None or any(c.code_id == pulled_id for c in house.codes):
            return
        pulled = await house.get("/access_codes/get", "access_code", access_code_id=pulled_id)
        assert pulled["is_backup"] and pulled["name"] == code.name, pulled
        # Until the device learns of its times it knows it as ongoing.
        asked = [(pulled["code"], (None, None)), (pulled["code"], code.frame)]
        new = Code(house.number(), code.device, pulled_id, code.name, pulled["code"], code.frame, asked=asked)
        new.is_backup = True
        # What happened to it before is nobody's business, also when it is told later.
        told = await house.get("/events/list", "events", since=START, access_code_id=pulled_id)
        new.removals = sum(one["event_type"] == "access_code.deleted_external_to_seam" for one in told)
        new.removals += (await house.unit(code.device)).directory.find(pulled_id) is None
        await judge_rejection(house, new)
        house.codes.append(new)
