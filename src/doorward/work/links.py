"""Open links, one for each connected account, opened when first used.

A link is opened with the logins that are stored then. When an account's version has moved on (a new login, a device
added or removed), the old link is closed and a new one opened; work that still runs on the old one ends by itself.
Closing is a task of its own: whoever asked for a link may be cancelled meanwhile, and nothing stays open.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doorward.core import accounts, devices
from doorward.core.context import Core
from doorward.providers.base import (
    AccountAccess,
    Link,
    Place,
    Watches,
)
from doorward.providers.errors import (
    AccountDisconnected,
    NotAuthorized,
    Offline,
    ProviderError,
    Unsupported,
)
from doorward.store import connected_accounts, workspaces
from doorward.store import devices as device_store
from doorward.store.devices import DeviceRow

if TYPE_CHECKING:
    from doorward.store.connected_accounts import AccountRow


@dataclass
class _Open:
    link: Link
    account_secret: str
    logins: dict[str, str | None]
    """Device ref → its sealed login, as the link was opened with."""


class Links:
    """Links by account."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: dict[tuple[str, str], _Open] = {}
        self._fresh: set[tuple[str, str]] = set()
        self._turn = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def stale(self) -> None:
        """Logins may have changed: look again before the next use."""
        self._fresh.clear()

    async def of(self, device: DeviceRow) -> Link:
        """The link to a device. Raises NotAuthorized when its login is missing, ProviderError otherwise."""
        if device.secret_sealed is None:
            raise NotAuthorized(accounts.NOT_LOGGED_IN)
        key = (device.workspace_id, device.connected_account_id)
        if self._is_fresh(key, device):
            return self._open[key].link
        async with self._turn:
            if self._is_fresh(key, device):
                return self._open[key].link
            if self._is_closed:
                raise Offline("The server is stopping.")
            return await self._renew(key)

    def _is_fresh(self, key: tuple[str, str], device: DeviceRow) -> bool:
        # A login that was stored this moment counts, whether or not we were told of it yet.
        return key in self._fresh and self._open[key].logins.get(device.ref) == device.secret_sealed

    def is_open(self, link: Link) -> bool:
        """False: it was closed because its logins changed, so its failures say nothing of the device."""
        return any(one.link is link for one in self._open.values())

    def abandon(self) -> None:
        """Send nothing to any device any more, and open no link: the process ends. `close` follows."""
        self._is_closed = True
        for one in self._open.values():
            if isinstance(one.link, Watches):
                one.link.abandon()

    async def _renew(self, key: tuple[str, str]) -> Link:
        read = self._core.db.read
        account = await connected_accounts.get(read, *key)
        if account is None:
            raise ProviderError("The connected account is gone.")
        if accounts.is_disconnected(account):
            raise AccountDisconnected
        rows = await device_store.of_account(read, *key)
        logins = {row.ref: row.secret_sealed for row in rows}
        old = self._open.get(key)
        if old is not None and (old.account_secret, old.logins) == (account.secret_sealed, logins):
            self._fresh.add(key)
            return old.link
        new = self._open[key] = _Open(await self._make(account, rows), account.secret_sealed, logins)
        self._fresh.add(key)
        if old is not None:
            self._let_go(old)
        return new.link

    async def _make(self, account: "AccountRow", rows: list[DeviceRow]) -> Link:
        provider = self._core.providers.get(account.provider)
        if provider is None:
            raise Unsupported(f"This server has no driver for {account.provider}.")
        workspace = await workspaces.get(self._core.db.read, account.workspace_id)
        assert workspace is not None
        vault = self._core.vault
        access = AccountAccess(
            place=Place(workspace.workspace_id, bool(workspace.is_sandbox)),
            secret=vault.open_json(account.secret_sealed, accounts.SECRET),
            devices={r.ref: vault.open_json(r.secret_sealed, devices.LOGIN) for r in rows if r.secret_sealed},
        )
        return await provider.open(access)

    async def drop_gone(self) -> None:
        """Close the links of accounts that were deleted, or disconnected."""
        for key in list(self._open):
            account = await connected_accounts.get(self._core.db.read, *key)
            if account is None or accounts.is_disconnected(account):
                self._fresh.discard(key)
                self._let_go(self._open.pop(key))

    def _let_go(self, one: _Open) -> None:
        closing = asyncio.ensure_future(one.link.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """For good: whoever still asks for a link is told that there is none."""
        async with self._turn:  # one that is just being opened is closed, too
            self._is_closed = True
            opened, self._open = self._open, {}
            self._fresh.clear()
            for one in opened.values():
                self._let_go(one)
            if self._closing:
                await asyncio.wait(self._closing)
