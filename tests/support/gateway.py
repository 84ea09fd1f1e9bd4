"""An imitation of a gateway before a device: 2N's own is not public.

A small reverse proxy with what any such thing has: a path for each device, a header of its own, latency, and answers
of its own when something is wrong.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from doorward.providers.my_2n.client import Timeouts, TwoNClient
from doorward.providers.my_2n.emulator import Running, Unit, start_units
from doorward.providers.my_2n.tunnel import Tunnel

HEADER = "X-Gateway-Key"
KEY = "Bearer only-the-gateway-knows"


@dataclass
class Gateway:
    """An imitation of a tunnel: `/raa/{device}/…` goes to the device, with the `HEADER` checked and taken off."""

    routes: dict[str, str]
    latency: float = 0.0
    answer: int | None = None
    """Given in place of the device's."""
    challenge: str | None = None
    forwards_first: bool = False
    """The device is asked all the same: a gateway that gives up waiting."""
    asked: list[tuple[str, bool]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.path_qs, "Authorization" in request.headers))
        await asyncio.sleep(self.latency)
        if request.headers.get(HEADER) != KEY:
            headers = {"WWW-Authenticate": self.challenge} if self.challenge else {}
            return web.Response(status=401, text="who are you?", headers=headers)
        device, _, path = request.raw_path.removeprefix("/raa/").partition("/")
        if self.answer is not None and not self.forwards_first:
            return web.Response(status=self.answer, text="<html>gateway</html>")
        passed = {k: v for k, v in request.headers.items() if k not in (HEADER, "Host", "Connection")}
        if device not in self.routes:
            return web.Response(status=404, text="no such device")
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, f"{self.routes[device]}/{path}", headers=passed, data=await request.read()
            ) as reply,
        ):
            body = await reply.read()
            if self.answer is not None and reply.status != 401:
                return web.Response(status=self.answer, text="<html>gateway</html>")
            kept = {k: v for k, v in reply.headers.items() if k in ("WWW-Authenticate", "Content-Type")}
            return web.Response(status=reply.status, body=body, headers=kept)


@dataclass
class Scene:
    gateway: Gateway
    running: Running

    @property
    def unit(self) -> Unit:
        return self.running.units[0]

    @contextlib.asynccontextmanager
    async def client(self, password: str = "1234", key: str = KEY) -> AsyncIterator[TwoNClient]:
        tunnel = Tunnel(f"{self.gateway.url}/raa/{{device}}/", HEADER, key)
        base = tunnel.base_of(self.unit.serial)
        one = TwoNClient(base, "jane", password, tunnel=tunnel, timeouts=Timeouts(ordinary=8.0))
        try:
            yield one
        finally:
            await one.close()


@contextlib.asynccontextmanager
async def open_scene(device: str | None = None) -> AsyncIterator[Scene]:
    """An intercom behind a gateway, under an id that is its serial number unless told otherwise."""
    async with await start_units() as running:
        gateway = Gateway({device or running.units[0].serial: running.urls[0]})
        runner = web.ServerRunner(web.Server(gateway.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield Scene(gateway, running)
        await runner.cleanup()
