"""Access grants, where they lead, and their methods."""

from collections.abc import Collection, Sequence
from typing import Any, Literal, cast

import msgspec

from doorward.store import search
from doorward.store.db import Reader, Tx, Where, columns, insert, update

OWN, BOOKING = "access_grant", "booking"
"""The kind of those that were made as what they are; one that others are told of as."""


class GrantRow(msgspec.Struct, frozen=True):
    """Who may go where and when."""

    workspace_id: str
    access_grant_id: str
    access_grant_key: str | None
    reservation_key: str | None
    customer_key: str | None
    user_identity_id: str
    name: str | None
    starts_at: int
    ends_at: int | None
    requests_sealed: str
    """The methods that were asked for: `[mode, PIN, when]` of each."""
    warnings_json: str
    is_wanted: int
    """0: it is to go, and does when all its methods are gone."""
    created_at: int
    kind: str = OWN
    """What it was called when it was told of; its key is unique among these, and free once it is not wanted."""
    granted_at: int | None = None
    """All of its doors had all of its methods then, and that was told."""


class MethodRow(msgspec.Struct, frozen=True):
    """By which means. Of mode `code`: one PIN, and a code on each of the grant's doors."""

    workspace_id: str
    access_method_id: str
    access_grant_id: str
    request_number: int
    mode: str
    code_sealed: str | None
    is_wanted: int
    issued_at: int | None
    created_at: int


Place = Literal["devices", "spaces"]
_TABLES = {"devices": ("access_grant_devices", "device_id"), "spaces": ("access_grant_spaces", "space_id")}
_GRANT = f"SELECT {columns(GrantRow)} FROM access_grants"
_METHOD = f"SELECT {columns(MethodRow)} FROM access_methods"


async def get(read: Reader, workspace_id: str, access_grant_id: str) -> GrantRow | None:
    row = await read.one(f"{_GRANT} WHERE workspace_id = $1 AND access_grant_id = $2", workspace_id, access_grant_id)
    return GrantRow(*row) if row else None


