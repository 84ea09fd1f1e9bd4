"""Accounts, privileges, service settings, and the checks of Basic and Digest logins.

`Gate` decides about one request; it changes nothing but its own counters. Passwords stay inside this module: no
`repr`, no message and no snapshot line of a log shows one. Source: HTTP API manual, chapters 3 and 5; RFC 2617.
"""

import base64
import binascii
import enum
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote

from .quirks import Quirks

MAX_ACCOUNTS: Final = 5


class Privilege(enum.StrEnum):
    """The check boxes of an account."""

    SYSTEM_MONITORING = "system-monitoring"
    SYSTEM_CONTROL = "system-control"
    PHONE_MONITORING = "phone-monitoring"
    PHONE_CONTROL = "phone-control"
    IO_MONITORING = "io-monitoring"
    IO_CONTROL = "io-control"
    SWITCH_MONITORING = "switch-monitoring"
    SWITCH_CONTROL = "switch-control"
    CAMERA_MONITORING = "camera-monitoring"
    AUDIO_CONTROL = "audio-control"
    DISPLAY_CONTROL = "display-control"
    EMAIL_CONTROL = "email-control"
    UID_MONITORING = "uid-monitoring"
    KEYPAD_MONITORING = "keypad-monitoring"
    ACCESS_MONITORING = "access-monitoring"
    ACCESS_CONTROL = "access-control"
    AUTOMATION_CONTROL = "automation-control"


ALL: Final = frozenset(Privilege)
_GROUP_NAMES: Final = {
    "calls": "phone",
    "call": "phone",
    "phonecalls": "phone",
    "phonecall": "phone",
    "inputsandoutputs": "io",
    "inputsoutputs": "io",
    "switches": "switch",
    "switchaccess": "switch",
    "cards": "uid",
    "accesscontrol": "access",
    "accesspoint": "access",
}


def privileges_named(names: Iterable[str]) -> frozenset[Privilege]:
    """Privileges by name. `system-control`, `SystemControl` and `System – Control` are the same; a group alone
    (`system`) is both of its halves; `all` is everything.

    Raises: ValueError for a name that means nothing.
    """
    found: set[Privilege] = set()
    for name in names:
        word = re.sub(r"[^a-z]", "", name.lower()).replace("monitoring", "monitor")
        if word == "all":
            return ALL
        chosen: set[Privilege] = set()
        for half in ("monitor", "control", ""):
            group = word.removesuffix(half) if half and word.endswith(half) else word
            group = _GROUP_NAMES.get(group, group)
            chosen = {p for p in Privilege if p.partition("-")[0] == group and p.partition("-")[2].startswith(half)}
            if chosen and (not half or word.endswith(half)):
                break
            chosen = set()
        if not chosen:
            raise ValueError(f"There is no privilege {name!r}.")
        found |= chosen
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Account:
    """One of the five HTTP API accounts."""

    name: str
    password: str = field(repr=False)
    privileges: frozenset[Privilege] = ALL
    enabled: bool = True
    """A disabled account is answered like a wrong password."""


class Service(enum.StrEnum):
    """The groups that are switched on and secured separately."""

    SYSTEM = "system"
    ACCESS = "access"
    SWITCH = "switch"
    IO = "io"
    AUDIO = "audio"
    CAMERA = "camera"
    DISPLAY = "display"
    EMAIL = "email"
    PHONE = "phone"
    LOG = "log"
    AUTOMATION = "automation"


