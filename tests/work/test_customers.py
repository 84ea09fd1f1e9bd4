"""Customers' data: places, people and bookings become spaces, identities and access grants."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support import directory
from tests.support.server import World, new_workspace, request, serving, until
from tests.work.test_codes import hours

from doorward.core.webviews import Order
from doorward.providers.errors import Refused
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
            (404, "user_identity_not_found", {"bookings": [{**stay, "unit_keys": ["new"], "guest_key": "nobody"}]}),
        ):
            made = {"units": [{"unit_key": "new", "name": "New"}], "users": [{"user_key": "u", "name": "U"}]}
            await world.fail(PUSH, status, kind, **other, **made, **body)
        assert [one["space_key"] for one in (await world.call("/spaces/list"))["spaces"]] == ["101"]
        assert (await world.call("/user_identities/list"))["user_identities"] == []
        elsewhere = await new_workspace(world, "Other")
        await elsewhere.call(FORGET, customer_keys=["hotel"], room_keys=["101"])
        assert [one["name"] for one in (await world.call("/spaces/list"))["spaces"]] == ["Room 101"]


# ---------------------------------------------------------------- what is told again


HOTEL: dict[str, Any] = {
    "customer_key": "hotel",
    "rooms": [{"room_key": "101", "name": "Room 101"}],
    "guests": [{"guest_key": "jane", "name": "Jane Doe"}],
}


async def hotel(world: World, count: int = 1) -> list[str]:
    """A hotel whose room 101 has these doors, and a guest."""
    await world.connect(count=count)
    await world.call(PUSH, **HOTEL)
    space = (await world.call("/spaces/get", space_key="101"))["space"]
    await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=world.devices)
    return world.devices


async def book(world: World, key: str = "b7", **stay: Any) -> None:
    asked = {"reservation_key": key, "guest_key": "jane", "room_keys": ["101"], **stay}
    await world.call(PUSH, customer_key="hotel", reservations=[asked])


async def grants(world: World, **which: Any) -> list[Any]:
    found: list[Any] = (await world.call("/access_grants/list", **which))["access_grants"]
    return found


async def people(world: World) -> list[Any]:
    found: list[Any] = (await world.call("/user_identities/list"))["user_identities"]
    return found


def frame(world: World, start: float, end: float) -> dict[str, str]:
    """Days from now."""
    now = world.clock.now() // 60_000 * 60_000
    return {"starts_at": iso(int(now + start * DAY)), "ends_at": iso(int(now + end * DAY))}


async def test_what_is_over_is_no_error(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        stay = {"preferred_code": "482937", **frame(world, -1, 0.01)}
        await book(world, **stay)
        await hold(world, ["482937"])
        events = await world.types()
        for _ in range(2):
            await book(world, **stay)
        assert [one for one in await world.types() if one not in events] == []
        await world.pass_time(0.02 * DAY / 1000, step=60)
        await hold(world, [])
        await world.call(FORGET, guest_keys=["nobody"])
        [over] = await grants(world)
        assert over["display_status"] == "Over"
        # It is told again, with another name, and from a room that is no more.
        await book(world, **stay, name="Jane's", room_keys=["no more"], guest_key="no more")
        assert [(one["name"], one["display_status"]) for one in await grants(world)] == [("Jane's", "Over")]
        # What is over when it is first told of is passed over.
        await book(world, "old", **frame(world, -3, -2), room_keys=["no more"])
        assert len(await grants(world)) == 1
        # More time opens the door again.
        await book(world, **frame(world, -1, 1))
        await hold(world, ["482937"])
        # They left early.
        await book(world, **frame(world, -1, -0.01))
        await hold(world, [])
        [left] = await grants(world)
        assert (left["display_status"], left["ends_at"]) == ("Over", frame(world, -1, -0.01)["ends_at"])


async def test_a_stay_of_less_than_a_minute_to_go_is_no_error(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        start = iso(world.clock.now() - DAY)
        for turn in range(4):
            for seconds in (1, 20, 40, 59):
                end = iso(world.clock.now() + seconds * 1000)
                for name in ("Jane", "Joe"):
                    await book(world, f"{seconds}-{turn}", starts_at=start, ends_at=end, name=name)
            await world.clock.advance(17)


async def test_a_key_is_free_while_doors_let_go(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        about = {"device_id": world.devices[0]}
        await book(world, preferred_code="482937")
        await hold(world, ["482937"])
        await world.call("/devices/simulate/disconnect", **about)
        [old] = await grants(world)
        await world.call(FORGET, reservation_keys=["b7"])
        [dying] = await grants(world, reservation_key="b7")
        assert (dying["access_grant_key"], dying["display_status"]) == ("b7", "Being deleted")
        await world.fail("/access_grants/update", 400, "invalid_input", access_grant_key="b7", name="No")
        await book(world, preferred_code="719283")
        [new] = await grants(world, reservation_key="b7")
        assert new["access_grant_id"] != old["access_grant_id"]
        assert [one["access_grant_id"] for one in await grants(world, access_grant_key="b7")] == [
            new["access_grant_id"]
        ]
        assert (await world.call("/access_grants/get", access_grant_key="b7"))["access_grant"] == new
        assert len(await grants(world)) == 2
        [method] = (await world.call("/access_methods/list", access_grant_key="b7"))["access_methods"]
        assert method["code"] == "719283"
        # The API's own grants, too.
        made = {"device_ids": world.devices, "requested_access_methods": [{"mode": "code"}], "access_grant_key": "g"}
        for _ in range(2):
            grant = await world.call("/access_grants/create", user_identity={"full_name": "Jane"}, **made)
            await world.fail("/access_grants/create", 400, "invalid_input", user_identity={"full_name": "Jane"}, **made)
            await world.call("/access_grants/delete", access_grant_id=grant["access_grant"]["access_grant_id"])
        about_new = {"access_grant_id": new["access_grant_id"]}
        await world.call("/access_grants/update", **about_new, access_grant_key="g")
        await world.call("/access_grants/update", **about_new, access_grant_key="b7")
        await world.call("/devices/simulate/connect", **about)
        await hold(world, ["719283"])

        async def one_is_left() -> bool:
            return [one["access_grant_id"] for one in await grants(world)] == [new["access_grant_id"]]

        await world.eventually(one_is_left)


async def test_another_guest_and_another_pin_are_applied(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world, count=2)
        await world.call(PUSH, customer_key="hotel", users=[{"user_key": "joe", "name": "Joe Roe"}])
        await book(world, preferred_code="482937")
        await hold(world, ["482937"], ["482937"])
        await book(world, guest_key=None, user_key="joe", preferred_code="719283")
        await hold(world, ["719283"], ["719283"])

        async def reissued() -> bool:
            return "access_method.reissued" in await world.types()

        await world.eventually(reissued)
        [grant] = await grants(world)
        joe = (await world.call("/user_identities/get", user_identity_key="joe"))["user_identity"]
        assert grant["user_identity_id"] == joe["user_identity_id"]
        assert grant["requested_access_methods"][0]["code"] == "719283"
        [method] = (await world.call("/access_methods/list", access_grant_key="b7"))["access_methods"]
        assert (method["code"], method["is_issued"], grant["warnings"]) == ("719283", True, [])
        [told] = [one for one in await world.events() if one["event_type"] == "access_method.reissued"]
        assert told["code"] == "719283"
        # A PIN that cannot be had leaves the one that is there.
        await book(world, "b8", preferred_code="593817")
        for wish, why in (("593817", "in use"), ("12", "cannot be used")):
            await book(world, preferred_code=wish)
            [grant] = await grants(world, reservation_key="b7")
            assert {one["original_code"] for one in grant["warnings"]} == {wish}
            assert {one["new_code"] for one in grant["warnings"]} == {"719283"}
            assert all(why in one["message"] for one in grant["warnings"])
        await hold(world, ["593817", "719283"], ["593817", "719283"])


async def test_more_time_where_the_pin_is_anothers(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        await book(world, "b7", preferred_code="482937", **frame(world, -1, 1))
        later = {"device_id": world.devices[0], "code": "482937", **frame(world, 1, 2)}
        await world.call("/access_codes/create", **later)
        assert [one["warnings"] for one in await grants(world)] == [[]]
        await book(world, "b7", preferred_code="482937", **frame(world, -1, 1.5))

        async def told() -> dict[str, Any]:
            [grant] = await grants(world, reservation_key="b7")
            return {one["warning_code"]: one for one in grant["warnings"]}

        warning = (await told())["requested_code_unavailable"]
        assert warning["original_code"] == "482937"
        await hold(world, sorted(["482937", warning["new_code"]]))

        async def only_the_pin_is_told() -> bool:
            """Until the door has the other PIN and its times, the grant tells of those as well."""
            return await told() == {"requested_code_unavailable": warning}

        await world.eventually(only_the_pin_is_told)


async def test_an_imperfect_wish_or_person_is_taken(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        odd = {"name": "", "email_address": "jane@example.com", "phone_number": "0151 234"}
        for customer in ("hotel", "villa"):
            guests = [{"guest_key": f"{customer}-{n}", **odd} for n in range(2)]
            guests += [{"guest_key": f"{customer}-2", "name": "No", "email_address": "", "phone_number": ""}]
            for _ in range(2):
                await world.call(PUSH, customer_key=customer, guests=guests)
        one = (await world.call("/user_identities/get", user_identity_key="villa-1"))["user_identity"]
        assert (one["full_name"], one["email_address"], one["phone_number"]) == (None, *list(odd.values())[1:])
        two = (await world.call("/user_identities/get", user_identity_key="villa-2"))["user_identity"]
        assert (two["email_address"], two["phone_number"]) == (None, None)
        # Whoever is made as a user identity has them alone, and is meant by them.
        about = {"email_address": "jane@example.com", "phone_number": "+15551234567"}
        made = (await world.call("/user_identities/create", **about))["user_identity"]
        for name, value in about.items():
            await world.fail("/user_identities/create", 400, "invalid_input", **{name: value})
        grant = {"device_ids": world.devices, "requested_access_methods": [{"mode": "code"}]}
        found = await world.call(
            "/access_grants/create", user_identity={"email_address": odd["email_address"]}, **grant
        )
        assert found["access_grant"]["user_identity_id"] == made["user_identity_id"]
        # What is known by now of somebody is not taken over from others who share it.
        other = (await world.call("/user_identities/create", full_name="Other"))["user_identity"]
        await world.call(
            "/user_identities/merge",
            user_identity_id=other["user_identity_id"],
            merged_user_identity_keys=["villa-0"],
        )
        merged = (await world.call("/user_identities/get", user_identity_key="villa-0"))["user_identity"]
        assert (merged["full_name"], merged["email_address"], merged["phone_number"]) == ("Other", None, "0151 234")
        # What is another customer's is nobody's business, and in nobody's way.
        await world.call(PUSH, customer_key="villa", rooms=[{"room_key": "1", "name": "Room 1"}])
        session = (await world.call("/client_sessions/create", customer_key="villa"))["client_session"]
        asked = {"space_keys": ["1"], "requested_access_methods": [{"mode": "code"}]}
        for email in ("hotel@example.com", "jane@example.com"):
            await world.call(
                PUSH, customer_key="hotel", guests=[{"guest_key": "h", "name": "H", "email_address": email}]
            )
            body = {**asked, "user_identity": {"email_address": email}}
            assert (await world.raw("/access_grants/create", body, key=session["token"])).status == 200
        for wish in ("12", "1234567890", "x"):
            await book(world, f"b{wish}", preferred_code=wish, name="", **frame(world, -1, 1))
            [grant] = await grants(world, reservation_key=f"b{wish}")
            [warning] = grant["warnings"]
            assert (warning["warning_code"], warning["original_code"]) == ("requested_code_unavailable", wish)
            assert warning["new_code"] not in ("", wish)
        await book(world, "plain", preferred_code="")
        [grant] = await grants(world, reservation_key="plain")
        assert (grant["warnings"], "code" in grant["requested_access_methods"][0]) == ([], False)


async def test_the_first_door_decides_on_a_wish(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.call(PUSH, **HOTEL)
        for key, wish in (("b7", "12"), ("b8", "482937"), ("b9", "482937")):
            await book(world, key, preferred_code=wish)
        space = (await world.call("/spaces/get", space_key="101"))["space"]
        await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=world.devices)
        said = {one["access_grant_key"]: one["warnings"] for one in await grants(world)}
        assert [len(said[key]) for key in ("b7", "b8", "b9")] == [1, 0, 1]
        replaced = [said[key][0]["new_code"] for key in ("b7", "b9")]
        await hold(world, sorted(["482937", *replaced]))


# ---------------------------------------------------------------- whose keys they are


async def test_each_kind_has_keys_of_its_own(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        told: dict[str, Any] = {
            "customer_key": "hotel",
            "properties": [{"property_key": "1", "name": "House 1"}],
            "rooms": [{"room_key": "1", "name": "Room 1"}],
            "sites": [{"site_key": "1", "name": "Site 1"}],
            "units": [{"unit_key": "1", "name": "Unit 1", "parent_site_key": "1"}],
            "guests": [{"guest_key": "1", "name": "Guest 1"}],
            "users": [{"user_key": "1", "name": "User 1"}],
        }
        for _ in range(2):
            await world.call(PUSH, **told)
        spaces = {one["name"]: one for one in (await world.call("/spaces/list"))["spaces"]}
        assert sorted(spaces) == ["House 1", "Room 1", "Site 1", "Unit 1"]
        assert {one["space_key"] for one in spaces.values()} == {"1"}
        assert spaces["Unit 1"]["parent_space_id"] == spaces["Site 1"]["space_id"]
        assert sorted(one["full_name"] for one in await people(world)) == ["Guest 1", "User 1"]
        for name, device_id in zip(("Room 1", "House 1"), world.devices, strict=True):
            about = {"space_id": spaces[name]["space_id"]}
            await world.call("/spaces/add_devices", **about, device_ids=[device_id])
        for _ in range(2):
            await world.call(
                PUSH,
                customer_key="hotel",
                reservations=[{"reservation_key": "1", "guest_key": "1", "room_keys": ["1"]}],
                bookings=[{"booking_key": "1", "user_key": "1", "property_keys": ["1"]}],
                access_grants=[{"access_grant_key": "2", "room_keys": ["1"]}],
            )
        assert len(await grants(world)) == 3
        [reservation] = await grants(world, reservation_key="1")
        assert reservation["space_ids"] == [spaces["Room 1"]["space_id"]]
        # A key alone means what was made as what it is, else the only one; else it says that it does not tell.
        for path, name in (
            ("/spaces/get", "space_key"),
            ("/spaces/list", "space_key"),
            ("/spaces/list", "parent_space_key"),
            ("/user_identities/get", "user_identity_key"),
            ("/access_grants/get", "access_grant_key"),
            ("/access_grants/list", "access_grant_key"),
            ("/access_methods/list", "access_grant_key"),
            ("/access_codes/list", "access_grant_key"),
        ):
            error = await world.fail(path, 400, "invalid_input", **{name: "1"})
            assert "use the id" in error["validation_errors"][name]["_errors"][0], (path, name)
        made = (await world.call("/spaces/create", name="Space 1", space_key="1"))["space"]
        assert (await world.call("/spaces/get", space_key="1"))["space"] == made
        person = (await world.call("/user_identities/create", user_identity_key="1"))["user_identity"]
        assert (await world.call("/user_identities/get", user_identity_key="1"))["user_identity"] == person
        await world.fail("/spaces/create", 400, "invalid_input", name="Again", space_key="1")
        assert len(await grants(world, access_grant_key="2")) == 1
        await world.call(FORGET, room_keys=["1"], guest_keys=["1"], booking_keys=["1"])
        left = sorted(one["name"] for one in (await world.call("/spaces/list"))["spaces"])
        assert left == ["House 1", "Site 1", "Space 1", "Unit 1"]
        assert "User 1" in [one["full_name"] for one in await people(world)]
        await world.call(FORGET, space_keys=["1"], user_identity_keys=["1"])
        assert "Space 1" not in [one["name"] for one in (await world.call("/spaces/list"))["spaces"]]


async def test_what_is_refused_says_which_it_is(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        await world.call(PUSH, customer_key="villa", sites=[{"site_key": "s", "name": "Villa"}])
        good = {"booking_key": "b0", "room_keys": ["101"]}
        bad = {**good, "booking_key": "b1", **frame(world, 2, 1)}
        error = await world.fail(PUSH, 400, "invalid_input", customer_key="hotel", bookings=[good, bad])
        text = "Must be later than starts_at"
        assert error["validation_errors"]["bookings"]["1"]["ends_at"]["_errors"] == [text]
        assert error["message"] == f'bookings.1 (booking "b1"): {text} for "ends_at"'
        told = {"customer_key": "hotel", "bookings": [good, bad]}
        error = await world.fail("/customers/create_portal", 400, "invalid_input", customer_data=told)
        assert error["validation_errors"]["customer_data"]["bookings"]["1"]["ends_at"]["_errors"] == [text]
        error = await world.fail(
            PUSH, 404, "space_not_found", customer_key="hotel", bookings=[{**good, "room_keys": ["102"]}]
        )
        assert error["message"] == 'bookings.0 (booking "b0"): There is no room "102" of this customer.'
        # A site of somebody else's.
        rooms = [{"room_key": "102", "name": "Room 102", "parent_site_key": "s"}]
        error = await world.fail(PUSH, 404, "space_not_found", customer_key="hotel", rooms=rooms)
        assert (error["data"], "rooms.0" in error["message"]) == ({"site_key": "s"}, True)
        assert len((await world.call("/spaces/list"))["spaces"]) == 2


async def test_one_push_takes_so_much(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        guests = [{"guest_key": f"g{n}", "name": "G"} for n in range(1_999)]
        rooms = [{"room_key": f"r{n}", "name": "R"} for n in range(2)]
        error = await world.fail(PUSH, 400, "invalid_input", customer_key="hotel", guests=guests, rooms=rooms)
        assert "at most 2,000 items in all" in error["message"]
        assert await people(world) == []
        await world.call(PUSH, customer_key="hotel", guests=guests, rooms=rooms[:1])


async def test_one_push_may_ask_much_of_a_door(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, rate_limits="documented") as world:
        await hotel(world)
        for hour in range(2):
            times = frame(world, -1, 1 + hour)
            stays = [{"booking_key": f"b{n}", "room_keys": ["101"], **times} for n in range(25)]
            await world.call(PUSH, customer_key="hotel", bookings=stays)
        assert len(await grants(world)) == 25


# ---------------------------------------------------------------- what goes


async def test_a_booking_of_nobody_leaves_nobody(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        for _ in range(3):
            for _ in range(2):
                await book(world, guest_key=None, name="Somebody")
            assert [one["full_name"] for one in await people(world)] == ["Jane Doe", "Somebody"]
            await world.call(FORGET, reservation_keys=["b7"])

            async def gone() -> bool:
                return await grants(world) == []

            await world.eventually(gone)
            assert [one["full_name"] for one in await people(world)] == ["Jane Doe"]
        # They turn out to be somebody.
        await book(world, guest_key=None, name="Somebody")
        nobody = (await people(world))[1]["user_identity_id"]
        await world.call("/client_sessions/create", user_identity_id=nobody)
        await book(world)
        assert [one["full_name"] for one in await people(world)] == ["Jane Doe"]
        assert (await world.call("/client_sessions/list"))["client_sessions"] == []
        await book(world, "b8", guest_key=None, name="Other")
        other = (await people(world))[1]["user_identity_id"]
        await world.call("/user_identities/update", user_identity_id=other, user_identity_key="other")
        await world.call(FORGET, reservation_keys=["b7", "b8"])
        await world.eventually(gone)
        assert [one["full_name"] for one in await people(world)] == ["Jane Doe", "Other"]


async def test_a_merged_guest_is_forgotten_alone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        guests = [{"guest_key": key, "name": key} for key in ("g1", "g2")]
        await world.call(PUSH, customer_key="hotel", guests=guests)
        await world.call("/user_identities/merge", user_identity_key="g2", merged_user_identity_keys=["g1"])
        await world.call(FORGET, guest_keys=["g1"])
        [left] = await people(world)
        assert (left["user_identity_key"], left["merged_user_identity_keys"]) == ("g2", [])
        await world.fail("/user_identities/get", 404, "user_identity_not_found", user_identity_key="g1")
        assert (await world.call("/user_identities/list", search="g1"))["user_identities"] == []


async def test_a_customer_goes_with_sessions_and_portals(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await hotel(world)
        session = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]
        kept = (await world.call("/client_sessions/create", customer_key="villa"))["client_session"]
        url = (await world.call("/customers/create_portal", customer_data={"customer_key": "hotel"}))[
            "customer_portal"
        ]["url"]
        path, query = url.split("/portal/")[1].split("?")

        async def sees() -> int:
            return (await request(world.app, "GET", f"/portal/{path}", query=f"{query}&at=places")).status

        assert await sees() == 200
        assert (await world.raw("/devices/list", {}, key=session["token"])).status == 200
        await world.call(FORGET, customer_keys=["hotel"])
        assert await sees() == 404
        assert (await world.raw("/devices/list", {}, key=session["token"])).status == 401
        left = [one["client_session_id"] for one in (await world.call("/client_sessions/list"))["client_sessions"]]
        assert left == [kept["client_session_id"]]
        assert (await world.types()).count("client_session.deleted") == 2
        assert len((await world.call("/devices/list"))["devices"]) == 1


async def test_others_get_their_turn_while_a_large_customer_is_forgotten(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        numbers = range(50)
        told: dict[str, Any] = {
            "rooms": [{"room_key": f"room-{n}", "name": "Room"} for n in numbers],
            "guests": [{"guest_key": f"guest-{n}", "name": "Jane"} for n in numbers],
            "reservations": [
                {"reservation_key": f"stay-{n}", "guest_key": f"guest-{n}", "room_keys": [f"room-{n}"]} for n in numbers
            ],
        }
        await world.call(PUSH, customer_key="chain", **told)

        async def left() -> list[int]:
            names = ("access_grants", "user_identities", "spaces")
            return [len((await world.call(f"/{name}/list"))[name]) for name in names]

        assert await left() == [50, 50, 50]
        going = asyncio.ensure_future(world.call(FORGET, customer_keys=["chain"]))

        async def has_begun() -> bool:
            return "access_grant.deleted" in await world.types()

        await until(has_begun)
        await world.call("/spaces/create", name="Shed")
        assert not going.done()
        await going
        assert await left() == [0, 0, 1]
        await world.call(PUSH, customer_key="chain", **told)
        await world.call(
            FORGET,
            **{
                f"{kind}_keys": [one[f"{kind}_key"] for one in told[f"{kind}s"]]
                for kind in ("room", "guest", "reservation")
            },
        )
        assert await left() == [0, 0, 1]


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


async def test_a_customers_session_forgets_what_is_its_own(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        for customer in ("hotel", "villa"):
            room = f"{customer} room"
            about = {"customer_key": customer, "space_key": room, "device_ids": world.devices}
            await world.call("/spaces/create", name=room, **about)
            stay = {**hours(world, 1, 5), "space_keys": [room], "guest_key": f"{customer} guest"}
            await world.call(
                PUSH,
                customer_key=customer,
                guests=[{"guest_key": f"{customer} {one}", "name": one} for one in ("guest", "other")],
                reservations=[{"reservation_key": f"{customer} stay", **stay}],
                access_grants=[{"access_grant_key": f"{customer} grant", **stay}],
            )

        async def keys(customer: str) -> list[str]:
            """Of all that there is of a customer, and is to stay."""
            spaces = (await world.call("/spaces/list", customer_key=customer))["spaces"]
            people = (await world.call("/user_identities/list"))["user_identities"]
            grants = (await world.call("/access_grants/list", customer_key=customer))["access_grants"]
            found = [one["space_key"] for one in spaces] + [one["user_identity_key"] for one in people]
            found += [one["access_grant_key"] for one in grants if not one["warnings"]]
            return sorted(one for one in found if one.startswith(customer))

        theirs = await keys("villa")
        session = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]

        async def forget(status: int, **what: Any) -> None:
            reply = await world.raw(FORGET, what, key=session["token"])
            assert reply.status == status, reply

        await forget(200, space_keys=["villa room"])
        await forget(200, guest_keys=["villa guest"])
        await forget(200, access_grant_keys=["villa grant"])
        await forget(200, reservation_keys=["villa stay"])
        await forget(403, customer_keys=["villa"])
        await forget(403, customer_keys=["hotel", "villa"])
        # A booking's key is looked for under the name that was given, which is not the one that it is stored under.
        await forget(200, reservation_keys=["villa grant"])
        # The guest is merged into somebody of another customer.
        await world.call(
            "/user_identities/merge", user_identity_key="villa other", merged_user_identity_keys=["hotel other"]
        )
        await forget(200, guest_keys=["hotel other"])
        assert await keys("villa") == theirs
        await forget(200, reservation_keys=["hotel stay"])
        assert await keys("hotel") == ["hotel grant", "hotel guest", "hotel room"]
        await forget(200, customer_keys=["hotel"])
        assert (await keys("hotel"), await keys("villa")) == ([], theirs)
        without = (await world.call("/client_sessions/create"))["client_session"]
        reply = await world.raw(FORGET, {"customer_keys": ["villa"]}, key=without["token"])
        assert (reply.status, reply.error["type"]) == (401, "unauthorized")


async def test_a_session_forgets_its_customers_own_and_learns_nothing_of_others(
    tmp_path: Path, database_url: str | None
) -> None:
    """A key is one of its kind; another customer may have the same for another kind."""
    async with serving(tmp_path, database_url) as world:
        mine = {"rooms": [{"room_key": "101", "name": "Mine"}], "guests": [{"guest_key": "g", "name": "Mine"}]}
        others = {"units": [{"unit_key": "101", "name": "Not mine"}], "users": [{"user_key": "g", "name": "Not mine"}]}
        await world.call(PUSH, customer_key="one", **mine, sites=[{"site_key": "s", "name": "Mine"}])
        await world.call(PUSH, customer_key="two", **others, sites=[{"site_key": "t", "name": "Not mine"}])
        session = (await world.call("/client_sessions/create", customer_key="one"))["client_session"]
        for keys in (
            *({"room_keys": ["101"]}, {"guest_keys": ["g"]}, {"site_keys": ["s"]}),
            *({"unit_keys": ["101"]}, {"user_keys": ["g"]}, {"site_keys": ["t"]}, {"room_keys": ["nowhere"]}),
        ):
            reply = await world.raw(FORGET, keys, key=session["token"])
            assert (reply.status, reply.json) == (200, {"ok": True}), keys
        assert (await world.raw(FORGET, {"customer_keys": ["two"]}, key=session["token"])).status == 403
        assert sorted(one["name"] for one in (await world.call("/spaces/list"))["spaces"]) == ["Not mine", "Not mine"]
        people = (await world.call("/user_identities/list"))["user_identities"]
        assert [one["full_name"] for one in people] == ["Not mine"]


async def test_a_guest_who_moves_where_the_pin_is_in_use_gets_another(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        rooms = [{"room_key": key, "name": f"Room {key}"} for key in ("100", "101")]
        await world.call(PUSH, customer_key="hotel", rooms=rooms)
        for room, device_id in zip(rooms, world.devices, strict=True):
            await world.call("/spaces/update", space_key=room["room_key"], device_ids=[device_id])
        stays = [{**frame(world, -1, 1), "reservation_key": one, "preferred_code": "4826"} for one in ("a", "b")]
        placed = [{**stay, "room_keys": [key]} for stay, key in zip(stays, ("100", "101"), strict=True)]
        await world.call(PUSH, customer_key="hotel", reservations=placed)
        await hold(world, ["4826"], ["4826"])
        await world.call(PUSH, customer_key="hotel", reservations=[{**stays[0], "room_keys": ["101"]}])

        async def moved() -> bool:
            pins = directory.pins(await world.unit(1))
            return directory.pins(await world.unit(0)) == [] and len(pins) == 2

        await world.eventually(moved)
        [other] = [pin for pin in directory.pins(await world.unit(1)) if pin != "4826"]
        [grant] = (await world.call("/access_grants/list", reservation_key="a"))["access_grants"]
        about = {"access_grant_id": grant["access_grant_id"]}

        async def is_issued() -> bool:
            [method] = (await world.call("/access_methods/list", **about))["access_methods"]
            return (method["is_issued"], method["code"]) == (True, other)

        await world.eventually(is_issued)
        issued = await world.events(event_type="access_method.issued", **about)
        assert [one.get("code") for one in issued][-1] in (other, None)
        assert grant["errors"] == []
