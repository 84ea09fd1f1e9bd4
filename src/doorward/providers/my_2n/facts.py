"""What a device's plain answers mean: its MAC address, the age of its firmware, and how wrong its clock is.

Pure functions and one small memory, which a restart may lose: the next answer fills it again.
"""

import re
from typing import Any, Final

TOLERATED_S: Final = 5
"""Smaller differences between the device's clock and ours are taken for none, and are no news."""
WRONG_S: Final = 60
"""From here on time-bound codes open noticeably early or late."""
OLDEST: Final = (2, 35)
"""Firmware before it wants a licence for nearly every function of the API (manual)."""

_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.[\w.]*)?")


def mac_address(text: Any) -> str | None:
    """Devices write `7C-1E-B3-00-00-01` in either case; here it is `7c:1e:b3:00:00:01`. None when it is none."""
    digits = re.sub(r"[-:.]", "", text).lower() if isinstance(text, str) else ""
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2)) if re.fullmatch(r"[0-9a-f]{12}", digits) else None


def line(value: Any) -> str:
    """A device's word, on one line and not endless."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value[:200]).split())


def is_outdated(version: str | None) -> bool:
    """Firmware older than `OLDEST`. One whose version cannot be read counts as new."""
    match = _VERSION.fullmatch(version or "")
    return match is not None and (int(match[1]), int(match[2])) < OLDEST


def clock_skew(system_s: Any, before_ms: int, after_ms: int) -> int | None:
    """Seconds that the device's clock is ahead of ours; 0 when it may be right, None when it was not told.

    The device told whole seconds, at some moment between our asking and its answer reaching us, so its clock is ahead
    by anything between two bounds. Only when zero is not between them is it surely wrong.
    """
    if isinstance(system_s, bool) or not isinstance(system_s, int):
        return None
    least, most = system_s * 1000 - after_ms, system_s * 1000 + 1000 - before_ms
    if least <= 0 <= most:
        return 0
    return round((least + most) / 2000)


class ToldSkew:
    """A skew as it is shown: it changes only when it has changed noticeably, so that jitter is no news."""

    def __init__(self) -> None:
        self._exact: int | None = None
        self.value: int | None = None
        """Seconds, in steps of `TOLERATED_S`; None when unknown."""

    def note(self, skew_s: int | None) -> None:
        """Take a fresh measurement."""
        if skew_s is None:
            self._exact = self.value = None
        elif self._exact is None or abs(skew_s - self._exact) > TOLERATED_S:
            self._exact = skew_s
            self.value = 0 if abs(skew_s) <= TOLERATED_S else round(skew_s / TOLERATED_S) * TOLERATED_S