async def find_all(read: Reader, workspace_id: str, access_grant_ids: Collection[str]) -> list[GrantRow]:
    """By their ids."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("access_grant_id", sorted(access_grant_ids))
    return [GrantRow(*row) for row in await read.all(f"{_GRANT} WHERE {where}", *where.args)]


async def by_key(read: Reader, workspace_id: str, kind: str, access_grant_key: str) -> GrantRow | None:
    """The one that is wanted."""
    row = await read.one(
        f"{_GRANT} WHERE workspace_id = $1 AND access_grant_key = $2 AND kind = $3 AND is_wanted = 1",
        workspace_id,
        access_grant_key,
        kind,
    )
    return GrantRow(*row) if row else None


async def having_key(read: Reader, workspace_id: str, access_grant_key: str) -> list[GrantRow]:
    """Of any kind: those that are wanted; where there are none, those that are being deleted. Newest first."""
    rows = await read.all(
        f"{_GRANT} WHERE workspace_id = $1 AND access_grant_key = $2 ORDER BY created_at DESC, access_grant_id DESC",
        workspace_id,
        access_grant_key,
    )
    return _wanted_first([GrantRow(*row) for row in rows])


async def of_reservation(read: Reader, workspace_id: str, reservation_key: str) -> list[GrantRow]:
    """Those that are wanted; where there are none, those that are being deleted. What was told of as a booking is
    meant where nothing else is."""
    rows = await read.all(f"{_GRANT} WHERE workspace_id = $1 AND reservation_key = $2", workspace_id, reservation_key)
    found = _wanted_first([GrantRow(*row) for row in rows])
    return [row for row in found if row.kind != BOOKING] or found


def _wanted_first(rows: list[GrantRow]) -> list[GrantRow]:
    return [row for row in rows if row.is_wanted] or rows


async def list_page(read: Reader, where: Where, limit: int) -> list[GrantRow]:
    """Columns in `where` carry the prefix `g.`."""
    rows = await read.all(
        f"SELECT {columns(GrantRow, 'g.')} FROM {where.lead}access_grants g WHERE {where} "
        f"ORDER BY {where.order('g.created_at, g.access_grant_id')} LIMIT {limit:d}",
        *where.args,
    )
    return [GrantRow(*row) for row in rows]


async def add(tx: Tx, row: GrantRow, device_ids: Sequence[str], space_ids: Sequence[str]) -> None:
    """With where it leads."""
    await tx.run(insert("access_grants", GrantRow), *msgspec.structs.astuple(row))
    await _lead(tx, row, "devices", device_ids)
    await _lead(tx, row, "spaces", space_ids)
    await search.put_all(tx, "access_grants", "access_grant_id", row.workspace_id, row.access_grant_id)


async def move(tx: Tx, row: GrantRow, space_ids: Sequence[str]) -> None:
    """It leads to these spaces from now on."""
    await tx.run(
        "DELETE FROM access_grant_spaces WHERE workspace_id = $1 AND access_grant_id = $2",
        row.workspace_id,
        row.access_grant_id,
    )
    await _lead(tx, row, "spaces", space_ids)


async def _lead(tx: Tx, row: GrantRow, place: Place, ids: Sequence[str]) -> None:
    table, column = _TABLES[place]
    await tx.many(
        f"INSERT INTO {table} (workspace_id, access_grant_id, {column}) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(row.workspace_id, row.access_grant_id, one) for one in ids],
    )


async def change(tx: Tx, row: GrantRow, **values: Any) -> GrantRow:
    """Set columns, and return the row as it then is."""
    changed = cast("GrantRow", await update(tx, "access_grants", row, ("workspace_id", "access_grant_id"), values))
    if not search.TABLES["access_grants"].shown.isdisjoint(values):
        await search.put_all(tx, "access_grants", "access_grant_id", row.workspace_id, row.access_grant_id)
    return changed


async def delete(tx: Tx, workspace_id: str, access_grant_id: str) -> int:
    """1; 0 where it was gone already."""
    await search.drop(tx, "access_grants", workspace_id, access_grant_id)
    gone = 0
    for table in ("access_grant_devices", "access_grant_spaces", "access_grants"):
        gone = await tx.run(
            f"DELETE FROM {table} WHERE workspace_id = $1 AND access_grant_id = $2", workspace_id, access_grant_id
        )
    return gone


async def places(
    read: Reader, workspace_id: str, access_grant_ids: Sequence[str], place: Place
) -> list[tuple[str, str]]:
    """Grants, and the devices or spaces that they name."""
    table, column = _TABLES[place]
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("access_grant_id", access_grant_ids)
    rows = await read.all(f"SELECT access_grant_id, {column} FROM {table} WHERE {where} ORDER BY {column}", *where.args)
    return [(row[0], row[1]) for row in rows]


async def doors(read: Reader, workspace_id: str, access_grant_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Grants and their doors: devices that they name, or that are in their spaces; each once, in their order."""
    where = Where()
    where.add("g.workspace_id = {}", workspace_id)
    where.any_of("g.access_grant_id", access_grant_ids)
    rows = await read.all(
        f"SELECT g.access_grant_id, g.device_id FROM access_grant_devices g WHERE {where} "
        "UNION SELECT g.access_grant_id, m.device_id FROM access_grant_spaces g JOIN space_devices m "
        f"ON m.workspace_id = g.workspace_id AND m.space_id = g.space_id WHERE {where} ORDER BY 1, 2",
        *where.args,
    )
    return [(row[0], row[1]) for row in rows]


