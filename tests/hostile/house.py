"""A server with its intercoms on a timeline, and the model of what it should do. Rules act here; `checks` judges.

A restart is a new server on the same data, in the same world: graceful (drained) or abrupt (every task is cut where
it stands, and nothing reaches the database any more).
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import currently_in_test_context, note
from tests.support.server import Reply, World, serving

from doorward.providers.my_2n.emulator import Unit
from doorward.providers.my_2n.emulator.auth import Account, ServiceSettings
from doorward.providers.my_2n.emulator.switches import API
from doorward.store.db import StoreUnavailable

from .listening import Said
from .model import Code, Door, image
from .timeline import LoopClock, Timeline

T = TypeVar("T")

LOGIN = Account("jane", "1234")


class House:
    """The world."""

    def __init__(self, folder: Path, database_url: str | None, said: Said, *, doors: int = 2) -> None:
        self.loop = Timeline()
        self.loop.set_exception_handler(said.loop_trouble)
        self.clock = LoopClock(self.loop)
        self.said = said
        self.doors = [Door() for _ in range(doors)]
        self.codes: list[Code] = []
        self.strangers: list[tuple[Unit, Door, bytes]] = []
        """Intercoms of other people, at addresses that were ours: what they were asked for, and their one entry."""
        self.attempts: list[str] = []
        self.deeds: list[object] = []
        """What has happened, for whoever counts."""
        self._numbers = itertools.count(1)
        self._folder = folder
        self._database_url = database_url
        self._ids: list[str] = []
        self._server: asyncio.Task[None] | None = None
        self._leave: asyncio.Future[None] | None = None
        self._world: World | None = None
        self._is_dead = False
        self._under_way: set[asyncio.Future[Any]] = set()
        self.run(self.start())

    # ------------------------------------------------------------ running

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one step of the story."""
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work)

    def tell(self, text: str) -> None:
        """A line of the replay."""
        if currently_in_test_context():
            note(f"    {self.loop.now_ms / 1000:>10.3f} s  {text}")

    def number(self) -> int:
        """A new number for a name."""
        return next(self._numbers)

    @property
    def now(self) -> int:
        """The server's time."""
        return self.clock.now()

    @property
    def world(self) -> World:
        """The server that runs."""
        assert self._world is not None
        return self._world

    def keep(self, work: Awaitable[Any]) -> None:
        """Let something go on by itself."""
        future = asyncio.ensure_future(work)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

    # ------------------------------------------------------------ the server's life

    async def start(self) -> None:
        """Start the server; the first time, connect the doors."""
        self._leave = self.loop.create_future()
        up: asyncio.Future[World] = self.loop.create_future()
        self._is_dead = False

        async def live() -> None:
            try:
                async with serving(self._folder, self._database_url, self.clock) as world:
                    self._count(world.core.db)
                    up.set_result(world)
                    assert self._leave is not None
                    await self._leave
            except BaseException as exc:
                if up.done():
                    raise
                up.set_exception(exc)

        self._server = asyncio.ensure_future(live())
        self.loop.is_visible = False
        self._world = await self.loop.drive(_result(up))
        self._world = await self.loop.drive(self.workplace(self._world))
        self.loop.is_visible = True
        if self._ids:
            self._world.devices = self._ids
        else:
            self.loop.is_visible = self.is_seen_connecting
            await self.loop.drive(self.connect())
            self.loop.is_visible = True
            self._ids = self._world.devices
        for index in range(len(self.doors)):
            spy(await self.unit(index), self.doors[index])

    # What a house with real intercoms does otherwise.

    is_seen_connecting = True
    """Connecting uses no thread that nobody counts."""

    async def workplace(self, world: World) -> World:
        """The workspace of the story."""
        return world

    async def connect(self) -> None:
        """Connect the doors, the first time."""
        await self.world.connect(count=len(self.doors))

    @staticmethod
    def is_hardware(task: "asyncio.Task[Any]") -> bool:
        """A task that does not die with the server."""
        return False

    def _count(self, db: Any) -> None:
        """So that time never moves while the database works, and a dead process writes nothing."""

        def counted(work: Callable[..., Awaitable[Any]], *, dies: bool) -> Callable[..., Awaitable[Any]]:
            async def call(*args: Any, **kwargs: Any) -> Any:
                if dies and self._is_dead:
                    raise StoreUnavailable("the process is dead")
                self.loop.busy += 1
                try:
                    return await work(*args, **kwargs)
                finally:
                    self.loop.busy -= 1

            return call

        db.write = counted(db.write, dies=True)
        close = db.close

        async def end() -> None:
            if self._is_dead and self._database_url is not None:
                # A killed process says no farewell: its connections break. Waiting for them to be given back would be
                # waiting for tasks that were killed.
                db._pool.terminate()
            await close()

        db.close = counted(end, dies=False)
        if self._database_url is not None:  # SQLite reads on the spot
            db.read.all = counted(db.read.all, dies=False)
            db.read.one = counted(db.read.one, dies=False)

    async def stop(self, *, abrupt: bool) -> None:
        """End the server."""
        assert self._server is not None and self._leave is not None
        if abrupt:
            self.said.is_dying = self._is_dead = True
            me = asyncio.current_task()
            mine = (me, self._server)
            others = [task for task in asyncio.all_tasks() if task not in mine and not self.is_hardware(task)]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._leave.set_result(None)
        await self.loop.drive(_ended(self._server))
        self._server = self._world = None
        self._under_way.clear()
        self.said.is_dying = False

    def close(self) -> None:
        """The end of the world."""
        if self._server is not None:
            self.run(self.stop(abrupt=True))
        self.run(_cancel_all())
        self.run(_cut_off(self.loop))
        self.run(self.loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        self.loop.close()

    # ------------------------------------------------------------ calls

    async def call(self, path: str, **body: Any) -> Reply:
        """A call, with the time that it takes."""
        return await self.loop.drive(self.world.raw(path, body))

    async def get(self, path: str, key: str, **body: Any) -> Any:
        """A call that must succeed; one member of its answer."""
        reply = await self.call(path, **body)
        assert reply.status == 200, (path, reply)
        return reply.json[key]

    def device_id(self, door: int) -> str:
        return self._ids[door]

    # ------------------------------------------------------------ hardware

    async def unit(self, door: int) -> Unit:
        """The intercom of a door."""
        return await self.loop.drive(self.world.unit(door))

    async def own(self, door: int, uuid: str) -> None:
        """Note an entry as the owner has left it."""
        entry = (await self.unit(door)).directory.find(uuid)
        key = uuid.lower()
        if entry is None:
            self.doors[door].owners.pop(key, None)
        else:
            self.doors[door].owners[key] = image(entry)
            self.doors[door].written_at[key] = self.now
            self.doors[door].owners_pins.add(entry.get("access.pin"))

    async def mend(self) -> None:
        """Everything that can be mended from outside is."""
        for index in range(len(self.doors)):
            unit = await self.unit(index)
            unit.faults.clear()
            unit.put_account(LOGIN)
            for service in unit.services:
                unit.configure_service(service, ServiceSettings())
            unit.time.offset_s = 0.0
            unit.report("ConfigurationChanged", {})
            spy(unit, self.doors[index])


class _Requests(deque[dict[str, Any]]):
    """The requests that a device remembers, counted."""

    def __init__(self, door: Door) -> None:
        super().__init__(maxlen=200)
        self._door = door

    def append(self, one: dict[str, Any]) -> None:
        self._door.requests += 1
        super().append(one)


def spy(unit: Unit, door: Door) -> None:
    """Count requests, and how often the API moved the access switch on."""
    switch = unit.switches[1]
    if "act" in vars(switch):
        return
    unit.requests = _Requests(door)
    act = switch.act

    def counted(action: str, now: int, *, origin: Any = API, timeout_s: int | None = None) -> None:
        act(action, now, origin=origin, timeout_s=timeout_s)
        if origin.originator == "api" and action in ("on", "trigger"):
            door.released += 1

    vars(switch)["act"] = counted


async def _result(future: asyncio.Future[T]) -> T:
    return await future


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait((task,))
    task.result()


async def _cut_off(loop: Any) -> None:
    """Connections end with their world, those that were just being accepted, too."""
    for transport in list(loop._transports.values()):
        transport.abort()
    for _ in range(2):
        await asyncio.sleep(0)


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
