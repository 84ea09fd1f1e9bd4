"""Prints the coverage page: what of Seam's API is served. `make docs` writes it, a test keeps it fresh."""

import sys
from collections import defaultdict
from pathlib import Path

import doorward.api  # noqa: F401 - fills the table of routes
from doorward.api.route import ROUTES, not_yet
from doorward.wire.events import TYPES
from doorward.wire.events.documented import documented

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "coverage.md"
DOCUMENTED_EVENTS = 114

NOT_HONOURED = (
    # Parameter, where, what happens.
    (
        "`is_offline_access_code`, `is_one_time_use`",
        "`/access_codes/create`",
        "`true` answers 400: intercoms have none",
    ),
    ("`search`", "`/access_codes/list`", "finds a whole PIN of a named device, not a part: PINs are stored encrypted"),
    ("`acs_…`, `credential_manager_acs_system_id`", "lists", "select nothing: there are no access control systems"),
    ("`acs_entrance_ids`", "spaces, access grants", "an id answers 404: there are no entrances"),
    (
        "`requested_access_methods`",
        "access grants",
        "other modes than `code` answer 400 `not_supported`: there are no cards, mobile keys and cloud keys",
    ),
    ("`customization_profile_id`", "access grants, customer portals", "without effect"),
    (
        "`locale`, `exclude_locale_picker`",
        "`/customers/create_portal`",
        "without effect: the pages are in English",
    ),
    (
        "`features`",
        "`/customers/create_portal`",
        "`configure`, events, staff and the confirmation of new devices are without effect: portals have none of them",
    ),
    (
        "`spaces`, `property_listings`, `reservations`, `staff_members`",
        "`/customers/push_data`",
        "geolocation, duration, custom metadata and places of work are not kept",
    ),
    ("lists", "`/customers/push_data`", "2,000 items at most, all lists together"),
    ("`is_suspended`", "`/workspaces/update`", "`true` answers 501"),
    ("`accepted_capabilities`", "`/connect_webviews/create`", "kept and shown; every 2N device is a lock"),
    ("`sync`", "`/locks/…`", "without effect: the reply always waits for the device a while"),
)


def page() -> str:
    """The page's text."""
    served = {path: route for path, route in ROUTES.items() if not route.undocumented}
    missing = not_yet()
    none = {path for path, route in served.items() if route.has_none}
    families: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(served.keys() | missing.keys()):
        families[path.split("/")[1]].append(path)
    lines = [
        "# Coverage",
        "",
        "Made from the code by `make docs`.",
        "",
        f"**{len(served) - len(none)} of {len(served) + len(missing)} documented routes do what they are for, "
        f"{len(documented() & TYPES.keys())} of {DOCUMENTED_EVENTS} event types are sent.**",
        "",
        f"{len(none)} more routes are about what this server has none of (access control systems, phones, thermostats,",
        "noise sensors). They answer, truthfully: lists are empty, an id is `…_not_found`, a device that is of another",
        f"kind `device_type_not_supported`. What is not served answers 501 `not_implemented`: {len(missing)} routes.",
        "",
        "| Family | Served | Answers: has none | Not yet | Documented |",
        "|---|---|---|---|---|",
    ]
    for family, paths in families.items():
        has_none, not_served = sum(p in none for p in paths), sum(p in missing for p in paths)
        done = len(paths) - has_none - not_served
        lines.append(f"| `{family}` | {done} | {has_none} | {not_served} | {len(paths)} |")
    lines += ["", "## Routes", "", "| Route | Verbs | |", "|---|---|---|"]
    for path in sorted(served.keys() | missing.keys()):
        route = served.get(path) or missing[path]
        what = route.summary if path in served else "not yet"
        if path in none:
            what = f"*has none:* {what}"
        lines.append(f"| `{path}` | {' '.join(route.verbs)} | {what} |")
    lines += [
        "",
        "## Routes of our own",
        "",
        "Not part of Seam's documented API; no SDK of Seam's has a method for the ones under `doorward`.",
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
