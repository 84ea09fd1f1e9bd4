"""One intercom: its parts put together, power, time, and what the world does to it.

A `Unit` opens no port and starts no task while nothing is due. Functions of the HTTP API are in `functions.py`,
the bytes on the line in `http.py`; a host that keeps intercoms alive uses `snapshot` and `restore`.
"""

import asyncio
import uuid as uuids
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from doorward.clock import Clock

from . import snapshots, world
from .access import Access
from .auth import Account, Gate, Service, ServiceSettings
from .calls import Calls
from .counters import Counters
from .directory import Directory
from .faults import ID_GAP, Faults
from .fields import schema_of
from .firmware import CURRENT, UNHEARD_OF, Firmware
from .keypad import Keypad
from .log import USER_EVENTS, Log
from .model import VERSO, Model
from .ports import Door, DoorConfig, Ports
from .power import Power
from .quirks import Quirks
from .switches import Switch, SwitchConfig
from .when import Alarm, DeviceTime

REQUESTS_KEPT: Final = 500
UNPLUGGED_S: Final = 100 * 365 * 24 * 3600

Persist = Callable[["Unit"], Awaitable[None]]


class Unit:
    """A virtual 2N IP intercom.

    `on_change` is called, synchronously, after anything but the directory changed: save when convenient. `persist` is
    awaited after the directory changed and before the caller is told, so that what was acknowledged is kept.
    """

    def __init__(
        self,
        model: Model = VERSO,
        *,
        serial: str = "54-9000-0001",
        name: str | None = None,
        clock: Clock | None = None,
        accounts: Iterable[Account] = (),
        quirks: Quirks | None = None,
        firmware: Firmware = CURRENT,
        switches: Sequence[SwitchConfig] | None = None,
        access_switch: int = 1,
        zone: str = "UTC",
        door: DoorConfig | None = None,
        on_change: Callable[[], None] | None = None,
        persist: Persist | None = None,
    ) -> None:
        """`switches` are the settings of switch 1, 2, …; those not given are disabled. None: switch 1 monostable
        for 5 s. `access_switch` is what PINs and cards operate. `firmware` decides some quirks, whatever was asked for.

        Raises: ValueError for more than five accounts or an unknown zone.
        """
        self.model = model
        self.serial = serial
        self.name = name if name is not None else model.variant
        self.firmware = firmware
        self.quirks = firmware.adapted(quirks or Quirks())
        self.on_change = on_change
        self.persist = persist
        self.time = DeviceTime(clock or Clock(), zone)
        self.boot_uuid = str(uuids.uuid4())
        self.services = {service: ServiceSettings() for service in Service}
        self.gate = Gate(self.quirks, self.time.steady)
        for account in accounts:
            self.gate.put_account(account)
        self.faults = Faults(self.time.steady)
        self.directory = Directory(schema_of(model), self.quirks, self.faults)
        self.faults.freeze = lambda: self.directory.frozen()
        self.log = Log(
            history=self.quirks.history,
            max_channels=self.quirks.max_channels,
            open_to_all=frozenset() if self.quirks.user_events_need_uid else USER_EVENTS,
        )
        if firmware.is_future:
            self.log.more = {UNHEARD_OF: 1}
        self.ports = Ports(model, self._report)
        self.door = Door(door or DoorConfig(), self._report)
        configs = tuple(switches) if switches is not None else (SwitchConfig(),)
        self.factory_switches = configs
        """What a factory reset goes back to."""
        self.switches = {
            number: Switch(
                number,
                configs[number - 1] if number <= len(configs) else SwitchConfig(enabled=False),
                self.quirks,
                self._report,
                self._driver(number),
            )
            for number in range(1, model.switches + 1)
        }
        self.access = Access(self, self.quirks, self._report)
        for point in self.access.points.values():
            point.switch = access_switch
        self.calls = Calls(self.quirks, self._report)
        self.keypad = Keypad(self.quirks, self._report, self.access.enter_code, self._dial)
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
        """What was received, newest last; no secrets."""
        self.counters = Counters()
        self.power = Power()
        self.directory_save_at: int | None = None
        """When `DirectorySaved` is due; None: all is saved."""
        self._saved_directory: dict[str, Any] | None = None
        self._alarm = Alarm(self.time, self._wake)
        self._report("DeviceState", {"state": "startup"}, self.time.steady())

    def __repr__(self) -> str:
        return f"<Unit {self.serial} {self.model.variant}>"

    # ------------------------------------------------------------ time and events

    @property
    def clock(self) -> Clock:
        """The host's clock."""
        return self.time.clock

    @property
    def sw_version(self) -> str:
        """What `system/info` and the `Server` header say."""
        return self.firmware.sw_version or self.model.sw_version

    @property
    def is_off(self) -> bool:
        """No power: nothing answers."""
        return self.power.boots_at is not None

    def steady(self) -> int:
        """Steady milliseconds."""
        return self.time.steady()

    def device_time(self) -> int:
        """Unix seconds by the intercom's own clock."""
        return self.time.now()

    def admitted(self, ap: int, session: int) -> None:
        """Somebody was let in."""
        self.door.admitted(ap, session)

    def report(self, name: str, params: dict[str, Any]) -> None:
        """Write an event to the log, now."""
        self._report(name, params, self.steady())
        self.changed()

    def _report(self, name: str, params: dict[str, Any], at: int) -> None:
        utc, up = self.time.now(at), self.time.up_seconds(at)
        shift = self.time.shift_minutes(utc)
        if self.faults and self.faults.take("skip-ids", name):
            self.log.next_id += ID_GAP
        self.firmware.event(
            name, params, lambda name, params: self.log.append(name, params, at=at, utc=utc, up=up, shift=shift)
        )

    def _driver(self, number: int) -> Callable[[bool, int], None]:
        outputs = self.model.switch_outputs
        output = outputs[number - 1] if number <= len(outputs) else None

        def drive(active: bool, at: int) -> None:
            if number == self.access.points[0].switch:
                self.door.released(at)
            if output is not None:
                inverted = self.switches[number].config.type == "inverted"
                self.ports.drive(output, active != inverted, at)

        return drive

    def changed(self) -> None:
        """After anything changed: tell the host, and see to it that what is due later happens."""
        self._arm()
        if self.on_change is not None:
            self.on_change()

    def settle(self) -> None:
        """Let happen what is due by now, in order. Called before anything looks at the state."""
        now = self.steady()
        happened = False
        while (due := self._next()) is not None and due[0] <= now:
            due[1](due[0])
            happened = True
        if happened:
            self.changed()

    def _wake(self) -> None:
        self.settle()
        self._arm()

    def _next(self) -> tuple[int, Callable[[int], object]] | None:
        if self.power.boots_at is not None:
            return self.power.boots_at, self._boot
        found: tuple[int, Callable[[int], object]] | None = None
        for at, act in (
            (self.power.off_at, self._restart),
            (self.directory_save_at, self._save_directory),
            (self.door.too_long_at, self.door.wake),
            (self.access.due_at(), self.access.wake),
            (self.calls.due_at(), self.calls.wake),
            *((switch.due_at(), switch.wake) for switch in self.switches.values()),
        ):
            if at is not None and (found is None or at < found[0]):
                found = (at, act)
        return found

    def _arm(self) -> None:
        due = self._next()
        if due is not None:
            self._alarm.set(due[0])

    async def close(self) -> None:
        """Stop the timer, if one runs. The unit stays usable."""
        await self._alarm.stop()

    # ------------------------------------------------------------ directory

    async def directory_changed(self, before: int) -> None:
        """After a write: if the counter moved on from `before`, report it and wait for the host to keep it."""
        if self.directory.timestamp == before:
            return
        params = {"series": self.directory.series, "timestamp": self.directory.timestamp}
        self._report("DirectoryChanged", params, self.steady())
        self.directory_save_at = self.steady() + round(self.quirks.directory_saved_delay_s * 1000)
        self._arm()
        if self.persist is not None:
            # A client that hangs up must not stop a save half-way.
            await asyncio.shield(asyncio.ensure_future(self.persist(self)))
        elif self.on_change is not None:
            self.on_change()

    async def renew_directory(self, *, empty: bool) -> None:
        """A new series, as after a restored backup; without the entries, as after a factory reset."""
        self.settle()
        if empty:
            self.directory.reset()
        else:
            self.directory.renew()
        await self.directory_changed(-1)

    def _save_directory(self, at: int) -> None:
        self.directory_save_at = None
        if self.quirks.power_cut_loses_unsaved:
            self._saved_directory = self.directory.save()
        params = {"series": self.directory.series, "timestamp": self.directory.timestamp}
        self._report("DirectorySaved", params, at)

    # ------------------------------------------------------------ what the world does

    def press_keys(self, keys: str | Sequence[str]) -> bool:
        """Keys one after the other: each character of a string, or each member (`%1` is quick dial 1). `*` confirms
        what was typed as a code, `#` takes it back; true when a code let in. Nothing happens while the intercom is
        off."""
        self.settle()
        if self.is_off:
            return False
        let_in = [self.keypad.press(key, self.steady()) for key in keys]
        self.changed()
        return any(let_in)

    def _dial(self, button: str, now: int) -> None:
        if not self.model.has_phone:
            return
        peers = tuple(
            str(user.get(f"callPos[{position}].peer"))
            for user in self.directory.live()
            if button in str(user.get("buttons")).split(",")
            for position in range(3)
            if user.get(f"callPos[{position}].peer")
        )
        self.calls.dial(peers or (f"sip:{button}",), now)

    def ring(self, button: int = 1) -> None:
        """Somebody presses a quick dial button."""
        self.press_keys([f"%{button}"])

    def swipe(self, uid: str, reader: str = "ext1", *, ap: int = 0) -> bool:
        """A card (hex digits) at a reader; true when it opened."""
        return world.swipe(self, uid, reader, ap)

    def set_input(self, port: str, state: bool) -> None:
        """Drive an input: the door contact, the exit button, the tamper switch.

        Raises: KeyError for anything that is not an input.
        """
        self.settle()
        now, state = self.steady(), bool(state)
        if self.is_off or not self.ports.set_input(port, state, now):
            return
        if port == self.door.config.contact:
            access = self.switches.get(self.access.points[0].switch)
            self.door.moved(state, now, is_released=access is not None and access.active)
        elif port == self.door.config.exit_button and state:
            world.leave(self, now)
        elif port == "tamper":
            self._report("TamperSwitchActivated", {"state": "in" if state else "out"}, now)
        self.changed()

    def move_door(self, is_open: bool) -> None:
        """Open or close the door, as its contact tells.

        Raises: KeyError when no input is a door contact.
        """
        contact = self.door.config.contact
        if contact is None or self.ports.types.get(contact) != "input":
            raise KeyError("contact")
        self.set_input(contact, is_open)

    # ------------------------------------------------------------ settings

    def configure_switch(self, number: int, config: SwitchConfig) -> None:
        """New settings of a switch, as from the web interface.

        Raises: KeyError when the model has no such switch.
        """
        self.settle()
        self.switches[number].configure(config, self.steady())
        self.report("ConfigurationChanged", {})

    def configure_service(self, service: Service, settings: ServiceSettings) -> None:
        """New settings of a service."""
        self.services[service] = settings
        self.report("ConfigurationChanged", {})

    def put_account(self, account: Account) -> None:
        """Add or replace an account.

        Raises: ValueError for a sixth.
        """
        self.gate.put_account(account)
        self.report("ConfigurationChanged", {})

    # ------------------------------------------------------------ power

    def restart(self, outage_s: float | None = None) -> None:
        """What `system/restart` does: off a moment later, so that the reply still arrives."""
        self.power.off_at = self.steady() + round(self.quirks.restart_delay_s * 1000)
        self.power.outage_s = self.quirks.restart_outage_s if outage_s is None else outage_s
        self.changed()

    async def reboot(self, outage: float | None = None) -> None:
        """Off now, and back after `outage` seconds (None: as long as a restart takes). Returns when it is back."""
        self.settle()
        self._power_off(self.quirks.restart_outage_s if outage is None else outage)
        await self._back()

    async def power_cut(self, outage: float | None = None) -> None:
        """As `reboot`, but without warning: what was not saved may be lost."""
        self.settle()
        if self.quirks.power_cut_loses_unsaved and self.directory_save_at is not None:
            if self._saved_directory is None:
                self.directory.reset()
            else:
                self.directory.load(self._saved_directory)
        self._power_off(self.quirks.restart_outage_s if outage is None else outage)
        await self._back()

    def pull_plug(self) -> None:
        """Off until `plug_in`, or for a century."""
        self.settle()
        self._power_off(UNPLUGGED_S)

    def plug_in(self) -> None:
        """Back at once, if it is off."""
        if self.power.boots_at is not None:
            self.power.boots_at = self.steady()
            self.settle()

    async def factory_reset(self, outage: float | None = None) -> None:
        """Settings, accounts and directory go (under a new series), then it reboots."""
        self.settle()
        self.gate.clear_accounts()
        self.directory.reset()
        self.directory_save_at = None
        self.services = {service: ServiceSettings() for service in Service}
        now = self.steady()
        for number, switch in self.switches.items():
            switch.locked = False
            known = number <= len(self.factory_switches)
            switch.configure(self.factory_switches[number - 1] if known else SwitchConfig(enabled=False), now)
        for ap in self.access.points:
            self.access.block(ap, False, now)
        self._power_off(self.quirks.restart_outage_s if outage is None else outage)
        if self.persist is not None:
            await self.persist(self)
        await self._back()

    def _restart(self, _at: int) -> None:
        self.power.off_at = None
        self._power_off(self.power.outage_s)

    def _power_off(self, outage_s: float) -> None:
        self.power.off_at = self.directory_save_at = None
        self.power.boots_at = self.steady() + round(max(0.0, outage_s) * 1000)
        self.door.too_long_at = None
        self.access.lose_power()
        self.calls.lose_power()
        self.ports.lose_power()
        for switch in self.switches.values():
            switch.lose_power()
        self.log.clear()
        self.gate.forget()
        self.keypad.lose_power()
        self.power.tell(False)
        self.changed()

    def _boot(self, at: int) -> None:
        self.power.boots_at = None
        self.time.booted_at = at
        self.boot_uuid = str(uuids.uuid4())
        self.log.clear()
        self._report("DeviceState", {"state": "startup"}, at)
        for number, switch in self.switches.items():
            if switch.active:
                self._driver(number)(True, at)
        self.power.tell(True)

    async def _back(self) -> None:
        while self.power.boots_at is not None:
            await self.clock.sleep((self.power.boots_at - self.steady()) / 1000)
            self.settle()
        await self.power.settled()

    # ------------------------------------------------------------ snapshots

    def snapshot(self) -> bytes:
        """The whole state as JSON. It holds passwords, PINs and the log in clear text: keep it encrypted."""
        self.settle()
        return snapshots.dump(self)

    @classmethod
    def restore(
        cls,
        data: bytes,
        *,
        clock: Clock | None = None,
        quirks: Quirks | None = None,
        door: DoorConfig | None = None,
        on_change: Callable[[], None] | None = None,
        persist: Persist | None = None,
    ) -> "Unit":
        """The intercom as it was at `snapshot`, without a reboot; what fell due meanwhile happens on first sight.
        Channels and calls are gone, as the connections are.

        Raises: ValueError for bytes of another format.
        """
        saved = snapshots.parse(data)
        unit = cls(
            saved.model,
            serial=saved.serial,
            name=saved.name,
            clock=clock,
            quirks=quirks,
            firmware=saved.firmware,
            door=door,
        )
        unit.factory_switches = saved.factory_switches
        saved.fill(unit)
        unit.on_change, unit.persist = on_change, persist
        unit._arm()
        return unit
