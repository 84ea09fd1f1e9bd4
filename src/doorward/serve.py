"""`doorward serve`: sockets, signals, processes, and what a newcomer reads first."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import structlog
import uvicorn

from doorward import __version__
from doorward.app import Server, reading, refuse, running
from doorward.config import Config
from doorward.core.workspaces import starter_key
from doorward.crypto import VaultError
from doorward.log import configure
from doorward.standby import Front, Turn, wait_for_devices
from doorward.store.db import StoreError

log = structlog.get_logger()
T = TypeVar("T")

DRAIN_S = 20
RESTART_PAUSE_S = 0.5
COLLECT = (10_000, 20, 10)
"""When the collector looks for garbage (Python's own figures are 700, 10, 10). Thousands of watched devices are
objects that stay: rarer looks find more garbage and less of those, and pause the loop for a shorter time."""


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
    if config.standby and not config.database_url:
        refuse(
            "--standby needs PostgreSQL (--database-url): a SQLite file belongs to one server on one machine. "
            "Let a supervisor start that server again when it ends."
        )
    sock = listen(config)
    turn = Turn()
    if config.workers == 1:
        _serve_here(config, [sock], turn, greet=True)
        return
    _supervise(config, sock, turn)


def _serve_here(
    config: Config, sockets: list[socket.socket], turn: Turn, *, greet: bool, device_process: str | None = None
) -> None:
    """Serve in this process; `device_process` None: this is the one that has the devices."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            if device_process is not None:
                runner.run(_serve_reads(config, sockets, turn, device_process))
            elif config.standby:
                runner.run(_serve_in_turn(config, sockets, turn, greet=greet))
            else:
                runner.run(_serve(config, sockets, greet=greet))
    except (StoreError, VaultError) as exc:
        refuse(str(exc))


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class WebServer(uvicorn.Server):
    """uvicorn, but for signals: it would raise SIGTERM again after draining, and the exit status would not be 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _web_server(app: Any) -> WebServer:
    """What speaks HTTP. From here on a signal asks it to end."""
    web = WebServer(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # --public-url says what users see
            timeout_graceful_shutdown=DRAIN_S,
            timeout_keep_alive=65,
            backlog=2048,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, web.handle_exit, number, None)
    return web


async def _serve(config: Config, sockets: list[socket.socket], *, greet: bool) -> None:
    """Serve, as the process that has the devices."""
    async with running(config) as server:
        if greet:
            await _greet(config, server, sockets[0])
        _keep_what_is_there()
        await _web_server(server.app).serve(sockets=sockets)
        _forget_garbage()


async def _serve_reads(config: Config, sockets: list[socket.socket], turn: Turn, device_process: str) -> None:
    """Serve beside it. While the server stands by, that process alone listens."""
    if config.standby:
        await turn.wait()
    async with reading(config, device_process) as server:
        _keep_what_is_there()
        await _web_server(Front(turn, server.app) if config.standby else server.app).serve(sockets=sockets)
        _forget_garbage()


async def _serve_in_turn(config: Config, sockets: list[socket.socket], turn: Turn, *, greet: bool) -> None:
    """As `_serve`, but listening from the start, and with the devices once no other server has them.

    A signal ends the waiting; a start that has begun is finished, and then everything is closed again.
    """
    front = Front(turn)
    web = _web_server(front)
    gc.enable()
    serving = asyncio.ensure_future(web.serve(sockets=sockets))
    try:
        owner = await _unless(serving, wait_for_devices(config))
        if owner is None:
            return
        async with running(config, owner=owner) as server:
            front.app = server.app
            turn.begin()
            log.info("this server has the devices now")
            if greet and not web.should_exit:  # else the socket is closed already
                await _greet(config, server, sockets[0])
            _keep_what_is_there()
            await serving
            _forget_garbage()
    finally:
        web.should_exit = True
        await serving


async def _unless(ended: asyncio.Future[None], work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; None when `ended` comes first."""
    task = asyncio.ensure_future(work)
    await asyncio.wait((ended, task), return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    return None if task.cancelled() else task.result()


def _keep_what_is_there() -> None:
    """What was made so far stays: the collector need not look at it again."""
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gc.enable()


def _forget_garbage() -> None:
    """The memory ends with the process: looking through it for garbage would take seconds with many devices."""
    gc.disable()
    gc.freeze()


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


def _supervise(config: Config, sock: socket.socket, turn: Turn) -> None:
    """Keep N processes alive on the shared socket and database. The first of them has the devices."""
    inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    inner.bind(("127.0.0.1", 0))
    inner.listen(1024)
    device_process = f"http://127.0.0.1:{inner.getsockname()[1]}"
    children: dict[int, bool] = {}
    stopping = False

    def start(*, has_devices: bool, greet: bool = False) -> None:
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            status = 1
            try:
                if has_devices:
                    _serve_here(config, [sock, inner], turn, greet=greet)
                else:
                    _serve_here(config, [sock], turn, greet=False, device_process=device_process)
                status = 0
            except SystemExit as exc:
                status = exc.code if isinstance(exc.code, int) else 1
            finally:
                os._exit(status)
        children[pid] = has_devices

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            os.kill(pid, signal.SIGTERM)

    start(has_devices=True, greet=True)
    for _ in range(config.workers - 1):
        start(has_devices=False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    refused = False
    while children:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        had_devices = children.pop(pid, False)
        if had_devices:
            turn.end()
        code = os.waitstatus_to_exitcode(status)
        if stopping:
            continue
        if code == 2:
            refused = True
            stop(signal.SIGTERM, None)
        else:
            log.error("a process ended; starting another", exit_code=code)
            time.sleep(RESTART_PAUSE_S)
            start(has_devices=had_devices)
    if refused:
        raise SystemExit(2)
