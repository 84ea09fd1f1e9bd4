"""Devices."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from doorward.store import bookmarks, device_log, search
from doorward.store.db import Reader, Tx, Where, columns, insert, update


class DeviceRow(msgspec.Struct, frozen=True):
    """A device. `report_json` is what it last said of itself; what changes often stands apart."""

    workspace_id: str
    device_id: str
    connected_account_id: str
    provider: str
    ref: str
    device_type: str
    manufacturer: str
    name: str
    nickname: str | None
    is_managed: int
    is_lock: int
    online: int
    locked: int | None
    door_open: int | None
    report_json: str
    secret_sealed: str | None
    custom_metadata_json: str
    customer_key: str | None
    errors_json: str
    warnings_json: str
    backup_pool_enabled: int
    version: int
    created_at: int
    constraints_json: str = "{}"
    """What callers know of it that it does not tell: `code_lengths`."""
    space_ids_json: str = "[]"
    """The spaces it is in."""


OF_ACCOUNT = "devices of an account"
"""Names the lock of who adds some, and of who changes what is said of all."""
_SELECT = f"SELECT {columns(DeviceRow)} FROM devices"
# A device as it is shown follows from its version: see `core.devices.Shown`.
_VERSION = "SELECT d.device_id, d.version, d.created_at, d.is_managed FROM "
# Readers get a device together with its account's errors: both make up what is said of it.
_JOINED = (
    f"SELECT {columns(DeviceRow, 'd.')}, a.errors_json, w.is_sandbox FROM devices d "
    "JOIN connected_accounts a "
    "ON a.workspace_id = d.workspace_id AND a.connected_account_id = d.connected_account_id "
    "JOIN workspaces w ON w.workspace_id = d.workspace_id"
)


class Version(msgspec.Struct, frozen=True):
    """Which state of which device, and where it stands in a list."""

    device_id: str
    version: int
    created_at: int
    is_managed: int


class SeenDevice(msgspec.Struct, frozen=True):
    """A device with what is wrong with its account, and whether it may be a virtual one."""

    row: DeviceRow
    account_errors_json: str
    is_sandbox: int


def _seen(row: Any) -> SeenDevice:
    *device, errors, is_sandbox = row
    return SeenDevice(DeviceRow(*device), errors, is_sandbox)


async def ids_of_workspace(read: Reader, workspace_id: str) -> list[str]:
    """Of all devices, in their order."""
    rows = await read.all("SELECT device_id FROM devices WHERE workspace_id = $1 ORDER BY device_id", workspace_id)
    return [row[0] for row in rows]


async def get(read: Reader, workspace_id: str, device_id: str) -> DeviceRow | None:
    row = await read.one(f"{_SELECT} WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id)
    return DeviceRow(*row) if row else None


async def version_of(read: Reader, workspace_id: str, device_id: str) -> Version | None:
    row = await read.one(f"{_VERSION}devices d WHERE d.workspace_id = $1 AND d.device_id = $2", workspace_id, device_id)
    return Version(*row) if row else None


async def version_page(read: Reader, where: Where, limit: int) -> list[Version]:
    """Columns in `where` carry the prefix `d.`."""
    rows = await read.all(
        f"{_VERSION}{where.lead}devices d WHERE {where} "
        f"ORDER BY {where.order('d.created_at, d.device_id')} LIMIT {limit:d}",
        *where.args,
    )
    return [Version(*row) for row in rows]


async def accounts_of(read: Reader, workspace_id: str, device_ids: Sequence[str]) -> list[str]:
    """Ids of the accounts of these devices."""
    where = Where()
    where.add("workspace_id = {}", workspace_id)
    where.any_of("device_id", device_ids)
    rows = await read.all(f"SELECT DISTINCT connected_account_id FROM devices WHERE {where}", *where.args)
    return [row[0] for row in rows]


async def see_many(read: Reader, workspace_id: str, device_ids: list[str]) -> list[SeenDevice]:
    where = Where()
    where.add("d.workspace_id = {}", workspace_id)
    where.any_of("d.device_id", device_ids)
    rows = await read.all(f"{_JOINED} WHERE {where}", *where.args)
    return [_seen(row) for row in rows]


async def find(read: Reader, workspace_id: str, connected_account_id: str, ref: str) -> DeviceRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND connected_account_id = $2 AND ref = $3",
        workspace_id,
        connected_account_id,
        ref,
    )
    return DeviceRow(*row) if row else None


async def find_anywhere(read: Reader, workspace_id: str, provider: str, ref: str) -> DeviceRow | None:
    """Whichever account it is in."""
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND provider = $2 AND ref = $3 ORDER BY created_at LIMIT 1",
        workspace_id,
        provider,
        ref,
    )
    return DeviceRow(*row) if row else None


async def of_provider(read: Reader, workspace_id: str, provider: str) -> list[DeviceRow]:
    """Every device of a brand."""
    rows = await read.all(f"{_SELECT} WHERE workspace_id = $1 AND provider = $2", workspace_id, provider)
    return [DeviceRow(*row) for row in rows]


async def of_account(read: Reader, workspace_id: str, connected_account_id: str) -> list[DeviceRow]:
    rows = await read.all(
        f"{_SELECT} WHERE workspace_id = $1 AND connected_account_id = $2 ORDER BY created_at, device_id",
        workspace_id,
        connected_account_id,
    )
    return [DeviceRow(*row) for row in rows]


async def with_login(read: Reader, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
    """Workspace and device id of devices that can be reached at all, in every workspace, in their order: those that
    come `after` these, which begin with two empty ones."""
    rows = await read.all(
        "SELECT workspace_id, device_id FROM devices WHERE (workspace_id, device_id) > ($1, $2) "
        "AND secret_sealed IS NOT NULL ORDER BY workspace_id, device_id LIMIT $3",
        *after,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def login_of(read: Reader, workspace_id: str, device_id: str) -> tuple[str | None, str] | None:
    """What a device is reached with: its own sealed login and its account's, to be compared."""
    row = await read.one(
        "SELECT d.secret_sealed, a.secret_sealed FROM devices d JOIN connected_accounts a "
        "ON a.workspace_id = d.workspace_id AND a.connected_account_id = d.connected_account_id "
        "WHERE d.workspace_id = $1 AND d.device_id = $2",
        workspace_id,
        device_id,
    )
    return (row[0], row[1]) if row else None


