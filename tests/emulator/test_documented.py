"""The emulator's page says all of it: routes, faults, quirks, commands and options."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer.main

from doorward.emulator_cli import app
from doorward.providers.my_2n.emulator.control import ROUTES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "emulator.md").read_text()


def test_the_generated_tables_are_fresh() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "emulator_page.py"))
    assert tool["written"](PAGE) == PAGE, "run: make docs"


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ROUTES])
def test_every_route_is_in_the_table(method: str, path: str) -> None:
    assert f"`{method} /devices/{{serial}}{path}`" in PAGE


def test_the_table_names_no_route_that_does_not_exist() -> None:
    named = set(re.findall(r"`(GET|PUT|POST|DELETE) /devices/\{serial\}([^` ]*)`", PAGE))
    assert named == {(method, path) for method, path, _ in ROUTES}


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


@pytest.mark.parametrize("name", sorted(set(commands()) - {"2n"}))
def test_every_command_is_in_the_table(name: str) -> None:
    assert re.search(rf"`{name}[ `]", PAGE)


def test_every_option_of_the_program_is_in_the_table() -> None:
    for param in commands()["2n"].params:
        assert f"`{param.opts[0]}" in PAGE, param.name
