"""Linked access codes: one PIN for several doors, all of them or none."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World, serving
from tests.work.test_codes import chain, create, hours, reaches

from doorward.store import devices as device_store

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def create_multiple(world: World, **fields: Any) -> list[Any]:
    made: list[Any] = (await world.call("/access_codes/create_multiple", device_ids=world.devices, **fields))[
        "access_codes"
    ]
    return made


async def count(world: World) -> int:
    row = await world.core.db.read.one("SELECT COUNT(*) FROM access_codes")
    assert row is not None
    return int(row[0])


async def held(world: World) -> list[list[str]]:
    """The PINs on each device."""
    return [directory.pins(await world.unit(index)) for index in range(len(world.devices))]


async def test_one_pin_opens_all_doors(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        made = await create_multiple(world, name="Cleaner", **hours(world, -1, 5))
        assert [one["device_id"] for one in made] == world.devices
        (pin,) = {one["code"] for one in made}
        (key,) = {one["common_code_key"] for one in made}
        assert key.startswith("auto_set_by_create_multiple_")
        for one in made:
            await reaches(world, one["access_code_id"], "set")
            assert await chain(world, one["access_code_id"]) == ["created", "set_on_device"]
        assert await held(world) == [[pin]] * 3

        frame = hours(world, -1, 9)
        await world.call("/access_codes/update_multiple", common_code_key=key, name="Cleaners", **frame)
        await world.pass_time(5)
        for index, one in enumerate(made):
            shown = await world.code(one["access_code_id"])
            assert (shown["name"], shown["ends_at"], shown["pending_mutations"]) == ("Cleaners", frame["ends_at"], [])
            (entry,) = directory.codes(await world.unit(index)).values()
            assert entry["name"] == "Cleaners"

        await world.call("/access_codes/delete", access_code_id=made[1]["access_code_id"])
        await reaches(world, made[1]["access_code_id"], None)
        assert await held(world) == [[pin], [], [pin]]


async def test_a_pin_that_was_given_makes_no_common_key(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        made = await create_multiple(world, code="73910486")
        assert [(one["code"], one["common_code_key"]) for one in made] == [("73910486", None)] * 2
        for one in made:
            await reaches(world, one["access_code_id"], "set")
        assert await held(world) == [["73910486"]] * 2


async def test_where_the_pin_is_taken_nothing_is_created_or_another_pin_is(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await create(world, code="73910486")
        body = {"device_ids": world.devices, "code": "73910486"}
        await world.fail("/access_codes/create_multiple", 409, "duplicate_access_code", **body)
        assert await count(world) == 1
        made = await create_multiple(world, code="73910486", behavior_when_code_cannot_be_shared="create_random_code")
        assert made[0]["code"] != "73910486" and made[1]["code"] == "73910486"


async def test_one_device_that_cannot_is_enough_to_create_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        path, devices = "/access_codes/create_multiple", world.devices
        await world.fail(path, 404, "device_not_found", device_ids=[*devices, UNKNOWN])
        await world.fail(path, 400, "invalid_input", device_ids=[devices[0], devices[0]])
        await world.fail(path, 400, "invalid_input", device_ids=[])
        await world.fail(path, 400, "invalid_input", device_ids=devices, code="123456789012")
        await world.fail(path, 400, "invalid_input", device_ids=devices, ends_at="2030-01-01T00:00:00Z")
        await world.fail("/access_codes/update_multiple", 404, "access_code_not_found", common_code_key="no such")
        assert await count(world) == 0


async def test_devices_without_a_length_in_common_share_no_pin(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await world.pass_time(2)
        for device_id, lengths in zip(world.devices, ("[4,5]", "[7,8]"), strict=True):
            row = await device_store.get(world.core.db.read, world.workspace.workspace_id, device_id)
            assert row is not None
            before = row.report_json[row.report_json.index('"code_lengths":') :].partition("]")[0] + "]"
            report = row.report_json.replace(before, f'"code_lengths":{lengths}')

            async def store(tx: Any, row: Any = row, report: str = report) -> None:
                await device_store.change(tx, row, report_json=report)

            await world.core.db.write(store)
        await world.fail("/access_codes/create_multiple", 400, "invalid_input", device_ids=world.devices)
        assert await count(world) == 0
        made = await create_multiple(world, behavior_when_code_cannot_be_shared="create_random_code")
        assert [len(one["code"]) for one in made] == [4, 7]
        assert made[0]["common_code_key"] == made[1]["common_code_key"] is not None


async def test_two_callers_with_devices_in_another_order_both_get_theirs(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        orders = [world.devices, world.devices[::-1]] * 5
        replies = await asyncio.gather(
            *(world.raw("/access_codes/create_multiple", {"device_ids": order}) for order in orders)
        )
        assert [reply.status for reply in replies] == [200] * 10
        pins = [[one["code"] for one in reply.json["access_codes"]] for reply in replies]
        assert len({pin for common in pins for pin in common}) == 10, "each has a PIN of its own, the same on all"
        await world.pass_time(5)
        assert await held(world) == [sorted(common[0] for common in pins)] * 3


async def test_a_code_that_joins_a_common_key_gets_its_pin(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        first = await world.code(await create(world, common_code_key="staff"))
        other = {"device_id": world.devices[1], "common_code_key": "staff"}
        second = (await world.call("/access_codes/create", **other))["access_code"]
        assert second["code"] == first["code"]
        third = (await world.call("/access_codes/create", **other))["access_code"]
        assert third["code"] != first["code"], "that device has the PIN already"
