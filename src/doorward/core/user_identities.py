"""User identities: people that are given access.

A key names one person of its kind in a workspace. An e-mail address and a phone number name one person among those who
belong to no customer; of customers' people they are only kept, whoever shares them. Two identities that turn out to be
one person are merged: what belonged to either belongs to the survivor, and the others' ids and keys find it from then
on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from doorward.core import access_grants, devices, grant_progress, kinds, leaving
from doorward.core.context import Core
from doorward.errors import DeviceNotFound, InvalidInput, UserIdentityNotFound
from doorward.ids import new_id
from doorward.store import access_grants as grant_store
from doorward.store import devices as device_store
from doorward.store import user_identities as store
from doorward.store.db import Reader, Tx
from doorward.store.user_identities import IdentityRow
from doorward.wire.time import iso
from doorward.wire.user_identity import UserIdentity

CONTACTS = {"email_address": "e-mail address", "phone_number": "phone number"}
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
    """By id, else by key; of a merged one the survivor. Raises UserIdentityNotFound, InvalidInput where several have
    the key."""
    if user_identity_id is not None:
        row = await store.get(read, workspace_id, user_identity_id)
    else:
        rows = await store.having(read, workspace_id, "user_identity_key", key or "")
        row = kinds.meant(rows, store.OWN, "user_identity_key")
    if row is not None and row.merged_into is not None:
        row = await store.get(read, workspace_id, row.merged_into)
    if row is None:
        named = {"user_identity_id": user_identity_id} if user_identity_id else {"user_identity_key": key}
        raise UserIdentityNotFound(data=named)
    return row


async def create(
    tx: Tx, core: Core, workspace_id: str, about: About, customer_key: str | None = None, kind: str = store.OWN
) -> IdentityRow:
    """A new person. Raises InvalidInput where somebody has the key, or the address or number that must be theirs."""
    await tx.lock("user_identities", workspace_id)
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
        kind=kind,
    )
    await _check_free(tx, row, msgspec.structs.asdict(row))
    await store.add(tx, row)
    return row


async def find_or_create(
    tx: Tx, core: Core, workspace_id: str, about: About, customer_key: str | None = None
) -> IdentityRow:
    """The person with this key, else this address, else this number, of the same customer; else a new one."""
    await tx.lock("user_identities", workspace_id)
    for column in ("user_identity_key", *CONTACTS):
        if (value := getattr(about, column)) is None:
            continue
        rows = await store.having(tx, workspace_id, column, value)
        if customer_key is not None:
            rows = [row for row in rows if row.customer_key == customer_key]
        found = _called(rows) if column in CONTACTS else kinds.meant(rows, store.OWN, column)
        if found is not None:
            return await get(tx, workspace_id, found.user_identity_id)
    return await create(tx, core, workspace_id, about, customer_key)


def _called(rows: Sequence[IdentityRow]) -> IdentityRow | None:
    """Whom an address or number means: whose own it must be, else who was made as a user identity, else the only one
    who has it."""
    own = sorted((row for row in rows if row.kind == store.OWN), key=lambda row: row.customer_key is not None)
    return own[0] if own else rows[0] if len(rows) == 1 else None


async def change(tx: Tx, workspace_id: str, user_identity_id: str, values: dict[str, Any]) -> IdentityRow:
    """What is known of them; null forgets it."""
    await tx.lock("user_identities", workspace_id)
    row = await get(tx, workspace_id, user_identity_id)
    values = {name: value for name, value in values.items() if value != getattr(row, name)}
    if values and row.kind == store.NOBODY:  # something is told of them, so they are somebody
        row = await store.change(tx, row, kind=store.OWN)
    await _check_free(tx, row, values)
    return await store.change(tx, row, **values) if values else row


async def _check_free(tx: Tx, row: IdentityRow, values: Mapping[str, Any]) -> None:
    """Raises InvalidInput where a person is to have a key, address or number that is another one's own."""
    key = values.get("user_identity_key")
    if key is not None and await store.by_key(tx, row.workspace_id, row.kind, key) is not None:
        raise InvalidInput.of("user_identity_key", "Another user identity has this key")
    for column, what in CONTACTS.items():
        value = values.get(column)
        if value is not None and not await _is_free(tx, row, column, value):
            raise InvalidInput.of(column, f"Another user identity has this {what}")


