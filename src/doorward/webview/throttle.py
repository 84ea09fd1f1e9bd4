"""Slows down guessing: failed logins, counted in memory for each webview, account and device.

A webview is made in a moment, so what is guessed at is counted too: whoever goes on in another webview goes on with the
same count. After a restart the counts are empty: they stop a guesser, they are not an account to be kept.
"""

import math
import re
from collections import deque
from collections.abc import Mapping

from doorward.clock import Clock
from doorward.core.webviews import Visit
from doorward.providers.base import LoginForm, OfferedDevice, Provider

MOST_FAILURES = 10
WINDOW = 300.0
"""Seconds."""
MOST_KEYS = 10_000
MOST_LETTERS = 256
"""Of what was typed that is kept."""
Key = tuple[str, ...]


def webview_key(visit: Visit) -> Key:
    """The webview itself."""
    return ("webview", visit.row.connect_webview_id)


def account_keys(visit: Visit, provider: Provider, form: LoginForm, values: Mapping[str, str]) -> list[Key]:
    """What names the account that was typed: its e-mail address, its user name, the addresses of its devices."""
    named = (values[f.name] for f in form.fields if f.is_required and f.kind in ("email", "text", "lines"))
    words = (word for text in named for word in re.split(r"[\s,;]+", text) if word)
    return [("account", visit.workspace.workspace_id, provider.key, _plain(word)) for word in words]


def device_keys(visit: Visit, provider: Provider, device: OfferedDevice) -> list[Key]:
    """What names a device: real ones are the same in all workspaces, by whatever name they are reached."""
    whose = visit.workspace.workspace_id if visit.place.is_sandbox else ""
    return [("device", whose, provider.key, one) for one in (device.ref, *device.stands_at)]


def _plain(typed: str) -> str:
    text = typed.casefold()
    return text.removeprefix("https://").removeprefix("http://").rstrip("/.")[:MOST_LETTERS]


class Throttle:
    """Counts failed logins in the last five minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[Key, deque[float]] = {}

    def wait(self, *keys: Key) -> int:
        """Seconds until a login may be tried that counts for all of these; 0: now."""
        counted = (self._failures[key] for key in keys if key in self._failures)
        free_at = [failures[0] + WINDOW for failures in counted if len(failures) == MOST_FAILURES]
        return max(0, math.ceil(max(free_at) - self._clock.monotonic())) if free_at else 0

    def failed(self, *keys: Key) -> None:
        """Count one. What is tried counts from the beginning on, so that many at once are no way around."""
        now = self._clock.monotonic()
        for key in keys:
            if key not in self._failures and len(self._failures) >= MOST_KEYS:
                self._forget(now)
            self._failures.setdefault(key, deque(maxlen=MOST_FAILURES)).append(now)

    def worked(self, *keys: Key) -> None:
        """What was counted last has not failed after all."""
        for key in keys:
            if failures := self._failures.get(key):
                failures.pop()
                if not failures:
                    del self._failures[key]

    def _forget(self, now: float) -> None:
        """Make room: those whose time is over, else a tenth of them, beginning with those that failed least."""
        self._failures = {k: f for k, f in self._failures.items() if f[-1] > now - WINDOW}
        if len(self._failures) >= MOST_KEYS:
            for key in sorted(self._failures, key=lambda k: len(self._failures[k]))[: MOST_KEYS // 10]:
                del self._failures[key]
