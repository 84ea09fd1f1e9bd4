"""Times as people at the door read and write them: in the zone of the place."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from doorward.errors import InvalidInput


def zone_named(name: Any) -> str:
    """The zone, if there is one of this name; else UTC."""
    try:
        return ZoneInfo(name).key if isinstance(name, str) and name else "UTC"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def shown(instant: str | None, zone: str) -> str:
    """`2026-11-23T14:00:00.000Z` → `23 Nov 2026, 15:00`."""
    if not instant:
        return ""
    at = datetime.fromisoformat(instant).astimezone(ZoneInfo(zone))
    return f"{at.day} {at:%b %Y, %H:%M}"


def instant(name: str, typed: str, zone: str) -> str | None:
    """What was typed into a field for a time (`2026-11-23T15:00`); nothing: None. Raises InvalidInput.

    A time that a clock change leaves out is read as the one that the clocks then show; one that comes twice, as the
    first.
    """
    if not typed:
        return None
    try:
        at = datetime.strptime(typed[:16], "%Y-%m-%dT%H:%M")  # noqa: DTZ007 - the zone is added below
        return at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise InvalidInput.of(name, "Must be a date and a time") from None
