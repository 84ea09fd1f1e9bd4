"""Routes about what this server has none of: every one of them says so, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import World, new_workspace, serving

from doorward.api.absent import MISSING
from doorward.api.route import ROUTES, Route

ABSENT = {path: route for path, route in ROUTES.items() if route.has_none}
PAGED = {path: route for path, route in ABSENT.items() if route.pages}
OF_A_DEVICE = sorted(
    path for path, route in ABSENT.items() if "device_id" in route.params.model_fields and "unmanaged" not in path
)
NEEDED: dict[str, Any] = {
    # What routes need besides ids.
    "access_method": "code",
    "card_number": "1",
    "auto_lock_enabled": True,
    "climate_preset_key": "home",
    "code": "482937",
    "devices": [],
    "ends_at": "2090-01-02T00:00:00Z",
    "ends_daily_at": "07:00:00[Europe/Paris]",
    "full_name": "Jane Doe",
    "hvac_mode": "cool",
    "hvac_mode_setting": "eco",
    "is_expired": True,
    "is_managed": True,
    "name": "Night",
    "periods": [{"climate_preset_key": "home", "starts_at_time": "07:00:00"}],
    "starts_at": "2090-01-01T00:00:00Z",
    "starts_daily_at": "22:00:00[Europe/Paris]",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path, None) as made:
        await made.connect()
        yield made


def body(route: Route, **ids: str) -> dict[str, Any]:
    """What the route needs, and all ids it takes."""
    found: dict[str, Any] = {}
    for name, field in route.params.model_fields.items():
        if name in ids or (name.endswith("_id") and field.is_required()):
            found[name] = ids.get(name, "x")
        elif field.is_required():
            found[name] = NEEDED[name]
    return found


@pytest.mark.parametrize("path", sorted(ABSENT))
def test_it_says_so_in_its_description_too(path: str) -> None:
    handler = ABSENT[path].handler
    assert handler is not None and handler.__doc__ is not None
    assert any(words in handler.__doc__ for words in ("this server has none", "no device here"))


async def test_each_answers_an_empty_list_or_that_there_is_no_such_thing(world: World) -> None:
    known = {"device_id": world.devices[0]}
    person = (await world.call("/user_identities/create", full_name="Jane"))["user_identity"]["user_identity_id"]
    events = await world.events()
    for path, route in ABSENT.items():
        about = dict.fromkeys(MISSING, "x") | known | {"user_identity_id": person}
        reply = await world.raw(path, body(route, **about))
        if path == "/phones/simulate/create_sandbox_phone":
            assert (reply.status, reply.error["type"]) == (501, "not_implemented")
        elif reply.status == 200:
            assert all(reply.json[key] == [] for key in route.returns if key != "pagination"), path
            assert ("pagination" in route.returns) == ("pagination" in reply.json), path
        elif path == "/user_identities/generate_instant_key":
            assert (reply.status, reply.error["type"]) == (400, "not_supported")
        elif reply.status == 400:
            assert (reply.error["type"], reply.error["data"]) == ("device_type_not_supported", known), path
        else:
            assert reply.status == 404 and reply.error["type"].endswith("_not_found"), (path, reply)
            assert reply.error["message"].startswith(("This server has no", "User identity", "Access ")), path
    assert await world.events() == events
    assert (await world.call("/action_attempts/list"))["action_attempts"] == []


async def test_an_access_method_is_a_code_and_no_card(world: World) -> None:
    grant = await world.call(
        "/access_grants/create",
        user_identity={"full_name": "Jane"},
        device_ids=world.devices,
        requested_access_methods=[{"mode": "code"}],
    )
    [method_id] = grant["access_grant"]["access_method_ids"]
    about = {"access_method_id": method_id}
    for path, more in (
        ("/access_methods/assign_card", {"card_number": "1"}),
        ("/access_methods/encode", {"acs_encoder_id": "x"}),
        ("/access_methods/unlock_door", {"acs_entrance_id": "x"}),
    ):
        error = await world.fail(path, 400, "not_supported", **about, **more)
        assert "is a code" in error["message"]


@pytest.mark.parametrize("path", OF_A_DEVICE)
async def test_a_device_that_is_not_there_is_not_found(world: World, path: str) -> None:
    kind = "phone_not_found" if path.startswith("/phones/") else "device_not_found"
    await world.fail(path, 404, kind, **body(ABSENT[path], device_id="x"))
    other = await new_workspace(world, "Other")
    await other.fail(path, 404, kind, **body(ABSENT[path], device_id=world.devices[0]))


@pytest.mark.parametrize(
    ("path", "about", "kind"),
    [
        ("/acs/systems/get", {"acs_system_id": "x"}, "acs_system_not_found"),
        ("/acs/users/create", {"acs_system_id": "x", "full_name": "Jane"}, "acs_system_not_found"),
        ("/acs/users/get", {"acs_user_id": "x"}, "acs_user_not_found"),
        ("/acs/users/get", {"user_identity_id": "x", "acs_system_id": "y"}, "acs_user_not_found"),
        ("/acs/users/delete", {"acs_system_id": "y"}, "acs_system_not_found"),
        ("/acs/access_groups/add_user", {"acs_access_group_id": "x"}, "acs_access_group_not_found"),
        ("/acs/credentials/create", {"access_method": "card", "acs_user_id": "x"}, "acs_user_not_found"),
        ("/acs/credentials/delete", {"acs_credential_id": "x"}, "acs_credential_not_found"),
        ("/acs/encoders/scan_credential", {"acs_encoder_id": "x"}, "acs_encoder_not_found"),
        ("/acs/entrances/unlock", {"acs_entrance_id": "x", "acs_credential_id": "y"}, "acs_entrance_not_found"),
        ("/instant_keys/get", {"instant_key_url": "https://ik.example/x"}, "instant_key_not_found"),
        ("/noise_sensors/noise_thresholds/get", {"noise_threshold_id": "x"}, "noise_threshold_not_found"),
        ("/phones/get", {"device_id": "x"}, "phone_not_found"),
        ("/phones/simulate/create_sandbox_phone", {"user_identity_id": "x"}, "user_identity_not_found"),
        ("/thermostats/schedules/get", {"thermostat_schedule_id": "x"}, "thermostat_schedule_not_found"),
        (
            "/thermostats/daily_programs/delete",
            {"thermostat_daily_program_id": "x"},
            "thermostat_daily_program_not_found",
        ),
    ],
)
async def test_what_it_is_that_there_is_not(world: World, path: str, about: dict[str, Any], kind: str) -> None:
    await world.fail(path, 404, kind, **about)


async def test_parameters_are_checked_as_everywhere(world: World) -> None:
    for path, about in (
        ("/acs/users/get", {}),
        ("/acs/users/create", {"acs_system_id": "x"}),
        ("/acs/credentials/create", {"access_method": "crowbar", "acs_user_id": "x"}),
        ("/acs/credentials/list", {"limit": 0}),
        ("/thermostats/set_hvac_mode", {"device_id": world.devices[0], "hvac_mode_setting": "melt"}),
        ("/thermostats/schedules/create", {"device_id": world.devices[0], "climate_preset_key": "home"}),
        ("/noise_sensors/noise_thresholds/create", {"device_id": world.devices[0], "ends_daily_at": "soon"}),
    ):
        await world.fail(path, 400, "invalid_input", **about)
    for path in PAGED:
        reply = await world.raw(path, {"page_cursor": "nonsense"})
        assert reply.status == 400, path


async def test_makers_metadata_is_not_taken_and_forgotten(world: World) -> None:
    path, zone = "/devices/report_provider_metadata", {"time_zone": "Europe/Paris"}
    for device_id, status, kind in (
        (world.devices[0], 400, "device_type_not_supported"),
        ("x", 404, "device_not_found"),
    ):
        await world.fail(path, status, kind, devices=[{"device_id": device_id, "schlage_metadata": zone}])
    await world.call(path, devices=[])


async def test_an_unmanaged_device_has_to_be_managed_first(world: World) -> None:
    await world.call("/devices/update", device_id=world.devices[0], is_managed=False)
    await world.fail("/thermostats/off", 400, "device_unmanaged", device_id=world.devices[0])


async def test_a_session_gets_empty_lists_and_learns_nothing_of_devices_of_others(world: World) -> None:
    device_id = world.devices[0]
    session = (await world.call("/client_sessions/create"))["client_session"]
    for path in ("/thermostats/list", "/noise_sensors/list", "/acs/entrances/list", "/acs/users/list"):
        reply = await world.raw(path, {}, key=session["token"])
        assert reply.status == 200, (path, reply)
    for path in ("/thermostats/schedules/list", "/thermostats/off", "/noise_sensors/noise_thresholds/list"):
        reply = await world.raw(path, {"device_id": device_id}, key=session["token"])
        assert (reply.status, reply.error["type"]) == (404, "device_not_found"), path
        await world.fail(path, 400, "device_type_not_supported", device_id=device_id)
