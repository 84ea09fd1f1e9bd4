"""Lists: in pages, filtered, searched."""

import base64
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.support.server import Reply, World

NOWHERE = "00000000-0000-4000-8000-000000000000"


async def walk(world: World, path: str, key: str, by: str, **filters: Any) -> list[Any]:
    """All pages, one after the other: by `cursor` or by `url`."""
    page = await world.call(path, **filters)
    found: list[Any] = list(page[key])
    while page["pagination"]["has_next_page"]:
        if by == "cursor":
            page = await world.call(path, **filters, page_cursor=page["pagination"]["next_page_cursor"])
        else:
            parts = urlsplit(page["pagination"]["next_page_url"])
            assert (parts.scheme, parts.netloc, parts.path) == ("http", "door.test", path)
            reply = await world.raw(parts.path, method="GET", query=parts.query)
            assert reply.status == 200, (parts.query, reply)
            page = reply.json
        found += page[key]
    assert page["pagination"] == {"has_next_page": False, "next_page_cursor": None, "next_page_url": None}
    return found


@pytest.mark.parametrize("by", ["cursor", "url"])
async def test_pages_show_everything_once_in_the_order_of_creation(world: World, by: str) -> None:
    made = [
        (
            await world.call(
                "/connect_webviews/create", custom_metadata={"floor": 2, "left": n % 2 == 0, "who": "a,b & ü"}
            )
        )["connect_webview"]["connect_webview_id"]
        for n in range(7)
    ]
    found = await walk(world, "/connect_webviews/list", "connect_webviews", by, limit=2)
    assert [one["connect_webview_id"] for one in found][1:] == made
    for has in (
        {"floor": 2},
        {"left": True},
        {"who": "a,b & ü"},
        {"absent": None, "floor": 2},
        {"left": True, "floor": 2},
    ):
        found = await walk(world, "/connect_webviews/list", "connect_webviews", by, limit=2, custom_metadata_has=has)
        wanted = made[::2] if "left" in has else made
        assert [one["connect_webview_id"] for one in found] == wanted, has
    devices = await walk(
        world, "/devices/list", "devices", by, limit=1, device_ids=world.devices, search="", customer_key=None
    )
    assert [one["device_id"] for one in devices] == world.devices
    assert len(await walk(world, "/connected_accounts/list", "connected_accounts", by, limit=1)) == 1


async def test_codes_and_attempts_come_in_pages_too(world: World) -> None:
    for n in range(5):
        await world.call("/access_codes/create", device_id=world.devices[0], code=f"471{n}", name=f"Guest {n}")
    for by in ("cursor", "url"):
        codes = await walk(world, "/access_codes/list", "access_codes", by, device_id=world.devices[0], limit=2)
        assert [one["code"] for one in codes] == [f"471{n}" for n in range(5)]
        attempts = await walk(world, "/action_attempts/list", "action_attempts", by, limit=3)
        assert len(attempts) == 5

    async def are_done() -> bool:
        return all(
            one["status"] == "success" for one in await walk(world, "/action_attempts/list", "action_attempts", "url")
        )

    await world.eventually(are_done)
    await world.call("/access_codes/delete", access_code_id=codes[2]["access_code_id"])

    async def is_gone() -> bool:
        return len(await walk(world, "/access_codes/list", "access_codes", "url", device_id=world.devices[0])) == 4

    await world.eventually(is_gone)
    attempts = await walk(world, "/action_attempts/list", "action_attempts", "cursor", limit=3)
    codes_then = [one["result"]["access_code"] for one in attempts if one["action_type"] == "CREATE_ACCESS_CODE"]
    assert [one and one["code"] for one in codes_then] == ["4710", "4711", None, "4713", "4714"]


async def test_a_cursor_belongs_to_its_parameters(world: World) -> None:
    first = await world.call("/devices/list", limit=1)
    cursor = first["pagination"]["next_page_cursor"]
    for other in ({"limit": 2}, {}, {"limit": 1, "search": "Device"}):
        await world.fail("/devices/list", 400, "mismatched_page_parameters", page_cursor=cursor, **other)
    await world.fail("/connect_webviews/list", 400, "mismatched_page_parameters", page_cursor=cursor, limit=1)
    mark = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=="))[0]
    for forged in ([mark, 2**70, "x"], [mark, -(2**65), "x"], [mark, 1, "a\0b"], [mark, "1", "x"], [mark, 1]):
        data = base64.urlsafe_b64encode(msgspec.json.encode(forged)).decode()
        await world.fail("/devices/list", 400, "invalid_input", page_cursor=data, limit=1)


async def test_empty_lists_select_nothing(world: World) -> None:
    filters: dict[str, Any]
    for filters in ({"device_ids": []}, {"connected_account_ids": []}, {"device_types": []}, {"device_ids": [NOWHERE]}):
        assert (await world.call("/devices/list", **filters))["devices"] == [], filters
    assert (await world.call("/access_codes/list", access_code_ids=[]))["access_codes"] == []
    assert (await world.call("/action_attempts/list", action_attempt_ids=[]))["action_attempts"] == []
    for filters in ({"event_ids": []}, {"event_types": []}, {"device_ids": []}, {"access_code_ids": []}):
        assert (await world.call("/events/list", since="2000-01-01", **filters))["events"] == [], filters


