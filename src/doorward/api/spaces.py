"""`/spaces/*`."""

import functools
import re
import zoneinfo
from typing import Annotated, Any, Literal, get_args

from annotated_types import Gt
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

from doorward.api import page, related
from doorward.api.params import NULL, Cursor, Id, Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import granted
from doorward.core import spaces as rules
from doorward.core.spaces import Wish
from doorward.errors import AcsEntranceNotFound
from doorward.store import access_grants as grant_store
from doorward.store import spaces as store
from doorward.store.db import Where
from doorward.store.spaces import Members, SpaceRow
from doorward.wire.batch import SpaceBatch
from doorward.wire.reply import Pagination
from doorward.wire.space import Space

PAGE = 500
Related = Literal["spaces", "devices", "acs_entrances", "connected_accounts", "acs_systems", "access_methods"]
RELATED: tuple[str, ...] = get_args(Related)
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Text = Annotated[str, StringConstraints(max_length=500)]


def _time_of_day(text: str) -> str:
    if not _TIME_OF_DAY.fullmatch(text):
        raise PydanticCustomError("time_of_day", "Must be a time, as 15:00 or 15:00:00")
    return text


def _zone(name: str) -> str:
    if (known := _zones()) and name not in known:
        raise PydanticCustomError("time_zone", "Must be the IANA name of a time zone, as Europe/Paris")
    return name


@functools.cache
def _zones() -> set[str]:
    """All that there are; none, where the system has no list of them."""
    return zoneinfo.available_timezones()


_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
Zone = Annotated[Text, AfterValidator(_zone)]


class CustomerData(BaseModel):
    """What is known of a place."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True, frozen=True)

    address: Annotated[Text, NULL] | None = None
    """Its postal address."""
    default_checkin_time: Annotated[TimeOfDay, NULL] | None = None
    """When guests usually come, as `15:00`."""
    default_checkout_time: Annotated[TimeOfDay, NULL] | None = None
    """When guests usually leave, as `11:00`."""
    time_zone: Annotated[Zone, NULL] | None = None
    """Its time zone, as `Europe/Paris`."""

    def given(self) -> dict[str, Any]:
        """The members that the caller named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Entrances(Params):
    """Entrances of a space."""

    acs_entrance_ids: list[Id] = []
    """Entrances of access control systems: this server has none."""

    def refuse(self) -> None:
        """Raises AcsEntranceNotFound where any is named."""
        if self.acs_entrance_ids:
            raise AcsEntranceNotFound(data={"acs_entrance_id": self.acs_entrance_ids[0]})


class Create(Entrances):
    """Parameters of create."""

    name: Name
    """Its name."""
    connected_account_ids: list[Id] = []
    """Accounts that are in it."""
    customer_data: CustomerData | None = None
    """What is known of it."""
    customer_key: Id | None = None
    """The customer it belongs to."""
    device_ids: list[Id] = []
    """Devices that are in it."""
    space_key: Id | None = None
    """Your own name of it, unique in the workspace."""


async def _shown(req: Request, row: SpaceRow) -> dict[str, Any]:
    where = Where()
    where.add("s.workspace_id = {} AND s.space_id = {}", row.workspace_id, row.space_id)
    return {"space": rules.wire((await store.see_page(req.db, where, 1))[0])}


@route("/spaces/create", auth="AK", returns={"space": Space})
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Create a space, with what is in it."""
    p.refuse()
    wish = Wish(
        name=p.name,
        space_key=p.space_key,
        customer_key=p.customer_key or (req.session.customer_key if req.session else None),
        customer_data=p.customer_data.given() if p.customer_data else None,
        device_ids=p.device_ids,
        account_ids=p.connected_account_ids,
    )
    return await _shown(req, await req.write(rules.create, req.core, req.workspace_id, wish))


class Get(Params):
    """Parameters of get."""

    space_id: Id | None = None
    """The space."""
    space_key: Id | None = None
    """Its key."""


@route("/spaces/get", auth="AKR", returns={"space": Space})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get a space, by id or by key."""
    one_of(space_id=p.space_id, space_key=p.space_key)
    return await _shown(req, await rules.get(req.db, req.workspace_id, p.space_id, p.space_key))


