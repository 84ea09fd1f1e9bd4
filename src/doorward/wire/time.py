"""Instants as they cross the border.

Out: always UTC with milliseconds and `Z`. In: whatever Seam's clients and guides send: RFC 3339, offsets without a
colon, fractions, a date alone (midnight UTC), no offset at all (UTC).
"""

import functools
import re
from datetime import UTC, datetime, timedelta

_SHAPE = re.compile(
    r"\s*(\d{4})-(\d{2})-(\d{2})"
    r"(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)?)?\s*",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""What `iso` can write: the years 1 to 9999."""


@functools.lru_cache(maxsize=65_536)
def iso(at: int) -> str:
    """Milliseconds since 1970 → `2028-08-12T19:24:00.000Z`. Most instants are shown many times."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")[:-6] + "Z"


def iso_or_none(at: int | None) -> str | None:
    return None if at is None else iso(at)


def parse(text: str) -> int:
    """Text → milliseconds since 1970. Raises ValueError when it is no instant."""
    match = _SHAPE.fullmatch(text)
    if not match:
        raise ValueError("not an instant")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    leap = second == "60"
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), 59 if leap else int(second or 0), tzinfo=UTC
    )
    at = (moment - _EPOCH) // _MILLISECOND + (1000 if leap else 0)
    if fraction:
        at += int(fraction[:3].ljust(3, "0"))
    if zone and zone not in "Zz":
        digits = zone[1:].replace(":", "")
        hours, minutes = int(digits[:2]), int(digits[2:] or 0)
        if hours > 23 or minutes > 59:
            raise ValueError("not an offset")
        at -= (hours * 60 + minutes) * 60_000 * (1 if zone[0] == "+" else -1)
    if not _FIRST <= at <= _LAST:
        raise ValueError("beyond the years 1 to 9999")
    return at


def to_minute(at: int) -> int:
    """The nearest whole minute: what Seam's guides show for access codes' times (half a minute goes up)."""
    return (at + 30_000) // 60_000 * 60_000
