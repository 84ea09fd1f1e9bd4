"""`doorward serve`: sockets, signals, processes, and what a newcomer reads first."""

import asyncio
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

import structlog
import uvicorn

from doorward import __version__
from doorward.app import Server, refuse, running
from doorward.config import Config
from doorward.core.workspaces import starter_key
from doorward.crypto import VaultError
from doorward.log import configure
from doorward.store.db import StoreError

log = structlog.get_logger()

DRAIN_S = 20


def listen(config: Config) -> socket.socket:
    """The socket that the server answers on. Ends the program with a sentence when it cannot be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((config.host, config.port))
    except OSError as exc:
        sock.close()
        refuse(f"Cannot listen on {config.host}:{config.port}: {exc.strerror}. Choose another with --host and --port.")
    sock.set_inheritable(True)
    return sock


def serve(config: Config) -> None:
    """Serve until told to stop. Ends with 0 after SIGTERM or SIGINT."""
    configure(config.log_level, config.log_format)
    if config.workers > 1 and not config.database_url:
        refuse(
            "--workers above 1 needs PostgreSQL (--database-url): on SQLite one process owns every write. "
            "One process serves thousands of requests a second."
        )
    sock = listen(config)
    if config.workers == 1:
        _serve_here(config, sock, greet=True)
        return
    _supervise(config, sock)


def _serve_here(config: Config, sock: socket.socket, *, greet: bool) -> None:
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(config, sock, greet=greet))
    except (StoreError, VaultError) as exc:
        refuse(str(exc))


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(config: Config, sock: socket.socket, *, greet: bool) -> None:
    async with running(config) as server:
        web = uvicorn.Server(
            uvicorn.Config(
                server.app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
                timeout_keep_alive=65,
                backlog=2048,
            )
        )
        if greet:
            await _greet(config, server, sock)
        await web.serve(sockets=[sock])


async def _greet(config: Config, server: Server, sock: socket.socket) -> None:
    """What a newcomer copies and pastes. Goes to stdout, once."""
    host, port = sock.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    url = config.public_url or f"http://{shown}:{port}"
    key = await server.core.db.write(starter_key, server.core)
    sys.stdout.write(
        f"Doorward {__version__}\n\n"
        f"  API      {url}\n"
        f"  Console  {url}/\n"
        f"  Data     {(config.database_url and 'PostgreSQL') or config.data_dir}\n\n"
        "Point any Seam SDK at the sandbox:\n\n"
        f"  export SEAM_ENDPOINT={url}\n"
        f"  export SEAM_API_KEY={key}\n\n"
    )
    sys.stdout.flush()


def _supervise(config: Config, sock: socket.socket) -> None:
    """Keep N processes alive; each is a whole server on the shared socket and database."""
    children: dict[int, bool] = {}
    stopping = False

    def start(*, greet: bool) -> None:
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            status = 1
            try:
                _serve_here(config, sock, greet=greet)
                status = 0
            except SystemExit as exc:
                status = exc.code if isinstance(exc.code, int) else 1
            finally:
                os._exit(status)
        children[pid] = greet

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            os.kill(pid, signal.SIGTERM)

    start(greet=True)
    for _ in range(config.workers - 1):
        start(greet=False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while children:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        children.pop(pid, None)
        code = os.waitstatus_to_exitcode(status)
        if code == 2 and not stopping:
            stop(signal.SIGTERM, None)
            raise SystemExit(2)
        if not stopping:
            log.error("a worker process ended; starting another", exit_code=code)
            start(greet=False)
