"""Look for 2N devices on the network: by what they announce, and by asking places that were named.

Best effort: entering an address by hand is the first-class way. 2N does not publish what its devices announce, so every
web service announced by multicast DNS is looked at, those with a sign of 2N on them are asked, and only what answers as
a 2N does is reported. Nobody is asked more than once in a search, and nothing is sent but the question of `probe`. A
search that dies half way leaves nothing behind.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
import zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from doorward.networks import Ranges, Target

from . import transport
from .probe import PORTS, Found, ProbeFailed, probe
from .transport import IpAddress

log = structlog.get_logger()

AT_ONCE: Final = 64
"""Places asked at the same time."""
CONNECT_S: Final = 1.0
"""For a place to take a connection; in a local network it takes one at once or never."""
PROBE_S: Final = 3.0
_SERVICES: Final = ("_https._tcp.local.", "_http._tcp.local.")
_BROWSING: Final = 0.5
"""Share of the time that is spent listening to announcements."""
_RESOLVE_MS: Final = 1000
_MOST_INSTANCES: Final = 256
"""Anybody in the network can announce as much as they like."""

_SIGNS: Final = re.compile(
    r"(?<![a-z0-9])2n(?!d\b)"  # its name, "2nd floor" excepted
    r"|helios ?ip"
    r"|(?<![0-9a-f])7c[-:]?1e[-:]?b3"  # its MAC addresses
    r"|(?<![0-9])[0-9]{2}-[0-9]{4}-[0-9]{4}(?![0-9])",  # its serial numbers
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Instance:
    """A web service that somebody announced."""

    service: str
    """Its type, `_http._tcp.local.` or `_https._tcp.local.`."""
    name: str
    host: str
    port: int
    addresses: tuple[IpAddress, ...]
    txt: Mapping[str, str] = field(default_factory=dict)


Browse = Callable[[float], Awaitable[Sequence[Instance]]]
"""Listens for so many seconds and tells what was announced."""


async def discover(
    ranges: Ranges | None,
    *,
    allowed: transport.Allowed | None,
    timeout: float = 6.0,
    interfaces: Sequence[str] | None = None,
    ports: tuple[int, int] = PORTS,
    browse: Browse | None = None,
) -> list[Found]:
    """The 2N devices that were found within `timeout` seconds, by name; never raises for trouble of the network.

    `ranges`: places to ask; 254 addresses take about 4 s, and what was not asked when the time is over is left out.
    `interfaces`: addresses of the interfaces on which to
    listen to announcements; None: all, none: not at all. `ports`: HTTPS and HTTP where a place names none. `browse`
    takes the place of multicast DNS.
    """
    search = _Search(allowed, ports, timeout)
    ways = [search.ask_ranges(ranges)] if ranges is not None else []
    if interfaces is None or interfaces:
        ways.append(search.ask_announced(browse or (lambda seconds: listen(seconds, interfaces))))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await asyncio.gather(*ways)
    return search.result()


class _Search:
    """One search: what was asked and what was found."""

    def __init__(self, allowed: transport.Allowed | None, ports: tuple[int, int], timeout: float) -> None:
        self._allowed = allowed
        self._ports = ports
        self._until = asyncio.get_running_loop().time() + timeout
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._asked: set[str] = set()
        self._found: list[Found] = []

    def result(self) -> list[Found]:
        """Each device once, over HTTPS rather than not."""
        best: dict[str, Found] = {}
        for found in sorted(self._found, key=lambda found: (found.pin is None, found.needs_login_for_info, found.url)):
            best.setdefault(found.serial or found.url, found)
        return sorted(best.values(), key=lambda found: (found.name.casefold(), found.url))

    # ------------------------------------------------------------ places that were named

    async def ask_ranges(self, ranges: Ranges) -> None:
        """Ask every target that is allowed, many at a time."""
        targets = iter([target for target in ranges if self._allowed is None or self._allowed(target.address)])

        async def work() -> None:
            for target in targets:
                await self._ask_target(target)

        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(ranges)))))

    async def _ask_target(self, target: Target) -> None:
        """Knock at the target's ports, and ask behind those that open."""
        ports = self._ports if target.port is None else (target.port,)
        opened = await asyncio.gather(*(_is_open(target.address, port) for port in ports))
        shown = _shown(target.address)
        if target.port is not None:
            if opened[0]:
                await self._ask(f"{shown}:{target.port}")
            return
        for scheme, port, is_open in zip(("https", "http"), ports, opened, strict=True):
            if is_open and await self._ask(f"{scheme}://{shown}:{port}"):
                return

    # ------------------------------------------------------------ what is announced

    async def ask_announced(self, browse: Browse) -> None:
        """Listen, and ask those that look like a 2N."""
        left = self._until - asyncio.get_running_loop().time()
        try:
            instances = await browse(left * _BROWSING)
        except (OSError, zeroconf.Error) as trouble:
            # In a container or without a network there is no multicast; nothing is wrong with that.
            log.debug("discovery.no_multicast", trouble=type(trouble).__name__)
            return
        places = dict.fromkeys(place for one in candidates(instances) if (place := self._place(one)) is not None)
        await asyncio.gather(*(self._ask(place) for place in places))

    def _place(self, instance: Instance) -> str | None:
        """Where to ask an instance; None when it announces no address that is allowed."""
        usable = [a for a in instance.addresses if self._allowed is None or self._allowed(a)]
        if not usable or not 0 < instance.port < 65_536:
            return None
        address = _shown(min(usable, key=lambda a: (a.version, int(a))))
        if instance.service == _SERVICES[0]:
            return f"https://{address}:{instance.port}"
        # What is announced without TLS may have it too, and is better asked there.
        return address if instance.port == self._ports[1] else f"{address}:{instance.port}"

    # ------------------------------------------------------------ asking

    async def _ask(self, place: str) -> bool:
        """Ask one place, unless it was; whether a 2N answered."""
        if place in self._asked:
            return False
        self._asked.add(place)
        async with self._turns:
            left = self._until - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            try:
                found = await probe(place, allowed=self._allowed, timeout=min(left, PROBE_S), ports=self._ports)
            except ProbeFailed as failure:
                log.debug("discovery.no_2n", place=place, kind=type(failure).__name__)
                return False
        if found.is_sure:  # a login alone is asked for by many other things in a network
            self._found.append(found)
        return found.is_sure


