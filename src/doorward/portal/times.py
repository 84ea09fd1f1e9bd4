"""Times as people at the door read and write them: in the zone of the place."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    at = datetime.fromisoformat(instant)
    with suppress(OverflowError):  # at either end of the calendar, zones lead out of it
        at = at.astimezone(ZoneInfo(zone))
    return f"{at.day} {at:%b %Y, %H:%M}"


def instant(typed: str, zone: str) -> int | None:
    """What was typed into a field for a time (`2026-11-23T15:00`), in milliseconds since 1970; nothing: None.

    A time that a clock change leaves out is read as the one that the clocks then show; one that comes twice, as the
    first. Raises ValueError.
    """
    if not typed:
        return None
    at = datetime.strptime(typed[:16], "%Y-%m-%dT%H:%M")  # noqa: DTZ007 - the zone is added below
    try:
        return (at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        raise ValueError("out of the calendar") from None
