"""Exactly what is told of access grants and their methods, and in which order; as in `test_event_order`.

Doors are not one after the other: what is told of each is compared apart, and what ends a step comes last of all.
"""

from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World, serving
from tests.support.told import Told
from tests.work.test_access_grants import CODE, CREATE, DELETE, UPDATE
from tests.work.test_codes import create, hours

from doorward.core import grant_progress
from doorward.wire.time import iso

PUSH, FORGET = "/customers/push_data", "/customers/delete_data"
ISSUED = "access_method.issued grant key 482937"
ALL_DOORS = "access_grant.access_granted_to_all_doors grant"
GONE = ["access_method.deleted grant key", "access_grant.deleted grant"]


async def two_doors(world: World) -> list[Any]:
    """Their intercoms."""
    await world.connect(count=2)
    units = [await world.watched(index) for index in range(2)]
    await world.pass_time(6)
    return units


async def granted(world: World, told: Told, **body: Any) -> str:
    """A grant with its names: `grant`, `key` (its method), `code-1` (its code at the first door)."""
    wish = [{"mode": "code", "code": "482937"}]
    asked = {"user_identity": {"full_name": "Jane Doe"}, "requested_access_methods": wish, **body}
    grant_id: str = (await world.call(CREATE, **asked))["access_grant"]["access_grant_id"]
    await called(world, told, grant_id)
    return grant_id


async def called(world: World, told: Told, grant_id: str) -> None:
    grant = (await world.call("/access_grants/get", access_grant_id=grant_id))["access_grant"]
    told.name(grant=grant_id, key=grant["access_method_ids"][0])
    for code in (await world.call("/access_codes/list", access_grant_id=grant_id))["access_codes"]:
        told.name(**{f"code-{world.devices.index(code['device_id']) + 1}": code["access_code_id"]})


def made(*doors: int) -> list[str]:
    return [
        "access_grant.created grant",
        "access_method.created grant key",
        *(f"access_code.created door-{n} code-{n}" for n in doors),
    ]


async def both_doors(told: Told, before: list[str], each: list[str], after: list[str]) -> None:
    """First `before`; then `each` at both doors (`#`: its number), one way or the other; then `after`."""
    await told.are_in_any_order(*before, *(line.replace("#", n) for n in "12" for line in each), *after)
    lines = await told.lines()
    assert lines[: len(before)] == before
    assert lines[len(lines) - len(after) :] == after
    for n in "12":
        between = lines[len(before) : len(lines) - len(after)]
        assert [line for line in between if f"door-{n}" in line] == [line.replace("#", n) for line in each]


