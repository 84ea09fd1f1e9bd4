"""`/access_grants/*`."""

from typing import Annotated, Any, Literal, get_args

from annotated_types import Gt, MinLen
from msgspec import UNSET
from pydantic import BaseModel, ConfigDict, StringConstraints

from doorward.api import page, related
from doorward.api.absent import empty
from doorward.api.params import NULL, Cursor, Form, Id, Instant, Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.api.user_identities import Person
from doorward.core import access_grants as rules
from doorward.core import grant_progress, granted, spaces, user_identities
from doorward.core.access_grants import GrantWish
from doorward.core.grant_pins import Request as Wished
from doorward.errors import AccessGrantNotFound, AcsEntranceNotFound, InvalidInput
from doorward.store import access_grants as store
from doorward.store.access_grants import GrantRow
from doorward.store.db import Tx, Where
from doorward.wire.access_grant import AccessGrant
from doorward.wire.batch import GrantBatch
from doorward.wire.reply import Pagination

PAGE = 500
Related = Literal[
    "spaces",
    "devices",
    "acs_entrances",
    "connected_accounts",
    "acs_systems",
    "user_identities",
    "acs_access_groups",
    "access_methods",
]
RELATED: tuple[str, ...] = get_args(Related)
Name = Annotated[str, StringConstraints(max_length=255)]
Code = Annotated[str, Form(r"^[0-9]{4,9}$", "Must be 4 to 9 digits")]


class Requested(BaseModel):
    """A means of access."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True, frozen=True)

    code: Code | None = None
    """The PIN to use, with mode `code`; another one is taken where it is in use."""
    instant_key_max_use_count: int | None = None
    """How often an instant key may be used, with mode `mobile_key`."""
    mode: Literal["code", "card", "mobile_key", "cloud_key"]
    """What it is. This server issues codes."""


class Location(BaseModel):
    """Older form of where."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True, frozen=True)

    acs_entrance_ids: list[Id] = []
    """Entrances of access control systems: this server has none."""
    device_ids: list[Id] = []
    """Devices."""
    name: Name | None = None
    """Its name: without effect."""


Requests = Annotated[list[Requested], MinLen(1)]


class Create(Params):
    """Parameters of create."""

    access_grant_key: Id | None = None
    """Your own name of it, unique in the workspace."""
    acs_entrance_ids: list[Id] = []
    """Entrances of access control systems: this server has none."""
    customization_profile_id: Id | None = None
    """How keys look: without effect, there are none here."""
    device_ids: list[Id] = []
    """Where: these devices."""
    ends_at: Annotated[Instant, NULL] | None = None
    """Until when; null: until it is deleted."""
    location: Location | None = None
    """Older form of where."""
    location_ids: list[Id] = []
    """Older name of `space_ids`."""
    name: Annotated[Name, NULL] | None = None
    """Its name; also that of its codes on the devices."""
    requested_access_methods: Requests
    """By which means."""
    reservation_key: Id | None = None
    """The booking it belongs to."""
    space_ids: list[Id] = []
    """Where: all devices of these spaces, as they come and go."""
    space_keys: list[Id] = []
    """Where: spaces, by their keys."""
    starts_at: Instant | None = None
    """From when; now, if nothing is said."""
    user_identity: Person | None = None
    """Who: a person who is found by key, address or number, or made."""
    user_identity_id: Id | None = None
    """Who."""


async def _shown(req: Request, row: GrantRow) -> dict[str, Any]:
    return {"access_grant": (await granted.grants(req.core, req.db, [row]))[0]}


def _requests(wanted: list[Requested]) -> list[Wished]:
    for one in wanted:
        if one.code is not None and one.mode != "code":
            raise InvalidInput("Only mode code takes a code")
    return [Wished(one.mode, one.code) for one in wanted]


@route("/access_grants/create", auth="AK", returns={"access_grant": AccessGrant})
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Give a person access: a code for each door, there and gone in time."""
    if (p.user_identity is None) == (p.user_identity_id is None):
        raise InvalidInput("Must provide either user_identity_id or user_identity")
    location = p.location or Location()
    if entrances := [*p.acs_entrance_ids, *location.acs_entrance_ids]:
        raise AcsEntranceNotFound(data={"acs_entrance_id": entrances[0]})
    requests = _requests(p.requested_access_methods)
    customer_key = req.session.customer_key if req.session else None

    async def write(tx: Tx) -> GrantRow:
        if p.user_identity is not None:
            about = p.user_identity.about()
            person = await user_identities.find_or_create(tx, req.core, req.workspace_id, about, customer_key)
        else:
            person = await user_identities.get(tx, req.workspace_id, p.user_identity_id)
        keyed = [await spaces.get(tx, req.workspace_id, None, key) for key in p.space_keys]
        wish = GrantWish(
            user_identity_id=person.user_identity_id,
            device_ids=[*p.device_ids, *location.device_ids],
            space_ids=[*p.space_ids, *p.location_ids, *(space.space_id for space in keyed)],
            requests=requests,
            starts_at=p.starts_at,
            ends_at=p.ends_at,
            name=p.name,
            access_grant_key=p.access_grant_key,
            reservation_key=p.reservation_key,
            customer_key=customer_key or person.customer_key,
        )
        return await rules.create(tx, req.core, req.workspace, wish)

    return await _shown(req, await req.write(write))


class Get(Params):
    """Parameters of get."""

    access_grant_id: Id | None = None
    """The grant."""
    access_grant_key: Id | None = None
    """Your own name of it."""


@route("/access_grants/get", auth="AKR", returns={"access_grant": AccessGrant})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get an access grant, by id or by key."""
    one_of(access_grant_id=p.access_grant_id, access_grant_key=p.access_grant_key)
    return await _shown(req, await grant_progress.get(req.db, req.workspace_id, p.access_grant_id, p.access_grant_key))