async def _is_open(address: IpAddress, port: int) -> bool:
    """Whether somebody takes a connection. Nothing is sent on it."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as knock:
            knock.setblocking(False)
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(knock, (str(address), port))
            return True
    except OSError:
        return False


def _shown(address: IpAddress) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


# ---------------------------------------------------------------- announcements


def candidates(instances: Iterable[Instance]) -> list[Instance]:
    """Those with a sign of 2N in what they announce: its name, a serial number, a MAC address."""
    return [one for one in instances if any(_SIGNS.search(word) for word in _words(one))]


def _words(instance: Instance) -> list[str]:
    name = instance.name.removesuffix(f".{instance.service}")
    return [name, instance.host, *instance.txt.keys(), *instance.txt.values()]


async def listen(seconds: float, interfaces: Sequence[str] | None = None) -> list[Instance]:
    """Web services announced by multicast DNS, on interfaces with these addresses, or on all.

    Raises: OSError, zeroconf.Error when there is no multicast.
    """
    names: dict[str, str] = {}

    def heard(
        zeroconf: zeroconf.Zeroconf,  # named by the library
        service_type: str,
        name: str,
        state_change: zeroconf.ServiceStateChange,
    ) -> None:
        if len(names) < _MOST_INSTANCES:
            names[name] = service_type

    for address in interfaces or ():
        # The library leaves a socket behind when it is given an interface that does not exist.
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    wire = AsyncZeroconf(
        interfaces=zeroconf.InterfaceChoice.All if interfaces is None else list(interfaces),
        ip_version=zeroconf.IPVersion.V4Only if interfaces is None else None,
    )
    try:
        browser = AsyncServiceBrowser(wire.zeroconf, list(_SERVICES), handlers=[heard])
        try:
            await asyncio.sleep(max(0.0, seconds - _RESOLVE_MS / 1000))
            resolved = await asyncio.gather(*(_resolve(wire, service, name) for name, service in names.items()))
        finally:
            await browser.async_cancel()
    finally:
        await wire.async_close()
    return [instance for instance in resolved if instance is not None]


async def _resolve(wire: AsyncZeroconf, service: str, name: str) -> Instance | None:
    """All of an announcement; None when it is not told in time, or makes no sense."""
    try:
        info = AsyncServiceInfo(service, name)
        if not await info.async_request(wire.zeroconf, _RESOLVE_MS) or info.port is None:
            return None
        addresses = tuple(ipaddress.ip_address(text) for text in info.parsed_addresses())
    except (zeroconf.Error, ValueError):
        return None
    txt = {_decoded(key): _decoded(value) for key, value in info.properties.items()}
    return Instance(service, name, info.server or "", info.port, addresses, txt)


def _decoded(word: bytes | None) -> str:
    return (word or b"").decode(errors="replace")
