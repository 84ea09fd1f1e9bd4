"""What befalls the devices, and time, and the server itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from doorward.providers.my_2n.emulator.auth import Account, Privilege, Service, ServiceSettings

from .arming import Arm
from .house import LOGIN, House

STEP_S = 5


@dataclass(frozen=True)
class Wait:
    """A moment, to the millisecond."""

    seconds: float

    async def do(self, house: House) -> None:
        await house.loop.advance(self.seconds)


@dataclass(frozen=True)
class Pass:
    """A while."""

    minutes: int

    async def do(self, house: House) -> None:
        await house.loop.advance(self.minutes * 60, step=STEP_S)


@dataclass(frozen=True)
class Sleep:
    """The machine is asleep: every timer fires late, all at once, and then life goes on."""

    hours: float

    async def do(self, house: House) -> None:
        await house.loop.advance(self.hours * 3600, step=self.hours * 3600)
        await house.loop.advance(20, step=STEP_S)


@dataclass(frozen=True)
class Restart:
    """The server ends, in order or without a word, and starts again."""

    abrupt: bool

    async def do(self, house: House) -> None:
        await house.stop(abrupt=self.abrupt)
        await house.start()


@dataclass(frozen=True)
class Fault:
    """The device gets a fault."""

    door: int
    arm: Arm

    async def do(self, house: House) -> None:
        self.arm.on(await house.unit(self.door))
        if self.arm.kind == "duplicate-pin":
            for code in house.codes:
                if code.device == self.door:
                    code.may_be_rejected = True


@dataclass(frozen=True)
class Clear:
    """The device has no faults any more."""

    door: int

    async def do(self, house: House) -> None:
        (await house.unit(self.door)).faults.clear()


@dataclass(frozen=True)
class PowerOff:
    """A reboot, or (`cut`) no power for a while."""

    door: int
    seconds: float
    cut: bool

    async def do(self, house: House) -> None:
        unit = await house.unit(self.door)
        if not unit.is_off:
            house.keep(unit.power_cut(self.seconds) if self.cut else unit.reboot(self.seconds))
            await house.loop.idle()


@dataclass(frozen=True)
class FactoryReset:
    """Everything at the device is gone, our login too."""

    door: int

    async def do(self, house: House) -> None:
        unit = await house.unit(self.door)
        if unit.is_off:
            return
        for code in house.codes:
            if code.device == self.door:
                code.removals += 1
                code.is_adopted = False
        house.doors[self.door].owners.clear()
        house.keep(unit.factory_reset(2))
        await house.loop.idle()


@dataclass(frozen=True)
class Login:
    """Somebody changes our account at the device, or sets it right."""

    door: int
    change: Literal["password", "disabled", "gone", "well"]

    async def do(self, house: House) -> None:
        unit = await house.unit(self.door)
        match self.change:
            case "password":
                unit.put_account(Account(LOGIN.name, "another"))
            case "disabled":
                unit.put_account(Account(LOGIN.name, LOGIN.password, enabled=False))
            case "gone":
                unit.gate.clear_accounts()
            case "well":
                unit.put_account(LOGIN)


@dataclass(frozen=True)
class Privileges:
    """Our account loses some of its check boxes."""

    door: int
    lost: Sequence[str]

    async def do(self, house: House) -> None:
        kept = LOGIN.privileges - {Privilege(name) for name in self.lost}
        (await house.unit(self.door)).put_account(Account(LOGIN.name, LOGIN.password, privileges=kept))


@dataclass(frozen=True)
class SetService:
    """A service is switched off or on, or wants another kind of login."""

    door: int
    service: str
    enabled: bool
    authentication: Any

    async def do(self, house: House) -> None:
        settings = ServiceSettings(enabled=self.enabled, authentication=self.authentication)
        (await house.unit(self.door)).configure_service(Service(self.service), settings)


@dataclass(frozen=True)
class Skew:
    """The device's clock is so many seconds ahead."""

    door: int
    seconds: float

    async def do(self, house: House) -> None:
        unit = await house.unit(self.door)
        unit.time.offset_s = self.seconds
        unit.report("ConfigurationChanged", {})
