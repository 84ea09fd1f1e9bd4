"""Posts events to receivers, signed, and tells in a sentence what came of it.

Where a request may go is checked for the very socket that is about to connect (`networks.Receivers`), so neither a name
that resolves otherwise the second time nor an address in disguise gets past it. Redirects are not followed, and nothing
of an answer but its status is used. See docs/decisions/0014 for why this is no HTTP library's client.

If the process dies half way, nobody knows what the receiver has got: its delivery is still due, and is sent again.
"""

import asyncio
import functools
import ipaddress
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httptools
import msgspec
from aiohappyeyeballs import start_connection
from standardwebhooks.webhooks import Webhook as Signer

from doorward import __version__
from doorward.networks import Receivers
from doorward.web_address import WebAddress

MOST_READ = 16_384
"""Bytes of an answer that are read, so that its connection can be used again."""
KEPT_S = 30.0
"""That a connection is kept without a request."""
NEXT_ADDRESS_S = 0.25
"""Until the next address of a name is tried, too."""

Landing = Callable[[int | None, str | None], None]
"""Told the receiver's status, and why it counts as failed; no reason: it took the event."""
Wanted = Callable[[], bool]
"""Asked just before a request begins that could not begin at once."""
UNWANTED = "It was not to be sent any more."
"""Why such a request has failed: the receiver knows nothing of it."""


def always() -> bool:
    return True


class Letter(msgspec.Struct, frozen=True, array_like=True):
    """An event for one receiver."""

    url: str
    event_id: str
    at: int
    """When it is sent: seconds since 1970."""
    secrets: tuple[bytes, ...]
    """Each signs: a secret and, for a while, those before."""
    body: str

    def headers(self) -> dict[str, str]:
        """Who sent it: Svix's names and the standard's."""
        at = datetime.fromtimestamp(self.at, UTC)
        signatures = " ".join([Signer(secret).sign(self.event_id, at, self.body) for secret in self.secrets])
        return {
            "svix-id": self.event_id,
            "svix-timestamp": str(self.at),
            "svix-signature": signatures,
            "webhook-id": self.event_id,
            "webhook-timestamp": str(self.at),
            "webhook-signature": signatures,
        }


class _Target(NamedTuple):
    """Where an address leads."""

    host: str
    port: int
    is_tls: bool
    head: str
    """How a request begins."""


@functools.lru_cache(1_000)
def _target(url: str) -> _Target:
    """Raises ValueError."""
    where = WebAddress.parse(url)
    return _Target(
        where.host,
        where.port,
        where.url.scheme == "https",
        f"POST {where.url.raw_path_qs} HTTP/1.1\r\nhost: {where.url.host_port_subcomponent}\r\n"
        f"content-type: application/json\r\naccept: */*\r\nuser-agent: doorward/{__version__}\r\n",
    )


class _Request:
    """One try. It lands once."""

    def __init__(self, target: _Target, data: bytes, land: Landing, is_wanted: Wanted) -> None:
        self.target = target
        self.data = data
        self.is_wanted = is_wanted
        self.land: Landing | None = land
        self.timer: asyncio.TimerHandle | None = None
        self.dialling: _Dialling | None = None
        """While it waits for a connection."""
        self.connection: _Connection | None = None


class _Dialling:
    """A connection that is being made. It is for this request, unless that got another one before."""

    def __init__(self, request: _Request) -> None:
        self.target = request.target
        self.request: _Request | None = request
        self.task: asyncio.Task[None] | None = None


