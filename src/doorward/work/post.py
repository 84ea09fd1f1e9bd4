"""Posts events to receivers, and tells in a sentence what came of it.

Where a request may go is checked on the very socket that is about to connect (`networks.Receivers`), so neither a name
that resolves otherwise the second time nor an address in disguise gets past it. Redirects are not followed, and nothing
of an answer but its status is used.
"""

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp

from doorward import __version__
from doorward.core.webhooks import refusal
from doorward.networks import Receivers

MOST_READ = 16_384
"""Bytes of an answer that are read, so that its connection can be used again."""
KEPT_S = 30.0
_refusals: ContextVar[list[str]] = ContextVar("refusals")
"""Why the request of this task may not go where its address leads: the library keeps no more than that it failed."""


class Poster:
    """One for the process."""

    def __init__(self, receivers: Receivers, timeout_s: float) -> None:
        self._receivers = receivers
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    def _socket(self, address_info: Any) -> socket.socket:
        family, kind, protocol, _, where = address_info
        address = ipaddress.ip_address(str(where[0]).partition("%")[0])
        if not self._receivers.allows(address):
            _refusals.get().append(refusal(address))
            raise PermissionError
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S, socket_factory=self._socket)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"content-type": "application/json", "user-agent": f"doorward/{__version__}"},
            )
        return self._session

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str | None]:
        """The receiver's status, and why it counts as failed; no reason: it took the event. Raises nothing."""
        refused: list[str] = []
        _refusals.set(refused)
        try:
            async with self._open().post(url, data=body, headers=headers, allow_redirects=False) as reply:
                status = reply.status
                await reply.content.read(MOST_READ)
        except TimeoutError:
            return None, f"The receiver did not answer within {self._timeout_s:g} s."
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as exc:
            return None, refused[-1] if refused else _sentence(exc)
        if 200 <= status < 300:
            return status, None
        if 300 <= status < 400:
            return status, f"The receiver answered {status}: redirects are not followed. Register the final address."
        return status, f"The receiver answered {status}."

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _sentence(error: BaseException) -> str:
    """Without the address, which may hold a secret."""
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "The receiver's name cannot be resolved."
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
        return "The receiver's certificate is not valid, or it does not speak TLS."
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "Nothing answers at the receiver's address."
    return f"The connection to the receiver broke ({type(error).__name__})."
