"""Timelines: what happened to an access code, or to the codes of a device; what was tried; and what comes next.

Read from two tables that are written anyway: the events, and the log of tries (`core/code_log.py`), of which each row
is a beginning and an end. PINs stand in neither: an event's are sealed apart, and are left out here.
"""

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from doorward.core import code_state
from doorward.core.context import Core
from doorward.store import code_log, workspaces
from doorward.store import events as event_store
from doorward.store.access_codes import CodeRow
from doorward.store.code_log import EntryRow
from doorward.store.db import Reader, Where
from doorward.store.devices import DeviceRow
from doorward.store.events import EventRow
from doorward.wire.time import iso
from doorward.wire.timeline import Actor, ComesNext, TimelineEvent

STARTED, FINISHED = "internal.access_code.programming_started", "internal.access_code.programming_finished"
EXTERNAL = {
    "access_code.modified_external_to_seam",
    "access_code.deleted_external_to_seam",
    "access_code.unmanaged.created",
    "access_code.unmanaged.removed",
}
_ACTORS = {"token": "console_user"}
_PLAIN = {"event_id", "event_type", "event_description", "workspace_id", "created_at", "occurred_at", "access_code_id"}
_RELATED = ("device_id", "connected_account_id", "action_attempt_id", "event_id")
_DOING = {"set": "Setting the code on the device", "remove": "Removing the code from the device"}
_DOING["withdraw"] = "Taking the code off the device until it begins"

Position = tuple[int, str]


@dataclass(frozen=True)
class Question:
    """Which entries are asked for: of one code, or of all codes of a device."""

    workspace_id: str
    access_code_id: str | None = None
    device_id: str | None = None
    since: int | None = None
    """After this instant."""
    until: int | None = None
    """Before this instant."""
    position: Position | None = None
    """Before this entry: where the page before ended."""
    types: Collection[str] | None = None

    def where(self, at: str, entry_id: str) -> Where:
        """The condition, with the names of the columns that order the rows."""
        where = Where()
        where.add("workspace_id = {}", self.workspace_id)
        if self.access_code_id is not None:
            where.add("access_code_id = {}", self.access_code_id)
        if self.device_id is not None:
            where.add("device_id = {}", self.device_id)
        if self.since is not None:
            where.add(f"{at} > {{}}", self.since)
        if self.until is not None:
            where.add(f"{at} < {{}}", self.until)
        if self.position is not None:
            where.add(f"({at}, {entry_id}) < ({{}}, {{}})", *self.position)
        return where

    def wants(self, event_type: str) -> bool:
        return self.types is None or event_type in self.types


_Found = tuple[Position, TimelineEvent]


async def entries(read: Reader, question: Question, limit: int) -> list[_Found]:
    """So many entries, the newest first, each with its position."""
    where = question.where("created_at", "event_id")
    if question.types is None:
        where.add("access_code_id IS NOT NULL")
    else:
        where.any_of("event_type", sorted(question.types))
    rows = await event_store.newest(read, where, limit)
    ids = {row.actor.partition(":")[2] for row in rows if row.actor and row.actor.startswith("api_key:")}
    names = await workspaces.names_of_keys(read, question.workspace_id, ids) if ids else {}
    found: list[Iterator[_Found]] = [iter([_of_event(row, names) for row in rows])]
    for event_type, by in ((STARTED, ("began_at", "start_id")), (FINISHED, ("ended_at", "entry_id"))):
        if question.wants(event_type):
            tries = await code_log.newest(read, question.where(*by), limit, by=by)
            found.append(iter([_of_try(row, is_end=event_type == FINISHED) for row in tries]))
    merged = heapq.merge(*found, key=lambda one: one[0], reverse=True)
    return [one for one, _ in zip(merged, range(limit), strict=False)]


def _of_event(row: EventRow, names: dict[str, str]) -> _Found:
    body: dict[str, Any] = msgspec.json.decode(row.body_json)
    details = {name: value for name, value in body.items() if name not in _PLAIN and name not in _RELATED}
    kind, _, actor_id = (row.actor or "").partition(":")
    actor = Actor(type="external" if row.event_type in EXTERNAL else "system")
    if actor.type == "system" and kind:
        actor = Actor(type=_ACTORS.get(kind, kind), id=actor_id)
        if actor_id in names:
            actor.display_name = names[actor_id]
    entry = TimelineEvent(
        timeline_event_id=row.event_id,
        event_type=row.event_type,
        description=body["event_description"],
        occurred_at=body["occurred_at"],
        actor=actor,
        related_resource_ids={name: body[name] for name in _RELATED if isinstance(body.get(name), str)},
    )
    if row.access_code_id is not None:
        entry.access_code_id = row.access_code_id
    if details:
        entry.details = details
    return (row.created_at, row.event_id), entry


def _of_try(row: EntryRow, *, is_end: bool) -> _Found:
    data: dict[str, Any] = msgspec.json.decode(row.data_json)
    doing = _DOING[data["operation"]]
    text = f"{doing} began."
    if is_end:
        text = f"{doing} failed: {data['message']}" if data["outcome"] == "error" else f"{doing} succeeded."
    at, entry_id = (row.ended_at, row.entry_id) if is_end else (row.began_at, row.start_id)
    entry = TimelineEvent(
        timeline_event_id=entry_id,
        event_type=FINISHED if is_end else STARTED,
        description=text,
        occurred_at=iso(at),
        actor=Actor(type="system"),
        access_code_id=row.access_code_id,
        related_resource_ids={"device_id": row.device_id},
        details=data if is_end else {"operation": data["operation"]},
    )
    return (at, entry_id), entry


def comes_next(core: Core, row: CodeRow, device: DeviceRow) -> ComesNext:
    """What will be done about a code, as far as it can be told now."""
    now = core.clock.now()

    def at(instant: int | None, text: str) -> ComesNext:
        return ComesNext(description=text, at=iso(instant) if instant is not None and instant > now else None)

    if not row.is_managed:
        return at(
            None, "Nothing: this code is not managed here." if row.is_wanted else "It is removed from the device."
        )
    ends = row.ends_at is not None and row.ends_at <= now
    is_held = row.held_revision == row.revision
    if not row.is_wanted or ends:
        what = "It is removed from the device"
    elif not is_held:
        what = "It is set on the device"
    elif row.held_sealed is None:
        return at(row.ends_at, "Nothing until it is changed here: it was removed at the device, and may be.")
    elif row.status != "set" and row.starts_at is not None:
        return at(row.starts_at, "It begins to open the door; the device has it already.")
    elif row.ends_at is not None:
        return at(row.ends_at, "Its time ends, and it is removed from the device.")
    else:
        return at(None, "Nothing: the device holds it.")
    if not device.online:
        return at(None, f"{what} when the device can be reached and lets this server in again.")
    if row.is_wanted and code_state.is_put_off(core, row):
        return at(row.starts_at, f"{what} when it begins.")
    if row.retry_at > now:
        return at(row.retry_at, f"{what}: it is tried again.")
    return at(None, f"{what} at once.")
