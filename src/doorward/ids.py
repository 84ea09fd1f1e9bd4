"""New ids, and the tokens that clients send.

Ids are version 7 UUIDs: they sort by the time they were made, which keeps indexes compact and lists in order.
Tokens have the forms that Seam's SDKs check before they send anything: `seam_…`, `seam_at1…`. Only a SHA-256 of the
long part is stored; it is 140 random bits, so a slow hash would add nothing.
"""

import hashlib
import hmac
import itertools
import random
import secrets
import threading
import time
from dataclasses import dataclass

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

# Ids must differ, not be secret: nothing is reached by knowing one.
_random = random.Random(secrets.randbits(256)).getrandbits  # noqa: S311
_lock = threading.Lock()
_MOST = 0xFFF
_at, _count, _begins = 0, _MOST, ""


def new_id() -> str:
    """A UUID greater than every one this process made before."""
    global _at, _count, _begins
    with _lock:
        # 48 bits of milliseconds and 12 bits that count within one: never the same twice, never backwards.
        now = time.time_ns() // 1_000_000
        if now > _at or _count == _MOST:
            _at, _count = max(now, _at + 1), 0
            _begins = f"{_at >> 16:08x}-{_at & 0xFFFF:04x}-7"
        else:
            _count += 1
        begins, count = _begins, _count
    return "%s%03x-%04x-%012x" % (begins, count, 0x8000 | _random(14), _random(48))  # noqa: UP031 - it is the quickest


_requests = itertools.count(1)
_process = secrets.token_hex(6)


def request_id() -> str:
    """Names a request in answers and logs."""
    return f"request_{_process}{next(_requests):x}"


def base58(length: int) -> str:
    """Random characters that nobody confuses."""
    return "".join(secrets.choice(BASE58) for _ in range(length))


@dataclass(frozen=True)
class Token:
    """A freshly made token. `text` is shown once."""

    text: str
    short: str
    hash: str


def hash_long(part: str) -> str:
    """What is stored of a token's long part."""
    return hashlib.sha256(part.encode()).hexdigest()


def same_hash(a: str, b: str) -> bool:
    """Compare without telling by time where they differ."""
    return hmac.compare_digest(a, b)


def _token(prefix: str) -> Token:
    short, long = prefix + base58(8), base58(24)
    return Token(f"seam_{short}_{long}", short, hash_long(long))


def new_api_key(*, is_sandbox: bool) -> Token:
    """An API key: `seam_test…` in sandboxes, as Seam's documented example."""
    return _token("test" if is_sandbox else "prod")


def derived_api_key(secret: str) -> Token:
    """A sandbox API key that follows from a secret: the same for the same secret."""
    number = int.from_bytes(hashlib.sha512(secret.encode()).digest())
    letters = []
    for _ in range(32):
        number, rest = divmod(number, 58)
        letters.append(BASE58[rest])
    short, long = "test" + "".join(letters[:8]), "".join(letters[8:])
    return Token(f"seam_{short}_{long}", short, hash_long(long))


def new_personal_access_token() -> Token:
    """A token that reaches every workspace of this server."""
    return _token("at1")


def new_client_session_token() -> Token:
    """A token of a client session."""
    return _token("cst1")


def new_publishable_key() -> str:
    """Names a workspace; no secret."""
    return _token("pk1").text


def split_token(text: str) -> tuple[str, str] | None:
    """Short and long part of a token; None when it has not the form of one."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != "seam" or not parts[1] or not parts[2]:
        return None
    return parts[1], parts[2]
