"""Connections to one intercom: aiohttp's low-level server around `http.handle`.

Usable without a port: `Emulated` is a protocol factory for any transport, such as one end of a socket pair.
"""

import asyncio
import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .http import handle
from .mishaps import Dropped
from .unit import Unit


class _Discreet(logging.Filter):
    """Malformed requests are logged without their bytes: those may be a login or a body."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.exc_info = None
        return True


_LOG: Final = logging.getLogger("doorward.emulator")
_LOG.addFilter(_Discreet())


class _Server(web.Server):
    """aiohttp's server, its connections counted."""

    def __init__(self, unit: Unit, handler: Any, **options: Any) -> None:
        super().__init__(handler, **options)
        self._unit = unit

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        self._unit.counters.connected()
        super().connection_made(handler, transport)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        self._unit.counters.open.leave()
        super().connection_lost(handler, exc)


class Emulated:
    """A protocol factory that serves one intercom, and all connections it made."""

    def __init__(self, unit: Unit, *, is_secure: bool | None = None) -> None:
        """`is_secure` None: a connection counts as TLS when its transport does TLS."""
        self.unit = unit
        self._is_secure = is_secure
        self._server: web.Server | None = None
        self._unwatch = unit.power.watch(self._power)

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one connection. Call it inside the loop that runs the transport."""
        if self._server is None:
            # A lost connection ends its long poll at once; keys and passwords appear in no access log.
            self._server = _Server(
                self.unit,
                self._handle,
                handler_cancellation=True,
                access_log=None,
                logger=_LOG,
                tcp_keepalive=False,
                keepalive_timeout=75.0,
            )
        return self._server()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        is_secure, address = bool(self._is_secure), ""
        if transport is not None:
            peer: Any = transport.get_extra_info("peername")
            address = peer[0] if isinstance(peer, tuple) else ""
            if self._is_secure is None:
                is_secure = transport.get_extra_info("sslcontext") is not None
        try:
            return await handle(self.unit, request, is_secure=is_secure, address=address)
        except Dropped:
            # The transport is closing; aiohttp needs something to fail to write.
            return web.Response()

    def _power(self, is_on: bool) -> None:
        if not is_on:
            self.drop()

    def drop(self) -> None:
        """Cut every connection."""
        if self._server is not None:
            for connection in self._server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def close(self) -> None:
        """Cut every connection and serve no more. The unit itself stays as it is."""
        self._unwatch()
        self.drop()
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown(1.0)


def protocol_factory(unit: Unit, *, is_secure: bool | None = None) -> Emulated:
    """A factory of connections to `unit`, for `loop.connect_accepted_socket` and the like; `await close()` it."""
    return Emulated(unit, is_secure=is_secure)
