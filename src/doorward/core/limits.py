"""Seam's documented limits per device and minute: sliding windows in memory.

They are on for production workspaces' devices and off in sandboxes, unless configured otherwise. After a restart the
windows are empty: a limit protects a device from a storm, it is not an account to be kept.
"""

from collections import deque

from doorward.clock import Clock
from doorward.errors import RateLimited

PER_MINUTE = {
    "access_code_create": 10,
    "access_code_update": 10,
    "access_code_delete": 20,
    "lock": 15,
    "unlock": 15,
}


class Limits:
    """Counts what was asked of each device in the last minute."""

    def __init__(self, clock: Clock, mode: str) -> None:
        self._clock = clock
        self._mode = mode
        self._windows: dict[tuple[str, str], deque[float]] = {}

    def check(self, what: str, device_id: str, *, is_sandbox: bool) -> None:
        """Count one; raises RateLimited when the minute is full."""
        if self._mode == "off" or (self._mode == "default" and is_sandbox):
            return
        now = self._clock.monotonic()
        window = self._windows.setdefault((what, device_id), deque())
        while window and window[0] <= now - 60:
            window.popleft()
        most = PER_MINUTE[what]
        if len(window) >= most:
            wait = max(1, round(window[0] + 60 - now + 0.5))
            raise RateLimited(
                f"This device takes {most} requests of this kind a minute. Try again in {wait} s.", retry_after=wait
            )
        window.append(now)
        if len(self._windows) > 10_000:
            self._windows = {k: w for k, w in self._windows.items() if w and w[-1] > now - 60}
