"""Workspaces and the keys to them."""

from collections.abc import Collection
from typing import Any, cast

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert, update


class WorkspaceRow(msgspec.Struct, frozen=True):
    """A workspace."""

    workspace_id: str
    name: str
    is_sandbox: int
    connect_partner_name: str | None
    customization_json: str
    created_at: int


class KeyRow(msgspec.Struct, frozen=True):
    """An API key, without its long part."""

    workspace_id: str
    api_key_id: str
    short: str
    hash: str
    name: str
    created_at: int


class TokenRow(msgspec.Struct, frozen=True):
    """A personal access token, without its long part."""

    token_id: str
    short: str
    hash: str
    name: str
    created_at: int


_WORKSPACE = f"SELECT {columns(WorkspaceRow)} FROM workspaces"


async def get(read: Reader, workspace_id: str) -> WorkspaceRow | None:
    row = await read.one(f"{_WORKSPACE} WHERE workspace_id = $1", workspace_id)
    return WorkspaceRow(*row) if row else None


async def list_all(read: Reader) -> list[WorkspaceRow]:
    rows = await read.all(f"{_WORKSPACE} ORDER BY created_at, workspace_id")
    return [WorkspaceRow(*row) for row in rows]


async def add(tx: Tx, row: WorkspaceRow) -> None:
    await tx.run(insert("workspaces", WorkspaceRow), *msgspec.structs.astuple(row))


async def change(tx: Tx, row: WorkspaceRow, **values: Any) -> WorkspaceRow:
    """Set columns, and return the row as it then is."""
    return cast("WorkspaceRow", await update(tx, "workspaces", row, ("workspace_id",), values))


_CONTENTS = (
    # What refers to another comes before it.
    *("deliveries", "outbox", "events", "code_log", "device_log", "bookmarks", "seen_device_events"),
    *("access_codes", "due", "devices", "connected_accounts", "connect_webviews"),
)


async def clear(tx: Tx, workspace_id: str, *, but_attempt: str) -> None:
    """Delete all that a workspace has come to hold: what is left is itself, its keys and webhooks, and one attempt."""
    await tx.run(
        "DELETE FROM action_attempts WHERE workspace_id = $1 AND action_attempt_id <> $2", workspace_id, but_attempt
    )
    for table in _CONTENTS:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)


async def find_key(read: Reader, short: str) -> tuple[str, str, WorkspaceRow] | None:
    """A key's hash, its id, and its workspace."""
    row = await read.one(
        f"SELECT k.hash, k.api_key_id, {columns(WorkspaceRow, 'w.')} FROM api_keys k "
        "JOIN workspaces w ON w.workspace_id = k.workspace_id WHERE k.short = $1",
        short,
    )
    return (row[0], row[1], WorkspaceRow(*tuple(row)[2:])) if row else None


async def names_of_keys(read: Reader, workspace_id: str, api_key_ids: Collection[str]) -> dict[str, str]:
    """Ids of API keys → their names."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("api_key_id", sorted(api_key_ids))
    rows: Any = await read.all(f"SELECT api_key_id, name FROM api_keys WHERE {where}", *where.args)
    return dict(rows)


async def add_key(tx: Tx, row: KeyRow) -> None:
    await tx.run(insert("api_keys", KeyRow), *msgspec.structs.astuple(row))


async def find_token(read: Reader, short: str) -> tuple[str, str] | None:
    """A personal access token's hash, and its id."""
    row = await read.one("SELECT hash, token_id FROM personal_access_tokens WHERE short = $1", short)
    return (row[0], row[1]) if row else None


async def add_token(tx: Tx, row: TokenRow) -> None:
    await tx.run(insert("personal_access_tokens", TokenRow), *msgspec.structs.astuple(row))
