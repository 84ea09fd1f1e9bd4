"""What we answer against the published resources and events, member by member."""

from typing import Any

import msgspec
import pytest
from tests.contract import published

from doorward.api.openapi import RESOURCES, document
from doorward.wire.events import TYPES, Event

MORE = {
    # Members for older SDKs and older guides, and for self-hosters.
    "access_code": {"appearance"},
    "connect_webview": {"accepted_devices", "any_device_allowed"},
    "connected_account": {"user_identifier", "account_type", "workspace_id"},
    "unmanaged_device": {"display_name"},
    "workspace": {"company_name"},
}
COMMON = {"event_id", "event_type", "event_description", "workspace_id", "created_at", "occurred_at"}
MORE_OF_EVENTS = {"customer_key", "connected_account_custom_metadata", "device_custom_metadata"}
"""Sent wherever there is one, though the schema names it on some event types only."""


@pytest.mark.parametrize(
    "name", sorted(n for s, (n, _) in RESOURCES.items() if s is not Event and n not in ("action_attempt",))
)
def test_a_resource_has_the_published_members(name: str) -> None:
    theirs = published.resource(name)
    ours = document("http://x")["components"]["schemas"][name]
    assert set(theirs.get("required", [])) - set(ours["required"]) == set()
    assert set(ours["properties"]) - set(theirs["properties"]) <= MORE.get(name, set())
    for member in ours["properties"].keys() & theirs["properties"].keys():
        here, there = ours["properties"][member], theirs["properties"][member]
        if published.kinds(there) and published.kinds(here):
            assert published.kinds(here) <= published.kinds(there), member
        if here.get("nullable") and member in theirs.get("required", []):
            assert there.get("nullable") or "oneOf" in there or "allOf" in there, member


def _variants() -> dict[str, dict[str, Any]]:
    found = {}
    for option in published.resource("event")["oneOf"]:
        schema = published.resource(option["$ref"].rsplit("/", 1)[-1]) if "$ref" in option else option
        for event_type in schema["properties"]["event_type"]["enum"]:
            found[event_type] = schema
    return found


@pytest.mark.parametrize("event_type", sorted(TYPES))
def test_an_event_has_the_published_members(event_type: str) -> None:
    theirs = _variants()[event_type]
    ours = {f.encode_name for f in msgspec.structs.fields(TYPES[event_type])} | COMMON
    assert set(theirs["required"]) - ours == set()
    assert ours - set(theirs["properties"]) <= MORE_OF_EVENTS | {"event_description"}


@pytest.mark.parametrize("event_type", sorted(TYPES))
def test_an_event_is_described(event_type: str) -> None:
    assert (TYPES[event_type].__doc__ or "").strip().endswith(".")


def test_an_action_attempt_has_the_members_of_every_published_kind() -> None:
    ours = set(document("http://x")["components"]["schemas"]["action_attempt"]["properties"])
    for option in published.resource("action_attempt")["oneOf"]:
        assert set(option["required"]) - ours == set()
