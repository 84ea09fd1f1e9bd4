"""A client of the 2N HTTP API, one for each device; its methods are named after the manual's functions.

At most two ordinary requests and one long poll are under way at a device. Every request has a bound in time and every
reply one in size. A client dies by `close`; requests under way then end as `NoAnswer` or `Unreachable`.

Nothing is ever sent twice behind our back. aiohttp repeats GET, PUT and DELETE by itself when a connection breaks,
even if the device has acted; `once` takes that from it for every method. So a command (`switch/ctrl`, by POST) and a
directory write (by PUT) reach the device at most once per call, and a break after the first byte is `NoAnswer`, while
`Unreachable` means that nothing was sent. Reads are repeated here, once, in the open.

Messages and reprs carry neither passwords nor PINs nor a device's own text.
Source: HTTP API manual, chapters 2, 3 and 5.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp import hdrs
from yarl import URL

from . import replies, transport
from .address import plain_base
from .digest import Login, choose, parse_challenges
from .lines import TRACER, NewLine, Sent, once
from .troubles import (
    AddressNotAllowed,
    Busy,
    CertificateChanged,
    CertificateUnknown,
    DeviceTrouble,
    LoginRefused,
    NoAnswer,
    NotTheApi,
    NotThroughTunnel,
    PasswordAsked,
    Refusal,
    Unreachable,
    WrongLoginMethod,
    service_of,
)
from .tunnel import LONGEST_PULL_S, Tunnel

AT_ONCE: Final = 2
"""Ordinary requests at once (field experience: devices serve few connections)."""
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_MIB: Final = 1024 * 1024
_REPLY_BYTES: Final = 2 * _MIB
PICTURE_BYTES: Final = 8 * _MIB
"""Far more than the largest size a camera of a door has."""
_DIRECTORY_BYTES: Final = 32 * _MIB
"""10,000 entries with every field set stay below."""
_SENDS: Final = 4
"""Of one request at most: unasked, after a challenge, after a stale nonce, and one clean retry."""
_ROUNDS: Final = 5
"""Of the loop, until an end of line that has arrived is known: one to come up, one to read it, one through TLS, and two
in between for an intercom in this process."""

Query = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, on the loop's monotonic clock."""

    connect: float = transport.CONNECT_S
    ordinary: float = 10.0
    directory: float = 30.0
    """Flash is slow."""
    pull_margin: float = 10.0
    """Beyond the time a long poll may wait at the device."""


