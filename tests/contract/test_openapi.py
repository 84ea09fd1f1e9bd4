"""The description we serve: valid, whole, quick, and read by Seam's own tools as Seam's is."""

import functools
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate
from tests.contract import published
from tests.contract.test_routes import NEWER, NEWER_CREDENTIALS, NEWER_PAGES, NEWER_PARAMETERS, NONE_HERE

from doorward.api.openapi import RESOURCES, THREE_VERBS, _docs_of_module, document, field_docs
from doorward.api.route import ROUTES
from doorward.wire.events import TYPES, Event

BASE = "http://door.example"
MOST_SECONDS = 1.0
"""Of the processor, on a slow machine."""

CONSOLE = {"console_session_token", "console_session_token_with_workspace", "console_session_token_without_workspace"}
"""Seam's console is not part of this server."""

READER = f"""
import {{ text }} from "node:stream/consumers";
import {{ createBlueprint }} from {json.dumps((published.PACKAGES / "blueprint" / "index.js").as_uri())};
const openapi = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await createBlueprint({{ openapi }}, {{ omitUndocumented: true }})));
"""


def test_it_is_valid_openapi() -> None:
    validate(document(BASE))


def test_it_has_the_published_version_of_openapi() -> None:
    assert document(BASE)["openapi"] == published.document()["openapi"]


def test_it_names_this_server() -> None:
    assert document(BASE)["servers"] == [{"url": BASE}]
    assert document("http://other.example")["servers"] == [{"url": "http://other.example"}]


def test_it_describes_every_route_that_is_served_and_no_other() -> None:
    assert document(BASE)["paths"].keys() == ROUTES.keys()


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_path_has_post_and_at_most_one_more_verb(path: str) -> None:
    verbs = document(BASE)["paths"][path]
    assert "post" in verbs
    assert len(verbs) <= (3 if path in THREE_VERBS else 2)
    assert {verb.upper() for verb in verbs} <= set(ROUTES[path].verbs)


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_route_and_each_of_its_parameters_is_described(path: str) -> None:
    route = ROUTES[path]
    assert route.handler is not None
    assert (inspect.getdoc(route.handler) or "").strip()
    assert route.params.model_fields.keys() <= field_docs(route.params).keys()


def test_only_undocumented_routes_are_flagged_so() -> None:
    flagged = {path for path, verbs in document(BASE)["paths"].items() if "x-undocumented" in verbs["post"]}
    assert flagged == {path for path, route in ROUTES.items() if route.undocumented}


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for verbs in document(BASE)["paths"].values() for operation in verbs.values()]
    assert len(ids) == len(set(ids))


def test_the_members_of_resources_are_described() -> None:
    for struct, (name, _) in RESOURCES.items():
        if struct is not Event:
            assert set(struct.__struct_fields__) - field_docs(struct).keys() == set(), name


def test_resources_stand_under_references() -> None:
    for path, verbs in document(BASE)["paths"].items():
        reply = published.reply(verbs["post"])["properties"]
        for key, schema in reply.items():
            if key == "batch":
                assert all("$ref" in lists["items"] for lists in schema["properties"].values()), path
            elif key not in ("ok", "message") and not ROUTES[path].undocumented:
                assert "$ref" in schema.get("items", schema), (path, key)


def test_it_is_built_quickly_and_once_and_not_on_import() -> None:
    script = (
        "import time, doorward.api, doorward.api.openapi as o\n"
        "assert o._document.cache_info().currsize == 0\n"
        "began = time.process_time(); o.document('http://x'); took = time.process_time() - began\n"
        "assert o.document('http://y')['paths'] is o.document('http://x')['paths']\n"
        "print(took)"
    )
    took = [float(subprocess.check_output([sys.executable, "-c", script], text=True)) for _ in range(3)]
    assert min(took) < MOST_SECONDS


def test_a_missing_source_costs_the_descriptions_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(_module: object) -> str:
        raise OSError("no source")

    monkeypatch.setattr(inspect, "getsource", no_source)
    assert _docs_of_module.__wrapped__("doorward.wire.device") == {}


# ---------------------------------------------------------------- as Seam's CLI reads it

UNDOCUMENTED_PARAMETERS = {"/customers/create_portal": {"_dev", "deep_link"}}
"""The CLI does not see that the published description calls them undocumented."""


@functools.cache
def _read(whose: str) -> dict[str, Any]:
    """The endpoints and the rest, as the CLI gets them from a description; from ours in its remote-schema mode."""
    published.version("blueprint")
    given = document(BASE) if whose == "ours" else _part_of_the_published()
    found: dict[str, Any] = published.node(READER, json.dumps(given))
    return found


def _part_of_the_published() -> dict[str, Any]:
    """The published routes that we serve, on our resources: the published ones are too old for this reader."""
    paths = {path: verbs for path, verbs in published.documented().items() if path in ROUTES and path not in NONE_HERE}
    return {**document(BASE), "paths": paths}


def _endpoints(whose: str) -> dict[str, dict[str, Any]]:
    return {one["path"]: one for route in _read(whose)["routes"] for one in route["endpoints"]}


def _pairs() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Path, ours, and the published one, where there is one to compare with."""
    theirs = _endpoints("theirs")
    for path, here in _endpoints("ours").items():
        if path not in NONE_HERE | NEWER:
            yield path, here, theirs[path]


def test_the_cli_finds_every_documented_route() -> None:
    assert _endpoints("ours").keys() == {path for path, route in ROUTES.items() if not route.undocumented}


def test_the_cli_calls_each_route_as_it_calls_the_published_one() -> None:
    for path, here, there in _pairs():
        for member in ("methods", "semanticMethod", "preferredMethod", "hasRequiredParameters"):
            assert here["request"][member] == there["request"][member], (path, member)
        assert here["workspaceScope"] == there["workspaceScope"], path
        newer_auth = {"client_session_token"} if path in NEWER_CREDENTIALS else set()
        assert sorted(here["authMethods"]) == sorted(set(there["authMethods"]) - CONSOLE | newer_auth), path
        shown = [{p["name"] for p in one["request"]["parameters"]} for one in (here, there)]
        newer = {"limit", "page_cursor"} if path in NEWER_PAGES else NEWER_PARAMETERS.get(path, set())
        assert shown[0] - shown[1] <= {"device_selection_mode", "sync"} | newer, path
        assert shown[1] - UNDOCUMENTED_PARAMETERS.get(path, set()) <= shown[0], path


def test_the_cli_reads_each_reply_as_it_reads_the_published_one() -> None:
    for path, here, there in _pairs():
        assert here["hasPagination"] == there["hasPagination"] or path in {"/locks/list", *NEWER_PAGES}, path
        for member in ("responseType", "responseKey", "resourceType", "actionAttemptType"):
            if path != "/access_codes/generate_code" or member != "resourceType":
                assert here["response"].get(member) == there["response"].get(member), (path, member)


def test_the_cli_knows_every_event_and_action_attempt() -> None:
    assert {one["eventType"] for one in _read("ours")["events"]} == TYPES.keys()
    made = {route.action_type for route in ROUTES.values() if route.action_type}
    assert {one["actionAttemptType"] for one in _read("ours")["actionAttempts"]} == made
