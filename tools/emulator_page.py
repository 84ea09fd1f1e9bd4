"""The generated tables of docs/how-to/emulator.md: faults and quirks, from the code.

`--write` puts them into the page; without, it says whether the page is up to date (1 when it is not).
"""

import json
import re
import sys
from dataclasses import fields
from pathlib import Path

from doorward.providers.my_2n.emulator.faults import KINDS, ONCE
from doorward.providers.my_2n.emulator.quirks import Quirks

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "emulator.md"


def faults() -> str:
    """The table of faults."""
    rows = [f"| `{kind}` | {what}{'; *once*' if kind in ONCE else ''} |" for kind, what in KINDS.items()]
    return "\n".join(["| Fault | What happens |", "|---|---|", *rows])


def quirks() -> str:
    """The names and defaults of the quirks."""
    shown = [f"`{quirk.name}={_text(quirk.default)}`" for quirk in fields(Quirks)]
    return ", ".join(shown) + "."


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def written(page: str) -> str:
    """The page with its tables anew."""
    for name, text in (("faults", faults()), ("quirks", quirks())):
        page, found = re.subn(
            rf"<!-- {name} -->\n(?:.*?\n<!-- /{name} -->|)",
            f"<!-- {name} -->\n\n{text}\n\n<!-- /{name} -->",
            page,
            flags=re.S,
        )
        assert found == 1, name
    return page


def main() -> int:
    """Write or compare."""
    page = PAGE.read_text()
    if "--write" in sys.argv:
        PAGE.write_text(written(page))
        return 0
    if written(page) != page:
        print(f"{PAGE} is out of date: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
