"""Answers of a running server against the published schema, and what every route does with a stranger."""

import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from tests.contract import published
from tests.support import directory
from tests.support.server import World, serving

from doorward.api.openapi import document
from doorward.api.route import ROUTES, not_yet
from doorward.core import problems, workspaces
from doorward.store import connected_accounts as store
from doorward.store import devices as device_store
from doorward.store.db import Where

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path, None) as made:
        await made.connect(count=1, skip=1)
        yield made


def flaws(path: str, answer: Any) -> list[str]:
    """Where an answer is not as published; extra members are no flaw."""
    schema = published.reply(published.documented()[path]["post"])
    validator = OAS30Validator({**schema, "components": _components()})
    return sorted(f"{path} {_deepest(error)}" for error in validator.iter_errors(answer) if not _is_intended(error))


def _is_intended(error: Any) -> bool:
    """A device without a place: see intended.py."""
    return error.instance is None and error.absolute_path[-1] == "location"


@functools.cache
def _components() -> Any:
    return {"schemas": _without_discriminators(published.document()["components"]["schemas"])}


def _without_discriminators(schema: Any) -> Any:
    """A discriminator only says where to look first, and the validator takes its values for names of schemas."""
    if isinstance(schema, dict):
        return {k: _without_discriminators(v) for k, v in schema.items() if k != "discriminator"}
    return [_without_discriminators(v) for v in schema] if isinstance(schema, list) else schema


def _deepest(error: Any) -> str:
    """The flaw in the alternative that was meant: the one whose fixed texts all fit."""
    while error.context:
        others = {inner.schema_path[0] for inner in error.context if inner.validator == "enum"}
        error = next((i for i in error.context if i.schema_path[0] not in others), error.context[0])
    return f"{error.json_path} {error.message}"[:300]


async def answered(world: World, path: str, **body: Any) -> Any:
    """A call whose answer is as published, and as we describe it."""
    answer = await described(world, path, **body)
    assert flaws(path, answer) == []
    return answer


async def described(world: World, path: str, **body: Any) -> Any:
    """A call whose answer has nothing that our description does not know."""
    answer = await world.call(path, **body)
    schema = published.reply(document("http://x")["paths"][path]["post"])
    assert sorted(set(_unknown(schema, answer, path))) == []
    return answer


