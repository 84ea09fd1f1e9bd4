"""Access codes."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert, update


class CodeRow(msgspec.Struct, frozen=True):
    """An access code: what is wanted, what the device is known to hold, and how it stands."""

    workspace_id: str
    access_code_id: str
    device_id: str
    ref: str
    name: str | None
    code_sealed: str | None
    code_hash: str | None
    starts_at: int | None
    ends_at: int | None
    is_managed: int
    is_backup: int
    is_offline: int
    is_one_time_use: int
    is_external_modification_allowed: int
    common_code_key: str | None
    pulled_backup_access_code_id: str | None
    is_wanted: int
    """0: it is to be removed, and the row goes when the device has let go of it."""
    revision: int
    """Counts the changes of what is wanted."""
    requested_at: int
    """When the last of them was asked for."""
    held_revision: int | None
    """The revision the device holds."""
    held_sealed: str | None
    """What it holds (name, PIN, times); None: nothing of ours."""
    status: str
    errors_json: str
    warnings_json: str
    failures: int
    retry_at: int
    created_at: int
    external_sealed: str | None = None
    """What somebody else made of it at the device: before and after."""
    breaker_json: str = "{}"
    is_kept_elsewhere: int = 0
    """Another system maintains it."""
    takes_over: int = 0
    """`providers.base.TakeOver`: what the next write may make ours."""
    is_claimed: int = 0
    """Another integration's tag is on it."""
    is_deferred: int = 0
    """Not to be written to the device before it begins."""
    uses_backup_pool: int = 0
    """A reserve is kept on its device for it."""
    pulled_for: str | None = None
    """A reserve code: the code that it stands for by now."""
    access_method_id: str | None = None
    """The access method that it is part of."""


_SELECT = f"SELECT {columns(CodeRow)} FROM access_codes"


async def get(read: Reader, workspace_id: str, access_code_id: str) -> CodeRow | None:
    row = await read.one(f"{_SELECT} WHERE workspace_id = $1 AND access_code_id = $2", workspace_id, access_code_id)
    return CodeRow(*row) if row else None


# Readers get a code together with what is wrong with its device and account.
_JOINED = (
    f"SELECT {columns(CodeRow, 'c.')}, d.errors_json, a.errors_json, "
    "CASE WHEN EXISTS (SELECT 1 FROM access_codes b WHERE b.workspace_id = c.workspace_id "
    "AND b.device_id = c.device_id AND b.is_backup = 1 AND b.pulled_for IS NULL AND b.status = 'set') "
    "THEN 1 ELSE 0 END FROM access_codes c "
    "JOIN devices d ON d.workspace_id = c.workspace_id AND d.device_id = c.device_id "
    "JOIN connected_accounts a "
    "ON a.workspace_id = d.workspace_id AND a.connected_account_id = d.connected_account_id"
)


class SeenCode(msgspec.Struct, frozen=True):
    """A code with what is wrong around it."""

    row: CodeRow
    device_errors_json: str = "[]"
    account_errors_json: str = "[]"
    has_reserve: int = 0
    """Its device holds a reserve code."""


def _seen(row: Any) -> SeenCode:
    *code, device_errors, account_errors, has_reserve = row
    return SeenCode(CodeRow(*code), device_errors, account_errors, has_reserve)


async def see(read: Reader, workspace_id: str, access_code_id: str) -> SeenCode | None:
    row = await read.one(f"{_JOINED} WHERE c.workspace_id = $1 AND c.access_code_id = $2", workspace_id, access_code_id)
    return _seen(row) if row else None


async def see_page(read: Reader, where: Where, limit: int) -> list[SeenCode]:
    """Columns in `where` carry the prefix `c.`."""
    rows = await read.all(
        f"{_JOINED} WHERE {where} ORDER BY c.created_at, c.access_code_id LIMIT {limit:d}", *where.args
    )
    return [_seen(row) for row in rows]


async def find_by_hash(read: Reader, workspace_id: str, device_id: str, code_hash: str) -> list[CodeRow]:
    """Codes of a device with this PIN, oldest first."""
    # Sorted here: asked for an order, SQLite walks all codes of the device in it instead of looking the PIN up.
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND code_hash = $3", workspace_id, device_id, code_hash
    )
    return _in_order(rows)


