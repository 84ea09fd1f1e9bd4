"""`/user_identities/*`."""

from typing import Annotated, Any, Literal

import msgspec
from annotated_types import Gt
from pydantic import BaseModel, ConfigDict, StringConstraints

from doorward.api import page, related
from doorward.api.absent import empty
from doorward.api.params import NULL, Cursor, Form, Id, Instant, Key, Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import user_identities as rules
from doorward.core.user_identities import About
from doorward.errors import AcsSystemNotFound, AcsUserNotFound, InvalidInput, NotSupported, UserIdentityNotFound
from doorward.store import user_identities as store
from doorward.store.db import Where
from doorward.store.user_identities import IdentityRow
from doorward.wire import time
from doorward.wire.absent import AcsEntrance, AcsSystem, AcsUser, InstantKey
from doorward.wire.device import Device
from doorward.wire.reply import Pagination
from doorward.wire.user_identity import UserIdentity

PAGE = 500
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Email = Annotated[str, StringConstraints(max_length=320), Form(r"^[^@\s]+@[^@\s]+$", "Invalid email")]
Phone = Annotated[str, Form(r"^\+[1-9][0-9]{4,14}$", "Must be a number such as +15551234567")]


class Person(BaseModel):
    """What is known of a person."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True, frozen=True)

    email_address: Annotated[Email, NULL] | None = None
    """Their e-mail address."""
    full_name: Annotated[Name, NULL] | None = None
    """Their name."""
    phone_number: Annotated[Phone, NULL] | None = None
    """Their telephone number, as `+15551234567`."""
    user_identity_key: Annotated[Key, NULL] | None = None
    """Your own name of them."""

    def about(self) -> About:
        """For the rules."""
        return About(self.user_identity_key, self.full_name, self.email_address, self.phone_number)


async def _shown(req: Request, row: IdentityRow) -> dict[str, Any]:
    return {"user_identity": (await rules.wire(req.db, [row]))[0]}


class Create(Params):
    """Parameters of create."""

    acs_system_ids: list[Id] = []
    """Access control systems to add them to: this server has none."""
    email_address: Annotated[Email, NULL] | None = None
    """Their e-mail address."""
    full_name: Annotated[Name, NULL] | None = None
    """Their name."""
    phone_number: Annotated[Phone, NULL] | None = None
    """Their telephone number, as `+15551234567`."""
    user_identity_key: Annotated[Key, NULL] | None = None
    """Your own name of them."""


@route("/user_identities/create", auth="A", returns={"user_identity": UserIdentity})
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Create a user identity."""
    if p.acs_system_ids:
        raise AcsSystemNotFound(data={"acs_system_id": p.acs_system_ids[0]})
    about = About(p.user_identity_key, p.full_name, p.email_address, p.phone_number)
    return await _shown(req, await req.write(rules.create, req.core, req.workspace_id, about))


class Get(Params):
    """Parameters of get."""

    user_identity_id: Id | None = None
    """The person."""
    user_identity_key: Key | None = None
    """Your own name of them."""


@route("/user_identities/get", auth="AKR", returns={"user_identity": UserIdentity})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get a user identity, by id or by key; of a merged one the survivor."""
    one_of(user_identity_id=p.user_identity_id, user_identity_key=p.user_identity_key)
    return await _shown(req, await rules.get(req.db, req.workspace_id, p.user_identity_id, p.user_identity_key))


class ListUnmanaged(Params):
    """Parameters of unmanaged/list."""

    created_before: Instant | None = None
    """Only those made before this."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in name, address, number, key or id."""


class List(ListUnmanaged):
    """Parameters of list."""

    credential_manager_acs_system_id: Id | None = None
    """Only those of this access control system: this server has none."""
    user_identity_ids: list[Id] | None = None
    """Only these; in place of merged ones the survivors."""