async def _is_free(tx: Tx, row: IdentityRow, column: str, value: str) -> bool:
    others = [
        one
        for one in await store.having(tx, row.workspace_id, column, value)
        if one.user_identity_id != row.user_identity_id
    ]
    return not _has_it_alone(row) or not any(_has_it_alone(other) for other in others)


def _has_it_alone(row: IdentityRow) -> bool:
    """Nobody else may have their address and number."""
    return row.kind == store.OWN and row.customer_key is None


async def survivor(read: Reader, workspace_id: str, user_identity_id: str) -> str:
    """The id of the person that this one was merged into, if so."""
    row = await store.get(read, workspace_id, user_identity_id)
    return row.merged_into if row is not None and row.merged_into is not None else user_identity_id


async def merge(tx: Tx, core: Core, workspace_id: str, one: Named, others: Sequence[Named]) -> IdentityRow:
    """They are one person, who takes over what is not known of them yet. Raises UserIdentityNotFound."""
    await _lock_with_access(tx, workspace_id)
    row = await get(tx, workspace_id, *one)
    for named in others:
        other = await get(tx, workspace_id, *named)
        if other.user_identity_id == row.user_identity_id:
            continue
        await store.move(tx, row.workspace_id, other.user_identity_id, row.user_identity_id)
        await store.change(tx, other, merged_into=row.user_identity_id, email_address=None, phone_number=None)
        known: dict[str, Any] = {"kind": store.OWN} if row.kind == store.NOBODY else {}
        for name in ("full_name", *CONTACTS):
            value = getattr(other, name) if getattr(row, name) is None else None
            if value is not None and (name not in CONTACTS or await _is_free(tx, row, name, value)):
                known[name] = value
        if known:
            row = await store.change(tx, row, **known)
    tx.after_commit(core.callers.forget)
    return row


async def _lock_with_access(tx: Tx, workspace_id: str) -> None:
    """People stay as they are until the transaction ends, and so does what they are given: in this order."""
    await tx.lock("user_identities", workspace_id)
    await grant_progress.lock(tx, workspace_id)


async def delete(tx: Tx, core: Core, workspace_id: str, user_identity_id: str) -> None:
    """With their client sessions, and their access: it goes from the doors as fast as these can be reached.

    Of one that was merged only the id and key are forgotten: they are names of somebody else by now, who stays.
    """
    await _lock_with_access(tx, workspace_id)
    alias = await store.get(tx, workspace_id, user_identity_id)
    if alias is not None and alias.merged_into is not None:
        await store.forget_merged(tx, alias)
        return
    row = await get(tx, workspace_id, user_identity_id)
    await leaving.forget_person(tx, core, workspace_id, row.user_identity_id)
    for grant in await grant_store.of_identity(tx, workspace_id, row.user_identity_id):
        await access_grants.delete(tx, core, grant)


async def give(tx: Tx, workspace_id: str, user_identity_id: str, device_id: str) -> None:
    """They may reach a device. This alone opens no door: see access grants."""
    row = await get(tx, workspace_id, user_identity_id)
    await devices.get(tx, workspace_id, device_id)
    await store.give(tx, workspace_id, row.user_identity_id, device_id)


async def take(tx: Tx, workspace_id: str, user_identity_id: str, device_id: str) -> None:
    """They may not reach a device any more."""
    row = await get(tx, workspace_id, user_identity_id)
    if await device_store.get(tx, workspace_id, device_id) is None:
        raise DeviceNotFound(data={"device_id": device_id})
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
