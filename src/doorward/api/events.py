"""`/events/*`."""

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from doorward.api.params import Id, Instant, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import events, user_identities
from doorward.errors import EventNotFound, InvalidInput
from doorward.store import events as store
from doorward.store.db import Where
from doorward.wire import time
from doorward.wire.events import Event
from doorward.wire.events.documented import names

MOST = 5000
OWNERS = {
    "account": "connected_account_id",
    "webview": "connect_webview_id",
    "customer": "customer_key",
    "identity": "device_id IS NULL AND user_identity_id",
}
"""Columns that say whose an event is, as in `api.scope`."""


class Get(Params):
    """Parameters of get."""

    device_id: Id | None = None
    """The device that it is about. Without `event_id`: the latest that fits."""
    event_id: Id | None = None
    """The event."""
    event_type: str | None = None
    """Its type. Without `event_id`: the latest that fits."""


@route("/events/get", auth="ACKR", returns={"event": Event, "message": str})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get an event, by id, or the latest one of a device and type. All that is given must fit."""
    wanted = {name: value for name in Get.model_fields if (value := getattr(p, name)) is not None}
    if not wanted:
        raise InvalidInput("Must provide event_id, or device_id and event_type")
    where = Where()
    where.add("workspace_id = {}", req.workspace_id)
    req.narrow(where, **OWNERS)
    for name, value in wanted.items():
        where.add(f"{name} = {{}}", value)
    body = await store.latest(req.db, where)
    if body is None:
        raise EventNotFound(data={"event_id": p.event_id} if p.event_id else None)
    return {"event": events.wire(req.core, body), "message": "Event found"}


def _known(event_type: str) -> str:
    if event_type not in names():
        raise PydanticCustomError("event_type", "There are no events of this type")
    return event_type


EventType = Annotated[str, AfterValidator(_known)]


class List(Params):
    """Parameters of list."""

    access_code_id: Id | None = None
    """Only those of this access code."""
    access_code_ids: list[Id] | None = None
    """Only those of these access codes."""
    access_grant_id: Id | None = None
    """Only those of this access grant."""
    access_grant_ids: list[Id] | None = None
    """Only those of these access grants."""
    access_method_id: Id | None = None
    """Only those of this access method."""
    access_method_ids: list[Id] | None = None
    """Only those of these access methods."""
    acs_access_group_id: Id | None = None
    """Only those of this access group."""
    acs_credential_id: Id | None = None
    """Only those of this credential."""
    acs_encoder_id: Id | None = None
    """Only those of this encoder."""
    acs_entrance_id: Id | None = None
    """Only those of this entrance."""
    acs_system_id: Id | None = None
    """Only those of this access system."""
    acs_system_ids: list[Id] | None = None
    """Only those of these access systems."""
    acs_user_id: Id | None = None
    """Only those of this access system user."""
    between: list[Instant] | None = None
    """Only those stored between these two instants, both exclusive."""
    connect_webview_id: Id | None = None
    """Only those of this connect webview."""
    connected_account_id: Id | None = None
    """Only those of this account."""
    customer_key: Id | None = None
    """Only those of this customer."""
    device_id: Id | None = None
    """Only those of this device."""
    device_ids: list[Id] | None = None
    """Only those of these devices."""
    event_ids: list[Id] | None = None
    """Only these."""
    event_type: EventType | None = None
    """Only those of this type."""
    event_types: list[EventType] | None = None
    """Only those of these types."""
    limit: Annotated[int, Gt(0)] = 500
    """Items at most. One answer has 5,000 at most; `unstable_offset` or a later `since` goes on."""
    since: Instant | None = None
    """Only those stored after this instant."""
    space_id: Id | None = None
    """Only those of this space."""
    space_ids: list[Id] | None = None
    """Only those of these spaces."""
    unstable_offset: Annotated[int, Ge(0), Le(1_000_000)] = 0
    """Pass over so many."""
    user_identity_id: Id | None = None
    """Only those about the access of this user identity, and what was done with its PINs."""


EQUAL = (
    "access_code_id",
    "access_grant_id",
    "access_method_id",
    "connect_webview_id",
    "connected_account_id",
    "customer_key",
    "device_id",
    "space_id",
)
# Filters on things that no event of this server is about yet: they select nothing.
ABSENT = (
    "acs_access_group_id",
    "acs_credential_id",
    "acs_encoder_id",
    "acs_entrance_id",
    "acs_system_id",
    "acs_system_ids",
    "acs_user_id",
)


@route("/events/list", auth="ACKR", returns={"events": list[Event]})
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List events in the order they were stored, since an instant or between two."""
    if p.since is not None and p.between:
        raise InvalidInput("Cannot specify both since and between")
    where = Where()
    where.add("workspace_id = {}", req.workspace_id)
    req.narrow(where, **OWNERS)
    if p.since is not None:
        where.add("created_at > {}", time.parse(p.since))
    elif p.between:
        if len(p.between) != 2:
            raise InvalidInput.of("between", "Must hold two instants")
        where.add("created_at > {} AND created_at < {}", *(time.parse(t) for t in p.between))
    else:
        raise InvalidInput("Must specify either since or between")
    for name in EQUAL:
        if (value := getattr(p, name)) is not None:
            where.add(f"{name} = {{}}", value)
    if p.user_identity_id is not None:
        person = await user_identities.survivor(req.db, req.workspace_id, p.user_identity_id)
        where.add("user_identity_id = {}", person)
    for name, column in (
        ("access_code_ids", "access_code_id"),
        ("device_ids", "device_id"),
        ("event_ids", "event_id"),
        ("event_types", "event_type"),
        ("space_ids", "space_id"),
        ("access_grant_ids", "access_grant_id"),
        ("access_method_ids", "access_method_id"),
    ):
        if (values := getattr(p, name)) is not None:
            where.any_of(column, values)
    if p.event_type is not None:
        where.add("event_type = {}", p.event_type)
    if any(getattr(p, name) is not None for name in ABSENT):
        where.any_of("event_id", [])
    rows = await store.list_page(req.db, where, min(p.limit, MOST), p.unstable_offset)
    return {"events": [events.wire(req.core, row) for row in rows]}
