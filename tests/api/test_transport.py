"""What every route has in common: who may ask, with which verb, in which words, and what comes back."""

import re
from typing import Any

import pytest
from tests.support.server import World, new_workspace, request, until

from doorward.api.dispatch import MOST_BODY, Api
from doorward.api.params import NoParams
from doorward.api.route import ROUTES, Route, not_yet
from doorward.core import workspaces

NOWHERE = "00000000-0000-4000-8000-000000000000"


async def test_every_answer_has_an_envelope_and_a_request_id(world: World) -> None:
    seen = set()
    for path in (*ROUTES, "/no/such/route", "/devices/list/"):
        for key in (None, ""):
            reply = await world.raw(path, {}, key=key)
            assert reply.headers["seam-request-id"].startswith("request"), path
            assert reply.headers["content-type"] == "application/json; charset=utf-8", path
            assert reply.headers["content-length"] == str(len(reply.body))
            assert reply.json["ok"] is (reply.status == 200), path
            seen.add(reply.headers["seam-request-id"])
            if reply.status != 200:
                assert {"type", "message", "request_id"} <= reply.error.keys(), path
                assert reply.error["request_id"] == reply.headers["seam-request-id"]
    assert len(seen) == 2 * (len(ROUTES) + 2)


async def test_who_asks_comes_before_how_and_what(world: World) -> None:
    path = "/devices/get"
    for key in ("", "seam_test1234_wrong", "nonsense", world.key + "x"):
        reply = await world.raw(path, b"{broken", method="PATCH", key=key)
        assert (reply.status, reply.error["type"]) == (401, "unauthorized")
    reply = await world.raw(path, b"{broken", method="PATCH")
    assert (reply.status, reply.error["type"]) == (405, "method_not_allowed")
    assert reply.error["message"] == "only GET,POST accepted"
    assert reply.headers["allow"] == "GET, POST, OPTIONS"
    reply = await world.raw(path, b"{broken")
    assert (reply.status, reply.error["type"]) == (400, "invalid_json")
    reply = await world.raw(path, b'{"device_id": 3}', headers={"content-type": "text/plain"})
    assert (reply.status, reply.error["type"]) == (400, "invalid_content_type")
    reply = await world.raw(path, {"device_id": 3})
    assert (reply.status, reply.error["type"]) == (400, "invalid_input")
    assert reply.error["message"] == 'Expected string, received number for "device_id"'
    assert reply.error["validation_errors"] == {
        "_errors": [],
        "device_id": {"_errors": ["Expected string, received number"]},
    }


async def test_problems_are_told_all_at_once(world: World) -> None:
    reply = await world.raw("/locks/unlock_door", {})
    assert reply.error["message"] == "device_id is required"
    assert reply.error["validation_errors"] == {"_errors": [], "device_id": {"_errors": ["Required"]}}
    reply = await world.raw("/devices/list", {"device_ids": 5, "limit": -1})
    assert reply.error["message"].startswith("2 Input Errors: ")
    assert set(reply.error["validation_errors"]) == {"_errors", "device_ids", "limit"}
    reply = await world.raw("/access_codes/create", {"device_id": world.devices[0], "ends_at": "2099-01-01"})
    assert reply.error["message"] == "Both starts_at and ends_at must be provided if one is"
    assert reply.error["validation_errors"] == {"_errors": [reply.error["message"]]}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_read_takes_its_parameters_from_query_and_body(world: World, method: str) -> None:
    first, second = world.devices[:2]
    for reply in (
        await world.raw("/devices/get", method=method, query={"device_id": first}),
        await world.raw("/devices/get", {"device_id": first}, method=method),
        await world.raw("/devices/get", {"device_id": first}, method=method, query={"device_id": second}),
        await world.raw("/devices/get/", {"device_id": first}, method=method),
        await world.raw("/devices/get", method=method, query={"device_id": first, "_strict": "true", "unknown": "1"}),
        await world.raw("/devices/get", method=method, query=f"device_id=+{first}+"),
    ):
        assert (reply.status, reply.json["device"]["device_id"]) == (200, first)


