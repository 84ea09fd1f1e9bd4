"""User identities: people that are given access.

Key, address and number name one person each in a workspace. Two identities that turn out to be one person are merged:
what belonged to either belongs to the survivor, and the others' ids and keys find it from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from doorward.core import access_grants, devices
from doorward.core.context import Core
from doorward.core.events import emit
from doorward.errors import InvalidInput, UserIdentityNotFound
from doorward.ids import new_id
from doorward.store import access_grants as grant_store
from doorward.store import client_sessions
from doorward.store import user_identities as store
from doorward.store.db import Reader, Tx, Where
from doorward.store.user_identities import IdentityRow
from doorward.wire.events.client_session import ClientSessionDeleted
from doorward.wire.time import iso
from doorward.wire.user_identity import UserIdentity

NAMES = {"user_identity_key": "key", "email_address": "e-mail address", "phone_number": "phone number"}
"""Columns that name one person each."""
Named = tuple[str | None, str | None]
"""A person by id, else by key."""


@dataclass(frozen=True)
class About:
    """What is known of a person."""

    user_identity_key: str | None = None
    full_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None


async def get(read: Reader, workspace_id: str, user_identity_id: str | None, key: str | None = None) -> IdentityRow:
    """By id, else by key; of a merged one the survivor. Raises UserIdentityNotFound."""
    if user_identity_id is not None:
        row = await store.find(read, workspace_id, "user_identity_id", user_identity_id)
    else:
        row = await store.find(read, workspace_id, "user_identity_key", key or "")
    if row is not None and row.merged_into is not None:
        row = await store.find(read, workspace_id, "user_identity_id", row.merged_into)
    if row is None:
        named = {"user_identity_id": user_identity_id} if user_identity_id else {"user_identity_key": key}
        raise UserIdentityNotFound(data=named)
    return row


async def create(tx: Tx, core: Core, workspace_id: str, about: About, customer_key: str | None = None) -> IdentityRow:
    """A new person. Raises InvalidInput where somebody has the key, address or number already."""
    await tx.lock("user_identities", workspace_id)
    for column in NAMES:
        await _check_free(tx, workspace_id, column, getattr(about, column))
    row = IdentityRow(
        workspace_id=workspace_id,
        user_identity_id=new_id(),
        user_identity_key=about.user_identity_key,
        full_name=about.full_name,
        email_address=about.email_address,
        phone_number=about.phone_number,
        customer_key=customer_key,
        merged_into=None,
        created_at=core.clock.now(),
    )
    await store.add(tx, row)
    return row


async def find_or_create(
    tx: Tx, core: Core, workspace_id: str, about: About, customer_key: str | None = None
) -> IdentityRow:
    """The person with this key, else this address, else this number, of the same customer; else a new one."""
    await tx.lock("user_identities", workspace_id)
    for column in NAMES:
        value = getattr(about, column)
        row = await store.find(tx, workspace_id, column, value) if value is not None else None
        if row is not None and (customer_key is None or row.customer_key == customer_key):
            return await get(tx, workspace_id, row.user_identity_id)
    return await create(tx, core, workspace_id, about, customer_key)


async def change(tx: Tx, workspace_id: str, user_identity_id: str, values: dict[str, Any]) -> IdentityRow:
    """What is known of them; null forgets it."""
    await tx.lock("user_identities", workspace_id)
    row = await get(tx, workspace_id, user_identity_id)
    for column in NAMES.keys() & values.keys():
        if values[column] != getattr(row, column):
            await _check_free(tx, workspace_id, column, values[column])
    return await store.change(tx, row, **values) if values else row


async def _check_free(tx: Tx, workspace_id: str, column: str, value: str | None) -> None:
    if value is not None and await store.find(tx, workspace_id, column, value) is not None:
        raise InvalidInput.of(column, f"Another user identity has this {NAMES[column]}")


async def survivor(read: Reader, workspace_id: str, user_identity_id: str) -> str:
    """The id of the person that this one was merged into, if so."""
    row = await store.find(read, workspace_id, "user_identity_id", user_identity_id)
    return row.merged_into if row is not None and row.merged_into is not None else user_identity_id


async def merge(tx: Tx, core: Core, workspace_id: str, one: Named, others: Sequence[Named]) -> IdentityRow:
    """They are one person, who takes over what is not known of them yet. Raises UserIdentityNotFound."""
    await tx.lock("user_identities", workspace_id)
    row = await get(tx, workspace_id, *one)
    for named in others:
        other = await get(tx, workspace_id, *named)
        if other.user_identity_id == row.user_identity_id:
            continue
        known = {
            name: value
            for name in ("full_name", "email_address", "phone_number")
            if getattr(row, name) is None and (value := getattr(other, name)) is not None
        }
        await store.move(tx, row.workspace_id, other.user_identity_id, row.user_identity_id)
        await store.change(tx, other, merged_into=row.user_identity_id, email_address=None, phone_number=None)
        if known:
            row = await store.change(tx, row, **known)
    tx.after_commit(core.callers.forget)
    return row


async def delete(tx: Tx, core: Core, workspace_id: str, user_identity_id: str) -> None:
    """With their client sessions, and their access: it goes from the doors as fast as these can be reached."""
    row = await get(tx, workspace_id, user_identity_id)
    where = Where()
    where.add("s.workspace_id = {} AND s.user_identity_id = {}", workspace_id, row.user_identity_id)
    for session in await client_sessions.list_all(tx, where):
        if await client_sessions.delete(tx, session):
            await emit(tx, core, workspace_id, ClientSessionDeleted(client_session_id=session.client_session_id))
    for grant in await grant_store.of_identity(tx, workspace_id, row.user_identity_id):
        await access_grants.delete(tx, core, grant)
    await store.delete(tx, workspace_id, row.user_identity_id)
    tx.after_commit(core.callers.forget)


async def give(tx: Tx, workspace_id: str, user_identity_id: str, device_id: str) -> None:
    """They may reach a device. This alone opens no door: see access grants."""
    row = await get(tx, workspace_id, user_identity_id)
    await devices.get(tx, workspace_id, device_id)
    await store.give(tx, workspace_id, row.user_identity_id, device_id)


async def take(tx: Tx, workspace_id: str, user_identity_id: str, device_id: str) -> None:
    """They may not reach a device any more."""
    row = await get(tx, workspace_id, user_identity_id)
    await devices.get(tx, workspace_id, device_id)
    await store.take(tx, workspace_id, row.user_identity_id, device_id)


async def reachable(read: Reader, row: IdentityRow) -> list[str]:
    """Devices that were given to them, and those that their access grants lead to."""
    found = set(await store.device_ids(read, row.workspace_id, row.user_identity_id))
    grants = await grant_store.of_identity(read, row.workspace_id, row.user_identity_id)
    wanted = [grant.access_grant_id for grant in grants if grant.is_wanted]
    return sorted(found.union(one for _, one in await grant_store.doors(read, row.workspace_id, wanted)))


def display_name(row: IdentityRow) -> str:
    """What to call them."""
    return row.full_name or row.email_address or row.phone_number or row.user_identity_key or row.user_identity_id


async def wire(read: Reader, rows: Sequence[IdentityRow]) -> list[UserIdentity]:
    """People as Seam shows them."""
    if not rows:
        return []
    merged = await store.merged(read, rows[0].workspace_id, [row.user_identity_id for row in rows])
    return [
        UserIdentity(
            user_identity_id=row.user_identity_id,
            user_identity_key=row.user_identity_key,
            workspace_id=row.workspace_id,
            display_name=display_name(row),
            full_name=row.full_name,
            email_address=row.email_address,
            phone_number=row.phone_number,
            merged_user_identity_ids=[m.user_identity_id for m in merged if m.merged_into == row.user_identity_id],
            merged_user_identity_keys=[
                m.user_identity_key
                for m in merged
                if m.merged_into == row.user_identity_id and m.user_identity_key is not None
            ],
            created_at=iso(row.created_at),
        )
        for row in rows
    ]
