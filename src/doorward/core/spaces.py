"""Spaces: places that devices are in.

A device may be in several spaces, and an account too; that an account is in a space says nothing of its devices. A
space may be in another one, which says nothing of what is in either. Whatever changes which devices are in a space
goes through `_changed`, in the transaction of the change: the devices' own list, the event, and whoever else follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from doorward.core import devices, grant_doors, grant_progress, kinds
from doorward.core.context import Core
from doorward.core.events import emit
from doorward.errors import ConnectedAccountNotFound, InvalidInput, SpaceNotFound
from doorward.ids import new_id
from doorward.store import connected_accounts
from doorward.store import devices as device_store
from doorward.store import spaces as store
from doorward.store.db import Reader, Tx
from doorward.store.spaces import Members, SeenSpace, SpaceRow
from doorward.wire.events import space as event
from doorward.wire.space import Space
from doorward.wire.time import iso


@dataclass(frozen=True)
class Wish:
    """What a space is to be; None: not said."""

    name: str | None = None
    space_key: str | None = None
    customer_key: str | None = None
    customer_data: Mapping[str, Any] | None = None
    parent_space_id: str | None = None
    parent_space_key: str | None = None
    device_ids: Sequence[str] | None = None
    account_ids: Sequence[str] | None = None
    kind: str = store.OWN
    """What a new one is called."""


async def get(read: Reader, workspace_id: str, space_id: str | None, space_key: str | None = None) -> SpaceRow:
    """By id, else by key. Raises SpaceNotFound, InvalidInput where several have the key."""
    if space_id is not None:
        row = await store.get(read, workspace_id, space_id)
    else:
        row = await of_key(read, workspace_id, space_key or "")
    if row is None:
        raise SpaceNotFound(data={"space_id": space_id} if space_id is not None else {"space_key": space_key})
    return row


async def of_key(read: Reader, workspace_id: str, space_key: str, name: str = "space_key") -> SpaceRow | None:
    """The space that a key means, in the parameter of that name. Raises InvalidInput where several have it."""
    return kinds.meant(await store.having_key(read, workspace_id, space_key), store.OWN, name)


async def create(tx: Tx, core: Core, workspace_id: str, wish: Wish) -> SpaceRow:
    """A new space, with what is in it. Raises InvalidInput where its key is taken, NotFound."""
    await tx.lock("spaces", workspace_id)
    await _check_key(tx, workspace_id, wish.kind, wish.space_key)
    row = SpaceRow(
        workspace_id=workspace_id,
        space_id=new_id(),
        space_key=wish.space_key,
        name=wish.name or "",
        customer_key=wish.customer_key,
        customer_data_json=_data(None, wish.customer_data),
        parent_space_id=await _parent(tx, workspace_id, wish, None),
        created_at=core.clock.now(),
        kind=wish.kind,
    )
    await store.add(tx, row)
    await _put_in(tx, row, "accounts", wish.account_ids or ())
    added = await _put_in(tx, row, "devices", wish.device_ids or ())
    await _changed(tx, core, row, added, event.SpaceCreated)
    return row


async def change(tx: Tx, core: Core, row: SpaceRow, wish: Wish) -> SpaceRow:
    """Another name, key or place; `device_ids` replaces what is in it."""
    await tx.lock("spaces", row.workspace_id)
    row = await get(tx, row.workspace_id, row.space_id)
    values: dict[str, Any] = {}
    if wish.name is not None:
        values["name"] = wish.name
    if wish.space_key is not None and wish.space_key != row.space_key:
        await _check_key(tx, row.workspace_id, row.kind, wish.space_key)
        values["space_key"] = wish.space_key
    if wish.customer_data is not None:
        values["customer_data_json"] = _data(row.customer_data_json, wish.customer_data)
    if wish.parent_space_id is not None or wish.parent_space_key is not None:
        values["parent_space_id"] = await _parent(tx, row.workspace_id, wish, row.space_id)
    if wish.customer_key is not None:
        values["customer_key"] = wish.customer_key
    values = {name: value for name, value in values.items() if getattr(row, name) != value}
    if values:
        row = await store.change(tx, row, **values)
    if wish.device_ids is not None:
        before = await store.device_ids(tx, row.workspace_id, [row.space_id])
        left = [one for one in before if one not in set(wish.device_ids)]
        added = await _put_in(tx, row, "devices", wish.device_ids)
        await store.take_out(tx, row, "devices", left)
        await _changed(tx, core, row, [*added, *left])
    return row


async def delete(tx: Tx, core: Core, workspace_id: str, space_id: str) -> None:
    """What was in it stays."""
    await tx.lock("spaces", workspace_id)
    row = await get(tx, workspace_id, space_id)
    held = await store.device_ids(tx, workspace_id, [space_id])
    await store.delete(tx, row)
    await _changed(tx, core, row, held, event.SpaceDeleted)


async def put_in(tx: Tx, core: Core, workspace_id: str, space_id: str, what: Members, ids: Sequence[str]) -> None:
    """All of them, or none. Raises NotFound."""
    await tx.lock("spaces", workspace_id)
    row = await get(tx, workspace_id, space_id)
    added = await _put_in(tx, row, what, ids)
    if what == "devices":
        await _changed(tx, core, row, added)


async def take_out(tx: Tx, core: Core, workspace_id: str, space_id: str, what: Members, ids: Sequence[str]) -> None:
    """What was not in it is not."""
    await tx.lock("spaces", workspace_id)
    row = await get(tx, workspace_id, space_id)
    held = set(await store.members(tx, workspace_id, [space_id], what))
    left = [one for one in dict.fromkeys(ids) if one in held]
    await store.take_out(tx, row, what, left)
    if what == "devices":
        await _changed(tx, core, row, left)


async def forget_member(tx: Tx, core: Core, workspace_id: str, what: Members, member_id: str) -> None:
    """It is being deleted."""
    for space_id in await store.of_member(tx, workspace_id, what, member_id):
        await take_out(tx, core, workspace_id, space_id, what, [member_id])


async def _put_in(tx: Tx, row: SpaceRow, what: Members, ids: Sequence[str]) -> list[str]:
    """Those that were not in it yet. Raises NotFound."""
    held = set(await store.members(tx, row.workspace_id, [row.space_id], what))
    added = [one for one in dict.fromkeys(ids) if one not in held]
    for one in added:
        if what == "devices":
            await devices.get(tx, row.workspace_id, one)
        elif await connected_accounts.get(tx, row.workspace_id, one) is None:
            raise ConnectedAccountNotFound(data={"connected_account_id": one})
    await store.put_in(tx, row, what, added)
    return added


async def _changed(
    tx: Tx,
    core: Core,
    row: SpaceRow,
    device_ids: Sequence[str],
    kind: type[event.AboutSpace] = event.SpaceDeviceMembershipChanged,
) -> None:
    """These devices are in it now, or not any more; of a space that is gone, all that were in it."""
    await grant_progress.lock(tx, row.workspace_id)
    for device_id in sorted(device_ids):
        await tx.lock("device", row.workspace_id, device_id)
        device = await device_store.get(tx, row.workspace_id, device_id)
        if device is not None:
            held = await store.of_member(tx, row.workspace_id, "devices", device_id)
            await device_store.change(tx, device, space_ids_json=msgspec.json.encode(held).decode())
    if not device_ids and kind is event.SpaceDeviceMembershipChanged:
        return
    is_gone = kind is event.SpaceDeleted
    now_in = list(device_ids) if is_gone else await store.device_ids(tx, row.workspace_id, [row.space_id])
    key = row.space_key if row.space_key is not None else UNSET
    told = kind(space_id=row.space_id, space_key=key, device_ids=now_in)
    await emit(tx, core, row.workspace_id, told, customer_key=row.customer_key)
    follow = grant_doors.space_gone if is_gone else grant_doors.space_changed
    await follow(tx, core, row.workspace_id, row.space_id, device_ids)


async def _check_key(tx: Tx, workspace_id: str, kind: str, space_key: str | None) -> None:
    if space_key is not None and await store.by_key(tx, workspace_id, kind, space_key) is not None:
        raise InvalidInput.of("space_key", "Another space has this key")


async def _parent(tx: Tx, workspace_id: str, wish: Wish, of: str | None) -> str | None:
    """The space that another one is to be in. Raises InvalidInput where that would be in itself."""
    if wish.parent_space_id is None and wish.parent_space_key is None:
        return None
    parent = await get(tx, workspace_id, wish.parent_space_id, wish.parent_space_key)
    above: SpaceRow | None = parent
    while above is not None:
        if above.space_id == of:
            raise InvalidInput.of("parent_space_id", "A space cannot be in itself")
        above = await store.get(tx, workspace_id, above.parent_space_id) if above.parent_space_id else None
    return parent.space_id


def _data(before_json: str | None, given: Mapping[str, Any] | None) -> str | None:
    """A space's customer data, with what is given; null takes a member away."""
    if given is None:
        return before_json
    data = {**(msgspec.json.decode(before_json) if before_json else {}), **given}
    return msgspec.json.encode({name: value for name, value in data.items() if value is not None}).decode()


def wire(seen: SeenSpace) -> Space:
    """A space as Seam shows it."""
    row = seen.row

    def known(value: Any) -> Any:
        return UNSET if value is None else value

    return Space(
        space_id=row.space_id,
        space_key=known(row.space_key),
        workspace_id=row.workspace_id,
        name=row.name,
        display_name=row.name,
        customer_key=known(row.customer_key),
        customer_data=msgspec.json.decode(row.customer_data_json) if row.customer_data_json else UNSET,
        parent_space_id=known(row.parent_space_id),
        parent_space_key=known(seen.parent_space_key),
        device_count=seen.device_count,
        created_at=iso(row.created_at),
    )