async def test_an_empty_body_is_no_parameters(world: World) -> None:
    for body in (b"", b" \r\n", b"{}", b"null", b'""'):
        reply = await world.raw("/devices/list", body, headers={"content-type": "application/json"})
        assert reply.status == 200, body
    for body in (b"[]", b"3", b'"text"', b"true"):
        reply = await world.raw("/devices/list", body)
        assert (reply.status, reply.error["type"]) == (400, "invalid_input"), body


async def test_head_answers_as_get_without_a_body(world: World) -> None:
    reply = await world.raw("/devices/get", method="HEAD", query={"device_id": world.devices[0]})
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 100


async def test_a_delete_takes_its_parameters_either_way(world: World) -> None:
    for how in ("body", "query"):
        made = (await world.call("/connect_webviews/create"))["connect_webview"]["connect_webview_id"]
        given: dict[str, Any] = {"body": {"connect_webview_id": made}} if how == "body" else {}
        if how == "query":
            given = {"query": {"connect_webview_id": made, "_strict": "true"}}
        reply = await world.raw("/connect_webviews/delete", method="DELETE", **given)
        assert (reply.status, reply.json) == (200, {"ok": True})
        again = await world.raw("/connect_webviews/delete", method="DELETE", **given)
        assert (again.status, again.error["type"]) == (404, "connect_webview_not_found")


async def test_lists_in_both_dialects_of_query_strings(world: World) -> None:
    a, b, _ = world.devices
    for query, wanted in (
        (f"device_ids={a}&device_ids={b}&_strict=true", {a, b}),
        (f"device_ids={a}&_strict=true", {a}),
        ("device_ids=&_strict=true", set()),
        (f"device_ids={a},{b}", {a, b}),
        (f"device_ids[]={a}&device_ids[]={b}", {a, b}),
        (f"device_ids%5B%5D={a}", {a}),
        ("device_ids=", set()),
        (f"device_ids={a},{b}&_strict=true", set()),
        ("page_cursor=&_strict=true", set(world.devices)),
    ):
        reply = await world.raw("/devices/list", method="GET", query=query)
        assert {d["device_id"] for d in reply.json["devices"]} == wanted, query
    for query in (f"device_ids={a}&device_ids[]={b}", f"connected_account_id={a}&connected_account_id={b}"):
        reply = await world.raw("/devices/list", method="GET", query=query)
        assert (reply.status, reply.error["type"]) == (400, "invalid_query_params"), query
        assert reply.error["message"].startswith("Could not parse parameter: '")
    reply = await world.raw("/devices/list", method="GET", query="limit=many")
    assert (reply.status, reply.error["type"]) == (400, "invalid_input")


async def test_headers_with_empty_values_count_as_absent(world: World) -> None:
    empty = {"seam-workspace": "", "client-session-token": "", "seam-client-session-token": "", "seam-api-key": ""}
    assert (await world.raw("/devices/list", {}, headers=empty)).status == 200
    reply = await world.raw("/devices/list", {}, key="", headers={**empty, "authorization": ""})
    assert (reply.status, reply.error["type"]) == (401, "unauthorized")
    for nothing in ("", " ", "Bearer", "Bearer "):
        reply = await world.raw(
            "/devices/list", {}, key="", headers={"authorization": nothing, "seam-api-key": world.key}
        )
        assert reply.status == 200, nothing
    bearer = {"authorization": f"Basic {world.key}"}
    assert (await world.raw("/devices/list", {}, key="", headers=bearer)).status == 401


async def test_an_empty_header_takes_nothing_away_from_another_of_its_name(world: World) -> None:
    sent = [(b"authorization", f"Bearer {world.key}".encode())]
    for nothing in (b"", b"Bearer", b"Bearer "):
        for lines in ([*sent, (b"authorization", nothing)], [(b"authorization", nothing), *sent]):
            assert (await request(world.app, "GET", "/devices/list", lines=lines)).status == 200, lines


