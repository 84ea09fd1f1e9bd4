"""An intercom behind a TCP port, which closes while the intercom has no power."""

import asyncio
import socket
import ssl
from typing import cast

from . import tls
from .server import Emulated
from .unit import Unit


class Listener:
    """One unit on one port.

    A second socket holds the port while it is closed: clients are refused, and nobody else can take it.
    """

    def __init__(
        self,
        unit: Unit,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        use_tls: bool = False,
        certificate: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Port 0: a free one. `certificate` is one with its key, PEM; None: a new one."""
        self.unit = unit
        self.host = host
        self.port = port
        self.fingerprint: str | None = None
        """SHA-256 of the certificate in use, hex; None without TLS."""
        self.certificate = certificate
        """The certificate and its key, PEM; kept, but not in use, without TLS."""
        self._context: ssl.SSLContext | None = None
        if use_tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._use(certificate or tls.self_signed(unit.serial))
        self.emulated = Emulated(unit)
        self._server: asyncio.Server | None = None
        self._holder: socket.socket | None = None
        self._unwatch = unit.power.watch(self._power)

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._context else 'http'}://{host}:{self.port}"

    async def open(self) -> None:
        """Take the port and serve.

        Raises: OSError when the port is taken.
        """
        if self._server is not None:
            return
        await self._serve(self.port)

    async def _serve(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._connection, self.host, port, ssl=self._context, backlog=128)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def move(self, port: int) -> None:
        """Serve at another port; 0 takes a free one. Connections are cut.

        Raises: OSError when it is taken; the intercom stays where it is.
        """
        before = self._server
        await self._serve(port)
        if before is not None:
            before.close()
        self.emulated.drop()

    def _connection(self) -> asyncio.Protocol:
        if self.unit.is_off or self.unit.faults.refuses_all():
            return _Refusal()
        return self.emulated()

    async def _power(self, is_on: bool) -> None:
        if not is_on:
            self._shut(keep_port=True)
        else:
            await self.open()
            self._release()

    def _shut(self, *, keep_port: bool) -> None:
        if self._server is None:
            return
        family = self._server.sockets[0].family
        self._server.close()
        self._server = None
        if keep_port:
            holder = socket.socket(family)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((self.host, self.port))
            except OSError:
                holder.close()  # better to answer again later than not at all
            else:
                self._holder = holder

    def _release(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def new_certificate(self) -> str | None:
        """Replace the certificate, cut the connections; its fingerprint, or None without TLS."""
        if self._context is None:
            return None
        fingerprint = self._use(tls.self_signed(self.unit.serial))
        self.emulated.drop()
        return fingerprint

    def _use(self, certificate: tuple[bytes, bytes]) -> str:
        assert self._context is not None
        tls.load(self._context, *certificate)
        self.certificate = certificate
        self.fingerprint = tls.fingerprint(certificate[0])
        return self.fingerprint

    async def close(self) -> None:
        """Give the port back and end all connections."""
        self._unwatch()
        self._shut(keep_port=False)
        self._release()
        await self.emulated.close()
        await self.unit.close()


class _Refusal(asyncio.Protocol):
    """A connection that is cut as soon as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's in type, only in behaviour.
        cast("asyncio.WriteTransport", transport).abort()
