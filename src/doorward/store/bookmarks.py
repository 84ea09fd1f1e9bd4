"""Bookmarks: how far a device's log or directory was read, in its driver's own words.

Losing one costs a full read; a stale one costs a repeat. So it may be written after what it stands for, never before.
"""

from collections.abc import Sequence

from doorward.store.db import Reader, Tx


async def get(read: Reader, workspace_id: str, device_id: str, name: str) -> str | None:
    row = await read.one(
        "SELECT value FROM bookmarks WHERE workspace_id = $1 AND device_id = $2 AND name = $3",
        workspace_id,
        device_id,
        name,
    )
    return row[0] if row else None


async def put(tx: Tx, workspace_id: str, device_id: str, name: str, value: str) -> None:
    await tx.run(
        "INSERT INTO bookmarks VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (workspace_id, device_id, name) DO UPDATE SET value = excluded.value",
        workspace_id,
        device_id,
        name,
        value,
    )


async def put_many(tx: Tx, name: str, values: Sequence[tuple[str, str, str]]) -> None:
    """Workspace, device and text of each; those of devices that are gone are left out."""
    await tx.many(
        "INSERT INTO bookmarks SELECT workspace_id, device_id, CAST($3 AS TEXT), CAST($4 AS TEXT) FROM devices "
        "WHERE workspace_id = $1 AND device_id = $2 "
        "ON CONFLICT (workspace_id, device_id, name) DO UPDATE SET value = excluded.value",
        [(workspace_id, device_id, name, value) for workspace_id, device_id, value in values],
    )


async def drop(tx: Tx, workspace_id: str, device_id: str) -> None:
    """Forget all of a device's."""
    await tx.run("DELETE FROM bookmarks WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id)
