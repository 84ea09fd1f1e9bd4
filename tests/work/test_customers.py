"""Customers' data: places, people and bookings become spaces, identities and access grants."""

from pathlib import Path
from typing import Any

import pytest
from tests.support import directory
from tests.support.server import World, new_workspace, serving

from doorward.core.webviews import Order
from doorward.providers.base import Refused
from doorward.wire.time import iso

PUSH, FORGET = "/customers/push_data", "/customers/delete_data"
DAY = 24 * 3_600_000


async def hold(world: World, *wanted: list[str]) -> None:
    """Each door holds these PINs, sooner or later."""

    async def found() -> bool:
        return [directory.pins(await world.unit(n)) for n in range(len(wanted))] == list(wanted)

    await world.eventually(found)


async def test_an_account_of_a_customer_is_connected_for_nobody_else(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(order=Order(accepted_providers=["my_2n"], customer_key="hotel"))
        before = (await world.call("/connected_accounts/list"))["connected_accounts"]
        events = await world.types()
        with pytest.raises(Refused, match="another customer"):
            await world.connect(
                order=Order(accepted_providers=["my_2n"], customer_key="other", custom_metadata={"a": "b"})
            )
        assert (await world.call("/connected_accounts/list"))["connected_accounts"] == before
        assert [one for one in await world.types() if one not in events] == []
        for customer_key in ("hotel", None):  # the owner's, and one that says nothing of it
            await world.connect(order=Order(accepted_providers=["my_2n"], customer_key=customer_key))
        [account] = (await world.call("/connected_accounts/list"))["connected_accounts"]
        assert account["customer_key"] == "hotel"


async def test_a_hotel_tells_of_its_rooms_and_guests(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        now = world.clock.now() // 60_000 * 60_000
        rooms = [{"room_key": key, "name": f"Room {key}", "parent_site_key": "house"} for key in ("101", "102")]
        house = {"site_key": "house", "name": "Hotel"}
        told: dict[str, Any] = {
            "customer_key": "hotel",
            "rooms": rooms,
            "sites": [house],
            "guests": [{"guest_key": "jane", "name": "Jane Doe", "email_address": "jane@example.com"}],
        }
        for _ in range(2):
            await world.call(PUSH, **told)
        spaces = (await world.call("/spaces/list", customer_key="hotel"))["spaces"]
        assert sorted(one["space_key"] for one in spaces) == ["101", "102", "house"]
        assert {one.get("parent_space_key") for one in spaces} == {"house", None}
        for key, device_id in zip(("101", "102"), world.devices, strict=True):
            space = (await world.call("/spaces/get", space_key=key))["space"]
            await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=[device_id])
        stay = {"reservation_key": "b7", "guest_key": "jane", "room_keys": ["101"], "preferred_code": "482937"}
        frame = {"starts_at": iso(now - DAY), "ends_at": iso(now + DAY)}
        await world.call(PUSH, customer_key="hotel", reservations=[{**stay, **frame, "name": "Booking 7"}])
        await hold(world, ["482937"], [])
        [grant] = (await world.call("/access_grants/list", reservation_key="b7"))["access_grants"]
        assert (grant["name"], grant["access_grant_key"]) == ("Booking 7", "b7")
        # They move to another room.
        await world.call(PUSH, customer_key="hotel", reservations=[{**stay, "room_keys": ["102"]}])
        await hold(world, [], ["482937"])
        longer = {**stay, "room_keys": [], "ends_at": iso(now + 2 * DAY)}
        await world.call(PUSH, customer_key="hotel", reservations=[longer])
        [grant] = (await world.call("/access_grants/list", customer_key="hotel"))["access_grants"]
        assert (grant["starts_at"], grant["ends_at"]) == (iso(now - DAY), iso(now + 2 * DAY))
        await world.call(PUSH, customer_key="hotel", guests=[{"guest_key": "jane", "name": "Jane Roe"}])
        person = (await world.call("/user_identities/get", user_identity_key="jane"))["user_identity"]
        assert (person["full_name"], person["email_address"]) == ("Jane Roe", "jane@example.com")
        await world.call(FORGET, reservation_keys=["b7", "never"], room_keys=["101"])
        await hold(world, [], [])
        await world.fail("/spaces/get", 404, "space_not_found", space_key="101")
        await world.call(FORGET, customer_keys=["hotel"])
        assert (await world.call("/spaces/list"))["spaces"] == []
        assert (await world.call("/user_identities/list"))["user_identities"] == []


async def test_all_or_nothing_and_nobody_elses(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.call(PUSH, customer_key="hotel", rooms=[{"room_key": "101", "name": "Room 101"}])
        other = {"customer_key": "villa"}
        stay = {"booking_key": "b1", "name": "Somebody"}
        for status, kind, body in (
            (400, "invalid_input", {"rooms": [{"room_key": "101", "name": "Mine"}]}),
            (404, "space_not_found", {"bookings": [{**stay, "room_keys": ["101"]}]}),
            (404, "space_not_found", {"bookings": [{**stay, "room_keys": ["nowhere"]}]}),
            (400, "invalid_input", {"bookings": [stay]}),
            (404, "user_identity_not_found", {"bookings": [{**stay, "room_keys": ["new"], "guest_key": "nobody"}]}),
        ):
            made = {"units": [{"unit_key": "new", "name": "New"}], "users": [{"user_key": "u", "name": "U"}]}
            await world.fail(PUSH, status, kind, **other, **made, **body)
        assert [one["space_key"] for one in (await world.call("/spaces/list"))["spaces"]] == ["101"]
        assert (await world.call("/user_identities/list"))["user_identities"] == []
        elsewhere = await new_workspace(world, "Other")
        await elsewhere.call(FORGET, customer_keys=["hotel"], room_keys=["101"])
        assert [one["name"] for one in (await world.call("/spaces/list"))["spaces"]] == ["Room 101"]


@pytest.mark.parametrize("time", ["25:99", "24:00", "7:00", "07:0", "07:00:60", "", "٠٧:٠٠", "07:00\n"])
async def test_times_of_day_are_times(tmp_path: Path, time: str) -> None:
    async with serving(tmp_path, None) as world:
        for name in ("default_checkin_time", "default_checkout_time"):
            about = {"name": "Room", "customer_data": {name: time}}
            await world.fail("/spaces/create", 400, "invalid_input", **about)
            told = [{"space_key": "101", **about}]
            error = await world.fail(PUSH, 400, "invalid_input", customer_key="hotel", spaces=told)
            assert error["validation_errors"]["spaces"]["0"]["customer_data"][name]["_errors"]


async def test_time_zones_are_there(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        for zone in ("Mars/Base", "", "../etc/passwd", "europe/paris"):
            about = {"customer_data": {"time_zone": zone}}
            await world.fail("/spaces/create", 400, "invalid_input", name="Room", **about)
            told = [{"space_key": "101", "name": "Room", **about}]
            await world.fail(PUSH, 400, "invalid_input", customer_key="hotel", spaces=told)
        good = {"time_zone": "Europe/Paris", "default_checkin_time": "15:00", "default_checkout_time": "11:00:00"}
        space = (await world.call("/spaces/create", name="Room", space_key="101", customer_data=good))["space"]
        assert space["customer_data"] == good
        await world.fail("/spaces/update", 400, "invalid_input", space_key="101", customer_data={"time_zone": "x"})
        await world.call("/spaces/update", space_key="101", customer_data={"time_zone": None})
