"""Spaces: what is in them, and who follows when that changes."""

from pathlib import Path
from typing import Any

from tests.support.server import World, new_workspace, serving

CREATE, GET, LIST, UPDATE = "/spaces/create", "/spaces/get", "/spaces/list", "/spaces/update"


async def made(world: World, **body: Any) -> Any:
    return (await world.call(CREATE, **{"name": "Room 101", **body}))["space"]


async def in_it(world: World, space_id: str) -> list[str]:
    found = [one["device_id"] for one in (await world.call("/devices/list", space_id=space_id))["devices"]]
    assert (await world.call(GET, space_id=space_id))["space"]["device_count"] == len(found)
    return found


async def told(world: World, space_id: str) -> list[tuple[str, list[str]]]:
    events = await world.events(space_id=space_id)
    return [(event["event_type"].removeprefix("space."), event["device_ids"]) for event in events]


async def test_devices_come_and_go(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        first, second = world.devices
        space = await made(world, space_key="101", device_ids=[first])
        about = {"space_id": space["space_id"]}
        assert (space["display_name"], space["device_count"], space["space_key"]) == ("Room 101", 1, "101")
        assert (await world.device(0))["space_ids"] == [space["space_id"]]
        assert await in_it(world, space["space_id"]) == [first]
        for _ in range(2):  # again changes nothing
            await world.call("/spaces/add_devices", **about, device_ids=[second, first])
        assert await in_it(world, space["space_id"]) == [first, second]
        assert [one["device_id"] for one in (await world.call("/locks/list", **about))["devices"]] == [first, second]
        for _ in range(2):
            await world.call("/spaces/remove_devices", **about, device_ids=[first])
        assert (await world.device(0))["space_ids"] == []
        await world.call(UPDATE, **about, device_ids=[first], name="Room 102")
        assert await in_it(world, space["space_id"]) == [first]
        await world.fail("/spaces/add_devices", 404, "device_not_found", **about, device_ids=[second, "nobody"])
        assert await in_it(world, space["space_id"]) == [first]
        await world.call("/spaces/delete", **about)
        await world.fail(GET, 404, "space_not_found", **about)
        assert (await world.device(0))["space_ids"] == []
        assert await told(world, space["space_id"]) == [
            ("created", [first]),
            ("device_membership_changed", [first, second]),
            ("device_membership_changed", [second]),
            ("device_membership_changed", [first]),
            ("deleted", [first]),
        ]


async def test_a_key_names_one_space(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        space = await made(world, space_key="101", customer_data={"address": "Main Street 1", "time_zone": None})
        assert space["customer_data"] == {"address": "Main Street 1"}
        assert (await world.call(GET, space_key="101"))["space"] == space
        await world.fail(CREATE, 400, "invalid_input", name="Another", space_key="101")
        other = await made(world, space_key="102")
        await world.fail(UPDATE, 400, "invalid_input", space_id=other["space_id"], space_key="101")
        changed = await world.call(UPDATE, space_key="102", name="Room 102", parent_space_key="101")
        assert (changed["space"]["name"], changed["space"]["parent_space_key"]) == ("Room 102", "101")
        await world.fail(UPDATE, 400, "invalid_input", space_key="101", parent_space_key="102")
        await world.fail(UPDATE, 400, "invalid_input", name="Nowhere")
        await world.call(UPDATE, space_key="101", customer_data={"address": None, "default_checkin_time": "15:00"})
        assert (await world.call(GET, space_key="101"))["space"]["customer_data"] == {"default_checkin_time": "15:00"}
        assert (await (await new_workspace(world, "Other")).call(LIST))["spaces"] == []


async def test_a_space_follows_the_key_of_the_one_that_it_is_in(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        ids = [(await made(world, space_key=key))["space_id"] for key in ("house", "room")]
        house, room = ({"space_id": space_id} for space_id in ids)

        async def parent() -> tuple[str | None, str | None]:
            space = (await world.call(GET, **room))["space"]
            return space.get("parent_space_id"), space.get("parent_space_key")

        await world.call(UPDATE, **room, parent_space_key="house")
        assert await parent() == (ids[0], "house")
        await world.call(UPDATE, **house, space_key="hotel")
        assert await parent() == (ids[0], "hotel")
        await world.call("/spaces/delete", **house)
        assert await parent() == (None, None)


async def test_lists_find_spaces(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        house = await made(world, name="House", customer_key="hotel", connected_account_ids=[account_id])
        room = await made(world, name="Room 101", space_key="k-101", device_ids=world.devices)
        await world.call(UPDATE, space_id=room["space_id"], parent_space_id=house["space_id"])

        async def found(**which: Any) -> list[str]:
            return [one["name"] for one in (await world.call(LIST, **which))["spaces"]]

        assert await found() == ["House", "Room 101"]
        assert await found(customer_key="hotel") == ["House"]
        assert (
            await found(search=room["space_id"]) == await found(search=room["space_id"][:4]) == []
        )  # ids are no names
        assert await found(search="k-1") == await found(space_key="k-101") == ["Room 101"]
        assert await found(parent_space_id=house["space_id"]) == ["Room 101"]
        assert await found(connected_account_id=account_id) == ["House", "Room 101"]
        page = await world.call(LIST, limit=1)
        assert [one["name"] for one in page["spaces"]] == ["House"]
        more = await world.call(LIST, limit=1, page_cursor=page["pagination"]["next_page_cursor"])
        assert [one["name"] for one in more["spaces"]] == ["Room 101"]
        accounts = (await world.call("/connected_accounts/list", space_id=house["space_id"]))["connected_accounts"]
        assert [one["connected_account_id"] for one in accounts] == [account_id]
        ids = [house["space_id"], room["space_id"]]
        batch = (await world.call("/spaces/get_related", space_ids=ids))["batch"]
        assert [one["name"] for one in batch["spaces"]] == ["House", "Room 101"]
        assert [one["device_id"] for one in batch["devices"]] == world.devices
        assert (batch["acs_systems"], len(batch["connected_accounts"])) == ([], 1)
        only = await world.call("/spaces/get_related", space_keys=["k-101"], include=["devices"])
        assert only["batch"].keys() == {"devices"}


async def test_what_is_deleted_is_in_no_space(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        space = await made(world, device_ids=world.devices, connected_account_ids=[account_id])
        await world.call("/connected_accounts/delete", connected_account_id=account_id)
        assert (await world.call(GET, space_id=space["space_id"]))["space"]["device_count"] == 0
        assert (await told(world, space["space_id"]))[-1] == ("device_membership_changed", [])
        await world.call("/workspaces/reset_sandbox")
        assert (await world.call(LIST))["spaces"] == []


async def test_a_customers_session_has_the_customers_spaces(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await made(world, name="Another's", space_key="other")
        session = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]

        async def ask(path: str, **body: Any) -> Any:
            return await world.raw(path, body, key=session["token"])

        own = (await ask(CREATE, name="Ours", space_key="ours")).json["space"]
        assert own["customer_key"] == "hotel"
        assert [one["name"] for one in (await ask(LIST)).json["spaces"]] == ["Ours"]
        assert (await ask(GET, space_key="ours")).json["space"] == own
        assert (await ask(GET, space_key="other")).status == 404
        assert (await ask(CREATE, name="Taken", space_key="other")).status == 404
        assert (await ask("/spaces/get_related", space_keys=["other"])).status == 404
        await world.connect()
        await world.call("/spaces/add_devices", space_id=own["space_id"], device_ids=world.devices)
        guest = {"user_identity": {"full_name": "Caretaker"}, "requested_access_methods": [{"mode": "code"}]}
        await world.call("/access_grants/create", space_keys=["ours"], **guest)
        of_others = (await ask("/spaces/get_related", space_keys=["ours"])).json["batch"]
        assert (of_others["access_methods"], of_others["devices"]) == ([], [])
        assert len((await world.call("/spaces/get_related", space_keys=["ours"]))["batch"]["access_methods"]) == 1
        plain = (await world.call("/client_sessions/create"))["client_session"]
        assert (await world.raw(LIST, {}, key=plain["token"])).status == 401


async def test_an_account_is_in_a_space_by_itself_or_by_a_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(email="john@example.com")
        await world.connect()
        john, jane = [
            one["connected_account_id"] for one in (await world.call("/connected_accounts/list"))["connected_accounts"]
        ]
        by_device = await made(world, device_ids=world.devices, space_key="a")
        by_itself = await made(world, connected_account_ids=[jane], space_key="b")
        by_both = await made(world, connected_account_ids=[jane, john], device_ids=world.devices, space_key="c")
        await made(world, space_key="d")

        async def accounts(space: Any) -> list[str]:
            found = await world.call("/connected_accounts/list", space_id=space["space_id"])
            return [one["connected_account_id"] for one in found["connected_accounts"]]

        async def keys(account: str) -> list[str]:
            return [one["space_key"] for one in (await world.call(LIST, connected_account_id=account))["spaces"]]

        assert [await accounts(space) for space in (by_device, by_itself, by_both)] == [[jane], [jane], [john, jane]]
        assert (await keys(jane), await keys(john)) == (["a", "b", "c"], ["c"])


async def test_a_device_that_is_not_managed_any_more_stays_in_its_space(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        space = await made(world, name="House", device_ids=world.devices)
        about = {"space_id": space["space_id"], "device_ids": world.devices}
        await world.call("/devices/update", device_id=world.devices[0], is_managed=False)
        await world.call("/spaces/update", **about)
        await world.call("/spaces/add_devices", **about)
        await world.call("/spaces/remove_devices", space_id=space["space_id"], device_ids=world.devices[:1])
        await world.fail("/spaces/update", 400, "device_unmanaged", **about)