def _in_order(rows: Iterable[Any]) -> list[CodeRow]:
    return sorted((CodeRow(*row) for row in rows), key=lambda row: (row.created_at, row.access_code_id))


async def find_by_ref(read: Reader, workspace_id: str, device_id: str, ref: str) -> CodeRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND ref = $3", workspace_id, device_id, ref
    )
    return CodeRow(*row) if row else None


async def of_refs(read: Reader, workspace_id: str, device_id: str, refs: Sequence[str]) -> list[CodeRow]:
    """Codes of a device by their handles there, in small letters; a few hundred at a time."""
    where = Where()
    where.add("workspace_id = {} AND device_id = {}", workspace_id, device_id)
    where.any_of("ref", refs)
    return [CodeRow(*row) for row in await read.all(f"{_SELECT} WHERE {where}", *where.args)]


async def of_common_key(read: Reader, workspace_id: str, common_code_key: str) -> list[CodeRow]:
    """Managed codes that belong together, by their devices."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND common_code_key = $2 AND is_managed = 1 "
        "ORDER BY device_id, access_code_id",
        workspace_id,
        common_code_key,
    )
    return [CodeRow(*row) for row in rows]


async def of_methods(read: Reader, workspace_id: str, access_method_ids: Sequence[str]) -> list[CodeRow]:
    """Codes that access methods consist of, by their devices; also those that nobody manages any more."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("access_method_id", access_method_ids)
    rows = await read.all(f"{_SELECT} WHERE {where} ORDER BY device_id, access_code_id", *where.args)
    return [CodeRow(*row) for row in rows]


async def part_of_device(
    read: Reader, workspace_id: str, device_id: str, after: CodeRow | None, limit: int
) -> list[CodeRow]:
    """All codes of a device in parts, managed or not; `after`: the last row of the part before."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 "
        "AND (created_at, access_code_id) > ($3, $4) "
        "ORDER BY created_at, access_code_id LIMIT $5",
        workspace_id,
        device_id,
        after.created_at if after else -1,
        after.access_code_id if after else "",
        limit,
    )
    return [CodeRow(*row) for row in rows]


async def managed_of_device(read: Reader, workspace_id: str, device_id: str) -> list[CodeRow]:
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 1 ORDER BY created_at, access_code_id",
        workspace_id,
        device_id,
    )
    return [CodeRow(*row) for row in rows]


async def unmanaged_ids(read: Reader, workspace_id: str, device_id: str) -> list[str]:
    """Ids of the codes of a device that are not managed."""
    rows = await read.all(
        "SELECT access_code_id FROM access_codes WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 0 "
        "ORDER BY created_at, access_code_id",
        workspace_id,
        device_id,
    )
    return [str(row[0]) for row in rows]


async def granted_on_device(read: Reader, workspace_id: str, device_id: str) -> list[CodeRow]:
    """Codes of a device that are part of access methods, managed or not."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND access_method_id IS NOT NULL "
        "ORDER BY created_at, access_code_id",
        workspace_id,
        device_id,
    )
    return [CodeRow(*row) for row in rows]


async def count_held(read: Reader, workspace_id: str, device_id: str) -> int:
    """How many managed codes a device is known to hold."""
    row = await read.one(
        "SELECT COUNT(*) FROM access_codes "
        "WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 1 AND held_sealed IS NOT NULL",
        workspace_id,
        device_id,
    )
    return int(row[0]) if row else 0


class Pool(msgspec.Struct, frozen=True):
    """How a device's backup pool stands."""

    users: int
    """Codes that want it to be there."""
    reserve: int
    """Codes that nobody has pulled yet."""
    ready: int
    """Those of them that the device holds."""
    pulled: int
    """Pulled ones that are still wanted."""


_IN_RESERVE = "workspace_id = $1 AND device_id = $2 AND is_backup = 1 AND pulled_for IS NULL AND is_wanted = 1"