SERVICE_NAMES: Final[dict[str, Service]] = {
    **{service.value: service for service in Service},
    "accesscontrol": Service.ACCESS,
    "accesspoint": Service.ACCESS,
    "call": Service.PHONE,
    "phonecall": Service.PHONE,
    "logging": Service.LOG,
    "dir": Service.SYSTEM,
    "directory": Service.SYSTEM,
}
"""Services by the names people use for them, lower case without punctuation."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How one service is reached."""

    enabled: bool = True
    connection: Literal["tcp", "tls"] = "tcp"
    """`tls` refuses plain HTTP; `tcp` takes both."""
    authentication: Literal["none", "basic", "digest"] = "digest"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller who may come in. `account` is None on a service that asks for no login."""

    account: Account | None
    privileges: frozenset[Privilege]


@dataclass(frozen=True, slots=True)
class Challenged:
    """A caller who may not, and what is asked of them."""

    header: str
    """`WWW-Authenticate`."""
    wrong_scheme: bool = False
    wrong_password: bool = False


_PAIR: Final = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def _md5(text: str) -> str:
    # Digest as every known 2N client speaks it is MD5; nothing else relies on it.
    # A header may hold bytes that are no UTF-8; they come as surrogates and go back as they were.
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


class Gate:
    """The login check of one intercom.

    Nonces carry their own time and a keyed mark, so none is stored; `forget()` makes all of them unknown.
    """

    def __init__(self, quirks: Quirks, steady: Callable[[], int]) -> None:
        self.quirks = quirks
        self.key = secrets.token_bytes(16)
        self._steady = steady
        self._accounts: dict[str, Account] = {}
        self._ha1: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._nobody = _md5(secrets.token_hex())

    # ------------------------------------------------------------ accounts

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts, enabled or not."""
        return tuple(self._accounts.values())

    def put_account(self, account: Account) -> None:
        """Add an account or replace the one of its name.

        Raises: ValueError for a sixth.
        """
        if account.name not in self._accounts and len(self._accounts) >= MAX_ACCOUNTS:
            raise ValueError("An intercom has five accounts.")
        self._accounts[account.name] = account
        self._ha1[account.name] = _md5(f"{account.name}:{self.quirks.realm}:{account.password}")

    def clear_accounts(self) -> None:
        """What a factory reset does."""
        self._accounts.clear()
        self._ha1.clear()

    def forget(self) -> None:
        """Every nonce handed out so far becomes unknown, without `stale`."""
        self.key = secrets.token_bytes(16)
        self._counts.clear()

    # ------------------------------------------------------------ the check

    def check(self, settings: ServiceSettings, header: str | None, method: str, target: str) -> Admitted | Challenged:
        """Judge one request by its `Authorization` header; `target` is the request line's path and query."""
        scheme = settings.authentication
        if scheme == "none":
            return Admitted(None, ALL if self.quirks.no_authentication_grants_all else frozenset())
        if header is None:
            return self._challenge(scheme)
        given, _, rest = header.partition(" ")
        if given.lower() != scheme:
            return self._challenge(scheme, wrong_scheme=given.lower() in ("basic", "digest"))
        if scheme == "basic":
            account = self._basic(rest)
            return Admitted(account, account.privileges) if account else self._challenge(scheme, wrong_password=True)
        return self._digest(rest, method, target)

    def failed(self, address: str) -> bool:
        """Count a wrong password; True when it is one too many (then the count starts again)."""
        if len(self._failures) > 1000:
            self._failures.clear()
        count = self._failures.pop(address, 0) + 1
        limit = self.quirks.bad_logins_before_event
        if limit and count >= limit:
            return True
        self._failures[address] = count
        return False

    def passed(self, address: str) -> None:
        """A right password ends the count."""
        if self._failures:
            self._failures.pop(address, None)

    def challenge(self, scheme: str, *, stale: bool = False) -> Challenged:
        """A challenge for a caller whose password is right; `stale` calls a good nonce stale."""
        return self._challenge(scheme, stale=stale)

    def _basic(self, text: str) -> Account | None:
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        account = self._accounts.get(name)
        expected = account.password if account else self._nobody
        same = hmac.compare_digest(expected.encode(), password.encode())
        return account if same and account is not None and account.enabled else None

    def _digest(self, text: str, method: str, target: str) -> Admitted | Challenged:
        fields = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(text)}
        nonce, uri, qop = fields.get("nonce", ""), fields.get("uri", ""), fields.get("qop", "")
        # A quoted string: `\"` stands for a quote (RFC 7616, 3.4).
        account = self._accounts.get(re.sub(r"\\(.)", r"\1", fields.get("username", "")))
        if fields.get("algorithm", "md5").lower() != "md5" or (not qop and not self.quirks.digest_without_qop):
            return self._challenge("digest", wrong_password=True)
        ha1 = self._ha1[account.name] if account else self._nobody
        middle = f"{fields.get('nc', '')}:{fields.get('cnonce', '')}:{qop}:" if qop else ""
        expected = _md5(f"{ha1}:{nonce}:{middle}{_md5(f'{method}:{uri}')}")
        same = hmac.compare_digest(expected, fields.get("response", "").lower().encode("ascii", "replace").decode())
        issued_at = self._issued_at(nonce)
        if issued_at is None:
            return self._challenge("digest")
        if not same or account is None or not account.enabled or not self._is_target(uri, target):
            return self._challenge("digest", wrong_password=True)
        if self._steady() - issued_at > self.quirks.nonce_lifetime_s * 1000:
            return self._challenge("digest", stale=True)
        if self.quirks.strict_nc and qop and not self._count_grows(nonce, fields.get("nc", "")):
            return self._challenge("digest", stale=True)
        return Admitted(account, account.privileges)

    def _is_target(self, uri: str, target: str) -> bool:
        if uri == target:
            return True
        if self.quirks.strict_uri:
            return False
        # Some clients compute `uri` before the query is added (seen in the field), some unescape it, some send the
        # absolute address.
        path = uri.partition("//")[2].partition("/")[2] if "://" in uri else uri.removeprefix("/")
        return unquote(path) in (unquote(target).removeprefix("/"), unquote(target.partition("?")[0]).removeprefix("/"))

    def _count_grows(self, nonce: str, text: str) -> bool:
        try:
            count = int(text, 16)
        except ValueError:
            return False
        if count <= self._counts.get(nonce, 0):
            return False
        if len(self._counts) > 1000:
            self._counts.clear()
        self._counts[nonce] = count
        return True

    # ------------------------------------------------------------ nonces

    def _mark(self, instant: str) -> str:
        return hmac.digest(self.key, instant.encode(), "sha256").hex()[:24]

    def _issued_at(self, nonce: str) -> int | None:
        instant, mark = nonce[:-24], nonce[-24:]
        if not instant or not nonce.isascii() or not hmac.compare_digest(self._mark(instant), mark):
            return None
        return int(instant[8:], 16)

    def _challenge(
        self, scheme: str, *, stale: bool = False, wrong_scheme: bool = False, wrong_password: bool = False
    ) -> Challenged:
        if scheme == "basic":
            header = f'Basic realm="{self.quirks.realm}"'
        else:
            instant = f"{secrets.token_hex(4)}{self._steady():x}"
            header = (
                f'Digest realm="{self.quirks.realm}", qop="auth", algorithm=MD5, nonce="{instant}{self._mark(instant)}"'
            )
            if stale:
                header += ", stale=true"
        return Challenged(header, wrong_scheme=wrong_scheme, wrong_password=wrong_password)