def _unknown(schema: Any, value: Any, where: str) -> Iterator[str]:
    """Members that the schema does not name, where it names any."""
    schema = _meant(schema, value)
    if isinstance(value, list):
        for one in value:
            yield from _unknown(schema.get("items", {}), one, f"{where}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from _unknown(schema["properties"][name], inner, f"{where}.{name}")
            else:
                yield f"{where}.{name}"


def _meant(schema: Any, value: Any) -> Any:
    """What is referred to, and of alternatives that one whose fixed texts all fit."""
    for part in schema.get("allOf", []):
        return _meant(part, value)
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _meant(document("http://x")["components"]["schemas"][name], value)
    for option in schema.get("oneOf", []):
        fixed = {name: m["enum"] for name, m in option["properties"].items() if len(m.get("enum", [])) == 1}
        if all(value[name] in texts for name, texts in fixed.items()):
            return option
    return schema


async def test_what_a_healthy_world_answers_is_as_published(world: World) -> None:
    device_id = world.devices[0]
    about = {"device_id": device_id}
    made = [
        (await answered(world, "/access_codes/create", **about, name="Guest"))["access_code"],
        (
            await answered(
                world, "/access_codes/create", **about, code="4711", starts_at="2090-01-01", ends_at="2090-02-01"
            )
        )["access_code"],
    ]
    by_id = {"access_code_id": made[0]["access_code_id"]}
    await answered(world, "/access_codes/get", **by_id)
    await answered(world, "/access_codes/list", **about)
    await _find_codes(world)
    for one in (await answered(world, "/access_codes/unmanaged/list", **about))["access_codes"]:
        await answered(world, "/access_codes/unmanaged/get", access_code_id=one["access_code_id"])
    await answered(world, "/access_codes/update", **by_id, name="Visitor")
    await answered(world, "/locks/unlock_door", **about)
    await answered(world, "/locks/lock_door", **about)
    await answered(world, "/access_codes/delete", **by_id)
    webview = await answered(world, "/connect_webviews/create", customer_key="c", custom_metadata={"a": "b"})
    await answered(world, "/connect_webviews/get", connect_webview_id=webview["connect_webview"]["connect_webview_id"])
    for path in (
        "/action_attempts/list",
        "/connect_webviews/list",
        "/connected_accounts/list",
        "/devices/list",
        "/devices/list_device_providers",
        "/devices/unmanaged/list",
        "/locks/list",
        "/workspaces/get",
        "/workspaces/list",
    ):
        answer = await answered(world, path)
        assert answer != {"ok": True}, path
    attempts = (await world.call("/action_attempts/list"))["action_attempts"]
    assert {a["action_type"] for a in attempts} >= {"LOCK_DOOR", "UNLOCK_DOOR", "CREATE_ACCESS_CODE"}
    for attempt in attempts:
        await answered(world, "/action_attempts/get", action_attempt_id=attempt["action_attempt_id"])
    events = (await answered(world, "/events/list", since="2000-01-01"))["events"]
    assert len({e["event_type"] for e in events}) > 8
    await answered(world, "/events/get", event_id=events[0]["event_id"])
    account = (await world.call("/devices/get", **about))["device"]["connected_account_id"]
    await answered(world, "/connected_accounts/get", connected_account_id=account)
    await answered(world, "/connected_accounts/update", connected_account_id=account, custom_metadata={"a": "b"})
    await answered(world, "/devices/update", **about, name="Front door")
    await answered(world, "/devices/get", **about)
    await answered(world, "/locks/get", **about)


async def _find_codes(world: World) -> None:
    """Entries of others, one for good and one that another system maintains, are found."""
    unit = await world.watched()
    for owner in ("", "ACOM"):
        await directory.add(unit, "Owner", f"15{len(owner)}93", owner)

    async def found() -> bool:
        reply = await world.call("/access_codes/unmanaged/list", device_id=world.devices[0])
        return len(reply["access_codes"]) == 2

    await world.eventually(found, step=5)  # the owner came while we wrote: a read a minute later finds it


async def test_a_device_whose_account_is_out_is_answered_as_published(world: World) -> None:
    about = {"device_id": world.devices[0]}
    await world.call("/access_codes/create", **about, code="4711")
    now = world.clock.now()
    told = problems.with_issue("[]", "account_disconnected", "The login is no longer accepted.", now)
    await world.core.db.write(_set_account_errors, world.workspace.workspace_id, told)
    device = (await answered(world, "/devices/get", **about))["device"]
    assert [e["error_code"] for e in device["errors"]] == ["account_disconnected"]
    await answered(world, "/devices/list")
    await answered(world, "/access_codes/list", **about)
    await answered(world, "/connected_accounts/list")


async def test_what_is_answered_is_described(world: World) -> None:
    device_id = world.devices[0]
    people = {"user_identity": {"full_name": "Jane", "email_address": "jane@example.com"}}
    space = await described(world, "/spaces/create", name="House", space_key="house", device_ids=[device_id])
    grant = await described(
        world,
        "/access_grants/create",
        **people,
        space_ids=[space["space"]["space_id"]],
        requested_access_methods=[{"mode": "code"}],
    )
    about = {"access_grant_id": grant["access_grant"]["access_grant_id"]}
    webhook = (await described(world, "/webhooks/create", url="https://hooks.example.com"))["webhook"]
    webview = (await described(world, "/connect_webviews/create"))["connect_webview"]
    await world.core.db.write(_set_device_warning, world.workspace.workspace_id, device_id, world.clock.now())
    await described(world, "/client_sessions/create", connect_webview_ids=[webview["connect_webview_id"]])
    await described(world, "/customers/create_portal", customer_data={"customer_key": "hotel"})
    await described(world, "/access_grants/get_related", access_grant_ids=[about["access_grant_id"]])
    await described(world, "/spaces/get_related", space_keys=["house"])
    await described(world, "/access_methods/list", **about)
    await described(world, "/access_codes/list", **about)
    await described(world, "/access_codes/unmanaged/list", device_id=device_id)
    await described(world, "/devices/doorward/list_device_log", device_id=device_id)
    await described(world, "/webhooks/doorward/list_deliveries", webhook_id=webhook["webhook_id"])
    await described(world, "/events/list", since="2000-01-01")
    for path, route in ROUTES.items():
        if "A" in route.auth or route.auth == "":
            required = any(field.is_required() for field in route.params.model_fields.values())
            if path.endswith(("/list", "health")) and not required and path not in NEEDS_A_FILTER:
                await described(world, path)


NEEDS_A_FILTER = {"/access_codes/list", "/access_methods/list", "/events/list"}


async def _set_device_warning(tx: Any, workspace_id: str, device_id: str, now: int) -> None:
    row = await device_store.get(tx, workspace_id, device_id)
    assert row is not None
    told = problems.with_issue("[]", "doorward_events_not_followed", "It will not be followed.", now)
    await device_store.change(tx, row, warnings_json=told)


async def _set_account_errors(tx: Any, workspace_id: str, errors: str) -> None:
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    for row in await store.list_page(tx, where, 10):
        await store.change(tx, row, errors_json=errors)


async def test_a_device_that_is_away_is_answered_as_published(world: World) -> None:
    about = {"device_id": world.devices[0]}
    unit = await world.watched()
    unit.faults.arm("refuse")
    await world.raw("/locks/unlock_door", about)

    async def away() -> bool:
        return bool((await world.call("/devices/get", **about))["device"]["errors"])

    await world.eventually(away)
    await answered(world, "/devices/get", **about)
    await answered(world, "/events/list", since="2000-01-01")


def test_every_standing_error_we_know_is_a_published_one() -> None:
    known = _codes("device", "error") | _codes("access_code", "error") | {"code_constraints_violated"}
    assert {row[2] for row in problems._TABLE if row[2]} <= known
    assert {row[3] for row in problems._TABLE} <= known


def _codes(resource: str, kind: str) -> set[str]:
    options = published.resource(resource)["properties"][f"{kind}s"]["items"]["oneOf"]
    return {option["properties"][f"{kind}_code"]["enum"][0] for option in options}


# ---------------------------------------------------------------- strangers


async def test_every_route_refuses_a_stranger(world: World) -> None:
    for path, route in {**not_yet(), **ROUTES}.items():
        for verb in route.verbs:
            reply = await world.raw(path, {}, method=verb, key="")
            if route.auth == "":
                assert reply.status == 200, (verb, path)
                continue
            assert reply.status == 401, (verb, path)
            assert reply.json["ok"] is False
            assert reply.error["type"] == "unauthorized"
            assert reply.error["message"]


async def test_every_route_refuses_a_verb_that_is_not_its_own(world: World) -> None:
    for path, route in {**not_yet(), **ROUTES}.items():
        if "A" not in route.auth:
            continue
        for verb in set(VERBS) - set(route.verbs):
            reply = await world.raw(path, {}, method=verb)
            assert (reply.status, reply.error["type"]) == (405, "method_not_allowed"), (verb, path)
            assert reply.error["message"] == f"only {','.join(sorted(route.verbs))} accepted"


async def test_every_route_names_a_parameter_that_is_missing(world: World) -> None:
    made = await world.core.db.write(workspaces.add_personal_access_token, world.clock.now(), "test")
    for path, route in ROUTES.items():
        required = [n for n, f in route.params.model_fields.items() if f.is_required()]
        if required:
            reply = await world.raw(path, {}, key=made.text if route.auth == "N" else None)
            assert (reply.status, reply.error["type"]) == (400, "invalid_input"), path
            assert set(required) <= reply.error["validation_errors"].keys(), path
