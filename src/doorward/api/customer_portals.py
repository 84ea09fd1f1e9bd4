"""`/customers/create_portal`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from doorward.api.customers import BOOKINGS, PLACES, Push, data_of
from doorward.api.params import Form, Id, Params, Part
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import portals
from doorward.core.customers import Named
from doorward.core.portals import Portal
from doorward.errors import InvalidInput
from doorward.wire.customer_portal import CustomerPortal, MagicLink


class Connect(Part):
    """The page of accounts."""

    accepted_providers: list[str] | None = None
    """Brands on offer."""
    exclude: bool = False
    """Leave it out."""
    excluded_providers: list[str] = []
    """Brands taken off the list."""


class Configure(Part):
    """Automations: there are none here."""

    allow_access_automation_rule_customization: bool = False
    """Without effect."""
    allow_climate_automation_rule_customization: bool = False
    """Without effect."""
    allow_instant_key_customization: bool = False
    """Without effect."""
    exclude: bool = False
    """Without effect."""


class Confirmation(Part):
    """What is asked before devices begin to be managed."""

    body: str | None = None
    """Without effect."""
    cancel_button_label: str | None = None
    """Without effect."""
    confirm_button_label: str | None = None
    """Without effect."""
    title: str | None = None
    """Without effect."""


class ShownEvents(Part):
    """Which events are shown: none are."""

    allowed_events: list[str] | None = None
    """Without effect."""
    default_events: list[str] | None = None
    """Without effect."""


class Manage(Part):
    """The pages of devices and bookings."""

    device_management_confirmation: Confirmation | None = None
    """Without effect: what is asked before devices begin to be managed."""
    events: ShownEvents | None = None
    """Without effect: no events are shown."""
    exclude: bool = False
    """Leave them out."""
    exclude_reservation_management: bool = False
    """Leave bookings out."""
    exclude_reservation_technical_details: bool = False
    """Do not tell what is wrong with a booking."""
    exclude_staff_management: bool = False
    """Without effect: there is no page of staff."""


class Excluded(Part):
    """A page."""

    exclude: bool = False
    """Leave it out."""


class Features(Part):
    """What is in a portal."""

    configure: Configure = Configure()
    """Automations: there are none here."""
    connect: Connect = Connect()
    """Accounts."""
    manage: Manage = Manage()
    """Devices and bookings."""
    manage_devices: Excluded = Excluded()
    """Devices: older name of `manage`."""
    organize: Excluded = Excluded()
    """Places."""


class Filter(Part):
    """What metadata must be."""

    field: Annotated[str, StringConstraints(max_length=40), Form(r"^[a-zA-Z_]\w*$", "Must be a name")]
    """Its key."""
    operation: Literal["="]
    """How it is compared."""
    value: str | bool
    """What it must be."""


class Landing(Part):
    """Where a portal begins."""

    manage: dict[str, str] | None = None
    """A place or a booking, by its key: `{"space_key": "101"}`, `{"reservation_key": "r7"}`."""


class DeepLink(Part):
    """Where a portal begins."""

    resource_id: Id | None = None
    """The device."""
    resource_key: Id | None = None
    """The key of the reservation or space."""
    resource_type: Literal["reservation", "space", "device"]
    """What it is."""


class CreatePortal(Params):
    """Parameters of create_portal."""

    UNDOCUMENTED = frozenset({"deep_link"})

    customer_data: Push | None = None
    """The customer, and what is to be told of them, as in push_data."""
    customer_resources_filters: list[Filter] = []
    """Only accounts and devices with this custom metadata."""
    customization_profile_id: Id | None = None
    """Without effect: the workspace's own colours are used."""
    deep_link: DeepLink | None = None
    """Where it begins, by what is there."""
    exclude_locale_picker: bool = False
    """Without effect: there is one language."""
    features: Features = Features()
    """What is in it."""
    is_embedded: bool = False
    """Whether other sites may show it in a frame."""
    landing_page: Landing | None = None
    """Where it begins."""
    locale: Literal["en-US", "pt-PT", "fr-FR", "it-IT", "es-ES", "de-DE", "nl-NL", "el-GR", "pl-PL", "ru-RU"] | None = (
        None
    )
    """Without effect: the pages are in English."""
    navigation_mode: Literal["full", "restricted"] = "full"
    """`restricted`: without the links between the pages."""
    read_only: bool = False
    """Nothing can be changed in it."""


@route("/customers/create_portal", auth="A", returns={"customer_portal": CustomerPortal, "magic_link": MagicLink})
async def create_portal(req: Request, p: CreatePortal) -> Mapping[str, Any]:
    """Make a link to a page where a customer connects accounts and arranges what is theirs. It ends after a day."""
    if p.customer_data is None:
        raise InvalidInput.of("customer_data", "Required")
    row = await req.write(
        portals.create,
        req.core,
        req.workspace,
        p.customer_data.customer_key,
        _portal(p),
        _landing(p),
        data_of(p.customer_data, "customer_data"),
        is_read_only=p.read_only,
    )
    return portals.wire(req.core, row, req.base_url)


def _landing(p: CreatePortal) -> portals.Landing:
    landing, deep = (p.landing_page.manage if p.landing_page else None) or {}, p.deep_link
    if deep is None:
        return portals.Landing(_first_of(landing, PLACES), _first_of(landing, BOOKINGS))
    if (deep.resource_id if deep.resource_type == "device" else deep.resource_key) is None:
        raise InvalidInput.of("deep_link", f"Must name the {deep.resource_type}")
    named = (deep.resource_type, deep.resource_key or "")
    return portals.Landing(
        place=named if deep.resource_type == "space" else None,
        booking=named if deep.resource_type == "reservation" else None,
    )


def _first_of(landing: Mapping[str, str], kinds: Sequence[str]) -> Named | None:
    return next(((kind, landing[key]) for kind in kinds if (key := f"{kind}_key") in landing), None)


def _portal(p: CreatePortal) -> Portal:
    features, deep = p.features, p.deep_link
    manages = not features.manage.exclude
    return Portal(
        connects=not features.connect.exclude,
        manages=manages and not features.manage_devices.exclude,
        books=manages and not features.manage.exclude_reservation_management,
        organizes=not features.organize.exclude,
        tells_details=not features.manage.exclude_reservation_technical_details,
        accepted_providers=features.connect.accepted_providers,
        excluded_providers=features.connect.excluded_providers,
        metadata={one.field: one.value for one in p.customer_resources_filters},
        device_id=deep.resource_id if deep and deep.resource_type == "device" else None,
        is_embedded=p.is_embedded,
        has_navigation=p.navigation_mode == "full",
    )
