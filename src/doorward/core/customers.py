"""Customers: what an application tells of its places, people and bookings, in its own words.

    places ──▶ spaces        people ──▶ user identities        bookings ──▶ access grants

Each is found by its key among those of its kind (a room, a guest, a reservation), and made or changed: what is told
again changes nothing, and what is not named stays. A key that belongs to another customer is refused. One call is one
transaction: all of it is there, or nothing, and what is refused says which item it is about.

What a machine tells of people is not to be relied on. So nothing is asked of their names, addresses and numbers; a PIN
that a door does not take is replaced; and a booking that is over is no error: what is new and over is passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from doorward.core import access_grants, grant_doors, kinds, spaces, user_identities
from doorward.core.access_grants import GrantWish
from doorward.core.context import Core
from doorward.core.grant_pins import Request
from doorward.core.user_identities import About
from doorward.errors import ApiError, InvalidInput, SpaceNotFound, UserIdentityNotFound
from doorward.store import access_grants as grant_store
from doorward.store import spaces as space_store
from doorward.store import user_identities as identity_store
from doorward.store.access_grants import GrantRow
from doorward.store.db import Reader, Tx
from doorward.store.spaces import SpaceRow
from doorward.store.user_identities import IdentityRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.time import parse

RESERVATIONS = ("reservation", "booking")
"""Kinds of bookings whose key is also that of the reservation."""
Named = tuple[str, str]
"""A kind, and a key of that kind."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One of the things that are told."""

    kind: str
    key: str
    path: Sequence[str]
    """Where it stands in the request."""
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Place(Item):
    """A house, a room, a site."""

    parent_key: str | None = None
    """The site that it is in."""
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Person(Item):
    """A guest, a tenant, one of the staff."""

    email_address: str | None = None
    phone_number: str | None = None


@dataclass(frozen=True, kw_only=True)
class Booking(Item):
    """Who is where, and when."""

    person: Named | None
    places: Sequence[Named]
    starts_at: str | None = None
    ends_at: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Data:
    """What is told."""

    places: Sequence[Place] = ()
    people: Sequence[Person] = ()
    bookings: Sequence[Booking] = ()


# ---------------------------------------------------------------- told


async def push(tx: Tx, core: Core, workspace: WorkspaceRow, customer_key: str, data: Data) -> None:
    """Make or change all of it. Raises ApiError, and then nothing of it is there."""
    await tx.lock("customer", workspace.workspace_id, customer_key)
    await tx.lock("user_identities", workspace.workspace_id)  # before spaces and grants are, as everywhere
    for place in data.places:
        with _about(place):
            await _place(tx, core, workspace.workspace_id, customer_key, place)
    for place in data.places:  # those that they are in may come later in the list
        if place.parent_key is not None:
            with _about(place):
                await _put_into_site(tx, core, workspace.workspace_id, customer_key, place)
    for person in data.people:
        with _about(person):
            await _person(tx, core, workspace.workspace_id, customer_key, person)
    for booking in data.bookings:
        with _about(booking):
            await _booking(tx, core, workspace, customer_key, booking)


@contextmanager
def _about(item: Item) -> Iterator[None]:
    """What is refused says of which item."""
    try:
        yield
    except ApiError as exc:
        exc.of_item(item.path, f'{_word(item.kind)} "{item.key}"')
        raise


def _own(customer_key: str, found: str | None) -> None:
    if found != customer_key:
        raise InvalidInput("It does not belong to this customer")


async def _place(tx: Tx, core: Core, workspace_id: str, customer_key: str, place: Place) -> None:
    row = await space_store.by_key(tx, workspace_id, place.kind, place.key)
    if row is not None:
        _own(customer_key, row.customer_key)
        await spaces.change(tx, core, row, spaces.Wish(name=place.name, customer_data=place.data))
        return
    wish = spaces.Wish(
        name=place.name or place.key,
        space_key=place.key,
        customer_key=customer_key,
        customer_data=place.data,
        kind=place.kind,
    )
    await spaces.create(tx, core, workspace_id, wish)


async def _put_into_site(tx: Tx, core: Core, workspace_id: str, customer_key: str, place: Place) -> None:
    row = await _place_of(tx, workspace_id, customer_key, (place.kind, place.key))
    site = await _place_of(tx, workspace_id, customer_key, ("site", place.parent_key or ""))
    await spaces.change(tx, core, row, spaces.Wish(parent_space_id=site.space_id))


async def _person(tx: Tx, core: Core, workspace_id: str, customer_key: str, person: Person) -> None:
    row = await identity_store.by_key(tx, workspace_id, person.kind, person.key)
    if row is None:
        about = About(person.key, person.name, person.email_address, person.phone_number)
        await user_identities.create(tx, core, workspace_id, about, customer_key, person.kind)
        return
    _own(customer_key, row.customer_key)
    given = {"full_name": person.name, "email_address": person.email_address, "phone_number": person.phone_number}
    values = {name: value for name, value in given.items() if value is not None}
    await user_identities.change(tx, workspace_id, row.user_identity_id, values)


