"""Ask an address whether a 2N device is there, and who it is, before anybody has a login for it.

One question, `system/info`, without credentials: older firmware answers it, hardened firmware asks for a login, and
both give a 2N away. Over HTTPS the certificate is read first, and the question goes over a connection that accepts
exactly this one; its fingerprint is what a person may trust from then on. Redirects are not followed, replies have a
bound in size, and everything together has one in time. Nothing is kept here: a probe that dies half way has closed
its connections and left no trace.

Source: HTTP API manual, chapters 2.3 and 5.1.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import hdrs

from . import facts, transport
from .address import is_host
from .digest import parse_challenges
from .probe_failures import (
    AddressOutsideNetworks,
    AnswersWithError,
    BadAddress,
    CertificateUnsteady,
    DoesNotAnswer,
    HttpsOnly,
    NameUnknown,
    NotA2N,
    NothingListens,
    NoTls,
    ProbeFailed,
    Silent,
    SystemServiceDisabled,
    TlsTrouble,
    most_telling,
)

PORTS: Final = (443, 80)
"""HTTPS and HTTP, where no port is said."""
_PATH: Final = "/api/system/info"
_REPLY_BYTES: Final = 64 * 1024
_SHARE: Final = 0.6
"""Of the time that is left, what one way may take while another remains."""
_SERIAL: Final = re.compile(r"\d{2}-\d{4}-\d{4}")
_WORD: Final = re.compile(r"[\w. -]{1,64}")
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING", "UNKNOWN_PROTOCOL"}
)
"""OpenSSL's words for an answer that is not TLS."""
_UNNAMED: Final = "2N IP intercom"


@dataclass(frozen=True, slots=True)
class Found:
    """A 2N device that answers at an address."""

    url: str
    """`http(s)://host[:port]`, as the client takes it."""
    pin: str | None
    """SHA-256 of the certificate it showed, hex; None over plain HTTP."""
    name: str
    """What its owner calls it; the host, where it says nothing without a login."""
    model: str
    serial: str | None
    firmware: str | None
    needs_login_for_info: bool
    is_sure: bool = True
    """False: something asks for a login where a 2N would, and says no more."""
    address: str = ""
    """The IP address behind its name, and the port where that is not the usual one."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask. `scheme` and `port` None: left open."""

    host: str
    """Plain ASCII; an IPv6 address without brackets."""
    port: int | None = None
    scheme: str | None = None


def parse_address(text: str) -> Address:
    """What a person typed: `192.168.1.20`, `door.local:8443`, `[fd00::1]`, `https://door/`.

    Raises: BadAddress.
    """
    text = text.strip()
    scheme: str | None = None
    if match := re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text):
        scheme = match[1].lower()
        text = text[match.end() :]
        if scheme not in ("http", "https"):
            raise BadAddress("The address of a device begins with http:// or https://, or with neither.")
    if "@" in text:
        raise BadAddress("Leave user name and password out of the address; they are asked for afterwards.")
    if len(text) > 300 or not text.isprintable() or re.search(r"[\s\\%]", text):
        raise BadAddress
    bare = text.rstrip("/")
    if bare.count(":") > 1 and not bare.startswith("["):
        bare = f"[{bare}]"
    try:
        parts = urlsplit(f"//{bare}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress from None
    if parts.path or parts.query or parts.fragment:
        raise BadAddress("The address of a device ends after host and port; leave out what follows.")
    if not host or port == 0 or not is_host(host) or ("[" in bare and not _is_ip(host)):
        raise BadAddress
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rstrip(".").rpartition(".")[2]) and not _is_ip(host):
        # Old resolvers make addresses of such words: 192.168.1 would be 192.168.0.1.
        raise BadAddress("This is not a whole IP address. It has four numbers from 0 to 255, such as 192.168.1.20.")
    return Address(host if _is_ip(host) else host.encode("idna").decode(), port, scheme)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def probe(
    address: str,
    *,
    allowed: transport.Allowed | None,
    timeout: float = 5.0,
    ports: tuple[int, int] = PORTS,
) -> Found:
    """Who answers at this address; without a scheme HTTPS is tried first, then HTTP.

    `timeout`: seconds for everything together. `ports`: HTTPS and HTTP where the address names none.

    Raises: ProbeFailed, whose `message` says what is wrong and how to mend it.
    """
    return await _Probe(parse_address(address), allowed, timeout, ports).run()


@dataclass(frozen=True, slots=True)
class _Way:
    """A scheme and a port to try."""

    scheme: str
    port: int


