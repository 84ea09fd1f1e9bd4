"""2N as a brand: its login forms, its sandbox accounts, and the links to its intercoms.

In a sandbox everyone at example.com has an account with three virtual intercoms. Real intercoms are reached at their
own address, without 2N's cloud, whose interface is not public; the way to enter that address is not here yet.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from doorward.clock import Clock
from doorward.providers.base import (
    AccountAccess,
    AccountLogin,
    DeviceLogin,
    Field,
    Link,
    LoginForm,
    NotAuthorized,
    OfferedDevice,
    Place,
    TwinStore,
    Unsupported,
)

from . import intercom
from .client import TwoNClient
from .driver import TwoNLink, number_of
from .transport import Allowed
from .troubles import DeviceTrouble, LoginNeeded, LoginRefused, outward
from .twins import BRAND, PASSWORD, Twins

_ADDRESS: Final = re.compile(r"[^@\s]+@example\.com")
_NO_ACCOUNT: Final = (
    "In a sandbox, log in with any address at example.com, such as jane@example.com, and the password 1234."
)
_NO_CLOUD: Final = (
    "This server talks to 2N intercoms directly, by their address in your network, and not through a 2N account. "
    "Logging in here works in sandbox workspaces only."
)
_MODEL: Final = "2N IP Verso"


class MyTwoN:
    """2N, as `base.Provider`. `twins` is where virtual intercoms are kept; `allowed` says which addresses real ones
    may have (None: any)."""

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
    account_form = LoginForm(
        title="Log in to your 2N account",
        intro="With the e-mail address and password you use at 2N.",
        fields=(
            Field("email", "E-mail", kind="email", autocomplete="username"),
            Field("password", "Password", kind="password", autocomplete="current-password"),
        ),
    )
    device_form: LoginForm | None = LoginForm(
        title="Log in to this intercom",
        intro="With an account of its HTTP API: on the device under Services / HTTP API / Account.",
        fields=(
            Field("username", "User name"),
            Field("password", "Password", kind="password"),
        ),
    )

    def __init__(self, twins: TwinStore, clock: Clock | None = None, *, allowed: Allowed | None = None) -> None:
        self._clock = clock or Clock()
        self.twins = Twins(twins, self._clock)
        self._allowed = allowed

    async def log_in(self, place: Place, values: Mapping[str, str]) -> AccountLogin:
        """As `base.Provider.log_in`. The same login finds the same virtual intercoms again."""
        if not place.is_sandbox:
            raise Unsupported(_NO_CLOUD)
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
        self, place: Place, account: AccountLogin, ref: str, values: Mapping[str, str]
    ) -> DeviceLogin:
        """As `base.Provider.log_in_device`: tries what the driver will need, and moves nothing."""
        if not place.is_sandbox:
            raise Unsupported(_NO_CLOUD)
        refs = list(account.secret.get("refs", ()))
        secret = {
            "username": values.get("username", "").strip(),
            "password": values.get("password", ""),
            "device_id": refs.index(ref) + 1 if ref in refs else number_of(ref),
        }
        client = await self._client(place, account.secret, ref, secret)
        try:
            await check_login(client)
        finally:
            await client.close()
        return DeviceLogin(secret=secret)

    async def open(self, access: AccountAccess) -> Link:
        """As `base.Provider.open`."""

        async def connect(ref: str, secret: Mapping[str, Any]) -> TwoNClient:
            return await self._client(access.place, access.secret, ref, secret)

        return TwoNLink(access.place.workspace_id, access.devices, connect, self._clock)

    async def close(self) -> None:
        """As `base.Provider.close`."""
        await self.twins.close()

    async def _client(
        self, place: Place, account: Mapping[str, Any], ref: str, secret: Mapping[str, Any]
    ) -> TwoNClient:
        """The client of a device: at its `url`, or in a sandbox its twin."""
        username, password = str(secret["username"]), str(secret["password"])
        url = secret.get("url")
        if url is not None:
            try:
                return TwoNClient(str(url), username, password, pin=secret.get("pin"), allowed=self._allowed)
            except ValueError as exc:
                raise Unsupported(str(exc)) from exc
        if not place.is_sandbox:
            raise Unsupported(_NO_CLOUD)
        twin = await self.twins.open(place.workspace_id, str(account.get("login", "")), ref)
        return TwoNClient("http://twin", username, password, connector=twin.connector)


async def check_login(client: TwoNClient) -> None:
    """Try everything the driver needs, without moving anything.

    Raises: NotAuthorized for a wrong login, with `missing` when the account lacks a privilege; Offline; Refused;
    Unsupported.
    """
    try:
        await client.system_status()
        await client.switch_caps()
        await client.check_switch_control()
        await client.dir_template()
    except (LoginRefused, LoginNeeded) as trouble:
        raise NotAuthorized(
            "The device does not accept this user name and password. In a sandbox they are jane and 1234; on a real "
            "device they are those of an account under Services / HTTP API."
        ) from trouble
    except DeviceTrouble as trouble:
        raise outward(trouble) from trouble