async def test_a_grant_to_two_doors(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await two_doors(world)
        told = await Told.begin(world)
        grant = await granted(world, told, device_ids=world.devices, access_grant_key="b7")
        doors = sorted((1, 2), key=lambda n: world.devices[n - 1])
        set_ = ["access_code.set_on_device door-# code-# 482937"]
        await both_doors(told, made(*doors), set_, [ISSUED, ALL_DOORS])
        assert {tuple(one["access_grant_keys"]) for one in await told.events() if "access_method_id" in one} == {
            ("b7",)
        }
        # Other times: the method is issued again when the last door has them.
        told = await Told.begin(world)
        await called(world, told, grant)
        frame = hours(world, -1, 5)
        await world.call(UPDATE, access_grant_id=grant, **frame)
        asked = [
            "access_grant.access_times_changed grant",
            *(f"access_code.mutations_requested door-{n} code-{n} updating_time_frame" for n in doors),
        ]
        changed = ["access_code.changed door-# code-#", "access_code.time_frame_changed door-# code-#"]
        reissued = "access_method.reissued grant key 482937"
        await both_doors(told, asked, changed, [reissued])
        (moved,) = [one for one in await told.events() if one["event_type"].endswith("times_changed")]
        assert {name: moved[name] for name in frame} == frame
        # Another name: the doors follow, and nothing else is said.
        told = await Told.begin(world)
        await called(world, told, grant)
        await world.call(UPDATE, access_grant_id=grant, name="Jane")
        asked = [f"access_code.mutations_requested door-{n} code-{n} updating_name" for n in doors]
        changed = ["access_code.changed door-# code-#", "access_code.name_changed door-# code-# None→Jane"]
        await both_doors(told, asked, changed, [])
        told = await Told.begin(world)
        await called(world, told, grant)
        await world.call(DELETE, access_grant_id=grant)
        removed = ["access_code.removed_from_device door-# code-#", "access_code.deleted door-# code-# 482937"]
        await both_doors(told, ["access_method.revoked grant key"], removed, GONE)


async def test_a_pin_that_is_taken(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await create(world, code="482937")
        await world.pass_time(6)
        told = await Told.begin(world)
        grant = await granted(world, told, device_ids=world.devices)
        shown = (await world.call("/access_grants/get", access_grant_id=grant))["access_grant"]
        (warning,) = shown["warnings"]
        pin = warning["new_code"]
        assert (warning["warning_code"], pin != "482937") == ("requested_code_unavailable", True)
        issued = f"access_method.issued grant key {pin}"
        await told.are(*made(1), f"access_code.set_on_device door-1 code-1 {pin}", issued, ALL_DOORS)


async def test_a_door_that_cannot_have_a_method(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await two_doors(world)
        first, second = world.devices
        made_space = await world.call("/spaces/create", name="Flat", device_ids=[first])
        space = {"space_id": made_space["space"]["space_id"]}
        await world.call("/access_codes/create", device_id=second, code="482937")
        await world.pass_time(6)
        told = await Told.begin(world)
        told.name(space=space["space_id"])
        grant = await granted(world, told, space_ids=[space["space_id"]])
        life = [*made(1), "access_code.set_on_device door-1 code-1 482937", ISSUED, ALL_DOORS]
        await told.are(*life)
        for _ in range(2):
            await world.call("/spaces/add_devices", device_ids=[second], **space)
        lacks = "access_grant.could_not_create_requested_access_methods grant door-2"
        life += ["space.device_membership_changed door-1+door-2 space", lacks]
        await told.are(*life)
        shown = (await world.call("/access_grants/get", access_grant_id=grant))["access_grant"]
        (error,) = shown["errors"]
        assert error["error_code"] == "cannot_create_requested_access_methods"
        assert error["missing_device_ids"] == [second]
        (event,) = [one for one in await told.events() if "missing_device_ids" in one]
        assert (
            event["error_message"] == error["message"] == "The PIN of the access grant cannot be used on this device."
        )
        # A further method is at both doors. Still not all of them have all methods.
        await world.call("/access_grants/request_access_methods", access_grant_id=grant, requested_access_methods=CODE)
        await world.pass_time(6)
        lines = await told.lines()
        assert [sum(one.startswith(kind) for one in lines) for kind in (lacks, ALL_DOORS)] == [1, 1]
        assert sum(one.startswith("access_method.issued") for one in lines) == 2
        await world.call("/spaces/remove_devices", device_ids=[second], **space)
        shown = (await world.call("/access_grants/get", access_grant_id=grant))["access_grant"]
        assert shown["errors"] == []
        assert (await told.lines())[-2:] == ["space.device_membership_changed door-1 space", ALL_DOORS]


async def test_a_door_that_comes_later(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await two_doors(world)
        first, second = world.devices
        made_space = await world.call("/spaces/create", name="Flat", device_ids=[first])
        space = {"space_id": made_space["space"]["space_id"]}
        told = await Told.begin(world)
        told.name(space=space["space_id"])
        grant = await granted(world, told, space_ids=[space["space_id"]])
        life = [*made(1), "access_code.set_on_device door-1 code-1 482937", ISSUED, ALL_DOORS]
        await told.are(*life)
        await world.call("/spaces/add_devices", device_ids=[second], **space)
        await called(world, told, grant)
        # The guest has the PIN already: the door says for itself when it has it, too.
        life += [
            "space.device_membership_changed door-1+door-2 space",
            "access_code.created door-2 code-2",
            "access_code.set_on_device door-2 code-2 482937",
        ]
        await told.are(*life)
        await world.call("/spaces/remove_devices", device_ids=[second], **space)
        life += [
            "space.device_membership_changed door-1 space",
            "access_code.removed_from_device door-2 code-2",
            "access_code.deleted door-2 code-2 482937",
        ]
        await told.are(*life)


async def test_a_grant_that_no_door_can_have_whole(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await two_doors(world)
        first, second = world.devices
        made_space = await world.call("/spaces/create", name="Flat", device_ids=[second])
        await world.call("/devices/update", device_id=second, is_managed=False)
        await world.pass_time(6)
        told = await Told.begin(world)
        await granted(world, told, device_ids=[first], space_ids=[made_space["space"]["space_id"]])
        lacks = "access_grant.could_not_create_requested_access_methods grant door-2"
        life = [*made(1), lacks, "access_code.set_on_device door-1 code-1 482937", ISSUED]
        # Nobody says that all doors have it, until the other one is no door of it any more.
        await told.are(*life)
        space_id = made_space["space"]["space_id"]
        told.name(space=space_id)
        await world.call("/spaces/remove_devices", device_ids=[second], space_id=space_id)
        await told.are(*life, "space.device_membership_changed nothing space", ALL_DOORS)


async def test_a_method_that_is_late(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await two_doors(world)
        for device_id in world.devices:
            await world.call("/devices/simulate/disconnect", device_id=device_id)
        await world.pass_time(20)
        told = await Told.begin(world)
        grant = await granted(world, told, device_ids=world.devices)
        await world.pass_time(1_500, step=10)
        away = "device:device_disconnected access_code:delay_in_setting_on_device"
        late = "access_method.delay_in_issuing grant key"  # once, and both doors are late
        doors = sorted((1, 2), key=lambda n: world.devices[n - 1])
        life = [
            *made(*doors),
            *(f"access_code.delay_in_setting_on_device door-{n} code-{n} {away}" for n in doors),
            late,
        ]
        await told.are_in_any_order(*life)
        lines = await told.lines()
        assert lines[: len(life) - 3] == made(*doors) and lines.index(late) == len(life) - 2
        shown = (await world.call("/access_methods/list", access_grant_id=grant))["access_methods"][0]
        assert [one["warning_code"] for one in shown["warnings"]] == ["delay_in_issuing"]
        for device_id in world.devices:
            await world.call("/devices/simulate/connect", device_id=device_id)
        life += [f"access_code.set_on_device door-{n} code-{n} 482937" for n in doors]
        life += [*(f"device.connected door-{n}" for n in doors), ISSUED, ALL_DOORS]
        await told.are_in_any_order(*life)
        of_grant = [line for line in await told.lines() if "grant" in line.split()]
        assert of_grant[-3:] == [late, ISSUED, ALL_DOORS]


async def test_a_method_that_a_door_refuses(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit, _ = await two_doors(world)
        unit.faults.arm("directory-full")
        told = await Told.begin(world)
        grant = await granted(world, told, device_ids=world.devices[:1])
        await world.pass_time(60, step=5)
        full = "access_code:no_space_for_access_code_on_device"
        life = [
            *made(1),
            f"access_code.failed_to_set_on_device door-1 code-1 {full}",
            "access_method.failed_to_issue grant key",
        ]
        await told.are(*life)
        shown = (await world.call("/access_methods/list", access_grant_id=grant))["access_methods"][0]
        assert [one["error_code"] for one in shown["errors"]] == ["failed_to_issue"]
        unit.faults.clear()
        life += ["access_code.set_on_device door-1 code-1 482937", ISSUED, ALL_DOORS]
        await world.pass_time(960, step=30)  # the breaker's pause
        await told.are(*life)
        shown = (await world.call("/access_methods/list", access_grant_id=grant))["access_methods"][0]
        assert (shown["errors"], shown["is_issued"]) == ([], True)


async def test_a_grant_that_ends(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await two_doors(world)
        told = await Told.begin(world)
        grant = await granted(world, told, device_ids=world.devices[:1], **hours(world, 0.5, 1))
        life = [*made(1), "access_code.scheduled_on_device door-1 code-1 482937", ISSUED, ALL_DOORS]
        await told.are(*life)
        await world.pass_time(3_700, step=30)
        life += [
            "access_code.set_on_device door-1 code-1 482937",
            "access_code.removed_from_device door-1 code-1",
            "access_code.deleted door-1 code-1 482937",
        ]
        await told.are(*life)
        await world.call(DELETE, access_grant_id=grant)
        await told.are(*life, "access_method.revoked grant key", *GONE)


async def test_a_door_that_is_deleted_with_its_account(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        units = await two_doors(world)
        told = await Told.begin(world)
        grant = await granted(world, told, device_ids=world.devices[:1])
        await world.pass_time(6)
        units[0].pull_plug()
        await world.pass_time(20)
        told = await Told.begin(world)
        await called(world, told, grant)
        await world.call(DELETE, access_grant_id=grant)
        (account,) = (await world.call("/connected_accounts/list"))["connected_accounts"]
        await world.call("/connected_accounts/delete", connected_account_id=account["connected_account_id"])
        await told.are(
            "access_method.revoked grant key",
            "access_code.deleted door-1 code-1 482937",
            *GONE,
            "device.deleted door-1 Device 0",
            "device.deleted door-2 Device 1",
            "connected_account.deleted account my_2n",
        )


async def test_what_a_customer_tells(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        units = await two_doors(world)
        told = await Told.begin(world)
        now = world.clock.now() // 60_000 * 60_000
        hotel: dict[str, Any] = {
            "customer_key": "hotel",
            "rooms": [{"room_key": "101", "name": "Room 101"}],
            "guests": [{"guest_key": "jane", "name": "Jane Doe"}],
        }
        for _ in range(2):
            await world.call(PUSH, **hotel)
        space = (await world.call("/spaces/get", space_key="101"))["space"]["space_id"]
        told.name(room=space)
        life = ["space.created nothing room"]
        await told.are(*life)
        await world.call("/spaces/add_devices", space_id=space, device_ids=world.devices[:1])
        stay = {"reservation_key": "b7", "guest_key": "jane", "room_keys": ["101"], "preferred_code": "482937"}
        frame = {"starts_at": iso(now - 3_600_000), "ends_at": iso(now + 3_600_000)}
        for _ in range(2):
            await world.call(PUSH, customer_key="hotel", reservations=[{**stay, **frame}])
        row = await grant_progress.get(world.core.db.read, world.workspace.workspace_id, None, "b7")
        await called(world, told, row.access_grant_id)
        life += ["space.device_membership_changed door-1 room", *made(1)]
        life += ["access_code.set_on_device door-1 code-1 482937", ISSUED, ALL_DOORS]
        await told.are(*life)
        assert directory.pins(units[0]) == ["482937"]
        await world.call(FORGET, customer_keys=["hotel"])
        await told.are(
            *life,
            "access_method.revoked grant key",
            "space.deleted door-1 room",
            "access_code.removed_from_device door-1 code-1",
            "access_code.deleted door-1 code-1 482937",
            *GONE,
        )