@route(
    "/user_identities/list",
    auth="AC",
    returns={"user_identities": list[UserIdentity], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List user identities, oldest first."""
    where = Where()
    where.add("workspace_id = {} AND merged_into IS NULL", req.workspace_id)
    req.narrow(where, identity="user_identity_id", customer="customer_key")
    if p.user_identity_ids is not None:
        people = await store.find_all(req.db, req.workspace_id, p.user_identity_ids)
        where.any_of("user_identity_id", sorted({one.merged_into or one.user_identity_id for one in people}))
    if p.credential_manager_acs_system_id is not None:
        where.any_of("user_identity_id", [])
    if p.created_before is not None:
        where.add("created_at < {}", time.parse(p.created_before))
    await page.begin(req, where, "user_identities", p.page_cursor, search=p.search)
    limit = min(p.limit, PAGE)
    rows = await store.list_page(req.db, where, limit + 1)
    found, pagination = page.cut(req, rows, limit, lambda r: (r.created_at, r.user_identity_id))
    return {"user_identities": await rules.wire(req.db, found), "pagination": pagination}


class Update(Params):
    """Parameters of update."""

    email_address: Annotated[Email, NULL] | None = None
    """Their e-mail address; null forgets it."""
    full_name: Annotated[Name, NULL] | None = None
    """Their name; null forgets it."""
    phone_number: Annotated[Phone, NULL] | None = None
    """Their telephone number; null forgets it."""
    user_identity_id: Id
    """The person."""
    user_identity_key: Annotated[Key, NULL] | None = None
    """Your own name of them; null forgets it."""


@route("/user_identities/update", auth="A")
async def update(req: Request, p: Update) -> None:
    """Change what is known of a person."""
    names = ("email_address", "full_name", "phone_number", "user_identity_key")
    values = {name: getattr(p, name) for name in names if p.given(name)}
    await req.write(rules.change, req.workspace_id, p.user_identity_id, values)


class ById(Params):
    """A person."""

    user_identity_id: Id
    """The person."""


@route("/user_identities/delete", auth="A")
async def delete(req: Request, p: ById) -> None:
    """Delete a user identity, with its client sessions and its access. The id of a merged one is only forgotten."""
    await req.write(rules.delete, req.core, req.workspace_id, p.user_identity_id)


class Merge(Params):
    """Parameters of merge."""

    merged_user_identity_ids: list[Id] = []
    """The others, by id."""
    merged_user_identity_keys: list[Key] = []
    """The others, by key."""
    user_identity_id: Id | None = None
    """The survivor, by id."""
    user_identity_key: Key | None = None
    """The survivor, by key."""


@route("/user_identities/merge", auth="A")
async def merge(req: Request, p: Merge) -> None:
    """Merge identities that turned out to be one person. Their access and sessions are the survivor's then."""
    one_of(user_identity_id=p.user_identity_id, user_identity_key=p.user_identity_key)
    if not p.merged_user_identity_ids and not p.merged_user_identity_keys:
        raise InvalidInput("Must provide merged_user_identity_ids or merged_user_identity_keys")
    others: list[rules.Named] = [(one, None) for one in p.merged_user_identity_ids]
    others += [(None, one) for one in p.merged_user_identity_keys]
    await req.write(rules.merge, req.core, req.workspace_id, (p.user_identity_id, p.user_identity_key), others)


# ---------------------------------------------------------------- what they reach


class OneDevice(ById):
    """Parameters of grant_access_to_device and revoke_access_to_device."""

    device_id: Id
    """The device."""


@route("/user_identities/grant_access_to_device", auth="A", methods=("POST", "PUT"))
async def grant_access_to_device(req: Request, p: OneDevice) -> None:
    """Let a person reach a device. A code for its door comes with an access grant."""
    await req.write(rules.give, req.workspace_id, p.user_identity_id, p.device_id)


@route("/user_identities/revoke_access_to_device", auth="A", methods=("POST", "DELETE"))
async def revoke_access_to_device(req: Request, p: OneDevice) -> None:
    """Let a person not reach a device any more. Access grants are deleted by themselves."""
    await req.write(rules.take, req.workspace_id, p.user_identity_id, p.device_id)


@route(
    "/user_identities/list_accessible_devices",
    auth="A",
    returns={"devices": list[Device], "accessible_devices": list[Device]},
)
async def list_accessible_devices(req: Request, p: ById) -> dict[str, Any]:
    """List the devices that were given to a person, and those that their access grants lead to."""
    row = await rules.get(req.db, req.workspace_id, p.user_identity_id)
    found: msgspec.Raw = await related.devices_of(req, await rules.reachable(req.db, row))
    return {"devices": found, "accessible_devices": found}


async def _nothing(req: Request, p: ById, key: str) -> dict[str, Any]:
    req.narrow(Where())  # there is nothing to be narrowed
    row = await rules.get(req.db, req.workspace_id, p.user_identity_id)
    if req.session is not None and row.user_identity_id != req.session.user_identity_id:
        raise UserIdentityNotFound(data={"user_identity_id": p.user_identity_id})
    return {key: []}


@route(
    "/user_identities/list_accessible_entrances",
    auth="AC",
    returns={"acs_entrances": list[AcsEntrance]},
    has_none=True,
)
async def list_accessible_entrances(req: Request, p: ById) -> dict[str, Any]:
    """List the entrances that a person can open: this server has none."""
    return await _nothing(req, p, "acs_entrances")


@route("/user_identities/list_acs_systems", auth="AC", returns={"acs_systems": list[AcsSystem]}, has_none=True)
async def list_acs_systems(req: Request, p: ById) -> dict[str, Any]:
    """List the access control systems that know a person: this server has none."""
    return await _nothing(req, p, "acs_systems")


@route("/user_identities/list_acs_users", auth="A", returns={"acs_users": list[AcsUser]}, has_none=True)
async def list_acs_users(req: Request, p: ById) -> dict[str, Any]:
    """List a person's users in access control systems: this server has none."""
    return await _nothing(req, p, "acs_users")


class AddAcsUser(Params):
    """Parameters of add_acs_user."""

    acs_user_id: Id
    """The user of an access control system."""
    user_identity_id: Id | None = None
    """The person."""
    user_identity_key: Key | None = None
    """Your own name of them."""


@route("/user_identities/add_acs_user", auth="A", methods=("POST", "PUT"), has_none=True)
async def add_acs_user(_req: Request, p: AddAcsUser) -> None:
    """Say that a user of an access control system is a person: this server has none."""
    raise AcsUserNotFound(data={"acs_user_id": p.acs_user_id})


class RemoveAcsUser(ById):
    """Parameters of remove_acs_user."""

    acs_user_id: Id
    """The user of an access control system."""


@route("/user_identities/remove_acs_user", auth="A", has_none=True)
async def remove_acs_user(_req: Request, p: RemoveAcsUser) -> None:
    """Say that a user of an access control system is not a person: this server has none."""
    raise AcsUserNotFound(data={"acs_user_id": p.acs_user_id})


# ---------------------------------------------------------------- unmanaged


@route("/user_identities/unmanaged/get", auth="A", returns={"user_identity": UserIdentity}, has_none=True)
async def get_unmanaged(_req: Request, p: ById) -> dict[str, Any]:
    """Get a person that an access control system knows and nobody manages: this server has none."""
    raise UserIdentityNotFound(data={"user_identity_id": p.user_identity_id})


empty(
    "/user_identities/unmanaged/list",
    "List people that access control systems know and nobody manages",
    ListUnmanaged,
    auth="AC",
    pages=PAGE,
    user_identities=list[UserIdentity],
)


class UpdateUnmanaged(ById):
    """Parameters of unmanaged/update."""

    is_managed: Literal[True]
    """Manage it from now on."""
    user_identity_key: Key | None = None
    """Your own name of them."""


@route("/user_identities/unmanaged/update", auth="AC", methods=("POST", "PATCH", "PUT"), has_none=True)
async def update_unmanaged(_req: Request, p: UpdateUnmanaged) -> None:
    """Manage a person that an access control system knows: this server has none."""
    raise UserIdentityNotFound(data={"user_identity_id": p.user_identity_id})


# ---------------------------------------------------------------- keys on phones


class GenerateInstantKey(ById):
    """Parameters of generate_instant_key."""

    customization_profile_id: Id | None = None
    """How its page looks."""
    max_use_count: Annotated[float, Gt(0)] = 1
    """How often it can be taken to a phone."""


@route("/user_identities/generate_instant_key", auth="A", returns={"instant_key": InstantKey}, has_none=True)
async def generate_instant_key(req: Request, p: GenerateInstantKey) -> dict[str, Any]:
    """Make a link that opens a key on a phone: this server has none."""
    await rules.get(req.db, req.workspace_id, p.user_identity_id)
    raise NotSupported("There are no keys on phones here.", data={"user_identity_id": p.user_identity_id})
