"""Intercoms for the tests of drivers: a link, the device behind it, and what a person there could do and see."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorward.clock import ManualClock
from doorward.providers.errors import Offline
from doorward.providers.events import (
    AlarmsForgotten,
    Bookmark,
    DeviceEvent,
    Noted,
    StateRead,
)
from doorward.providers.my_2n.client import Timeouts, TwoNClient
from doorward.providers.my_2n.driver import TwoNLink
from doorward.providers.my_2n.emulator import (
    VERSO,
    Account,
    Model,
    Privilege,
    Quirks,
    SwitchConfig,
    Unit,
    protocol_factory,
    start_units,
)
from doorward.providers.my_2n.transport import InProcess
from doorward.providers.reports import WantedCode

WORKSPACE = "0f3c2a10-90ab-4d5e-8f01-2233445566aa"
OWNER = "doorward-0f3c2a1090ab"
GUEST = "5c7a3f10-90ab-4d5e-8f01-000000000001"
OTHER = "5c7a3f10-90ab-4d5e-8f01-000000000002"
DEVICE = "54-9001-0042"
JANE = {"username": "jane", "password": "1234"}
BISTABLE = SwitchConfig(mode="bistable")
MONOSTABLE = SwitchConfig(mode="monostable", duration=5)


@dataclass
class World:
    """One intercom and a link to it."""

    link: TwoNLink
    unit: Unit
    clock: ManualClock
    wire: str
    client: Callable[..., TwoNClient]
    """Another client of the same device, for tests below the link."""
    secret: dict[str, Any]
    """The login the link will use when it first needs it."""
    stop: Callable[[], Any]
    """Pulls the plug."""
    drop: Callable[[], None]
    """The device cuts every connection it has."""
    url: str = "http://twin"
    fingerprint: str = ""
    device: str = DEVICE
    bookmark: Bookmark = field(default_factory=Bookmark)
    """How far its log was read: kept, as the server keeps it, from one watcher to the next."""

    def requests(self, path: str = "") -> list[tuple[str, str, str]]:
        """What the device was asked: method, path, query."""
        return [(r["method"], r["path"], r["query"]) for r in self.unit.requests if path in r["path"]]

    def pins(self) -> dict[str, str]:
        """What its directory holds."""
        return {entry.uuid: entry.get("access.pin") for entry in self.unit.directory.live()}

    def put_user(self, uuid: str, **values: Any) -> None:
        """Somebody edits the directory at the device itself."""
        (result,) = self.unit.directory.create([{"uuid": uuid, **values}], force=True)["users"]
        assert "errors" not in result


@contextlib.asynccontextmanager
async def world(
    wire: str = "in-process",
    *,
    switch: SwitchConfig = BISTABLE,
    model: Model = VERSO,
    quirks: Quirks | None = None,
    zone: str = "UTC",
    privileges: frozenset[Privilege] | None = None,
    timeouts: Timeouts | None = None,
) -> AsyncIterator[World]:
    """An intercom on a driven clock, behind `in-process`, `socket` or `tls`."""
    clock = ManualClock()
    account = Account("jane", "1234") if privileges is None else Account("jane", "1234", privileges)
    secret: dict[str, Any] = {**JANE, "device_id": 7}
    async with contextlib.AsyncExitStack() as stack:
        if wire == "in-process":
            unit = Unit(
                model, serial=DEVICE, clock=clock, accounts=[account], switches=[switch], quirks=quirks, zone=zone
            )
            factory = protocol_factory(unit)
            stack.push_async_callback(unit.close)
            stack.push_async_callback(factory.close)
            is_up = [True]

            def client(username: str = "jane", password: str = "1234", **more: Any) -> TwoNClient:
                more = {"timeouts": timeouts, "connector": lambda: InProcess(factory, is_up=lambda: is_up[0]), **more}
                return TwoNClient("http://twin", username, password, **more)

            async def stop() -> None:
                is_up[0] = False
                factory.drop()

            drop = factory.drop
            url, fingerprint = "http://twin", ""
        else:
            running = await stack.enter_async_context(
                await start_units(
                    clock=clock,
                    accounts=[account],
                    switches=[switch],
                    model=model,
                    quirks=quirks,
                    zone=zone,
                    use_tls=wire == "tls",
                )
            )
            listener = running.listeners[0]
            unit = listener.unit

            def client(username: str = "jane", password: str = "1234", **more: Any) -> TwoNClient:
                return TwoNClient(
                    listener.url,
                    username,
                    password,
                    **{"timeouts": timeouts, "pin": listener.fingerprint, **more},
                )

            async def stop() -> None:
                await listener.close()

            drop = listener.emulated.drop
            url, fingerprint = listener.url, listener.fingerprint or ""

        async def connect(_ref: str, login: Mapping[str, Any]) -> TwoNClient:
            return client(login["username"], login["password"])

        link = TwoNLink(WORKSPACE, {DEVICE: secret}, connect, clock)
        stack.push_async_callback(link.close)
        yield World(link, unit, clock, wire, client, secret, stop, drop, url, fingerprint)


def code(pin: str = "040718", *, ref: str = GUEST, name: str = "Guest", **more: Any) -> WantedCode:
    """A wanted access code."""
    return WantedCode(code_id="c", ref=ref, name=name, pin=pin, **more)


async def within(awaitable: Any, seconds: float = 5.0) -> Any:
    """A result that must come soon."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks and sockets run until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - conditions of the emulator, which rings no bell of ours
            await asyncio.sleep(0)


class Watching:
    """A watcher under test: what it told so far, and the next thing it tells."""

    def __init__(self, events: AsyncGenerator[DeviceEvent, None]) -> None:
        self._events = events

    async def next(self) -> DeviceEvent:
        """The next event that is more than a note."""
        while isinstance(event := await self.any(), Noted | AlarmsForgotten):
            pass
        return event

    async def any(self) -> DeviceEvent:
        """The next event, whatever it is."""
        event: DeviceEvent = await within(anext(self._events))
        return event

    async def state(self) -> StateRead:
        event = await self.next()
        assert isinstance(event, StateRead), event
        return event


@contextlib.asynccontextmanager
async def watching(world: World) -> AsyncIterator[Watching]:
    """A watcher of the device, its first state taken."""
    async with contextlib.aclosing(world.link.watch(world.device, world.bookmark)) as events:
        yield Watching(events)


def pulling(unit: Unit) -> bool:
    """Does a long poll wait at the device?"""
    last = [r for r in unit.requests if r["path"] == "/api/log/pull"]
    return bool(last) and last[-1]["status"] is None


class MemoryStore:
    """A `TwinStore` in memory that counts what is written, and can fail."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], tuple[str, bytes]] = {}
        self.loads = 0
        self.saves = 0
        self.fails = False

    async def find(self, workspace_id: str, brand: str, owner: str) -> list[tuple[str, bytes]]:
        return [
            (ref, state)
            for (workspace, kind, ref), (whose, state) in self.rows.items()
            if (workspace, kind, whose) == (workspace_id, brand, owner)
        ]

    async def load(self, workspace_id: str, brand: str, ref: str) -> bytes | None:
        self.loads += 1
        row = self.rows.get((workspace_id, brand, ref))
        return row[1] if row else None

    async def save(self, workspace_id: str, brand: str, owner: str, ref: str, state: bytes) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise Offline("The store is full.")
        self.saves += 1
        self.rows[workspace_id, brand, ref] = (owner, state)

    async def forget(self, workspace_id: str) -> None:
        self.rows = {key: row for key, row in self.rows.items() if key[0] != workspace_id}