class List(Params):
    """Parameters of list."""

    UNDOCUMENTED = frozenset({"connected_account_id", "parent_space_id", "parent_space_key"})

    connected_account_id: Id | None = None
    """Only those that this account is in, or a device of it."""
    customer_key: Id | None = None
    """Only those of this customer."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    parent_space_id: Id | None = None
    """Only those in this space."""
    parent_space_key: Id | None = None
    """Only those in the space with this key."""
    search: str | None = None
    """Only those that contain this text in name, key or customer key."""
    space_key: Id | None = None
    """Only the one with this key."""


@route("/spaces/list", auth="AKR", returns={"spaces": list[Space], "pagination": Pagination}, pages=PAGE)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List spaces, oldest first."""
    where = Where()
    where.add("s.workspace_id = {}", req.workspace_id)
    req.narrow(where, customer="s.customer_key")
    for name in ("customer_key", "parent_space_id"):
        if (value := getattr(p, name)) is not None:
            where.add(f"s.{name} = {{}}", value)
    for column, name in (("s.space_id", "space_key"), ("s.parent_space_id", "parent_space_key")):
        if (value := getattr(p, name)) is not None:
            row = await rules.of_key(req.db, req.workspace_id, value, name)
            where.any_of(column, [row.space_id] if row else [])
    if p.connected_account_id is not None:
        store.with_account(where, "s.space_id", req.workspace_id, p.connected_account_id)
    await page.begin(req, where, "spaces", p.page_cursor, search=p.search)
    limit = min(p.limit, PAGE)
    rows = await store.see_page(req.db, where, limit + 1)
    found, pagination = page.cut(req, rows, limit, lambda r: (r.row.created_at, r.row.space_id))
    return {"spaces": [rules.wire(seen) for seen in found], "pagination": pagination}


class GetRelated(Params):
    """Parameters of get_related."""

    exclude: list[Related] | None = None
    """Lists to leave out."""
    include: list[Related] | None = None
    """Only these lists."""
    space_ids: list[Id] = []
    """The spaces."""
    space_keys: list[Id] = []
    """The spaces, by their keys."""


@route("/spaces/get_related", auth="AKR", returns={"batch": SpaceBatch})
async def get_related(req: Request, p: GetRelated) -> dict[str, Any]:
    """Get spaces together with what is in them."""
    rows = [await rules.get(req.db, req.workspace_id, one) for one in p.space_ids]
    rows += [await rules.get(req.db, req.workspace_id, None, one) for one in p.space_keys]
    ids = list(dict.fromkeys(row.space_id for row in rows))
    names = related.chosen(RELATED, p.include, p.exclude)
    device_ids = await store.device_ids(req.db, req.workspace_id, ids)
    found: dict[str, Any] = {}
    if "spaces" in names:
        found["spaces"] = await related.spaces_of(req, ids)
    if "devices" in names:
        found["devices"] = await related.devices_of(req, device_ids)
    if "connected_accounts" in names:
        account_ids = await store.members(req.db, req.workspace_id, ids, "accounts")
        found["connected_accounts"] = await related.accounts_of(req, device_ids, account_ids)
    if "access_methods" in names:
        grants = [row for one in ids for row in await grant_store.of_place(req.db, req.workspace_id, "spaces", one)]
        if req.session is not None:  # the operator may give others access to a customer's space
            grants = [row for row in grants if row.customer_key == req.session.customer_key]
        methods = await grant_store.methods_of(req.db, req.workspace_id, [row.access_grant_id for row in grants])
        found["access_methods"] = await granted.methods(req.core, req.db, methods)
    return related.batch(names, found)


