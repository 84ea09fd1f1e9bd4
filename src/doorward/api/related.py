"""`get_related`: one thing, and the lists of what belongs to it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from doorward.api import devices
from doorward.api.request import Request
from doorward.core import accounts, granted, spaces, user_identities
from doorward.store import access_grants as grant_store
from doorward.store import connected_accounts
from doorward.store import devices as device_store
from doorward.store import spaces as space_store
from doorward.store import user_identities as identity_store
from doorward.store.access_grants import GrantRow
from doorward.store.db import Where

MOST = 10_000


def chosen(known: Sequence[str], include: Sequence[str] | None, exclude: Sequence[str] | None) -> list[str]:
    """Which of the lists are asked for."""
    return [name for name in known if (include is None or name in include) and name not in (exclude or ())]


def batch(names: Iterable[str], found: Mapping[str, Any]) -> dict[str, Any]:
    """The answer. What this server has none of is empty."""
    return {"batch": {name: found.get(name, []) for name in names}}


async def devices_of(req: Request, device_ids: Sequence[str]) -> Any:
    """Devices as JSON, oldest first."""
    where = Where()
    where.add("d.workspace_id = {}", req.workspace_id)
    req.narrow(where, account="d.connected_account_id")
    where.any_of("d.device_id", device_ids)
    return devices.as_list(await devices.many(req, await device_store.version_page(req.db, where, MOST)))


async def accounts_of(req: Request, device_ids: Sequence[str], account_ids: Sequence[str] = ()) -> list[Any]:
    """These accounts, and those of these devices."""
    wanted = {*account_ids, *await device_store.accounts_of(req.db, req.workspace_id, device_ids)}
    where = Where()
    where.add("workspace_id = {}", req.workspace_id)
    req.narrow(where, account="connected_account_id")
    where.any_of("connected_account_id", sorted(wanted))
    return [accounts.wire(req.core, row) for row in await connected_accounts.list_page(req.db, where, MOST)]


async def spaces_of(req: Request, space_ids: Sequence[str]) -> list[Any]:
    """Spaces, oldest first."""
    where = Where()
    where.add("s.workspace_id = {}", req.workspace_id)
    req.narrow(where, customer="s.customer_key")
    where.any_of("s.space_id", space_ids)
    return [spaces.wire(seen) for seen in await space_store.see_page(req.db, where, MOST)]


async def of_grants(req: Request, rows: Sequence[GrantRow], names: Sequence[str]) -> dict[str, Any]:
    """Those of the lists that are about access grants."""
    ids = [row.access_grant_id for row in rows]
    doors = sorted({device_id for _, device_id in await grant_store.doors(req.db, req.workspace_id, ids)})
    found: dict[str, Any] = {}
    if "spaces" in names:
        places = await grant_store.places(req.db, req.workspace_id, ids, "spaces")
        found["spaces"] = await spaces_of(req, [space_id for _, space_id in places])
    if "devices" in names:
        found["devices"] = await devices_of(req, doors)
    if "connected_accounts" in names:
        found["connected_accounts"] = await accounts_of(req, doors)
    if "user_identities" in names:
        # A person who was deleted is missing while the last door of theirs has not let go.
        ids_of_people = {row.user_identity_id for row in rows}
        people = await identity_store.find_all(req.db, req.workspace_id, ids_of_people)
        found["user_identities"] = await user_identities.wire(req.db, people)
    if "access_grants" in names:
        found["access_grants"] = await granted.grants(req.core, req.db, rows)
    if "access_methods" in names:
        methods = await grant_store.methods_of(req.db, req.workspace_id, ids)
        found["access_methods"] = await granted.methods(req.core, req.db, methods)
    return found
