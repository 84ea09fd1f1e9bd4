"""Spaces, and what is in them."""

from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from doorward.store import search
from doorward.store.db import Reader, Tx, Where, columns, insert, update

OWN = "space"
"""The kind of those that were made as what they are."""


class SpaceRow(msgspec.Struct, frozen=True):
    """A place."""

    workspace_id: str
    space_id: str
    space_key: str | None
    name: str
    customer_key: str | None
    customer_data_json: str | None
    parent_space_id: str | None
    created_at: int
    kind: str = OWN
    """What it was called when it was told of; its key is unique among these."""


class SeenSpace(msgspec.Struct, frozen=True):
    """A place with what is shown beside it."""

    row: SpaceRow
    parent_space_key: str | None
    device_count: int


Members = Literal["devices", "accounts"]
_TABLES = {"devices": ("space_devices", "device_id"), "accounts": ("space_accounts", "connected_account_id")}
_SELECT = f"SELECT {columns(SpaceRow)} FROM spaces"
# What is shown beside a row is kept in it: looking it up for every row of a list takes longer than the rows.
_SEE = f"SELECT {columns(SpaceRow, 's.')}, s.parent_space_key, s.device_count FROM "


async def get(read: Reader, workspace_id: str, space_id: str) -> SpaceRow | None:
    row = await read.one(f"{_SELECT} WHERE workspace_id = $1 AND space_id = $2", workspace_id, space_id)
    return SpaceRow(*row) if row else None


async def by_key(read: Reader, workspace_id: str, kind: str, space_key: str) -> SpaceRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND space_key = $2 AND kind = $3", workspace_id, space_key, kind
    )
    return SpaceRow(*row) if row else None


async def having_key(read: Reader, workspace_id: str, space_key: str) -> list[SpaceRow]:
    """Of any kind."""
    rows = await read.all(f"{_SELECT} WHERE workspace_id = $1 AND space_key = $2", workspace_id, space_key)
    return [SpaceRow(*row) for row in rows]


async def see_page(read: Reader, where: Where, limit: int) -> list[SeenSpace]:
    """Columns in `where` carry the prefix `s.`."""
    rows = await read.all(
        f"{_SEE}{where.lead}spaces s WHERE {where} ORDER BY {where.order('s.created_at, s.space_id')} LIMIT {limit:d}",
        *where.args,
    )
    return [SeenSpace(SpaceRow(*tuple(row)[:-2]), row[-2], row[-1]) for row in rows]


async def children(read: Reader, workspace_id: str, space_id: str) -> list[SpaceRow]:
    rows = await read.all(f"{_SELECT} WHERE workspace_id = $1 AND parent_space_id = $2", workspace_id, space_id)
    return [SpaceRow(*row) for row in rows]


async def add(tx: Tx, row: SpaceRow) -> None:
    await tx.run(insert("spaces", SpaceRow), *msgspec.structs.astuple(row))
    if row.parent_space_id is not None:
        await _name_parent(tx, row)
    await search.put(tx, "spaces", row)


async def change(tx: Tx, row: SpaceRow, **values: Any) -> SpaceRow:
    """Set columns, and return the row as it then is."""
    changed = cast("SpaceRow", await update(tx, "spaces", row, ("workspace_id", "space_id"), values))
    if "parent_space_id" in values:
        await _name_parent(tx, changed)
    if "space_key" in values:
        await tx.run(
            "UPDATE spaces SET parent_space_key = $3 WHERE workspace_id = $1 AND parent_space_id = $2",
            row.workspace_id,
            row.space_id,
            changed.space_key,
        )
    await search.changed(tx, "spaces", changed, values)
    return changed


async def _name_parent(tx: Tx, row: SpaceRow) -> None:
    """Keep the key of the space that it is in, behind the lock of the workspace's spaces."""
    await tx.run(
        "UPDATE spaces SET parent_space_key = (SELECT p.space_key FROM spaces p "
        "WHERE p.workspace_id = $1 AND p.space_id = $3) WHERE workspace_id = $1 AND space_id = $2",
        row.workspace_id,
        row.space_id,
        row.parent_space_id,
    )


