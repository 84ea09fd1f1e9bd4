"""Devices, accounts, webviews and codes: what may be asked of them, and what comes of it."""

import asyncio
from typing import Any

import pytest
from tests.support.server import SINCE, World, new_workspace, until

from doorward.core.webviews import Order

NOWHERE = "00000000-0000-4000-8000-000000000000"

# ---------------------------------------------------------------- devices


async def test_a_device_is_found_by_id_and_by_name(world: World) -> None:
    by_id = (await world.call("/devices/get", device_id=world.devices[0]))["device"]
    assert (await world.call("/devices/get", name="Device 0"))["device"] == by_id
    lock = await world.call("/locks/get", device_id=world.devices[0])
    assert lock["device"] == lock["lock"] == by_id
    error = await world.fail("/devices/get", 404, "device_not_found", device_id=NOWHERE)
    assert error["data"] == {"device_id": NOWHERE}
    await world.fail("/devices/get", 404, "device_not_found", name="Nobody")
    await world.fail("/devices/get", 400, "invalid_input")
    assert by_id["properties"]["supported_code_lengths"] == [4, 5, 6, 7, 8]
    assert by_id["is_managed"] is True and by_id["capabilities_supported"] == ["access_code", "lock"]


async def test_a_device_is_renamed_and_gets_its_own_name_back(world: World) -> None:
    device_id = world.devices[0]
    await world.call("/devices/update", device_id=device_id, name="Front")
    device = await world.device()
    assert (device["nickname"], device["display_name"], device["properties"]["name"]) == ("Front", "Front", "Front")
    assert device["properties"]["appearance"] == {"name": "Device 0"}
    await world.call("/devices/update", device_id=device_id, custom_metadata={"a": 1})
    assert (await world.device())["nickname"] == "Front", "other changes leave the name"
    await world.call("/devices/update", device_id=device_id, properties={"name": "Back"})
    await world.call("/devices/update", device_id=device_id, name=None)
    device = await world.device()
    assert "nickname" not in device and device["display_name"] == "Device 0"
    renamed = [e["device_name"] for e in await world.events() if e["event_type"] == "device.name_changed"]
    assert renamed == ["Front", "Back", "Device 0"]
    for bad in ("", "x" * 256, "  "):
        await world.fail("/devices/update", 400, "invalid_input", device_id=device_id, name=bad)
        await world.fail("/devices/update", 400, "invalid_input", device_id=device_id, properties={"name": bad})
    await world.fail("/devices/update", 404, "device_not_found", device_id=NOWHERE, name="x")


async def test_metadata_is_merged_and_bounded(world: World) -> None:
    device_id = world.devices[0]
    await world.call("/devices/update", device_id=device_id, custom_metadata={"a": "1", "b": True, "c": 2.5, "d": ""})
    await world.call("/devices/update", device_id=device_id, custom_metadata={"b": None, "e": "x"})
    assert (await world.device())["custom_metadata"] == {"a": "1", "c": 2.5, "e": "x"}
    many = {str(n): n for n in range(51)}
    refused: list[dict[str, Any]] = [{"a.b": 1}, {"k" * 41: 1}, {"a": "x" * 501}, {"a": [1]}, {"a": {}}, many]
    for bad in refused:
        await world.fail("/devices/update", 400, "invalid_input", device_id=device_id, custom_metadata=bad)
    await asyncio.gather(
        *(world.call("/devices/update", device_id=device_id, custom_metadata={f"n{n}": n}) for n in range(12))
    )
    assert len((await world.device())["custom_metadata"]) == 15, "changes at once are all kept"
    more = {f"m{n}": n for n in range(36)}
    await world.fail("/devices/update", 400, "invalid_input", device_id=device_id, custom_metadata=more)
    await world.call("/devices/update", device_id=device_id, custom_metadata={**more, "n0": None})
    assert len((await world.device())["custom_metadata"]) == 50


