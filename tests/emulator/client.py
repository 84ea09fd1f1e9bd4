"""A small client of the 2N HTTP API for the tests, and a way to wait for something without sleeping."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from doorward.clock import Clock, ManualClock
from doorward.providers.my_2n.emulator import (
    VERSO,
    Account,
    Listener,
    Model,
    Privilege,
    Quirks,
    Running,
    SwitchConfig,
    Unit,
    start_units,
)

ANN = "5c7a3f10-90ab-4d5e-8f01-2233445566aa"


class Device:
    """One emulated intercom and an account to talk to it with."""

    def __init__(self, listener: Listener, session: aiohttp.ClientSession, clock: Clock) -> None:
        self.listener = listener
        self.session = session
        self._clock = clock

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self._clock, ManualClock)
        return self._clock

    @property
    def unit(self) -> Unit:
        return self.listener.unit

    @property
    def url(self) -> str:
        return self.listener.url

    async def reply(
        self, path: str, *, method: str = "GET", json: Any = None, headers: dict[str, str] | None = None, **params: Any
    ) -> dict[str, Any]:
        """The envelope."""
        query = {name: str(value) for name, value in params.items()}
        async with self.session.request(
            method, f"{self.url}/api/{path}", params=query, json=json, headers=headers
        ) as response:
            assert response.headers["Content-Type"] == "application/json"
            envelope: dict[str, Any] = await response.json()
            return envelope

    async def ok(self, path: str, **rest: Any) -> Any:
        """The result of a call that succeeds; None when there is none."""
        envelope = await self.reply(path, **rest)
        assert envelope["success"] is True, envelope
        return envelope.get("result")

    async def error(self, path: str, **rest: Any) -> tuple[int, str | None]:
        """Code and param of a call that fails."""
        envelope = await self.reply(path, **rest)
        assert envelope["success"] is False, envelope
        assert isinstance(envelope["error"]["description"], str)
        return envelope["error"]["code"], envelope["error"].get("param")

    async def put(self, path: str, body: Any, **params: Any) -> Any:
        """The result of a PUT with a JSON body."""
        return await self.ok(path, method="PUT", json=body, **params)

    async def query(self, **body: Any) -> Any:
        """The result of `dir/query`."""
        return await self.ok("dir/query", method="POST", json=body)

    async def subscribe(self, **params: Any) -> int:
        """A new channel's id."""
        result = await self.ok("log/subscribe", **params)
        return int(result["id"])

    async def pull(self, channel: int, timeout: int = 0) -> list[dict[str, Any]]:
        """The events of one pull."""
        result = await self.ok("log/pull", id=channel, timeout=timeout)
        events: list[dict[str, Any]] = result["events"]
        return events

    async def happened(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """All events since boot, or those with these names: name and params."""
        channel = await self.subscribe(include="all")
        found: list[tuple[str, dict[str, Any]]] = []
        while events := await self.pull(channel):
            found += [(event["event"], event["params"]) for event in events]
        await self.ok("log/unsubscribe", id=channel)
        return [event for event in found if not names or event[0] in names]


class Control:
    """A client of the control plane, and one of the intercom it controls."""

    def __init__(self, running: Running, session: aiohttp.ClientSession, clock: ManualClock) -> None:
        self.running = running
        self.session = session
        self.clock = clock
        self.unit = running.units[0]

    async def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        url = f"{self.running.control_url}/devices/{self.unit.serial}{path}"
        async with self.session.request(method, url, json=body) as response:
            result = await response.json()
            assert response.status == status, result
            assert (status < 400) == ("error" not in result)
            return result


@contextlib.asynccontextmanager
async def device(
    *,
    quirks: Quirks | None = None,
    switches: list[SwitchConfig] | None = None,
    model: Model = VERSO,
    privileges: frozenset[Privilege] | None = None,
    clock: Clock | None = None,
    zone: str = "UTC",
) -> AsyncIterator[Device]:
    """An intercom on a driven clock, and a client that is logged in."""
    clock = clock or ManualClock()
    account = Account("jane", "1234") if privileges is None else Account("jane", "1234", privileges)
    async with await start_units(
        clock=clock, quirks=quirks, switches=switches, model=model, accounts=[account], zone=zone
    ) as running:
        login = aiohttp.DigestAuthMiddleware("jane", "1234")
        async with aiohttp.ClientSession(middlewares=[login]) as session:
            yield Device(running.listeners[0], session, clock)


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks and sockets run until something is so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 5
    while not condition():
        assert loop.time() < deadline, "waited in vain"
        await asyncio.sleep(0.001)


def pulling(of: Device) -> Callable[[], bool]:
    """Does a long poll wait at the intercom?"""
    return lambda: any(r["path"] == "/api/log/pull" and r["status"] is None for r in of.unit.requests)


def user(pin: str, name: str = "Guest", **more: Any) -> dict[str, Any]:
    """A directory entry with a PIN."""
    access = {"pin": pin, **more.pop("access", {})}
    return {"name": name, "access": access, **more}


def answer(challenge: str, uri: str, *, method: str = "GET", password: str = "1234", count: int = 1) -> str:
    """An `Authorization` header by RFC 2617, computed here, not by the code under test."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    first, second = md5(f"jane:{fields['realm']}:{password}"), md5(f"{method}:{uri}")
    response = md5(f"{first}:{fields['nonce']}:{count:08x}:c0ffee:auth:{second}")
    return (
        f'Digest username="jane", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", '
        f'qop=auth, nc={count:08x}, cnonce="c0ffee", response="{response}"'
    )
