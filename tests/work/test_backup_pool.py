"""Reserve codes: kept on the device, pulled, filled up again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World, serving
from tests.work.test_codes import create, reaches

PULL = "/access_codes/pull_backup_access_code"


def at(world: World, seconds: float) -> str:
    """An instant so many seconds from now, on the minute before."""
    moment = datetime.fromtimestamp((world.clock.now() / 1000 + seconds) // 60 * 60, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def booking(world: World, **more: Any) -> str:
    """A time-bound code for three hours."""
    times = {"starts_at": at(world, -60), "ends_at": at(world, 3 * 3_600)}
    code_id = await create(world, name="Guest", **{**times, **more})
    await reaches(world, code_id, "set")
    return code_id


async def holds(world: World, count: int) -> bool:
    return len(directory.pins(await world.unit())) == count


async def conditions(world: World) -> list[str]:
    device = await world.device()
    return [one["error_code"] for one in device["errors"]] + [one["warning_code"] for one in device["warnings"]]


async def test_a_pool_is_kept_while_a_code_asks_for_it(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        plain = await booking(world)
        assert (await world.code(plain))["is_backup_access_code_available"] is False
        await world.fail(PULL, 404, "backup_access_code_not_found", access_code_id=plain)
        code_id = await booking(world, use_backup_access_code_pool=True)
        await world.eventually(lambda: holds(world, 5))
        await world.eventually(lambda: is_available(world, code_id))
        listed = (await world.call("/access_codes/list", device_id=world.devices[0]))["access_codes"]
        assert {one["access_code_id"] for one in listed} == {plain, code_id}
        assert await conditions(world) == []
        await world.call("/access_codes/delete", access_code_id=code_id)
        await world.eventually(lambda: holds(world, 1))


async def is_available(world: World, code_id: str) -> bool:
    return bool((await world.code(code_id))["is_backup_access_code_available"])


async def test_a_pulled_code_takes_the_place_of_another_and_the_pool_fills_up(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.call("/devices/update", device_id=world.devices[0], backup_access_code_pool_enabled=True)
        code_id = await booking(world)
        await world.eventually(lambda: is_available(world, code_id))
        before = set(directory.pins(await world.unit()))
        reply = await world.call(PULL, access_code_id=code_id)
        pulled, original = reply["access_code"], await world.code(code_id)
        assert reply["backup_access_code"] == pulled
        assert pulled["code"] in before and pulled["code"] != original["code"]
        assert (pulled["is_backup"], pulled["name"]) == (True, "Guest")
        assert (pulled["starts_at"], pulled["ends_at"]) == (original["starts_at"], original["ends_at"])
        assert original["pulled_backup_access_code_id"] == pulled["access_code_id"]
        assert [one["warning_code"] for one in original["warnings"]] == ["using_backup_access_code"]
        again = (await world.call(PULL, access_code_id=code_id))["access_code"]
        assert again["access_code_id"] == pulled["access_code_id"]
        assert (await world.types()).count("access_code.backup_access_code_pulled") == 1
        # The device learns of it, and gets another reserve.
        await world.eventually(lambda: holds(world, 5))
        await reaches(world, pulled["access_code_id"], "set")
        unit = await world.unit()
        entry = directory.codes(unit)[pulled["access_code_id"]]
        assert (entry["name"], entry["pin"]) == ("Guest", pulled["code"])
        assert entry["to"] == int(datetime.fromisoformat(original["ends_at"]).timestamp())
        listed = (await world.call("/access_codes/list", device_id=world.devices[0]))["access_codes"]
        assert [one["access_code_id"] for one in listed] == [code_id, pulled["access_code_id"]]
        # It ends with the booking.
        await world.pass_time(4 * 3_600, step=60)
        await world.eventually(lambda: holds(world, 3))
        await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=pulled["access_code_id"])


async def test_a_reserve_opens_the_door_while_the_server_cannot_reach_it(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.call("/devices/update", device_id=world.devices[0], backup_access_code_pool_enabled=True)
        code_id = await booking(world)
        await world.eventually(lambda: is_available(world, code_id))
        unit = await world.unit()
        unit.faults.arm("refuse")
        await world.pass_time(30)
        pulled = (await world.call(PULL, access_code_id=code_id))["access_code"]
        before = unit.log.next_id
        unit.press_keys(f"{pulled['code']}*")
        assert "UserAuthenticated" in [line.name for line in unit.log.events if line.id >= before]


async def test_who_asks_for_what_there_is_not_is_told(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        error = await world.fail(
            "/access_codes/create", 400, "invalid_input", use_backup_access_code_pool=True, **about
        )
        assert error["message"] == "Cannot use the backup pool for ongoing codes"
        ongoing = await create(world)
        await world.fail(PULL, 400, "access_code_not_time_bound", access_code_id=ongoing)
        await world.fail(PULL, 404, "access_code_not_found", access_code_id="nope")
        await world.fail(
            "/access_codes/update", 400, "invalid_input", access_code_id=ongoing, use_backup_access_code_pool=True
        )


async def test_a_pool_that_cannot_be_filled_is_told_on_the_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("directory-full")
        await world.call("/devices/update", device_id=world.devices[0], backup_access_code_pool_enabled=True)
        await world.eventually(lambda: has(world, "empty_backup_access_code_pool"))
        unit.faults.clear()
        await world.eventually(lambda: holds(world, 3), step=5)
        await world.eventually(lambda: is_well(world))
        await world.call("/devices/update", device_id=world.devices[0], backup_access_code_pool_enabled=False)
        await world.eventually(lambda: holds(world, 0))
        assert await conditions(world) == []


async def has(world: World, code: str) -> bool:
    return code in await conditions(world)


async def is_well(world: World) -> bool:
    return await conditions(world) == []


async def test_a_restart_neither_loses_nor_doubles_the_pool(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        clock, devices = world.clock, world.devices
        await world.call("/devices/update", device_id=world.devices[0], backup_access_code_pool_enabled=True)
        await world.eventually(lambda: holds(world, 3))
        pins = directory.pins(await world.unit())
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = devices
        await world.watched()
        await world.pass_time(120, step=5)
        assert directory.pins(await world.unit()) == pins
