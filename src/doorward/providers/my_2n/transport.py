"""The wire below the client: a real network, or an intercom in this very process.

Both are aiohttp connectors, so that the client above is the same to the byte. `network` checks where a connection
goes on the socket it is made with; `InProcess` makes a pair of connected sockets and gives the other end to the
intercom, without a port. If either dies half way, connections are cut, as by a pulled cable.
"""

import asyncio
import contextlib
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.tracing import Trace

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Allowed = Callable[[IpAddress], bool]
"""Says whether a device may be at an address."""

CONNECTIONS: Final = 3
"""To one device: two ordinary requests and one long poll. Its web server is small."""
KEEP_ALIVE_S: Final = 4.0
"""Shorter than devices keep an idle connection, so that a command rarely meets one that was just closed."""
CONNECT_S: Final = 5.0


class AddressRefused(OSError):
    """The address is outside of the allowed networks."""

    def __init__(self, address: IpAddress) -> None:
        super().__init__(f"{address} is outside of the networks devices may be in")
        self.address = address


def network(*, pin: str | None = None, allowed: Allowed | None = None) -> aiohttp.TCPConnector:
    """Connections over the network, for one device.

    `pin`: SHA-256 of the device's certificate, hex; only that certificate is accepted then, whoever signed it. None:
    a certificate must be signed by an authority this machine knows. `allowed` None: any address.

    Raises: ValueError for a pin that is none.
    """

    def make_socket(info: tuple[Any, ...]) -> socket.socket:
        # The resolved address on the very socket: a name that resolves anew between a check and its use is harmless.
        check(info[4][0], allowed)
        made = socket.socket(family=info[0], type=info[1], proto=info[2])
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return made

    return aiohttp.TCPConnector(
        limit=CONNECTIONS,
        keepalive_timeout=KEEP_ALIVE_S,
        ssl=True if pin is None else fingerprint(pin),
        socket_factory=make_socket,
        use_dns_cache=False,
    )


def fingerprint(pin: str) -> aiohttp.Fingerprint:
    """A pin as aiohttp takes it: 64 hex digits, with or without colons. Raises: ValueError."""
    try:
        return aiohttp.Fingerprint(bytes.fromhex(pin.replace(":", "")))
    except ValueError:
        raise ValueError("A certificate's fingerprint is its SHA-256: 64 hex digits.") from None


def check(host: str, allowed: Allowed | None) -> None:
    """Raises: AddressRefused for an IP address, written out, where no device may be."""
    address = ipaddress.ip_address(host.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if allowed is not None and not allowed(address):
        raise AddressRefused(address)


async def fetch_certificate_pin(
    host: str, port: int = 443, *, allowed: Allowed | None = None, timeout: float = CONNECT_S
) -> str:
    """The SHA-256 of the certificate a device shows now, hex: what a person may trust on first use.

    Nothing is sent to the device but the TLS greeting. Raises: OSError (also for TLS trouble and addresses that are
    not allowed), TimeoutError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    trouble = OSError(f"{host} has no address")
    async with asyncio.timeout(timeout):
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise trouble from None
        for info in infos:
            address = str(info[4][0])
            try:
                check(address, allowed)
                _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
            except OSError as exc:
                trouble = exc
                continue
            try:
                shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.transport.abort()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            return hashlib.sha256(shown).hexdigest()
    raise trouble


class InProcess(aiohttp.BaseConnector):
    """Connections to an intercom in this process: real bytes over a pair of sockets.

    `serve` makes the protocol of the intercom's end. `is_up` False: connections are refused, as by a device without
    power. Works on asyncio's own loop and on uvloop.
    """

    def __init__(self, serve: Callable[[], asyncio.Protocol], *, is_up: Callable[[], bool] = lambda: True) -> None:
        super().__init__(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S)
        self._serve = serve
        self._is_up = is_up

    async def _create_connection(
        self, req: "ClientRequest", traces: list["Trace"], timeout: "ClientTimeout"
    ) -> ResponseHandler:
        if not self._is_up():
            raise aiohttp.ClientConnectorError(req.connection_key, ConnectionRefusedError("the intercom is off"))
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            theirs.setblocking(False)
            await self._loop.connect_accepted_socket(self._serve, sock=theirs)
            # Each loop insists on the function that fits the family; a pair is not a Unix one everywhere.
            attach: Any = (
                self._loop.create_unix_connection
                if ours.family == getattr(socket, "AF_UNIX", None)
                else self._loop.create_connection
            )
            _, protocol = await attach(self._factory, sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        assert isinstance(protocol, ResponseHandler)
        return protocol
