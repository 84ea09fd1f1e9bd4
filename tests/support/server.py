"""A server in this process: called over ASGI, its intercoms at hand, its clock driven."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from doorward.app import running
from doorward.clock import Clock, ManualClock
from doorward.config import Config
from doorward.core import webviews, workspaces
from doorward.core.context import Core
from doorward.core.webviews import Order
from doorward.providers.my_2n.emulator import Unit
from doorward.store import devices as device_store
from doorward.store.workspaces import WorkspaceRow

PATIENCE_S = 40.0
QUIET_TURNS = 8
"""Turns of the loop without anything to do, after which there is nothing."""
SOON_S = 0.05
REST_S = 15.0
"""What takes longer is not waited for. A disk that is written to by others too can stall for seconds."""
EMAIL = "jane@example.com"
SINCE = "2000-01-01T00:00:00Z"
DAY_S = 86_400


async def until(what: Callable[[], Any], patience: float = PATIENCE_S, why: str = "") -> Any:
    """Wait until `what` (plain, or a coroutine function) gives something true; fail when it takes too long."""
    deadline = time.monotonic() + patience
    while True:
        found = what()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {why or what}; last: {found!r}")
        await asyncio.sleep(0.004)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    def __repr__(self) -> str:
        return f"<Reply {self.status} {self.body[:600]!r}>"


async def request(
    app: Any,
    method: str,
    path: str,
    *,
    query: str = "",
    body: bytes | list[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    lines: Sequence[tuple[bytes, bytes]] = (),
) -> Reply:
    """One HTTP request over ASGI. `lines`: headers as they are, of which several may have one name."""
    chunks = list(body) if isinstance(body, list) else [body]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (n.lower().encode(), v.encode("latin-1")) for n, v in {"host": "door.test", **(headers or {})}.items()
        ]
        + list(lines),
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8080),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        if chunks:
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    return Reply(
        status=start["status"],
        headers={n.decode(): v.decode() for n, v in start["headers"]},
        body=b"".join(m.get("body", b"") for m in sent[1:]),
    )


class Rest:
    """Waits until nothing is left to do: no callback is ready, no socket has bytes, no short timer of the event loop
    runs, the database has answered.

    What waits for longer (a long poll, a pause between tries) counts as at rest.
    """

    def __init__(self, db: Any) -> None:
        self._under_way = 0
        for holder, name in ((db, "write"), (db.read, "all"), (db.read, "one")):
            setattr(holder, name, self._counted(getattr(holder, name)))

    def _counted(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._under_way += 1
            try:
                return await work(*args, **kwargs)
            finally:
                self._under_way -= 1

        return call

    async def __call__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        deadline, quiet = time.monotonic() + REST_S, 0
        while quiet < QUIET_TURNS and time.monotonic() < deadline:
            soon = loop.time() + SOON_S
            is_waiting = self._under_way or any(t._when < soon and not t._cancelled for t in loop._scheduled)
            await asyncio.sleep(0.0005 if is_waiting else 0)
            # Whatever has become ready in this turn stands behind us in the line.
            quiet = 0 if is_waiting or loop._ready else quiet + 1


@dataclass
class World:
    """A running server, one of its workspaces, and a key to it."""

    core: Core
    app: Any
    workspace: WorkspaceRow
    key: str
    clock: Any
    rest: "Rest"
    devices: list[str] = field(default_factory=list)
    """Ids of the devices that were connected last."""

    # ------------------------------------------------------------ calls

    async def raw(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        query: str | Mapping[str, Any] = "",
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Reply:
        """A call as it is; `body` is bytes, or what becomes JSON."""
        sent = {"authorization": f"Bearer {self.key if key is None else key}"} if key != "" else {}
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            sent["content-type"] = "application/json"
        text = query if isinstance(query, str) else urlencode(query, doseq=True)
        return await request(self.app, method, path, query=text, body=data, headers={**sent, **(headers or {})})

    async def call(self, path: str, **body: Any) -> Any:
        """A call that must succeed; its answer."""
        reply = await self.raw(path, body)
        assert reply.status == 200, (path, body, reply)
        return reply.json

    async def fail(self, path: str, status: int, kind: str, **body: Any) -> Any:
        """A call that must fail so; its error."""
        reply = await self.raw(path, body)
        assert (reply.status, reply.error["type"]) == (status, kind), (path, body, reply)
        return reply.error

    # ------------------------------------------------------------ looking

    async def device(self, index: int = 0) -> Any:
        return (await self.call("/devices/get", device_id=self.devices[index]))["device"]

    async def code(self, access_code_id: str) -> Any:
        return (await self.call("/access_codes/get", access_code_id=access_code_id))["access_code"]

    async def events(self, **which: Any) -> list[Any]:
        found: list[Any] = (await self.call("/events/list", since=SINCE, **which))["events"]
        return found

    async def types(self, **which: Any) -> list[str]:
        """Types of the events, without the word before the first dot being shortened."""
        return [event["event_type"] for event in await self.events(**which)]

    async def attempt(self, action_attempt_id: str) -> Any:
        return (await self.call("/action_attempts/get", action_attempt_id=action_attempt_id))["action_attempt"]

    # ------------------------------------------------------------ time

    async def settle(self, seconds: float = 0.03) -> None:
        """Let what is under way go on for a moment of real time, and until nothing is."""
        await asyncio.sleep(seconds)
        await self.rest()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Move the clock on, in steps, and let what was waiting for it run."""
        left = seconds
        while left > 0:
            now = min(step, left)
            await self.clock.advance(now)
            await self.settle(0.001)
            left -= now

    async def eventually(self, what: Callable[[], Any], *, step: float = 0.5, patience: float = PATIENCE_S) -> Any:
        """As `until`, while time passes."""
        deadline = time.monotonic() + patience
        while True:
            found = what()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {patience} s; last: {found!r}"
            await self.clock.advance(step)
            await self.settle(0.001)

    # ------------------------------------------------------------ devices

    async def connect(
        self,
        *,
        email: str = EMAIL,
        count: int = 1,
        skip: int = 0,
        order: Order | None = None,
        workspace: WorkspaceRow | None = None,
        webview_id: str | None = None,
    ) -> str:
        """Log in a sandbox account and `count` of its devices, leave `skip` more without login; the webview's id.
        `webview_id`: through one that is there already."""
        core = self.core
        workspace = workspace or self.workspace
        if webview_id is not None:
            row = await webviews.get(core.db.read, workspace.workspace_id, webview_id)
        else:
            row = await core.db.write(webviews.create, core, workspace, order or Order(accepted_providers=["my_2n"]))
        token = core.vault.open(row.token_sealed, webviews.TOKEN)
        visit = await webviews.visit(core, row.connect_webview_id, token)
        assert visit is not None
        provider = webviews.provider_of(core, visit)
        assert provider is not None
        visit = await webviews.log_in(core, visit, provider, {"email": email, "password": "1234"})
        assert visit.flow.account is not None
        refs = [one.ref for one in visit.flow.account.devices[: count + skip]]
        visit = await webviews.choose(core, visit, refs)
        login = {"username": "jane", "password": "1234"}
        visit, troubles = await webviews.log_in_devices(core, visit, provider, refs[:count], login)
        assert not troubles
        for ref in refs[count:]:
            visit = await webviews.skip_device(core, visit, ref)
        visit = await webviews.finish(core, visit, provider)
        account_id = visit.row.connected_account_id
        assert account_id is not None
        rows = await device_store.of_account(core.db.read, workspace.workspace_id, account_id)
        by_ref = {one.ref: one.device_id for one in rows}
        if workspace is self.workspace:
            self.devices = [by_ref[ref] for ref in refs]
        return row.connect_webview_id

    async def unit(self, index: int = 0) -> Unit:
        """The virtual intercom behind a device."""
        row = await device_store.get(self.core.db.read, self.workspace.workspace_id, self.devices[index])
        assert row is not None
        key = (self.workspace.workspace_id, row.ref)
        await until(lambda: key in alive(self.core), why="nobody has used the virtual intercom yet")
        return unit_of(self.core, *key)

    async def unit_to_be(self, index: int = 0, *, email: str = EMAIL) -> Unit:
        """The virtual intercom behind a device that will be connected."""
        provider: Any = self.core.providers["my_2n"]
        about = (self.workspace.workspace_id, email)
        refs = await provider.twins.of_login(*about)
        unit: Unit = (await provider.twins.open(*about, refs[index])).unit
        return unit

    async def watched(self, index: int = 0) -> Unit:
        """The intercom, once the server follows what happens at it."""
        unit = await self.unit(index)
        await until(lambda: unit.log._channels, why="nobody watches the device")
        await self.settle(0.05)
        return unit


