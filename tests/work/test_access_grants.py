"""Access grants: codes on doors, there and gone with them."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import directory
from tests.support.postgres import Cluster
from tests.support.server import World, new_workspace, serving, until
from tests.work.test_codes import create as create_code
from tests.work.test_codes import hours

from doorward.clock import ManualClock
from doorward.store.db import Tx
from doorward.wire.time import iso, parse

CREATE, GET, LIST, UPDATE, DELETE = (f"/access_grants/{word}" for word in ("create", "get", "list", "update", "delete"))
CODE = [{"mode": "code"}]
DAY = 24 * 3_600_000


async def granted(world: World, **body: Any) -> Any:
    asked = {"user_identity": {"full_name": "Jane Doe"}, "requested_access_methods": CODE, **body}
    return (await world.call(CREATE, **asked))["access_grant"]


async def method(world: World, grant: Any) -> Any:
    return (await world.call("/access_methods/get", access_method_id=grant["access_method_ids"][0]))["access_method"]


async def issued(world: World, grant: Any) -> Any:
    async def found() -> Any:
        one = await method(world, grant)
        return one if one["is_issued"] else None

    return await world.eventually(found)


async def gone(world: World, grant: Any) -> None:
    async def found() -> bool:
        return (await world.raw(GET, {"access_grant_id": grant["access_grant_id"]})).status == 404

    await world.eventually(found)


async def pins_at(world: World, index: int) -> list[str]:
    return directory.pins(await world.unit(index))


async def hold(world: World, *wanted: list[str]) -> None:
    """Each door holds these PINs, sooner or later."""

    async def found() -> bool:
        return [await pins_at(world, n) for n in range(len(wanted))] == [sorted(one) for one in wanted]

    await world.eventually(found)


async def told(world: World, grant: Any) -> list[str]:
    return [one["event_type"] for one in await world.events(access_grant_id=grant["access_grant_id"])]


async def test_one_pin_on_every_door(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        grant = await granted(world, device_ids=world.devices, name="Booking 7", access_grant_key="b7")
        assert (grant["name"], grant["ends_at"], grant["display_status"]) == ("Booking 7", None, "Being set up")
        one = await issued(world, grant)
        pin = one["code"]
        await hold(world, [pin], [pin])
        assert (one["mode"], one["display_status"], one["pending_mutations"]) == ("code", "Issued", [])
        again = (await world.call(GET, access_grant_key="b7"))["access_grant"]
        assert (again["display_status"], again["warnings"]) == ("Active", [])
        assert again["requested_access_methods"][0]["created_access_method_ids"] == again["access_method_ids"]
        codes = await world.call("/access_codes/list", access_grant_key="b7")
        assert sorted(code["device_id"] for code in codes["access_codes"]) == sorted(world.devices)
        assert {code["name"] for code in codes["access_codes"]} == {"Booking 7"}
        by_code = await world.call(LIST, access_code_id=codes["access_codes"][0]["access_code_id"])
        assert [found["access_grant_id"] for found in by_code["access_grants"]] == [grant["access_grant_id"]]
        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        await gone(world, grant)
        await hold(world, [], [])
        assert await told(world, grant) == [
            "access_grant.created",
            "access_method.created",
            "access_method.issued",
            "access_grant.access_granted_to_all_doors",
            "access_method.revoked",
            "access_method.deleted",
            "access_grant.deleted",
        ]
        issue = (await world.events(event_type="access_method.issued"))[0]
        assert (issue["code"], issue["access_grant_keys"]) == (pin, ["b7"])


async def test_a_grant_that_waits_for_a_door_ends_as_it_should(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        unit = await world.unit(1)
        off = asyncio.ensure_future(unit.power_cut(outage=600))
        grant = await granted(world, device_ids=world.devices)
        await hold_first(world, grant)
        assert (await method(world, grant))["pending_mutations"][0]["mutation_code"] == "provisioning_access"
        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        await world.eventually(lambda: first_is_empty(world))
        left = (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]
        assert left["display_status"] == "Being deleted"
        assert [one["warning_code"] for one in left["warnings"]] == ["being_deleted"]
        await gone(world, grant)
        await off
        await hold(world, [], [])


async def hold_first(world: World, grant: Any) -> None:
    pin = (await method(world, grant))["code"]

    async def found() -> bool:
        return await pins_at(world, 0) == [pin]

    await world.eventually(found)


async def first_is_empty(world: World) -> bool:
    return await pins_at(world, 0) == []


async def test_times_follow_the_grant(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        now = world.clock.now() // 60_000 * 60_000
        frame = {"starts_at": iso(now + DAY), "ends_at": iso(now + 2 * DAY)}
        grant = await granted(world, device_ids=world.devices, **frame)
        assert (await issued(world, grant))["is_issued"]
        assert (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"][
            "display_status"
        ] == "Ready"
        later = {"starts_at": iso(now + 2 * DAY), "ends_at": iso(now + 3 * DAY)}
        await world.call(UPDATE, access_grant_id=grant["access_grant_id"], **later, name="Moved")
        [code] = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
        assert (code["starts_at"], code["ends_at"], code["name"]) == (*later.values(), "Moved")

        async def moved() -> bool:
            [entry] = directory.codes(await world.unit()).values()
            return bool(entry["from"] == (now + 2 * DAY) // 1000)

        await world.eventually(moved)
        changed = (await world.events(event_type="access_grant.access_times_changed"))[0]
        assert (changed["starts_at"], changed["ends_at"]) == tuple(later.values())
        await world.call(UPDATE, access_grant_id=grant["access_grant_id"], starts_at=iso(now), ends_at=None)
        [code] = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
        assert code["type"] == "ongoing"
        await world.fail(UPDATE, 400, "invalid_input", access_grant_id=grant["access_grant_id"], ends_at=iso(now - DAY))


async def test_a_pin_that_is_taken_is_replaced_everywhere(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await create_code(world, code="482937")
        wish = [{"mode": "code", "code": "482937"}]
        grant = await granted(world, device_ids=world.devices, requested_access_methods=wish)
        pin = (await issued(world, grant))["code"]
        assert pin != "482937"
        [warning] = grant["warnings"]
        assert (warning["warning_code"], warning["device_id"]) == ("requested_code_unavailable", world.devices[0])
        assert (warning["original_code"], warning["new_code"]) == ("482937", pin)
        await hold(world, sorted(["482937", pin]), [pin])
        free = await granted(
            world, device_ids=world.devices[1:], requested_access_methods=[{"mode": "code", "code": "482937"}]
        )
        assert ((await method(world, free))["code"], free["warnings"]) == ("482937", [])
        stored = await world.core.db.read.all("SELECT requests_sealed, warnings_json FROM access_grants")
        assert "482937" not in str([tuple(row) for row in stored])


async def test_a_grant_to_a_space_follows_it(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        first, second = world.devices
        space = (await world.call("/spaces/create", name="House", space_key="h", device_ids=[first]))["space"]
        about = {"space_id": space["space_id"]}
        grant = await granted(world, space_keys=["h"])
        assert grant["space_ids"] == [space["space_id"]]
        pin = (await issued(world, grant))["code"]
        await hold(world, [pin], [])
        await world.call("/spaces/add_devices", **about, device_ids=[second])
        await hold(world, [pin], [pin])
        await world.call("/spaces/remove_devices", **about, device_ids=[first])
        await hold(world, [], [pin])
        batch = (await world.call("/access_grants/get_related", access_grant_ids=[grant["access_grant_id"]]))["batch"]
        assert [one["device_id"] for one in batch["devices"]] == [second]
        assert [one["full_name"] for one in batch["user_identities"]] == ["Jane Doe"]
        assert [one["space_key"] for one in batch["spaces"]] == ["h"]
        for which in ({"device_id": second}, about, {"user_identity_id": grant["user_identity_id"]}):
            assert len((await world.call(LIST, **which))["access_grants"]) == 1
        assert (await world.call(LIST, device_id=first))["access_grants"] == []
        await world.call("/spaces/delete", **about)
        await hold(world, [], [])
        assert (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]["space_ids"] == []


async def test_a_code_that_was_deleted_stays_so_when_its_space_changes(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        first, second, third = world.devices
        space = (await world.call("/spaces/create", name="Floor", device_ids=[first, second]))["space"]
        about = {"space_id": space["space_id"]}
        pin = (await issued(world, await granted(world, space_ids=[space["space_id"]])))["code"]
        await hold(world, [pin], [pin], [])
        [code] = (await world.call("/access_codes/list", device_id=first))["access_codes"]
        await world.call("/access_codes/delete", access_code_id=code["access_code_id"])
        await hold(world, [], [pin], [])
        await world.call("/spaces/add_devices", **about, device_ids=[third])
        await hold(world, [], [pin], [pin])
        await world.call("/spaces/remove_devices", **about, device_ids=[second])
        await hold(world, [], [], [pin])
        await world.call("/spaces/remove_devices", **about, device_ids=[first])
        await world.call("/spaces/add_devices", **about, device_ids=[first])
        await hold(world, [pin], [], [pin])


async def test_an_empty_space_gets_its_pin_with_its_first_door(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        space = (await world.call("/spaces/create", name="House"))["space"]
        grant = await granted(world, space_ids=[space["space_id"]])
        assert (await method(world, grant))["code"] is None
        await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=world.devices)
        pin = (await issued(world, grant))["code"]
        await hold(world, [pin])


async def test_all_or_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        other = await new_workspace(world, "Other")
        await other.connect()
        asked: dict[str, Any] = {
            "user_identity": {"full_name": "Jane"},
            "requested_access_methods": CODE,
            "device_ids": world.devices,
        }
        for status, kind, wrong in (
            (404, "device_not_found", {"device_ids": [*world.devices, *other.devices]}),
            (404, "space_not_found", {"space_keys": ["nowhere"]}),
            (404, "space_not_found", {"space_ids": ["nowhere"]}),
            (404, "acs_entrance_not_found", {"acs_entrance_ids": ["nowhere"]}),
            (404, "user_identity_not_found", {"user_identity": None, "user_identity_id": "nobody"}),
            (400, "invalid_input", {"device_ids": []}),
            (400, "invalid_input", {"user_identity": None}),
            (400, "invalid_input", {"requested_access_methods": []}),
            (400, "invalid_input", {"requested_access_methods": [{"mode": "card", "code": "4829"}]}),
            (400, "not_supported", {"requested_access_methods": [*CODE, {"mode": "mobile_key"}]}),
            (400, "invalid_input", {"ends_at": iso(world.clock.now() - DAY)}),
        ):
            await world.fail(CREATE, status, kind, **{**asked, **wrong})
        assert (await world.call(LIST))["access_grants"] == []
        assert (await world.call("/user_identities/list"))["user_identities"] == []
        assert (await world.call("/access_codes/list", device_id=world.devices[0]))["access_codes"] == []
        first = await granted(world, device_ids=world.devices, access_grant_key="k")
        await world.fail(CREATE, 400, "invalid_input", **asked, access_grant_key="k")
        await other.fail(GET, 404, "access_grant_not_found", access_grant_id=first["access_grant_id"])
        await other.fail(DELETE, 404, "access_grant_not_found", access_grant_id=first["access_grant_id"])
        await world.fail("/access_grants/unmanaged/get", 404, "access_grant_not_found", access_grant_id="x")


async def test_methods_are_added_and_deleted_by_booking(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        grant = await granted(world, device_ids=world.devices, reservation_key="r1")
        about = {"access_grant_id": grant["access_grant_id"]}
        more = await world.call("/access_grants/request_access_methods", **about, requested_access_methods=CODE)
        assert len(more["access_grant"]["access_method_ids"]) == 2
        listed = (await world.call("/access_methods/list", **about))["access_methods"]
        pins = [one["code"] for one in listed]
        await hold(world, pins)
        await world.call("/access_methods/delete", access_method_id=listed[0]["access_method_id"])
        await hold(world, pins[1:])
        await world.call("/access_methods/delete", reservation_key="r1")
        await hold(world, [])

        async def none() -> bool:
            return not (await world.call("/access_methods/list", **about))["access_methods"]

        await world.eventually(none)
        assert (await world.call(GET, **about))["access_grant"]["access_method_ids"] == []
        await world.call("/access_methods/delete", reservation_key="r1")
        for unknown in ({"reservation_key": "r2"}, {"access_grant_id": "nobody"}):
            error = await world.fail("/access_methods/delete", 404, "access_grant_not_found", **unknown)
            assert error["data"] == unknown


async def test_a_door_that_is_deleted_is_no_door_any_more(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(email="john@example.com")
        theirs = world.devices
        account_id = (await world.device())["connected_account_id"]
        await world.connect()
        grant = await granted(world, device_ids=[*theirs, *world.devices])
        await issued(world, grant)
        await world.call("/connected_accounts/delete", connected_account_id=account_id)
        shown = (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]
        assert (shown["display_status"], shown["warnings"]) == ("Active", [])
        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        await gone(world, grant)


async def test_it_is_there_after_a_restart(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        grant = await granted(world, device_ids=world.devices)
        key, devices = world.key, world.devices
    async with serving(tmp_path, database_url) as world:
        world.key, world.devices = key, devices
        pin = (await issued(world, grant))["code"]
        await hold(world, [pin])
        assert (await told(world, grant)).count("access_method.issued") == 1


# ---------------------------------------------------------------- people


async def test_people_are_found_and_merged(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()

        async def person(**about: Any) -> Any:
            return (await world.call("/user_identities/create", **about))["user_identity"]

        jane = await person(user_identity_key="jane", full_name="Jane Doe")
        other = await person(user_identity_key="j.doe", email_address="jane@example.com", phone_number="+15551234567")
        assert (jane["display_name"], other["display_name"]) == ("Jane Doe", "jane@example.com")
        for taken in ({"user_identity_key": "jane"}, {"email_address": "jane@example.com"}, {"phone_number": "123"}):
            await world.fail("/user_identities/create", 400, "invalid_input", **taken)
        grant = await granted(world, device_ids=world.devices, user_identity={"email_address": "jane@example.com"})
        assert grant["user_identity_id"] == other["user_identity_id"]
        about = {"user_identity_key": "jane"}
        await world.call("/user_identities/merge", **about, merged_user_identity_keys=["j.doe"])
        merged = (await world.call("/user_identities/get", user_identity_key="j.doe"))["user_identity"]
        assert merged["user_identity_id"] == jane["user_identity_id"]
        assert (merged["email_address"], merged["phone_number"]) == ("jane@example.com", "+15551234567")
        assert merged["merged_user_identity_keys"] == ["j.doe"]
        by_id = await world.call("/user_identities/get", user_identity_id=other["user_identity_id"])
        assert by_id["user_identity"] == merged
        assert (await world.call("/user_identities/list"))["user_identities"] == [merged]
        assert (await world.call("/user_identities/list", search="DOE"))["user_identities"] == [merged]
        for one in (jane, other):
            assert len((await world.call(LIST, user_identity_id=one["user_identity_id"]))["access_grants"]) == 1
        found = await world.call("/user_identities/list_accessible_devices", user_identity_id=jane["user_identity_id"])
        assert [one["device_id"] for one in found["devices"]] == world.devices
        await world.call("/user_identities/update", user_identity_id=jane["user_identity_id"], full_name=None)
        shown = (await world.call("/user_identities/get", **about))["user_identity"]
        assert (shown["full_name"], shown["display_name"]) == (None, "jane@example.com")
        await world.call("/user_identities/delete", user_identity_id=jane["user_identity_id"])
        await gone(world, grant)
        await hold(world, [])
        await world.fail("/user_identities/get", 404, "user_identity_not_found", **about)


async def test_names_of_one_person(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        grants = [
            await granted(world, device_ids=world.devices, user_identity={"email_address": address})
            for address in ("Jane@Example.com", "jane@example.COM")
        ]
        jane = grants[0]["user_identity_id"]
        assert grants[1]["user_identity_id"] == jane
        await world.fail("/user_identities/create", 400, "invalid_input", email_address="JANE@example.com")
        await world.call("/user_identities/update", user_identity_id=jane, email_address="jane@example.com")
        other = (await world.call("/user_identities/create", user_identity_key="o"))["user_identity"][
            "user_identity_id"
        ]
        await world.call("/user_identities/merge", user_identity_id=jane, merged_user_identity_ids=[other])
        listed = (await world.call("/user_identities/list", user_identity_ids=[other]))["user_identities"]
        assert [(one["user_identity_id"], one["email_address"]) for one in listed] == [(jane, "jane@example.com")]
        # To delete a merged one forgets its id and key, and nobody.
        await world.call("/user_identities/delete", user_identity_id=other)
        await world.fail("/user_identities/get", 404, "user_identity_not_found", user_identity_key="o")
        [left] = (await world.call("/user_identities/list"))["user_identities"]
        assert (left["user_identity_id"], left["merged_user_identity_ids"]) == (jane, [])
        assert len((await world.call(LIST))["access_grants"]) == 2


async def test_a_person_is_given_a_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        jane = (await world.call("/user_identities/create", full_name="Jane"))["user_identity"]
        about = {"user_identity_id": jane["user_identity_id"]}
        path = "/user_identities/list_accessible_devices"
        for _ in range(2):
            await world.call("/user_identities/grant_access_to_device", **about, device_id=world.devices[1])
        found = await world.call(path, **about)
        assert [one["device_id"] for one in found["accessible_devices"]] == [world.devices[1]]
        await world.call(
            "/devices/update", device_id=world.devices[1], is_managed=False
        )  # it can be taken all the same
        await world.fail("/user_identities/revoke_access_to_device", 404, "device_not_found", **about, device_id="none")
        for _ in range(2):
            await world.call("/user_identities/revoke_access_to_device", **about, device_id=world.devices[1])
        assert (await world.call(path, **about))["devices"] == []
        session = (await world.call("/client_sessions/create", **about))["client_session"]
        assert session["user_identity_ids"] == [jane["user_identity_id"]]
        long = "k" * 255
        await world.call("/user_identities/create", full_name="John", user_identity_key=long)
        assert (await world.call("/user_identities/get", user_identity_key=long))["user_identity"][
            "full_name"
        ] == "John"
        seen = (await world.raw("/user_identities/list", {}, key=session["token"])).json["user_identities"]
        assert [one["full_name"] for one in seen] == ["Jane"]


async def test_a_grant_that_was_over_opens_again(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        now = world.clock.now() // 60_000 * 60_000
        grant = await granted(world, device_ids=world.devices, ends_at=iso(now + DAY // 12))
        about = {"access_grant_id": grant["access_grant_id"]}
        pin = (await issued(world, grant))["code"]
        await world.clock.advance(DAY / 8_000)
        await hold(world, [])
        assert (await world.call(GET, **about))["access_grant"]["display_status"] == "Over"
        await world.call(UPDATE, **about, ends_at=iso(now + DAY))
        await hold(world, [pin])
        assert (await issued(world, grant))["code"] == pin
        shown = (await world.call(GET, **about))["access_grant"]
        assert (shown["display_status"], shown["warnings"]) == ("Active", [])


async def test_a_door_with_another_pin_is_told(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        grant = await granted(world, device_ids=world.devices)
        about = {"access_grant_id": grant["access_grant_id"]}
        await issued(world, grant)
        code = (await world.call("/access_codes/list", **about))["access_codes"][0]
        await world.call("/access_codes/update", access_code_id=code["access_code_id"], code="739152")
        [warning] = (await world.call(GET, **about))["access_grant"]["warnings"]
        assert warning["warning_code"] == "underprovisioned_access"
        await world.call(DELETE, **about)
        await gone(world, grant)
        await hold(world, [], [])


async def test_only_doors_where_the_pin_is_in_use_are_told(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        now = world.clock.now() // 60_000 * 60_000
        later = {"starts_at": iso(now + 5 * DAY), "ends_at": iso(now + 6 * DAY)}
        await create_code(world, code="482938", **later)
        await world.call("/access_codes/create", device_id=world.devices[1], code="482937", **later)
        wish = [{"mode": "code", "code": "482937"}]
        grant = await granted(world, device_ids=world.devices, ends_at=iso(now + DAY), requested_access_methods=wish)
        assert [one["device_id"] for one in grant["warnings"]] == [world.devices[1]]


async def test_a_warning_goes_with_its_door(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        space = (await world.call("/spaces/create", name="Room", device_ids=world.devices[:1]))["space"]
        other = {"space_id": space["space_id"], "device_ids": world.devices[1:]}
        await world.call("/access_codes/create", device_id=world.devices[1], code="482937")
        wish = [{"mode": "code", "code": "482937"}]
        grant = await granted(world, space_ids=[space["space_id"]], requested_access_methods=wish)
        await issued(world, grant)

        async def warnings() -> list[str]:
            shown = (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]
            return [one["warning_code"] for one in shown["warnings"]]

        await world.call("/spaces/add_devices", **other)
        assert await warnings() == ["device_does_not_support_access_codes", "underprovisioned_access"]
        await world.call("/spaces/remove_devices", **other)
        assert await warnings() == []


async def test_a_name_is_forgotten(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        grant = await granted(world, device_ids=world.devices, name="Booking")
        await world.call(UPDATE, access_grant_id=grant["access_grant_id"], name=None)
        shown = (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]
        assert (shown["name"], shown["display_name"]) == (None, "Access of Jane Doe")


def at(world: World, seconds: float) -> str:
    """An instant so many seconds from now."""
    return iso(world.clock.now() + round(seconds * 1000))


async def lets_in(world: World, pin: str, index: int = 0) -> bool:
    return (await world.unit(index)).press_keys(f"#{pin}*")


async def test_a_pin_opens_from_and_until_the_second(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        await world.clock.advance(
            37.25 - world.clock.now() % 60_000 / 1000 + 60
        )  # a moment that rounding would move on
        grant = await granted(world, device_ids=world.devices, ends_at=at(world, 90))
        pin = (await issued(world, grant))["code"]
        assert await lets_in(world, pin)
        assert parse(grant["starts_at"]) <= world.clock.now()
        [code] = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
        assert (code["starts_at"], code["ends_at"]) == (grant["starts_at"], grant["ends_at"])
        await world.clock.advance((parse(grant["ends_at"]) - world.clock.now()) / 1000 - 1)
        assert await lets_in(world, pin)
        await world.clock.advance(1)
        assert not await lets_in(world, pin)
        await hold(world, [])
        # One that begins later and is short.
        frame = {"starts_at": at(world, 20), "ends_at": at(world, 29)}
        short = await granted(world, device_ids=world.devices, **frame)
        pin = (await issued(world, short))["code"]
        assert not await lets_in(world, pin)
        await world.clock.advance((parse(short["starts_at"]) - world.clock.now()) / 1000)
        assert await lets_in(world, pin)
        assert await is_conflict_free(world)


async def is_conflict_free(world: World) -> bool:
    """A whole read of the directory finds everything as it was set."""
    await world.pass_time(DAY / 12_000, step=DAY / 24_000)
    return not await world.events(event_type="access_code.modified_external_to_seam")


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "why"),
    [
        ("9995-01-01T00:00:00Z", None, "starts_at"),
        ("9995-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "starts_at"),
        (None, "2020-01-01", "Must be in the future"),
        ("2199-01-02", "2199-01-01", "starts_at"),
        (None, "9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", None),
        ("2100-01-01T00:00:00Z", None, None),
    ],
)
async def test_times_that_no_intercom_knows(
    tmp_path: Path, starts_at: str | None, ends_at: str | None, why: str | None
) -> None:
    async with serving(tmp_path, None) as world:
        await world.connect()
        frame = {name: value for name, value in (("starts_at", starts_at), ("ends_at", ends_at)) if value}
        asked = {"user_identity": {}, "requested_access_methods": CODE, "device_ids": world.devices, **frame}
        if why is not None:
            assert why in (await world.fail(CREATE, 400, "invalid_input", **asked))["message"]
            return
        grant = await granted(world, device_ids=world.devices, **frame)
        assert grant["ends_at"] == (iso(parse(ends_at)) if ends_at else None)
        pin = (await issued(world, grant))["code"]
        await hold(world, [pin])
        assert await is_conflict_free(world)
        about = {"access_grant_id": grant["access_grant_id"]}
        error = await world.fail(UPDATE, 400, "invalid_input", **about, starts_at="9995-01-01T00:00:00Z")
        assert "starts_at" in error["message"]


async def test_a_grant_that_is_over_gets_another_name(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        grant = await granted(world, device_ids=world.devices, ends_at=at(world, 60), access_grant_key="k")
        about = {"access_grant_id": grant["access_grant_id"]}
        await issued(world, grant)
        await world.call("/devices/simulate/disconnect", device_id=world.devices[1])
        await world.clock.advance(61)
        await world.eventually(lambda: first_is_empty(world))
        await world.call(UPDATE, **about, name="Late", access_grant_key="l")
        shown = (await world.call(GET, **about))["access_grant"]
        assert (shown["name"], shown["access_grant_key"], shown["display_status"]) == ("Late", "l", "Over")
        error = await world.fail(
            "/access_grants/request_access_methods", 400, "invalid_input", **about, requested_access_methods=CODE
        )
        assert error["message"] == "The access grant is over"
        assert (
            "in the future"
            in (await world.fail(UPDATE, 400, "invalid_input", **about, ends_at=at(world, -9)))["message"]
        )


async def test_a_code_keeps_to_its_grant(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        now = world.clock.now() // 60_000 * 60_000 + 40_000
        frame = {"starts_at": iso(now), "ends_at": iso(now + DAY)}
        grant = await granted(world, device_ids=world.devices, **frame)
        await issued(world, grant)
        [code] = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
        about = {"access_code_id": code["access_code_id"]}
        for wrong in (
            {"ends_at": iso(now + 2 * DAY)},
            {"starts_at": iso(now - DAY), "ends_at": iso(now + DAY)},
            {"type": "ongoing"},
        ):
            error = await world.fail("/access_codes/update", 400, "invalid_input", **about, **wrong)
            assert "access grant" in error["message"]
        await world.call("/access_codes/update", **about, ends_at=iso(now + DAY))
        assert (await world.code(**about))["ends_at"] == frame["ends_at"]
        await world.call("/access_codes/update", **about, ends_at=iso(now + DAY // 2), name="Shorter")
        # Somebody makes it longer at the door: not even then.
        await world.call("/access_codes/update", **about, is_external_modification_allowed=True)
        unit = await world.watched()
        [uuid] = directory.codes(unit)
        await directory.edit(unit, uuid, access={"validTo": "0"})

        async def is_right() -> bool:
            entries = directory.codes(unit).values()
            told = await world.events(event_type="access_code.modified_external_to_seam")
            return bool(told) and all(one["to"] not in (0, parse(frame["ends_at"]) // 1000) for one in entries)

        await world.eventually(is_right)


async def test_a_pin_that_is_in_use_later_is_taken(tmp_path: Path, database_url: str | None) -> None:
    """Intercoms take a PIN once, whenever it opens."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await create_code(world, code="482937", **hours(world, 5, 6))
        wish = [{"mode": "code", "code": "482937"}]
        grant = await granted(world, device_ids=world.devices, ends_at=at(world, 3600), requested_access_methods=wish)
        [warning] = grant["warnings"]
        assert warning["warning_code"] == "requested_code_unavailable"
        pin = (await issued(world, grant))["code"]
        await hold(world, sorted([pin, "482937"]))
        assert await lets_in(world, pin)


