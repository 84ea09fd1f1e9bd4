"""Exactly what is told of access codes, and in which order; as in `test_event_order`."""

from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World, serving
from tests.support.told import Told
from tests.work.test_codes import create, hours, reaches
from tests.work.test_found_codes import CONVERT, DELETE, found

UPDATE, REMOVE = "/access_codes/update", "/access_codes/delete"


async def one_door(world: World) -> Any:
    """Its intercom."""
    await world.connect()
    unit = await world.watched()
    await world.pass_time(6)
    return unit


async def guest(world: World, told: Told, **fields: Any) -> str:
    """A code of that name."""
    code = await create(world, name="Guest", **fields)
    told.name(guest=code)
    return code


async def test_an_ongoing_code(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await one_door(world)
        told = await Told.begin(world)
        code = await guest(world, told, code="4711")
        life = ["access_code.created door-1 guest", "access_code.set_on_device door-1 guest 4711"]
        await told.are(*life)
        await world.call(REMOVE, access_code_id=code)
        await world.raw(REMOVE, {"access_code_id": code})
        await told.are(*life, "access_code.removed_from_device door-1 guest", "access_code.deleted door-1 guest 4711")


async def test_a_code_for_later(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        told = await Told.begin(world)
        await guest(world, told, code="4711", **hours(world, 1, 2))
        life = ["access_code.created door-1 guest", "access_code.scheduled_on_device door-1 guest 4711"]
        await told.are(*life)
        unit.press_keys("4711*")  # too early
        life.append("lock.access_denied door-1 guest expired_code")
        await told.are(*life)
        await world.pass_time(3_700, step=30)
        life.append("access_code.set_on_device door-1 guest 4711")
        await told.are(*life)
        await world.pass_time(3_600, step=30)
        life += ["access_code.removed_from_device door-1 guest", "access_code.deleted door-1 guest 4711"]
        await told.are(*life)


async def test_a_code_that_is_given_up_before_its_time(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await one_door(world)
        told = await Told.begin(world)
        code = await guest(world, told, code="4711", prefer_native_scheduling=False, **hours(world, 1, 2))
        await world.pass_time(6)
        await world.call(REMOVE, access_code_id=code)
        # The device never had it.
        await told.are("access_code.created door-1 guest", "access_code.deleted door-1 guest 4711")


async def test_a_code_that_is_changed(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await one_door(world)
        code = await create(world, code="4711", name="Guest")
        await reaches(world, code, "set")
        asked, changed = "access_code.mutations_requested door-1 guest", "access_code.changed door-1 guest"
        times = "access_code.time_frame_changed door-1 guest"
        for wish, lines in (
            ({"code": "4812"}, [f"{asked} updating_code", changed, "access_code.code_changed door-1 guest 4711→4812"]),
            ({"name": "Jane"}, [f"{asked} updating_name", changed, "access_code.name_changed door-1 guest Guest→Jane"]),
            (hours(world, -1, 5), [f"{asked} updating_time_frame", changed, times]),
            (
                {"code": "4913", "name": "Joe", "type": "ongoing"},
                [
                    f"{asked} updating_name updating_code updating_time_frame",
                    changed,
                    "access_code.name_changed door-1 guest Jane→Joe",
                    "access_code.code_changed door-1 guest 4812→4913",
                    times,
                ],
            ),
            ({"name": "Joe"}, []),
            # Moved to later: it is set again when its new time begins.
            (hours(world, 2, 5), [f"{asked} updating_time_frame", changed, times]),
        ):
            told = await Told.begin(world)
            told.name(guest=code)
            await world.call(UPDATE, access_code_id=code, **wish)
            await told.are(*lines)
        assert (await world.code(code))["status"] == "unset"
        told = await Told.begin(world)
        told.name(guest=code)
        await world.call(UPDATE, access_code_id=code, **hours(world, -1, 5))
        set_again = "access_code.set_on_device door-1 guest 4913"
        await told.are(f"{asked} updating_time_frame", changed, times, set_again)
        (moved,) = [one for one in await told.events() if one["event_type"].endswith("time_frame_changed")]
        assert moved["from"] != moved["to"] and moved["to"] == hours(world, -1, 5)


async def test_a_code_for_a_device_that_is_away(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        unit.pull_plug()
        await world.pass_time(20)
        assert not (await world.device())["properties"]["online"]
        told = await Told.begin(world)
        await guest(world, told, code="4711")
        away = "device:device_disconnected access_code:delay_in_setting_on_device"
        life = ["access_code.created door-1 guest", f"access_code.delay_in_setting_on_device door-1 guest {away}"]
        await world.pass_time(1_500, step=10)
        await told.are(*life)
        unit.plug_in()
        await told.of("guest", *life, "access_code.set_on_device door-1 guest 4711")
        assert sorted(set(await told.lines()) - set(life)) == [
            "access_code.set_on_device door-1 guest 4711", "device.connected door-1",
        ]  # fmt: skip


async def test_a_code_that_cannot_be_removed(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        code = await create(world, code="4711")
        await reaches(world, code, "set")
        unit.faults.arm("http-500", path="dir/delete")
        told = await Told.begin(world)
        told.name(guest=code)
        await world.call(REMOVE, access_code_id=code)
        refused = "access_code:failed_to_remove_from_device"
        await world.pass_time(1_500, step=5)
        life = [
            f"access_code.failed_to_remove_from_device door-1 guest {refused}",
            f"access_code.delay_in_removing_from_device door-1 guest {refused} "
            "access_code:delay_in_removing_from_device",
        ]
        await told.are(*life)
        unit.faults.clear()
        life += ["access_code.removed_from_device door-1 guest", "access_code.deleted door-1 guest 4711"]
        await told.are(*life)


async def test_a_code_that_can_never_be_set(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        unit.faults.arm("directory-full")
        told = await Told.begin(world)
        code = await guest(world, told, code="4711")
        full = "access_code:no_space_for_access_code_on_device"
        await world.pass_time(1_500, step=5)
        life = [
            "access_code.created door-1 guest",
            f"access_code.failed_to_set_on_device door-1 guest {full}",
            f"access_code.delay_in_setting_on_device door-1 guest {full} access_code:delay_in_setting_on_device",
        ]
        await told.are(*life)
        await world.call(REMOVE, access_code_id=code)
        await told.are(*life, "access_code.deleted door-1 guest 4711")


# ---------------------------------------------------------------- at the device


async def test_somebody_meddles_with_a_code(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        code = await create(world, code="4711", name="Guest")
        await reaches(world, code, "set")
        await world.pass_time(70, step=5)
        changed, removed = (f"access_code.{what}_external_to_seam door-1 guest" for what in ("modified", "deleted"))
        told = await Told.begin(world)
        told.name(guest=code)
        await directory.edit(unit, code, access={"pin": "9999"})
        # It is set again. That it is as it was, is no change.
        await told.are(changed)
        assert directory.pins(unit) == ["4711"]
        await world.pass_time(70, step=5)
        told = await Told.begin(world)
        told.name(guest=code)
        await directory.remove(unit, code)
        await told.are(removed, "access_code.set_on_device door-1 guest 4711")
        # It may be changed at the device.
        await world.call(UPDATE, access_code_id=code, is_external_modification_allowed=True)
        await world.pass_time(70, step=5)
        told = await Told.begin(world)
        told.name(guest=code)
        await directory.edit(unit, code, access={"pin": "9999"})
        await told.are(changed)
        assert (await world.code(code))["code"] == "9999"
        told = await Told.begin(world)
        told.name(guest=code)
        await directory.remove(unit, code)
        await told.are(removed)
        await world.call(REMOVE, access_code_id=code)
        await told.are(removed, "access_code.deleted door-1 guest 9999")


async def test_something_else_keeps_changing_a_code(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        code = await create(world, code="4711")
        await reaches(world, code, "set")
        told = await Told.begin(world)
        told.name(guest=code)
        changed = "access_code.modified_external_to_seam door-1 guest"
        detected = "device.third_party_integration_detected door-1"
        for _ in range(60):
            if directory.pins(unit) == ["4711"]:
                await directory.edit(unit, code, access={"pin": "9999"})
            await world.pass_time(5, step=5)
        life = [changed, changed, changed, detected]
        await told.are(*life)
        assert [one["warning_code"] for one in (await world.device())["warnings"]] == [
            "third_party_integration_detected"
        ]
        await world.call(UPDATE, access_code_id=code, name="Other")
        life += [
            "access_code.mutations_requested door-1 guest updating_name",
            "access_code.changed door-1 guest",
            "access_code.name_changed door-1 guest None→Other",
            "device.third_party_integration_no_longer_detected door-1",
        ]
        await told.are(*life)
        assert (await world.device())["warnings"] == []


async def test_codes_of_others(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await one_door(world)
        created, removed = (f"access_code.unmanaged.{what} door-1 theirs" for what in ("created", "removed"))
        told = await Told.begin(world)
        uuid = await directory.add(unit, "Neighbour", "4837")
        code = await found(world, uuid)
        told.name(theirs=code)
        await told.are(created)
        await directory.remove(unit, uuid)
        await told.are(created, removed)
        # Removed from here, where somebody asked for it.
        told = await Told.begin(world)
        code = await found(world, await directory.add(unit, "Neighbour", "4837"))
        told.name(theirs=code)
        await world.call(DELETE, access_code_id=code)
        await told.are(created, removed)
        # Taken over, and then like any other.
        told = await Told.begin(world)
        code = await found(world, await directory.add(unit, "Neighbour", "4837"))
        told.name(theirs=code)
        await world.call(CONVERT, access_code_id=code)
        life = [created, "access_code.unmanaged.converted_to_managed door-1 theirs"]
        await told.are(*life)
        await world.call(REMOVE, access_code_id=code)
        life += ["access_code.removed_from_device door-1 theirs", "access_code.deleted door-1 theirs 4837"]
        await told.are(*life)
        # Gone before it could be.
        told = await Told.begin(world)
        uuid = await directory.add(unit, "Neighbour", "4837")
        code = await found(world, uuid)
        told.name(theirs=code)
        unit.directory.delete([{"uuid": uuid}])  # nobody was told yet
        await world.call(CONVERT, access_code_id=code)
        await told.are(
            created,
            "access_code.unmanaged.failed_to_convert_to_managed door-1 theirs access_code:failed_to_set_on_device",
            removed,
        )
        # Added on order.
        told = await Told.begin(world)
        about = {"device_id": world.devices[0], "code": "4837", "name": "Neighbour"}
        made = await world.call("/access_codes/simulate/create_unmanaged_access_code", **about)
        told.name(theirs=made["access_code"]["access_code_id"])
        await told.are(created)
        # It goes with its device, as far as anybody here knows of it.
        (account,) = (await world.call("/connected_accounts/list"))["connected_accounts"]
        await world.call("/connected_accounts/delete", connected_account_id=account["connected_account_id"])
        await told.are(created, removed, "device.deleted door-1 Device 0", "connected_account.deleted account my_2n")


async def test_reserve_codes(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await one_door(world)
        told = await Told.begin(world)
        about = {"device_id": world.devices[0]}
        await world.call("/devices/update", backup_access_code_pool_enabled=True, **about)
        await world.pass_time(10)
        made = [one["access_code_id"] for one in await told.events() if one["event_type"] == "access_code.created"]
        told.name(**{f"reserve-{number}": one for number, one in enumerate(made, 1)})
        names = [f"reserve-{number}" for number in (1, 2, 3)]
        pins = {one["access_code_id"]: one["code"] for one in await told.events() if "code" in one}
        await told.are(
            *(f"access_code.created door-1 {one}" for one in names),
            *(f"access_code.set_on_device door-1 {one} {pins[code]}" for one, code in zip(names, made, strict=True)),
        )
        code = await create(world, code="4711", name="Guest", **hours(world, -1, 2))
        await reaches(world, code, "set")
        told = await Told.begin(world)
        told.name(guest=code)
        pulled = (await world.call("/access_codes/pull_backup_access_code", access_code_id=code))["access_code"]
        told.name(pulled=pulled["access_code_id"])
        await world.pass_time(10)
        (new,) = [one for one in await told.events() if one["event_type"] == "access_code.created"]
        told.name(new=new["access_code_id"])
        pin = next(one["code"] for one in await told.events() if one["event_type"] == "access_code.set_on_device")
        await told.are(
            "access_code.backup_access_code_pulled door-1 guest pulled",
            "access_code.mutations_requested door-1 pulled updating_name updating_time_frame",
            "access_code.created door-1 new",
            "access_code.changed door-1 pulled",
            f"access_code.name_changed door-1 pulled Backup {pulled['access_code_id'][-8:]}→Guest",
            "access_code.time_frame_changed door-1 pulled",
            f"access_code.set_on_device door-1 new {pin}",
        )


async def test_codes_that_are_not_managed_any_more(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await one_door(world)
        code = await create(world, code="4711")
        await reaches(world, code, "set")
        told = await Told.begin(world)
        told.name(guest=code)
        await world.call(UPDATE, access_code_id=code, is_managed=False)
        life = ["access_code.unmanaged.created door-1 guest"]
        await told.are(*life)
        await world.call(CONVERT, access_code_id=code)
        life.append("access_code.unmanaged.converted_to_managed door-1 guest")
        await told.are(*life)