class ListUnmanaged(Params):
    """Parameters of unmanaged/list."""

    acs_entrance_id: Id | None = None
    """Only those to this entrance: this server has none."""
    acs_system_id: Id | None = None
    """Only those in this access control system: this server has none."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    reservation_key: Id | None = None
    """Only those of this booking."""
    user_identity_id: Id | None = None
    """Only those of this person."""


class List(ListUnmanaged):
    """Parameters of list."""

    access_code_id: Id | None = None
    """Only the one that this access code belongs to."""
    access_grant_ids: list[Id] | None = None
    """Only these."""
    access_grant_key: Annotated[Id, NULL] | None = None
    """Only the one with this key; null: only those without a key."""
    customer_key: Id | None = None
    """Only those of this customer."""
    device_id: Id | None = None
    """Only those that lead to this device."""
    location_id: Id | None = None
    """Older name of `space_id`."""
    search: str | None = None
    """Only those that contain this text in name, id, keys, or the id, name, e-mail address or phone number of whom it
    is for."""
    space_id: Id | None = None
    """Only those to this space."""


@route(
    "/access_grants/list",
    auth="AKR",
    returns={"access_grants": list[AccessGrant], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List access grants, oldest first."""
    where = Where()
    where.add("g.workspace_id = {}", req.workspace_id)
    req.narrow(where, customer="g.customer_key")
    if p.user_identity_id is not None:
        person = await user_identities.survivor(req.db, req.workspace_id, p.user_identity_id)
        where.add("g.user_identity_id = {}", person)
    if p.customer_key is not None:
        where.add("g.customer_key = {}", p.customer_key)
    if p.access_grant_key is not None:
        where.any_of("g.access_grant_id", await ids_of_key(req, p.access_grant_key))
    elif p.given("access_grant_key"):
        where.add("g.access_grant_key IS NULL")
    if p.reservation_key is not None:
        rows = await store.of_reservation(req.db, req.workspace_id, p.reservation_key)
        where.any_of("g.access_grant_id", [row.access_grant_id for row in rows])
    if p.access_grant_ids is not None:
        where.any_of("g.access_grant_id", p.access_grant_ids)
    if p.acs_entrance_id is not None or p.acs_system_id is not None:
        where.any_of("g.access_grant_id", [])
    if p.access_code_id is not None:
        where.add(
            "g.access_grant_id IN (SELECT m.access_grant_id FROM access_codes c JOIN access_methods m "
            "ON m.workspace_id = c.workspace_id AND m.access_method_id = c.access_method_id "
            "WHERE c.workspace_id = {} AND c.access_code_id = {})",
            req.workspace_id,
            p.access_code_id,
        )
    if p.device_id is not None:
        to_device(where, req.workspace_id, p.device_id)
    for space_id in filter(None, (p.space_id, p.location_id)):
        to_space(where, req.workspace_id, space_id)
    await page.begin(req, where, "access_grants", p.page_cursor, search=p.search)
    limit = min(p.limit, PAGE)
    rows = await store.list_page(req.db, where, limit + 1)
    found, pagination = page.cut(req, rows, limit, lambda r: (r.created_at, r.access_grant_id))
    return {"access_grants": await granted.grants(req.core, req.db, found), "pagination": pagination}


async def ids_of_key(req: Request, access_grant_key: str) -> list[str]:
    """The grant that a key means; none, where there is none."""
    row = await grant_progress.of_key(req.db, req.workspace_id, access_grant_key)
    return [row.access_grant_id] if row else []


def to_device(where: Where, workspace_id: str, device_id: str) -> None:
    """Only grants (`g`) that lead to a device, by itself or through a space."""
    where.add(
        "g.access_grant_id IN (SELECT access_grant_id FROM access_grant_devices "
        "WHERE workspace_id = {} AND device_id = {} UNION SELECT s.access_grant_id "
        "FROM access_grant_spaces s JOIN space_devices d ON d.workspace_id = s.workspace_id "
        "AND d.space_id = s.space_id WHERE d.workspace_id = {} AND d.device_id = {})",
        *(workspace_id, device_id) * 2,
    )