async def test_a_pin_that_is_let_go_is_free(tmp_path: Path, database_url: str | None) -> None:
    """A booking that is made anew keeps its PIN."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        wish = [{"mode": "code", "code": "482937"}]
        first = await granted(world, device_ids=world.devices, requested_access_methods=wish)
        await issued(world, first)
        await world.call(DELETE, access_grant_id=first["access_grant_id"])
        again = await granted(world, device_ids=world.devices, requested_access_methods=wish)
        assert again["warnings"] == []
        assert (await issued(world, again))["code"] == "482937"
        await gone(world, first)
        await hold(world, ["482937"])


async def test_a_code_takes_over_a_pin_at_its_start(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await create_code(world, code="482937", **hours(world, -1, 1))
        await hold(world, ["482937"])
        later = hours(world, 1, 3)
        await create_code(world, code="482937", **later)
        await world.pass_time((parse(later["starts_at"]) - world.clock.now()) / 1000 + 2, step=20)

        async def is_there() -> bool:
            return [one["to"] for one in directory.codes(await world.unit()).values()] == [
                parse(later["ends_at"]) // 1000
            ]

        before = world.clock.now()
        await world.eventually(is_there)
        assert world.clock.now() - before < 3000


@pytest.mark.parametrize("obstacle", ["code", "unmanaged code", "length"])
async def test_a_door_gets_a_grants_code_when_it_can(tmp_path: Path, database_url: str | None, obstacle: str) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        second = world.devices[1]
        space = (await world.call("/spaces/create", name="Room", device_ids=world.devices[:1]))["space"]
        unit, code_id, report = await world.watched(1), "", "/access_codes/report_device_constraints"
        if obstacle == "code":
            made = await world.call("/access_codes/create", device_id=second, code="482937")
            code_id = made["access_code"]["access_code_id"]
        elif obstacle == "unmanaged code":
            code_id = await directory.add(unit, "Owner", "482937")
            await world.pass_time(6)
        else:
            await world.call(report, device_id=second, supported_code_lengths=[8])
        wish = [{"mode": "code", "code": "482937"}]
        grant = await granted(world, space_ids=[space["space_id"]], requested_access_methods=wish)
        about = {"access_grant_id": grant["access_grant_id"]}
        await issued(world, grant)
        await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=[second])
        [error] = (await world.call(GET, **about))["access_grant"]["errors"]
        assert error["missing_device_ids"] == [second]
        await world.pass_time(6)
        if obstacle == "code":
            await world.call("/access_codes/delete", access_code_id=code_id)
        elif obstacle == "unmanaged code":
            await directory.remove(unit, code_id)
        else:
            await world.call(report, device_id=second, min_code_length=4)

        async def is_mended() -> bool:
            shown = (await world.call(GET, **about))["access_grant"]
            return (shown["errors"], shown["warnings"]) == ([], [])

        await world.eventually(is_mended)
        await hold(world, ["482937"], ["482937"])


async def shown(world: World, grant: Any) -> Any:
    return (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]


def warned(of: Any) -> dict[str, str]:
    """Warnings and since when they stand."""
    return {one["warning_code"]: one["created_at"] for one in of["warnings"]}


async def test_a_grant_says_what_its_doors_do_not_know_yet(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        first, second = world.devices
        space = {"space_id": (await world.call("/spaces/create", name="Room", device_ids=[first]))["space"]["space_id"]}
        grant = await granted(world, space_ids=[space["space_id"]], **hours(world, -1, 5))
        await issued(world, grant)
        assert (await shown(world, grant))["pending_mutations"] == []
        await world.call("/devices/simulate/disconnect", device_id=second)
        await world.pass_time(3)
        # A door comes that cannot be reached.
        began = iso(world.clock.now())
        await world.call("/spaces/add_devices", **space, device_ids=[second])
        await world.pass_time(3)
        now = await shown(world, grant)
        [mutation] = now["pending_mutations"]
        assert (mutation["mutation_code"], mutation["created_at"]) == ("updating_spaces", began)
        assert (mutation["from"], mutation["to"]) == ({"device_ids": [first]}, {"device_ids": sorted(world.devices)})
        assert warned(now) == {"underprovisioned_access": began}
        await world.call("/devices/simulate/connect", device_id=second)
        await world.eventually(lambda: is_quiet(world, grant))
        # The times move while it cannot be reached.
        await world.call("/devices/simulate/disconnect", device_id=second)
        end = hours(world, 0, 2)["ends_at"]
        began = iso(world.clock.now())
        await world.call(UPDATE, access_grant_id=grant["access_grant_id"], ends_at=end)
        await world.pass_time(3)
        now = await shown(world, grant)
        [mutation] = now["pending_mutations"]
        assert mutation["mutation_code"] == "updating_access_times"
        assert (mutation["from"]["ends_at"], mutation["to"]["ends_at"]) == (grant["ends_at"], end)
        assert warned(now) == {"overprovisioned_access": began, "updating_access_times": began}
        assert warned(await method(world, grant)) == {"updating_access_times": began}
        await world.call("/devices/simulate/connect", device_id=second)
        await world.eventually(lambda: is_quiet(world, grant))
        # It leaves while it cannot be reached.
        await world.call("/devices/simulate/disconnect", device_id=second)
        began = iso(world.clock.now())
        await world.call("/spaces/remove_devices", **space, device_ids=[second])
        await world.pass_time(3)
        now = await shown(world, grant)
        assert [one["mutation_code"] for one in now["pending_mutations"]] == ["updating_spaces"]
        assert now["pending_mutations"][0]["to"] == {"device_ids": [first]}
        assert warned(now) == {"overprovisioned_access": began}
        await world.call("/devices/simulate/connect", device_id=second)
        await world.eventually(lambda: is_quiet(world, grant))
        # Nothing is left of it, and it says so.
        await world.call("/spaces/delete", **space)
        await world.eventually(lambda: first_is_empty(world))
        now = await shown(world, grant)
        assert (now["display_status"], [*warned(now)]) == ("Without doors", ["underprovisioned_access"])
        await world.call("/access_methods/delete", access_grant_id=grant["access_grant_id"])

        async def is_without() -> bool:
            return bool((await shown(world, grant))["display_status"] == "Without access methods")

        await world.eventually(is_without)


async def is_quiet(world: World, grant: Any) -> bool:
    now = await shown(world, grant)
    return not now["pending_mutations"] and not now["warnings"] and now["display_status"] == "Active"


async def test_a_method_is_over_with_its_grant(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        grant = await granted(world, device_ids=world.devices, ends_at=at(world, 60))
        await issued(world, grant)
        await world.clock.advance(61)
        one = await method(world, grant)
        assert (one["display_status"], one["is_issued"]) == ("Over", True)


async def test_only_what_is_named_is_deleted(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        mine = await granted(world, device_ids=world.devices, reservation_key="r")
        other = await granted(world, device_ids=world.devices)
        about = {"access_method_id": mine["access_method_ids"][0], "access_grant_id": other["access_grant_id"]}
        error = await world.fail("/access_methods/delete", 400, "invalid_input", **about)
        assert "only one of" in error["message"]
        assert (await shown(world, other))["access_method_ids"] == other["access_method_ids"]


async def test_what_belongs_to_a_grant_of_somebody_who_was_deleted(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        grant = await one_door_away(world)
        await world.call("/user_identities/delete", user_identity_id=grant["user_identity_id"])
        batch = await world.call("/access_grants/get_related", access_grant_ids=[grant["access_grant_id"]])
        assert (batch["batch"]["user_identities"], len(batch["batch"]["devices"])) == ([], 2)


async def test_a_space_outgrows_a_grant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doorward.core.grant_doors.MOST_DEVICES", 1)
    async with serving(tmp_path, None) as world:
        await world.connect(count=2)
        space = (await world.call("/spaces/create", name="Room", device_ids=world.devices[:1]))["space"]
        grant = await granted(world, space_ids=[space["space_id"]])
        await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=world.devices[1:])
        [error] = (await shown(world, grant))["errors"]
        assert error["missing_device_ids"] == world.devices[1:]


async def test_a_backup_code_goes_with_the_grant(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.call("/devices/update", device_id=world.devices[0], backup_access_code_pool_enabled=True)
        frame = hours(world, -1, 5)
        grant = await granted(world, device_ids=world.devices, **frame)
        about = {"access_grant_id": grant["access_grant_id"]}
        own = (await issued(world, grant))["code"]
        [code] = (await world.call("/access_codes/list", **about))["access_codes"]

        async def is_ready() -> bool:
            return bool((await world.code(code["access_code_id"]))["is_backup_access_code_available"])

        await world.eventually(is_ready)
        path = "/access_codes/pull_backup_access_code"
        pulled = (await world.call(path, access_code_id=code["access_code_id"]))["access_code"]

        async def end(at: str) -> bool:
            entries = directory.codes(await world.unit()).values()
            return {e["pin"] for e in entries if e["to"] == parse(at) // 1000} == {own, pulled["code"]}

        await world.eventually(lambda: end(frame["ends_at"]))
        [warning] = (await method(world, grant))["warnings"]
        assert warning["warning_code"] == "pulled_backup_access_code"
        assert (await world.call(GET, **about))["access_grant"]["warnings"] == []
        assert (await method(world, grant))["code"] == own

        async def reissues() -> list[Any]:
            return [
                (e["code"], e.get("is_backup_code")) for e in await world.events(event_type="access_method.reissued")
            ]

        assert await reissues() == [(pulled["code"], True)]
        later = hours(world, 0, 8)["ends_at"]
        await world.call(UPDATE, **about, ends_at=later)
        await world.eventually(lambda: end(later))
        assert (await reissues())[1:] == [(own, None)]
        await world.call(DELETE, **about)
        await gone(world, grant)
        left = directory.pins(await world.unit())
        assert not {own, pulled["code"]} & set(left)


async def one_door_away(world: World) -> Any:
    """A grant to two doors, of which the second cannot be reached."""
    await world.connect(count=2)
    await world.call("/devices/simulate/disconnect", device_id=world.devices[1])
    grant = await granted(world, device_ids=world.devices)
    await hold_first(world, grant)
    return grant


UNMANAGE = [("/devices/update", "device"), ("/access_codes/update", "code")]


async def unmanage(world: World, grant: Any, index: int, path: str, what: str) -> None:
    """Stop managing a door, or the grant's code there."""
    about = {"device_id": world.devices[index]}
    if what == "code":
        codes = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
        [found] = [one for one in codes if one["device_id"] == world.devices[index]]
        about = {"access_code_id": found["access_code_id"]}
    await world.call(path, **about, is_managed=False)


