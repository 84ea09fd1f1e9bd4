"""What befalls intercoms that are at addresses. In a sandbox there are none, and nothing happens."""

from dataclasses import dataclass

from doorward.providers.my_2n.emulator.auth import Service, ServiceSettings

from .house import House
from .street import Street


@dataclass(frozen=True)
class SwapCertificate:
    """The device shows another certificate."""

    door: int

    async def do(self, house: House) -> None:
        if isinstance(house, Street):
            house.swap_certificate(self.door)


@dataclass(frozen=True)
class MoveAway:
    """The device gets another address; a stranger's answers at the old one."""

    door: int

    async def do(self, house: House) -> None:
        if isinstance(house, Street):
            await house.move(self.door)


@dataclass(frozen=True)
class RequireTls:
    """A service takes no plain HTTP any more."""

    door: int
    service: str

    async def do(self, house: House) -> None:
        settings = ServiceSettings(connection="tls")
        (await house.unit(self.door)).configure_service(Service(self.service), settings)
