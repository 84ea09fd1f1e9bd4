"""One 2N device's HTTP API: requests, logins, time-outs and the error table.

Politeness: at most two requests at once and one long poll. Commands go by POST, because aiohttp sends a GET, PUT or
DELETE once more by itself when a kept connection breaks, even if the device has acted; and connections are kept for
only a few seconds, so that a command rarely meets one that the device has just closed. A repeated PUT of a directory
entry is harmless: its UUID is ours, and the second one is answered "exists already".

If the process dies half way through a request, the device may or may not have acted; nobody repeats it.

Source: HTTP API manual, "Protocol description", "Replies and error codes".
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from doorward.providers.base import (
    NotAuthorized,
    Offline,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unsupported,
)
from doorward.providers.my_2n_first.digest import Login, challenges

CONNECT_S = 5.0
ORDINARY_S = 10.0
DIRECTORY_S = 30.0
PULL_MARGIN_S = 10.0
KEEP_ALIVE_S = 4.0
AT_ONCE = 2
MOST_BYTES = 32 * 1024 * 1024

SERVICES = {
    # First word of the path → the service group that guards it, as the device's web interface calls it.
    "system": "System API",
    "dir": "System API",
    "switch": "Switch API",
    "io": "I/O API",
    "log": "Logging API",
    "camera": "Camera API",
    "accesspoint": "API Access Control",
    "call": "Phone/Call API",
    "phone": "Phone/Call API",
}
PRIVILEGES = {
    "system": "System - Control",
    "dir": "System - Control",
    "switch": "Switch - Control",
    "io": "Inputs and Outputs - Monitoring",
    "camera": "Camera - Monitoring",
}


class ChannelGone(Refused):
    """The log channel has expired, or the device has restarted."""


class ServiceDisabled(Refused):
    """A service of the device's HTTP API is switched off."""


class Busy(Refused):
    """The device refused in its present state."""


def _sentence(code: int, group: str, description: str) -> ProviderError:
    """The exception of an error code. Texts of the device are quoted only where they cannot hold a secret."""
    service = SERVICES.get(group, group)
    where = "on the device under Services / HTTP API"
    text = str(code)
    match code:
        case 1 | 2 | 3:
            return Unsupported(f"This device has no function {group} of this kind.", code=text)
        case 4:
            return ServiceDisabled(f"{service} is switched off. Enable it {where}.", code=text)
        case 5:
            return Refused(
                f"{service} needs a licence with this firmware. Update the device to 2.35 or later.", code=text
            )
        case 7:
            return Refused(f"{service} takes secure connections only. Connect the device with https.", code=text)
        case 8:
            return Refused(
                f"{service} asks for another kind of login. Set its authentication to Digest {where}.", code=text
            )
        case 9:
            return NotAuthorized("The device refused the user name or password.", code=text)
        case 10:
            missing = PRIVILEGES.get(group, "Control")
            return NotAuthorized(
                f"The account lacks the privilege {missing}. Tick it for the account {where}.",
                code=text,
                missing=missing,
            )
        case 14 if "action failed" in description:
            return Busy("The device refused: the switch is locked, held or disabled there.", code=text)
        case 14 if "session not found" in description:
            return Refused("There is no such call.", code=text)
        case 18:
            return Busy("The device refused in its present state.", code=text)
        case 13:
            return Refused("The device found the request too large.", code=text)
        case _:
            return Refused(f"The device answered with error {code}.", code=text)