class TwoNClient:
    """The HTTP API of one device under one account.

    `connector` makes the wire (None: the network, with `pin` and `allowed` as in `transport.network`). No connection
    is opened before the first request. `tunnel`: a gateway that the device is behind; `base_url` is then one of
    its `base_of`. `is_stranger`: it is not known to be a 2N, so it is not told the password, which a login by Basic
    would; by Digest it may be logged in to.

    Raises: ValueError for an address that is not plain `http(s)://host[:port]`, and for a pin that is none.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        pin: str | None = None,
        allowed: transport.Allowed | None = None,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        timeouts: Timeouts | None = None,
        tunnel: Tunnel | None = None,
        is_stranger: bool = False,
    ) -> None:
        self._is_stranger = is_stranger
        self._recognize: Callable[[Mapping[str, Any]], None] | None = None
        self._base = plain_base(base_url) if tunnel is None else tunnel.checked(base_url)
        self._tunnel = tunnel
        if pin is not None:
            transport.fingerprint(pin)
        self._username = username
        self._password = password
        self._connector = connector or (lambda: transport.network(pin=pin, allowed=allowed))
        self._timeouts = timeouts or Timeouts()
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._logins: dict[str, Login] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._poll = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<TwoNClient {self._base}>"

    def expect(self, recognize: Callable[[Mapping[str, Any]], None]) -> None:
        """Send nothing over a new connection before `recognize` has taken what system/info says there; it raises
        DeviceTrouble for another device.

        Over plain HTTP whoever has the address answers. A pinned certificate says who it is, and a gateway's
        connections are not the device's: there nothing more is asked.
        """
        if self._tunnel is None and self._base.startswith("http://"):
            self._recognize = recognize

    def abandon(self) -> None:
        """Send nothing more: whoever calls from now on is answered `Unreachable`. Connections stay until `close`."""
        self._is_closed = True

    async def close(self) -> None:
        """Let go of every connection, for good: whoever still calls is answered `Unreachable`."""
        self.abandon()
        await self._hang_up()

    async def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # ------------------------------------------------------------ system

    async def system_info(self) -> dict[str, Any]:
        """system/info: who the device is. Needs no privilege, on older firmware no login."""
        return replies.object_of(await self._read("GET", "system/info"), "system/info")

    async def system_status(self) -> dict[str, Any]:
        """system/status: `systemTime` (unix seconds by its clock) and `upTime` (seconds since boot)."""
        return replies.object_of(await self._read("GET", "system/status"), "system/status")

    async def system_timezone(self) -> dict[str, Any]:
        """system/timezone (firmware from 2.44). The reply's shape is assumed from the write's parameters."""
        zone = await self._read("GET", "system/timezone")
        return zone if isinstance(zone, dict) else {}

    # ------------------------------------------------------------ switches

    async def switch_caps(self) -> list[dict[str, Any]]:
        """switch/caps: `switch`, `enabled`, and where enabled `mode`, `switchOnDuration` (s), `type`."""
        return replies.objects_of(await self._read("GET", "switch/caps"), "switches", "switch/caps")

    async def switch_status(self) -> list[dict[str, Any]]:
        """switch/status: `switch`, `active`, on newer firmware `locked` and `held`."""
        return replies.objects_of(await self._read("GET", "switch/status"), "switches", "switch/status")

    async def switch_ctrl(self, switch: int, action: str, *, timeout: float | None = None) -> None:
        """switch/ctrl: sent at most once; `timeout` is the time left, in seconds.

        By POST, with the content type of a form and everything in the query: a POST without a content type is
        refused (2.50), and no HTTP library repeats a POST.

        Raises: Unreachable (nothing was done), NoAnswer (unknown), Refusal 14 when the switch does not move.
        """
        query: Query = {"switch": switch, "action": action}
        bound = self._timeouts.ordinary if timeout is None else min(timeout, self._timeouts.ordinary)
        await self._send("POST", "switch/ctrl", query, timeout=bound, is_write=True)

    async def check_switch_control(self, switch: int = 1) -> None:
        """Whether the account may operate switches, without doing so: `switch/ctrl` without its mandatory action.

        Raises: Refusal 10 when it may not.
        """
        try:
            await self._send("POST", "switch/ctrl", {"switch": switch}, timeout=self._timeouts.ordinary)
        except Refusal as refused:
            if refused.code not in (11, 12):
                raise

    # ------------------------------------------------------------ camera

    async def camera_caps(self) -> dict[str, Any]:
        """camera/caps: `jpegResolution` (rows of `width`, `height`) and `sources` (rows of `source`)."""
        return replies.object_of(await self._read("GET", "camera/caps"), "camera/caps")

    async def camera_snapshot(self, width: int, height: int, source: str) -> bytes:
        """camera/snapshot: a JPEG."""
        query: Query = {"width": width, "height": height, "source": source}
        found = await self._twice(
            "GET", "camera/snapshot", query, None, self._timeouts.ordinary, PICTURE_BYTES, read=replies.picture
        )
        assert isinstance(found, bytes)
        return found

    # ------------------------------------------------------------ directory

    async def dir_template(self) -> dict[str, Any]:
        """dir/template: one entry of defaults; what is not in it does not exist on this model."""
        users = replies.objects_of(await self._directory("GET", "dir/template"), "users", "dir/template")
        return users[0] if users else {}

    async def dir_query(
        self, fields: Sequence[str], *, series: str | None = None, since: int | None = None
    ) -> dict[str, Any]:
        """dir/query: entries changed after the counter `since`, or all. Defaults may be left out."""
        body: dict[str, Any] = {"fields": list(fields)}
        if series is not None and since is not None:
            body |= {"series": series, "iterator": {"timestamp": since}}
        return replies.object_of(await self._directory("POST", "dir/query", body), "dir/query")

    async def dir_get(self, uuid: str, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """dir/get of one entry; the entry, or an object with `errors`. No fields: all that are not at their default."""
        body: dict[str, Any] = {"users": [{"uuid": uuid}]}
        if fields is not None:
            body["fields"] = list(fields)
        return replies.first_of(await self._directory("POST", "dir/get", body), "dir/get")

    async def dir_create(self, user: Mapping[str, Any]) -> dict[str, Any]:
        """dir/create of one entry; its outcome: `uuid` and `timestamp`, or `errors` (then nothing was stored)."""
        return replies.first_of(await self._write("dir/create", {"users": [user]}), "dir/create", is_write=True)

    async def dir_get_all(self, uuids: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]]:
        """dir/get of several entries, in their order; the entry, or an object with `errors`."""
        body = {"fields": list(fields), "users": [{"uuid": uuid} for uuid in uuids]}
        return replies.each_of(await self._directory("POST", "dir/get", body), len(uuids), "dir/get")

    async def dir_create_all(self, users: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """dir/create of several entries; an outcome each, in their order."""
        return replies.each_of(await self._write("dir/create", {"users": list(users)}), len(users), "dir/create")

    async def dir_update(self, user: Mapping[str, Any]) -> dict[str, Any]:
        """dir/update of one entry: only the fields that are named change."""
        return replies.first_of(await self._write("dir/update", {"users": [user]}), "dir/update", is_write=True)

    async def dir_delete(self, uuid: str) -> dict[str, Any]:
        """dir/delete of one entry."""
        return replies.first_of(
            await self._write("dir/delete", {"users": [{"uuid": uuid}]}), "dir/delete", is_write=True
        )

    # ------------------------------------------------------------ log

    async def log_caps(self) -> frozenset[str]:
        """log/caps: names of the events this device can report."""
        names = replies.object_of(await self._read("GET", "log/caps"), "log/caps").get("events")
        if not isinstance(names, list):
            raise NotTheApi("log/caps")
        return frozenset(name for name in names if isinstance(name, str))

    async def log_subscribe(self, *, include: str, names: Sequence[str], duration: int) -> int:
        """log/subscribe: a channel's id. `include`: `new`, `all` or `-<seconds>`; no names means all events."""
        query: dict[str, str | int] = {"include": include, "duration": duration}
        if names:
            query["filter"] = ",".join(names)
        channel = replies.object_of(await self._read("GET", "log/subscribe", query), "log/subscribe").get("id")
        if not isinstance(channel, int):
            raise NotTheApi("log/subscribe")
        return channel

    async def log_unsubscribe(self, channel: int, *, timeout: float = 2.0) -> None:
        """log/unsubscribe."""
        await self._send("GET", "log/unsubscribe", {"id": channel}, timeout=timeout)

    async def log_pull(self, channel: int, wait: int) -> list[dict[str, Any]]:
        """log/pull: up to 128 events, at once or as soon as one happens; `[]` after `wait` seconds without.

        Sent once: a reply that gets lost takes its events with it. Raises: NoAnswer; Refusal 12 when the channel is
        gone.
        """
        if self._tunnel is not None:
            wait = min(wait, LONGEST_PULL_S)
        bound = wait + self._timeouts.pull_margin
        result = await self._send("GET", "log/pull", {"id": channel, "timeout": wait}, timeout=bound, is_poll=True)
        return replies.objects_of(result, "events", "log/pull")

    # ------------------------------------------------------------ sending

    async def _read(self, method: str, function: str, query: Query | None = None) -> Any:
        return await self._twice(method, function, query, None, self._timeouts.ordinary, _REPLY_BYTES)

    async def _directory(self, method: str, function: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self._twice(method, function, None, body, self._timeouts.directory, _DIRECTORY_BYTES)

    async def _write(self, function: str, body: Mapping[str, Any]) -> Any:
        return await self._send("PUT", function, body=body, timeout=self._timeouts.directory, is_write=True)

    async def _twice(
        self,
        method: str,
        function: str,
        query: Query | None,
        body: Mapping[str, Any] | None,
        timeout: float,
        limit: int,
        read: replies.Reader | None = None,
    ) -> Any:
        """A read, and once more after a broken line: devices close idle connections without warning."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        try:
            return await self._send(method, function, query, body=body, timeout=timeout, limit=limit, read=read)
        except NotThroughTunnel:
            raise
        except (NoAnswer, NotTheApi):
            left = until - loop.time()
            if left <= 0:
                raise
            return await self._send(method, function, query, body=body, timeout=left, limit=limit, read=read)

    async def _send(
        self,
        method: str,
        function: str,
        query: Query | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        timeout: float,
        limit: int = _REPLY_BYTES,
        is_write: bool = False,
        is_poll: bool = False,
        read: replies.Reader | None = None,
    ) -> Any:
        """One call, logging in as asked; its `result` (None when there is none), or what `read` makes of the reply.
        Bounded by `timeout`, waiting for its turn included."""
        if self._is_closed:
            raise Unreachable(function)
        sent = Sent(may_connect=self._recognize is None)
        has_turn = False
        try:
            async with asyncio.timeout(timeout), self._poll if is_poll else self._turns:
                has_turn = True
                if is_write:
                    # Let the loop notice a kept-alive connection that the device has closed: sent on it, a command
                    # would be lost and its outcome unknown.
                    for _ in range(_ROUNDS):
                        await asyncio.sleep(0)
                return await self._log_in_and_send(
                    method, function, query, body, limit, sent, is_write=is_write, read=read or replies.result
                )
        except TimeoutError:
            if sent.may_be_sent:
                raise NoAnswer(function, is_write=is_write) from None
            raise (Unreachable if has_turn else Busy)(function) from None

    async def _log_in_and_send(
        self,
        method: str,
        function: str,
        query: Query | None,
        body: Mapping[str, Any] | None,
        limit: int,
        sent: Sent,
        *,
        is_write: bool,
        read: replies.Reader,
    ) -> Any:
        target = f"/api/{function}"
        if query:
            target += "?" + "&".join(f"{name}={quote(str(value), safe=',')}" for name, value in query.items())
        headers: dict[str, str] = {}
        if self._tunnel is not None:
            headers[self._tunnel.header_name] = self._tunnel.header_value
        data: bytes | None = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers[hdrs.CONTENT_TYPE] = _JSON
        elif method == "POST":
            headers[hdrs.CONTENT_TYPE] = _FORM
        service = service_of(function)
        login = self._logins.get(service)
        if login is None:
            login = self._logins[service] = Login(self._username, self._password)
        refusals = 0
        renewals = 0
        for _ in range(_SENDS):
            answered = login.challenge
            header = login.header(method, target)
            if header is not None:
                headers[hdrs.AUTHORIZATION] = header
            else:
                headers.pop(hdrs.AUTHORIZATION, None)
            status, asked, raw = await self._exchange(method, target, function, headers, data, limit, sent, is_write)
            if self._tunnel is not None:
                replies.check_gateway(status, asked, raw, function, is_write=is_write)
            if status != 401:
                try:
                    return read(raw, status, function, is_write=is_write)
                except WrongLoginMethod:
                    # Answered without a challenge: ask again as a stranger, to be told what is wanted.
                    login.adopt(None)
                    if answered is None:
                        raise
                    continue
            # A 401 means that the device has not acted: the same request may go again.
            sent.may_be_sent = False
            challenge = choose(parse_challenges(asked))
            if challenge is None:
                raise WrongLoginMethod(8, function)
            if challenge.scheme == "basic" and self._is_stranger:
                raise PasswordAsked(function)
            if answered is not None:
                if challenge.is_stale and not renewals:
                    renewals += 1
                elif challenge.scheme == answered.scheme:
                    refusals += 1
            if login.challenge is answered:
                login.adopt(challenge)  # else a request beside this one did
            if refusals > 1:
                login.adopt(None)
                raise LoginRefused(function)
        login.adopt(None)
        raise LoginRefused(function)

    async def _exchange(
        self,
        method: str,
        target: str,
        function: str,
        headers: Mapping[str, str],
        data: bytes | None,
        limit: int,
        sent: Sent,
        is_write: bool,
    ) -> tuple[int, list[str], bytes]:
        """One request on the wire: status, challenges, body."""
        if self._is_closed:
            raise Unreachable(function)
        try:
            return await self._transfer(method, target, function, headers, data, limit, sent, is_write)
        except NewLine:
            await self._greet()
        # It goes over the connection that was just made. Should another request have taken that one, over one that is
        # made this moment.
        sent.may_connect = True
        try:
            return await self._transfer(method, target, function, headers, data, limit, sent, is_write)
        finally:
            sent.may_connect = False

    async def _greet(self) -> None:
        """Ask whoever is at the other end of a new connection who they are, without a login if they tell."""
        function, sent = "system/info", Sent(may_connect=True)
        about = ("GET", f"/api/{function}", function)
        status, _, raw = await self._exchange(*about, {}, None, _REPLY_BYTES, sent, False)
        if status == 401:
            info = await self._log_in_and_send(
                "GET", function, None, None, _REPLY_BYTES, sent, is_write=False, read=replies.result
            )
        else:
            info = replies.result(raw, status, function, is_write=False)
        assert self._recognize is not None
        try:
            self._recognize(replies.object_of(info, function))
        except DeviceTrouble:
            await self._hang_up()  # else the next request would find a connection that it need not ask about
            raise

    async def _transfer(
        self,
        method: str,
        target: str,
        function: str,
        headers: Mapping[str, str],
        data: bytes | None,
        limit: int,
        sent: Sent,
        is_write: bool,
    ) -> tuple[int, list[str], bytes]:
        try:
            async with self._opened().request(
                method,
                URL(self._base + target, encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
                trace_request_ctx=sent,
            ) as response:
                challenges = response.headers.getall(hdrs.WWW_AUTHENTICATE, []) if response.status == 401 else []
                raw = await replies.body(response, limit)
                if raw is None:
                    raise NotTheApi(function, is_write=is_write)
                return response.status, challenges, raw
        except aiohttp.ServerFingerprintMismatch as exc:
            raise CertificateChanged(function) from exc
        except aiohttp.ClientConnectorCertificateError as exc:
            raise CertificateUnknown(function) from exc
        except aiohttp.ClientConnectorError as exc:
            if isinstance(exc.os_error, transport.AddressRefused):
                raise AddressNotAllowed(function) from exc
            raise Unreachable(function) from exc
        except aiohttp.ConnectionTimeoutError as exc:
            raise Unreachable(function) from exc
        except aiohttp.ClientPayloadError as exc:
            raise NotTheApi(function, is_write=is_write) from exc
        except aiohttp.ClientResponseError as exc:
            raise NotTheApi(function, is_write=is_write) from exc
        except (aiohttp.ClientError, OSError) as exc:
            if isinstance(exc, TimeoutError):
                raise
            raise (NoAnswer(function, is_write=is_write) if sent.may_be_sent else Unreachable(function)) from exc

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={hdrs.USER_AGENT: "doorward", hdrs.ACCEPT_ENCODING: "identity"},
                skip_auto_headers=(hdrs.CONTENT_TYPE,),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect),
                trust_env=False,
                auto_decompress=False,
                middlewares=(once,),
                trace_configs=[TRACER],
            )
        return self._session


__all__ = ["DeviceTrouble", "Timeouts", "TwoNClient"]
