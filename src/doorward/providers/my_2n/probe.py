"""Who answers at an address? Asked before anybody types a password, so nothing is sent but `system/info` as a stranger.

The certificate is read first, and everything after goes over connections that are pinned to exactly that one. Where it
was not said whether HTTPS or HTTP is meant, HTTPS comes first. Every failure is a whole sentence about what is wrong
and how to mend it, without a word of what the other side sent. Dying half way costs nothing.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from doorward.providers.base import Offline, Refused

from .client import Timeouts, TwoNClient
from .transport import AddressRefused, Allowed, fetch_certificate_pin
from .troubles import (
    AddressNotAllowed,
    CertificateChanged,
    LineTrouble,
    LoginNeeded,
    LoginRefused,
    NoAnswer,
    NotTheApi,
    PrivilegeMissing,
    Refusal,
    ServiceDisabled,
    TlsRequired,
    WrongLoginMethod,
    outward,
)

TIMEOUT_S: Final = 8.0
CONNECT_S: Final = 3.0

BAD_ADDRESS: Final = "This is not an address. It looks like 192.168.1.20, intercom.local or https://192.168.1.20:8443."
NO_NAME: Final = "No device of this name is known in the network. Check the spelling, or use the number of its address."
OUTSIDE: Final = (
    "This address is outside of the networks that devices may be in. Whoever runs this server names them in "
    "DOORWARD_DEVICE_NETWORKS."
)
NOTHING_LISTENS: Final = (
    "There is a machine at this address, but nothing listens on the port. Check the address and the port; on the "
    "device, the web server's ports are under Services / Web Server."
)
NO_REPLY: Final = "Nothing answers at this address. Check the address, and the device's power and network cable."
NO_TLS: Final = (
    "Something answers, but no encrypted connection could be made. Check the port, or that the device's HTTPS is on."
)
NOT_A_2N: Final = "Something answers there, but it is not a 2N intercom or access unit."
CUT: Final = "The device took the connection and then did not answer. It may be starting; try again in a minute."


@dataclass(frozen=True)
class Found:
    """Somebody who speaks the 2N HTTP API."""

    url: str
    """`http(s)://host[:port]`"""
    pin: str | None
    """SHA-256 of the certificate it shows, hex; None over plain HTTP."""
    name: str = ""
    model: str = ""
    serial: str | None = None
    """None: it tells only whoever logs in."""
    firmware: str = ""


async def probe(address: str, *, allowed: Allowed | None, timeout: float = TIMEOUT_S) -> Found:
    """Who answers at what a person typed: `host`, `host:port`, or with `http://` or `https://` in front.

    Raises: Offline when nobody does, Refused when it is somebody else, or not as it is set now.
    """
    scheme, rest = _split(address)
    try:
        async with asyncio.timeout(timeout):
            if scheme:
                return await _ask(f"{scheme}://{rest}", allowed)
            return await _either(rest, allowed)
    except TimeoutError:
        raise Offline(NO_REPLY) from None


def _split(address: str) -> tuple[str, str]:
    """Scheme ('' when none was typed) and host with port. Raises Refused."""
    text = address.strip().rstrip("/")
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "", text
    scheme = scheme.lower()
    try:
        parts = urlsplit(f"//{rest}")
        is_address = bool(parts.hostname) and parts.port != 0 and not re.search(r"[/?#@\s\\]", rest)
    except ValueError:
        is_address = False
    if scheme not in ("", "http", "https") or not is_address:
        raise Refused(BAD_ADDRESS)
    return scheme, rest


async def _either(rest: str, allowed: Allowed | None) -> Found:
    """HTTPS, else HTTP. What is said when neither works is what tells most."""
    try:
        return await _ask(f"https://{rest}", allowed)
    except (Offline, Refused) as exc:
        if exc.message in (BAD_ADDRESS, NO_NAME, OUTSIDE):
            raise
        secure = exc
    try:
        return await _ask(f"http://{rest}", allowed)
    except (Offline, Refused) as plain:
        # Somebody who answers wrongly tells more than nobody who answers.
        said = (plain, secure) if isinstance(plain, Refused) or not isinstance(secure, Refused) else (secure, plain)
        raise said[0] from None


async def _ask(url: str, allowed: Allowed | None) -> Found:
    pin = await _certificate(url, allowed) if url.startswith("https:") else None
    try:
        client = TwoNClient(url, "", "", pin=pin, allowed=allowed, timeouts=Timeouts(connect=CONNECT_S, ordinary=6.0))
    except ValueError:
        raise Refused(BAD_ADDRESS) from None
    try:
        info = await _translated(client.system_info)
    finally:
        await client.close()
    if info is None:
        return Found(url, pin)
    if not (_text(info, "serialNumber") or _text(info, "variant").startswith("2N")):
        raise Refused(NOT_A_2N)
    return Found(
        url,
        pin,
        name=_text(info, "deviceName"),
        model=_text(info, "variant"),
        serial=_text(info, "serialNumber") or None,
        firmware=_text(info, "swVersion"),
    )


async def _translated(call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any] | None:
    """What it says of itself; None when it says so only to who logs in. Raises ProviderError."""
    try:
        return await call()
    except (LoginRefused, LoginNeeded, PrivilegeMissing):
        return None
    except NotTheApi as exc:
        raise Refused(NOT_A_2N) from exc
    except AddressNotAllowed as exc:
        raise Offline(OUTSIDE) from exc
    except CertificateChanged as exc:
        raise Offline(NO_TLS) from exc
    except NoAnswer as exc:
        raise Offline(CUT) from exc
    except LineTrouble as exc:
        raise Offline(_why(exc)) from exc
    except (ServiceDisabled, TlsRequired) as exc:
        raise outward(exc) from exc
    except WrongLoginMethod as exc:
        raise Refused(NOT_A_2N) from exc  # a 401 without a challenge that we know
    except Refusal as exc:
        raise outward(exc) from exc


async def _certificate(url: str, allowed: Allowed | None) -> str:
    parts = urlsplit(url)
    try:
        return await fetch_certificate_pin(parts.hostname or "", parts.port or 443, allowed=allowed, timeout=CONNECT_S)
    except TimeoutError:
        raise Offline(NO_REPLY) from None
    except OSError as exc:
        raise Offline(_why(exc)) from exc


def _why(exc: BaseException) -> str:
    """The sentence for a connection that was not made."""
    chain: BaseException | None = exc
    while chain is not None:
        match chain:
            case AddressRefused():
                return OUTSIDE
            case socket.gaierror():
                return NO_NAME
            case ConnectionRefusedError():
                return NOTHING_LISTENS
            case ssl.SSLError() | ConnectionResetError():
                return NO_TLS if isinstance(exc, OSError) else CUT
        chain = chain.__cause__ or getattr(chain, "os_error", None)
    return NO_REPLY


def _text(info: dict[str, Any], key: str) -> str:
    value = info.get(key)
    return value.strip()[:120] if isinstance(value, str) and value.isprintable() else ""
