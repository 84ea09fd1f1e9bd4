"""Connected accounts."""

from typing import Any, cast

import msgspec

from doorward.store import devices, search
from doorward.store.db import Reader, Tx, Where, columns, insert, update


class AccountRow(msgspec.Struct, frozen=True):
    """A connected account."""

    workspace_id: str
    connected_account_id: str
    provider: str
    identity_key: str
    user_identifier_json: str
    display_name: str
    secret_sealed: str
    automatically_manage_new_devices: int
    accepted_capabilities_json: str
    custom_metadata_json: str
    customer_key: str | None
    errors_json: str
    warnings_json: str
    created_at: int


_SELECT = f"SELECT {columns(AccountRow)} FROM connected_accounts"


async def get(read: Reader, workspace_id: str, connected_account_id: str) -> AccountRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND connected_account_id = $2", workspace_id, connected_account_id
    )
    return AccountRow(*row) if row else None


async def find(read: Reader, workspace_id: str, provider: str, identity_key: str) -> AccountRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND provider = $2 AND identity_key = $3",
        workspace_id,
        provider,
        identity_key,
    )
    return AccountRow(*row) if row else None


async def list_page(read: Reader, where: Where, limit: int) -> list[AccountRow]:
    rows = await read.all(
        f"SELECT {columns(AccountRow)} FROM {where.lead}connected_accounts WHERE {where} "
        f"ORDER BY {where.order('created_at, connected_account_id')} LIMIT {limit:d}",
        *where.args,
    )
    return [AccountRow(*row) for row in rows]


class Note(msgspec.Struct, frozen=True):
    """What events of an account's devices say of it."""

    custom_metadata_json: str
    errors_json: str
    warnings_json: str


async def note(read: Reader, workspace_id: str, connected_account_id: str) -> Note | None:
    row = await read.one(
        f"SELECT {columns(Note)} FROM connected_accounts WHERE workspace_id = $1 AND connected_account_id = $2",
        workspace_id,
        connected_account_id,
    )
    return Note(*row) if row else None


async def add(tx: Tx, row: AccountRow) -> None:
    await tx.run(insert("connected_accounts", AccountRow), *msgspec.structs.astuple(row))
    await search.put(tx, "connected_accounts", row)


async def change(tx: Tx, row: AccountRow, **values: Any) -> AccountRow:
    """Set columns, and return the row as it then is."""
    changed = cast(
        "AccountRow", await update(tx, "connected_accounts", row, ("workspace_id", "connected_account_id"), values)
    )
    if "errors_json" in values:
        await devices.account_changed(tx, row.workspace_id, row.connected_account_id)
    await search.changed(tx, "connected_accounts", changed, values)
    return changed


async def delete(tx: Tx, workspace_id: str, connected_account_id: str) -> int:
    await search.drop(tx, "connected_accounts", workspace_id, connected_account_id)
    return await tx.run(
        "DELETE FROM connected_accounts WHERE workspace_id = $1 AND connected_account_id = $2",
        workspace_id,
        connected_account_id,
    )
