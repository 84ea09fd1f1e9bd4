"""Action attempts."""

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert


class AttemptRow(msgspec.Struct, frozen=True):
    """One attempt. `phase` of a command: `queued` → `sending` → `done`; about a code: `level` → `done`."""

    workspace_id: str
    action_attempt_id: str
    action_type: str
    device_id: str | None
    connected_account_id: str | None
    access_code_id: str | None
    status: str
    phase: str
    owner: str
    """The process that carries it out; nobody else ever does."""
    deadline_at: int
    result_json: str | None
    error_json: str | None
    created_at: int


_SELECT = f"SELECT {columns(AttemptRow)} FROM action_attempts"


async def get(read: Reader, workspace_id: str, action_attempt_id: str) -> AttemptRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND action_attempt_id = $2", workspace_id, action_attempt_id
    )
    return AttemptRow(*row) if row else None


async def list_page(read: Reader, where: Where, limit: int) -> list[AttemptRow]:
    rows = await read.all(
        f"{_SELECT} WHERE {where} ORDER BY created_at, action_attempt_id LIMIT {limit:d}", *where.args
    )
    return [AttemptRow(*row) for row in rows]


async def add(tx: Tx, row: AttemptRow) -> None:
    await tx.run(insert("action_attempts", AttemptRow), *msgspec.structs.astuple(row))


async def claim(tx: Tx, row: AttemptRow, now: int) -> bool:
    """`queued` → `sending`, only before its deadline. False: it must not be sent any more."""
    return (
        await tx.run(
            "UPDATE action_attempts SET phase = 'sending' WHERE workspace_id = $1 AND action_attempt_id = $2 "
            "AND phase = 'queued' AND deadline_at > $3",
            row.workspace_id,
            row.action_attempt_id,
            now,
        )
        == 1
    )


async def finish(tx: Tx, row: AttemptRow, *, status: str, result_json: str | None, error_json: str | None) -> bool:
    """Write the outcome; false when there is one already."""
    return (
        await tx.run(
            "UPDATE action_attempts SET phase = 'done', status = $3, result_json = $4, error_json = $5 "
            "WHERE workspace_id = $1 AND action_attempt_id = $2 AND phase <> 'done'",
            row.workspace_id,
            row.action_attempt_id,
            status,
            result_json,
            error_json,
        )
        == 1
    )


async def open_of_code(read: Reader, workspace_id: str, access_code_id: str) -> list[AttemptRow]:
    """Attempts about an access code that wait for the device."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND access_code_id = $2 AND phase <> 'done'", workspace_id, access_code_id
    )
    return [AttemptRow(*row) for row in rows]


async def unfinished(read: Reader, before: int) -> list[AttemptRow]:
    """Attempts that should have ended before this instant and have not."""
    rows = await read.all(
        f"{_SELECT} WHERE phase <> 'done' AND deadline_at < $1 ORDER BY deadline_at LIMIT 500", before
    )
    return [AttemptRow(*row) for row in rows]


async def delete_of_device(tx: Tx, workspace_id: str, device_id: str) -> int:
    return await tx.run(
        "DELETE FROM action_attempts WHERE workspace_id = $1 AND device_id = $2 AND phase = 'done'",
        workspace_id,
        device_id,
    )