class _Connection(asyncio.Protocol):
    """A connection to a receiver: one request at a time."""

    def __init__(self, poster: "Poster", target: _Target) -> None:
        self._poster = poster
        self.target = target
        self.transport: Any = None
        self.since = 0.0
        """When it was last used."""
        self._request: _Request | None = None
        self._parser: Any = None
        self._status: int | None = None
        """Of the answer that is being read."""
        self._read = 0
        self._has_heard = False
        """Anything, since the request began."""
        self._served = 0
        """Requests that were answered."""

    def begin(self, request: _Request) -> None:
        self._request, request.connection = request, self
        self._parser = httptools.HttpResponseParser(self)
        self._status, self._read, self._has_heard = None, 0, False
        self.transport.write(request.data)

    def drop(self) -> None:
        """Whatever still comes, nobody waits for it."""
        self._request = None
        self.transport.abort()

    @property
    def is_open(self) -> bool:
        return not self.transport.is_closing()

    @property
    def final_status(self) -> int | None:
        """What the receiver answered: whatever becomes of the rest, that stands."""
        return None if self._status is None or self._status < 200 else self._status

    # ------------------------------------------------------------ told by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._request is None:  # nobody has asked
            self.transport.abort()
            return
        self._has_heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("The receiver's answer is not HTTP.")

    def connection_lost(self, exc: Exception | None) -> None:
        request = self._request
        if request is None:
            self._poster.forget(self)
        elif self._served and not self._has_heard:  # it was closed just as we began
            self._request = None
            self._poster.again(request)
        else:  # broken, or the end of an answer without a length
            self._fail("The connection to the receiver broke.")

    # ------------------------------------------------------------ told by the parser

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._read += len(body)
        if self._read > MOST_READ and self._request is not None:
            self._end(self._status, None, keep=False)

    def on_message_complete(self) -> None:
        if self.final_status is None:  # more is to come
            self._status = None
        elif self._request is not None:
            self._end(self._status, None, keep=self._parser.should_keep_alive())

    def _fail(self, error: str) -> None:
        """Nothing more can be read."""
        status = self.final_status
        self._end(status, error if status is None else None, keep=False)

    def _end(self, status: int | None, error: str | None, *, keep: bool) -> None:
        request, self._request = self._request, None
        self._served += 1
        if keep:
            self._poster.keep(self)
        else:
            self.transport.abort()
        if request is not None:
            self._poster.land(request, status, error or _verdict(status))


