"""Client sessions, and what they may see."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert, update
from doorward.store.workspaces import WorkspaceRow


class SessionRow(msgspec.Struct, frozen=True):
    """A client session. `token_sealed` holds the token, which is shown again and again."""

    workspace_id: str
    client_session_id: str
    short: str
    hash: str
    token_sealed: str
    user_identifier_key: str | None
    customer_key: str | None
    user_identity_id: str | None
    portal_json: str | None
    is_read_only: int
    expires_at: int
    revoked_at: int | None
    created_at: int
    is_bound: int
    """An API key has given it something, or its end: a publishable key gives it no more time."""


_SELECT = f"SELECT {columns(SessionRow)} FROM client_sessions"


async def get(read: Reader, workspace_id: str, client_session_id: str) -> SessionRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND client_session_id = $2", workspace_id, client_session_id
    )
    return SessionRow(*row) if row else None


async def by_token(read: Reader, short: str) -> tuple[SessionRow, WorkspaceRow] | None:
    """The session whose token begins so, whatever became of it, and its workspace."""
    row = await read.one(
        f"SELECT {columns(SessionRow, 's.')}, {columns(WorkspaceRow, 'w.')} FROM client_sessions s "
        "JOIN workspaces w ON w.workspace_id = s.workspace_id WHERE s.short = $1",
        short,
    )
    if row is None:
        return None
    cut = len(SessionRow.__struct_fields__)
    return SessionRow(*tuple(row)[:cut]), WorkspaceRow(*tuple(row)[cut:])


async def of_user(read: Reader, workspace_id: str, user_identifier_key: str) -> SessionRow | None:
    """The newest session of a user that was not revoked."""
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND user_identifier_key = $2 AND revoked_at IS NULL "
        "ORDER BY created_at DESC, client_session_id DESC LIMIT 1",
        workspace_id,
        user_identifier_key,
    )
    return SessionRow(*row) if row else None


async def of_identity(read: Reader, workspace_id: str, user_identity_id: str) -> SessionRow | None:
    """The newest session of a user identity that was not revoked and is no portal."""
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND user_identity_id = $2 AND portal_json IS NULL "
        "AND revoked_at IS NULL ORDER BY created_at DESC, client_session_id DESC LIMIT 1",
        workspace_id,
        user_identity_id,
    )
    return SessionRow(*row) if row else None


async def list_all(read: Reader, where: Where) -> list[SessionRow]:
    """Columns in `where` carry the prefix `s.`."""
    rows = await read.all(
        f"SELECT {columns(SessionRow, 's.')} FROM client_sessions s WHERE {where} "
        "ORDER BY s.created_at, s.client_session_id",
        *where.args,
    )
    return [SessionRow(*row) for row in rows]


async def add(tx: Tx, row: SessionRow) -> None:
    await tx.run(insert("client_sessions", SessionRow), *msgspec.structs.astuple(row))


async def change(tx: Tx, row: SessionRow, **values: Any) -> SessionRow:
    """Set columns, and return the row as it then is."""
    return cast("SessionRow", await update(tx, "client_sessions", row, ("workspace_id", "client_session_id"), values))


async def delete(tx: Tx, row: SessionRow) -> int:
    """1; 0 where it was gone already."""
    gone = 0
    for table in ("client_session_accounts", "client_session_webviews", "client_sessions"):
        gone = await tx.run(
            f"DELETE FROM {table} WHERE workspace_id = $1 AND client_session_id = $2",
            row.workspace_id,
            row.client_session_id,
        )
    return gone


async def delete_ended_portals(tx: Tx, workspace_id: str, now: int) -> None:
    """Links to portals are made again and again; those that have ended are of no use to anybody."""
    ended = "workspace_id = $1 AND portal_json IS NOT NULL AND expires_at <= $2"
    for table in ("client_session_accounts", "client_session_webviews"):
        await tx.run(
            f"DELETE FROM {table} WHERE workspace_id = $1 AND client_session_id IN "
            f"(SELECT client_session_id FROM client_sessions WHERE {ended})",
            workspace_id,
            now,
        )
    await tx.run(f"DELETE FROM client_sessions WHERE {ended}", workspace_id, now)


# ---------------------------------------------------------------- what is given to them


async def grant(tx: Tx, row: SessionRow, account_ids: Sequence[str], webview_ids: Sequence[str]) -> None:
    """Let a session see these; what it sees already stays."""
    for table, column, ids in (
        ("client_session_accounts", "connected_account_id", account_ids),
        ("client_session_webviews", "connect_webview_id", webview_ids),
    ):
        await tx.many(
            f"INSERT INTO {table} (workspace_id, client_session_id, {column}) VALUES ($1, $2, $3) "
            "ON CONFLICT DO NOTHING",
            [(row.workspace_id, row.client_session_id, one) for one in ids],
        )


async def pass_on(tx: Tx, workspace_id: str, connect_webview_id: str, connected_account_id: str) -> None:
    """Whoever sees a webview sees the account that it has connected."""
    await tx.run(
        "INSERT INTO client_session_accounts (workspace_id, client_session_id, connected_account_id) "
        "SELECT workspace_id, client_session_id, $3 FROM client_session_webviews "
        "WHERE workspace_id = $1 AND connect_webview_id = $2 ON CONFLICT DO NOTHING",
        workspace_id,
        connect_webview_id,
        connected_account_id,
    )


async def of_webview(read: Reader, workspace_id: str, connect_webview_id: str) -> list[SessionRow]:
    """Sessions that were given a webview."""
    where = Where()
    where.add("s.workspace_id = {}", workspace_id)
    where.add(
        "s.client_session_id IN (SELECT client_session_id FROM client_session_webviews "
        "WHERE workspace_id = {} AND connect_webview_id = {})",
        workspace_id,
        connect_webview_id,
    )
    return await list_all(read, where)


async def forget_account(tx: Tx, workspace_id: str, connected_account_id: str) -> None:
    await tx.run(
        "DELETE FROM client_session_accounts WHERE workspace_id = $1 AND connected_account_id = $2",
        workspace_id,
        connected_account_id,
    )


async def forget_webview(tx: Tx, workspace_id: str, connect_webview_id: str) -> None:
    await tx.run(
        "DELETE FROM client_session_webviews WHERE workspace_id = $1 AND connect_webview_id = $2",
        workspace_id,
        connect_webview_id,
    )


# ---------------------------------------------------------------- what they see


def only_accounts(where: Where, column: str, row: SessionRow) -> None:
    """Only rows of accounts that the session sees."""
    _only(where, column, row, "connected_account_id", "client_session_accounts", "connected_accounts")


def only_webviews(where: Where, column: str, row: SessionRow) -> None:
    """Only rows of webviews that the session sees."""
    _only(where, column, row, "connect_webview_id", "client_session_webviews", "connect_webviews")


def _only(where: Where, column: str, row: SessionRow, name: str, given: str, owned: str) -> None:
    clause = f"{column} IN (SELECT {name} FROM {given} WHERE workspace_id = {{}} AND client_session_id = {{}})"
    values = [row.workspace_id, row.client_session_id]
    if row.customer_key is not None:
        clause += f" OR {column} IN (SELECT {name} FROM {owned} WHERE workspace_id = {{}} AND customer_key = {{}})"
        values += [row.workspace_id, row.customer_key]
    where.add(f"({clause})", *values)


def of_users(where: Where, column: str, name: str, workspace_id: str, user_identifier_key: str) -> None:
    """Only rows of accounts (or webviews, by their id's `name`) that sessions of this user see."""
    given, owned = {
        "connected_account_id": ("client_session_accounts", "connected_accounts"),
        "connect_webview_id": ("client_session_webviews", "connect_webviews"),
    }[name]
    where.add(
        f"{column} IN (SELECT g.{name} FROM {given} g JOIN client_sessions s "
        "ON s.workspace_id = g.workspace_id AND s.client_session_id = g.client_session_id "
        "WHERE g.workspace_id = {} AND s.user_identifier_key = {} "
        f"UNION SELECT o.{name} FROM {owned} o JOIN client_sessions s "
        "ON s.workspace_id = o.workspace_id AND s.customer_key = o.customer_key "
        "WHERE s.workspace_id = {} AND s.user_identifier_key = {})",
        *(workspace_id, user_identifier_key) * 2,
    )


async def seen_accounts(read: Reader, row: SessionRow) -> list[str]:
    """Ids of the accounts that a session sees, oldest first."""
    where = Where()
    where.add("workspace_id = {}", row.workspace_id)
    only_accounts(where, "connected_account_id", row)
    rows = await read.all(
        f"SELECT connected_account_id FROM connected_accounts WHERE {where} ORDER BY created_at, connected_account_id",
        *where.args,
    )
    return [str(one[0]) for one in rows]


async def seen_webviews(read: Reader, row: SessionRow) -> list[str]:
    """Ids of the webviews that a session sees, oldest first."""
    where = Where()
    where.add("workspace_id = {}", row.workspace_id)
    only_webviews(where, "connect_webview_id", row)
    rows = await read.all(
        f"SELECT connect_webview_id FROM connect_webviews WHERE {where} ORDER BY created_at, connect_webview_id",
        *where.args,
    )
    return [str(one[0]) for one in rows]


async def count_devices(read: Reader, row: SessionRow) -> int:
    """How many devices a session sees."""
    where = Where()
    where.add("workspace_id = {}", row.workspace_id)
    only_accounts(where, "connected_account_id", row)
    found = await read.one(f"SELECT COUNT(*) FROM devices WHERE {where}", *where.args)
    return int(found[0]) if found else 0