class Update(Entrances):
    """Parameters of update."""

    UNDOCUMENTED = frozenset({"parent_space_id", "parent_space_key"})

    customer_data: CustomerData | None = None
    """What is known of it; what is not named stays, null takes a member away."""
    device_ids: list[Id] | None = None
    """The devices that are in it from now on."""
    name: Name | None = None
    """Its name."""
    parent_space_id: Id | None = None
    """The space that it is in."""
    parent_space_key: Id | None = None
    """The key of the space that it is in."""
    space_id: Id | None = None
    """The space."""
    space_key: Id | None = None
    """With `space_id` its new key; else the space."""


@route("/spaces/update", auth="AK", returns={"space": Space}, methods=("POST", "PATCH", "PUT"))
async def update(req: Request, p: Update) -> dict[str, Any]:
    """Change a space, and what is in it."""
    p.refuse()
    one_of(space_id=p.space_id, space_key=p.space_key)
    row = await rules.get(req.db, req.workspace_id, p.space_id, p.space_key)
    wish = Wish(
        name=p.name,
        space_key=p.space_key,
        customer_data=p.customer_data.given() if p.customer_data else None,
        parent_space_id=p.parent_space_id,
        parent_space_key=p.parent_space_key,
        device_ids=p.device_ids,
    )
    return await _shown(req, await req.write(rules.change, req.core, row, wish))


class ById(Params):
    """Parameters of delete."""

    space_id: Id
    """The space."""


@route("/spaces/delete", auth="AK")
async def delete(req: Request, p: ById) -> None:
    """Delete a space. What is in it stays."""
    await req.write(rules.delete, req.core, req.workspace_id, p.space_id)


# ---------------------------------------------------------------- what is in it


class WithDevices(ById):
    """Parameters of add_devices and remove_devices."""

    device_ids: list[Id]
    """The devices."""


class WithAccount(ById):
    """Parameters of add_connected_account and remove_connected_account."""

    connected_account_id: Id
    """The account."""


class WithEntrances(ById):
    """Parameters of add_acs_entrances and remove_acs_entrances."""

    acs_entrance_ids: list[Id]
    """Entrances of access control systems: this server has none."""


async def _put_in(req: Request, space_id: str, what: Members, ids: list[str]) -> None:
    await req.write(rules.put_in, req.core, req.workspace_id, space_id, what, ids)


async def _take_out(req: Request, space_id: str, what: Members, ids: list[str]) -> None:
    await req.write(rules.take_out, req.core, req.workspace_id, space_id, what, ids)


@route("/spaces/add_devices", auth="AK", methods=("POST", "PUT"))
async def add_devices(req: Request, p: WithDevices) -> None:
    """Put devices into a space."""
    await _put_in(req, p.space_id, "devices", p.device_ids)


@route("/spaces/remove_devices", auth="AK")
async def remove_devices(req: Request, p: WithDevices) -> None:
    """Take devices out of a space."""
    await _take_out(req, p.space_id, "devices", p.device_ids)


@route("/spaces/add_connected_account", auth="AK", methods=("POST", "PUT"))
async def add_connected_account(req: Request, p: WithAccount) -> None:
    """Put an account into a space. Its devices are put there by `add_devices`."""
    await _put_in(req, p.space_id, "accounts", [p.connected_account_id])


@route("/spaces/remove_connected_account", auth="AK")
async def remove_connected_account(req: Request, p: WithAccount) -> None:
    """Take an account out of a space."""
    await _take_out(req, p.space_id, "accounts", [p.connected_account_id])


@route("/spaces/add_acs_entrances", auth="AK", methods=("POST", "PUT"))
async def add_acs_entrances(req: Request, p: WithEntrances) -> None:
    """Put entrances into a space: there are none here, so an empty list is all that can be put."""
    await rules.get(req.db, req.workspace_id, p.space_id)
    if p.acs_entrance_ids:
        raise AcsEntranceNotFound(data={"acs_entrance_id": p.acs_entrance_ids[0]})


@route("/spaces/remove_acs_entrances", auth="AK")
async def remove_acs_entrances(req: Request, p: WithEntrances) -> None:
    """Take entrances out of a space: there are none in it."""
    await rules.get(req.db, req.workspace_id, p.space_id)
