"""A brand in memory that does the least a brand must: three devices with a login each, and troubles on demand."""

import asyncio
from collections.abc import Mapping

from doorward.providers.base import (
    AccountAccess,
    AccountLogin,
    DeviceLogin,
    Field,
    Known,
    Link,
    LoginForm,
    Model,
    OfferedDevice,
    Place,
)
from doorward.providers.errors import NotAuthorized, Offline, ProviderError
from doorward.providers.reports import DeviceReport

PASSWORD = "1234"
WRONG_ACCOUNT = "The e-mail address or the password is not right. Check both and try again."
WRONG_DEVICE = "The device refused this user name or password. Check them on the device."


class Still(Link):
    """A link to devices that never move."""

    def __init__(self, access: AccountAccess) -> None:
        self._access = access

    async def read_device(self, device: str) -> DeviceReport:
        if device not in self._access.devices:
            raise NotAuthorized
        return DeviceReport(
            ref=device,
            device_type="two_n_intercom",
            name=f"Name of {device}",
            manufacturer="two_n",
            model="Verso",
            serial_number=device,
            locked=True,
            code_lengths=(4, 5, 6),
        )

    async def close(self) -> None:
        pass


class Brand:
    """The conformance minimum of a provider: what the pages may count on."""

    categories: tuple[str, ...] = ("stable",)
    abilities: tuple[str, ...] = ("can_remotely_unlock", "can_program_online_access_codes")
    device_type = "two_n_intercom"
    manufacturer = "two_n"
    models: tuple[Model, ...] = ()
    account = LoginForm(
        title="Log in to My2N",
        intro="Use the account that manages your intercoms.",
        fields=(
            Field("email", "E-mail", "email", "username"),
            Field("password", "Password", "password", "current-password"),
        ),
    )
    device: LoginForm | None = LoginForm(
        title="Log in to the intercom",
        intro="Type the user name and password of the intercom's HTTP API.",
        fields=(
            Field("username", "User name", "text", "username", "The account for the HTTP API, not your My2N account."),
            Field("password", "Password", "password", "current-password"),
        ),
    )

    def __init__(self, key: str = "my_2n", display_name: str = "2N", names: tuple[str, ...] = ()) -> None:
        self.key = key
        self.display_name = display_name
        self.names = names or ("Device 0", "Device 1", "Device 2")
        self.asked: list[tuple[str, dict[str, str]]] = []
        """Every login that reached the brand: `account` or a device's ref, and what was typed."""
        self.passwords: dict[str, str] = {}
        """Devices whose password is another one."""
        self.troubles: dict[str, ProviderError] = {}
        """`account` or a device's ref → what happens when it is asked."""
        self.gate: asyncio.Event | None = None
        """Logins wait for it."""
        self.reached = asyncio.Event()
        """A login waits at the gate."""

    def account_form(self, _place: Place) -> LoginForm:
        return self.account

    def device_form(self, _place: Place) -> LoginForm | None:
        return self.device

    async def log_in(self, place: Place, values: Mapping[str, str]) -> AccountLogin:
        await self._ask("account", values)
        if values["password"] != PASSWORD or not values["email"].endswith("@example.com"):
            raise NotAuthorized(WRONG_ACCOUNT)
        return AccountLogin(
            identity={"email": values["email"]},
            display_name=values["email"],
            secret=dict(values),
            devices=tuple(
                OfferedDevice(f"54-0000-000{n}", name, f"2N IP Verso, 192.0.2.{n}") for n, name in enumerate(self.names)
            ),
        )

    async def log_in_device(
        self, place: Place, account: AccountLogin, ref: str, values: Mapping[str, str], known: Known
    ) -> DeviceLogin:
        await self._ask(ref, values)
        if values["username"] != "jane" or values["password"] != self.passwords.get(ref, PASSWORD):
            raise NotAuthorized(WRONG_DEVICE)
        return DeviceLogin(dict(values))

    async def _ask(self, what: str, values: Mapping[str, str]) -> None:
        self.asked.append((what, dict(values)))
        if self.gate is not None:
            self.reached.set()
            await self.gate.wait()
        if what in self.troubles:
            raise self.troubles[what]

    async def open(self, access: AccountAccess) -> Link:
        return Still(access)

    async def close(self) -> None:
        pass


def away() -> Offline:
    """The device cannot be reached."""
    return Offline("The device did not answer. Check that it has power and is on the network.")
