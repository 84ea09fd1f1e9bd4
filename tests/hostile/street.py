"""A house whose intercoms are real to the server: at addresses, with certificates, in a production workspace.

They outlive the server. Their owner can give them another certificate or another address, where a stranger's intercom
then answers in their place; what is confirmed by a person is confirmed on the page where devices are connected.
"""

import asyncio
from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World

from doorward.core import webviews, workspaces
from doorward.core.webviews import Order
from doorward.providers.my_2n.emulator import Unit
from doorward.providers.my_2n.emulator.firmware import FIRMWARES
from doorward.providers.my_2n.emulator.listener import Listener
from doorward.providers.my_2n.emulator.switches import SwitchConfig
from doorward.store import devices as device_store
from doorward.store import workspaces as workspace_store

from .house import LOGIN, House, spy
from .listening import Said
from .model import Door, image

WIRE_S = 0.001
NAME = "Street"
STRANGERS_PIN = "70707070"


class Street(House):
    """`firmwares` and `tls`: of each door."""

    is_seen_connecting = False

    def __init__(
        self,
        folder: Path,
        database_url: str | None,
        said: Said,
        *,
        firmwares: tuple[str, ...] = ("current", "new"),
        tls: tuple[bool, ...] = (True, False),
    ) -> None:
        self._firmwares, self._tls = firmwares, tls
        self._listeners: list[Listener] = []
        self._workspace_id: str | None = None
        self._others: list[Listener] = []
        super().__init__(folder, database_url, said, doors=len(tls))

    async def workplace(self, world: World) -> World:
        """A production workspace with a key of its own; the same one after a restart."""
        self.loop.wire_s = WIRE_S
        core = world.core
        if self._workspace_id is None:
            row = await core.db.write(workspaces.create, core.clock.now(), NAME, is_sandbox=False)
            self._workspace_id = row.workspace_id
        else:
            found = await workspace_store.get(core.db.read, self._workspace_id)
            assert found is not None
            row = found
        token = await core.db.write(workspaces.add_key, core.clock.now(), row, "story")
        return World(core, world.app, row, token.text, world.clock, world.rest)

    async def connect(self) -> None:
        """Put the intercoms up, and connect them by their addresses."""
        for index, use_tls in enumerate(self._tls):
            unit = Unit(
                serial=f"54-7000-{index:04d}",
                name=f"Door {index}",
                clock=self.clock,
                accounts=[LOGIN],
                firmware=FIRMWARES[self._firmwares[index]],
                switches=[SwitchConfig(mode="bistable")],
            )
            listener = Listener(unit, use_tls=use_tls)
            await listener.open()
            self._listeners.append(listener)
        for index in range(len(self.doors)):
            await self.log_in(index)
        rows = [
            await device_store.find_anywhere(
                self.world.core.db.read, self._workspace_id or "", "my_2n", one.unit.serial
            )
            for one in self._listeners
        ]
        self.world.devices = [row.device_id for row in rows if row is not None]
        assert len(self.world.devices) == len(self.doors)

    async def log_in(self, door: int) -> None:
        """As a person on the page does, who knows the device's address and why its certificate has changed."""
        core, listener = self.world.core, self._listeners[door]
        row = await core.db.write(webviews.create, core, self.world.workspace, Order(accepted_providers=["my_2n"]))
        visit = await webviews.visit(core, row.connect_webview_id, core.vault.open(row.token_sealed, webviews.TOKEN))
        assert visit is not None
        provider = webviews.provider_of(core, visit)
        assert provider is not None
        visit = await webviews.log_in(core, visit, provider, {"addresses": listener.url})
        assert visit.flow.account is not None
        refs = [one.ref for one in visit.flow.account.devices]
        visit = await webviews.choose(core, visit, refs)
        login = {"username": LOGIN.name, "password": LOGIN.password, "switch": "1", "trust": "yes"}
        visit, troubles = await webviews.log_in_devices(core, visit, provider, refs, login)
        assert not troubles, troubles
        await webviews.finish(core, visit, provider)

    async def unit(self, door: int) -> Unit:
        """The intercom of a door."""
        return self._listeners[door].unit

    # ------------------------------------------------------------ what its owner does

    def swap_certificate(self, door: int) -> None:
        """The device shows another certificate from now on."""
        self._listeners[door].new_certificate()

    async def move(self, door: int) -> None:
        """The device gets another address. Where it was, a stranger's intercom answers, with a login like ours."""
        ours = self._listeners[door]
        if ours.unit.is_off:
            return
        before = ours.port
        await ours.move(0)
        unit = Unit(serial=f"54-6666-{len(self._others):04d}", clock=self.clock, accounts=[LOGIN])
        entry = unit.directory.find(await directory.add(unit, "Stranger", STRANGERS_PIN))
        assert entry is not None
        theirs = Listener(unit, port=before, use_tls=ours.fingerprint is not None)
        await theirs.open()
        seen = Door()
        spy(unit, seen)
        self._others.append(theirs)
        self.strangers.append((unit, seen, image(entry)))

    async def mend(self) -> None:
        """Everything that can be mended from outside is; a person connects the devices again."""
        await super().mend()
        for index, listener in enumerate(self._listeners):
            while listener.unit.is_off:
                await self.loop.advance(5)
            self.loop.is_visible = False
            await self.loop.drive(self.log_in(index))
            self.loop.is_visible = True

    def close(self) -> None:
        """The end of the world."""
        if self._server is not None:
            self.run(self.stop(abrupt=True))
        self.run(self._close_listeners())
        super().close()

    async def _close_listeners(self) -> None:
        for one in (*self._listeners, *self._others):
            await one.close()
        # Some connections are still about to be accepted, others about to end.
        transports: Any = self.loop._transports  # type: ignore[attr-defined]
        for _ in range(10):
            for transport in list(transports.values()):
                transport.abort()
            await asyncio.sleep(0)

    @staticmethod
    def is_hardware(task: "asyncio.Task[Any]") -> bool:
        """A task of an intercom: they have power of their own."""
        code = getattr(task.get_coro(), "cr_code", None)
        name = code.co_filename if code is not None else ""
        return "/emulator/" in name or "aiohttp/web" in name
