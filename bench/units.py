"""Emulated intercoms for the bench, in a process of their own, until SIGTERM.

usage: python bench/units.py COUNT [--tls] [--users N] [--block B]

Each is on a loopback address of its own (127.64.0.1, …), so that thousands of ports are nobody else's; `--block` keeps
several processes apart. Each has a user with the PIN `PIN`; `--users` adds so many more to each. Prints one line of
JSON when ready: `{"devices": [{"url", "serial", "pin"}], "control": url}`. The control plane is the emulator's, and
`GET /watched` besides: at how many intercoms a channel of the log is open that was not there at the last `POST /mark`.
A server that stops leaves some behind. `GET /held` tells when each user was first in a directory, in
seconds since 1970.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from aiohttp import web

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import nofile  # noqa: E402 - run as a file
from doorward.providers.my_2n.emulator import Account, Listener, Quirks, SwitchConfig, Unit  # noqa: E402
from doorward.providers.my_2n.emulator.control import control_app  # noqa: E402

PIN = "112233"
PULSE_S = 1
"""How long a switch stays on."""
ROOM = 10_000
"""Users that fit besides."""
SPAN = 250
"""Addresses of a /24 in use."""


def fill(unit: Unit, users: int) -> None:
    """A directory: the one whose PIN is tried, and many others."""
    entries = [{"uuid": str(uuid.uuid4()), "name": "Resident", "access": {"pin": PIN}}]
    entries += [
        {"uuid": str(uuid.uuid4()), "name": f"Resident {n}", "access": {"pin": f"{10_000_000 + n}"}}
        for n in range(users)
    ]
    for at in range(0, len(entries), 100):
        answer = unit.directory.create(entries[at : at + 100], force=False)
        assert not any("errors" in user for user in answer["users"]), answer


def stamp(unit: Unit, held: dict[str, float]) -> None:
    """Note when each user that is created from now on is in the directory."""
    create = unit.directory.create

    def noting(users: list[Any], *, force: bool) -> dict[str, Any]:
        answer = create(users, force=force)
        now = time.time()
        for one in answer["users"]:
            if "errors" not in one:
                held.setdefault(str(one["uuid"]).lower(), now)
        return answer

    unit.directory.create = noting  # type: ignore[method-assign]


async def serve(count: int, *, use_tls: bool, users: int, block: int) -> None:
    """Until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listeners = []
    held: dict[str, float] = {}
    for n in range(count):
        unit = Unit(
            serial=f"54-8{block:03d}-{n:04d}",
            accounts=[Account("jane", "1234")],
            switches=[SwitchConfig(duration=PULSE_S)],
            quirks=Quirks(directory_capacity=users + ROOM),
        )
        fill(unit, users)
        stamp(unit, held)
        listener = Listener(unit, host=f"127.{64 + block}.{n // SPAN}.{n % SPAN + 1}", use_tls=use_tls)
        await listener.open()
        listeners.append(listener)

    old: dict[int, list[Any]] = {}

    async def mark(_request: web.Request) -> web.Response:
        old.update((n, list(one.unit.log._channels.values())) for n, one in enumerate(listeners))
        return web.json_response({})

    async def watched(_request: web.Request) -> web.Response:
        new = (
            any(all(one is not was for was in old.get(n, ())) for one in listener.unit.log._channels.values())
            for n, listener in enumerate(listeners)
        )
        return web.json_response({"watched": sum(new)})

    async def stamps(_request: web.Request) -> web.Response:
        return web.json_response(held)

    app = control_app(listeners)
    app.router.add_get("/watched", watched)
    app.router.add_post("/mark", mark)
    app.router.add_get("/held", stamps)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    devices = [{"url": one.url, "serial": one.unit.serial, "pin": one.fingerprint} for one in listeners]
    print(json.dumps({"devices": devices, "control": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await stop.wait()


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("count", type=int)
    options.add_argument("--tls", action="store_true")
    options.add_argument("--users", type=int, default=0)
    options.add_argument("--block", type=int, default=0)
    given = options.parse_args()
    nofile.raise_limit()
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        runner.run(serve(given.count, use_tls=given.tls, users=given.users, block=given.block))


if __name__ == "__main__":
    main()
