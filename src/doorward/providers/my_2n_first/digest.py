"""HTTP authentication as 2N devices ask for it: Digest (MD5 or SHA-256, with or without qop), Basic, or none.

A device may ask for another scheme on each service group, so a client keeps one `Login` for each. A nonce is used
again with a rising count until the device says it is stale.

Source: RFC 7616; HTTP API manual, "Service security"; nonce ageing is a field observation.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

_PARAM = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"(?:^|,)\s*(Digest|Basic)\b", re.IGNORECASE)
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True)
class Challenge:
    """What a 401 asks for."""

    scheme: str
    """`digest` or `basic`."""
    realm: str = ""
    nonce: str = ""
    qop: str = ""
    """`auth`, or empty for the older form without it."""
    algorithm: str = "MD5"
    opaque: str | None = None
    stale: bool = False


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of the `WWW-Authenticate` headers that we can answer, best first."""
    found: list[Challenge] = []
    for header in headers:
        starts = list(_SCHEME.finditer(header))
        for match, end in zip(starts, [*[m.start() for m in starts[1:]], len(header)], strict=True):
            values = {k.lower(): q or plain for k, q, plain in _PARAM.findall(header[match.end() : end])}
            if match[1].lower() == "basic":
                found.append(Challenge("basic", values.get("realm", "")))
                continue
            algorithm = values.get("algorithm", "MD5").upper()
            options = [o.strip() for o in values.get("qop", "").split(",") if o.strip()]
            if algorithm not in _HASHES or (options and "auth" not in options) or "nonce" not in values:
                continue
            found.append(
                Challenge(
                    scheme="digest",
                    realm=values.get("realm", ""),
                    nonce=values["nonce"],
                    qop="auth" if options else "",
                    algorithm=algorithm,
                    opaque=values.get("opaque"),
                    stale=values.get("stale", "").lower() == "true",
                )
            )
    return sorted(found, key=lambda c: (c.scheme != "digest", c.algorithm != "SHA-256"))


class Login:
    """One service group's way in, for one account."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self.challenge: Challenge | None = None
        self._count = 0
        self._ha1 = ""

    def __repr__(self) -> str:
        return f"Login({self._username!r})"

    def answer(self, challenge: Challenge | None) -> None:
        """Answer this challenge from now on; None: begin without."""
        self.challenge = challenge
        self._count = 0
        if challenge is not None and challenge.scheme == "digest":
            self._ha1 = self._hash(f"{self._username}:{challenge.realm}:{self._password}")

    def header(self, method: str, uri: str) -> str | None:
        """The `Authorization` header of the next request; None before any challenge.

        `uri` is the request target, query included, byte by byte.
        """
        challenge = self.challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        self._count += 1
        return self._digest(challenge, method, uri, f"{self._count:08x}", secrets.token_hex(8))

    def _digest(self, challenge: Challenge, method: str, uri: str, count: str, client_nonce: str) -> str:
        ha2 = self._hash(f"{method}:{uri}")
        middle = f"{challenge.nonce}:{count}:{client_nonce}:auth" if challenge.qop else challenge.nonce
        parts = [
            f'username="{_quoted(self._username)}"',
            f'realm="{challenge.realm}"',
            f'nonce="{challenge.nonce}"',
            f'uri="{uri}"',
            f'response="{self._hash(f"{self._ha1}:{middle}:{ha2}")}"',
            f"algorithm={challenge.algorithm}",
        ]
        if challenge.qop:
            parts += ["qop=auth", f"nc={count}", f'cnonce="{client_nonce}"']
        if challenge.opaque is not None:
            parts.append(f'opaque="{challenge.opaque}"')
        return "Digest " + ", ".join(parts)

    def _hash(self, text: str) -> str:
        assert self.challenge is not None
        return _HASHES[self.challenge.algorithm](text.encode()).hexdigest()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
