"""Running intercoms: what `doorward emulator 2n` does, and the same inside a test."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from aiohttp import web

from doorward.clock import Clock

from .auth import Account
from .control import control_app
from .listener import Listener
from .model import MODELS, VERSO, Model
from .quirks import Quirks
from .switches import SwitchConfig
from .unit import Unit

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    host: str = LOOPBACK
    port: int = 8082
    """The first intercom's port, the others follow; 0: free ones."""
    count: int = 1
    tls: bool = False
    user: str = "jane"
    password: str = field(default="1234", repr=False)
    control_port: int | None = None
    """Always on 127.0.0.1. 0: a free port; None: no control plane."""
    model: str = "verso"
    """A key of `MODELS`."""
    zone: str = "UTC"
    quirks: Quirks = field(default_factory=Quirks)


@dataclass
class Running:
    """Intercoms behind ports. Close it, or use it as `async with await start_units(2) as running`."""

    listeners: list[Listener]
    control_url: str | None = None
    _control: web.AppRunner | None = None

    @property
    def units(self) -> list[Unit]:
        """In the order of their ports."""
        return [listener.unit for listener in self.listeners]

    @property
    def urls(self) -> list[str]:
        """In the order of `units`."""
        return [listener.url for listener in self.listeners]

    async def close(self) -> None:
        """Close every port."""
        if self._control is not None:
            await self._control.cleanup()
        for listener in self.listeners:
            await listener.close()

    async def __aenter__(self) -> "Running":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def start_units(
    count: int = 1,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    use_tls: bool = False,
    control_port: int | None = None,
    model: Model = VERSO,
    clock: Clock | None = None,
    accounts: Sequence[Account] | None = None,
    quirks: Quirks | None = None,
    switches: Sequence[SwitchConfig] | None = None,
    zone: str = "UTC",
) -> Running:
    """`count` independent intercoms on ports `port`, `port` + 1, …, or on free ones.

    Without `accounts` each has one, jane with password 1234 and every privilege. Each serial number follows from
    the port, so intercoms of several processes differ. `control_port` adds a control plane on 127.0.0.1.

    Raises: OSError when a port is taken; nothing stays open then.
    """
    running = Running([])
    try:
        for index in range(count):
            unit = Unit(
                model,
                clock=clock,
                accounts=[Account("jane", "1234")] if accounts is None else accounts,
                quirks=quirks,
                switches=switches,
                zone=zone,
            )
            listener = Listener(unit, host=host, port=port + index if port else 0, use_tls=use_tls)
            running.listeners.append(listener)
            await listener.open()
            unit.serial = f"54-9{listener.port // 10_000:03d}-{listener.port % 10_000:04d}"
            if use_tls:
                listener.new_certificate()
        if control_port is not None:
            runner = web.AppRunner(control_app(running.listeners), access_log=None, shutdown_timeout=1.0)
            running._control = runner
            await runner.setup()
            site = web.TCPSite(runner, LOOPBACK, control_port)
            await site.start()
            running.control_url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    except BaseException:
        await running.close()
        raise
    return running


async def serve(options: Options, *, write: Callable[[str], object] | None = None) -> None:
    """Run until SIGTERM or SIGINT. When ready, one line of JSON goes to `write` (None: standard output, flushed):
    `{"devices": [{"url": …, "serial": …}], "control": … or null}`.

    Raises: ValueError for options that make no sense; OSError when a port is taken.
    """
    if options.model not in MODELS:
        raise ValueError(f"There is no model {options.model!r}; known: {', '.join(sorted(MODELS))}.")
    if options.count < 1:
        raise ValueError("The number of intercoms is at least 1.")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not the main thread
            loop.add_signal_handler(number, stop.set)
    running = await start_units(
        options.count,
        host=options.host,
        port=options.port,
        use_tls=options.tls,
        control_port=options.control_port,
        model=MODELS[options.model],
        accounts=[Account(options.user, options.password)],
        quirks=options.quirks,
        zone=options.zone,
    )
    async with running:
        line = json.dumps(
            {
                "devices": [{"url": listener.url, "serial": listener.unit.serial} for listener in running.listeners],
                "control": running.control_url,
            }
        )
        (write or _print)(line)
        await stop.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(number)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
