"""Every route, with every credential that must not reach it: none, of the wrong kind, another workspace's, another
session's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Reply, World, new_workspace, serving

from doorward.api.absent import MISSING
from doorward.api.route import ROUTES, Route
from doorward.core import workspaces
from doorward.store import client_sessions

HERE = {path: route for path, route in ROUTES.items() if route.auth}
VALUES: dict[str, Any] = {
    # What routes need besides ids.
    "access_codes": [{"device_id": "x", "code": "4821"}],
    "accepted_providers": ["my_2n"],
    "access_method": "code",
    "acs_entrance_ids": [],
    "between": None,
    "climate_preset_key": "home",
    "code": "482193",
    "email": "nobody@example.com",
    "ends_at": "2090-01-02T00:00:00Z",
    "event_types": ["*"],
    "expires_at": None,
    "full_name": "Jane",
    "is_managed": True,
    "name": "Guest",
    "periods": [{"climate_preset_key": "home", "starts_at_time": "07:00:00"}],
    "requested_access_methods": [{"mode": "code"}],
    "since": "2000-01-01T00:00:00Z",
    "starts_at": "2090-01-01T00:00:00Z",
    "url": "https://example.com/hook",
}
FORGIVING = {"/customers/delete_data"}
"""Routes to which what is not there is as good as deleted."""
PEOPLE = ("/access_grants/list", "/user_identities/list")
EMPTY_HANDED = {
    # Routes that take nobody's thing, or say what is the same for all.
    "/connect_webviews/create",
    "/customers/create_portal",
    "/customers/push_data",
    "/devices/list_device_providers",
    *(
        f"/internal/devicedb/v1/{kind}/{word}"
        for kind in ("device_models", "manufacturers")
        for word in ("get", "list")
    ),
    "/user_identities/create",
    "/webhooks/create",
    "/workspaces/create",
    "/workspaces/get",
    "/workspaces/list",
    "/workspaces/reset_sandbox",
    "/workspaces/update",
}


def body(route: Route, ids: dict[str, str]) -> dict[str, Any] | None:
    """Parameters that name things by their ids; None: it takes no ids."""
    found: dict[str, Any] = {}
    named = False
    for name, shape in route.check.shapes.items():
        singular = name.removesuffix("s")
        field = route.params.model_fields[name]
        if route.has_none and name in MISSING and name not in ids:
            found[name], named = "x", True
        elif name == "devices":
            found[name], named = [{"device_id": ids["device_id"]}], True
        elif singular in ids:
            found[name] = [ids[singular]] if shape.kind == "list" else ids[singular]
            named = True
        elif name in VALUES and (field.is_required() or name == "since"):
            found[name] = VALUES[name]
    return found if named else None


async def things(world: World) -> dict[str, str]:
    """One of each kind."""
    webview_id = await world.connect(count=2)
    device = await world.device()
    made = await world.call("/access_codes/create", device_id=device["device_id"], common_code_key="club")
    webhook = (await world.call("/webhooks/create", url="https://example.com/hook"))["webhook"]
    await world.call("/devices/update", device_id=device["device_id"], name="Door")

    async def deliveries() -> Any:
        listed = await world.call("/webhooks/doorward/list_deliveries", webhook_id=webhook["webhook_id"])
        return listed["deliveries"]

    delivery = (await world.eventually(deliveries))[0]
    space = (await world.call("/spaces/create", name="Room", space_key="room", customer_key="villa"))["space"]
    granted = await world.call(
        "/access_grants/create",
        access_grant_key="villa",
        reservation_key="r1",
        device_ids=[device["device_id"]],
        user_identity={"user_identity_key": "jane"},
        requested_access_methods=[{"mode": "code"}],
    )
    grant = granted["access_grant"]

    async def is_at_rest() -> bool:
        codes = (await world.call("/access_codes/list", device_id=device["device_id"]))["access_codes"]
        attempts = (await world.call("/action_attempts/list"))["action_attempts"]
        return {one["status"] for one in codes} == {"set"} and {one["status"] for one in attempts} == {"success"}

    await world.eventually(is_at_rest)
    session = (await world.call("/client_sessions/create", connect_webview_ids=[webview_id]))["client_session"]
    return {
        "access_code_id": made["access_code"]["access_code_id"],
        "action_attempt_id": made["action_attempt"]["action_attempt_id"],
        "client_session_id": session["client_session_id"],
        "common_code_key": "club",
        "connect_webview_id": webview_id,
        "connected_account_id": device["connected_account_id"],
        "delivery_id": delivery["delivery_id"],
        "device_id": device["device_id"],
        "access_grant_id": grant["access_grant_id"],
        "access_grant_key": "villa",
        "access_method_id": grant["access_method_ids"][0],
        "reservation_key": "r1",
        "user_identity_id": grant["user_identity_id"],
        "user_identity_key": "jane",
        "space_id": space["space_id"],
        "space_key": space["space_key"],
        "event_id": (await world.events())[0]["event_id"],
        "webhook_id": webhook["webhook_id"],
    }


async def state(world: World) -> dict[str, Any]:
    """What strangers must not change."""
    lists = ("/devices/list", "/connected_accounts/list", "/connect_webviews/list", "/webhooks/list", *PEOPLE)
    return {
        path: await world.call(path) for path in (*lists, "/client_sessions/list", "/spaces/list", "/workspaces/get")
    } | {
        "codes": await world.call("/access_codes/list", device_id=world.devices[0]),
        "attempts": await world.call("/action_attempts/list"),
    }


def lists_of(reply: Reply) -> Iterator[Any]:
    return (value for value in reply.json.values() if isinstance(value, list))


async def credentials(world: World) -> dict[str, dict[str, str]]:
    """Headers of each kind of credential of a workspace, by their letters."""
    pat = await world.core.db.write(workspaces.add_personal_access_token, world.clock.now(), "test")
    await world.call("/workspaces/update", is_publishable_key_auth_enabled=True)
    publishable = (await world.call("/workspaces/get"))["workspace"]["publishable_key"]
    client = (await world.call("/client_sessions/create"))["client_session"]
    customer = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]
    reader = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]
    row = await client_sessions.get(world.core.db.read, reader["workspace_id"], reader["client_session_id"])
    assert row is not None
    read_only: Any = client_sessions.change
    await world.core.db.write(read_only, row, is_read_only=1)

    def bearer(token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"}

    return {
        "A": bearer(world.key),
        "N": bearer(pat.text),
        "C": bearer(client["token"]),
        "CK": bearer(customer["token"]),
        "R": bearer(reader["token"]),
        "P": {"seam-publishable-key": publishable, "seam-user-identifier-key": "jane"},
    }


async def test_nobody_gets_in_with_nothing_or_with_the_wrong_kind(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        ids = await things(world)
        kinds = await credentials(world)
        before = await state(world)
        for path, route in HERE.items():
            sent = body(route, ids) or {}
            for wrong in (
                {},
                {"authorization": ""},
                {"authorization": "Bearer "},
                {"authorization": "Bearer nonsense"},
                {"authorization": "Basic amFuZTox"},
                {"authorization": f"Bearer {world.key[:-1]}"},
                {"authorization": f"Bearer {world.key}x"},
                {"authorization": "Bearer seam_at1abcdefgh_" + "x" * 24},
                {"authorization": "Bearer seam_cst1abcdefgh_" + "x" * 24},
            ):
                reply = await world.raw(path, sent, key="", headers=wrong)
                assert reply.status == 401, (path, wrong, reply)
            for letters, headers in kinds.items():
                if not set(letters) & set(route.auth):
                    reply = await world.raw(path, sent, key="", headers=headers)
                    assert (reply.status, reply.error["type"]) == (401, "unauthorized"), (path, letters, reply)
        assert await state(world) == before


@pytest.mark.parametrize("who", ["another workspace", "another session", "another customer", "a reader"])
async def test_what_is_anothers_does_not_exist(tmp_path: Path, database_url: str | None, who: str) -> None:
    async with serving(tmp_path, database_url) as world:
        ids = await things(world)
        other = await new_workspace(world, "Other")
        kinds = await credentials(world)
        letters = {"another workspace": "A", "another session": "C", "another customer": "CK", "a reader": "R"}[who]
        headers = {"authorization": f"Bearer {other.key}"} if letters == "A" else kinds[letters]
        before, not_found, asked = await state(world), 0, 0
        for path, route in HERE.items():
            sent = body(route, ids)
            if not set(letters) & set(route.auth) or path in EMPTY_HANDED:
                continue
            assert sent is not None or route.is_list, path
            reply = await world.raw(path, sent or {}, key="", headers=headers)
            if route.is_list and reply.status == 200:
                assert not any(lists_of(reply)), (path, reply)
                continue
            if path in FORGIVING and reply.status == 200:
                continue  # what it has not done is seen at the end
            asked += 1
            not_found += reply.status == 404
            assert reply.status in (400, 403, 404), (path, sent, reply)
        assert asked > 0
        assert not_found >= asked * 0.85, (not_found, asked)
        assert await state(world) == before


async def test_a_session_can_do_nothing_with_a_parameter_that_nobody_thought_of(tmp_path: Path) -> None:
    """What looks like an id is known to the guard, on every route that sessions may call."""
    from doorward.api.scope import FREE_FORM, GUARDED, OPEN

    known = GUARDED.keys() | OPEN | {"client_session_id", "customer_key", "customer_id", "user_identifier_key"}
    unknown = {
        (path, name)
        for path, route in HERE.items()
        if set(route.auth) & set("CKR") and not route.is_list
        for name in route.check.shapes
        if (name[:-1] if name.endswith(("_ids", "_keys")) else name) not in known
        and name.endswith(("_id", "_ids", "_key", "_keys"))
        and name not in FREE_FORM
    }
    assert unknown == set()
