"""Fills a stopped server's SQLite file with many devices and events, through the server's own store.

They are copies of what connecting a virtual intercom leaves, without a login of their own: they are listed, read and
given codes as any other, and nobody talks to them. One more may stand at an address of its own, as a real one does.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from doorward.clock import Clock
from doorward.core.devices import LOGIN
from doorward.crypto import Vault, load_master
from doorward.ids import new_id
from doorward.store import devices, events
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
    intercom: str | None
    """The id of the device at an address of its own."""


async def _many(tx: Tx, sql: str, rows: list[tuple[Any, ...]]) -> None:
    await tx.many(sql, rows)


async def _fill(
    data_dir: Path, connected_account_id: str, workspace_id: str, n_devices: int, n_events: int, url: str | None
) -> Filled:
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

        intercom = None
        if url is not None:
            vault = Vault(load_master(data_dir, None))
            assert like.secret_sealed is not None
            secret = vault.open_json(like.secret_sealed, LOGIN) | {"url": url}
            intercom = new_id()
            row = msgspec.structs.replace(
                like,
                device_id=intercom,
                ref="54-0000-0001",
                name="Own address",
                secret_sealed=vault.seal_json(secret, LOGIN),
                created_at=clock.now(),
            )
            await db.write(_many, sql, [msgspec.structs.astuple(row)])

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
        return Filled(start, intercom)
    finally:
        await db.close()


def fill(
    data_dir: Path,
    connected_account_id: str,
    workspace_id: str,
    *,
    n_devices: int,
    n_events: int,
    url: str | None = None,
) -> Filled:
    """Add devices and events, and a device at `url`, whose login is that of the virtual ones."""
    return asyncio.run(_fill(data_dir, connected_account_id, workspace_id, n_devices, n_events, url))
