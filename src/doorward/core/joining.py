"""Which account a login joins.

An account that its provider keeps is joined by whoever knows its password. Devices that are logged in to one by one, by
their address, are put together here, under a name that anybody may type. So neither the name nor one of the devices
opens an account: only people who see it already add to it, or who have logged in to all that is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from doorward.errors import InvalidInput
from doorward.ids import new_id
from doorward.providers.base import OfferedDevice, Provider
from doorward.providers.errors import Refused
from doorward.store import client_sessions
from doorward.store import connected_accounts as store
from doorward.store import devices as device_store
from doorward.store.client_sessions import SessionRow
from doorward.store.connected_accounts import AccountRow
from doorward.store.db import Reader, Tx

CUSTOMER = "This account is connected for another customer already. Use another account, or cancel."


@dataclass(frozen=True)
class Owner:
    """Who a webview is for: a customer, client sessions, or, with neither, the application itself."""

    customer_key: str | None
    sessions: Sequence[SessionRow]

    async def sees(self, read: Reader, account: AccountRow) -> bool:
        """Whether all of them see an account already."""
        if self.customer_key is not None and account.customer_key != self.customer_key:
            return False
        return all(
            [account.connected_account_id in await client_sessions.seen_accounts(read, s) for s in self.sessions]
        )

    def keys(self, key: str) -> list[str]:
        """Under which an account of theirs may stand: one of their own first, then the application's."""
        if self.customer_key is not None:
            return [f"{key},customer={self.customer_key}", key]
        return [*(f"{key},session={one.client_session_id}" for one in self.sessions), key]


async def owner_of(read: Reader, workspace_id: str, connect_webview_id: str, customer_key: str | None) -> Owner:
    return Owner(customer_key, await client_sessions.of_webview(read, workspace_id, connect_webview_id))


async def by_devices(
    tx: Tx, workspace_id: str, provider: Provider, proven: Sequence[OfferedDevice], owner: Owner
) -> AccountRow | None:
    """The account that one of these devices is in already, each just logged in to. Raises Refused: not for them."""
    homes: dict[str, OfferedDevice] = {}
    for device in proven:
        row = await device_store.find_anywhere(tx, workspace_id, provider.key, device.ref)
        if row is not None:
            homes.setdefault(row.connected_account_id, device)
    accounts = []
    for account_id, device in homes.items():
        account = await store.get(tx, workspace_id, account_id)
        assert account is not None
        if not await owner.sees(tx, account):
            inside = {one.ref for one in await device_store.of_account(tx, workspace_id, account_id)}
            if not inside <= {one.ref for one in proven}:
                raise Refused(
                    f"{device.name} is connected by somebody else already. Ask whoever sent you here to share it with "
                    "you, or go on without it."
                )
        accounts.append(account)
    return accounts[0] if accounts else None


async def by_name(
    tx: Tx, workspace_id: str, provider: Provider, key: str, owner: Owner
) -> tuple[AccountRow | None, str]:
    """An account of theirs with this name, if there is one, and the key under which a new one would stand."""
    free = []
    for one in owner.keys(key):
        row = await store.find(tx, workspace_id, provider.key, one)
        if row is None:
            free.append(one)
        elif await owner.sees(tx, row):
            return row, one
    return None, free[0] if free else f"{key},{new_id()}"


async def give_to(tx: Tx, row: AccountRow, customer_key: str) -> AccountRow:
    """From now on it belongs to this customer, with everything below it. Raises InvalidInput where it is another's."""
    await tx.lock("connected_account", row.workspace_id, row.connected_account_id)
    row = await store.get(tx, row.workspace_id, row.connected_account_id) or row
    if row.customer_key == customer_key:
        return row
    if row.customer_key is not None:
        raise InvalidInput.of("customer_key", "The account belongs to another customer already")
    await device_store.give_to(tx, row.workspace_id, row.connected_account_id, customer_key)
    return await store.change(tx, row, customer_key=customer_key)
