"""Prints the list of documented routes that are not served yet: `python tools/not_yet.py`, or `--write`.

Made from the published schema and the table of routes. A line for a route that the installed schema does not know yet
is kept as it is.
"""

import sys
from importlib.resources import files
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.contract import published

import doorward.api  # noqa: F401 - fills the table of routes
from doorward.api.route import ROUTES, not_yet

HEADER = """\
# Routes that Seam documents and this server does not serve yet: path, verbs, credentials (see route.py).
# They answer 501. This list may only shrink: a route that is served loses its line.
"""


def text() -> str:
    """The whole file."""
    kept = {path: (list(route.verbs), route.auth) for path, route in not_yet().items()}
    found = {path: (published.verbs(path), published.letters(path)) for path in published.documented()}
    lines = {path: what for path, what in (kept | found).items() if path not in ROUTES}
    return HEADER + "".join(f"{path} {','.join(verbs)} {auth}\n" for path, (verbs, auth) in sorted(lines.items()))


if __name__ == "__main__":
    if "--write" in sys.argv:
        Path(str(files("doorward.api") / "not_yet.txt")).write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
