"""User identities."""

from collections.abc import Collection, Sequence
from typing import Any, cast

import msgspec

from doorward.store import search
from doorward.store.db import Reader, Tx, Where, columns, insert, update

OWN = "user_identity"
"""The kind of those that were made as what they are."""
NOBODY = "nobody"
"""The kind of those of whom nothing was told: they are there for a booking, and go with it."""


class IdentityRow(msgspec.Struct, frozen=True):
    """A person."""

    workspace_id: str
    user_identity_id: str
    user_identity_key: str | None
    full_name: str | None
    email_address: str | None
    phone_number: str | None
    customer_key: str | None
    merged_into: str | None
    """The person that this one turned out to be."""
    created_at: int
    kind: str = OWN
    """What they were called when they were told of; their key is unique among these."""


_SELECT = f"SELECT {columns(IdentityRow)} FROM user_identities"


async def get(read: Reader, workspace_id: str, user_identity_id: str) -> IdentityRow | None:
    """Whether it was merged or not."""
    row = await read.one(f"{_SELECT} WHERE workspace_id = $1 AND user_identity_id = $2", workspace_id, user_identity_id)
    return IdentityRow(*row) if row else None


async def by_key(read: Reader, workspace_id: str, kind: str, user_identity_key: str) -> IdentityRow | None:
    """Whether it was merged or not."""
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND user_identity_key = $2 AND kind = $3",
        workspace_id,
        user_identity_key,
        kind,
    )
    return IdentityRow(*row) if row else None


async def having(read: Reader, workspace_id: str, column: str, value: str) -> list[IdentityRow]:
    """All with this key, address (however it is spelt) or number, of any kind, merged or not; oldest first."""
    condition = f"{column} = $2"
    if column == "email_address":
        condition, value = "LOWER(email_address) = $2 AND email_address IS NOT NULL", value.lower()
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND {condition} ORDER BY created_at, user_identity_id",
        workspace_id,
        value,
    )
    return [IdentityRow(*row) for row in rows]


async def find_all(read: Reader, workspace_id: str, user_identity_ids: Collection[str]) -> list[IdentityRow]:
    """By their ids, whether they were merged or not."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("user_identity_id", sorted(user_identity_ids))
    return [IdentityRow(*row) for row in await read.all(f"{_SELECT} WHERE {where}", *where.args)]


async def merged(read: Reader, workspace_id: str, user_identity_ids: Sequence[str]) -> list[IdentityRow]:
    """Those that were merged into any of these."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("merged_into", user_identity_ids)
    rows = await read.all(f"{_SELECT} WHERE {where} ORDER BY created_at, user_identity_id", *where.args)
    return [IdentityRow(*row) for row in rows]


async def list_page(read: Reader, where: Where, limit: int) -> list[IdentityRow]:
    rows = await read.all(
        f"SELECT {columns(IdentityRow)} FROM {where.lead}user_identities WHERE {where} "
        f"ORDER BY {where.order('created_at, user_identity_id')} LIMIT {limit:d}",
        *where.args,
    )
    return [IdentityRow(*row) for row in rows]


async def add(tx: Tx, row: IdentityRow) -> None:
    await tx.run(insert("user_identities", IdentityRow), *msgspec.structs.astuple(row))
    await search.put(tx, "user_identities", row)


async def change(tx: Tx, row: IdentityRow, **values: Any) -> IdentityRow:
    """Set columns, and return the row as it then is."""
    changed = cast(
        "IdentityRow", await update(tx, "user_identities", row, ("workspace_id", "user_identity_id"), values)
    )
    await search.changed(tx, "user_identities", changed, values)
    if not set(search.TABLES["access_grants"].person).isdisjoint(values):
        await _put_grants(tx, row.workspace_id, row.user_identity_id)
    return changed


async def _put_grants(tx: Tx, workspace_id: str, user_identity_id: str) -> None:
    """Their access is found by their name, too."""
    await search.put_all(tx, "access_grants", "user_identity_id", workspace_id, user_identity_id)


async def move(tx: Tx, workspace_id: str, from_id: str, to_id: str) -> None:
    """What belongs to one person belongs to another from now on."""
    for table in ("access_grants", "client_sessions", "events"):
        await tx.run(
            f"UPDATE {table} SET user_identity_id = $3 WHERE workspace_id = $1 AND user_identity_id = $2",
            workspace_id,
            from_id,
            to_id,
        )
    await _put_grants(tx, workspace_id, to_id)
    await tx.run(
        "INSERT INTO user_identity_devices (workspace_id, user_identity_id, device_id) "
        "SELECT workspace_id, $3, device_id FROM user_identity_devices "
        "WHERE workspace_id = $1 AND user_identity_id = $2 ON CONFLICT DO NOTHING",
        workspace_id,
        from_id,
        to_id,
    )
    await tx.run(
        "UPDATE user_identities SET merged_into = $3 WHERE workspace_id = $1 AND merged_into = $2",
        workspace_id,
        from_id,
        to_id,
    )


async def forget_merged(tx: Tx, row: IdentityRow) -> None:
    """One that was merged into another: that one stays, with all that came to it."""
    await search.drop(tx, "user_identities", row.workspace_id, row.user_identity_id)
    await tx.run(
        "DELETE FROM user_identities WHERE workspace_id = $1 AND user_identity_id = $2",
        row.workspace_id,
        row.user_identity_id,
    )


async def delete(tx: Tx, workspace_id: str, user_identity_id: str) -> None:
    """With those that were merged into it."""
    rows = await tx.all(
        "SELECT user_identity_id FROM user_identities WHERE workspace_id = $1 "
        "AND (user_identity_id = $2 OR merged_into = $2)",
        workspace_id,
        user_identity_id,
    )
    for row in rows:
        await search.drop(tx, "user_identities", workspace_id, row[0])
    for sql in (
        "DELETE FROM user_identity_devices WHERE workspace_id = $1 AND user_identity_id = $2",
        "DELETE FROM user_identities WHERE workspace_id = $1 AND (user_identity_id = $2 OR merged_into = $2)",
    ):
        await tx.run(sql, workspace_id, user_identity_id)


async def device_ids(read: Reader, workspace_id: str, user_identity_id: str) -> list[str]:
    """Devices that were given to a person."""
    rows = await read.all(
        "SELECT device_id FROM user_identity_devices WHERE workspace_id = $1 AND user_identity_id = $2",
        workspace_id,
        user_identity_id,
    )
    return [str(row[0]) for row in rows]


async def give(tx: Tx, workspace_id: str, user_identity_id: str, device_id: str) -> None:
    await tx.run(
        "INSERT INTO user_identity_devices (workspace_id, user_identity_id, device_id) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING",
        workspace_id,
        user_identity_id,
        device_id,
    )


async def take(tx: Tx, workspace_id: str, user_identity_id: str, device_id: str) -> None:
    await tx.run(
        "DELETE FROM user_identity_devices WHERE workspace_id = $1 AND user_identity_id = $2 AND device_id = $3",
        workspace_id,
        user_identity_id,
        device_id,
    )


async def forget_device(tx: Tx, workspace_id: str, device_id: str) -> None:
    await tx.run(
        "DELETE FROM user_identity_devices WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id
    )
