"""`/customers/*`."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import StringConstraints

from doorward.api.params import Id, Instant, Key, Metadata, Params, Part
from doorward.api.request import Request
from doorward.api.route import route
from doorward.api.spaces import CustomerData
from doorward.core import customers as rules
from doorward.core import forgetting
from doorward.core.customers import Booking, Data, Named, Person, Place
from doorward.core.forgetting import Keys
from doorward.errors import InvalidInput

Text = Annotated[str, StringConstraints(max_length=320)]
"""Whatever was said; nothing: it was not said."""
Ref = Annotated[str, StringConstraints(max_length=128)]
"""A key of something else; nothing: it was not said."""
PLACES = (
    *("building", "common_area", "facility", "listing", "property", "property_listing", "room", "site", "space"),
    "unit",
)
PEOPLE = ("guest", "resident", "staff_member", "tenant", "user", "user_identity")
BOOKINGS = ("reservation", "booking", "access_grant")
MOST = 2_000
"""Items of a push: they are one transaction, and other writes wait for it."""


def plural(kind: str) -> str:
    """`facility` → `facilities`."""
    return f"{kind[:-1]}ies" if kind.endswith(("ty",)) else f"{kind}s"


class _Place(Part):
    name: Text
    """Its name; nothing: as its key."""


class Building(_Place):
    building_key: Id
    """Your own name of it."""


class CommonArea(_Place):
    common_area_key: Id
    """Your own name of it."""
    parent_site_key: Id | None = None
    """The site that it is in."""


class Facility(_Place):
    facility_key: Id
    """Your own name of it."""


class Listing(_Place):
    listing_key: Id
    """Your own name of it."""


class Property(_Place):
    property_key: Id
    """Your own name of it."""


class PropertyListing(_Place):
    custom_metadata: Metadata | None = None
    """Without effect."""
    property_listing_key: Id
    """Your own name of it."""


class Room(_Place):
    parent_site_key: Id | None = None
    """The site that it is in."""
    room_key: Id
    """Your own name of it."""


class Site(_Place):
    site_key: Id
    """Your own name of it."""


class Space(_Place):
    customer_data: CustomerData | None = None
    """What is known of it."""
    duration_minutes: int | None = None
    """Without effect."""
    geolocation: dict[str, Any] | None = None
    """Without effect."""
    parent_site_key: Id | None = None
    """The site that it is in."""
    space_key: Id
    """Your own name of it."""


class Unit(_Place):
    parent_site_key: Id | None = None
    """The site that it is in."""
    unit_key: Id
    """Your own name of it."""


class _Somebody(Part):
    email_address: Text | None = None
    """Their e-mail address; kept as it is."""
    name: Text
    """Their name."""
    phone_number: Text | None = None
    """Their telephone number; kept as it is."""


class Guest(_Somebody):
    guest_key: Id
    """Your own name of them."""


class Resident(_Somebody):
    resident_key: Id
    """Your own name of them."""


class Tenant(_Somebody):
    tenant_key: Id
    """Your own name of them."""


class User(_Somebody):
    user_key: Id
    """Your own name of them."""


class UserIdentity(_Somebody):
    user_identity_key: Id
    """Your own name of them."""


class _Where(Part):
    building_keys: list[Ref] = []
    """Where: these buildings."""
    common_area_keys: list[Ref] = []
    """Where: these common areas."""
    facility_keys: list[Ref] = []
    """Where: these facilities."""
    listing_keys: list[Ref] = []
    """Where: these listings."""
    property_keys: list[Ref] = []
    """Where: these properties."""
    room_keys: list[Ref] = []
    """Where: these rooms."""
    space_keys: list[Ref] = []
    """Where: these spaces."""
    unit_keys: list[Ref] = []
    """Where: these units."""


class StaffMember(_Somebody, _Where):
    property_listing_keys: list[Ref] = []
    """Where they work: without effect."""
    site_keys: list[Ref] = []
    """Where they work: without effect."""
    staff_member_key: Id
    """Your own name of them."""


class _Stay(_Where):
    ends_at: Instant | None = None
    """Until when."""
    guest_key: Ref | None = None
    """Who: this guest."""
    name: Text | None = None
    """Its name."""
    preferred_code: Text | None = None
    """The PIN to use; another one is taken where a door cannot have it."""
    resident_key: Ref | None = None
    """Who: this resident."""
    starts_at: Instant | None = None
    """From when."""
    tenant_key: Ref | None = None
    """Who: this tenant."""
    user_identity_key: Ref | None = None
    """Who: this person."""
    user_key: Ref | None = None
    """Who: this user."""


class AccessGrant(_Stay):
    access_grant_key: Id
    """Your own name of it."""


class Reservation(_Stay):
    custom_metadata: Metadata | None = None
    """Without effect."""
    reservation_key: Id
    """Your own name of it."""


class BookingData(_Stay):
    booking_key: Id
    """Your own name of it."""


class Push(Params):
    """Parameters of push_data."""

    access_grants: list[AccessGrant] = []
    """Who may go where and when."""
    bookings: list[BookingData] = []
    """Who is where and when."""
    buildings: list[Building] = []
    """Buildings."""
    common_areas: list[CommonArea] = []
    """Common areas."""
    customer_key: Id
    """The customer."""
    facilities: list[Facility] = []
    """Facilities."""
    guests: list[Guest] = []
    """Guests."""
    listings: list[Listing] = []
    """Listings."""
    properties: list[Property] = []
    """Properties."""
    property_listings: list[PropertyListing] = []
    """Listings of properties."""
    reservations: list[Reservation] = []
    """Who is where and when."""
    residents: list[Resident] = []
    """Residents."""
    rooms: list[Room] = []
    """Rooms."""
    sites: list[Site] = []
    """Sites."""
    spaces: list[Space] = []
    """Spaces."""
    staff_members: list[StaffMember] = []
    """Staff."""
    tenants: list[Tenant] = []
    """Tenants."""
    units: list[Unit] = []
    """Units."""
    user_identities: list[UserIdentity] = []
    """People."""
    users: list[User] = []
    """Users."""


def _each(p: Push, kinds: tuple[str, ...], inside: Sequence[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each item of the lists of these kinds, with its kind, its key, its name, and where it stands."""
    for kind in kinds:
        for number, item in enumerate(getattr(p, plural(kind))):
            path = (*inside, plural(kind), str(number))
            yield item, {"kind": kind, "key": getattr(item, f"{kind}_key"), "path": path, "name": item.name or None}


