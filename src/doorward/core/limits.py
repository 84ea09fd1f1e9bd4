"""Seam's documented limits per device and minute: sliding windows in memory.

They are on for production workspaces' devices and off in sandboxes, unless configured otherwise. What counts is a call
that names a device, or a code on it; what follows from something else (the codes of an access grant) does not: the
reconciler does not hurry a device. A call that is refused counts for none of its devices.

After a restart the windows are empty: a limit protects a device from a storm, it is not an account to be kept.
"""

from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from doorward.clock import Clock
from doorward.errors import RateLimited
from doorward.store.workspaces import WorkspaceRow

PER_MINUTE = {
    "access_code_create": 10,
    "access_code_update": 10,
    "access_code_delete": 20,
    "lock": 15,
    "unlock": 15,
}
MOST_WINDOWS = 10_000


class Limits:
    """Counts what was asked of each device in the last minute. For the event loop only."""

    def __init__(self, clock: Clock, mode: str) -> None:
        self._clock = clock
        self._mode = mode
        self._windows: dict[tuple[str, str, str], deque[float]] = {}

    @contextmanager
    def counted(self, what: str, workspace: WorkspaceRow, device_ids: Collection[str]) -> Iterator[None]:
        """Count one for each of these devices, and none when what is done meanwhile fails. Raises RateLimited when the
        minute of one of them is full: then none is counted, either."""
        if self._mode == "off" or (self._mode == "default" and workspace.is_sandbox):
            yield
            return
        now = self._clock.monotonic()
        if len(self._windows) > MOST_WINDOWS:
            self._windows = {k: w for k, w in self._windows.items() if w and w[-1] > now - 60}
        # Another workspace's devices do not exist for its callers: they have windows of their own there.
        windows = [self._window((what, workspace.workspace_id, one), now) for one in dict.fromkeys(device_ids)]
        most = PER_MINUTE[what]
        for window in windows:
            if len(window) >= most:
                wait = max(1, round(window[0] + 60 - now + 0.5))
                raise RateLimited(
                    f"This device takes {most} requests of this kind a minute. Try again in {wait} s.", retry_after=wait
                )
        for window in windows:
            window.append(now)
        try:
            yield
        except Exception:
            for window in windows:
                if now in window:  # else it is older than a minute
                    window.remove(now)
            raise

    def _window(self, key: tuple[str, str, str], now: float) -> deque[float]:
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - 60:
            window.popleft()
        return window