class Poster:
    """Posts letters from this process."""

    def __init__(self, receivers: Receivers, timeout_s: float) -> None:
        self._receivers = receivers
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._idle: dict[tuple[str, int, bool], list[_Connection]] = {}
        self._waiting: dict[tuple[str, int, bool], dict[_Request, None]] = {}
        """Requests that have no connection yet, the oldest first."""
        self._dialling: set[asyncio.Task[None]] = set()
        self._under_way: set[_Request] = set()
        self._tidying: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    def post(self, letter: Letter, land: Landing, is_wanted: Wanted = always) -> None:
        """Send it, and tell what came of it, soon or after the time-out. Raises nothing."""
        try:
            target = _target(letter.url)
        except ValueError:
            self._loop.call_soon(land, None, "The receiver's address is not valid.")
            return
        head = "".join([f"{name}: {value}\r\n" for name, value in letter.headers().items()])
        body = letter.body.encode()
        data = f"{target.head}{head}content-length: {len(body)}\r\n\r\n".encode() + body
        request = _Request(target, data, land, is_wanted)
        self._under_way.add(request)
        request.timer = self._loop.call_later(self._timeout_s, self._late, request)
        if target[:3] not in self._waiting and (connection := self._free(target[:3])) is not None:
            connection.begin(request)
        else:
            self.again(request)

    def again(self, request: _Request) -> None:
        """On a connection of its own, or one that is free before."""
        self._waiting.setdefault(request.target[:3], {})[request] = None
        dialling = request.dialling = _Dialling(request)
        task = dialling.task = asyncio.ensure_future(self._connect(dialling))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    def land(self, request: _Request, status: int | None, error: str | None) -> None:
        """A request has come to its end."""
        land, request.land = request.land, None
        self._under_way.discard(request)
        if request.timer is not None:
            request.timer.cancel()
        if land is not None:
            land(status, error)

    def _late(self, request: _Request) -> None:
        status = None if request.connection is None else request.connection.final_status
        self._cut(request)
        late = f"The receiver did not answer within {self._timeout_s:g} s."
        self.land(request, status, late if status is None else _verdict(status))

    def _cut(self, request: _Request) -> None:
        if request.dialling is not None:
            if request.dialling.task is not None:
                request.dialling.task.cancel()
            self._wait_no_more(request)
        if request.connection is not None:
            request.connection.drop()

    # ------------------------------------------------------------ connections

    async def _connect(self, dialling: _Dialling) -> None:
        refused: list[str] = []
        try:
            connection = await self._open(dialling.target, refused)
        except (OSError, ssl.SSLError, ValueError) as exc:
            if (request := dialling.request) is not None:
                self._wait_no_more(request)
                self.land(request, None, refused[-1] if refused else _sentence(exc))
            return
        oldest, mine = self._oldest(dialling.target[:3]), dialling.request
        if oldest is not None and mine is not None:  # it is the oldest that gets it: the two change places
            dialling.request, oldest.dialling, mine.dialling = oldest, dialling, oldest.dialling
            assert mine.dialling is not None
            mine.dialling.request = mine
        self.keep(connection)
        self._hand_out(dialling.target[:3])  # at once: until then the one that gets it has no other on the way

    def _oldest(self, key: tuple[str, int, bool]) -> _Request | None:
        return next(iter(self._waiting.get(key, ())), None)

    def _wait_no_more(self, request: _Request) -> None:
        """It has a connection, or has failed to get one. The one that was being made for it is for others."""
        key, dialling = request.target[:3], request.dialling
        del self._waiting[key][request]
        if not self._waiting[key]:
            del self._waiting[key]
        if dialling is not None:
            request.dialling = dialling.request = None

    async def _open(self, target: _Target, refused: list[str]) -> _Connection:
        """A new connection. Raises OSError, ssl.SSLError, ValueError; why an address may not be, goes to `refused`."""

        def made(address_info: Any) -> socket.socket:
            family, kind, protocol, _, where = address_info
            address = ipaddress.ip_address(str(where[0]).partition("%")[0])
            if not self._receivers.allows(address):
                refused.append(self._receivers.refusal(address))
                raise PermissionError
            return socket.socket(family, kind, protocol)

        if target.is_tls and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        infos = await self._loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        sock = await start_connection(
            infos, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1, loop=self._loop, socket_factory=made
        )
        try:
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self, target),
                sock=sock,
                ssl=self._tls if target.is_tls else None,
                server_hostname=target.host if target.is_tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return connection

    def keep(self, connection: _Connection) -> None:
        """For the next request to the same receiver: the one that waits longest, or that is to come."""
        connection.since = self._loop.time()
        key = connection.target[:3]
        self._idle.setdefault(key, []).append(connection)
        if key in self._waiting:
            self._loop.call_soon(self._hand_out, key)  # not while the answer before is still being read
        if self._tidying is None:
            self._tidying = self._loop.call_later(KEPT_S, self._tidy)

    def _hand_out(self, key: tuple[str, int, bool]) -> None:
        """Connections that are free to requests that wait."""
        while (request := self._oldest(key)) is not None and (connection := self._free(key)) is not None:
            self._wait_no_more(request)
            if request.is_wanted():
                connection.begin(request)
            else:
                self.land(request, None, UNWANTED)
                self.keep(connection)

    def _free(self, key: tuple[str, int, bool]) -> _Connection | None:
        """One that is kept, and is no more."""
        kept = self._idle.get(key)
        while kept:
            connection = kept.pop()
            if connection.is_open:
                return connection
        return None

    def forget(self, connection: _Connection) -> None:
        """It was closed while it was kept."""
        kept = self._idle.get(connection.target[:3], [])
        if connection in kept:
            kept.remove(connection)

    def _tidy(self) -> None:
        """Close what was not used for long."""
        before = self._loop.time() - KEPT_S / 2
        for key, kept in list(self._idle.items()):
            for connection in kept:
                if connection.since < before:
                    connection.transport.close()
            self._idle[key] = [one for one in kept if one.since >= before]
            if not self._idle[key]:
                del self._idle[key]
        self._tidying = self._loop.call_later(KEPT_S / 2, self._tidy) if self._idle else None

    async def close(self) -> None:
        """Cut everything. Requests that are under way land no more."""
        requests, self._under_way = self._under_way, set()
        for request in requests:
            request.land = None
            if request.timer is not None:
                request.timer.cancel()
            self._cut(request)
        for connection in [one for kept in self._idle.values() for one in kept]:
            connection.transport.abort()
        self._idle.clear()
        if self._tidying is not None:
            self._tidying.cancel()
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        await asyncio.sleep(0)  # transports end in the loop's next round


def _verdict(status: int | None) -> str | None:
    """Why an answer counts as failed."""
    assert status is not None
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"The receiver answered {status}: redirects are not followed. Register the final address."
    return f"The receiver answered {status}."


def _sentence(error: Exception) -> str:
    """Without the address, which may hold a secret."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "The receiver's name cannot be resolved."
    if isinstance(error, ssl.SSLError):
        return "The receiver's certificate is not valid, or it does not speak TLS."
    return "Nothing answers at the receiver's address."
