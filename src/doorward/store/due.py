"""Work with a time: rows claimed by lease.

A row says that something about its subject must be looked at by `due_at`. Putting it there again moves it forward and
counts its generation; whoever worked on an older generation leaves the row for another look. A lease that runs out is
anybody's: work done twice must be harmless.
"""

import msgspec

from doorward.store.db import Reader, Tx


class DueRow(msgspec.Struct, frozen=True):
    """Claimed work."""

    workspace_id: str
    kind: str
    subject_id: str
    due_at: int
    generation: int
    attempt: int


_COLUMNS = "workspace_id, kind, subject_id, due_at, generation, attempt"


async def put(tx: Tx, workspace_id: str, kind: str, subject_id: str, due_at: int) -> None:
    """Look at this by then at the latest."""
    await tx.run(
        "INSERT INTO due (workspace_id, kind, subject_id, due_at, generation, attempt, lease_owner, lease_until) "
        "VALUES ($1, $2, $3, $4, 1, 0, NULL, 0) ON CONFLICT (workspace_id, kind, subject_id) DO UPDATE "
        "SET generation = due.generation + 1, "
        "due_at = CASE WHEN due.due_at < excluded.due_at THEN due.due_at ELSE excluded.due_at END",
        workspace_id,
        kind,
        subject_id,
        due_at,
    )


async def claim(tx: Tx, kind: str, owner: str, now: int, lease_until: int, limit: int) -> list[DueRow]:
    """Take what is due and nobody has."""
    locking = "FOR UPDATE SKIP LOCKED" if tx.dialect.name == "postgresql" else ""
    rows = await tx.all(
        f"UPDATE due SET lease_owner = $1, lease_until = $2 WHERE (workspace_id, kind, subject_id) IN ("
        f"SELECT workspace_id, kind, subject_id FROM due "
        f"WHERE kind = $3 AND due_at <= $4 AND lease_until <= $4 ORDER BY due_at LIMIT $5 {locking}) "
        f"RETURNING {_COLUMNS}",
        owner,
        lease_until,
        kind,
        now,
        limit,
    )
    return [DueRow(*row) for row in rows]


async def release(tx: Tx, row: DueRow, owner: str, due_at: int, *, failed: bool) -> None:
    """Give the row back: due then; or at once, when it was put again meanwhile."""
    await tx.run(
        "UPDATE due SET lease_owner = NULL, lease_until = 0, attempt = CASE WHEN $6 = 1 THEN attempt + 1 ELSE 0 END, "
        "due_at = CASE WHEN generation = $5 THEN $7 WHEN due_at < $7 THEN due_at ELSE $7 END "
        "WHERE workspace_id = $1 AND kind = $2 AND subject_id = $3 AND lease_owner = $4",
        row.workspace_id,
        row.kind,
        row.subject_id,
        owner,
        row.generation,
        int(failed),
        due_at,
    )


async def drop(tx: Tx, workspace_id: str, kind: str, subject_id: str) -> None:
    await tx.run(
        "DELETE FROM due WHERE workspace_id = $1 AND kind = $2 AND subject_id = $3", workspace_id, kind, subject_id
    )


async def next_at(read: Reader, kind: str) -> int | None:
    """When the next free row is due. A lease that nobody gives back is found by the regular poll."""
    row = await read.one("SELECT due_at FROM due WHERE kind = $1 AND lease_until = 0 ORDER BY due_at LIMIT 1", kind)
    return row[0] if row else None


async def free_all(tx: Tx) -> None:
    """At the start of the only process: leases of a process that died are nobody's."""
    await tx.run("UPDATE due SET lease_owner = NULL, lease_until = 0 WHERE lease_until > 0")
