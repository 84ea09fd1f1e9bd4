"""Customers: what an application tells of its places, people and bookings, in its own words.

    places ──▶ spaces        people ──▶ user identities        bookings ──▶ access grants

Each is found by its key and made or changed. Keys of all kinds of places share one set, those of people another, those
of bookings a third; a key that belongs to another customer is refused. One call is one transaction: all of it is there,
or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from doorward.core import access_grants, spaces, user_identities
from doorward.core.access_grants import GrantWish, Request
from doorward.core.context import Core
from doorward.core.user_identities import About
from doorward.errors import InvalidInput, SpaceNotFound, UserIdentityNotFound
from doorward.store import access_grants as grant_store
from doorward.store import spaces as space_store
from doorward.store import user_identities as identity_store
from doorward.store.db import Tx, Where
from doorward.store.spaces import SpaceRow
from doorward.store.user_identities import IdentityRow
from doorward.store.workspaces import WorkspaceRow

MOST = 10_000


@dataclass(frozen=True)
class Place:
    """A house, a room, a site."""

    key: str
    name: str
    parent_key: str | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Person:
    """A guest, a tenant, one of the staff."""

    key: str
    name: str
    email_address: str | None = None
    phone_number: str | None = None


@dataclass(frozen=True)
class Booking:
    """Who is where, and when."""

    key: str
    person_key: str | None
    place_keys: Sequence[str]
    name: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    code: str | None = None
    is_reservation: bool = True


@dataclass(frozen=True)
class Data:
    """What is told, or what is to be forgotten."""

    places: Sequence[Place] = ()
    people: Sequence[Person] = ()
    bookings: Sequence[Booking] = ()


@dataclass(frozen=True)
class Keys:
    """What is to be forgotten."""

    places: Sequence[str] = ()
    people: Sequence[str] = ()
    bookings: Sequence[str] = ()
    customers: Sequence[str] = field(default=())


# ---------------------------------------------------------------- told


async def push(tx: Tx, core: Core, workspace: WorkspaceRow, customer_key: str, data: Data) -> None:
    """Make or change all of it. Raises ApiError, and then nothing of it is there."""
    await tx.lock("customer", workspace.workspace_id, customer_key)
    for place in data.places:
        await _place(tx, core, workspace.workspace_id, customer_key, place)
    for place in data.places:  # those that they are in may come later in the list
        if place.parent_key is not None:
            row = await spaces.get(tx, workspace.workspace_id, None, place.key)
            await spaces.change(tx, core, row, spaces.Wish(parent_space_key=place.parent_key))
    for person in data.people:
        await _person(tx, core, workspace.workspace_id, customer_key, person)
    for booking in data.bookings:
        await _booking(tx, core, workspace, customer_key, booking)


def _own(customer_key: str, found: str | None, what: str, key: str) -> None:
    if found != customer_key:
        raise InvalidInput(f'The {what} "{key}" does not belong to this customer')


async def _place(tx: Tx, core: Core, workspace_id: str, customer_key: str, place: Place) -> None:
    wish = spaces.Wish(name=place.name, space_key=place.key, customer_key=customer_key, customer_data=place.data)
    row = await space_store.by_key(tx, workspace_id, place.key)
    if row is None:
        await spaces.create(tx, core, workspace_id, wish)
        return
    _own(customer_key, row.customer_key, "place", place.key)
    await spaces.change(tx, core, row, wish)


async def _person(tx: Tx, core: Core, workspace_id: str, customer_key: str, person: Person) -> None:
    about = About(person.key, person.name, person.email_address, person.phone_number)
    row = await identity_store.find(tx, workspace_id, "user_identity_key", person.key)
    if row is None:
        await user_identities.create(tx, core, workspace_id, about, customer_key)
        return
    _own(customer_key, row.customer_key, "person", person.key)
    given = {"full_name": person.name, "email_address": person.email_address, "phone_number": person.phone_number}
    values = {name: value for name, value in given.items() if value is not None}
    await user_identities.change(tx, workspace_id, row.user_identity_id, values)


async def _booking(tx: Tx, core: Core, workspace: WorkspaceRow, customer_key: str, booking: Booking) -> None:
    workspace_id = workspace.workspace_id
    found = [await _place_of(tx, workspace_id, customer_key, key) for key in booking.place_keys]
    space_ids = [row.space_id for row in found]
    grant = await grant_store.by_key(tx, workspace_id, booking.key)
    if grant is not None:
        _own(customer_key, grant.customer_key, "booking", booking.key)
        times = None
        if booking.starts_at is not None or booking.ends_at is not None:
            start, end = access_grants.frame(booking.starts_at, booking.ends_at, core.clock.now())
            times = (
                start if booking.starts_at is not None else grant.starts_at,
                end if booking.ends_at is not None else grant.ends_at,
            )
        grant = await access_grants.change(tx, core, workspace, grant, name=booking.name or UNSET, times=times)
        if space_ids:
            await access_grants.move(tx, core, grant, space_ids)
        return
    if not space_ids:
        raise InvalidInput(f'The booking "{booking.key}" names no place')
    person = await _person_of(tx, core, workspace_id, customer_key, booking)
    wish = GrantWish(
        user_identity_id=person.user_identity_id,
        device_ids=[],
        space_ids=space_ids,
        requests=[Request("code", booking.code)],
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        name=booking.name,
        access_grant_key=booking.key,
        reservation_key=booking.key if booking.is_reservation else None,
        customer_key=customer_key,
    )
    await access_grants.create(tx, core, workspace, wish)


async def _place_of(tx: Tx, workspace_id: str, customer_key: str, key: str) -> SpaceRow:
    row = await space_store.by_key(tx, workspace_id, key)
    if row is None or row.customer_key != customer_key:
        raise SpaceNotFound(data={"space_key": key})
    return row


async def _person_of(tx: Tx, core: Core, workspace_id: str, customer_key: str, booking: Booking) -> IdentityRow:
    if booking.person_key is None:  # somebody of whom nothing is known
        return await user_identities.create(tx, core, workspace_id, About(full_name=booking.name), customer_key)
    row = await user_identities.get(tx, workspace_id, None, booking.person_key)
    if row.customer_key != customer_key:
        raise UserIdentityNotFound(data={"user_identity_key": booking.person_key})
    return row


# ---------------------------------------------------------------- forgotten


async def forget(tx: Tx, core: Core, workspace_id: str, keys: Keys) -> None:
    """Forget what these keys name; what they do not name any more is no trouble. Codes go from all doors."""
    for key in keys.bookings:
        grant = await grant_store.by_key(tx, workspace_id, key)
        if grant is not None:
            await access_grants.delete(tx, core, grant)
    for key in keys.people:
        person = await identity_store.find(tx, workspace_id, "user_identity_key", key)
        if person is not None:
            await user_identities.delete(tx, core, workspace_id, person.user_identity_id)
    for key in keys.places:
        space = await space_store.by_key(tx, workspace_id, key)
        if space is not None:
            await spaces.delete(tx, core, workspace_id, space.space_id)
    for key in keys.customers:
        await _forget_customer(tx, core, workspace_id, key)


async def _forget_customer(tx: Tx, core: Core, workspace_id: str, customer_key: str) -> None:
    where = Where()
    where.add("g.workspace_id = {} AND g.customer_key = {}", workspace_id, customer_key)
    for grant in await grant_store.list_page(tx, where, MOST):
        await access_grants.delete(tx, core, grant)
    where = Where()
    where.add("workspace_id = {} AND customer_key = {} AND merged_into IS NULL", workspace_id, customer_key)
    for person in await identity_store.list_page(tx, where, MOST):
        await user_identities.delete(tx, core, workspace_id, person.user_identity_id)
    where = Where()
    where.add("s.workspace_id = {} AND s.customer_key = {}", workspace_id, customer_key)
    for seen in await space_store.see_page(tx, where, MOST):
        await spaces.delete(tx, core, workspace_id, seen.row.space_id)
