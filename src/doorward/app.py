"""The only place that wires: opens the store, starts the loops, mounts the surfaces.

If the process dies half way through starting, nothing was served; migrations are one transaction, and the first
sandbox workspace is made under a lock.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

import doorward.api  # noqa: F401 - fills the table of routes
from doorward import __version__
from doorward.api.auth import headers_of
from doorward.api.dispatch import Api, base_url, failure, respond
from doorward.clock import Clock
from doorward.config import Config
from doorward.core.context import Core
from doorward.core.limits import Limits
from doorward.core.wake import Wake
from doorward.core.workspaces import first_sandbox
from doorward.crypto import Vault, load_master
from doorward.errors import NotFound
from doorward.forward import Forward
from doorward.ids import new_id, request_id
from doorward.portal import pages as portal
from doorward.providers.registry import registry
from doorward.store import due, webhooks
from doorward.store.db import Database
from doorward.store.open import open_store
from doorward.store.twins import Twins
from doorward.webview import pages
from doorward.work import outbox, sweep
from doorward.work.commands import Commander, close_orphans
from doorward.work.deliver import Deliverer
from doorward.work.links import Links
from doorward.work.reconcile import Reconciler
from doorward.work.watch import Watcher

if TYPE_CHECKING:
    from doorward.store.ownership import Ownership

log = structlog.get_logger()


class RouteNotFound(NotFound):
    """There is no such route."""

    type = "route_not_found"


@dataclass(frozen=True)
class Server:
    """A server that runs, but for its socket."""

    core: Core
    app: Any
    """The ASGI application."""


def make_core(config: Config, db: Database, clock: Clock) -> Core:
    """The parts that the rules work with."""
    vault = Vault(load_master(config.data_dir, config.secret_key))
    try:
        providers = registry(config, Twins(db, vault), clock)
    except ValueError as exc:
        refuse(str(exc))
    return Core(
        config=config,
        clock=clock,
        db=db,
        vault=vault,
        wake=Wake(clock),
        limits=Limits(clock, config.rate_limits),
        providers=providers,
        process_id=new_id(),
    )


@asynccontextmanager
async def running(
    config: Config, clock: Clock | None = None, owner: "Ownership | None" = None
) -> AsyncIterator[Server]:
    """The process that has the devices: store open, loops started. Leaving it drains and closes everything.

    `owner`: that no other server works on the database was made sure of already.
    """
    clock = clock or Clock()
    db = await open_store(config.data_dir, config.database_url, clock=clock, owner=owner)
    try:
        core = make_core(config, db, clock)
        await db.write(first_sandbox, clock.now())
        # This is the only process that works: whatever the last one was doing, nobody is doing now.
        await db.write(due.free_all)
        await close_orphans(core, all_of_them=True)
        links = Links(core)
        commander = Commander(core, links)
        reconciler = Reconciler(core, links)
        watcher = Watcher(core, links, commander, reconciler)
        watching = asyncio.ensure_future(watcher.run())
        core.listened_to.update(await webhooks.workspaces(db.read))
        deliverer = Deliverer(core)
        running_loops = (reconciler.run(), sweep.run(core), outbox.run(core, deliverer), deliverer.run())
        loops = [asyncio.ensure_future(loop) for loop in running_loops]
        try:
            yield Server(core, surfaces(core, Api(core, commander)))
        finally:
            await commander.drain()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await reconciler.drain()
            await deliverer.close()
            watching.cancel()  # last: it may have no time left for the devices, and cut them all off
            await asyncio.gather(watching, return_exceptions=True)
            await links.close()
            for provider in core.providers.values():
                await provider.close()
    finally:
        await db.close()


@asynccontextmanager
async def reading(config: Config, device_process: str) -> AsyncIterator[Server]:
    """A process that answers reads, and passes the rest on to the one that has the devices."""
    clock = Clock()
    db = await open_store(config.data_dir, config.database_url, clock=clock, exclusive=False)
    try:
        core = make_core(config, db, clock)
        links = Links(core)
        front = Forward(surfaces(core, Api(core, Commander(core, links))), device_process)
        try:
            yield Server(core, front)
        finally:
            await front.close()
    finally:
        await db.close()


# ---------------------------------------------------------------- surfaces


def surfaces(core: Core, api: Api) -> Any:
    """The API by its table; everything else by a few ordinary routes."""
    others = Starlette(
        routes=[
            *pages.routes(core),
            *portal.routes(core, api),
            Route("/", _home),
            Route("/openapi.json", _openapi(core)),
            Route("/livez", _alive),
            Route("/readyz", _ready(core)),
            Route("/internal/tlmtry", _telemetry, methods=["POST"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (scope["method"] == "OPTIONS" or api.find(scope["path"]) is not None):
            await api(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


class Answer(Response):
    """JSON with the headers that every answer of the API has."""

    def __init__(self, status: int, body: bytes, name: str) -> None:
        super().__init__(body, status)
        self.name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        origin = headers_of(scope["headers"]).get(b"origin")
        await respond(send, scope, self.status_code, bytes(self.body), origin, self.name, {})


async def _home(_request: Request) -> Response:
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Doorward</title>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>"
        f"<h1>Doorward</h1><p>This server speaks the Seam API (Doorward {__version__})."
        "<p><a href=/openapi.json>API description</a> · <a href=/health>Health</a></html>"
    )


def _openapi(core: Core) -> Any:
    async def serve(request: Request) -> Response:
        from doorward.api.openapi import document  # built when first asked for, not at start

        base = base_url(core.config.public_url, request.scope, dict(request.scope["headers"]))
        description = await asyncio.to_thread(document, base)  # a quarter of a second, the first time
        return Answer(200, msgspec.json.encode(description), request_id())

    return serve


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("alive\n")


def _ready(core: Core) -> Any:
    async def serve(_request: Request) -> Response:
        try:
            await core.db.read.one("SELECT 1")
        except Exception:
            log.exception("the database does not answer")
            return PlainTextResponse("the database does not answer\n", 503)
        return PlainTextResponse("ready\n")

    return serve


async def _telemetry(_request: Request) -> Response:
    """Seam's browser components report here; nothing is kept."""
    return Response(status_code=204, headers={"access-control-allow-origin": "*"})


async def _not_found(request: Request, _exc: Exception) -> Response:
    name = request_id()
    return Answer(404, failure(RouteNotFound(f"There is no route {request.method} {request.url.path}"), name), name)


def refuse(text: str) -> NoReturn:
    """Say why the program cannot go on, and end it."""
    sys.stderr.write(text.rstrip() + "\n")
    raise SystemExit(2)
