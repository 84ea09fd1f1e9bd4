"""What we answer against the published resources, events and action attempts, member by member."""

from typing import Any

import pytest
from tests.contract import intended, published
from tests.contract.compare import Comparison

from doorward.api.openapi import RESOURCES, document
from doorward.wire.absent import ABSENT
from doorward.wire.access_code import GeneratedCode
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.events import TYPES, Event

APART = (ActionAttempt, Event, GeneratedCode, *ABSENT)
NAMES = sorted(name for struct, (name, _) in RESOURCES.items() if struct not in APART)


def components() -> dict[str, Any]:
    found: dict[str, Any] = document("http://x")["components"]["schemas"]
    return found


def check(where: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    comparison = Comparison(components(), published.document()["components"]["schemas"])
    found, wanted = set(comparison.answered(ours, theirs)), intended.lines_for(where)
    assert found - wanted == set(), "not intended"
    assert wanted - found == set(), "no longer true: take it out of intended.py"


@pytest.mark.parametrize("name", NAMES)
def test_a_resource_has_the_published_members(name: str) -> None:
    check(name, components()[name], published.resource(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_resource_is_shown_where_the_published_one_is(name: str) -> None:
    ours, theirs = components()[name].get("x-route-path"), published.resource(name)
    if "x-undocumented" in theirs:  # it is shown where nobody documents it: by us, where it is answered
        assert ours in {path.rpartition("/")[0] for path in published.documented()}
    else:
        assert ours == theirs.get("x-route-path")


OUR_EVENTS = {"webhook.disabled"}
"""Event types that Seam does not have."""


def test_an_event_of_ours_is_none_of_seams() -> None:
    assert TYPES.keys() >= OUR_EVENTS and not OUR_EVENTS & published.events().keys()


@pytest.mark.parametrize("event_type", sorted(TYPES.keys() - OUR_EVENTS))
def test_an_event_has_the_published_members(event_type: str) -> None:
    ours = published.variants(components()["event"], "event_type")[event_type]
    theirs = published.events()[event_type]
    check(event_type, ours, theirs)
    assert ours["x-route-path"] == theirs["x-route-path"]


@pytest.mark.parametrize("event_type", sorted(TYPES))
def test_an_event_is_described(event_type: str) -> None:
    assert (TYPES[event_type].__doc__ or "").strip().endswith(".")


def test_an_action_attempt_has_the_published_members_in_each_state() -> None:
    by = ("action_type", "status")
    theirs = published.variants(published.resource("action_attempt"), *by)
    of_routes = {one["post"].get("x-action-attempt-type") for one in published.documented().values()}
    for name, ours in published.variants(components()["action_attempt"], *by).items():
        if name in theirs:
            check(name, ours, theirs[name])
        else:  # a route makes it, and its members are not described
            assert name.partition(" ")[0] in of_routes, name
