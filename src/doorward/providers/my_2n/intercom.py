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
from doorward.providers.errors import Refused, Unsupported
from doorward.providers.reports import DeviceReport, Issue, Moved

from . import facts
from .client import TwoNClient
from .troubles import (
    ActionFailed,
    AnotherDevice,
    DeviceTrouble,
    NotLicensed,
    NotSupported,
    Refusal,
    UnknownPath,
    Unreachable,
)

DEVICE_TYPE: Final = "two_n_intercom"
MANUFACTURER: Final = "two_n"
CODE_LENGTHS: Final = (4, 5, 6, 7, 8)
"""Seam's figure; the device itself takes 2 to 15 digits."""
KEPT_UNWATCHED_S: Final = 60.0
FRESH_S: Final = 10.0
"""So long what a device said of itself while it was connected to is good for the report that follows."""
SHARE: Final = 0.95
"""Of a command's time: ending a little before its caller gives up, we can still say whether anything was sent."""
MAX_CODES: Final = None
"""No function of the API tells how many entries fit."""

_DISABLED: Final = "Switch {number} is disabled on the device. Enable it there under Hardware / Switches."
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
    """One device of a link. `number` is its access switch; `serial` is what must answer, None: whatever does."""

    def __init__(
        self,
        client: TwoNClient,
        clock: Clock,
        *,
        ref: str,
        device_id: int,
        number: int = 1,
        serial: str | None = None,
    ) -> None:
        self.client = client
        self.clock = clock
        self.ref = ref
        self.device_id = device_id
        self.number = number
        self.serial = serial
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
        self._told_skew = facts.ToldSkew()
        self._life: tuple[int, int] | None = None
        """Of a device without a name for its boots: seconds it was up, and our clock then, in milliseconds."""
        self._kept: dict[str, tuple[float, Any]] = {}
        if serial is not None:
            client.expect(self._must_be_it)
        self._just_asked: tuple[float, dict[str, Any]] | None = None
        """When `note_boot` asked, and what system/info said: the report that follows need not ask again."""

    # ------------------------------------------------------------ what is kept

    def forget(self) -> None:
        """Settings changed: ask again."""
        self._kept.clear()
        self._just_asked = None

    def find(self, name: str) -> Any:
        """What was kept under this name, while it may be believed."""
        at, value = self._kept.get(name, (0.0, None))
        if value is not None and (self.watchers or self.clock.monotonic() - at < KEPT_UNWATCHED_S):
            return value
        return None

    def keep(self, name: str, value: Any) -> Any:
        """Keep what changes rarely."""
        self._kept[name] = (self.clock.monotonic(), value)
        return value

    async def identify(self) -> None:
        """Make sure that this device answers, and no other one that has its address now. Raises: DeviceTrouble."""
        if self.serial is not None and self.find("identity") is None:
            self._must_be_it(await self.client.system_info())

    def _must_be_it(self, info: Mapping[str, Any]) -> None:
        if self.serial is not None and info.get("serialNumber") != self.serial:
            raise AnotherDevice("system/info")
        self.keep("identity", True)

    async def switch(self) -> Switch:
        """The access switch. A disabled one is asked for every time.

        Raises: Refused when the device has no such switch; DeviceTrouble.
        """
        await self.identify()
        switch: Switch | None = self.find("switch")
        if switch is not None:
            return switch
        found = [row for row in await self.client.switch_caps() if row.get("switch") == self.number]
        if not found:
            raise Refused(f"The device has no switch {self.number}.")
        row = found[0]
        seconds = row.get("switchOnDuration")
        switch = Switch(
            is_enabled=_flag(row.get("enabled")) is True,
            is_bistable=row.get("mode") == "bistable",
            pulse_s=seconds if isinstance(seconds, int) else 0,
        )
        if switch.is_enabled:
            self.keep("switch", switch)
        return switch

    async def template(self) -> Template:
        """What this model's directory can hold. Raises: DeviceTrouble."""
        template: Template | None = self.find("template")
        if template is None:
            access = (await self.client.dir_template()).get("access")
            names = access if isinstance(access, Mapping) else {}
            template = Template("pin" in names, "validFrom" in names and "validTo" in names)
            self.keep("template", template)
        return template

    async def zone(self) -> Zone:
        """The time zone, as far as the device tells: firmware before 2.44 does not."""
        zone: Zone | None = self.find("zone")
        if zone is None:
            try:
                zone = _zone(await self.client.system_timezone())
            except Refusal:
                zone = Zone(None)
            self.keep("zone", zone)
        return zone

    # ------------------------------------------------------------ reading

    async def report(self) -> DeviceReport:
        """Ask the device who it is and how it stands. Raises: Refused, DeviceTrouble.

        What this firmware or this account does not offer is left out, and becomes an issue where somebody can help it.
        """
        info = self._take_asked()
        if info is None:
            info = await self.client.system_info()
            self._must_be_it(info)
            await self._read_clock()
        issues = []
        firmware = _text(info, "swVersion")
        is_outdated = facts.is_outdated(firmware)
        try:
            template = await self.template()
        except Refusal as refusal:
            template = Template(has_pin=False, has_validity=False)
            if isinstance(refusal, UnknownPath | NotLicensed):
                is_outdated = True
            elif not isinstance(refusal, NotSupported):
                issues.append(Issue.TWO_N_DIRECTORY_UNAVAILABLE)
        if is_outdated:
            issues.append(Issue.TWO_N_FIRMWARE_OUTDATED)
        zone = await self.zone()
        if zone.is_missing:
            issues.append(Issue.TWO_N_MISSING_TIME_ZONE)
        skew_s = self._told_skew.value
        if skew_s is not None and abs(skew_s) > facts.WRONG_S:
            issues.append(Issue.CLOCK_WRONG)
        switch = await self._switch_if_any()
        if switch is None or not switch.is_enabled:
            issues.append(Issue.TWO_N_SWITCH_UNAVAILABLE)
        # Last, so that nothing is older than it.
        active = await self._active() if switch is not None and switch.is_enabled else None
        variant = _text(info, "variant") or "2N IP intercom"
        block = {
            "device_id": self.device_id,
            "firmware_version": firmware,
            "mac_address": facts.mac_address(info.get("macAddr")),
            "door_switch": self.number,
            **_described(switch),
            "clock_skew_seconds": skew_s,
        }
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
            clock_skew_s=skew_s,
            metadata={name: value for name, value in block.items() if value is not None},
            issues=tuple(issues),
        )

    async def report_with(self, number: int) -> DeviceReport:
        """As `report`, if another switch were the access switch.

        Raises: Unsupported when there is none of this number, or it is disabled; DeviceTrouble.
        """
        other = Intercom(
            self.client, self.clock, ref=self.ref, device_id=self.device_id, number=number, serial=self.serial
        )
        other.door_open = self.door_open
        switch = await other._switch_if_any()
        if switch is None:
            raise Unsupported(f"The device has no switch {number}.")
        if not switch.is_enabled:
            raise Unsupported(_DISABLED.format(number=number))
        return await other.report()

    async def _switch_if_any(self) -> Switch | None:
        """The access switch; None when the device has none of this number."""
        try:
            return await self.switch()
        except Refused:
            return None

    async def _active(self) -> bool | None:
        return _flag((await self._status()).get("active"))

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
        self._must_be_it(info)
        up_s = (await self._read_clock()).get("upTime")
        self.up_s = up_s if isinstance(up_s, int) else None
        now, boot = self.clock.now(), _text(info, "bootUuid")
        if boot is not None:
            self.boot = boot
        elif self.up_s is not None:
            if self._life is None or _is_new_life(self._life, self.up_s, now):
                self.boot = str(now // 1000 - self.up_s)
            self._life = (self.up_s, now)
        self._just_asked = (self.clock.monotonic(), info)

    def _take_asked(self) -> dict[str, Any] | None:
        """What `note_boot` was told, once, while it is fresh; its clock was read with it."""
        asked, self._just_asked = self._just_asked, None
        if asked is None or self.clock.monotonic() - asked[0] > FRESH_S:
            return None
        return asked[1]

    async def _read_clock(self) -> dict[str, Any]:
        """system/status, and what it says of the clock; empty when the device does not tell it to this account."""
        before = self.clock.now()
        try:
            status = await self.client.system_status()
        except Refusal:
            status = {}
        skew_s = facts.clock_skew(status.get("systemTime"), before, self.clock.now())
        self._told_skew.note(skew_s)
        self.skew_s = skew_s if skew_s is not None and abs(skew_s) > facts.TOLERATED_S else 0
        return status

    # ------------------------------------------------------------ moving

    async def unlock(self, timeout: float) -> Moved:
        """Release the door. One request, sent at most once. Raises: Refused, DeviceTrouble.

        By `on` in either mode: what is known of the mode may be a minute old, and `trigger` would toggle a switch that
        is bistable by now, which closes an open door.
        """
        until = self.clock.monotonic() + timeout * SHARE
        await self._usable(until)
        try:
            await self._move("on", until)
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
            raise Refused(_DISABLED.format(number=self.number))
        return switch

    async def _move(self, action: str, until: float) -> None:
        left = max(0.0, until - self.clock.monotonic())
        await self.client.switch_ctrl(self.number, action, timeout=left)

    async def _explain(self) -> dict[str, Any]:
        """The switch's status after a refusal; empty when the device does not say."""
        with suppress(DeviceTrouble):
            return await self._status()
        return {}


def _flag(value: Any) -> bool | None:
    """Old firmware says 1 and 0."""
    return bool(value) if isinstance(value, int) else None


def _described(switch: Switch | None) -> dict[str, Any]:
    """The access switch as people are told of it."""
    if switch is None or not switch.is_enabled:
        return {}
    if switch.is_bistable:
        return {"door_switch_mode": "bistable"}
    return {"door_switch_mode": "monostable", "door_switch_pulse_seconds": switch.pulse_s}


def _is_new_life(life: tuple[int, int], up_s: int, now: int) -> bool:
    """It has been up for less than it would have been without a boot. Clocks drift: a thousandth is let pass."""
    was_up_s, at = life
    passed_s = max(0, now - at) / 1000
    return up_s < was_up_s + passed_s - max(facts.TOLERATED_S, passed_s / 1000)


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
