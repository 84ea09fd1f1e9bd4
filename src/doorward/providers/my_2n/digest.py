"""HTTP logins as 2N devices ask for them: none, Basic and Digest, one state for each service group.

Digest after RFC 7616 and its forerunners RFC 2617 and 2069: MD5 and SHA-256 (also `-sess`), `qop=auth` or none. No
I/O here. Passwords stay inside: no `repr` and no message shows one.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART: Final = re.compile(rf'[\s,]*(?:({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|({_WORD}))')
_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no header can hold."""
_ESCAPE: Final = re.compile(r"\\(.)")

_HASHES: Final[Mapping[str, Callable[[bytes], str]]] = {
    # MD5 is what devices in the field offer; it guards a login, no data rests on it.
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
}
_PREFERRED: Final = ("sha-256", "sha-256-sess", "md5", "md5-sess")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One thing a device asks for. `params` have lower-case names."""

    scheme: str
    """Lower case: `digest`, `basic`."""
    params: Mapping[str, str]

    @property
    def is_stale(self) -> bool:
        """The answer was right but its nonce too old."""
        return self.params.get("stale", "").lower() == "true"

    @property
    def algorithm(self) -> str:
        """Lower case; MD5 when left out."""
        return self.params.get("algorithm", "md5").lower()

    @property
    def qops(self) -> tuple[str, ...]:
        """Offered qualities of protection; none on the oldest devices."""
        return tuple(word.strip().lower() for word in self.params.get("qop", "").split(",") if word.strip())


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge in all `WWW-Authenticate` headers: a header may hold several."""
    found: list[Challenge] = []
    for header in headers:
        position = 0
        params: dict[str, str] | None = None
        while (match := _PART.match(header, position)) is not None and match.end() > position:
            position = match.end()
            name, quoted, bare, scheme = match.groups()
            if scheme is not None:
                params = {}
                found.append(Challenge(scheme.lower(), params))
            elif params is not None:
                params[name.lower()] = _ESCAPE.sub(r"\1", quoted) if quoted is not None else bare
    return found


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The strongest challenge we can answer; None when there is none."""
    usable = [c for c in challenges if _can_answer(c)]
    return min(usable, key=_rank, default=None)


def _can_answer(challenge: Challenge) -> bool:
    if challenge.scheme == "basic":
        return True
    return (
        challenge.scheme == "digest"
        and challenge.algorithm in _PREFERRED
        and bool(challenge.params.get("nonce"))
        and (not challenge.qops or "auth" in challenge.qops)
    )


def _rank(challenge: Challenge) -> int:
    return len(_PREFERRED) if challenge.scheme == "basic" else _PREFERRED.index(challenge.algorithm)


@dataclass(slots=True)
class Login:
    """How one account logs in to one service group of one device: what was asked, and how often a nonce was used."""

    username: str
    password: str = field(repr=False)
    challenge: Challenge | None = None
    """None: nothing was asked yet, so nothing is sent."""
    count: int = 0
    """Requests made with this nonce."""
    _secret: str = field(default="", repr=False)
    _cnonce: str = ""
    """Ours for this nonce: a `-sess` key is made with the first one and stays (RFC 7616, 3.4.2)."""

    def adopt(self, challenge: Challenge | None) -> None:
        """Answer this challenge from now on."""
        self.challenge = challenge
        self.count = 0
        self._secret = ""
        self._cnonce = secrets.token_hex(8)
        if challenge is not None and challenge.scheme == "digest":
            self._secret = _hash(challenge)(f"{self.username}:{challenge.params.get('realm', '')}:{self.password}")

    def header(self, method: str, uri: str, *, cnonce: str | None = None) -> str | None:
        """The `Authorization` header for a request; None when none was asked for.

        `uri` is the request line's target, byte for byte: path and query. Never raises: a user name that no header can
        hold is refused by the device like any wrong one.
        """
        challenge = self.challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return "Basic " + base64.b64encode(_bytes(f"{self.username}:{self.password}")).decode()
        self.count += 1
        digest = _hash(challenge)
        nonce = challenge.params["nonce"]
        cnonce = cnonce or self._cnonce
        first = self._secret
        if challenge.algorithm.endswith("-sess"):
            first = digest(f"{first}:{nonce}:{cnonce}")
        second = digest(f"{method}:{uri}")
        count = f"{self.count:08x}"
        fields = [
            f"username={_quote(self.username)}",
            f"realm={_quote(challenge.params.get('realm', ''))}",
            f"nonce={_quote(nonce)}",
            f"uri={_quote(uri)}",
        ]
        if "algorithm" in challenge.params:
            fields.append(f"algorithm={challenge.params['algorithm']}")
        if challenge.qops:
            response = digest(f"{first}:{nonce}:{count}:{cnonce}:auth:{second}")
            fields += ["qop=auth", f"nc={count}", f'cnonce="{cnonce}"']
        else:
            response = digest(f"{first}:{nonce}:{second}")
            if challenge.algorithm.endswith("-sess"):
                fields.append(f'cnonce="{cnonce}"')
        fields.append(f'response="{response}"')
        if "opaque" in challenge.params:
            fields.append(f"opaque={_quote(challenge.params['opaque'])}")
        return "Digest " + ", ".join(fields)


def _hash(challenge: Challenge) -> Callable[[str], str]:
    digest = _HASHES[challenge.algorithm.removesuffix("-sess")]
    return lambda text: digest(_bytes(text))


def _bytes(text: str) -> bytes:
    """UTF-8, and a device's bytes that are none as they came."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def _quote(text: str) -> str:
    text = _NO_TEXT.sub("?", text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
