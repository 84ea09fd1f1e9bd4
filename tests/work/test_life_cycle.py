"""A code's life as Seam documents it: every way of asking for one, on devices that are there and that are not."""

import dataclasses
import itertools
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support import directory
from tests.support.server import World, serving, until
from tests.work.test_codes import chain, create, errors, hours, reaches, status

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import Unit
from doorward.providers.my_2n.emulator.fields import Schema

WAYS = [
    {"prefer_native_scheduling": native, "attempt_for_offline_device": offline, "is_external_modification_allowed": may}
    for native, offline, may in itertools.product((True, False), repeat=3)
]


def opens(unit: Unit, pin: str) -> bool:
    """Somebody types it."""
    before = unit.log.next_id
    unit.press_keys(f"{pin}*")
    return "UserAuthenticated" in [line.name for line in unit.log.events if line.id >= before]


def warnings(code: Any) -> list[str]:
    return [one["warning_code"] for one in code["warnings"]]


def mutations(code: Any) -> list[str]:
    return [one["mutation_code"] for one in code["pending_mutations"]]


async def told(world: World, code_id: str) -> list[str]:
    """What was said about a code, less what was done with it at the door."""
    return [one for one in await chain(world, code_id) if not one.startswith("lock.")]


async def test_every_way_of_asking_a_device_that_is_there(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        times = hours(world, 2, 5)
        made: list[tuple[dict[str, bool], str, str]] = []
        for way in WAYS:
            begun = await create(world, **way)
            later = await create(world, **way, **times)
            made.append((way, begun, later))
            shown = await world.code(later)
            assert (shown["status"], mutations(shown)) == (
                "unset",
                ["creating" if way["prefer_native_scheduling"] else "deferring_creation"],
            )
        await world.pass_time(10)
        for way, begun, later in made:
            now, then = await world.code(begun), await world.code(later)
            assert (now["status"], mutations(now), errors(now), warnings(now)) == ("set", [], [], [])
            assert await told(world, begun) == ["created", "set_on_device"]
            is_native = way["prefer_native_scheduling"]
            assert (then["status"], then["is_scheduled_on_device"]) == ("unset", is_native)
            assert (later in directory.codes(unit)) is is_native
            assert await told(world, later) == ["created", *(["scheduled_on_device"] if is_native else [])]
            assert not opens(unit, then["code"]) and opens(unit, now["code"])
        await world.pass_time(2 * 3_600 + 60, step=30)
        for _way, _, later in made:
            then = await world.code(later)
            assert (then["status"], mutations(then), errors(then)) == ("set", [], [])
            assert opens(unit, then["code"])
            assert await told(world, later) == ["created", "scheduled_on_device", "set_on_device"]
        # Somebody removes them all at the device: those that may be are left so.
        for _, begun, _ in made:
            await directory.remove(unit, begun)
        await world.pass_time(120, step=5)
        for way, begun, _ in made:
            now = await world.code(begun)
            if way["is_external_modification_allowed"]:
                assert (now["status"], warnings(now)) == ("unset", ["external_modification_in_effect"])
                assert begun not in directory.codes(unit)
            else:
                assert (now["status"], errors(now), warnings(now)) == ("set", [], [])
                assert begun in directory.codes(unit)
        await world.pass_time(4 * 3_600, step=60)
        for _, begun, later in made:
            assert await status(world, later) is None and later not in directory.codes(unit)
            assert (await told(world, later))[-2:] == ["removed_from_device", "deleted"]
            await world.call("/access_codes/delete", access_code_id=begun)
        await world.pass_time(30)
        assert not directory.codes(unit)
        for _, begun, _ in made:
            assert (await told(world, begun))[-1] == "deleted"


async def test_every_way_of_asking_a_device_that_is_not_there(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("refuse")
        await create(world)  # somebody notices
        await world.eventually(lambda: is_offline(world))
        times = hours(world, 1, 5)
        made = []
        for way in WAYS:
            about = {"device_id": world.devices[0], **way}
            if not way["attempt_for_offline_device"]:
                await world.fail("/access_codes/create", 400, "device_offline", **about)
                await world.fail("/access_codes/create", 400, "device_offline", **about, **times)
                continue
            made.append((await create(world, **way), await create(world, **way, **times)))
        await world.pass_time(60, step=5)
        for begun, later in made:
            now, then = await world.code(begun), await world.code(later)
            assert (now["status"], mutations(now), errors(now)) == ("setting", ["creating"], ["device_disconnected"])
            assert then["status"] == "unset" and errors(then) == ["device_disconnected"]
            change = {"access_code_id": begun, "attempt_for_offline_device": False, "name": "Other"}
            await world.fail("/access_codes/update", 400, "device_offline", **change)
        await world.pass_time(2 * 3_600, step=60)
        for begun, later in made:
            then = await world.code(later)
            assert then["status"] == "setting", "its time has come, and the device does not have it"
            for one in (then, await world.code(begun)):
                assert warnings(one) == ["delay_in_setting_on_device"]
            assert await told(world, later) == ["created", "delay_in_setting_on_device"]
        unit.faults.clear()
        for code_id in itertools.chain(*made):
            shown = await reaches(world, code_id, "set")
            assert (errors(shown), warnings(shown)) == ([], [])
            assert opens(unit, shown["code"])
            assert await told(world, code_id) == ["created", "delay_in_setting_on_device", "set_on_device"]


async def is_offline(world: World) -> bool:
    return not (await world.device())["properties"]["online"]


async def test_a_code_that_should_be_gone_and_is_not_is_told_to_be_late(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world)
        await reaches(world, code_id, "set")
        unit.faults.arm("refuse")
        await world.call("/access_codes/delete", access_code_id=code_id)
        await world.pass_time(1_500, step=10)
        shown = await world.code(code_id)
        assert (shown["status"], warnings(shown)) == ("removing", ["delay_in_removing_from_device"])
        assert opens(unit, shown["code"]), "it is honest: the door still opens"
        unit.faults.clear()
        await reaches(world, code_id, None)
        assert not directory.codes(unit)


# ---------------------------------------------------------------- a device that keeps no schedules


async def without_schedules(world: World) -> Unit:
    """The first intercom is of a model whose directory has PINs and no validity."""
    unit = await world.unit_to_be()
    fields = unit.model.directory_fields - {"access.validFrom", "access.validTo"}
    unit.directory.schema = Schema(dataclasses.replace(unit.model, directory_fields=fields))
    await world.connect()
    return unit


async def test_a_device_without_schedules_has_a_code_exactly_in_its_time(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await without_schedules(world)
        times = hours(world, 1, 2)
        code_id = await create(world, code="483759", **times)
        shown = await world.code(code_id)
        assert (shown["status"], mutations(shown)) == ("unset", ["deferring_creation"])
        assert shown["pending_mutations"][0]["scheduled_at"] == shown["starts_at"]
        start = datetime.fromisoformat(times["starts_at"]).timestamp() * 1000
        await world.pass_time((start - world.clock.now()) / 1000 - 1, step=30)
        assert not directory.codes(unit) and await told(world, code_id) == ["created"]
        await world.pass_time(2)
        assert opens(unit, "483759")
        assert await told(world, code_id) == ["created", "set_on_device"]
        assert directory.codes(unit)[code_id] | {"owner": ""} == {
            "name": "Access code",
            "pin": "483759",
            "from": 0,
            "to": 0,
            "owner": "",
        }
        await world.pass_time(3_598, step=20)  # a read in between shows no times, and that is as it should be
        await world.pass_time(3)
        await until(lambda: not directory.codes(unit))
        assert await status(world, code_id) is None


async def test_a_code_that_is_moved_to_later_is_taken_off_a_device_without_schedules(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await without_schedules(world)
        code_id = await create(world, code="483759", **hours(world, -1, 5))
        await reaches(world, code_id, "set")
        await world.call("/access_codes/update", access_code_id=code_id, **hours(world, 1, 2))
        await world.pass_time(3)
        assert not opens(unit, "483759") and not directory.codes(unit)
        shown = await world.code(code_id)
        assert (shown["status"], mutations(shown), errors(shown)) == ("unset", ["deferring_creation"], [])
        await world.pass_time(3_700, step=20)
        assert opens(unit, "483759")
        assert await told(world, code_id) == [
            "created",
            "set_on_device",
            "mutations_requested",
            "removed_from_device",
            "set_on_device",
        ]


async def test_a_server_that_was_down_at_the_end_removes_first_thing_where_no_schedule_is_kept(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await without_schedules(world)
        clock, devices = world.clock, world.devices
        over = await create(world, code="483759", **hours(world, -1, 1))
        await reaches(world, over, "set")
    clock._now += 2 * 3_600_000
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = devices
        unit = await world.unit_to_be()
        await world.pass_time(2, step=0.1)
        assert not opens(unit, "483759")
        assert await status(world, over) is None


# ---------------------------------------------------------------- time


# The day in 2027 on which each zone's clocks change, and in which hour of the day they do.
EDGES = [
    ("Europe/Prague", "2027-03-28T02:30:00"),
    ("America/New_York", "2027-11-07T01:30:00"),
    ("Australia/Lord_Howe", "2027-04-04T01:45:00"),
    ("America/Santiago", "2027-09-04T23:30:00"),
    ("Pacific/Chatham", "2027-09-26T02:50:00"),
]


@pytest.mark.parametrize(("zone", "edge"), EDGES)
async def test_a_code_opens_between_its_instants_when_clocks_change(tmp_path: Path, zone: str, edge: str) -> None:
    local = datetime.fromisoformat(edge).replace(tzinfo=ZoneInfo(zone))
    middle = round(local.timestamp())
    before, after = (datetime.fromtimestamp(middle + 4 * 3_600 * sign, ZoneInfo(zone)) for sign in (-1, 1))
    assert before.utcoffset() != after.utcoffset(), "no edge"
    clock = ManualClock((middle - 5 * 3_600) * 1000)
    async with serving(tmp_path, None, clock) as world:
        await world.connect()
        unit = await world.watched()
        unit.time.set_zone(zone)
        code_id = await create(world, code="483759", starts_at=before.isoformat(), ends_at=after.isoformat())
        await world.eventually(lambda: is_scheduled(world, code_id))
        found = []
        for at in (-4 * 3_600 - 1, -4 * 3_600 + 1, -1_800, 1_800, 4 * 3_600 - 1, 4 * 3_600 + 1):
            await clock.advance(middle + at - clock.now() / 1000)
            found.append(opens(unit, "483759"))
        assert found == [False, True, True, True, True, False]


async def is_scheduled(world: World, code_id: str) -> bool:
    return bool((await world.code(code_id))["is_scheduled_on_device"])


# ---------------------------------------------------------------- attempts about what is put off


async def attempt_of(world: World, reply: Any) -> Any:
    return await world.attempt(reply["action_attempt"]["action_attempt_id"])


async def test_an_attempt_to_set_a_code_later_has_succeeded_when_that_is_taken_note_of(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0], "prefer_native_scheduling": False}
        reply = await world.call("/access_codes/create", **about, **hours(world, 2, 5))
        code_id = reply["access_code"]["access_code_id"]
        assert (await attempt_of(world, reply))["status"] == "success"
        reply = await world.call("/access_codes/update", access_code_id=code_id, **hours(world, 3, 5))
        assert (await attempt_of(world, reply))["status"] == "success"
        await world.pass_time(120, step=5)
        assert mutations(await world.code(code_id)) == ["deferring_creation"]


async def test_an_attempt_to_move_a_code_to_later_ends_when_the_device_has_let_go(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await without_schedules(world)
        code_id = await create(world, code="483759", **hours(world, -1, 5))
        await reaches(world, code_id, "set")
        unit.faults.arm("http-500", path="dir/delete", times=2)
        reply = await world.call("/access_codes/update", access_code_id=code_id, **hours(world, 2, 3))

        async def has_failed() -> bool:
            return errors(await world.code(code_id)) == ["failed_to_remove_from_device"]

        await world.eventually(has_failed)
        await world.eventually(lambda: not directory.codes(unit))
        shown = await world.code(code_id)
        assert (shown["status"], errors(shown), mutations(shown)) == ("unset", [], ["deferring_creation"])
        reply = await world.call("/access_codes/update", access_code_id=code_id, **hours(world, -1, 5))
        await reaches(world, code_id, "set")
        reply = await world.call("/access_codes/update", access_code_id=code_id, **hours(world, 2, 3))
        await world.pass_time(90)
        assert (await attempt_of(world, reply))["status"] == "success"
