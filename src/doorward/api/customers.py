"""`/customers/*`."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import StringConstraints

from doorward.api.params import Id, Instant, Metadata, Params, Part
from doorward.api.request import Request
from doorward.api.route import route
from doorward.api.spaces import CustomerData
from doorward.api.user_identities import Email, Phone
from doorward.core import customers as rules
from doorward.core.customers import Booking, Data, Keys, Person, Place

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
PLACES = (
    *("building", "common_area", "facility", "listing", "property", "property_listing", "room", "site", "space"),
    "unit",
)
PEOPLE = ("guest", "resident", "staff_member", "tenant", "user", "user_identity")


def plural(kind: str) -> str:
    """`facility` → `facilities`."""
    return f"{kind[:-1]}ies" if kind.endswith(("ty",)) else f"{kind}s"


class _Place(Part):
    name: Name
    """Its name."""


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
    email_address: Email | None = None
    """Their e-mail address."""
    name: Name
    """Their name."""
    phone_number: Phone | None = None
    """Their telephone number, as `+15551234567`."""


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
    building_keys: list[Id] = []
    """Where: these buildings."""
    common_area_keys: list[Id] = []
    """Where: these common areas."""
    facility_keys: list[Id] = []
    """Where: these facilities."""
    listing_keys: list[Id] = []
    """Where: these listings."""
    property_keys: list[Id] = []
    """Where: these properties."""
    room_keys: list[Id] = []
    """Where: these rooms."""
    space_keys: list[Id] = []
    """Where: these spaces."""
    unit_keys: list[Id] = []
    """Where: these units."""


class StaffMember(_Somebody, _Where):
    property_listing_keys: list[Id] = []
    """Where they work: without effect."""
    site_keys: list[Id] = []
    """Where they work: without effect."""
    staff_member_key: Id
    """Your own name of them."""


class _Stay(_Where):
    ends_at: Instant | None = None
    """Until when."""
    guest_key: Id | None = None
    """Who: this guest."""
    name: Name | None = None
    """Its name."""
    preferred_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{4,9}$")] | None = None
    """The PIN to use, unless it is in use."""
    resident_key: Id | None = None
    """Who: this resident."""
    starts_at: Instant | None = None
    """From when."""
    tenant_key: Id | None = None
    """Who: this tenant."""
    user_identity_key: Id | None = None
    """Who: this person."""
    user_key: Id | None = None
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


def _each(p: Push, kinds: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Key and item of all lists of these kinds."""
    for kind in kinds:
        for item in getattr(p, plural(kind)):
            yield getattr(item, f"{kind}_key"), item


def _booking(key: str, item: _Stay, *, is_reservation: bool) -> Booking:
    people = [getattr(item, f"{kind}_key") for kind in PEOPLE if kind != "staff_member"]
    places = [key for kind in PLACES for key in getattr(item, f"{kind}_keys", ())]
    return Booking(
        key=key,
        person_key=next((one for one in people if one is not None), None),
        place_keys=list(dict.fromkeys(places)),
        name=item.name,
        starts_at=item.starts_at,
        ends_at=item.ends_at,
        code=item.preferred_code,
        is_reservation=is_reservation,
    )


def data_of(p: Push) -> Data:
    """What is told, as rules take it."""
    places = []
    for key, item in _each(p, PLACES):
        data = item.customer_data.given() if getattr(item, "customer_data", None) else None
        places.append(Place(key, item.name, getattr(item, "parent_site_key", None), data))
    people = [Person(key, one.name, one.email_address, one.phone_number) for key, one in _each(p, PEOPLE)]
    bookings = [_booking(key, one, is_reservation=True) for key, one in _each(p, ("reservation", "booking"))]
    bookings += [_booking(key, one, is_reservation=False) for key, one in _each(p, ("access_grant",))]
    return Data(places, people, bookings)


@route("/customers/push_data", auth="A")
async def push_data(req: Request, p: Push) -> None:
    """Tell of a customer's places, people and bookings: they become spaces, user identities and access grants."""
    await req.write(rules.push, req.core, req.workspace, p.customer_key, data_of(p))


class DeleteData(Params):
    """Parameters of delete_data."""

    access_grant_keys: list[Id] = []
    """Access grants."""
    booking_keys: list[Id] = []
    """Bookings."""
    building_keys: list[Id] = []
    """Buildings."""
    common_area_keys: list[Id] = []
    """Common areas."""
    customer_keys: list[Id] = []
    """Customers, with all that is theirs but their accounts and devices."""
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
    space_keys: list[Id] = []
    """Spaces."""
    staff_member_keys: list[Id] = []
    """Staff."""
    tenant_keys: list[Id] = []
    """Tenants."""
    unit_keys: list[Id] = []
    """Units."""
    user_identity_keys: list[Id] = []
    """People."""
    user_keys: list[Id] = []
    """Users."""

    def of(self, *kinds: str) -> list[str]:
        """The keys of these kinds."""
        return [key for kind in kinds for key in getattr(self, f"{kind}_keys", ())]


@route("/customers/delete_data", auth="A", methods=("POST", "DELETE"))
async def delete_data(req: Request, p: DeleteData) -> None:
    """Forget places, people and bookings, or whole customers. The codes of their access grants go from all doors."""
    keys = Keys(
        places=p.of(*PLACES),
        people=p.of(*PEOPLE),
        bookings=p.of("reservation", "booking", "access_grant"),
        customers=p.customer_keys,
    )
    await req.write(rules.forget, req.core, req.workspace_id, keys)