def to_space(where: Where, workspace_id: str, space_id: str) -> None:
    """Only grants (`g`) to a space."""
    where.add(
        "g.access_grant_id IN (SELECT access_grant_id FROM access_grant_spaces "
        "WHERE workspace_id = {} AND space_id = {})",
        workspace_id,
        space_id,
    )


class ById(Params):
    """An access grant."""

    access_grant_id: Id
    """The grant."""


@route("/access_grants/delete", auth="AK")
async def delete(req: Request, p: ById) -> None:
    """Take access back: the codes go from all doors, and then the grant."""

    async def write(tx: Tx) -> None:
        await rules.delete(tx, req.core, await grant_progress.get(tx, req.workspace_id, p.access_grant_id))

    await req.write(write)


class Update(Params):
    """Parameters of update."""

    access_grant_id: Id | None = None
    """The grant."""
    access_grant_key: Id | None = None
    """With `access_grant_id` its new key; else the grant."""
    ends_at: Annotated[Instant, NULL] | None = None
    """Until when; null: until it is deleted."""
    name: Annotated[Name, NULL] | None = None
    """Its name; null: none. Codes keep the one they have then."""
    starts_at: Instant | None = None
    """From when."""


@route("/access_grants/update", auth="AK")
async def update(req: Request, p: Update) -> None:
    """Change the name, the key or the times of an access grant: its codes follow."""
    one_of(access_grant_id=p.access_grant_id, access_grant_key=p.access_grant_key)

    async def write(tx: Tx) -> None:
        row = await grant_progress.get(tx, req.workspace_id, p.access_grant_id, p.access_grant_key)
        times = None
        if p.starts_at is not None or p.given("ends_at"):
            start, end = rules.frame(p.starts_at, p.ends_at, req.core.clock.now())
            times = (start if p.starts_at else row.starts_at, end if p.given("ends_at") else row.ends_at)
            if times[1] is not None and times[1] <= times[0]:
                raise InvalidInput.of("ends_at", "Must be later than starts_at")
        key = p.access_grant_key if p.access_grant_id is not None else None
        name = p.name if p.given("name") else UNSET
        await rules.change(tx, req.core, req.workspace, row, name=name, key=key, times=times)

    await req.write(write)


class RequestMethods(ById):
    """Parameters of request_access_methods."""

    requested_access_methods: Requests
    """Further means of access."""


@route("/access_grants/request_access_methods", auth="AK", returns={"access_grant": AccessGrant})
async def request_access_methods(req: Request, p: RequestMethods) -> dict[str, Any]:
    """Ask for further means of access."""
    requests = _requests(p.requested_access_methods)

    async def write(tx: Tx) -> GrantRow:
        row = await grant_progress.get(tx, req.workspace_id, p.access_grant_id)
        return await rules.add_methods(tx, req.core, row, requests)

    return await _shown(req, await req.write(write))


class GetRelated(Params):
    """Parameters of get_related."""

    access_grant_ids: list[Id] = []
    """The grants."""
    access_grant_keys: list[Id] = []
    """The grants, by their keys."""
    exclude: list[Related] | None = None
    """Lists to leave out."""
    include: list[Related] | None = None
    """Only these lists."""


@route("/access_grants/get_related", auth="A", returns={"batch": GrantBatch})
async def get_related(req: Request, p: GetRelated) -> dict[str, Any]:
    """Get what access grants lead to, who has them, and by which means."""
    rows = [await grant_progress.get(req.db, req.workspace_id, one) for one in p.access_grant_ids]
    rows += [await grant_progress.get(req.db, req.workspace_id, None, one) for one in p.access_grant_keys]
    names = related.chosen(RELATED, p.include, p.exclude)
    return related.batch(names, await related.of_grants(req, rows, names))


# ---------------------------------------------------------------- unmanaged


@route("/access_grants/unmanaged/get", auth="AKR", returns={"access_grant": AccessGrant}, has_none=True)
async def get_unmanaged(_req: Request, p: ById) -> dict[str, Any]:
    """Get an access grant that an access control system made: this server has none."""
    raise AccessGrantNotFound(data={"access_grant_id": p.access_grant_id})


empty(
    "/access_grants/unmanaged/list",
    "List access grants that access control systems made",
    ListUnmanaged,
    auth="AKR",
    pages=PAGE,
    access_grants=list[AccessGrant],
)


class UpdateUnmanaged(ById):
    """Parameters of unmanaged/update."""

    access_grant_key: Id | None = None
    """Your own name of it."""
    is_managed: Literal[True]
    """Manage it from now on."""


@route("/access_grants/unmanaged/update", auth="AK", methods=("POST", "PATCH", "PUT"), has_none=True)
async def update_unmanaged(_req: Request, p: UpdateUnmanaged) -> None:
    """Manage an access grant that an access control system made: this server has none."""
    raise AccessGrantNotFound(data={"access_grant_id": p.access_grant_id})
