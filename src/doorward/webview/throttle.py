"""Slows down guessing: failed logins per webview, counted in memory.

After a restart the counts are empty: they stop a guesser, they are not an account to be kept.
"""

import math
from collections import deque

from doorward.clock import Clock

MOST_FAILURES = 10
WINDOW = 300.0
"""Seconds."""
MOST_WEBVIEWS = 10_000


class Throttle:
    """Counts failed logins of each webview in the last five minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    def wait(self, connect_webview_id: str) -> int:
        """Seconds until another login may be tried; 0: now."""
        failures = self._failures.get(connect_webview_id)
        if failures is None or len(failures) < MOST_FAILURES:
            return 0
        return max(0, math.ceil(failures[0] + WINDOW - self._clock.monotonic()))

    def failed(self, connect_webview_id: str) -> None:
        """Count one."""
        now = self._clock.monotonic()
        if connect_webview_id not in self._failures and len(self._failures) >= MOST_WEBVIEWS:
            self._forget(now)
        self._failures.setdefault(connect_webview_id, deque(maxlen=MOST_FAILURES)).append(now)

    def _forget(self, now: float) -> None:
        """Make room: those whose time is over, else the one that was first seen."""
        self._failures = {k: f for k, f in self._failures.items() if f[-1] > now - WINDOW}
        if len(self._failures) >= MOST_WEBVIEWS:
            del self._failures[next(iter(self._failures))]