class Client:
    """Speaks to one device. Make it inside the loop that uses it."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        connector: aiohttp.BaseConnector | None = None,
        pin: str | None = None,
    ) -> None:
        """`pin`: SHA-256 of the certificate, hexadecimal; None: any certificate (plain http, or first use)."""
        self._base = url.rstrip("/")
        self._ssl: Any = aiohttp.Fingerprint(bytes.fromhex(pin)) if pin else False
        self._session = aiohttp.ClientSession(
            connector=connector or aiohttp.TCPConnector(limit=AT_ONCE + 2, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
        )
        self._account = (username, password)
        self._logins: dict[str, Login] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<2N client of {self._base}>"

    async def close(self) -> None:
        await self._session.close()

    # ------------------------------------------------------------ functions, as in the manual

    async def read(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """A function that only reads. The `result` of the reply, None when there is none."""
        async with self._slots:
            return await self._call("GET", path, params, None, ORDINARY_S)

    async def command(self, path: str, params: Mapping[str, str | int], timeout: float) -> Any:
        """A function that acts: sent at most once.

        Raises Offline when it was surely not sent, OutcomeUnknown when it may have been.
        """
        async with self._slots:
            return await self._call("POST", path, params, None, timeout, acts=True)

    async def directory(self, verb: str, path: str, body: Mapping[str, Any]) -> Any:
        """A `dir/…` function."""
        async with self._slots:
            return await self._call(verb, path, None, body, DIRECTORY_S)

    async def pull(self, channel: int, timeout: int) -> list[dict[str, Any]]:
        """Events of a log channel; waits up to `timeout` seconds for the first. Raises ChannelGone."""
        try:
            params: dict[str, str | int] = {"id": channel, "timeout": timeout}
            result = await self._call("GET", "log/pull", params, None, timeout + PULL_MARGIN_S)
        except Refused as exc:
            if exc.code == "12":
                raise ChannelGone(code=exc.code) from None
            raise
        events = result.get("events") if isinstance(result, dict) else None
        if not isinstance(events, list):
            raise Refused("The device's event log answered something that is not a list.")
        return [e for e in events if isinstance(e, dict)]

    # ------------------------------------------------------------ one call

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        timeout: float,
        *,
        acts: bool = False,
    ) -> Any:
        group = path.partition("/")[0]
        login = self._logins.get(group)
        if login is None:
            login = self._logins[group] = Login(*self._account)
        target = f"/api/{path}"
        if params:
            target += "?" + "&".join(f"{k}={v}" for k, v in params.items())
        # Given as encoded already: the Digest answer covers these very bytes.
        url = URL(self._base + target, encoded=True)
        data = msgspec.json.encode(body) if body is not None else None
        deadline = asyncio.get_running_loop().time() + timeout
        clean_retry = True
        while True:
            headers = {}
            if body is not None:
                headers["Content-Type"] = "application/json"
            elif method == "POST":
                # Without one of the known types the device refuses, with code 14 (seen on Verso 2.50).
                headers["Content-Type"] = "application/x-www-form-urlencoded"
                data = b""
            had_answered = (authorization := login.header(method, target)) is not None
            if authorization:
                headers["Authorization"] = authorization
            left = deadline - asyncio.get_running_loop().time()
            status, asked, payload = await self._send(method, url, headers, data, left, acts=acts)
            if status != 401:
                return self._result(status, payload, group)
            best = next(iter(challenges(asked)), None)
            if best is None:
                raise NotAuthorized("The device asks for a kind of login that is not known here.")
            login.answer(best)
            if had_answered and not best.stale:
                # Devices forget nonces without saying so, and refuse now and then: one clean try more.
                if not clean_retry:
                    login.answer(None)
                    raise NotAuthorized("The device refused the user name or password.", code="9")
                clean_retry = False

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], data: bytes | None, timeout: float, *, acts: bool
    ) -> tuple[int, list[str], bytes]:
        limit = aiohttp.ClientTimeout(total=max(0.05, timeout), sock_connect=CONNECT_S, connect=CONNECT_S)
        try:
            async with self._session.request(
                method, url, headers=headers, data=data, timeout=limit, allow_redirects=False, ssl=self._ssl
            ) as reply:
                payload = await self._read(reply)
                return reply.status, reply.headers.getall("WWW-Authenticate", []), payload
        except aiohttp.ServerFingerprintMismatch:
            raise Offline(
                "The device's certificate is not the one that was seen before. If it was renewed, connect it again."
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ssl.SSLError) as exc:
            raise Offline(f"The device cannot be reached ({_why(exc)}).") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            if acts:
                raise OutcomeUnknown(
                    f"The device did not answer ({_why(exc)}): the command may or may not have been carried out."
                ) from None
            raise Offline(f"The device did not answer ({_why(exc)}).") from None

    @staticmethod
    async def _read(reply: aiohttp.ClientResponse) -> bytes:
        chunks = bytearray()
        async for chunk in reply.content.iter_chunked(65536):
            chunks += chunk
            if len(chunks) > MOST_BYTES:
                raise aiohttp.ClientPayloadError("too large")
        return bytes(chunks)

    @staticmethod
    def _result(status: int, payload: bytes, group: str) -> Any:
        try:
            envelope = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            envelope = None
        if isinstance(envelope, dict) and envelope.get("success") is True:
            return envelope.get("result")
        if isinstance(envelope, dict) and isinstance(envelope.get("error"), dict):
            error = envelope["error"]
            code = error.get("code")
            if isinstance(code, int):
                raise _sentence(code, group, str(error.get("description", "")))
        if status == 403:
            raise _sentence(10, group, "")
        if status == 404:
            raise _sentence(2, group, "")
        if status >= 500:
            raise Offline(f"The device answered with HTTP status {status}.")
        raise Refused("The device answered something that is not its HTTP API. Is this address a 2N device?")


def _why(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "time-out"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return exc.os_error.strerror or "no connection"
    return "the connection broke"
