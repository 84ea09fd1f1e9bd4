"""Reading an intercom's directory: all of it, or what changed since a place.

A place is `1 <series> <timestamp>`: a life of the directory, and its change counter. Nothing is kept here, so a process
that dies half way reads again from the place its caller has stored.

A read is believed only when it is complete: the rows must reach the counter that the device names, page by page. What
is cut short, lacks its list of users, or is older than the place raises; it never looks like an empty directory.
Source: HTTP API manual, api/dir/query.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.providers.errors import DoubtfulAnswer, Refused
from doorward.providers.reports import CodesRead, FoundCode

from .client import TwoNClient
from .troubles import NotTheApi

FIELDS: Final = ("name", "owner", "access.pin", "access.validFrom", "access.validTo")
KEEPERS: Final = ("acom", "my2n")
"""Owners that are systems of the vendor: Access Commander, and the cloud."""
_PAGES: Final = 1_000
_FOREVER: Final = 2**32 - 1
"""The latest second that a device can name."""
_BREATH: Final = 500
"""Entries made sense of before others may have the event loop."""


@dataclass(frozen=True)
class Entry:
    """What we read of a directory entry; defaults filled in."""

    uuid: str
    name: str
    owner: str
    pin: str
    valid_from: int
    """Unix seconds, 0: unlimited."""
    valid_to: int

    def __repr__(self) -> str:
        return f"Entry(uuid={self.uuid!r}, …)"


async def read(client: TwoNClient, owner: str, place: str | None, *, whole: bool) -> CodesRead:
    """Entries with a PIN, and all of ours (those tagged `owner`). Raises: Refused, DoubtfulAnswer, DeviceTrouble."""
    series, since = _parsed(place)
    changes = await query(client, FIELDS, series, since, whole=whole)
    last = {str(row["uuid"]).lower(): row for row in changes.rows}
    codes, gone = [], []
    for number, (ref, row) in enumerate(last.items(), 1):
        if number % _BREATH == 0:
            await asyncio.sleep(0)
        entry = None if row.get("deleted") is True else entry_of(row)
        if entry is not None and (entry.pin or entry.owner == owner):
            codes.append(_found(entry, owner))
        elif not changes.is_whole:
            gone.append(ref)
    return CodesRead(
        codes=tuple(codes),
        gone=tuple(gone),
        is_whole=changes.is_whole,
        place=None if changes.series is None else f"1 {changes.series} {changes.timestamp}",
        is_reset=series is not None and changes.series != series,
    )


def _parsed(place: str | None) -> tuple[str | None, int]:
    """Series and counter; a place that we do not understand is none."""
    parts = (place or "").split(" ")
    if len(parts) != 3 or parts[0] != "1" or not (parts[2].isascii() and parts[2].isdigit()):
        return None, 0
    return parts[1], int(parts[2])


def _found(entry: Entry, owner: str) -> FoundCode:
    return FoundCode(
        ref=entry.uuid,
        is_ours=entry.owner == owner,
        name=entry.name,
        pin=entry.pin,
        starts_at=entry.valid_from * 1000 or None,
        ends_at=entry.valid_to * 1000 or None,
        is_claimed=bool(entry.owner) and entry.owner != owner,
        is_kept_elsewhere=is_kept_elsewhere(entry.owner),
    )


def is_kept_elsewhere(owner: str) -> bool:
    """Whether this owner is a system that writes its entries again and again."""
    return owner.strip().lower() in KEEPERS


# ---------------------------------------------------------------- queries


@dataclass(frozen=True)
class Changes:
    """What a query showed, in the device's order; a later row of the same entry replaces an earlier one."""

    is_whole: bool
    """All entries, not only what changed."""
    series: str | None
    timestamp: int
    rows: list[dict[str, Any]]


async def query(
    client: TwoNClient, fields: tuple[str, ...], series: str | None = None, since: int = 0, *, whole: bool = False
) -> Changes:
    """Entries changed after the counter `since` of `series`; all of them when there is no such place any more.

    Goes on until the rows reach the counter that the device names: the manual mentions no paging, one client in the
    field reads that way. Against a known series an answer that stops short is doubtful; without one there is nothing
    that its gaps could do harm to, and it is taken as it is. Raises: Refused, DoubtfulAnswer, DeviceTrouble.
    """
    for _ in range(3):
        whole = whole or series is None or not since
        reply = await client.dir_query(fields) if whole else await client.dir_query(fields, series=series, since=since)
        named = reply.get("series")
        current = named if isinstance(named, str) and named and " " not in named else None
        is_same = current is not None and current == series
        if is_same and _number(reply, "timestamp") < since:
            raise DoubtfulAnswer("The device showed an older state of its directory than before.")
        if not whole and (not is_same or _number(reply, "invalid") > since):
            whole = True
            continue
        found = await _pages(client, fields, current, reply, 0 if whole else since, is_strict=is_same)
        if found is not None:
            rows, reach = found
            return Changes(whole, current, reach, rows)
        whole = True
    raise Refused("The device's directory changes faster than it can be read.")