async def delete(tx: Tx, row: SpaceRow) -> None:
    """With what says what is in it. Places in it stay, and are in none."""
    await search.drop(tx, "spaces", row.workspace_id, row.space_id)
    for table in ("space_devices", "space_accounts", "spaces"):
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = $1 AND space_id = $2", row.workspace_id, row.space_id)
    await tx.run(
        "UPDATE spaces SET parent_space_id = NULL, parent_space_key = NULL "
        "WHERE workspace_id = $1 AND parent_space_id = $2",
        row.workspace_id,
        row.space_id,
    )


# ---------------------------------------------------------------- what is in them


async def members(read: Reader, workspace_id: str, space_ids: Sequence[str], what: Members) -> list[str]:
    """What is in any of these spaces, each once, in the order of its ids."""
    table, column = _TABLES[what]
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("space_id", space_ids)
    rows = await read.all(f"SELECT DISTINCT {column} FROM {table} WHERE {where} ORDER BY {column}", *where.args)
    return [str(row[0]) for row in rows]


async def device_ids(read: Reader, workspace_id: str, space_ids: Sequence[str]) -> list[str]:
    """Devices that are in any of these spaces."""
    return await members(read, workspace_id, space_ids, "devices")


async def of_member(read: Reader, workspace_id: str, what: Members, member_id: str) -> list[str]:
    """Ids of the spaces that something is in, in their order."""
    table, column = _TABLES[what]
    rows = await read.all(
        f"SELECT space_id FROM {table} WHERE workspace_id = $1 AND {column} = $2 ORDER BY space_id",
        workspace_id,
        member_id,
    )
    return [str(row[0]) for row in rows]


async def put_in(tx: Tx, row: SpaceRow, what: Members, ids: Sequence[str]) -> None:
    table, column = _TABLES[what]
    await tx.many(
        f"INSERT INTO {table} (workspace_id, space_id, {column}) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(row.workspace_id, row.space_id, one) for one in ids],
    )
    if what == "devices":
        await _count(tx, row)


async def take_out(tx: Tx, row: SpaceRow, what: Members, ids: Sequence[str]) -> None:
    table, column = _TABLES[what]
    await tx.many(
        f"DELETE FROM {table} WHERE workspace_id = $1 AND space_id = $2 AND {column} = $3",
        [(row.workspace_id, row.space_id, one) for one in ids],
    )
    if what == "devices":
        await _count(tx, row)


async def _count(tx: Tx, row: SpaceRow) -> None:
    """Keep how many devices are in it, behind the lock of the workspace's spaces."""
    await tx.run(
        "UPDATE spaces SET device_count = (SELECT COUNT(*) FROM space_devices "
        "WHERE workspace_id = $1 AND space_id = $2) WHERE workspace_id = $1 AND space_id = $2",
        row.workspace_id,
        row.space_id,
    )


# An account is in a space by itself, or by a device of it.
_OF_ACCOUNTS = (
    "SELECT {} FROM space_accounts m WHERE m.workspace_id = {{}} AND m.{} = {{}} "
    "UNION SELECT {} FROM space_devices m JOIN devices d ON d.workspace_id = m.workspace_id "
    "AND d.device_id = m.device_id WHERE m.workspace_id = {{}} AND {} = {{}}"
)


def devices_in(where: Where, column: str, workspace_id: str, space_id: str) -> None:
    """Only rows of devices that are in a space."""
    where.add(
        f"{column} IN (SELECT device_id FROM space_devices WHERE workspace_id = {{}} AND space_id = {{}})",
        workspace_id,
        space_id,
    )


def accounts_in(where: Where, column: str, workspace_id: str, space_id: str) -> None:
    """Only rows of accounts that are in a space, or have a device there."""
    found = _OF_ACCOUNTS.format("m.connected_account_id", "space_id", "d.connected_account_id", "m.space_id")
    where.add(f"{column} IN ({found})", *(workspace_id, space_id) * 2)


def with_account(where: Where, column: str, workspace_id: str, connected_account_id: str) -> None:
    """Only rows of spaces that an account is in, or a device of it."""
    found = _OF_ACCOUNTS.format("m.space_id", "connected_account_id", "m.space_id", "d.connected_account_id")
    where.add(f"{column} IN ({found})", *(workspace_id, connected_account_id) * 2)
