"""The 2N driver: one link to all devices of a connected account.

Unlocking triggers a monostable access switch (it falls back by itself) and sets a bistable one on; locking switches
it off. The switch's own `lock` action is never used: it blocks the switch. Which switch it is, and of which mode, is
asked once and kept, so that an unlock is a single request.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorward.clock import Clock
from doorward.providers.base import (
    AccountAccess,
    CodeRejected,
    DeviceEvent,
    DeviceReport,
    DuplicateCode,
    FoundCode,
    Issue,
    Moved,
    NotAuthorized,
    ProviderError,
    Refused,
    StateRead,
    Unsupported,
    WantedCode,
    Written,
)
from doorward.providers.my_2n_first import codes
from doorward.providers.my_2n_first.client import ChannelGone, Client
from doorward.providers.my_2n_first.events import Interpreter

CODE_LENGTHS = (4, 5, 6, 7, 8)
"""What Seam prints for 2N. The devices themselves take 2 to 15 digits."""
MOST_CODES = 10_000
"""Directory entries of current intercoms and access units (configuration manual)."""
PULL_S = 20
CHANNEL_S = 120
"""How long a log channel lives without being read."""
BATCH = 128


@dataclass
class Device:
    """One device of the account, and what is known of it."""

    ref: str
    client: Client
    secret: Mapping[str, Any]
    is_monostable: bool | None = None
    template: Mapping[str, Any] | None = None
    last_event_at: int | None = None
    """Device time of the newest event that was read, unix seconds."""
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def switch(self) -> int:
        """The switch that opens the door."""
        return int(self.secret.get("switch", 1))


class TwoNLink:
    """See `providers.base`: Link, Locks, ProgramsCodes, Watches."""

    def __init__(
        self, access: AccountAccess, connect: Callable[[str, Mapping[str, Any]], Client], clock: Clock
    ) -> None:
        """`connect` makes the client of a device from its ref and its login."""
        self._access = access
        self._connect = connect
        self._clock = clock
        self._owner = codes.owner_tag(access.place.workspace_id)
        self._devices: dict[str, Device] = {}

    def _device(self, ref: str) -> Device:
        device = self._devices.get(ref)
        if device is None:
            secret = self._access.devices.get(ref)
            if secret is None:
                raise NotAuthorized("This device still needs its own login.")
            device = self._devices[ref] = Device(ref, self._connect(ref, secret), secret)
        return device

    async def close(self) -> None:
        devices, self._devices = self._devices, {}
        for device in devices.values():
            await device.client.close()

    # ------------------------------------------------------------ state

    async def read_device(self, device: str) -> DeviceReport:
        """`system/info`, the access switch, the directory's shape and the time zone."""
        return await self._report(self._device(device))

    async def _report(self, device: Device) -> DeviceReport:
        client = device.client
        device.info = _members(await client.read("system/info"))
        await self._read_mode(device)
        active = await self._read_active(device)
        if device.template is None:
            device.template = await _template(client)
        access = device.template.get("access") or {}
        zone = await _time_zone(client)
        serial = str(device.info.get("serialNumber") or device.ref)
        return DeviceReport(
            ref=device.ref,
            device_type="two_n_intercom",
            name=str(device.info.get("deviceName") or device.info.get("variant") or serial),
            manufacturer="two_n",
            model=str(device.info.get("variant") or "2N"),
            serial_number=serial,
            locked=not active,
            code_lengths=CODE_LENGTHS if "pin" in access else (),
            max_codes=MOST_CODES if "pin" in access else None,
            keeps_schedules="validTo" in access,
            has_entry_events=True,
            time_zone=zone if zone and "/" in zone else None,
            metadata={"device_id": device.secret.get("device_id") or number_of(serial)},
            issues=(Issue.TWO_N_MISSING_TIME_ZONE,) if zone == "" else (),
        )

    async def _read_mode(self, device: Device) -> None:
        for switch in _list(await device.client.read("switch/caps"), "switches"):
            if switch.get("switch") == device.switch:
                if not switch.get("enabled"):
                    raise Refused(
                        f"Switch {device.switch} is disabled on the device. Enable it under Hardware / Switches."
                    )
                device.is_monostable = switch.get("mode") != "bistable"
                return
        raise Unsupported(f"The device has no switch {device.switch}.")

    async def _read_active(self, device: Device) -> bool:
        for switch in _list(await device.client.read("switch/status"), "switches"):
            if switch.get("switch") == device.switch:
                return bool(switch.get("active") or switch.get("held"))
        raise Unsupported(f"The device has no switch {device.switch}.")

    # ------------------------------------------------------------ lock, unlock

    async def lock(self, device: str, timeout: float) -> Moved:
        """Switch off: release what was opened."""
        found = self._device(device)
        await found.client.command("switch/ctrl", {"switch": found.switch, "action": "off"}, timeout)
        return Moved(locked=True, confirmed=True)

    async def unlock(self, device: str, timeout: float) -> Moved:
        """Trigger a monostable switch, set a bistable one on. Never sent twice."""
        found = self._device(device)
        started = time.monotonic()
        if found.is_monostable is None:
            await self._read_mode(found)
        action = "trigger" if found.is_monostable else "on"
        left = timeout - (time.monotonic() - started)
        await found.client.command("switch/ctrl", {"switch": found.switch, "action": action}, left)
        return Moved(locked=False, confirmed=True)

    # ------------------------------------------------------------ codes

    async def read_codes(self, device: str) -> list[FoundCode]:
        return await codes.read_all(self._device(device).client, self._owner)

    async def set_code(self, device: str, code: WantedCode) -> Written:
        """Look, write, check the entry's own outcome, read back."""
        found = self._device(device)
        client = found.client
        if found.template is None:
            found.template = await _template(client)
        shape = found.template.get("access") or {}
        if "pin" not in shape:
            raise Unsupported("This model has no PINs in its directory.")
        if code.ends_at is not None and "validTo" not in shape:
            raise Unsupported("This model keeps no times with its PINs.")
        there = await codes.read_one(client, code.ref, self._owner)
        if there is not None:
            self._ours(there)
            if codes.holds(there, code):
                return Written.UNCHANGED
        await self._write(client, codes.entry(code, self._owner), exists=there is not None)
        again = await codes.read_one(client, code.ref, self._owner)
        if again is None or not codes.holds(again, code):
            return Written.ACCEPTED
        return Written.CONFIRMED

    async def _write(self, client: Client, entry: dict[str, Any], *, exists: bool) -> None:
        for _ in range(2):
            path = "dir/update" if exists else "dir/create"
            error = codes.outcome(await client.directory("PUT", path, {"users": [entry]}))
            if error is None:
                return
            if error.startswith("EDIR_UUID_ALREADY_EXISTS") and not exists:
                there = await codes.read_one(client, entry["uuid"], self._owner)
                if there is not None:
                    self._ours(there)
                exists = True
                continue
            if error.startswith("EDIR_UUID_DOES_NOT_EXIST") and exists:
                exists = False
                continue
            refusal = codes.refusal(error)
            pin = entry["access"]["pin"]
            if isinstance(refusal, CodeRejected):
                for other in await codes.read_all(client, self._owner):
                    if other.pin == pin and other.ref != entry["uuid"].lower():
                        raise DuplicateCode("The device already has this PIN.", code=refusal.code, ref=other.ref)
            raise refusal
        raise Refused("The device keeps changing its mind about the directory entry.")

    @staticmethod
    def _ours(found: FoundCode) -> None:
        if not found.is_ours:
            raise Refused("The directory entry with this id belongs to somebody else; it is left alone.")

    async def remove_code(self, device: str, ref: str) -> None:
        """Delete the entry and look whether it is gone."""
        client = self._device(device).client
        there = await codes.read_one(client, ref, self._owner)
        if there is None:
            return
        self._ours(there)
        error = codes.outcome(await client.directory("PUT", "dir/delete", {"users": [{"uuid": ref}]}))
        if error is not None and not error.startswith("EDIR_UUID_DOES_NOT_EXIST"):
            raise codes.refusal(error)
        if await codes.read_one(client, ref, self._owner) is not None:
            raise Refused("The device says that it deleted the entry, but it is still there.")

    # ------------------------------------------------------------ what happens

    async def watch(self, device: str) -> AsyncIterator[DeviceEvent]:
        """Follow the device's log. The channel is opened before the state is read, so nothing falls between."""
        found = self._device(device)
        channel = await self._subscribe(found)
        try:
            report = await self._report(found)
            yield StateRead("state", self._clock.now(), report)
            reader = Interpreter(found.switch, is_monostable=bool(found.is_monostable))
            while True:
                try:
                    batch = await found.client.pull(channel, PULL_S)
                except ChannelGone:
                    channel = await self._subscribe(found)
                    continue
                for event in reader.read(batch):
                    yield event
                for event_name, at in _times(batch):
                    found.last_event_at = at
                    if event_name in ("DeviceState", "ConfigurationChanged", "CapabilitiesChanged"):
                        found.template = None
                        yield StateRead("state", self._clock.now(), await self._report(found))
                        reader.is_monostable = bool(found.is_monostable)
        finally:
            await self._unsubscribe(found, channel)

    async def _subscribe(self, device: Device) -> int:
        include = "new"
        if device.last_event_at is not None:
            # Also what happened while nobody listened; the keys of events drop what was told before.
            status = _members(await device.client.read("system/status"))
            gap = int(status.get("systemTime") or 0) - device.last_event_at
            include = f"-{min(max(gap, 0) + 5, 86_400)}"
        result = _members(await device.client.read("log/subscribe", {"include": include, "duration": CHANNEL_S}))
        if not isinstance(result.get("id"), int):
            raise Refused("The device's event log gave no channel.")
        return int(result["id"])

    @staticmethod
    async def _unsubscribe(device: Device, channel: int) -> None:
        try:
            await device.client.read("log/unsubscribe", {"id": channel})
        except (ProviderError, RuntimeError):
            pass  # it ends by itself when nobody reads it


# ---------------------------------------------------------------- replies


def _members(result: Any) -> Mapping[str, Any]:
    if not isinstance(result, dict):
        raise Refused("The device answered something that is not its HTTP API. Is this address a 2N device?")
    return result


def _list(result: Any, name: str) -> list[dict[str, Any]]:
    found = _members(result).get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


async def _template(client: Client) -> Mapping[str, Any]:
    """The directory's default entry; empty on firmware without the directory service."""
    try:
        users = _list(await client.read("dir/template"), "users")
    except Unsupported:
        return {}
    return users[0] if users else {}


async def _time_zone(client: Client) -> str | None:
    """The device's zone; "" when none is set; None when it does not say."""
    try:
        setting = _members(await client.read("system/timezone"))
    except (Unsupported, Refused, NotAuthorized):
        return None
    zone = setting.get("zone")
    return zone if isinstance(zone, str) else None


def _times(batch: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(str(e.get("event")), int(e.get("utcTime") or 0)) for e in batch]


def number_of(serial: str) -> int:
    """A number for a serial number: Seam's `two_n_metadata.device_id` is one."""
    digits = "".join(c for c in serial if c.isdigit())
    return int(digits or 0)
