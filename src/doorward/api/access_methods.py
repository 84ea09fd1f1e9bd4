"""`/access_methods/*`."""

from typing import Annotated, Any, Literal, NoReturn, get_args

from annotated_types import Gt

from doorward.api import access_grants, page, related
from doorward.api.absent import empty
from doorward.api.params import Cursor, Id, Params
from doorward.api.request import Request, one_of, only_one_of
from doorward.api.route import route
from doorward.core import access_grants as rules
from doorward.core import grant_progress, granted
from doorward.errors import AccessGrantNotFound, AccessMethodNotFound, NotSupported
from doorward.store import access_grants as store
from doorward.store.db import Tx, Where
from doorward.wire.access_grant import AccessMethod
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.batch import MethodBatch
from doorward.wire.reply import Pagination

PAGE = 500
Related = Literal[
    "spaces",
    "devices",
    "acs_entrances",
    "access_grants",
    "access_methods",
    "instant_keys",
    "client_sessions",
    "acs_credentials",
]
RELATED: tuple[str, ...] = get_args(Related)


class ById(Params):
    """An access method."""

    access_method_id: Id
    """The method."""


@route("/access_methods/get", auth="A", returns={"access_method": AccessMethod})
async def get(req: Request, p: ById) -> dict[str, Any]:
    """Get an access method: whether it is issued, and its code."""
    row = await grant_progress.get_method(req.db, req.workspace_id, p.access_method_id)
    return {"access_method": (await granted.methods(req.core, req.db, [row]))[0]}


class List(Params):
    """Parameters of list."""

    access_code_id: Id | None = None
    """Only the one that this access code is part of."""
    access_grant_id: Id | None = None
    """Only those of this access grant."""
    access_grant_key: Id | None = None
    """Only those of the access grant with this key."""
    acs_entrance_id: Id | None = None
    """Only those for this entrance: this server has none."""
    device_id: Id | None = None
    """Only those for this device."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    space_id: Id | None = None
    """Only those of access grants to this space."""


@route(
    "/access_methods/list",
    auth="AKR",
    returns={"access_methods": list[AccessMethod], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List access methods, oldest first."""
    one_of(
        access_grant_id=p.access_grant_id,
        access_grant_key=p.access_grant_key,
        access_code_id=p.access_code_id,
        device_id=p.device_id,
        space_id=p.space_id,
        acs_entrance_id=p.acs_entrance_id,
    )
    where = Where()
    where.add("m.workspace_id = {}", req.workspace_id)
    req.narrow(where, customer="g.customer_key")
    if p.access_grant_id is not None:
        where.add("m.access_grant_id = {}", p.access_grant_id)
    if p.access_grant_key is not None:
        where.any_of("m.access_grant_id", await access_grants.ids_of_key(req, p.access_grant_key))
    if p.access_code_id is not None:
        where.add(
            "m.access_method_id IN (SELECT access_method_id FROM access_codes "
            "WHERE workspace_id = {} AND access_code_id = {})",
            req.workspace_id,
            p.access_code_id,
        )
    if p.device_id is not None:
        access_grants.to_device(where, req.workspace_id, p.device_id)
    if p.space_id is not None:
        access_grants.to_space(where, req.workspace_id, p.space_id)
    if p.acs_entrance_id is not None:
        where.any_of("m.access_method_id", [])
    page.after(where, page.start(req, p.page_cursor), "m.created_at", "m.access_method_id")
    limit = min(p.limit, PAGE)
    rows = await store.method_page(req.db, where, limit + 1)
    found, pagination = page.cut(req, rows, limit, lambda r: (r[0].created_at, r[0].access_method_id))
    return {"access_methods": await granted.methods_until(req.core, req.db, found), "pagination": pagination}


class Delete(Params):
    """Parameters of delete."""

    access_grant_id: Id | None = None
    """All methods of this access grant."""
    access_method_id: Id | None = None
    """The method."""
    reservation_key: Id | None = None
    """All methods of the access grants of this booking."""