async def test_a_device_is_let_go_and_taken_back(world: World) -> None:
    device_id = world.devices[0]
    code = (await world.call("/access_codes/create", device_id=device_id, code="4711"))["access_code"]
    await world.fail("/devices/unmanaged/get", 404, "device_not_found", device_id=device_id)
    await world.fail("/devices/unmanaged/update", 400, "device_managed", device_id=device_id, is_managed=True)
    await world.call("/devices/update", device_id=device_id, is_managed=False)
    await world.fail("/devices/get", 404, "device_not_found", device_id=device_id)
    await world.fail("/devices/update", 400, "device_unmanaged", device_id=device_id, name="x")
    await world.fail("/access_codes/create", 400, "device_unmanaged", device_id=device_id)
    await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code["access_code_id"])
    unmanaged = (await world.call("/devices/unmanaged/get", device_id=device_id))["device"]
    assert unmanaged["is_managed"] is False and "nickname" not in unmanaged
    assert [d["device_id"] for d in (await world.call("/devices/unmanaged/list"))["devices"]] == [device_id]
    assert len((await world.call("/devices/list"))["devices"]) == 2
    await world.call("/devices/unmanaged/update", device_id=device_id, is_managed=True)
    assert (await world.device())["is_managed"] is True
    types = await world.types(device_id=device_id)
    assert types.count("device.converted_to_unmanaged") == 1
    assert types.count("device.unmanaged.converted_to_managed") == 1
    await world.fail("/devices/unmanaged/update", 404, "device_not_found", device_id=NOWHERE, is_managed=True)
    brands = (await world.call("/devices/list_device_providers"))["device_providers"]
    assert [b["device_provider_name"] for b in brands] == ["my_2n"]
    assert (await world.call("/devices/list_device_providers", provider_category="cameras"))["device_providers"] == []


# ---------------------------------------------------------------- accounts and webviews


async def test_a_webview_can_be_asked_for_and_deleted_and_leaves_its_account(world: World) -> None:
    made = (
        await world.call(
            "/connect_webviews/create",
            accepted_providers=["my_2n"],
            custom_redirect_url="https://app.example.com/done?x=1",
            custom_metadata={"a": 1, "empty": ""},
            device_selection_mode="single",
        )
    )["connect_webview"]
    assert (made["status"], made["login_successful"], made["connected_account_id"]) == ("pending", False, None)
    assert made["custom_metadata"] == {"a": 1}
    assert made["url"].startswith(
        f"http://door.test/connect_webviews/view?connect_webview_id={made['connect_webview_id']}&"
    )
    assert (await world.call("/connect_webviews/get", connect_webview_id=made["connect_webview_id"]))[
        "connect_webview"
    ] == made
    for bad in ("javascript:alert(1)", "/relative", "https://", "data:text/html,x", "https://a b", "x" * 3000):
        await world.fail("/connect_webviews/create", 400, "invalid_input", custom_redirect_url=bad)
    await world.fail("/connect_webviews/create", 400, "invalid_input", accepted_capabilities=["flying"])
    await world.fail("/connect_webviews/create", 501, "not_implemented", accepted_providers=["yale"])
    done = (await world.call("/connect_webviews/list"))["connect_webviews"][0]
    assert (done["status"], done["login_successful"], done["selected_provider"]) == ("authorized", True, "my_2n")
    await world.call("/connect_webviews/delete", connect_webview_id=done["connect_webview_id"])
    await world.fail(
        "/connect_webviews/get", 404, "connect_webview_not_found", connect_webview_id=done["connect_webview_id"]
    )
    await world.call("/connected_accounts/get", connected_account_id=done["connected_account_id"])


async def test_connecting_tells_its_story_in_order(world: World) -> None:
    assert (await world.types())[:10] == [
        "connect_webview.login_succeeded", "connected_account.created", "connected_account.connected",
        "connected_account.successful_login", "device.added", "device.connected", "device.added", "device.connected",
        "device.added", "device.connected",
    ]  # fmt: skip
    assert (await world.types())[10] == "connected_account.completed_first_sync"


async def test_logging_in_again_renews_the_same_account_without_a_break(world: World) -> None:
    account = (await world.call("/connected_accounts/list"))["connected_accounts"][0]
    devices = list(world.devices)
    units = [await world.watched(n) for n in range(3)]
    count = len(await world.events())
    order = Order(accepted_providers=["my_2n"], custom_metadata={"renewed": True}, customer_key="c1")
    await world.connect(email="JANE@example.com ", count=3, order=order)
    assert world.devices == devices
    again = (await world.call("/connected_accounts/list"))["connected_accounts"]
    assert [a["connected_account_id"] for a in again] == [account["connected_account_id"]]
    assert (again[0]["custom_metadata"], again[0]["customer_key"], again[0]["errors"]) == ({"renewed": True}, "c1", [])
    reply = await asyncio.gather(*(world.call("/locks/unlock_door", device_id=one) for one in devices))
    assert {one["action_attempt"]["status"] for one in reply} == {"success"}
    await world.pass_time(8)
    assert all(unit.switches[1].active for unit in units)
    told = [e["event_type"] for e in (await world.events())[count:]]
    assert "device.disconnected" not in told and "connected_account.created" not in told
    assert "connected_account.completed_first_sync_after_reconnection" in told
    # Watching goes on over the new link.
    for unit in units:
        unit.ring()

    async def rang() -> bool:
        return (await world.types()).count("device.doorbell_rang") == 3

    await world.eventually(rang)


