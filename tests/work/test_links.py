"""Links: what is opened is closed, whoever is cut off meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.server import World, serving

from doorward.core import devices
from doorward.store import devices as device_store
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.work.links import Links


async def row_of(world: World) -> DeviceRow:
    row = await device_store.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
    assert row is not None
    return row


async def test_a_cancelled_caller_leaves_no_connection_open(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        links = Links(world.core)
        sessions = []
        for turns in range(40):
            device = await row_of(world)
            link: Any = await links.of(device)
            await link.read_device(device.ref)
            sessions.append(link._open[device.ref].intercom.client._session)
            # A new login: the next caller renews the link, and is cut off somewhere on the way.
            await world.core.db.write(_log_in_again, world, device)
            links.stale()
            caller = asyncio.ensure_future(links.of(await row_of(world)))
            for _ in range(turns):
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        await links.close()
        assert all(session.closed for session in sessions)


async def _log_in_again(tx: Tx, world: World, device: DeviceRow) -> None:
    """The same login, sealed anew."""
    assert device.secret_sealed is not None
    vault = world.core.vault
    sealed = vault.seal_json(vault.open_json(device.secret_sealed, devices.LOGIN), devices.LOGIN)
    await device_store.change(tx, device, secret_sealed=sealed)
