"""The coverage page."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_coverage_page_is_fresh() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "coverage.py"))
    assert tool["PAGE"].read_text(encoding="utf-8") == tool["page"](), "run: make docs"
