"""The brand `my_2n`: logging in, and opening links.

In a sandbox workspace an account is any address of example.com, with three virtual intercoms of its own. Connecting
real intercoms through the webview is not here yet; a link opens them when a device's login holds an address (`url`).
"""

from collections.abc import Mapping
from typing import Any

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
    Offline,
    Place,
    TwinStore,
    Unsupported,
)
from doorward.providers.my_2n_first.client import Client
from doorward.providers.my_2n_first.driver import TwoNLink
from doorward.providers.my_2n_first.transport import PairConnector
from doorward.providers.my_2n_first.twins import Twin, Twins

SANDBOX_PASSWORD = "1234"  # noqa: S105 - printed in the public guide
CHECKS = ("system/status", "switch/caps", "switch/status", "dir/template", "log/caps")
"""What a login must be allowed to do."""


class MyTwoN:
    """See `providers.base.Provider`."""

    key = "my_2n"
    display_name = "2N"
    categories = ("stable", "consumer_smartlocks")
    abilities = (
        "can_remotely_unlock",
        "can_remotely_lock",
        "can_program_online_access_codes",
        "can_unlock_with_code",
    )
    device_type = "two_n_intercom"
    manufacturer = "two_n"
    account_form = LoginForm(
        title="Log in to 2N",
        intro="Use the e-mail address and password of your My2N account.",
        fields=(
            Field("email", "E-mail address", "email", autocomplete="username"),
            Field("password", "Password", "password", autocomplete="current-password"),
        ),
    )
    device_form: LoginForm | None = LoginForm(
        title="Log in to the intercom",
        intro="Use a user of the intercom's HTTP API. You find them on the intercom under Services / HTTP API.",
        fields=(
            Field("username", "User name", "text", autocomplete="off"),
            Field("password", "Password", "password", autocomplete="off"),
        ),
    )

    def __init__(self, store: TwinStore, clock: Clock) -> None:
        self._clock = clock
        self._twins = Twins(store, clock)

    async def log_in(self, place: Place, values: Mapping[str, str]) -> AccountLogin:
        """Raises NotAuthorized for a wrong login, Unsupported outside of sandboxes."""
        if not place.is_sandbox:
            raise Unsupported(
                "This workspace is for real intercoms, and Doorward cannot connect those through this page yet."
            )
        email = values.get("email", "").strip().lower()
        name, _, domain = email.partition("@")
        if not name or domain != "example.com" or values.get("password") != SANDBOX_PASSWORD:
            raise NotAuthorized("The e-mail address or password is not right. Check both and try again.")
        units = await self._twins.of_login(place.workspace_id, email)
        return AccountLogin(
            identity={"email": email},
            display_name=email,
            secret={"email": email},
            devices=tuple(
                OfferedDevice(u.serial, u.name, f"{u.model.variant}, serial number {u.serial}") for u in units
            ),
        )

    async def log_in_device(
        self, place: Place, account: AccountLogin, ref: str, values: Mapping[str, str]
    ) -> DeviceLogin:
        """Try everything the login must be able to do. Raises NotAuthorized, with what is missing."""
        position = next((i for i, d in enumerate(account.devices) if d.ref == ref), None)
        if position is None:
            raise Unsupported("This device does not belong to the account.")
        secret = {
            "username": values.get("username", "").strip(),
            "password": values.get("password", ""),
            # Seam numbers a sandbox's devices from 1.
            "device_id": position + 1,
        }
        client = await self._client(place, account.secret, ref, secret)
        try:
            for path in CHECKS:
                await client.read(path)
        except NotAuthorized as exc:
            if exc.missing is None:
                raise NotAuthorized(
                    "The user name or password of this intercom is not right. Check both and try again.", code=exc.code
                ) from None
            raise
        finally:
            await client.close()
        return DeviceLogin(secret)

    async def open(self, access: AccountAccess) -> Link:
        """Twins are found now, real devices when they are used."""
        twins: dict[str, Twin] = {}
        if access.place.is_sandbox:
            owner = str(access.secret.get("email", ""))
            for ref in access.devices:
                twin = await self._twins.get(access.place.workspace_id, ref, owner)
                if twin is not None:
                    twins[ref] = twin

        def connect(ref: str, secret: Mapping[str, Any]) -> Client:
            if access.place.is_sandbox:
                return _to_twin(twins.get(ref), ref, secret)
            return Client(secret["url"], secret["username"], secret["password"], pin=secret.get("pin"))

        return TwoNLink(access, connect, self._clock)

    async def _client(
        self, place: Place, account_secret: Mapping[str, Any], ref: str, secret: Mapping[str, Any]
    ) -> Client:
        owner = str(account_secret.get("email", ""))
        return _to_twin(await self._twins.get(place.workspace_id, ref, owner), ref, secret)

    async def close(self) -> None:
        await self._twins.close()


def _to_twin(twin: Twin | None, ref: str, secret: Mapping[str, Any]) -> Client:
    if twin is None:
        raise Offline("This virtual intercom is gone.")
    return Client(
        f"http://{ref}.twin",
        str(secret["username"]),
        str(secret["password"]),
        connector=PairConnector(twin.server, keepalive_timeout=60.0, limit=4),
    )