class _SecureWanted(Exception):
    """Plain HTTP was answered by a wish for HTTPS, on `port` if it says so."""

    def __init__(self, port: int | None = None, code: str | None = None) -> None:
        super().__init__()
        self.port = port
        self.code = code


class _Probe:
    """One address, asked in one or more ways."""

    def __init__(
        self, address: Address, allowed: transport.Allowed | None, timeout: float, ports: tuple[int, int]
    ) -> None:
        self._host = address.host
        self._shown = f"[{address.host}]" if ":" in address.host else address.host
        self._is_forced = address.scheme is not None
        self._allowed = allowed
        self._timeout = timeout
        self._secure_port = ports[0]
        self._ways = [
            _Way(scheme, address.port or usual)
            for scheme, usual in zip(("https", "http"), ports, strict=True)
            if address.scheme in (None, scheme)
        ]
        self._failures: list[ProbeFailed] = []
        self._is_connected = False

    async def run(self) -> Found:
        until = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout(self._timeout):
                address = await self._check_host()
        except TimeoutError:
            raise DoesNotAnswer(self._host) from None
        found = await self._try_ways(until)
        if found is None:
            raise most_telling(self._failures)
        port = urlsplit(found.url).port
        return replace(found, address=address if port is None else f"{address} port {port}")

    async def _check_host(self) -> str:
        """The first address of the name that is allowed. Sockets check theirs again."""
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(self._host, self._ways[0].port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            infos = []
        if not infos:
            raise NameUnknown(self._host)
        for info in infos:
            try:
                transport.check(str(info[4][0]), self._allowed)
            except transport.AddressRefused:
                continue
            return str(info[4][0])
        raise AddressOutsideNetworks(self._host, ipaddress.ip_address(str(infos[0][4][0]).partition("%")[0]))

    async def _try_ways(self, until: float) -> Found | None:
        """The first answer of a 2N; None when every way failed, or when the loop's clock reads `until`."""
        loop = asyncio.get_running_loop()
        ways = list(self._ways)
        while ways:
            way = ways.pop(0)
            left = until - loop.time()
            self._is_connected = False
            try:
                async with asyncio.timeout(left * _SHARE if ways else left):
                    return await self._ask(way)
            except TimeoutError:
                self._fail(Silent(self._where(way)) if self._is_connected else DoesNotAnswer(self._host))
            except ProbeFailed as failure:
                self._fail(failure)
            except _SecureWanted as wish:
                self._fail(HttpsOnly(self._shown, wish.code))
                secure = _Way("https", wish.port or self._secure_port)
                if not self._is_forced and secure not in self._ways:
                    self._ways.append(secure)
                    ways.append(secure)
        return None

    def _fail(self, failure: ProbeFailed) -> None:
        self._failures.append(failure)

    def _where(self, way: _Way) -> str:
        return f"{self._shown}:{way.port}"

    # ------------------------------------------------------------ one way

    async def _ask(self, way: _Way) -> Found:
        """Raises: ProbeFailed, _SecureWanted, TimeoutError."""
        where = self._where(way)
        url = f"{way.scheme}://{self._shown}"
        if way.port != {"https": 443, "http": 80}[way.scheme]:
            url += f":{way.port}"
        try:
            pin: str | None = None
            if way.scheme == "https":
                pin = await transport.fetch_certificate_pin(
                    self._host, way.port, allowed=self._allowed, timeout=self._timeout
                )
                self._is_connected = True
            return await self._request(url, pin, way)
        except aiohttp.ServerFingerprintMismatch:
            raise CertificateUnsteady(where) from None
        except aiohttp.ClientConnectorError as exc:
            raise self._line(exc.os_error, way) from None
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError):
            raise NotA2N(where) from None
        except (aiohttp.ClientError, OSError) as exc:
            if isinstance(exc, TimeoutError):
                raise
            raise self._line(exc, way) from None

    def _line(self, exc: BaseException, way: _Way) -> ProbeFailed:
        """What a broken line tells."""
        where = self._where(way)
        match exc:
            case transport.AddressRefused():
                return AddressOutsideNetworks(self._host, exc.address)
            case ssl.SSLError():
                return NoTls(where) if exc.reason in _NO_TLS or exc.reason is None else TlsTrouble(where)
            case ConnectionRefusedError():
                return NothingListens(self._host, [way.port])
            case ConnectionError() | aiohttp.ClientError():
                return NoTls(where) if way.scheme == "https" and not self._is_connected else NotA2N(where)
            case _:
                return DoesNotAnswer(self._host)

    async def _request(self, url: str, pin: str | None, way: _Way) -> Found:
        async with (
            aiohttp.ClientSession(
                connector=transport.network(pin=pin, allowed=self._allowed),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={hdrs.USER_AGENT: "doorward", hdrs.ACCEPT_ENCODING: "identity"},
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                auto_decompress=False,
                trace_configs=[self._tracer()],
            ) as session,
            session.get(url + _PATH, allow_redirects=False) as response,
        ):
            raw = b""
            async for chunk in response.content.iter_chunked(_REPLY_BYTES):
                raw += chunk
                if len(raw) > _REPLY_BYTES:
                    raise NotA2N(self._where(way))
            return self._judge(response, raw, url, pin, way)

    def _tracer(self) -> aiohttp.TraceConfig:
        async def connected(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
            self._is_connected = True

        tracer = aiohttp.TraceConfig()
        tracer.on_connection_create_end.append(connected)
        return tracer

    # ------------------------------------------------------------ replies

    def _judge(self, response: aiohttp.ClientResponse, raw: bytes, url: str, pin: str | None, way: _Way) -> Found:
        """Raises: ProbeFailed, _SecureWanted."""
        where = self._where(way)
        if response.status in (301, 302, 303, 307, 308):
            if way.scheme == "http" and (port := self._secure_redirect(response)) is not None:
                raise _SecureWanted(port)
            raise NotA2N(where)
        success, body = _envelope(raw)
        if success:
            found = _found(body, self._host, url, pin)
            if found is None:
                raise NotA2N(where)
            return found
        code = body.get("code") if success is False else None
        if isinstance(code, bool):
            code = None
        unnamed = Found(url, pin, self._host, _UNNAMED, None, None, needs_login_for_info=True)
        match code:
            case 8 | 9 | 10:  # another kind of login, a login, or a privilege
                return unnamed
            case 4:
                raise SystemServiceDisabled(where)
            case 7 if way.scheme == "http":
                raise _SecureWanted(code="7")
            case int():
                raise AnswersWithError(where, f"number {code} of its API", str(code))
        if response.status == 401:
            challenges = parse_challenges(response.headers.getall(hdrs.WWW_AUTHENTICATE, []))
            if any(challenge.scheme in ("digest", "basic") for challenge in challenges):
                is_sure = response.headers.get(hdrs.SERVER, "").startswith("HIP")
                return Found(url, pin, self._host, _UNNAMED, None, None, needs_login_for_info=True, is_sure=is_sure)
        if 500 <= response.status < 600:
            raise AnswersWithError(where, f"HTTP status {response.status}", str(response.status))
        raise NotA2N(where)

    def _secure_redirect(self, response: aiohttp.ClientResponse) -> int | None:
        """The HTTPS port of this very host that a redirect names. It is never followed."""
        try:
            parts = urlsplit(response.headers.get(hdrs.LOCATION, ""))
            port = parts.port
        except ValueError:
            return None
        if parts.scheme != "https" or parts.hostname != self._host:
            return None
        return port or self._secure_port


def _envelope(raw: bytes) -> tuple[bool | None, dict[str, Any]]:
    """`success` and what belongs to it, `result` or `error`; None when it is no envelope."""
    try:
        reply = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        reply = None
    success = reply.get("success") if isinstance(reply, dict) else None
    if not isinstance(reply, dict) or not isinstance(success, bool):
        return None, {}
    body = reply.get("result" if success else "error")
    return success, body if isinstance(body, dict) else {}


def _found(info: dict[str, Any], host: str, url: str, pin: str | None) -> Found | None:
    """The device that `system/info` tells of; None when that is no 2N."""
    model, serial = facts.line(info.get("variant")), info.get("serialNumber")
    serial = serial if isinstance(serial, str) and _WORD.fullmatch(serial) else None
    if not model or not (model.startswith("2N ") or (serial is not None and _SERIAL.fullmatch(serial))):
        return None
    firmware = info.get("swVersion")
    return Found(
        url,
        pin,
        name=facts.line(info.get("deviceName")) or model,
        model=model,
        serial=serial,
        firmware=firmware if isinstance(firmware, str) and _WORD.fullmatch(firmware) else None,
        needs_login_for_info=False,
    )


__all__ = ["PORTS", "Address", "Found", "ProbeFailed", "parse_address", "probe"]