async def _pages(
    client: TwoNClient,
    fields: tuple[str, ...],
    series: str | None,
    reply: dict[str, Any],
    asked: int,
    *,
    is_strict: bool,
) -> tuple[list[dict[str, Any]], int] | None:
    """All rows from the first reply on, and the counter they reach; None: it was changed meanwhile, start over.

    `asked`: the counter that the first reply begins after; 0: it is to show everything.
    """
    found: list[dict[str, Any]] = []
    for _ in range(_PAGES):
        end = _number(reply, "timestamp")
        # Only a reply that has no changes to tell may do without the list.
        rows = _users(reply, can_be_missing=asked > 0 and end <= asked)
        found += rows
        reach = max((_number(row, "timestamp") for row in rows), default=asked)
        if series is None or reach >= end:
            return found, reach
        if reach <= asked and (asked or not is_strict or end <= 1):
            # Nothing newer came. What may be missing is what the device has forgotten: deleted entries.
            if is_strict and _number(reply, "invalid") < end:
                raise DoubtfulAnswer("The device did not show all of its directory.")
            return found, end
        is_empty = reach == 0  # then the last change was a deletion, and asked for by its counter it shows
        asked = end - 1 if is_empty else reach
        reply = await client.dir_query(fields, series=series, since=asked)
        if reply.get("series") != series:
            return None
        if is_empty and any(row.get("deleted") is not True for row in _users(reply, can_be_missing=True)):
            return None
    return None


def _users(reply: Mapping[str, Any], *, can_be_missing: bool) -> list[dict[str, Any]]:
    users = reply.get("users", [] if can_be_missing else None)
    if not isinstance(users, list) or not all(isinstance(user, dict) and user.get("uuid") for user in users):
        raise NotTheApi("dir/query")
    return users


def entry_of(row: Mapping[str, Any]) -> Entry:
    """An entry as a reply has it; devices leave out default values. Raises NotTheApi."""
    access = row.get("access")
    access = access if isinstance(access, Mapping) else {}
    uuid, name, owner, pin = row.get("uuid"), row.get("name", ""), row.get("owner", ""), access.get("pin", "")
    if not isinstance(uuid, str) or not uuid:
        raise NotTheApi("dir/get")
    return Entry(
        uuid=uuid,
        name=name if isinstance(name, str) else "",
        owner=owner if isinstance(owner, str) else "",
        pin=str(pin) if isinstance(pin, (str, int)) and not isinstance(pin, bool) else "",
        valid_from=_seconds(access.get("validFrom", "0")),
        valid_to=_seconds(access.get("validTo", "0")),
    )


def _seconds(value: Any) -> int:
    """Validity: a decimal string of unix seconds."""
    try:
        return min(max(0, int(value)), _FOREVER) if isinstance(value, (str, int)) else 0
    except ValueError:
        return 0


def _number(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key, 0)
    return value if isinstance(value, int) else 0


# ---------------------------------------------------------------- who has which PIN


class Pins:
    """Who has which PIN, kept by the directory's own change counter so that a look costs only what is new."""

    def __init__(self) -> None:
        self._series: str | None = None
        self._timestamp = 0
        self._by_uuid: dict[str, tuple[str, str]] = {}

    async def refresh(self, client: TwoNClient) -> None:
        """Catch up with the directory."""
        try:
            changes = await query(client, ("access.pin",), self._series, self._timestamp)
        except DoubtfulAnswer:
            changes = await query(client, ("access.pin",))
        if changes.is_whole:
            self._by_uuid.clear()
        self._series, self._timestamp = changes.series, changes.timestamp
        for row in changes.rows:
            entry = None if row.get("deleted") is True else entry_of(row)
            key = str(row["uuid"]).lower()
            if entry is None or not entry.pin:
                self._by_uuid.pop(key, None)
            else:
                self._by_uuid[key] = (entry.uuid, entry.pin)

    def holder(self, pin: str, but: str) -> str | None:
        """Another entry's UUID that has this PIN."""
        return next((u for key, (u, p) in self._by_uuid.items() if p == pin and key != but.lower()), None)