@route("/access_methods/delete", auth="AK")
async def delete(req: Request, p: Delete) -> None:
    """Delete an access method, or all of a grant or booking: the codes go from all doors."""
    only_one_of(
        access_method_id=p.access_method_id, access_grant_id=p.access_grant_id, reservation_key=p.reservation_key
    )

    async def write(tx: Tx) -> None:
        if p.access_method_id is not None:
            methods = [await grant_progress.get_method(tx, req.workspace_id, p.access_method_id)]
        else:
            if p.access_grant_id is not None:
                grants = [await grant_progress.get(tx, req.workspace_id, p.access_grant_id)]
            else:
                grants = await store.of_reservation(tx, req.workspace_id, p.reservation_key or "")
                if not grants:
                    raise AccessGrantNotFound(data={"reservation_key": p.reservation_key})
            methods = await store.methods_of(tx, req.workspace_id, [row.access_grant_id for row in grants])
        for method in methods:
            await rules.delete_method(tx, req.core, method)

    await req.write(write)


class GetRelated(Params):
    """Parameters of get_related."""

    access_method_ids: list[Id]
    """The methods."""
    exclude: list[Related] | None = None
    """Lists to leave out."""
    include: list[Related] | None = None
    """Only these lists."""


@route("/access_methods/get_related", auth="AKR", returns={"batch": MethodBatch})
async def get_related(req: Request, p: GetRelated) -> dict[str, Any]:
    """Get what access methods belong to, and where they lead."""
    methods = [await grant_progress.get_method(req.db, req.workspace_id, one) for one in p.access_method_ids]
    grants = [
        await grant_progress.get(req.db, req.workspace_id, one) for one in {m.access_grant_id: 0 for m in methods}
    ]
    names = related.chosen(RELATED, p.include, p.exclude)
    found = await related.of_grants(req, grants, names)
    if "access_methods" in names:
        found["access_methods"] = await granted.methods(req.core, req.db, methods)
    return related.batch(names, found)


# ---------------------------------------------------------------- cards and keys


class AssignCard(ById):
    """Parameters of assign_card."""

    card_number: str
    """The card."""


class Encode(ById):
    """Parameters of encode."""

    acs_encoder_id: Id
    """What writes the card."""


class Unlock(ById):
    """Parameters of unlock_door."""

    acs_entrance_id: Id
    """The entrance."""


async def _is_a_code(req: Request, p: ById, what: str) -> NoReturn:
    """Every access method here is one."""
    await grant_progress.get_method(req.db, req.workspace_id, p.access_method_id)
    raise NotSupported(f"This access method is a code, no {what}.", data={"access_method_id": p.access_method_id})


@route(
    "/access_methods/assign_card",
    auth="A",
    returns={"action_attempt": ActionAttempt},
    action_type="ASSIGN_CREDENTIAL",
    has_none=True,
)
async def assign_card(req: Request, p: AssignCard) -> dict[str, Any]:
    """Say which card an access method is: this server has none."""
    return await _is_a_code(req, p, "card")


@route(
    "/access_methods/encode",
    auth="A",
    returns={"action_attempt": ActionAttempt},
    action_type="ENCODE_CREDENTIAL",
    has_none=True,
)
async def encode(req: Request, p: Encode) -> dict[str, Any]:
    """Write an access method to a card: this server has none."""
    return await _is_a_code(req, p, "card")


@route(
    "/access_methods/unlock_door",
    auth="A",
    returns={"action_attempt": ActionAttempt},
    action_type="UNLOCK_DOOR",
    has_none=True,
)
async def unlock_door(req: Request, p: Unlock) -> dict[str, Any]:
    """Unlock an entrance by a cloud key: this server has none. `/locks/unlock_door` unlocks devices."""
    return await _is_a_code(req, p, "cloud key")


# ---------------------------------------------------------------- unmanaged


@route("/access_methods/unmanaged/get", auth="A", returns={"access_method": AccessMethod}, has_none=True)
async def get_unmanaged(_req: Request, p: ById) -> dict[str, Any]:
    """Get an access method that an access control system made: this server has none."""
    raise AccessMethodNotFound(data={"access_method_id": p.access_method_id})


class ListUnmanaged(Params):
    """Parameters of unmanaged/list."""

    access_grant_id: Id
    """Only those of this access grant."""
    acs_entrance_id: Id | None = None
    """Only those for this entrance."""
    device_id: Id | None = None
    """Only those for this device."""
    space_id: Id | None = None
    """Only those of access grants to this space."""


empty(
    "/access_methods/unmanaged/list",
    "List access methods that access control systems made",
    ListUnmanaged,
    auth="AKR",
    access_methods=list[AccessMethod],
)
