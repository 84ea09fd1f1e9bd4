"""`/acs/credentials/*`."""

from typing import Annotated, Literal

from annotated_types import Gt

from doorward.api.absent import empty, no_such
from doorward.api.acs.shared import (
    HIDDEN,
    PAGE,
    PATCH,
    PERSON_OF_SYSTEM,
    UPDATE,
    Digits,
    OneCredential,
    Person,
    PersonOfSystem,
)
from doorward.api.params import Cursor, Id, Instant, Part
from doorward.wire.absent import AcsCredential, AcsEntrance

ID = "acs_credential_id"


class List(PersonOfSystem):
    """Parameters of list."""

    created_before: Instant | None = None
    """Only those made before this."""
    is_multi_phone_sync_credential: bool | None = None
    """Only those that are on all phones of a person, or only the others."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in name or id."""


class Vostio(Part):
    """What an ASSA ABLOY Vostio system asks for."""

    auto_join: bool | None = None
    """It adds to the keys that a guest has."""
    join_all_guest_acs_entrances: bool | None = None
    """It opens all guest entrances."""
    override_all_guest_acs_entrances: bool | None = None
    """Older keys end at all guest entrances."""
    override_guest_acs_entrance_ids: list[Id] | None = None
    """Older keys end at these entrances."""


class Hotek(Part):
    """What a Hotek system asks for."""

    auto_join: bool | None = None
    """It adds to the keys that a guest has."""
    override: bool | None = None
    """Older keys end."""


class SaltoSpace(Part):
    """What a Salto Space system asks for."""

    assign_new_key: bool | None = None
    """The user gets a new card."""
    update_current_key: Annotated[bool | None, HIDDEN] = None
    """The user's card is changed."""


class Visionline(Part):
    """What a Visionline system asks for."""

    assa_abloy_credential_service_mobile_endpoint_id: Annotated[Id | None, HIDDEN] = None
    """The phone that gets it."""
    auto_join: bool | None = None
    """It adds to the keys that a guest has."""
    card_format: Literal["TLCode", "rfid48"] | None = None
    """How it is written on a card."""
    card_function_type: Literal["guest", "staff"] = "guest"
    """Whom it is for."""
    is_override_key: Annotated[bool | None, HIDDEN] = None
    """Older name of `override`."""
    joiner_acs_credential_ids: list[Id] | None = None
    """The credentials that it adds to."""
    override: bool | None = None
    """Older keys end."""


class Create(PersonOfSystem):
    """Parameters of create."""

    UNDOCUMENTED = frozenset({"hotek_metadata"})

    access_method: Literal["code", "card", "mobile_key", "cloud_key"]
    """By which means it opens."""
    allowed_acs_entrance_ids: list[Id] = []
    """The entrances it opens."""
    assa_abloy_vostio_metadata: Vostio | None = None
    """What an ASSA ABLOY Vostio system asks for."""
    code: Digits | None = None
    """Its PIN."""
    credential_manager_acs_system_id: Id | None = None
    """The system that brings it to phones."""
    ends_at: Instant | None = None
    """When it ends."""
    hotek_metadata: Hotek | None = None
    """What a Hotek system asks for."""
    is_multi_phone_sync_credential: bool = False
    """It is on all phones of a person."""
    salto_space_metadata: SaltoSpace | None = None
    """What a Salto Space system asks for."""
    starts_at: Instant | None = None
    """When it begins."""
    visionline_metadata: Visionline | None = None
    """What a Visionline system asks for."""


class Assign(Person, OneCredential):
    """Parameters of assign and unassign."""


class Update(OneCredential):
    """Parameters of update."""

    code: Digits | None = None
    """Its new PIN."""
    ends_at: Instant | None = None
    """When it ends."""


empty(
    "/acs/credentials/list",
    "List credentials of access control systems",
    List,
    auth="AC",
    pages=PAGE,
    acs_credentials=list[AcsCredential],
)
no_such("/acs/credentials/get", "Get a credential", OneCredential, ID, auth="A", acs_credential=AcsCredential)
no_such(
    "/acs/credentials/create",
    "Make a credential for a user of an access control system",
    Create,
    *PERSON_OF_SYSTEM,
    auth="A",
    acs_credential=AcsCredential,
)
no_such(
    "/acs/credentials/update", "Change a credential", Update, ID, auth="A", methods=UPDATE, acs_credential=AcsCredential
)
no_such("/acs/credentials/delete", "Delete a credential", OneCredential, ID, auth="A")
no_such(
    "/acs/credentials/assign",
    "Give a credential to a user",
    Assign,
    ID,
    auth="A",
    methods=PATCH,
    acs_credential=AcsCredential,
)
no_such(
    "/acs/credentials/unassign",
    "Take a credential from a user",
    Assign,
    ID,
    auth="A",
    methods=PATCH,
    acs_credential=AcsCredential,
)
no_such(
    "/acs/credentials/list_accessible_entrances",
    "List the entrances that a credential opens",
    OneCredential,
    ID,
    auth="A",
    acs_entrances=list[AcsEntrance],
)
