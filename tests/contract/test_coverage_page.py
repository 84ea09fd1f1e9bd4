"""The coverage page, and the tools that help to lengthen it."""

import ast
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.contract import published

from doorward.api.route import ROUTES, not_yet

ROOT = Path(__file__).parents[2]
NEWER_EVENTS = 5
"""Event types that Seam has documented after the package's version."""


def tool(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / f"{name}.py"))


def test_the_coverage_page_is_fresh() -> None:
    coverage = tool("coverage")
    assert coverage["PAGE"].read_text(encoding="utf-8") == coverage["page"](), "run: make docs"


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


@pytest.mark.parametrize("path", sorted(not_yet().keys() & published.documented().keys()))
def test_every_missing_route_has_a_first_draft(path: str) -> None:
    tree = ast.parse(tool("scaffold")["draft"](path))
    assert [type(node) for node in tree.body] == [ast.ClassDef, ast.AsyncFunctionDef]
