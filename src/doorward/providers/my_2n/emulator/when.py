"""The intercom's own clock: skew, time zone, and a time base for everything that runs out.

Two time lines: **steady** milliseconds never jump and measure pulses, holds and idle times; **device** seconds are
what the intercom believes the time to be, with the skew a test gave it, and judge validity.
"""

import asyncio
import datetime
import re
import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from doorward.clock import Clock

_CUSTOM: Final = re.compile(r"UTC([+-])(\d{2}):(\d{2})")


class DeviceTime:
    """The clock of one intercom, on top of the host's."""

    def __init__(self, clock: Clock, zone: str) -> None:
        self.clock = clock
        self.offset_s = 0.0
        """How far it is ahead of the host's clock."""
        self.automatic = True
        self.server = "pool.ntp.org"
        self.zone_automatic = False
        self.zone = ""
        self._base = clock.now()
        self._started = clock.monotonic()
        self.set_zone(zone)
        self.booted_at = self._base

    def steady(self) -> int:
        """Milliseconds that only grow; equal to the host's time when the object was made."""
        return self._base + round((self.clock.monotonic() - self._started) * 1000)

    def set_zone(self, zone: str) -> None:
        """A name of the time zone database, `UTC+01:00`, or empty for none set.

        Raises: ValueError for anything else.
        """
        _zone(zone)
        self.zone = zone

    def now(self, at: int | None = None) -> int:
        """Unix seconds by the intercom's clock; `at` is a steady instant other than now."""
        back = self.steady() - at if at is not None else 0
        return int((self.clock.now() - back) / 1000 + self.offset_s)

    def shift_minutes(self, utc: int) -> int:
        """`tzShift` at an instant."""
        zone = _zone(self.zone)
        if zone is None:
            return 0
        shift = datetime.datetime.fromtimestamp(utc, zone).utcoffset()
        return round(shift.total_seconds() / 60) if shift else 0

    def up_seconds(self, at: int | None = None) -> int:
        """Seconds since boot."""
        return max(0, ((self.steady() if at is None else at) - self.booted_at) // 1000)

    def save(self) -> dict[str, Any]:
        """Settings and boot time."""
        return {
            "offset_s": self.offset_s,
            "automatic": self.automatic,
            "server": self.server,
            "zone_automatic": self.zone_automatic,
            "zone": self.zone,
            "booted_at": self.booted_at,
        }

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`. A host's restart is no reboot: the boot time stays."""
        for name, value in saved.items():
            setattr(self, name, value)


class Alarm:
    """Wakes an intercom at the next instant something is due. A task exists only while one is."""

    def __init__(self, time: DeviceTime, wake: Callable[[], None]) -> None:
        self._time = time
        self._wake = wake
        self._task: asyncio.Task[None] | None = None
        self._at = 0

    def set(self, at: int) -> None:
        """Wake at a steady instant, or earlier if that was asked for before. Outside a loop nothing is set: the next
        request lets happen what is due."""
        if self._task is not None and self._at <= at:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._task is not None:
            self._task.cancel()
        self._at = at
        self._task = loop.create_task(self._sleep())

    async def _sleep(self) -> None:
        await self._time.clock.sleep((self._at - self._time.steady()) / 1000)
        self._task = None
        self._wake()

    async def stop(self) -> None:
        """Wake no more."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def zone_names() -> list[str]:
    """What `system/timezone/caps` lists."""
    return _names()


@lru_cache(maxsize=1)
def _names() -> list[str]:
    return sorted(zoneinfo.available_timezones())


@lru_cache(maxsize=64)
def _zone(name: str) -> datetime.tzinfo | None:
    if name in ("", "UTC"):
        return None
    match = _CUSTOM.fullmatch(name)
    if match:
        hours, minutes = int(match[2]), int(match[3])
        if hours > 14 or minutes > 59:
            raise ValueError(f"There is no time zone {name!r}.")
        sign = -1 if match[1] == "-" else 1
        return datetime.timezone(sign * datetime.timedelta(hours=hours, minutes=minutes))
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"There is no time zone {name!r}.") from exc