def _place(item: Any, about: dict[str, Any]) -> Place:
    data = item.customer_data.given() if getattr(item, "customer_data", None) else None
    return Place(**about, parent_key=getattr(item, "parent_site_key", None), data=data)


def _booking(item: _Stay, about: dict[str, Any]) -> Booking:
    people = [(kind, key) for kind in PEOPLE if (key := getattr(item, f"{kind}_key", None))]
    places = [(kind, key) for kind in PLACES for key in getattr(item, f"{kind}_keys", ()) if key]
    return Booking(
        **about,
        person=people[0] if people else None,
        places=list(dict.fromkeys(places)),
        starts_at=item.starts_at,
        ends_at=item.ends_at,
        code=item.preferred_code or None,
    )


def data_of(p: Push, *inside: str) -> Data:
    """What is told, as rules take it. `inside`: where it stands in the request. Raises InvalidInput for too much."""
    count = sum(len(getattr(p, plural(kind))) for kind in (*PLACES, *PEOPLE, *BOOKINGS))
    if count > MOST:
        raise InvalidInput(f"Must have at most {MOST:,} items in all, and has {count:,}: send them in several calls")
    return Data(
        places=[_place(item, about) for item, about in _each(p, PLACES, inside)],
        people=[
            Person(**about, email_address=item.email_address or None, phone_number=item.phone_number or None)
            for item, about in _each(p, PEOPLE, inside)
        ],
        bookings=[_booking(item, about) for item, about in _each(p, BOOKINGS, inside)],
    )


@route("/customers/push_data", auth="A")
async def push_data(req: Request, p: Push) -> None:
    """Tell of a customer's places, people and bookings: they become spaces, user identities and access grants."""
    await req.write(rules.push, req.core, req.workspace, p.customer_key, data_of(p))


class DeleteData(Params):
    """Parameters of delete_data."""

    UNDOCUMENTED = frozenset({"site_keys"})

    access_grant_keys: list[Id] = []
    """Access grants."""
    booking_keys: list[Id] = []
    """Bookings."""
    building_keys: list[Id] = []
    """Buildings."""
    common_area_keys: list[Id] = []
    """Common areas."""
    customer_keys: list[Id] = []
    """Customers, with all that is theirs, portals and client sessions too, but their accounts and devices."""
    facility_keys: list[Id] = []
    """Facilities."""
    guest_keys: list[Id] = []
    """Guests."""
    listing_keys: list[Id] = []
    """Listings."""
    property_keys: list[Id] = []
    """Properties."""
    property_listing_keys: list[Id] = []
    """Listings of properties."""
    reservation_keys: list[Id] = []
    """Reservations."""
    resident_keys: list[Id] = []
    """Residents."""
    room_keys: list[Id] = []
    """Rooms."""
    site_keys: list[Id] = []
    """Sites."""
    space_keys: list[Id] = []
    """Spaces."""
    staff_member_keys: list[Id] = []
    """Staff."""
    tenant_keys: list[Id] = []
    """Tenants."""
    unit_keys: list[Id] = []
    """Units."""
    user_identity_keys: list[Key] = []
    """People."""
    user_keys: list[Id] = []
    """Users."""

    def of(self, *kinds: str) -> list[Named]:
        """The keys of these kinds."""
        return [(kind, key) for kind in kinds for key in getattr(self, f"{kind}_keys", ())]


@route("/customers/delete_data", auth="AK", methods=("POST", "DELETE"), judges_keys=True)
async def delete_data(req: Request, p: DeleteData) -> None:
    """Forget places, people and bookings, or whole customers. The codes of their access grants go from all doors.

    A customer's session forgets only what is that customer's.
    """
    keys = Keys(
        places=p.of(*PLACES),
        people=p.of(*PEOPLE),
        bookings=p.of(*BOOKINGS),
        customers=p.customer_keys,
    )
    only_of = req.session.customer_key if req.session is not None else None
    await forgetting.forget(req.core, req.workspace_id, keys, only_of)
