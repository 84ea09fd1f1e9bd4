"""Finding intercoms, as far as they let themselves be found. Typing an address always works; this only saves typing.

Two ways at once: devices that announce a web page by mDNS and look like a 2N, and addresses that the operator allows to
be tried. Whatever is found is asked who it is (`probe`), so nothing gets into the list by its name alone. It ends in
time, never raises for trouble on the network, and leaves nothing behind.
Source: the service type that 2N devices announce is not public, nor is every device's host name (HeliosIP-…, 2NIP…).
"""

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import structlog

from doorward.networks import IpAddress, Ranges, Target
from doorward.providers.base import ProviderError

from .probe import Found, probe
from .transport import Allowed

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo

log = structlog.get_logger()

TIMEOUT_S: Final = 8.0
BROWSE_S: Final = 2.5
"""How long announcements are waited for."""
CONNECT_S: Final = 1.0
"""How long one address is waited for: it is in the same network."""
PROBE_S: Final = 4.0
AT_ONCE: Final = 64
USUAL: Final = ((443, "https://{host}"), (80, "http://{host}"))
"""Ports that are tried where none is named."""
SERVICES: Final = {"_https._tcp.local.": "https", "_http._tcp.local.": "http"}
_LOOKS_LIKE_2N: Final = re.compile(
    r"(?<![a-z0-9])2n(?![a-z])|2nip|helios|7c[-:]?1e[-:]?b3|(?<!\d)\d\d-\d{4}-\d{4}(?!\d)", re.I
)


async def discover(ranges: Ranges | None, *, allowed: Allowed, timeout: float = TIMEOUT_S) -> list[Found]:
    """Who answers right now and speaks the 2N HTTP API, by name. Takes at most `timeout` seconds."""
    room = asyncio.Semaphore(AT_ONCE)
    found: dict[str, Found] = {}

    async def look(address: str) -> bool:
        async with room:
            try:
                one = await probe(address, allowed=allowed, timeout=PROBE_S)
            except ProviderError:
                return False
            # One that has answered by HTTPS already is not wanted by HTTP, too.
            before = found.get(one.serial or one.url)
            if before is None or (before.pin is None and one.pin is not None):
                found[one.serial or one.url] = one
            return True

    async def knock(target: Target) -> None:
        host = f"[{target.address}]" if target.address.version == 6 else str(target.address)
        for port, address in USUAL if target.port is None else ((target.port, "{host}:{port}"),):
            async with room:
                is_open = await _listens(target.address, port, allowed)
            if is_open and await look(address.format(host=host, port=port)):
                return  # by HTTPS; by HTTP it would be the same one

    async def announced() -> None:
        addresses = await _announcements()
        await asyncio.gather(*(look(address) for address in addresses))

    work = [asyncio.ensure_future(one) for one in (announced(), *(knock(target) for target in ranges or ()))]
    _, late = await asyncio.wait(work, timeout=timeout)
    for task in late:
        task.cancel()
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.warning("searching the network failed in part", reason=type(outcome).__name__)
    return sorted(found.values(), key=lambda one: (one.name, one.url))


async def _listens(address: IpAddress, port: int, allowed: Allowed) -> bool:
    """Whether anybody takes connections there, and we may make one."""
    if not allowed(address):
        return False
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(str(address), port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


# ---------------------------------------------------------------- announcements


async def _announcements() -> list[str]:
    """Addresses of web pages that are announced in the network and look like a 2N's; none where mDNS cannot be used."""
    from zeroconf import ServiceStateChange, Zeroconf  # takes its time to import, and is rarely wanted
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

    names: set[tuple[str, str]] = set()

    def note(*, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        del zeroconf
        if state_change is not ServiceStateChange.Removed:
            names.add((service_type, name))

    try:
        browsing = AsyncZeroconf()
    except OSError as exc:
        log.debug("mDNS cannot be used here", reason=str(exc))
        return []
    try:
        browser = AsyncServiceBrowser(browsing.zeroconf, list(SERVICES), handlers=[note])
        await asyncio.sleep(BROWSE_S)
        infos = [AsyncServiceInfo(kind, name) for kind, name in names]
        await asyncio.gather(*(info.async_request(browsing.zeroconf, 1_000) for info in infos))
        await browser.async_cancel()
        return addresses_of(infos)
    finally:
        await browsing.async_close()


def addresses_of(infos: "Iterable[AsyncServiceInfo]") -> list[str]:
    """What to probe of what was announced: `https://…` before `http://…` of the same device."""
    found: dict[tuple[str, str | None], str] = {}
    for info in sorted(infos, key=lambda one: list(SERVICES).index(one.type)):
        if not info.port or not looks_like_2n(info.name, info.server, info.properties):
            continue
        for address in info.parsed_addresses()[:1]:
            host = f"[{address}]" if ":" in address else address
            found.setdefault((host, info.server), f"{SERVICES[info.type]}://{host}:{info.port}")
    return list(found.values())


def looks_like_2n(name: str, server: str | None, properties: dict[bytes, Any]) -> bool:
    """A name, a host or a note that speaks of 2N, its old brand, its MAC addresses or its serial numbers."""
    notes = " ".join(
        part.decode("utf-8", "replace") for pair in properties.items() for part in pair if isinstance(part, bytes)
    )
    return _LOOKS_LIKE_2N.search(f"{name} {server or ''} {notes}") is not None
