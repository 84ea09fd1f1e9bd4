"""Events: written once, as the JSON they are served as."""

from collections.abc import Sequence

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert


class EventRow(msgspec.Struct, frozen=True):
    """An event. `secret_sealed` holds the members with PINs."""

    workspace_id: str
    event_id: str
    event_type: str
    connected_account_id: str | None
    device_id: str | None
    access_code_id: str | None
    connect_webview_id: str | None
    action_attempt_id: str | None
    customer_key: str | None
    body_json: str
    secret_sealed: str | None
    created_at: int
    actor: str | None = None
    """Who caused it: see `core.context`."""
    space_id: str | None = None
    access_grant_id: str | None = None
    access_method_id: str | None = None
    user_identity_id: str | None = None
    """The person whose access it is about."""


class Body(msgspec.Struct, frozen=True):
    """What is read of an event."""

    body_json: str
    secret_sealed: str | None


async def add(tx: Tx, rows: Sequence[EventRow]) -> None:
    await tx.many(insert("events", EventRow), [msgspec.structs.astuple(row) for row in rows])


async def bodies(read: Reader, workspace_id: str, event_ids: Sequence[str]) -> dict[str, Body]:
    """Those of these events that are there, by id."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("event_id", event_ids)
    rows = await read.all(f"SELECT event_id, {columns(Body)} FROM events WHERE {where}", *where.args)
    return {row[0]: Body(*row[1:]) for row in rows}


async def latest(read: Reader, where: Where) -> Body | None:
    row = await read.one(
        f"SELECT {columns(Body)} FROM events WHERE {where} ORDER BY created_at DESC, event_id DESC LIMIT 1", *where.args
    )
    return Body(*row) if row else None


async def list_page(read: Reader, where: Where, limit: int, offset: int) -> list[Body]:
    rows = await read.all(
        f"SELECT {columns(Body)} FROM events WHERE {where} ORDER BY created_at, event_id "
        f"LIMIT {limit:d}{f' OFFSET {where.bind(offset)}' if offset else ''}",
        *where.args,
    )
    return [Body(*row) for row in rows]


async def newest(read: Reader, where: Where, limit: int) -> list[EventRow]:
    """The newest first."""
    rows = await read.all(
        f"SELECT {columns(EventRow)} FROM events WHERE {where} ORDER BY created_at DESC, event_id DESC LIMIT {limit:d}",
        *where.args,
    )
    return [EventRow(*row) for row in rows]


async def has_of_command(
    read: Reader, workspace_id: str, device_id: str, event_type: str, *, since: int, until: int
) -> bool:
    """A command of ours was told of so, in that time (milliseconds, both ends included)."""
    row = await read.one(
        "SELECT 1 FROM events WHERE workspace_id = $1 AND device_id = $2 AND created_at BETWEEN $3 AND $4 "
        "AND event_type = $5 AND action_attempt_id IS NOT NULL LIMIT 1",
        workspace_id,
        device_id,
        since,
        until,
        event_type,
    )
    return row is not None
