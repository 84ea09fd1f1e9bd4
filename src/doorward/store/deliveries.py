"""The outbox, and deliveries: one event for one webhook."""

from collections.abc import Collection, Container, Sequence

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert, update


class OutboxRow(msgspec.Struct, frozen=True):
    """An event whose deliveries are not stored yet."""

    workspace_id: str
    event_id: str
    event_type: str


class DeliveryRow(msgspec.Struct, frozen=True):
    """One event for one webhook. `state`: `due`, `done` or `given_up`."""

    workspace_id: str
    webhook_id: str
    delivery_id: str
    event_id: str
    event_type: str
    state: str
    due_at: int
    tries_json: str
    created_at: int
    earlier_tries: int = 0
    """Tries before it was last asked for again."""


_SELECT = f"SELECT {columns(DeliveryRow)} FROM deliveries"


async def put_out(tx: Tx, rows: Sequence[OutboxRow]) -> None:
    await tx.many(insert("outbox", OutboxRow), [msgspec.structs.astuple(row) for row in rows])


async def waiting(read: Reader, limit: int, but: Container[str] = ()) -> list[OutboxRow]:
    """Events that wait, less these, the oldest first."""
    rows = await read.all("SELECT event_id, workspace_id, event_type FROM outbox ORDER BY event_id LIMIT $1", limit)
    return [OutboxRow(workspace_id, event_id, kind) for event_id, workspace_id, kind in rows if event_id not in but]


async def still_waiting(read: Reader, event_ids: Sequence[str]) -> set[str]:
    """Which of these events wait."""
    where = Where()
    where.any_of("event_id", event_ids)
    return {row[0] for row in await read.all(f"SELECT event_id FROM outbox WHERE {where}", *where.args)}


async def take_out(tx: Tx, event_ids: Sequence[str]) -> None:
    await tx.many("DELETE FROM outbox WHERE event_id = $1", [(event_id,) for event_id in event_ids])


async def add_many(tx: Tx, rows: Sequence[DeliveryRow]) -> None:
    await tx.many(insert("deliveries", DeliveryRow), [msgspec.structs.astuple(row) for row in rows])


async def get(read: Reader, workspace_id: str, delivery_id: str) -> DeliveryRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND delivery_id = $2 AND webhook_id IN "
        "(SELECT webhook_id FROM webhooks WHERE workspace_id = $1)",
        workspace_id,
        delivery_id,
    )
    return DeliveryRow(*row) if row else None


async def webhooks_due(read: Reader, now: int) -> list[tuple[str, str]]:
    """Workspace and webhook ids of what is due."""
    rows = await read.all(
        "SELECT w.workspace_id, w.webhook_id FROM webhooks w WHERE w.disabled_at IS NULL AND EXISTS ("
        "SELECT 1 FROM deliveries d WHERE d.workspace_id = w.workspace_id AND d.webhook_id = w.webhook_id "
        "AND d.state = 'due' AND d.due_at <= $1)",
        now,
    )
    return [(row[0], row[1]) for row in rows]


async def next_due_at(read: Reader) -> int | None:
    """The earliest of all that is due or will be, at webhooks that are not disabled."""
    row = await read.one(
        "SELECT MIN((SELECT MIN(d.due_at) FROM deliveries d WHERE d.workspace_id = w.workspace_id "
        "AND d.webhook_id = w.webhook_id AND d.state = 'due')) FROM webhooks w WHERE w.disabled_at IS NULL"
    )
    return row[0] if row else None


async def due(
    read: Reader, workspace_id: str, webhook_id: str, now: int, limit: int, but: Collection[str] = ()
) -> list[DeliveryRow]:
    """What is due at a webhook, in the order of its time, less what is on its way."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND webhook_id = $2 AND state = 'due' AND due_at <= $3 "
        "ORDER BY due_at, delivery_id LIMIT $4",
        workspace_id,
        webhook_id,
        now,
        limit + len(but),
    )
    return [one for one in (DeliveryRow(*row) for row in rows) if one.delivery_id not in but][:limit]


async def settle(tx: Tx, rows: Sequence[tuple[DeliveryRow, DeliveryRow]]) -> None:
    """Write down what came of tries: each row as it was sent, and as it then is. What was asked for again meanwhile
    stays due; what was given up meanwhile is not due again."""
    await tx.many(
        "UPDATE deliveries SET tries_json = $1, "
        f"state = CASE WHEN {_AS_SENT} THEN $2 ELSE state END, due_at = CASE WHEN {_AS_SENT} THEN $3 ELSE due_at END "
        "WHERE workspace_id = $4 AND webhook_id = $5 AND delivery_id = $6",
        [
            (
                *(now.tries_json, now.state, now.due_at),
                *(now.workspace_id, now.webhook_id, now.delivery_id),
                *(sent.due_at, sent.earlier_tries),
            )
            for sent, now in rows
        ],
    )


_AS_SENT = "due_at = $7 AND earlier_tries = $8 AND (state = 'due' OR $2 = 'done')"


async def begin_anew(tx: Tx, row: DeliveryRow) -> None:
    """Write down that it is due again."""
    values = {"state": row.state, "due_at": row.due_at, "earlier_tries": row.earlier_tries}
    await update(tx, "deliveries", row, ("workspace_id", "webhook_id", "delivery_id"), values)


async def give_up_others(tx: Tx, workspace_id: str, webhook_id: str, event_types: Collection[str]) -> None:
    """What is due at a webhook and of another type is due no more."""
    where = Where()
    where.add("workspace_id = {} AND webhook_id = {} AND state = 'due'", workspace_id, webhook_id)
    where.add(f"event_type NOT IN ({', '.join('{}' for _ in event_types)})", *event_types)
    await tx.run(f"UPDATE deliveries SET state = 'given_up' WHERE {where}", *where.args)


async def newest(read: Reader, where: Where, limit: int) -> list[DeliveryRow]:
    rows = await read.all(f"{_SELECT} WHERE {where} ORDER BY delivery_id DESC LIMIT {limit:d}", *where.args)
    return [DeliveryRow(*row) for row in rows]


async def forget(tx: Tx, workspace_id: str, webhook_id: str, after: str, before: int, most: int) -> str | None:
    """Drop what ended, or waits while the webhook is disabled, and is older than this: of so many that were made after
    that one. The last that was looked at; None: there are none, or the others are younger."""
    of_it = "workspace_id = $1 AND webhook_id = $2 AND delivery_id > $3"
    key = (workspace_id, webhook_id, after)
    oldest = f"SELECT delivery_id, created_at FROM deliveries WHERE {of_it} ORDER BY delivery_id LIMIT $4"
    rows = await tx.all(oldest, *key, 1)
    if not rows or rows[0][1] >= before:  # as nearly always
        return None
    rows = await tx.all(oldest, *key, most)
    await tx.run(
        f"DELETE FROM deliveries WHERE {of_it} AND delivery_id <= $4 AND created_at < $5 AND (state <> 'due' OR "
        "EXISTS (SELECT 1 FROM webhooks w WHERE w.workspace_id = $1 AND w.webhook_id = $2 "
        "AND w.disabled_at IS NOT NULL))",
        *(*key, rows[-1][0], before),
    )
    return str(rows[-1][0]) if rows[-1][1] < before else None