@pytest.mark.parametrize(("path", "what"), UNMANAGE)
async def test_what_nobody_manages_any_more_goes_with_the_grant(
    tmp_path: Path, database_url: str | None, path: str, what: str
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        grant = await granted(world, device_ids=world.devices)
        pin = (await issued(world, grant))["code"]
        await unmanage(world, grant, 1, path, what)
        await world.pass_time(6)
        await hold(world, [pin], [pin])
        shown = (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]
        assert [one["warning_code"] for one in shown["warnings"]] == ["underprovisioned_access"]
        assert (await method(world, grant))["pending_mutations"] == []
        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        await gone(world, grant)
        await hold(world, [], [])


async def test_a_grant_waits_for_a_door_that_nobody_manages_any_more(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        grant = await granted(world, device_ids=world.devices)
        await issued(world, grant)
        await world.call("/devices/simulate/disconnect", device_id=world.devices[1])
        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        await world.eventually(lambda: first_is_empty(world))
        await world.call("/devices/update", device_id=world.devices[1], is_managed=False)
        await world.pass_time(6)
        shown = (await world.call(GET, access_grant_id=grant["access_grant_id"]))["access_grant"]
        assert shown["display_status"] == "Being deleted"
        assert (await method(world, grant))["pending_mutations"][0]["mutation_code"] == "revoking_access"
        (await world.unit(1)).plug_in()
        await gone(world, grant)
        await hold(world, [], [])


async def test_a_door_that_is_managed_again_is_the_grants(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        second = world.devices[1]
        space = (await world.call("/spaces/create", name="Room", device_ids=[second]))["space"]
        await world.call("/spaces/create", name="House", space_key="house", device_ids=world.devices)
        grants = [await granted(world, device_ids=world.devices), await granted(world, space_ids=[space["space_id"]])]
        grants.append(await granted(world, device_ids=world.devices))
        pins = [(await issued(world, one))["code"] for one in grants]
        await hold(world, [pins[0], pins[2]], pins)
        await world.call("/devices/update", device_id=second, is_managed=False)
        # Meanwhile one is moved, one does not lead there any more, one is deleted, and one is new.
        end = iso((world.clock.now() + DAY) // 60_000 * 60_000)
        await world.call(UPDATE, access_grant_id=grants[0]["access_grant_id"], ends_at=end)
        await world.call("/spaces/delete", space_id=space["space_id"])
        await world.call(DELETE, access_grant_id=grants[2]["access_grant_id"])
        grants.append(await granted(world, space_keys=["house"]))
        pins.append((await issued(world, grants[3]))["code"])
        await hold(world, [pins[0], pins[3]], [pins[0]])
        await world.call("/devices/unmanaged/update", device_id=second, is_managed=True)
        await hold(world, [pins[0], pins[3]], [pins[0], pins[3]])

        async def moved() -> bool:
            entries = directory.codes(await world.unit(1)).values()
            return {one["to"] for one in entries if one["pin"] == pins[0]} == {parse(end) // 1000}

        await world.eventually(moved)
        for one in (grants[0], grants[3]):
            shown = (await world.call(GET, access_grant_id=one["access_grant_id"]))["access_grant"]
            assert (shown["display_status"], shown["warnings"], shown["errors"]) == ("Active", [], [])
            await world.call(DELETE, access_grant_id=one["access_grant_id"])
            await gone(world, one)
        await hold(world, [], [])
        assert (await world.call("/access_codes/unmanaged/list", device_id=second))["access_codes"] == []


async def test_what_became_anothers_is_left_to_them(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        grant = await granted(world, device_ids=world.devices)
        pin = (await issued(world, grant))["code"]
        await world.call("/devices/update", device_id=world.devices[1], is_managed=False)
        unit = await world.unit(1)
        [uuid] = directory.codes(unit)
        await directory.edit(unit, uuid, owner="SomebodyElse")
        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        await gone(world, grant)
        await hold(world, [], [pin])


@pytest.mark.parametrize(("path", "what"), UNMANAGE)
async def test_a_method_is_issued_when_nobody_manages_its_last_door(
    tmp_path: Path, database_url: str | None, path: str, what: str
) -> None:
    async with serving(tmp_path, database_url) as world:
        grant = await one_door_away(world)
        assert not (await method(world, grant))["is_issued"]
        await unmanage(world, grant, 1, path, what)
        assert (await issued(world, grant))["is_issued"]


# ---------------------------------------------------------------- at once


async def test_doors_that_are_ready_at_once(tmp_path: Path, database_url: str | None) -> None:
    """The last door knows that it is the last, though the others are written down at the same time."""
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        grants = [await granted(world, device_ids=world.devices) for _ in range(15)]
        for grant in grants:
            await issued(world, grant)
        for grant in grants:
            await world.call(DELETE, access_grant_id=grant["access_grant_id"])
        for grant in grants:
            await gone(world, grant)
        await hold(world, [], [], [])


@asynccontextmanager
async def holding(world: World, device_id: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Hold a device, once all is quiet; what is yielded counts the transactions that wait for a lock."""
    await world.settle()
    is_held, is_free = asyncio.Event(), asyncio.Event()

    async def hold_it(tx: Tx) -> None:
        await tx.lock("device", world.workspace.workspace_id, device_id)
        is_held.set()
        await is_free.wait()

    async def waiting() -> int:
        row = await world.core.db.read.one("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
        return row[0] if row is not None else 0

    holder = asyncio.ensure_future(world.core.db.write(hold_it))
    await is_held.wait()
    try:
        yield waiting
    finally:
        is_free.set()
        await holder


async def test_deleted_while_its_space_grows(tmp_path: Path, postgres: Cluster) -> None:
    url = await postgres.migrated()
    async with serving(tmp_path, url) as world:
        await world.connect(count=2)
        space = (await world.call("/spaces/create", name="Room", device_ids=world.devices[:1]))["space"]
        grant = await granted(world, space_ids=[space["space_id"]])
        await issued(world, grant)
        [code] = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
        await world.call("/access_codes/delete", access_code_id=code["access_code_id"])
        await hold(world, [], [])
        more = {"space_id": space["space_id"], "device_ids": world.devices[1:]}
        async with holding(world, world.devices[0]) as waiting:
            growing = asyncio.ensure_future(world.call("/spaces/add_devices", **more))
            await until(waiting)
            deleting = asyncio.ensure_future(world.call(DELETE, access_grant_id=grant["access_grant_id"]))

            async def is_under_way() -> bool:
                return deleting.done() or await waiting() >= 2

            await until(is_under_way)
        await asyncio.gather(growing, deleting)
        await gone(world, grant)
        await hold(world, [], [])
        for device_id in world.devices:
            assert (await world.call("/access_codes/list", device_id=device_id))["access_codes"] == []
    await postgres.drop(url)


async def test_methods_asked_for_at_once(tmp_path: Path, postgres: Cluster) -> None:
    url = await postgres.migrated()
    async with serving(tmp_path, url) as world:
        await world.connect()
        grant = await granted(world, device_ids=world.devices)
        about = {"access_grant_id": grant["access_grant_id"]}
        wish = {**about, "requested_access_methods": CODE}
        async with holding(world, world.devices[0]) as waiting:
            both = [asyncio.ensure_future(world.call("/access_grants/request_access_methods", **wish)) for _ in "12"]

            async def are_under_way() -> bool:
                return await waiting() >= 2

            await until(are_under_way)
        await asyncio.gather(*both)
        shown = (await world.call(GET, **about))["access_grant"]
        assert [len(one["created_access_method_ids"]) for one in shown["requested_access_methods"]] == [1, 1, 1]
    await postgres.drop(url)


@pytest.mark.parametrize("order", ["grant first", "person first"])
@pytest.mark.parametrize("what", ["delete", "merge"])
async def test_given_while_the_person_goes(tmp_path: Path, postgres: Cluster, what: str, order: str) -> None:
    """A grant belongs to somebody who is there, or there is none."""
    url = await postgres.migrated()
    async with serving(tmp_path, url) as world:
        await world.connect()
        people = [(await world.call("/user_identities/create"))["user_identity"]["user_identity_id"] for _ in "12"]
        give: dict[str, Any] = {
            "user_identity_id": people[0],
            "device_ids": world.devices,
            "requested_access_methods": CODE,
        }
        go: dict[str, Any] = {"user_identity_id": people[0]}
        if what == "merge":
            go = {"user_identity_id": people[1], "merged_user_identity_ids": people[:1]}
        # An older grant, so that deleting the person waits for the device, too.
        await issued(world, (await world.call(CREATE, **give))["access_grant"])
        calls = [(CREATE, give), (f"/user_identities/{what}", go)]
        both = []
        async with holding(world, world.devices[0]) as waiting:
            for path, body in calls if order == "grant first" else reversed(calls):
                before = await waiting()
                both.append(asyncio.ensure_future(world.raw(path, body)))

                async def is_under_way(before: int = before) -> bool:
                    return both[-1].done() or await waiting() > before

                await until(is_under_way)
        replies = await asyncio.gather(*both)
        assert {reply.status for reply in replies} <= {200, 404}
        await world.settle()
        if what == "delete":
            await hold(world, [])
            assert (await world.call(LIST))["access_grants"] == []
        else:
            assert {one["user_identity_id"] for one in (await world.call(LIST))["access_grants"]} == {people[1]}
    await postgres.drop(url)


async def test_people_and_their_access_at_once(tmp_path: Path, postgres: Cluster) -> None:
    url = await postgres.migrated()
    async with serving(tmp_path, url) as world:
        await world.connect()
        people = [(await world.call("/user_identities/create"))["user_identity"]["user_identity_id"] for _ in range(12)]
        give = {"device_ids": world.devices, "requested_access_methods": CODE}

        async def delete(person: str, after: int) -> Any:
            for _ in range(after):
                await asyncio.sleep(0)  # at another point of the other call
            return await world.raw("/user_identities/delete", {"user_identity_id": person})

        calls = [world.raw(CREATE, {**give, "user_identity_id": one}) for one in people]
        replies = await asyncio.gather(*calls, *(delete(one, n) for n, one in enumerate(people)))
        assert {reply.status for reply in replies} <= {200, 404}
        await hold(world, [])
        assert (await world.call(LIST))["access_grants"] == []
    await postgres.drop(url)


# ---------------------------------------------------------------- at random


def doors_of(grant: Any, spaces: dict[str, set[int]]) -> set[int]:
    """The devices that a grant leads to, by the model."""
    return {int(n) for n in grant["doors"]} | {n for key in grant["spaces"] for n in spaces.get(key, ())}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_the_doors_hold_what_the_grants_say(
    tmp_path: Path, database_url: str | None, seed: int
) -> None:
    """Random changes, doors that are away meanwhile, restarts: in the end each door has the PINs of its grants."""
    chance = random.Random(seed)
    spaces: dict[str, set[int]] = {}
    grants: dict[str, dict[str, Any]] = {}
    key, devices, clock = "", list[str](), ManualClock()
    for part in range(2):
        async with serving(tmp_path, database_url, clock) as world:
            if part == 0:
                await world.connect(count=3)
                key, devices = world.key, world.devices
            world.key, world.devices = key, devices
            for step in range(14):
                name = f"{part}-{step}"
                some = chance.sample(range(3), chance.randint(1, 2))
                match chance.choice(["space", "grant", "grant", "in", "out", "times", "delete", "gone", "off", "on"]):
                    case "space":
                        await world.call(
                            "/spaces/create", name=name, space_key=name, device_ids=[devices[n] for n in some]
                        )
                        spaces[name] = set(some)
                    case "grant":
                        there = chance.sample(sorted(spaces), min(len(spaces), chance.randint(0, 2)))
                        doors = some if not there or chance.random() < 0.5 else []
                        await granted(
                            world, access_grant_key=name, device_ids=[devices[n] for n in doors], space_keys=there
                        )
                        grants[name] = {"doors": doors, "spaces": there}
                    case "in" | "out" as way if spaces:
                        which = chance.choice(sorted(spaces))
                        space_id = (await world.call("/spaces/get", space_key=which))["space"]["space_id"]
                        path = "/spaces/add_devices" if way == "in" else "/spaces/remove_devices"
                        await world.call(path, space_id=space_id, device_ids=[devices[n] for n in some])
                        spaces[which] = spaces[which] | set(some) if way == "in" else spaces[which] - set(some)
                    case "times" if grants:
                        end = iso(world.clock.now() + chance.randint(1, 5) * DAY)
                        await world.call(UPDATE, access_grant_key=chance.choice(sorted(grants)), ends_at=end)
                    case "delete" if grants:
                        which = chance.choice(sorted(grants))
                        grant = (await world.call(GET, access_grant_key=which))["access_grant"]
                        await world.call(DELETE, access_grant_id=grant["access_grant_id"])
                        del grants[which]
                    case "gone" if spaces:
                        which = chance.choice(sorted(spaces))
                        space_id = (await world.call("/spaces/get", space_key=which))["space"]["space_id"]
                        await world.call("/spaces/delete", space_id=space_id)
                        del spaces[which]
                    case "off" | "on" as way:
                        path = f"/devices/simulate/{'dis' if way == 'off' else ''}connect"
                        await world.call(path, device_id=devices[some[0]])
                await world.pass_time(chance.choice([0.1, 1, 3]))
            if part == 1:
                for device_id in devices:
                    await world.call("/devices/simulate/connect", device_id=device_id)
                wanted: list[list[str]] = [[], [], []]
                for name, grant in grants.items():
                    shown = (await world.call(GET, access_grant_key=name))["access_grant"]
                    [one] = (await world.call("/access_methods/list", access_grant_key=name))["access_methods"]
                    refused = {w["device_id"] for w in shown["warnings"] if "device_id" in w}
                    assert not refused, "PINs are drawn: none is in use"
                    for n in doors_of(grant, spaces):
                        wanted[n].append(one["code"])
                await hold(world, *(sorted(some) for some in wanted))
                listed = (await world.call(LIST))["access_grants"]
                assert {one["access_grant_key"] for one in listed} == grants.keys()
                assert {one["display_status"] for one in listed} <= {"Active", "Being set up"}


async def test_grants_without_a_key_are_listed_by_themselves(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_ids": world.devices, "requested_access_methods": [{"mode": "code"}]}
        keys: list[dict[str, str]] = [{}, {"access_grant_key": "a"}, {}, {"access_grant_key": "b"}, {}]
        made = []
        for number, key in enumerate(keys):
            person = {"full_name": f"Guest {number}"}
            reply = await world.call("/access_grants/create", user_identity=person, **about, **key)
            made.append(reply["access_grant"]["access_grant_id"])

        found, page = [], await world.call("/access_grants/list", access_grant_key=None, limit=2)
        found += page["access_grants"]
        _, _, query = page["pagination"]["next_page_url"].partition("?")
        page = (await world.raw("/access_grants/list", method="GET", query=query)).json
        found += page["access_grants"]
        assert [one["access_grant_id"] for one in found] == made[::2]
        assert page["pagination"]["has_next_page"] is False
        by_query = await world.raw("/access_grants/list", method="GET", query="_strict=true&access_grant_key=")
        assert [one["access_grant_id"] for one in by_query.json["access_grants"]] == made[::2]
        assert len((await world.call("/access_grants/list"))["access_grants"]) == 5
        assert len((await world.call("/access_grants/list", access_grant_key="a"))["access_grants"]) == 1
        session = await world.call("/client_sessions/create", customer_key="hotel")
        reply = await world.raw(
            "/access_grants/list", {"access_grant_key": None}, key=session["client_session"]["token"]
        )
        assert reply.json["access_grants"] == []