def unit_of(core: Core, workspace_id: str, ref: str) -> Unit:
    """The virtual intercom with this serial number; it must be alive."""
    unit = alive(core).get((workspace_id, ref))
    assert unit is not None
    return unit


def alive(core: Core) -> dict[tuple[str, str], Unit]:
    """Every virtual intercom that lives now."""
    provider: Any = core.providers["my_2n"]
    return {key: twin.unit for key, twin in provider.twins._alive.items()}


@asynccontextmanager
async def serving(
    folder: Path, database_url: str | None, clock: Clock | None = None, **options: Any
) -> AsyncIterator[World]:
    """A server that runs, with the first sandbox and a key to it. Open it again on the same folder to restart it."""
    settings: dict[str, Any] = {"command_wait": 5.0, "secret_key": None, **options}
    config = Config(data_dir=folder, database_url=database_url, **settings)
    clock = clock or ManualClock()
    async with running(config, clock) as server:
        core = server.core
        rest = Rest(core.db)
        workspace = await core.db.write(workspaces.first_sandbox, clock.now())
        token = await core.db.write(workspaces.add_key, clock.now(), workspace, "test")
        yield World(core, server.app, workspace, token.text, clock, rest)


async def new_workspace(world: World, name: str, *, is_sandbox: bool = True) -> World:
    """Another workspace of the same server, with a key of its own."""
    core = world.core
    row = await core.db.write(workspaces.create, core.clock.now(), name, is_sandbox=is_sandbox)
    token = await core.db.write(workspaces.add_key, core.clock.now(), row, "test")
    return World(core, world.app, row, token.text, world.clock, world.rest)
