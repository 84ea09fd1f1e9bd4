"""One intercom as a lock: what it says of itself, and its access switch.

What changes rarely (switch settings, directory template, time zone) is kept while somebody watches the device and is
told of changes, else for a minute; so an unlock on a warm link is one request. Nothing here is worth keeping over a
restart. If a command dies half way, it may or may not have been carried out, and is not sent again.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from doorward.clock import Clock
from doorward.providers.base import DeviceReport, Issue, Moved, Refused

from .client import TwoNClient
from .troubles import ActionFailed, DeviceTrouble, PrivilegeMissing, Refusal, Unreachable

DEVICE_TYPE: Final = "two_n_intercom"
MANUFACTURER: Final = "two_n"
CODE_LENGTHS: Final = (4, 5, 6, 7, 8)
"""Seam's figure; the device itself takes 2 to 15 digits."""
KEPT_UNWATCHED_S: Final = 60.0
SKEW_TOLERATED_S: Final = 5
"""Smaller differences between the device's clock and ours are taken for none."""
SHARE: Final = 0.95
"""Of a command's time: ending a little before its caller gives up, we can still say whether anything was sent."""
MAX_CODES: Final = None
"""No function of the API tells how many entries fit."""

_CUSTOM_ZONE: Final = re.compile(r"UTC([+-])(\d{1,2}):?00")


@dataclass(frozen=True)
class Switch:
    """Settings of the access switch."""

    is_enabled: bool
    is_bistable: bool
    pulse_s: int
    """How long a monostable one stays on."""


@dataclass(frozen=True)
class Template:
    """What entries of this model's directory can have."""

    has_pin: bool
    has_validity: bool


@dataclass(frozen=True)
class Zone:
    """The device's time zone."""

    name: str | None
    """A name of the time zone database; None when it cannot be told."""
    is_missing: bool = False
    """The device says that it has none."""