async def leads(
    read: Reader, workspace_id: str, access_grant_ids: Sequence[str]
) -> list[tuple[str, str | None, str | None]]:
    """Grants, the spaces that they name, and devices: those that they name by themselves have no space, and a space
    without devices has no device."""
    where = Where()
    where.add("g.workspace_id = {}", workspace_id)
    where.any_of("g.access_grant_id", access_grant_ids)
    rows = await read.all(
        "SELECT g.access_grant_id, g.space_id, m.device_id FROM access_grant_spaces g LEFT JOIN space_devices m "
        f"ON m.workspace_id = g.workspace_id AND m.space_id = g.space_id WHERE {where} "
        f"UNION ALL SELECT g.access_grant_id, NULL, g.device_id FROM access_grant_devices g WHERE {where} "
        "ORDER BY 1, 2",
        *where.args,
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def of_place(read: Reader, workspace_id: str, place: Place, place_id: str) -> list[GrantRow]:
    """Grants that are wanted and name a device, or a space."""
    table, column = _TABLES[place]
    rows = await read.all(
        f"{_GRANT} WHERE workspace_id = $1 AND is_wanted = 1 AND access_grant_id IN "
        f"(SELECT access_grant_id FROM {table} WHERE workspace_id = $1 AND {column} = $2) "
        "ORDER BY created_at, access_grant_id",
        workspace_id,
        place_id,
    )
    return [GrantRow(*row) for row in rows]


async def to_device(read: Reader, workspace_id: str, device_id: str) -> list[GrantRow]:
    """Grants that are wanted and lead to a device, by itself or through a space."""
    rows = await read.all(
        f"{_GRANT} WHERE workspace_id = $1 AND is_wanted = 1 AND access_grant_id IN ("
        "SELECT access_grant_id FROM access_grant_devices WHERE workspace_id = $1 AND device_id = $2 "
        "UNION SELECT g.access_grant_id FROM space_devices m JOIN access_grant_spaces g "
        "ON g.workspace_id = m.workspace_id AND g.space_id = m.space_id "
        "WHERE m.workspace_id = $1 AND m.device_id = $2) ORDER BY created_at, access_grant_id",
        workspace_id,
        device_id,
    )
    return [GrantRow(*row) for row in rows]


async def warned_of(read: Reader, workspace_id: str, device_id: str) -> list[GrantRow]:
    """Grants that are wanted, and have a warning that names this device."""
    rows = await read.all(
        f"{_GRANT} WHERE workspace_id = $1 AND is_wanted = 1 AND warnings_json <> '[]' AND warnings_json LIKE $2 "
        "ORDER BY created_at, access_grant_id",
        workspace_id,
        f'%"{device_id}"%',
    )
    return [GrantRow(*row) for row in rows]


async def of_identity(read: Reader, workspace_id: str, user_identity_id: str) -> list[GrantRow]:
    rows = await read.all(
        f"{_GRANT} WHERE workspace_id = $1 AND user_identity_id = $2 ORDER BY created_at, access_grant_id",
        workspace_id,
        user_identity_id,
    )
    return [GrantRow(*row) for row in rows]


async def forget_place(tx: Tx, workspace_id: str, place: Place, place_id: str) -> None:
    """A device or space is gone."""
    table, column = _TABLES[place]
    await tx.run(f"DELETE FROM {table} WHERE workspace_id = $1 AND {column} = $2", workspace_id, place_id)


# ---------------------------------------------------------------- methods


async def get_method(read: Reader, workspace_id: str, access_method_id: str) -> MethodRow | None:
    row = await read.one(f"{_METHOD} WHERE workspace_id = $1 AND access_method_id = $2", workspace_id, access_method_id)
    return MethodRow(*row) if row else None


async def person_of(read: Reader, workspace_id: str, access_method_id: str) -> str | None:
    """The user identity whose grant a method is of."""
    row = await read.one(
        "SELECT g.user_identity_id FROM access_methods m JOIN access_grants g "
        "ON g.workspace_id = m.workspace_id AND g.access_grant_id = m.access_grant_id "
        "WHERE m.workspace_id = $1 AND m.access_method_id = $2",
        workspace_id,
        access_method_id,
    )
    return row[0] if row else None


async def methods_of(read: Reader, workspace_id: str, access_grant_ids: Sequence[str]) -> list[MethodRow]:
    """Of these grants, oldest first."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("access_grant_id", access_grant_ids)
    rows = await read.all(f"{_METHOD} WHERE {where} ORDER BY created_at, access_method_id", *where.args)
    return [MethodRow(*row) for row in rows]


async def method_page(read: Reader, where: Where, limit: int) -> list[tuple[MethodRow, int | None]]:
    """Methods, and when their grants end. Columns in `where` carry the prefixes `m.`, and `g.` for the grant's."""
    rows = await read.all(
        f"SELECT {columns(MethodRow, 'm.')}, g.ends_at FROM access_methods m JOIN access_grants g "
        "ON g.workspace_id = m.workspace_id AND g.access_grant_id = m.access_grant_id "
        f"WHERE {where} ORDER BY m.created_at, m.access_method_id LIMIT {limit:d}",
        *where.args,
    )
    return [(MethodRow(*tuple(row)[:-1]), row[-1]) for row in rows]


async def add_method(tx: Tx, row: MethodRow) -> None:
    await tx.run(insert("access_methods", MethodRow), *msgspec.structs.astuple(row))


async def change_method(tx: Tx, row: MethodRow, **values: Any) -> MethodRow:
    """Set columns, and return the row as it then is."""
    return cast("MethodRow", await update(tx, "access_methods", row, ("workspace_id", "access_method_id"), values))


async def delete_method(tx: Tx, row: MethodRow) -> None:
    await tx.run(
        "DELETE FROM access_methods WHERE workspace_id = $1 AND access_method_id = $2",
        row.workspace_id,
        row.access_method_id,
    )
