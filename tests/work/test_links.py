"""Links: what is opened is closed, whoever is cut off meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.server import World, serving

from doorward.store import devices as device_store
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
            await world.core.db.write(device_store.change, device, secret_sealed=_again(world, device))
            links.stale()
            caller = asyncio.ensure_future(links.of(await row_of(world)))
            for _ in range(turns):
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        await links.close()
        assert all(session.closed for session in sessions)


def _again(world: World, device: DeviceRow) -> str:
    """The same login, sealed anew."""
    from doorward.core import devices

    assert device.secret_sealed is not None
    vault = world.core.vault
    return vault.seal_json(vault.open_json(device.secret_sealed, devices.LOGIN), devices.LOGIN)