async def test_a_personal_access_token_needs_a_workspace_that_exists(world: World) -> None:
    core = world.core
    token = (await core.db.write(workspaces.add_personal_access_token, 0, "mine")).text
    other = await new_workspace(world, "Other")
    reply = await world.raw("/devices/list", {}, key=token)
    assert (reply.status, reply.error["type"]) == (401, "unauthorized")
    reply = await world.raw("/devices/list", {}, key=token, headers={"seam-workspace": NOWHERE})
    assert (reply.status, reply.error["type"]) == (401, "workspace_not_found")
    for workspace, count in ((world.workspace, 3), (other.workspace, 0)):
        reply = await world.raw("/devices/list", {}, key=token, headers={"seam-workspace": workspace.workspace_id})
        assert len(reply.json["devices"]) == count
    assert len((await world.raw("/workspaces/list", {}, key=token)).json["workspaces"]) == 2
    assert len((await world.raw("/workspaces/list", {})).json["workspaces"]) == 1
    assert (await world.raw("/workspaces/get", {})).json["workspace"]["workspace_id"] == world.workspace.workspace_id
    assert (await world.raw("/devices/list", {}, key=token[:-1] + "x")).status == 401


async def test_browsers_are_let_in(world: World) -> None:
    for path in ("/devices/list", "/anything"):
        reply = await world.raw(path, method="OPTIONS", key="", headers={"origin": "https://app.example.com"})
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["access-control-allow-origin"] == "https://app.example.com"
        assert reply.headers["access-control-allow-credentials"] == "true"
        assert reply.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, OPTIONS"
        assert {"authorization", "seam-workspace", "content-type"} <= set(
            re.split(", ", reply.headers["access-control-allow-headers"])
        )
    reply = await world.raw("/devices/list", {})
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-expose-headers"] == "seam-request-id, retry-after"