async def test_an_account_is_found_changed_and_deleted_with_everything_below_it(world: World) -> None:
    account = (await world.call("/connected_accounts/get", email=" Jane@Example.com"))["connected_account"]
    account_id = account["connected_account_id"]
    assert account["user_identifier"] == {"email": "jane@example.com"}
    changed = await world.call(
        "/connected_accounts/update",
        connected_account_id=account_id,
        custom_metadata={"a": 1, "b": ""},
        display_name="House",
    )
    assert changed["connected_account"]["custom_metadata"] == {"a": 1}
    await world.call("/connected_accounts/update", connected_account_id=account_id, custom_metadata={"c": 2})
    account = (await world.call("/connected_accounts/get", connected_account_id=account_id))["connected_account"]
    assert (account["custom_metadata"], account["display_name"]) == ({"c": 2}, "House")
    await world.fail("/connected_accounts/get", 404, "connected_account_not_found", connected_account_id=NOWHERE)
    await world.fail("/connected_accounts/get", 404, "connected_account_not_found", email="x@example.com")
    await world.fail("/connected_accounts/get", 400, "invalid_input")
    code = (await world.call("/access_codes/create", device_id=world.devices[0], code="4711"))["access_code"]
    await world.call("/locks/unlock_door", device_id=world.devices[1])
    await world.call("/connected_accounts/delete", connected_account_id=account_id)
    await world.fail("/connected_accounts/delete", 404, "connected_account_not_found", connected_account_id=account_id)
    await world.fail("/devices/get", 404, "device_not_found", device_id=world.devices[0])
    await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code["access_code_id"])
    for path, key in (("/devices/list", "devices"), ("/connected_accounts/list", "connected_accounts")):
        assert (await world.call(path))[key] == []
    types = await world.types()
    assert types.count("device.deleted") == 3
    assert types.count("access_code.deleted") == types.count("connected_account.deleted") == 1
    await world.pass_time(10)
    assert (await world.types())[-1] in ("connected_account.deleted", "device.deleted", "access_code.deleted")
    await world.connect()
    await world.call("/locks/unlock_door", device_id=world.devices[0])


async def test_real_workspaces_connect_no_virtual_devices(world: World) -> None:
    from doorward.providers.errors import Refused

    real = await new_workspace(world, "Real", is_sandbox=False)
    with pytest.raises(Refused, match="address"):
        await real.connect()
    assert (
        await world.core.db.read.one("SELECT 1 FROM twins WHERE workspace_id = $1", real.workspace.workspace_id) is None
    )


# ---------------------------------------------------------------- codes


async def make(world: World, status: int = 200, **fields: Any) -> Any:
    reply = await world.raw("/access_codes/create", {"device_id": world.devices[0], **fields})
    assert reply.status == status, (fields, reply)
    return reply.json["access_code"] if status == 200 else reply.error


async def test_what_a_new_code_may_be(world: World) -> None:
    for bad in ("123", "1234567890123", "12a4", "٤٧١١", "", " 4711", "4711\n"):
        assert (await make(world, 400, code=bad))["type"] == "invalid_input", bad
    error = await make(world, 400, code="123456789")
    assert "4, 5, 6, 7, 8" in error["message"] and "123456789" not in error["message"]
    assert (await make(world, 400, use_backup_access_code_pool=True))["message"] == (
        "Cannot use the backup pool for ongoing codes"
    )
    assert (await make(world, 400, is_offline_access_code=True))["type"] == "device_type_not_supported"
    assert (await make(world, 400, use_offline_access_code=True))["type"] == "device_type_not_supported"
    assert (await make(world, 404, device_id=NOWHERE))["type"] == "device_not_found"
    assert (await make(world, 400, name="x" * 256))["type"] == "invalid_input"
    assert len((await make(world))["code"]) == 4
    assert len((await make(world, preferred_code_length=6))["code"]) == 6
    assert len((await make(world, preferred_code_length=99))["code"]) == 4
    code = await make(world, code="4711", common_code_key="k", is_external_modification_allowed=True)
    assert (code["name"], code["common_code_key"], code["is_external_modification_allowed"]) == (None, "k", True)
    generated = (await world.call("/access_codes/generate_code", device_id=world.devices[0]))["generated_code"]
    assert generated["device_id"] == world.devices[0] and len(generated["code"]) == 4
    await world.fail("/access_codes/generate_code", 404, "device_not_found", device_id=NOWHERE)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2028-08-12T19:23:42+0000", "2028-08-12T19:24:00.000Z"),
        ("2028-08-12T19:23:42Z", "2028-08-12T19:24:00.000Z"),
        ("2028-08-12T19:23:29.999Z", "2028-08-12T19:23:00.000Z"),
        ("2028-08-12T21:23:42+02:00", "2028-08-12T19:24:00.000Z"),
        ("2028-08-12T19:23:42", "2028-08-12T19:24:00.000Z"),
        ("2028-08-12", "2028-08-12T00:00:00.000Z"),
    ],
)
async def test_times_in_every_form_are_rounded_to_the_minute(world: World, given: str, shown: str) -> None:
    code = await make(world, starts_at=given, ends_at="2030-01-01T00:00:31Z")
    assert (code["starts_at"], code["ends_at"]) == (shown, "2030-01-01T00:01:00.000Z")
    assert (code["type"], code["status"], code["is_scheduled_on_device"]) == ("time_bound", "unset", False)


