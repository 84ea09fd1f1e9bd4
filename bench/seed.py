"""Fills a stopped server's SQLite file with many devices and events, through the server's own store.

`fill` copies what connecting a virtual intercom leaves, without a login of their own: they are listed, read and given
codes as any other, and nobody talks to them. `connect` adds intercoms at addresses of their own to a production
workspace, by the rules of the connect webview, as if each had been out of reach just after its login.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from doorward.app import make_core
from doorward.clock import Clock
from doorward.config import Config
from doorward.core import access_codes as rules
from doorward.core import accounts, code_state
from doorward.core.context import Core
from doorward.core.plan import Content
from doorward.ids import new_id
from doorward.providers.base import AccountLogin, OfferedDevice
from doorward.store import devices, events
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx, Where, insert
from doorward.store.open import open_store
from doorward.wire.time import iso

CHUNK = 20_000
STEP_MS = 5
"""Between one event and the next."""


@dataclass(frozen=True)
class Filled:
    """What was added."""

    first_event_at: int
    """Milliseconds; the others follow `STEP_MS` apart."""


async def _many(tx: Tx, sql: str, rows: list[tuple[Any, ...]]) -> None:
    await tx.many(sql, rows)


async def _fill(data_dir: Path, connected_account_id: str, workspace_id: str, n_devices: int, n_events: int) -> Filled:
    clock = Clock()
    db = await open_store(data_dir, None, clock=clock)
    try:
        like = (await devices.of_account(db.read, workspace_id, connected_account_id))[0]
        sql = insert("devices", devices.DeviceRow)
        ids = [new_id() for _ in range(n_devices)]
        for at in range(0, n_devices, CHUNK):
            rows = [
                msgspec.structs.astuple(
                    msgspec.structs.replace(
                        like,
                        device_id=device_id,
                        ref=f"bench-{at + i}",
                        name=f"Device {at + i}",
                        secret_sealed=None,
                        created_at=like.created_at + 1000 + at + i,
                    )
                )
                for i, device_id in enumerate(ids[at : at + CHUNK])
            ]
            await db.write(_many, sql, rows)

        where = Where()
        where.add("workspace_id = {}", workspace_id)
        where.add("event_type = {}", "device.connected")
        found = await events.latest(db.read, where)
        assert found is not None
        body = json.loads(found.body_json)
        ids = ids or [like.device_id]
        start = clock.now() - n_events * STEP_MS - 60_000
        sql = insert("events", events.EventRow)
        for at in range(0, n_events, CHUNK):
            rows = []
            for i in range(at, min(at + CHUNK, n_events)):
                event_id, now, device_id = new_id(), start + i * STEP_MS, ids[i % len(ids)]
                body |= {"event_id": event_id, "created_at": iso(now), "occurred_at": iso(now), "device_id": device_id}
                event = events.EventRow(
                    workspace_id=workspace_id,
                    event_id=event_id,
                    event_type=body["event_type"],
                    connected_account_id=connected_account_id,
                    device_id=device_id,
                    access_code_id=None,
                    connect_webview_id=None,
                    action_attempt_id=None,
                    customer_key=None,
                    body_json=json.dumps(body, separators=(",", ":")),
                    secret_sealed=None,
                    created_at=now,
                )
                rows.append(msgspec.structs.astuple(event))
            await db.write(_many, sql, rows)
        return Filled(start)
    finally:
        await db.close()


def fill(data_dir: Path, connected_account_id: str, workspace_id: str, *, n_devices: int, n_events: int) -> Filled:
    """Add devices and events."""
    return asyncio.run(_fill(data_dir, connected_account_id, workspace_id, n_devices, n_events))


async def _fill_codes(data_dir: Path, workspace_id: str, count: int) -> list[str]:
    config = Config.model_validate({"data_dir": data_dir})
    clock = Clock()
    db = await open_store(data_dir, None, clock=clock)
    try:
        core = make_core(config, db, clock)
        where = Where()
        where.add("d.workspace_id = {} AND d.ref LIKE 'bench-%'", workspace_id)
        rows = await db.read.all(f"SELECT d.device_id FROM devices d WHERE {where}", *where.args)
        ids = [str(row[0]) for row in rows]
        device = await devices.get(db.read, workspace_id, ids[0])
        assert device is not None
        held = code_state.seal_held(core, Content("Guest", "48375961", None, None))
        like = rules.new_row(core, device, rules.Wish(ids[0], name="Guest"), "48375961", "", None, None)
        like = msgspec.structs.replace(like, status="set", held_revision=1, held_sealed=held)
        sql = insert("access_codes", CodeRow)
        for at in range(0, count, CHUNK):
            part = []
            for n in range(at, min(at + CHUNK, count)):
                code_id = new_id()
                one = msgspec.structs.replace(
                    like,
                    access_code_id=code_id,
                    ref=code_id,
                    device_id=ids[n % len(ids)],
                    code_hash=secrets.token_hex(len(core.vault.digest("pin", "")) // 2),
                    created_at=like.created_at + n,
                )
                part.append(msgspec.structs.astuple(one))
            await db.write(_many, sql, part)
        return ids
    finally:
        await db.close()


def fill_codes(data_dir: Path, workspace_id: str, count: int) -> list[str]:
    """Add access codes that are set already, spread over the devices that `fill` has added; their ids."""
    return asyncio.run(_fill_codes(data_dir, workspace_id, count))


# ---------------------------------------------------------------- intercoms at addresses

Unit = Mapping[str, Any]
"""`url`, `serial`, and over TLS the certificate's `pin`."""


async def _account(tx: Tx, core: Core, workspace_id: str, site: str, units: Sequence[Unit]) -> list[str]:
    provider = core.providers["my_2n"]
    offered = [OfferedDevice(unit["serial"], f"Intercom {unit['serial']}") for unit in units]
    identity = {"username": site}
    login = AccountLogin(identity, display_name=site, secret={}, devices=tuple(offered), is_direct=True)
    terms = accounts.Terms(True, True, "[]", "{}", None)
    account, is_new = await accounts.connect(tx, core, workspace_id, provider, login, offered, terms, new_id())
    chosen = [
        accounts.ChosenDevice(
            one,
            {"url": unit["url"], "pin": unit["pin"], "username": "jane", "password": "1234", "switch": 1},
            None,
        )
        for one, unit in zip(offered, units, strict=True)
    ]
    rows = await accounts.add_devices(tx, core, account, provider, chosen, is_new=is_new, is_direct=True)
    return [row.device_id for row in rows]


async def _connect(data_dir: Path, workspace_id: str, units: Sequence[Unit], per_account: int) -> list[str]:
    clock = Clock()
    config = Config.model_validate({"data_dir": data_dir})
    db = await open_store(data_dir, None, clock=clock)
    try:
        core = make_core(config, db, clock)
        ids: list[str] = []
        for at in range(0, len(units), per_account):
            some = units[at : at + per_account]
            ids += await db.write(_account, core, workspace_id, f"Site {at}", some)
        return ids
    finally:
        await db.close()


def connect(data_dir: Path, workspace_id: str, units: Sequence[Unit], *, per_account: int = 10) -> list[str]:
    """Add intercoms to a production workspace, so many in each account; their device ids, in order."""
    return asyncio.run(_connect(data_dir, workspace_id, units, per_account))
