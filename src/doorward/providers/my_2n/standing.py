"""How logins stand with their devices: whether they were refused, and until when nobody tries them again.

A device blocks whoever guesses. So what is known of a login outlives the link that found it out: when an account's
link is made anew because another of its devices was given a new login, this one is not tried once more. Kept in
memory only, for as long as some link has the login; after a restart of the server each login is tried anew.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from doorward.clock import Clock

REFUSALS: Final = 2
"""Logins refused in a row, after which the device is left alone for a while: it blocks whoever guesses. Each is up to
two answers to the device's challenge, and a call beside may be on its way."""
QUIET_S: Final = 600.0
_ASKED: Final = ("url", "pin", "my2n", "username", "password")
"""Members of a device's secret that decide how a login is answered."""


class Standing:
    """One login's."""

    __slots__ = ("__weakref__", "_quiet_until", "_refusals")

    def __init__(self) -> None:
        self._refusals = 0
        self._quiet_until = 0.0

    def is_quiet(self, clock: Clock) -> bool:
        """Nothing may be sent, whoever asks."""
        return clock.monotonic() < self._quiet_until

    def refused(self, clock: Clock) -> None:
        """The device refused it."""
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._quiet_until = clock.monotonic() + QUIET_S

    def accepted(self) -> None:
        """The device took it."""
        self._refusals, self._quiet_until = 0, 0.0


class Standings:
    """Those of all links of a brand. Logins are told apart by a digest that is good in this process only."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[str, str, bytes], Standing] = WeakValueDictionary()
        self._key = secrets.token_bytes(32)

    def of(self, workspace_id: str, ref: str, secret: Mapping[str, Any]) -> Standing:
        """As it is known, or a good one. Lives as long as somebody holds it."""
        text = repr([secret.get(name) for name in _ASKED])
        digest = hashlib.blake2b(text.encode(errors="backslashreplace"), key=self._key, digest_size=16).digest()
        return self._known.setdefault((workspace_id, ref, digest), Standing())