async def pool(read: Reader, workspace_id: str, device_id: str, now: int) -> Pool:
    row = await read.one(
        "SELECT (SELECT COUNT(*) FROM access_codes WHERE workspace_id = $1 AND device_id = $2 "
        "AND uses_backup_pool = 1 AND is_managed = 1 AND is_wanted = 1 AND ends_at > $3), "
        f"(SELECT COUNT(*) FROM access_codes WHERE {_IN_RESERVE} AND is_managed = 1), "
        f"(SELECT COUNT(*) FROM access_codes WHERE {_IN_RESERVE} AND is_managed = 1 AND status = 'set'), "
        "(SELECT COUNT(*) FROM access_codes WHERE workspace_id = $1 AND device_id = $2 "
        "AND is_backup = 1 AND pulled_for IS NOT NULL AND is_managed = 1 AND is_wanted = 1 AND ends_at > $3)",
        workspace_id,
        device_id,
        now,
    )
    return Pool(*row) if row else Pool(0, 0, 0, 0)


async def reserve(read: Reader, workspace_id: str, device_id: str) -> list[CodeRow]:
    """Codes of a device's backup pool that nobody has pulled yet, oldest first."""
    rows = await read.all(
        f"{_SELECT} WHERE {_IN_RESERVE} AND is_managed = 1 ORDER BY created_at, access_code_id", workspace_id, device_id
    )
    return [CodeRow(*row) for row in rows]


async def waiting(read: Reader, workspace_id: str, device_id: str, now: int) -> list[CodeRow]:
    """Managed codes of a device that wait for another try."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 1 AND retry_at > $3",
        workspace_id,
        device_id,
        now,
    )
    return [CodeRow(*row) for row in rows]


async def has_hash(read: Reader, workspace_id: str, device_id: str, code_hash: str) -> bool:
    """Some code of the device has this PIN."""
    row = await read.one(
        "SELECT 1 FROM access_codes WHERE workspace_id = $1 AND device_id = $2 AND code_hash = $3 LIMIT 1",
        workspace_id,
        device_id,
        code_hash,
    )
    return row is not None


async def has_warning(read: Reader, workspace_id: str, device_id: str, warning_code: str) -> bool:
    """Whether one of a device's managed codes has this warning."""
    row = await read.one(
        "SELECT 1 FROM access_codes WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 1 "
        "AND warnings_json <> '[]' AND warnings_json LIKE $3 LIMIT 1",
        workspace_id,
        device_id,
        f'%"{warning_code}"%',
    )
    return row is not None


async def needing_work(read: Reader, workspace_id: str, device_id: str, now: int) -> list[CodeRow]:
    """Codes of a device that are not as they should be at this instant: managed ones, and others that are to go."""
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 1 AND ("
        "is_wanted = 0 OR held_revision IS NULL OR held_revision <> revision OR ends_at <= $3 "
        "OR (status <> 'set' AND (starts_at IS NULL OR starts_at <= $3))) "
        f"UNION ALL {_SELECT} WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 0 AND is_wanted = 0",
        workspace_id,
        device_id,
        now,
    )
    return _in_order(rows)


async def next_change_at(read: Reader, workspace_id: str, device_id: str, now: int) -> int | None:
    """When the next managed code of a device begins or ends by itself."""
    row = await read.one(
        "SELECT MIN(CASE WHEN starts_at > $3 THEN starts_at ELSE ends_at END) FROM access_codes "
        "WHERE workspace_id = $1 AND device_id = $2 AND is_managed = 1 AND ends_at > $3",
        workspace_id,
        device_id,
        now,
    )
    return row[0] if row else None


async def add(tx: Tx, row: CodeRow) -> None:
    await tx.run(insert("access_codes", CodeRow), *msgspec.structs.astuple(row))


async def add_many(tx: Tx, rows: Sequence[CodeRow]) -> None:
    await tx.many(insert("access_codes", CodeRow), [msgspec.structs.astuple(row) for row in rows])


async def change(tx: Tx, row: CodeRow, **values: Any) -> CodeRow:
    """Set columns, and return the row as it then is."""
    return cast("CodeRow", await update(tx, "access_codes", row, ("workspace_id", "access_code_id"), values))


async def delete(tx: Tx, workspace_id: str, access_code_id: str) -> int:
    return await tx.run(
        "DELETE FROM access_codes WHERE workspace_id = $1 AND access_code_id = $2", workspace_id, access_code_id
    )


async def delete_of_device(tx: Tx, workspace_id: str, device_id: str) -> int:
    return await tx.run("DELETE FROM access_codes WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id)