class Intercom:
    """One device of a link. `number` is its access switch."""

    def __init__(self, client: TwoNClient, clock: Clock, *, ref: str, device_id: int, number: int = 1) -> None:
        self.client = client
        self.clock = clock
        self.ref = ref
        self.device_id = device_id
        self.number = number
        self.watchers = 0
        """How many are told of changed settings right now."""
        self.door_open: bool | None = None
        """As its events told; there is no function to ask."""
        self.boot = ""
        """Name of the device's present life: changes with every boot. Empty: the device does not tell them apart."""
        self.up_s: int | None = None
        """Seconds since it booted, when `note_boot` asked."""
        self.skew_s = 0
        """Seconds that the device's clock is ahead of ours; 0 when it is about right."""
        self._life: tuple[int, int] | None = None
        """Of a device without a name for its boots: seconds it was up, and our clock then, in milliseconds."""
        self._kept: dict[str, tuple[float, Any]] = {}

    # ------------------------------------------------------------ what is kept

    def forget(self) -> None:
        """Settings changed: ask again."""
        self._kept.clear()

    def _find(self, name: str) -> Any:
        at, value = self._kept.get(name, (0.0, None))
        if value is not None and (self.watchers or self.clock.monotonic() - at < KEPT_UNWATCHED_S):
            return value
        return None

    def _keep(self, name: str, value: Any) -> Any:
        self._kept[name] = (self.clock.monotonic(), value)
        return value

    async def switch(self) -> Switch:
        """The access switch. A disabled one is asked for every time.

        Raises: Refused when the device has no such switch; DeviceTrouble.
        """
        switch: Switch | None = self._find("switch")
        if switch is not None:
            return switch
        found = [row for row in await self.client.switch_caps() if row.get("switch") == self.number]
        if not found:
            raise Refused(f"The device has no switch {self.number}.")
        row = found[0]
        seconds = row.get("switchOnDuration")
        switch = Switch(
            is_enabled=row.get("enabled") is True,
            is_bistable=row.get("mode") == "bistable",
            pulse_s=seconds if isinstance(seconds, int) else 0,
        )
        if switch.is_enabled:
            self._keep("switch", switch)
        return switch

    async def template(self) -> Template:
        """What this model's directory can hold. Raises: DeviceTrouble."""
        template: Template | None = self._find("template")
        if template is None:
            access = (await self.client.dir_template()).get("access")
            names = access if isinstance(access, Mapping) else {}
            template = Template("pin" in names, "validFrom" in names and "validTo" in names)
            self._keep("template", template)
        return template

    async def zone(self) -> Zone:
        """The time zone, as far as the device tells: firmware before 2.44 does not."""
        zone: Zone | None = self._find("zone")
        if zone is None:
            try:
                zone = _zone(await self.client.system_timezone())
            except Refusal:
                zone = Zone(None)
            self._keep("zone", zone)
        return zone

    # ------------------------------------------------------------ reading

    async def report(self) -> DeviceReport:
        """Ask the device who it is and how it stands. Raises: Refused, DeviceTrouble."""
        info = await self.client.system_info()
        switch = await self.switch()
        try:
            template = await self.template()
        except Refusal:
            template = Template(has_pin=False, has_validity=False)
        zone = await self.zone()
        # Last, so that nothing is older than it.
        active = await self._active() if switch.is_enabled else None
        variant = _text(info, "variant") or "2N IP intercom"
        return DeviceReport(
            ref=self.ref,
            device_type=DEVICE_TYPE,
            name=_text(info, "deviceName") or variant,
            manufacturer=MANUFACTURER,
            model=variant,
            serial_number=_text(info, "serialNumber"),
            locked=None if active is None else not active,
            code_lengths=CODE_LENGTHS if template.has_pin else (),
            max_codes=MAX_CODES,
            keeps_schedules=template.has_validity,
            door_open=self.door_open,
            has_entry_events=True,
            time_zone=zone.name,
            metadata={"device_id": self.device_id},
            issues=(Issue.TWO_N_MISSING_TIME_ZONE,) if zone.is_missing else (),
        )

    async def _active(self) -> bool | None:
        row = await self._status()
        active = row.get("active")
        return bool(active) if isinstance(active, (bool, int)) else None

    async def _status(self) -> dict[str, Any]:
        rows = await self.client.switch_status()
        return next((row for row in rows if row.get("switch") == self.number), {})

    def resume(self, boot: str, up_s: int | None, at: int) -> None:
        """What was known of its life the last time: its boot's name, how long it was up, and our clock then (ms)."""
        if not self.boot:
            self.boot, self._life = boot, None if up_s is None else (up_s, at)

    async def note_boot(self) -> None:
        """Learn which life of the device this is, and how wrong its clock is. Raises: DeviceTrouble."""
        info = await self.client.system_info()
        try:
            status = await self.client.system_status()
        except PrivilegeMissing:
            status = {}
        now, system_s, up_s = self.clock.now(), status.get("systemTime"), status.get("upTime")
        self.skew_s = 0
        if isinstance(system_s, int):
            skew = system_s - now // 1000
            self.skew_s = skew if abs(skew) > SKEW_TOLERATED_S else 0
        self.up_s = up_s if isinstance(up_s, int) else None
        boot = _text(info, "bootUuid")
        if boot is not None:
            self.boot = boot
        elif self.up_s is not None:
            if self._life is None or _is_new_life(self._life, self.up_s, now):
                self.boot = str(now // 1000 - self.up_s)
            self._life = (self.up_s, now)

    # ------------------------------------------------------------ moving

    async def unlock(self, timeout: float) -> Moved:
        """Release the door. One request, sent at most once. Raises: Refused, DeviceTrouble."""
        until = self.clock.monotonic() + timeout * SHARE
        switch = await self._usable(until)
        try:
            await self._move("on" if switch.is_bistable else "trigger", until)
        except ActionFailed:
            self.forget()
            row = await self._explain()
            if row.get("locked") is True:
                why = "its switch is locked on the device. Unlock it there first."
            elif row.get("held") is True:
                why = "its switch is held on the device."
            else:
                why = "its switch is locked, held or disabled."
            raise Refused(f"The device does not release the door: {why}", code="14") from None
        return Moved(locked=False, confirmed=True)

    async def lock(self, timeout: float) -> Moved:
        """Secure the door: the switch off, a hold released. Never the switch's own `lock`, which would block PINs too.

        Raises: Refused, DeviceTrouble.
        """
        until = self.clock.monotonic() + timeout * SHARE
        await self._usable(until)
        try:
            await self._move("off", until)
        except ActionFailed:
            self.forget()
            if (await self._explain()).get("held") is not True:
                raise Refused(
                    "The device does not secure the door: its switch is held or disabled.", code="14"
                ) from None
            # `off` was refused because of the hold, so nothing has happened yet.
            await self._move("release", until)
            await self._move("off", until)
        return Moved(locked=True, confirmed=True)

    async def _usable(self, until: float) -> Switch:
        try:
            async with asyncio.timeout(max(0.0, until - self.clock.monotonic())):
                switch = await self.switch()
        except TimeoutError:
            raise Unreachable("switch/caps") from None  # the command itself was not sent
        if not switch.is_enabled:
            raise Refused(f"Switch {self.number} is disabled on the device. Enable it there under Hardware / Switches.")
        return switch

    async def _move(self, action: str, until: float) -> None:
        left = max(0.0, until - self.clock.monotonic())
        await self.client.switch_ctrl(self.number, action, timeout=left)

    async def _explain(self) -> dict[str, Any]:
        """The switch's status after a refusal; empty when the device does not say."""
        with suppress(DeviceTrouble):
            return await self._status()
        return {}


def _is_new_life(life: tuple[int, int], up_s: int, now: int) -> bool:
    """It has been up for less than it would have been without a boot. Clocks drift: a thousandth is let pass."""
    was_up_s, at = life
    passed_s = max(0, now - at) / 1000
    return up_s < was_up_s + passed_s - max(SKEW_TOLERATED_S, passed_s / 1000)


def _text(row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    return value if isinstance(value, str) and value else None


def _zone(reply: Mapping[str, Any]) -> Zone:
    """`zone` is a name or `custom`; then `custom` is e.g. `UTC-08:00`."""
    name = reply.get("zone")
    if name == "custom":
        match = _CUSTOM_ZONE.fullmatch(str(reply.get("custom", "")))
        hours = int(match[1] + match[2]) if match else 0
        # POSIX spells the sign the other way round.
        return Zone(f"Etc/GMT{-hours:+d}" if hours and -12 <= hours <= 14 else None)
    if name == "":
        return Zone(None, is_missing=reply.get("automatic") is not True)
    return Zone(name if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]+(/[\w+-]+)*", name) else None)