async def test_what_is_documented_and_not_served_is_501_and_what_is_unknown_404(world: World) -> None:
    paths = list(not_yet())
    for path in paths[:: max(1, len(paths) // 12)]:
        assert (await world.raw(path, {}, key="")).status == 401, path
        reply = await world.raw(path, {})
        assert (reply.status, reply.error["type"]) in ((501, "not_implemented"), (401, "unauthorized")), path
    api = Api(world.core, None)  # type: ignore[arg-type]
    api._table["/webhooks/someday"] = Route("/webhooks/someday", ("POST",), "A", None, NoParams, {})
    headers = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    reply = await request(api, "POST", "/webhooks/someday", body=b"{broken", headers=headers)
    assert (reply.status, reply.error["type"]) == (501, "not_implemented")
    assert (await request(api, "GET", "/webhooks/someday", headers=headers)).status == 405
    for method in ("GET", "POST", "DELETE"):
        reply = await world.raw("/devices/nonsense", method=method)
        assert (reply.status, reply.error["type"]) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{" * 100_000, 400, "invalid_json"),
        (b'{"custom_metadata_has":' + b'{"a":' * 150 + b"1" + b"}" * 151, 400, "invalid_input"),
        (b'{"custom_metadata_has":' + b"[" * 900 + b"]" * 900 + b"}", 400, None),
        (b'{"unknown":' + b"[" * 900 + b"]" * 900 + b"}", None, None),
        (b'{"search":"a\\u0000b"}', 400, "invalid_input"),
        (b'{"search":"\\ud800"}', 400, "invalid_json"),
        (b'{"search":"\xff"}', 400, "invalid_json"),
        (b'{"limit":1e400}', 400, None),
        (b'{"limit":-1}', 400, "invalid_input"),
        (b'{"limit":0}', 400, "invalid_input"),
        (b'{"limit":1.5}', 400, "invalid_input"),
        (b'{"limit":"2"}', 400, "invalid_input"),
        (b'{"limit":true}', 400, "invalid_input"),
        (b'{"limit":1180591620717411303424}', 200, None),
        (b'{"limit":null,"page_cursor":null,"search":null}', 200, None),
        (b'{"custom_metadata_has":{"a":1180591620717411303424,"b":1e300,"c":-0.0}}', 200, None),
        (b'{"device_ids":[' + b'"a",' * 200_000 + b'"a"]}', 400, "invalid_input"),
        (b'{"device_ids":[' + b",".join(b'"%d"' % n for n in range(5000)) + b"]}", 200, None),
        (b'{"page_cursor":"x"}', 400, "invalid_input"),
        (b'{"page_cursor":"\\u00e4\\u00f6"}', 400, "invalid_input"),
        (b" " * (MOST_BODY + 1), 413, "request_too_large"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else None,
)
async def test_strange_bodies_are_answered_calmly(
    world: World, body: bytes, status: int | None, kind: str | None
) -> None:
    reply = await world.raw("/devices/list", body)
    assert reply.status == status if status else reply.status < 500, reply
    if kind:
        assert reply.error["type"] == kind
    assert world.key not in reply.body.decode()


async def test_a_body_in_pieces_is_read_whole(world: World) -> None:
    headers = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    body = b'{"device_id":"%s"}' % world.devices[0].encode()
    pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
    assert (await request(world.app, "POST", "/devices/get", body=pieces, headers=headers)).status == 200
    many = [b" " * 65536] * 20
    assert (await request(world.app, "POST", "/devices/get", body=many, headers=headers)).status == 413


async def test_another_workspaces_things_do_not_exist(world: World) -> None:
    """Every id of one workspace, in every parameter of every route that takes it, asked for by another."""
    other = await new_workspace(world, "Other")
    code = (await world.call("/access_codes/create", device_id=world.devices[0], code="4711"))["access_code"]
    attempt = (await world.call("/locks/unlock_door", device_id=world.devices[0]))["action_attempt"]
    webview = (await world.call("/connect_webviews/list"))["connect_webviews"][0]
    account = (await world.call("/connected_accounts/list"))["connected_accounts"][0]
    events = await world.events()
    ids = {
        "device_id": world.devices[0],
        "access_code_id": code["access_code_id"],
        "action_attempt_id": attempt["action_attempt_id"],
        "connect_webview_id": webview["connect_webview_id"],
        "connected_account_id": account["connected_account_id"],
        "event_id": events[0]["event_id"],
    }

    async def is_set() -> bool:
        return bool((await world.code(code["access_code_id"]))["status"] == "set")

    await until(is_set)
    before = await world.events()
    for path, route in ROUTES.items():
        fields = route.params.model_fields
        for name, value in ids.items():
            given: dict[str, Any] = {}
            if name in fields:
                given = {name: value}
            elif f"{name}s" in fields:
                given = {f"{name}s": [value]}
            if not given:
                continue
            if path == "/events/list":
                given["since"] = "2000-01-01"
            if path == "/access_codes/list" and name == "connected_account_id":
                continue
            if path in ("/devices/unmanaged/update", "/devices/unmanaged/get"):
                continue  # a managed device: 400 and 404 for its own workspace too
            reply = await other.raw(path, given)
            if reply.status == 200:
                lists = [v for v in reply.json.values() if isinstance(v, list)]
                assert lists and not any(lists), (path, given, reply)
            else:
                assert reply.status in (404, 400), (path, given, reply)
                if reply.status == 404:
                    assert reply.error["type"].endswith("_not_found")
                else:
                    assert reply.error["type"] == "invalid_input", (path, given, reply)
    await other.fail("/devices/unmanaged/update", 404, "device_not_found", device_id=world.devices[0])
    await other.fail("/devices/get", 404, "device_not_found", name="Device 0")
    await other.fail("/access_codes/get", 404, "access_code_not_found", device_id=world.devices[0], code="4711")
    await other.fail("/connected_accounts/get", 404, "connected_account_not_found", email="jane@example.com")
    await other.fail("/access_codes/delete", 404, "access_code_not_found", access_code_id=code["access_code_id"])
    assert await other.events() == []
    assert (await other.call("/locks/list"))["locks"] == []

    assert await world.events() == before, "nothing happened"


async def test_the_description_of_the_api_has_the_headers_of_every_answer(world: World) -> None:
    reply = await world.raw("/openapi.json", method="GET", key="", headers={"origin": "https://app.example.com"})
    assert (reply.status, reply.json["openapi"]) == (200, "3.0.0")
    assert reply.headers["seam-request-id"].startswith("request")
    assert reply.headers["access-control-allow-origin"] == "https://app.example.com"
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


async def test_health_needs_no_key(world: World) -> None:
    for path in ("/health", "/health/get_health"):
        for method in ("GET", "POST"):
            reply = await world.raw(path, method=method, key="")
            assert (reply.status, reply.json["ok"]) == (200, True)
    assert (await world.raw("/livez", method="GET", key="")).body == b"alive\n"
    assert (await world.raw("/readyz", method="GET", key="")).status == 200