async def add(tx: Tx, row: DeviceRow) -> None:
    await tx.lock(OF_ACCOUNT, row.workspace_id, row.connected_account_id)
    await tx.run(insert("devices", DeviceRow), *msgspec.structs.astuple(row))
    await search.put(tx, "devices", row)


async def account_changed(tx: Tx, workspace_id: str, connected_account_id: str) -> None:
    """What an account says of all its devices is another: they are in a new state, too. One that is being added waits
    until that is so, or is seen here."""
    await tx.lock(OF_ACCOUNT, workspace_id, connected_account_id)
    await tx.run(
        "UPDATE devices SET version = version + 1 WHERE workspace_id = $1 AND connected_account_id = $2",
        workspace_id,
        connected_account_id,
    )


async def change(tx: Tx, row: DeviceRow, **values: Any) -> DeviceRow:
    """Set columns, and return the row as it then is."""
    changed = cast("DeviceRow", await update(tx, "devices", row, ("workspace_id", "device_id"), values))
    await search.changed(tx, "devices", changed, values)
    return changed


async def give_to(tx: Tx, workspace_id: str, connected_account_id: str, customer_key: str) -> None:
    """All devices of an account belong to a customer."""
    await tx.run(
        "UPDATE devices SET customer_key = $3, version = version + 1 "
        "WHERE workspace_id = $1 AND connected_account_id = $2",
        workspace_id,
        connected_account_id,
        customer_key,
    )


async def delete(tx: Tx, workspace_id: str, device_id: str) -> int:
    await tx.run("DELETE FROM seen_device_events WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id)
    await bookmarks.drop(tx, workspace_id, device_id)
    await device_log.drop(tx, workspace_id, device_id)
    await search.drop(tx, "devices", workspace_id, device_id)
    return await tx.run("DELETE FROM devices WHERE workspace_id = $1 AND device_id = $2", workspace_id, device_id)


async def first_time(tx: Tx, workspace_id: str, device_id: str, key: str, occurred_at: int) -> bool:
    """Remember a device's event; false when it was remembered already."""
    return (
        await tx.run(
            "INSERT INTO seen_device_events VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            workspace_id,
            device_id,
            key,
            occurred_at,
        )
        == 1
    )


async def forget_events(tx: Tx, before: int) -> int:
    """Drop remembered events older than this."""
    return await tx.run("DELETE FROM seen_device_events WHERE occurred_at < $1", before)
