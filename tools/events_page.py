"""Prints the page of event types. `make docs` writes it, a test keeps it fresh."""

import sys
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from doorward.wire.events import TYPES, Event
from doorward.wire.events.base import AboutAccount, AboutDevice, DeviceTrouble
from doorward.wire.events.documented import names

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "events.md"


SHARED = ((DeviceTrouble, "*a device's trouble*"), (AboutDevice, "*a device*"), (AboutAccount, "*an account*"))
"""What many events are about, and how that is named; the widest first."""


NEVER = (
    # Families or types that nothing here causes, and why.
    (
        "access_code.issued access_code.delay_in_issuing access_code.failed_to_issue access_code.failed_to_update "
        "access_code.failed_to_expire",
        "named in Seam's types and not documented; what they say, `…set_on_device`, `delay_in_…` and `failed_to_…` say",
    ),
    (
        "access_grant.access_granted_to_door access_grant.access_to_door_lost",
        "they are about entrances of access control systems; doors of devices are told by their access codes",
    ),
    ("access_method.card_encoding_required", "there are no cards"),
    ("acs_*", "there are no access control systems"),
    (
        "action_attempt.simulate_manual_lock_via_keypad.*",
        "no device's keypad locks: the route refuses before there is an attempt",
    ),
    ("camera.activated", "motion is not asked for of intercoms; who rings is told by `device.doorbell_rang`"),
    ("connected_account.reauthorization_requested", "no provider asks for it; a login that is refused disconnects"),
    ("device.accessory_keypad_*", "keypads are part of the intercoms"),
    ("device.battery_status_changed device.low_battery", "intercoms have no batteries"),
    (
        "device.connection_became_flaky device.connection_stabilized",
        "connections are not judged: each loss is told by `device.disconnected`",
    ),
    (
        "device.error.subscription_required device.error.subscription_required.resolved",
        "no device needs a subscription",
    ),
    ("device.salto.*", "there are no Salto devices"),
    ("enrollment_automation.deleted phone.deactivated", "there are no phones"),
    ("noise_sensor.*", "there are no noise sensors"),
    ("thermostat.*", "there are no thermostats"),
)


def never() -> dict[str, list[str]]:
    """Why → the documented types that are never sent for it."""
    rest = sorted(names() - TYPES.keys())
    return {why: [one for one in rest if any(fnmatch(one, p) for p in patterns.split())] for patterns, why in NEVER}


def _members(kind: type[Event], *, is_shared: bool = False) -> str:
    """Its members; those that are not always there in brackets, PINs marked."""
    base, name = next((one for one in SHARED if not is_shared and issubclass(kind, one[0])), (None, ""))
    told = [name] if base else []
    for field in msgspec.structs.fields(kind):
        if base and field.name in base.__struct_fields__:
            continue
        name = f"`{field.encode_name}`"
        if field.encode_name in kind.__secret__:
            name += " (a PIN)"
        told.append(f"[{name}]" if field.default is msgspec.UNSET else name)
    return ", ".join(told)


def page() -> str:
    """The page's text."""
    families: defaultdict[str, list[str]] = defaultdict(list)
    for event_type in sorted(TYPES):
        families[event_type.split(".")[0]].append(event_type)
    lines = [
        "# Events",
        "",
        "Made from the code by `make docs`: every event type that this server emits.",
        "",
        "Each carries `event_id`, `event_type`, `event_description`, `workspace_id`, `created_at` (when it was stored)",
        "and `occurred_at` (when it happened). Members in brackets are left out when there is nothing to say.",
        "",
        *(f"* {name}: {_members(base, is_shared=True)}" for base, name in reversed(SHARED)),
    ]
    for family, event_types in families.items():
        lines += ["", f"## {family}", "", "| Type | | Members |", "|---|---|---|"]
        for event_type in event_types:
            kind = TYPES[event_type]
            meaning = (kind.__doc__ or "").strip().partition("\n")[0]
            lines.append(f"| `{event_type}` | {meaning} | {_members(kind)} |")
    lines += [
        "",
        "## Never sent",
        "",
        "Types that Seam documents and nothing here causes.",
        "",
        "| Types | Why |",
        "|---|---|",
    ]
    lines += [f"| {', '.join(f'`{one}`' for one in types)} | {why} |" for why, types in never().items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