async def test_times_that_make_no_sense_are_refused_and_stored_nowhere(world: World) -> None:
    both = {"starts_at": "2028-01-01", "ends_at": "2029-01-01"}
    for bad in (
        {"starts_at": "2028-01-01"},
        {"ends_at": "2029-01-01"},
        {**both, "ends_at": "2027-01-01"},
        {**both, "ends_at": "2028-01-01T00:00:10Z"},
        {"starts_at": "2020-01-01", "ends_at": "2021-01-01"},
        {**both, "ends_at": "soon"},
        {**both, "ends_at": "2028-02-30"},
        {**both, "ends_at": "9999-12-31T23:59:59Z"},
        {**both, "ends_at": "9999-12-31T20:00:00-23:00"},
        {**both, "starts_at": "0001-01-01T00:00:00+12:00"},
    ):
        assert (await make(world, 400, **bad))["type"] == "invalid_input", bad
    assert (await world.call("/access_codes/list", device_id=world.devices[0]))["access_codes"] == []
    assert "access_code.created" not in await world.types()


async def test_one_pin_may_be_used_again_only_when_the_times_do_not_meet(world: World) -> None:
    first = await make(world, code="4711", starts_at="2028-01-02", ends_at="2028-01-03", name="Max")
    error = await make(world, 409, code="4711")
    assert error["type"] == "duplicate_access_code" and "Max" in error["message"] and "4711" not in error["message"]
    await make(world, 409, code="4711", starts_at="2028-01-02T12:00", ends_at="2028-01-05")
    await make(world, 409, code="4711", starts_at="2028-01-01", ends_at="2028-01-09")
    second = await make(world, code="4711", starts_at="2028-01-03", ends_at="2028-01-04")
    await make(world, code="4711", device_id=world.devices[1])
    await world.fail(
        "/access_codes/update", 409, "duplicate_access_code", access_code_id=second["access_code_id"],
        starts_at="2028-01-02T23:00",
    )  # fmt: skip
    other = await make(world, code="5822")
    await world.fail(
        "/access_codes/update", 409, "duplicate_access_code", access_code_id=other["access_code_id"], code="4711"
    )
    await world.call("/access_codes/update", access_code_id=first["access_code_id"], code="4711", name="Same")
    await world.call("/access_codes/delete", access_code_id=first["access_code_id"])
    await world.call("/access_codes/delete", access_code_id=second["access_code_id"])
    await make(world, code="4711")
    results = await asyncio.gather(
        *(world.raw("/access_codes/create", {"device_id": world.devices[2], "code": "7133"}) for _ in range(6))
    )
    assert sorted(r.status for r in results) == [200] + [409] * 5, "also when asked for at the same time"