async def _booking(tx: Tx, core: Core, workspace: WorkspaceRow, customer_key: str, booking: Booking) -> None:
    workspace_id = workspace.workspace_id
    grant = await grant_store.by_key(tx, workspace_id, booking.kind, booking.key)
    if grant is not None:
        _own(customer_key, grant.customer_key)
    starts_at, ends_at = _times(grant, booking)
    is_over = grant_doors.is_over(ends_at, core.clock.now())
    if grant is None:
        if not is_over:
            await _book(tx, core, workspace, customer_key, booking)
        return
    name = booking.name if booking.name is not None else UNSET
    times = (grant.starts_at if starts_at is None else starts_at, ends_at)
    grant = await access_grants.change(tx, core, workspace, grant, name=name, times=times, is_wish=True)
    if is_over:  # who was there and where does not matter any more, and may be gone
        return
    if booking.person is not None:
        person = await _person_of(tx, workspace_id, customer_key, booking.person)
        grant = await access_grants.give_to(tx, core, grant, person.user_identity_id)
    if booking.code is not None:
        grant = await access_grants.wish_for(tx, core, workspace, grant, booking.code)
    if booking.places:
        found = [await _place_of(tx, workspace_id, customer_key, named) for named in booking.places]
        await access_grants.move(tx, core, grant, [row.space_id for row in found])


def _times(grant: GrantRow | None, booking: Booking) -> tuple[int | None, int | None]:
    """When it begins and ends: what is not told is as it was."""
    starts_at, ends_at = (grant.starts_at, grant.ends_at) if grant else (None, None)
    if booking.starts_at is not None:
        starts_at = parse(booking.starts_at)
    if booking.ends_at is not None:
        ends_at = parse(booking.ends_at)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise InvalidInput.of("ends_at", "Must be later than starts_at")
    return starts_at, ends_at


async def _book(tx: Tx, core: Core, workspace: WorkspaceRow, customer_key: str, booking: Booking) -> None:
    workspace_id = workspace.workspace_id
    places = [await _place_of(tx, workspace_id, customer_key, named) for named in booking.places]
    if not places:
        raise InvalidInput("It names no place")
    if booking.person is not None:
        person = await _person_of(tx, workspace_id, customer_key, booking.person)
    else:
        about = About(full_name=booking.name)
        person = await user_identities.create(tx, core, workspace_id, about, customer_key, identity_store.NOBODY)
    wish = GrantWish(
        user_identity_id=person.user_identity_id,
        device_ids=[],
        space_ids=[row.space_id for row in places],
        requests=[Request("code", booking.code, is_wish=True)],
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        name=booking.name,
        access_grant_key=booking.key,
        reservation_key=booking.key if booking.kind in RESERVATIONS else None,
        customer_key=customer_key,
        kind=booking.kind,
    )
    await access_grants.create(tx, core, workspace, wish)


async def _place_of(tx: Tx, workspace_id: str, customer_key: str, named: Named) -> SpaceRow:
    kind, key = named
    row = await space_store.by_key(tx, workspace_id, kind, key)
    if row is None or row.customer_key != customer_key:
        raise SpaceNotFound(f'There is no {_word(kind)} "{key}" of this customer.', data={f"{kind}_key": key})
    return row


async def _person_of(tx: Tx, workspace_id: str, customer_key: str, named: Named) -> IdentityRow:
    kind, key = named
    row = await identity_store.by_key(tx, workspace_id, kind, key)
    if row is None or row.customer_key != customer_key:
        raise UserIdentityNotFound(f'There is no {_word(kind)} "{key}" of this customer.', data={f"{kind}_key": key})
    return await user_identities.get(tx, workspace_id, row.user_identity_id)


def _word(kind: str) -> str:
    return kind.replace("_", " ")


# ---------------------------------------------------------------- found again


async def place_named(read: Reader, workspace_id: str, customer_key: str, named: Named) -> SpaceRow | None:
    """A customer's place; a space may be a place of another kind, if that is the only one with the key."""
    kind, key = named
    rows = await space_store.having_key(read, workspace_id, key)
    rows = [row for row in rows if row.customer_key == customer_key and kind in (row.kind, space_store.OWN)]
    return kinds.meant(rows, kind, f"{kind}_key")


async def booking_named(read: Reader, workspace_id: str, customer_key: str, named: Named) -> GrantRow | None:
    """A customer's booking of this kind, else the only one with the key."""
    kind, key = named
    rows = await grant_store.having_key(read, workspace_id, key)
    return kinds.meant([row for row in rows if row.customer_key == customer_key], kind, f"{kind}_key")