async def test_devices_are_filtered_and_searched(world: World) -> None:
    device = await world.device()
    webview = (await world.call("/connect_webviews/list"))["connect_webviews"][0]
    everything = set(world.devices)
    await world.call(
        "/devices/update", device_id=world.devices[0], name="Tür Süd 100%", custom_metadata={"Floor": "Erdgeschoß"}
    )
    one = {world.devices[0]}
    for filters, wanted in (
        ({"connected_account_id": device["connected_account_id"]}, everything),
        ({"connected_account_id": NOWHERE}, set()),
        ({"connect_webview_id": webview["connect_webview_id"]}, everything),
        ({"connect_webview_id": NOWHERE}, set()),
        ({"manufacturer": "two_n"}, everything),
        ({"manufacturer": "yale"}, set()),
        ({"device_type": "two_n_intercom"}, everything),
        ({"device_types": ["two_n_intercom", "yale_lock"]}, everything),
        ({"created_before": "2000-01-01"}, set()),
        ({"created_before": "2090-01-01T00:00:00+02:00"}, everything),
        ({"include_if": ["can_remotely_unlock"]}, everything),
        ({"include_if": ["can_hvac_heat"]}, set()),
        ({"exclude_if": ["can_remotely_unlock"]}, set()),
        ({"exclude_if": ["can_hvac_heat"]}, everything),
        ({"search": "SÜD"}, one),
        ({"search": "100%"}, one),
        ({"search": "1%0"}, set()),
        ({"search": "_"}, set()),
        ({"search": "erdgesch"}, one),
        ({"search": world.devices[0]}, one),
        ({"search": world.devices[0][-6:]}, set()),
        ({"custom_metadata_has": {"Floor": "Erdgeschoß"}}, one),
        ({"custom_metadata_has": {"Floor": None}}, everything - one),
        ({"space_id": NOWHERE}, set()),
        ({"customer_key": "nobody"}, set()),
        ({"user_identifier_key": "nobody"}, set()),
    ):
        found = {d["device_id"] for d in (await world.call("/devices/list", **filters))["devices"]}
        assert found == wanted, filters
    reply = await world.call("/locks/list", manufacturer="two_n")
    assert reply["devices"] == reply["locks"] and len(reply["locks"]) == 3


async def test_codes_are_searched_by_name_id_and_pin(world: World) -> None:
    device_id = world.devices[0]
    code = (await world.call("/access_codes/create", device_id=device_id, code="4711", name="Max_Muster"))[
        "access_code"
    ]
    other = await world.call("/access_codes/create", device_id=device_id, code="5822", name="Eva")
    ids = {code["access_code_id"], other["access_code"]["access_code_id"]}
    one = {code["access_code_id"]}
    for search, wanted in (
        ("max_", one),
        ("maxx", set()),
        ("4711", one),
        ("471", set()),
        (code["access_code_id"], one),
        ("", ids),
    ):
        found = (await world.call("/access_codes/list", device_id=device_id, search=search))["access_codes"]
        by_id = {id_ for id_ in ids if search in id_}  # digits of a PIN may stand in an id, too
        assert {each["access_code_id"] for each in found} == wanted | by_id, search
    await world.fail("/access_codes/list", 400, "invalid_input")
    assert (await world.call("/access_codes/list", access_grant_id=NOWHERE))["access_codes"] == []


async def test_events_are_bounded_by_time_and_filtered(world: World) -> None:
    await world.fail("/events/list", 400, "invalid_input")
    error = await world.fail(
        "/events/list", 400, "invalid_input", since="2000-01-01", between=["2000-01-01", "2001-01-01"]
    )
    assert error["message"] == "Cannot specify both since and between"
    await world.fail("/events/list", 400, "invalid_input", between=["2000-01-01"])
    await world.fail("/events/list", 400, "invalid_input", since="yesterday")
    events = await world.events()
    when = events[0]["created_at"]
    assert (await world.call("/events/list", since=when))["events"] == []
    assert (await world.call("/events/list", between=[when, "2090-01-01"]))["events"] == []
    assert len((await world.call("/events/list", between=["2000-01-01", "2090-01-01"]))["events"]) == len(events)
    reply = await world.raw("/events/list", method="GET", query="between=2000-01-01&between=2090-01-01&_strict=true")
    assert len(reply.json["events"]) == len(events)
    for filters in (
        {"device_id": world.devices[0]},
        {"device_ids": [world.devices[0]]},
        {"event_type": "device.added"},
    ):
        found = await world.events(**filters)
        assert found and all(e.get("device_id") in world.devices for e in found)
    assert len(await world.events(limit=2, unstable_offset=1)) == 2
    assert (await world.events(limit=2, unstable_offset=1))[0] == events[1]
    assert await world.events(acs_user_id=NOWHERE) == []
    one = events[3]
    found = await world.call("/events/get", event_id=one["event_id"])
    assert (found["event"], found["message"]) == (one, "Event found")
    latest = await world.call("/events/get", device_id=world.devices[1], event_type="device.connected")
    assert latest["event"]["device_id"] == world.devices[1]
    about = {"event_id": one["event_id"], "event_type": one["event_type"]}
    assert (await world.call("/events/get", **about))["event"] == one
    await world.fail("/events/get", 404, "event_not_found", **about, device_id=NOWHERE)
    await world.fail("/events/get", 404, "event_not_found", **{**about, "event_type": "lock.locked"})
    await world.fail("/events/get", 404, "event_not_found", event_id=NOWHERE)
    await world.fail("/events/get", 400, "invalid_input")


