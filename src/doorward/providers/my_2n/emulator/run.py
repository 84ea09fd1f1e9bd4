"""Running intercoms: what `doorward emulator 2n` does, and the same inside a test."""

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from aiohttp import web

from doorward.clock import Clock

from .auth import Account
from .control import control_app
from .firmware import CURRENT, FIRMWARES, Firmware
from .keeper import Keeper
from .listener import Listener
from .model import MODELS, VERSO, Model
from .quirks import Quirks
from .switches import SwitchConfig
from .unit import Unit

LOOPBACK: Final = "127.0.0.1"
_SERIAL: Final = re.compile(r"[0-9]{2}-[0-9]{4}-[0-9]{4}")
T = TypeVar("T")


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
    """Keys of `MODELS`, comma separated; the intercoms take them in turn."""
    firmware: str = "current"
    """Keys of `FIRMWARES`, likewise."""
    names: tuple[str, ...] = ()
    """Device names, in turn; none: what the model is called."""
    serial: str | None = None
    """Of the first intercom, the others count on; None: it follows from the port."""
    zone: str = "UTC"
    quirks: Quirks = field(default_factory=Quirks)
    state: Path | None = None
    """A directory to keep the intercoms in; None: they end with the process."""
    is_unlicensed: bool = False
    """All but `system/*` answers code 5."""


@dataclass
class Running:
    """Intercoms behind ports. Close it, or use it as `async with await start_units(2) as running`."""

    listeners: list[Listener]
    control_url: str | None = None
    _control: web.AppRunner | None = None
    _keeper: Keeper | None = None

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
        try:
            if self._keeper is not None:
                await self._keeper.close()
        finally:
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
    model: Model | Sequence[Model] = VERSO,
    firmware: Firmware | Sequence[Firmware] = CURRENT,
    names: Sequence[str] = (),
    serial: str | None = None,
    clock: Clock | None = None,
    accounts: Sequence[Account] | None = None,
    quirks: Quirks | None = None,
    switches: Sequence[SwitchConfig] | None = None,
    zone: str = "UTC",
    state: Path | None = None,
) -> Running:
    """`count` independent intercoms on ports `port`, `port` + 1, …, or on free ones.

    Without `accounts` each has one, jane with password 1234 and every privilege. Several models, firmware generations
    and names are taken in turn. Without `serial` each serial number follows from the port, so intercoms of several
    processes differ. `control_port` adds a control plane on 127.0.0.1. `state` is a directory: an intercom that was
    kept there is taken as it was, settings and accounts included, and only new ones get those given here.

    Raises: OSError when a port is taken; ValueError for a wrong serial number, or a `state` that is in use, cannot be
    read or holds intercoms of other models. Nothing stays open then.
    """
    models = [model] if isinstance(model, Model) else list(model)
    firmwares = [firmware] if isinstance(firmware, Firmware) else list(firmware)
    if serial is not None and not _SERIAL.fullmatch(serial):
        raise ValueError("A serial number is like 54-9001-0042.")
    running = Running([])
    running._keeper = keeper = None if state is None else Keeper(state)
    try:
        for index in range(count):
            is_a, has = models[index % len(models)], firmwares[index % len(firmwares)]
            kept = None if keeper is None else keeper.load(index + 1)
            if kept is None:
                unit = Unit(
                    is_a,
                    name=names[index % len(names)] if names else None,
                    clock=clock,
                    accounts=[Account("jane", "1234")] if accounts is None else accounts,
                    quirks=quirks,
                    firmware=has,
                    switches=switches,
                    zone=zone,
                )
            else:
                unit = Unit.restore(bytes(kept.unit), clock=clock, quirks=quirks)
                if unit.model is not is_a or unit.firmware is not has:
                    found = f"{unit.model.key} with {unit.firmware.key} firmware"
                    raise ValueError(f"Intercom {index + 1} in {state} is a {found}, not a {is_a.key} with {has.key}.")
            pair = None if kept is None else kept.pair
            at = port + index if port else 0
            listener = Listener(unit, host=host, port=at, use_tls=use_tls, certificate=pair)
            running.listeners.append(listener)
            await listener.open()
            if kept is None:
                _number(listener, index, serial, {other.serial for other in running.units[:-1]})
            if keeper is not None:
                await keeper.keep(index + 1, listener)
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


def _number(listener: Listener, index: int, serial: str | None, taken: Set[str]) -> None:
    """Give a new intercom its serial number, and a certificate that names it."""
    own = f"54-9{listener.port // 10_000:03d}-{listener.port % 10_000:04d}"
    if serial is not None:
        own = _counted_on(serial, index)
    while own in taken:
        own = _counted_on(own, 1)
    listener.unit.serial = own
    listener.new_certificate()


def _counted_on(serial: str, by: int) -> str:
    family, high, low = serial.split("-")
    number = (int(high + low) + by) % 10**8
    return f"{family}-{number // 10_000:04d}-{number % 10_000:04d}"


def _chosen(kind: str, text: str, known: Mapping[str, T]) -> list[T]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise ValueError(f"There is no {kind} {word!r}; known: {', '.join(sorted(known))}.")
    if not words:
        raise ValueError(f"Name a {kind}: {', '.join(sorted(known))}.")
    return [known[word] for word in words]


async def serve(options: Options, *, write: Callable[[str], object] | None = None) -> None:
    """Run until SIGTERM or SIGINT. When ready, one line of JSON goes to `write` (None: standard output, flushed):
    `{"devices": [{"url": …, "serial": …, …}], "control": … or null}`.

    Raises: ValueError for options that make no sense; OSError when a port is taken.
    """
    models = _chosen("model", options.model, MODELS)
    firmwares = _chosen("firmware", options.firmware, FIRMWARES)
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
        model=models,
        firmware=firmwares,
        names=options.names,
        serial=options.serial,
        accounts=[Account(options.user, options.password)],
        quirks=options.quirks,
        zone=options.zone,
        state=options.state,
    )
    async with running:
        if options.is_unlicensed:
            for unit in running.units:
                unit.faults.arm("unlicensed")
        line = json.dumps({"devices": [_told(x) for x in running.listeners], "control": running.control_url})
        (write or _print)(line)
        await stop.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(number)


def _told(listener: Listener) -> dict[str, str | None]:
    unit = listener.unit
    return {
        "url": listener.url,
        "serial": unit.serial,
        "model": unit.model.key,
        "firmware": unit.firmware.key,
        "name": unit.name,
        "certificate": listener.fingerprint,
    }


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
