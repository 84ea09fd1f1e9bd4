"""2N as a brand: its login forms, its sandbox accounts, and the links to its intercoms.

In a sandbox everyone at example.com has an account with three virtual intercoms. In production workspaces intercoms
are reached at their own address (`direct`), without 2N's cloud. Neither is ever taken for the other.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from doorward.clock import Clock
from doorward.config import Config
from doorward.networks import DEVICE_NETWORKS, Networks, Ranges
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
    TwinStore,
)
from doorward.providers.errors import NotAuthorized, Unsupported

from . import direct, intercom
from .checkup import check
from .client import TwoNClient
from .direct import Direct
from .driver import TwoNLink, is_real, number_of
from .models import MODELS
from .standing import Standings
from .tunnel import Tunnel
from .twins import BRAND, PASSWORD, Twins

_ADDRESS: Final = re.compile(r"[^@\s]+@example\.com")
_NO_ACCOUNT: Final = (
    "In a sandbox, log in with any address at example.com, such as jane@example.com, and the password 1234."
)
_WRONG_TWIN_LOGIN: Final = (
    "The device does not accept this user name and password. In a sandbox they are jane and 1234."
)
_NO_TWINS: Final = "Virtual intercoms exist in sandbox workspaces only. Connect the real one by its address."
_NO_REAL: Final = "A sandbox workspace has virtual intercoms only. Connect real ones in a production workspace."
_MODEL: Final = "2N IP Verso"
_SANDBOX_ACCOUNT: Final = LoginForm(
    title="Log in to your 2N account",
    intro="With the e-mail address and password you use at 2N.",
    fields=(
        Field("email", "E-mail", kind="email", autocomplete="username"),
        Field("password", "Password", kind="password", autocomplete="current-password"),
    ),
)
_SANDBOX_DEVICE: Final = LoginForm(
    title="Log in to this intercom",
    intro="With an account of its HTTP API: on the device under Services / HTTP API / Account.",
    fields=(
        Field("username", "User name"),
        Field("password", "Password", kind="password"),
    ),
)


class MyTwoN:
    """2N, as `base.Provider`. `twins` is where virtual intercoms are kept; `real` knows those with an address."""

    key = BRAND
    display_name = "2N"
    categories: tuple[str, ...] = ("stable", "consumer_smartlocks")
    abilities: tuple[str, ...] = (
        "can_remotely_unlock",
        "can_remotely_lock",
        "can_program_online_access_codes",
        "can_unlock_with_code",
    )
    device_type: str = intercom.DEVICE_TYPE
    manufacturer: str = intercom.MANUFACTURER
    models: tuple[Model, ...] = MODELS

    def __init__(self, twins: TwinStore, clock: Clock | None = None, *, real: Direct | None = None) -> None:
        self._clock = clock or Clock()
        self.twins = Twins(twins, self._clock)
        self.real = real or Direct(Networks.parse(DEVICE_NETWORKS))
        self._standings = Standings()

    def account_form(self, place: Place) -> LoginForm:
        """As `base.Provider.account_form`."""
        return _SANDBOX_ACCOUNT if place.is_sandbox else direct.ADDRESSES

    def device_form(self, place: Place) -> LoginForm | None:
        """As `base.Provider.device_form`."""
        return _SANDBOX_DEVICE if place.is_sandbox else direct.DEVICE

    async def discover(self, place: Place, known: Known) -> list[OfferedDevice]:
        """As `base.Discovers.discover`."""
        return [] if place.is_sandbox else await self.real.discover(known)

    async def log_in(self, place: Place, values: Mapping[str, str]) -> AccountLogin:
        """As `base.Provider.log_in`. The same login finds the same virtual intercoms again."""
        if not place.is_sandbox:
            return await self.real.log_in(values)
        email = values.get("email", "").strip().lower()
        if not _ADDRESS.fullmatch(email) or values.get("password") != PASSWORD:
            raise NotAuthorized(_NO_ACCOUNT)
        refs = await self.twins.of_login(place.workspace_id, email)
        return AccountLogin(
            identity={"email": email},
            display_name=email,
            secret={"login": email, "refs": refs},
            devices=tuple(
                OfferedDevice(ref, f"Device {index}", f"{_MODEL}, serial number {ref}")
                for index, ref in enumerate(refs)
            ),
        )

    async def log_in_device(
        self, place: Place, account: AccountLogin, ref: str, values: Mapping[str, str], known: Known
    ) -> DeviceLogin:
        """As `base.Provider.log_in_device`: tries what the driver will need, and moves nothing."""
        login = await self._log_in_device(place, account, ref, values, known)
        # What was refused before may be good by now: somebody mended it at the device.
        self._standings.of(place.workspace_id, login.device.ref if login.device else ref, login.secret).accepted()
        return login

    async def _log_in_device(
        self, place: Place, account: AccountLogin, ref: str, values: Mapping[str, str], known: Known
    ) -> DeviceLogin:
        if not place.is_sandbox:
            return await self.real.log_in_device(account, ref, values, known)
        refs = list(account.secret.get("refs", ()))
        secret = {
            "username": values.get("username", "").strip(),
            "password": values.get("password", ""),
            "device_id": refs.index(ref) + 1 if ref in refs else number_of(ref),
        }
        client = await self._client(place, account.secret, ref, secret)
        try:
            await check(client, 1, wrong_login=_WRONG_TWIN_LOGIN)
        finally:
            await client.close()
        return DeviceLogin(secret=secret)

    async def open(self, access: AccountAccess) -> Link:
        """As `base.Provider.open`."""

        async def connect(ref: str, secret: Mapping[str, Any]) -> TwoNClient:
            return await self._client(access.place, access.secret, ref, secret)

        return TwoNLink(access.place.workspace_id, access.devices, connect, self._clock, self._standings)

    async def forget_twins(self, workspace_id: str) -> None:
        """As `base.HasTwins.forget_twins`."""
        await self.twins.forget(workspace_id)

    async def plug_twin(self, workspace_id: str, account: Mapping[str, Any], ref: str, *, is_in: bool) -> None:
        """As `base.HasTwins.plug_twin`."""
        await self.twins.plug(workspace_id, str(account.get("login", "")), ref, is_in=is_in)

    async def enter_code_at_twin(self, workspace_id: str, account: Mapping[str, Any], ref: str, pin: str) -> bool:
        """As `base.HasTwins.enter_code_at_twin`."""
        return await self.twins.enter_code(workspace_id, str(account.get("login", "")), ref, pin)

    async def close(self) -> None:
        """As `base.Provider.close`."""
        await self.twins.close()

    async def _client(
        self, place: Place, account: Mapping[str, Any], ref: str, secret: Mapping[str, Any]
    ) -> TwoNClient:
        """The client of a device: at its `url`, or in a sandbox its twin."""
        if is_real(secret):
            if place.is_sandbox:
                raise Unsupported(_NO_REAL)
            return self.real.client(secret)
        if not place.is_sandbox:
            raise Unsupported(_NO_TWINS)
        twin = await self.twins.open(place.workspace_id, str(account.get("login", "")), ref)
        username, password = str(secret["username"]), str(secret["password"])
        return TwoNClient("http://twin", username, password, connector=twin.connector)


def brand(config: Config, twins: TwinStore, clock: Clock) -> MyTwoN:
    """2N as this server is configured. Raises: ValueError for networks that are none."""
    ranges = Ranges.parse(config.device_discovery) if config.device_discovery.strip() else None
    tunnel = None
    if config.my2n_raa_url:
        name, _, value = (config.my2n_raa_header or "").partition(":")
        tunnel = Tunnel(config.my2n_raa_url, name.strip(), value.strip())
    return MyTwoN(twins, clock, real=Direct(Networks.parse(config.device_networks), ranges, tunnel=tunnel))
