"""The coverage page, and the tools that help to lengthen it."""

import ast
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.contract import published

from doorward.api.route import ROUTES
from doorward.wire.events import TYPES, documented

ROOT = Path(__file__).parents[2]
NEWER_EVENTS = 5
"""Event types that Seam has documented after the package's version."""


def tool(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / f"{name}.py"))


def test_the_coverage_page_is_fresh() -> None:
    coverage = tool("coverage")
    assert coverage["PAGE"].read_text(encoding="utf-8") == coverage["page"](), "run: make docs"


def test_the_page_of_events_is_fresh_and_names_them_all() -> None:
    events = tool("events_page")
    text = events["PAGE"].read_text(encoding="utf-8")
    assert text == events["page"](), "run: make docs"
    for event_type in TYPES:
        assert f"| `{event_type}` |" in text


def test_every_documented_event_is_sent_or_the_page_says_why_not() -> None:
    reasons = tool("events_page")["never"]()
    told = [event_type for types in reasons.values() for event_type in types]
    assert all(reasons.values()), "a reason that explains nothing"
    assert sorted(told) == sorted(documented.names() - TYPES.keys())


def test_the_coverage_page_names_every_documented_route() -> None:
    page = tool("coverage")["page"]()
    for path in published.documented():
        assert f"| `{path}` |" in page


def test_the_coverage_page_lists_what_is_ours_apart() -> None:
    documented, _, ours = tool("coverage")["page"]().partition("## Routes of our own")
    for path in (path for path, route in ROUTES.items() if route.undocumented):
        assert f"`{path}`" in ours and f"`{path}`" not in documented


def test_the_coverage_page_counts_events_against_all_there_are() -> None:
    assert tool("coverage")["DOCUMENTED_EVENTS"] == len(published.events()) + NEWER_EVENTS


def test_parameters_that_are_not_honoured_are_ones_we_take() -> None:
    taken = {name for route in ROUTES.values() for name in route.params.model_fields}
    for names, _where, _what in tool("coverage")["NOT_HONOURED"]:
        for name in re.findall("`([^`]+)`", names):
            assert any(t.startswith(name.rstrip("…")) if name.endswith("…") else t == name for t in taken), name


def test_the_list_of_missing_routes_is_what_its_tool_prints() -> None:
    file = ROOT / "src" / "doorward" / "api" / "not_yet.txt"
    assert file.read_text(encoding="utf-8") == tool("not_yet")["text"](), "run: python tools/not_yet.py --write"


@pytest.mark.parametrize("path", ["/access_codes/create", "/devices/list", "/locks/unlock_door"])
def test_a_route_has_a_first_draft(path: str) -> None:
    tree = ast.parse(tool("scaffold")["draft"](path))
    assert [type(node) for node in tree.body] == [ast.ClassDef, ast.AsyncFunctionDef]