async def test_the_next_page_of_a_limit_with_a_point_is_there(world: World) -> None:
    first = await world.call("/devices/list", limit=2.0, custom_metadata_has={"none": None})
    _, _, query = first["pagination"]["next_page_url"].partition("?")
    second = await world.raw("/devices/list", method="GET", query=query)
    assert (second.status, len(second.json["devices"])) == (200, 1)


async def strict(world: World, path: str, query: str) -> Reply:
    """As current SDKs ask."""
    return await world.raw(path, method="GET", query=f"_strict=true&{query}")


async def test_an_empty_filter_is_no_filter_only_where_sdks_write_null_so(world: World) -> None:
    """They leave empty texts out, so an empty value of theirs is null."""
    about = {"device_id": world.devices[0]}
    await world.call("/access_codes/create", **about, name="Guest")
    refused, nothing, everything = (400, 0), (200, 0), (200, 3)
    for name, wanted in {
        "customer_key": refused,
        "connected_account_id": refused,
        "connect_webview_id": refused,
        "created_before": refused,
        "custom_metadata_has": refused,
        "space_id": refused,
        "user_identifier_key": nothing,
        "search": everything,
    }.items():
        empty = await world.raw("/devices/list", {name: ""}), await world.raw("/devices/list", query=f"{name}=")
        null = await world.raw("/devices/list", {name: None}), await strict(world, "/devices/list", f"{name}=")
        for reply, expected in (*((one, wanted) for one in empty), *((one, everything) for one in null)):
            assert (reply.status, len(reply.json.get("devices", []))) == expected, name
    found = {"since": "2000-01-01T00:00:00Z"}
    events = (await world.call("/events/list", **found))["events"]
    for name in ("event_type", "device_id", "between"):
        reply = await strict(world, "/events/list", f"since=2000-01-01T00:00:00Z&{name}=")
        assert (reply.status, reply.json["events"][: len(events)]) == (200, events), name  # more happens meanwhile
    # A member of metadata that is null is one that is not set; an empty text asks for nothing.
    await world.call("/devices/update", device_id=world.devices[0], custom_metadata={"floor": "2"})
    for name in ("floor", "wing"):
        count = 2 if name == "floor" else 3
        for reply in (
            await strict(world, "/devices/list", f"custom_metadata_has.{name}="),
            await world.raw("/devices/list", method="GET", query=f"custom_metadata_has.{name}="),
            await world.raw("/devices/list", {"custom_metadata_has": {name: None}}),
        ):
            assert len(reply.json["devices"]) == count, name
        assert len((await world.call("/devices/list", custom_metadata_has={name: ""}))["devices"]) == 3
    page = await world.call("/devices/list", custom_metadata_has={"floor": ""}, limit=1)
    _, _, query = page["pagination"]["next_page_url"].partition("?")
    assert len((await world.raw("/devices/list", method="GET", query=query)).json["devices"]) == 1
    for name in ("page_cursor", "unstable_location_id"):
        by_query = await world.raw("/devices/list", method="GET", query=f"_strict=true&{name}=")
        by_body = await world.raw("/devices/list", {name: None})
        assert len(by_query.json["devices"]) == len(by_body.json["devices"]) == 3, name
    none = await world.raw("/devices/list", method="GET", query="_strict=true&device_ids=")
    assert none.json["devices"] == (await world.call("/devices/list", device_ids=[]))["devices"] == []


async def test_an_empty_value_takes_away_only_what_null_does(world: World) -> None:
    device_id = world.devices[0]
    own = (await world.device())["display_name"]
    await world.call("/devices/update", device_id=device_id, name="Front")
    query = f"_strict=true&device_id={device_id}&name="
    assert (await world.raw("/devices/update", method="PATCH", query=query)).status == 200
    assert (await world.device())["display_name"] == own
    account = (await world.device())["connected_account_id"]
    query = f"_strict=true&connected_account_id={account}&display_name="
    before = await world.call("/connected_accounts/get", connected_account_id=account)
    assert (await world.raw("/connected_accounts/update", method="PATCH", query=query)).status == 200
    assert (
        await world.raw("/connected_accounts/update", {"connected_account_id": account, "display_name": ""})
    ).status == 400
    assert await world.call("/connected_accounts/get", connected_account_id=account) == before
