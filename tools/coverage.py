"""Prints the coverage page: what of Seam's API is served. `make docs` writes it, a test keeps it fresh."""

import sys
from collections import defaultdict
from pathlib import Path

import doorward.api  # noqa: F401 - fills the table of routes
from doorward.api.route import ROUTES, not_yet
from doorward.wire.events import TYPES

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "coverage.md"
DOCUMENTED_EVENTS = 114

NOT_HONOURED = (
    # Parameter, where, what happens.
    ("`use_backup_access_code_pool`, `backup_access_code_pool_enabled`", "codes, devices", "`true` answers 501"),
    (
        "`is_offline_access_code`, `is_one_time_use`",
        "`/access_codes/create`",
        "`true` answers 400: intercoms have none",
    ),
    ("`common_code_key`", "`/access_codes/create`", "kept and shown; it does not make codes share a PIN yet"),
    ("`search`", "`/access_codes/list`", "finds a whole PIN of a named device, not a part: PINs are stored encrypted"),
    ("`user_identifier_key`, `space_id`, `access_grant_…`, `acs_…`", "lists", "select nothing: there are none yet"),
    ("`accepted_capabilities`", "`/connect_webviews/create`", "kept and shown; every 2N device is a lock"),
    ("`sync`", "`/locks/…`", "without effect: the reply always waits for the device a while"),
)


def page() -> str:
    """The page's text."""
    served = {path: route for path, route in ROUTES.items() if not route.undocumented}
    missing = not_yet()
    families: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(served.keys() | missing.keys()):
        families[path.split("/")[1]].append(path)
    lines = [
        "# Coverage",
        "",
        "Made from the code by `make docs`. What is not served answers 501 `not_implemented`.",
        "",
        f"**{len(served)} of {len(served) + len(missing)} documented routes, "
        f"{len(TYPES)} of {DOCUMENTED_EVENTS} event types.**",
        "",
        "| Family | Served | Documented |",
        "|---|---|---|",
    ]
    for family, paths in families.items():
        lines.append(f"| `{family}` | {sum(p in served for p in paths)} | {len(paths)} |")
    lines += ["", "## Routes", "", "| Route | Verbs | |", "|---|---|---|"]
    for path in sorted(served.keys() | missing.keys()):
        route = served.get(path) or missing[path]
        lines.append(f"| `{path}` | {' '.join(route.verbs)} | {route.summary if path in served else 'not yet'} |")
    lines += [
        "",
        "## Routes of our own",
        "",
        "Not part of Seam's documented API.",
        "",
        "| Route | Verbs | |",
        "|---|---|---|",
    ]
    for path, route in sorted(ROUTES.items()):
        if route.undocumented:
            lines.append(f"| `{path}` | {' '.join(route.verbs)} | {route.summary} |")
    lines += [
        "",
        "## Parameters that are taken but not honoured",
        "",
        "| Parameter | Where | What happens |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {where} | {what} |" for name, where, what in NOT_HONOURED]
    lines += ["", "## Events", "", "| Type | |", "|---|---|"]
    for event_type, cls in sorted(TYPES.items()):
        lines.append(f"| `{event_type}` | {(cls.__doc__ or '').partition(chr(10))[0]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
