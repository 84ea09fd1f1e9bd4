"""`/acs/entrances/*`."""

from typing import Annotated, Literal

from annotated_types import Ge

from doorward.api.absent import empty, no_such
from doorward.api.acs.shared import OneCredential, OneEntrance, Person
from doorward.api.params import NULL, Cursor, Id, Params
from doorward.wire.absent import AcsCredential, AcsEntrance
from doorward.wire.action_attempt import ActionAttempt

PAGE = 900
ID = "acs_entrance_id"


class List(Params):
    """Parameters of list."""

    access_method_id: Id | None = None
    """Only those that this access method opens."""
    acs_credential_id: Id | None = None
    """Only those that this credential opens."""
    acs_entrance_ids: list[Id] | None = None
    """Only these."""
    acs_system_id: Id | None = None
    """Only those of this access control system."""
    connected_account_id: Id | None = None
    """Only those of this account."""
    customer_key: Id | None = None
    """Only those of this customer."""
    limit: Annotated[int, Ge(1)] = PAGE
    """Items in a page."""
    location_id: Annotated[Id, NULL] | None = None
    """Older name of `space_id`."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in name or id."""
    space_id: Id | None = None
    """Only those in this space."""


class Grant(Person, OneEntrance):
    """Parameters of grant_access."""


class Credentials(OneEntrance):
    """Parameters of list_credentials_with_access."""

    include_if: list[Literal["visionline_metadata.is_valid"]] | None = None
    """Only those of which all of this is true."""


class Unlock(OneEntrance, OneCredential):
    """Parameters of unlock."""


empty(
    "/acs/entrances/list",
    "List entrances of access control systems",
    List,
    auth="ACKR",
    pages=PAGE,
    acs_entrances=list[AcsEntrance],
)
no_such("/acs/entrances/get", "Get an entrance", OneEntrance, ID, auth="ACKR", acs_entrance=AcsEntrance)
no_such("/acs/entrances/grant_access", "Let a user in at an entrance", Grant, ID, auth="A")
no_such(
    "/acs/entrances/list_credentials_with_access",
    "List the credentials that open an entrance",
    Credentials,
    ID,
    auth="AC",
    acs_credentials=list[AcsCredential],
)
no_such(
    "/acs/entrances/unlock",
    "Unlock an entrance with a cloud key",
    Unlock,
    ID,
    auth="A",
    action_type="UNLOCK_DOOR",
    action_attempt=ActionAttempt,
)
