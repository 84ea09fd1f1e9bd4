"""A receiver of webhooks on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What was received, and what is answered."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _n: 200
    """The status of the n-th answer, from 0."""
    slowness_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    """Nothing is answered before it is set."""

    @property
    def types(self) -> list[str]:
        return [one.event["event_type"] for one in self.received]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        number = len(self.received)
        self.received.append(Received({name.lower(): value for name, value in request.headers.items()}, body))
        if self.gate is not None:
            await self.gate.wait()
        if self.slowness_s:
            await asyncio.sleep(self.slowness_s)
        return web.Response(status=self.answer(number), headers=self.headers)


@asynccontextmanager
async def receiver(**settings: Any) -> AsyncIterator[Receiver]:
    """A receiver, until the end of the block."""
    made = Receiver(**settings)
    app = web.Application()
    app.router.add_post("/{rest:.*}", made._take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield made
    finally:
        await runner.cleanup()
