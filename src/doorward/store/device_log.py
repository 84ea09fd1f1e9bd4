"""What devices reported in words of their own: the newest of each, for a while."""

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert

MOST = 1_000
"""Rows a device."""


class NoteRow(msgspec.Struct, frozen=True):
    """One report. `data_json` is a JSON object."""

    workspace_id: str
    device_id: str
    event_key: str
    name: str
    occurred_at: int
    data_json: str


async def add(tx: Tx, row: NoteRow) -> None:
    """Keep it, and let go of what is then too much."""
    await tx.run(f"{insert('device_log', NoteRow)} ON CONFLICT DO NOTHING", *msgspec.structs.astuple(row))
    await tx.run(
        "DELETE FROM device_log WHERE workspace_id = $1 AND device_id = $2 AND occurred_at < ("
        "SELECT occurred_at FROM device_log WHERE workspace_id = $1 AND device_id = $2 "
        "ORDER BY occurred_at DESC LIMIT 1 OFFSET $3)",
        row.workspace_id,
        row.device_id,
        MOST - 1,
    )


async def newest(read: Reader, where: Where, limit: int) -> list[NoteRow]:
    """The newest first."""
    rows = await read.all(
        f"SELECT {columns(NoteRow)} FROM device_log WHERE {where} "
        f"ORDER BY occurred_at DESC, event_key DESC LIMIT {limit:d}",
        *where.args,
    )
    return [NoteRow(*row) for row in rows]


async def forget(tx: Tx, before: int) -> int:
    """Drop what is older than this."""
    return await tx.run("DELETE FROM device_log WHERE occurred_at < $1", before)


async def drop(tx: Tx, workspace_id: str, device_id: str) -> None:
    """Forget all of a device's."""
    await tx.run("DELETE FROM device_log WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id)
