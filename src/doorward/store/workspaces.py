"""Workspaces and the keys to them."""

from collections.abc import Collection
from typing import Any, cast

import msgspec

from doorward.store import search
from doorward.store.db import Reader, Tx, Where, columns, insert, update


class WorkspaceRow(msgspec.Struct, frozen=True):
    """A workspace."""

    workspace_id: str
    name: str
    is_sandbox: int
    connect_partner_name: str | None
    customization_json: str
    created_at: int
    publishable_key: str | None = None
    is_publishable_key_auth_enabled: int = 0


class KeyRow(msgspec.Struct, frozen=True):
    """An API key, without its long part."""

    workspace_id: str
    api_key_id: str
    short: str
    hash: str
    name: str
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None


class TokenRow(msgspec.Struct, frozen=True):
    """A personal access token, without its long part."""

    token_id: str
    short: str
    hash: str
    name: str
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None


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
    *("client_session_accounts", "client_session_webviews", "client_sessions"),
    *("access_grant_devices", "access_grant_spaces", "access_methods", "access_grants"),
    *("user_identity_devices", "user_identities"),
    *("space_devices", "space_accounts", "spaces"),
    *("access_codes", "due", "devices", "connected_accounts", "connect_webviews"),
)


async def clear(tx: Tx, workspace_id: str, *, but_attempts: str) -> None:
    """Delete all that a workspace has come to hold: what is left is itself, its keys and webhooks, and the attempts of
    this type that are under way."""
    await tx.run(
        "DELETE FROM action_attempts WHERE workspace_id = $1 AND NOT (action_type = $2 AND status = 'pending')",
        workspace_id,
        but_attempts,
    )
    await search.drop_workspace(tx, workspace_id)
    for table in _CONTENTS:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)


async def by_publishable_key(read: Reader, publishable_key: str) -> WorkspaceRow | None:
    row = await read.one(f"{_WORKSPACE} WHERE publishable_key = $1", publishable_key)
    return WorkspaceRow(*row) if row else None


async def find_key(read: Reader, short: str) -> tuple[KeyRow, WorkspaceRow] | None:
    """A key, revoked or not, and its workspace."""
    row = await read.one(
        f"SELECT {columns(KeyRow, 'k.')}, {columns(WorkspaceRow, 'w.')} FROM api_keys k "
        "JOIN workspaces w ON w.workspace_id = k.workspace_id WHERE k.short = $1",
        short,
    )
    if row is None:
        return None
    cut = len(KeyRow.__struct_fields__)
    return KeyRow(*tuple(row)[:cut]), WorkspaceRow(*tuple(row)[cut:])


async def keys(read: Reader) -> list[KeyRow]:
    """Of all workspaces, oldest first."""
    rows = await read.all(f"SELECT {columns(KeyRow)} FROM api_keys ORDER BY created_at, api_key_id")
    return [KeyRow(*row) for row in rows]


async def tokens(read: Reader) -> list[TokenRow]:
    """Personal access tokens, oldest first."""
    rows = await read.all(f"SELECT {columns(TokenRow)} FROM personal_access_tokens ORDER BY created_at, token_id")
    return [TokenRow(*row) for row in rows]


async def used(tx: Tx, table: str, column: str, key_id: str, now: int) -> None:
    """A key or token was used now."""
    await tx.run(f"UPDATE {table} SET last_used_at = $1 WHERE {column} = $2", now, key_id)


async def revoke(tx: Tx, table: str, short: str, now: int) -> int:
    """A key or token is not taken any more; 0: there is none, or it was revoked before."""
    return await tx.run(f"UPDATE {table} SET revoked_at = $1 WHERE short = $2 AND revoked_at IS NULL", now, short)


async def names_of_keys(read: Reader, workspace_id: str, api_key_ids: Collection[str]) -> dict[str, str]:
    """Ids of API keys → their names."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("api_key_id", sorted(api_key_ids))
    rows: Any = await read.all(f"SELECT api_key_id, name FROM api_keys WHERE {where}", *where.args)
    return dict(rows)


async def add_key(tx: Tx, row: KeyRow) -> None:
    await tx.run(insert("api_keys", KeyRow), *msgspec.structs.astuple(row))


async def find_token(read: Reader, short: str) -> TokenRow | None:
    """A personal access token, revoked or not."""
    row = await read.one(f"SELECT {columns(TokenRow)} FROM personal_access_tokens WHERE short = $1", short)
    return TokenRow(*row) if row else None


async def add_token(tx: Tx, row: TokenRow) -> None:
    await tx.run(insert("personal_access_tokens", TokenRow), *msgspec.structs.astuple(row))