async def test_what_may_be_changed_of_a_code(world: World) -> None:
    code_id = (await make(world, code="4711", name="Max"))["access_code_id"]
    error = await world.fail(
        "/access_codes/update", 404, "access_code_not_found", access_code_id=NOWHERE, device_id=NOWHERE
    )
    assert error["data"] == {"access_code_id": NOWHERE, "device_id": NOWHERE}
    wrong = {"access_code_id": code_id, "device_id": world.devices[1]}
    await world.fail("/access_codes/update", 404, "access_code_not_found", name="x", **wrong)
    await world.fail("/access_codes/delete", 404, "access_code_not_found", **wrong)
    await world.fail("/access_codes/update", 400, "invalid_input", access_code_id=code_id, ends_at="2029-01-01")
    await world.fail("/access_codes/update", 400, "invalid_input", access_code_id=code_id, type="time_bound")
    await world.fail("/access_codes/update", 400, "invalid_input", access_code_id=code_id, code="12")
    for method in ("POST", "PATCH", "PUT"):
        body = {"access_code_id": code_id, "name": method}
        reply = await world.raw("/access_codes/update", body, method=method)
        assert reply.json["action_attempt"]["action_type"] == "UPDATE_ACCESS_CODE"
    code = await world.code(code_id)
    assert (code["name"], code["type"], code["code"]) == ("PUT", "ongoing", "4711")
    times = {"starts_at": "2028-01-01", "ends_at": "2029-01-01"}
    await world.call("/access_codes/update", access_code_id=code_id, **times)
    await world.call("/access_codes/update", access_code_id=code_id, ends_at="2028-06-01", starts_at=None)
    code = await world.code(code_id)
    assert (code["starts_at"], code["ends_at"]) == ("2028-01-01T00:00:00.000Z", "2028-06-01T00:00:00.000Z")
    await world.call("/access_codes/update", access_code_id=code_id, is_managed=False)
    await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code_id)
    await world.fail("/access_codes/delete", 404, "access_code_not_found", access_code_id=NOWHERE)
    await world.fail("/access_codes/get", 400, "invalid_input", device_id=world.devices[0])
    await world.fail("/action_attempts/get", 404, "action_attempt_not_found", action_attempt_id=NOWHERE)


async def test_limits_of_codes_are_counted_when_asked_for(world: World) -> None:
    world.core.limits._mode = "documented"
    made = [(await make(world))["access_code_id"] for _ in range(10)]
    reply = await world.raw("/access_codes/create", {"device_id": world.devices[0]})
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(reply.headers["retry-after"]) <= 61
    await make(world, device_id=world.devices[1])
    for n in range(10):
        await world.call("/access_codes/update", access_code_id=made[0], name=f"n{n}")
    await world.fail("/access_codes/update", 429, "rate_limit_exceeded", access_code_id=made[0], name="x")

    async def is_set() -> bool:
        return bool((await world.code(made[0]))["status"] == "set")

    await until(is_set)


@pytest.mark.parametrize(
    ("path", "known", "unknown"),
    [
        ("/devices/list", ["two_n_intercom", "august_lock", "minut_sensor", "ios_phone"], ["bogus", ""]),
        ("/devices/unmanaged/list", ["two_n_intercom", "ring_camera"], ["bogus"]),
        ("/locks/list", ["two_n_intercom", "august_lock"], ["minut_sensor", "bogus"]),
        ("/thermostats/list", ["nest_thermostat"], ["two_n_intercom"]),
        ("/noise_sensors/list", ["minut_sensor"], ["two_n_intercom"]),
    ],
)
async def test_only_known_kinds_of_devices_are_asked_for(
    world: World, path: str, known: list[str], unknown: list[str]
) -> None:
    for kind in known:
        for filters in ({"device_type": kind}, {"device_types": [kind]}):
            found = (await world.call(path, **filters))["devices"]
            assert {one["device_type"] for one in found} <= {kind}
            assert bool(found) == (kind == "two_n_intercom" and path != "/devices/unmanaged/list")
    for kind in unknown:
        await world.fail(path, 400, "invalid_input", device_type=kind)
        await world.fail(path, 400, "invalid_input", device_types=[*known, kind])


async def test_only_known_makers_are_asked_for(world: World) -> None:
    for path in ("/devices/list", "/locks/list"):
        assert len((await world.call(path, manufacturer="two_n"))["devices"]) == 3
        assert (await world.call(path, manufacturer="august"))["devices"] == []
        await world.fail(path, 400, "invalid_input", manufacturer="bogus")
    await world.call("/devices/list", manufacturer="hostaway")
    await world.fail("/locks/list", 400, "invalid_input", manufacturer="hostaway")


async def test_long_lists_of_filters_are_taken(world: World) -> None:
    many = [f"x{n}" for n in range(4_997)]
    ids = [*many, *world.devices]
    accounts = [(await world.device())["connected_account_id"], *many]
    flags = {"include_if": ["can_remotely_unlock"] * 1_000, "exclude_if": ["can_hvac_heat"] * 1_000}
    reply = await world.call(
        "/devices/list",
        device_ids=ids,
        connected_account_ids=accounts,
        device_types=["two_n_intercom"] * 5_000,
        **flags,
    )
    assert [one["device_id"] for one in reply["devices"]] == world.devices
    more = {"device_ids": ids, "access_code_ids": ids, "connected_account_ids": accounts, "space_ids": many}
    more |= {"access_grant_ids": many, "acs_system_ids": many, "event_ids": many}
    assert (await world.call("/events/list", since=SINCE, **more))["events"] == []
