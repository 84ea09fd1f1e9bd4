"""`/acs/users/*`."""

from typing import Annotated

from annotated_types import Gt
from pydantic import StringConstraints

from doorward.api.absent import empty, no_such
from doorward.api.acs.shared import (
    PAGE,
    PERSON_OF_SYSTEM,
    PUT,
    UPDATE,
    Email,
    OneGroup,
    OneSystem,
    Person,
    PersonOfSystem,
    Schedule,
    Window,
)
from doorward.api.params import NULL, Cursor, Id, Instant, Params
from doorward.wire.absent import AcsEntrance, AcsUser

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class List(Params):
    """Parameters of list."""

    acs_system_id: Id | None = None
    """Only those of this access control system."""
    created_before: Instant | None = None
    """Only those made before this."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in name, id or address."""
    user_identity_email_address: str | None = None
    """Only those of the person with this e-mail address."""
    user_identity_id: Id | None = None
    """Only those of this person."""
    user_identity_phone_number: str | None = None
    """Only those of the person with this phone number."""


class Contact(Params):
    """How a user is reached."""

    email: Email | None = None
    """Older name of `email_address`."""
    email_address: Email | None = None
    """The user's e-mail address."""
    phone_number: str | None = None
    """The user's phone number."""


class Create(Contact, OneSystem):
    """Parameters of create."""

    full_name: Name
    """The user's name."""
    access_schedule: Schedule | None = None
    """When the user has access."""
    acs_access_group_ids: list[Id] = []
    """The access groups the user is in."""
    user_identity_id: Id | None = None
    """Who it is."""


class Update(Contact, PersonOfSystem):
    """Parameters of update."""

    access_schedule: Annotated[Window, NULL] | None = None
    """When the user has access; null: always."""
    full_name: Name | None = None
    """The user's name."""
    hid_acs_system_id: Id | None = None
    """The HID system of the user."""


class Join(OneGroup):
    """Parameters of add_to_access_group."""

    acs_user_id: Id
    """The user."""


class Leave(Person, OneGroup):
    """Parameters of remove_from_access_group."""


empty(
    "/acs/users/list",
    "List users of access control systems",
    List,
    auth="AC",
    pages=PAGE,
    acs_users=list[AcsUser],
)
no_such(
    "/acs/users/create", "Make a user of an access control system", Create, "acs_system_id", auth="A", acs_user=AcsUser
)
no_such("/acs/users/get", "Get a user", PersonOfSystem, *PERSON_OF_SYSTEM, auth="A", acs_user=AcsUser)
no_such("/acs/users/update", "Change a user", Update, *PERSON_OF_SYSTEM, auth="A", methods=UPDATE)
no_such("/acs/users/add_to_access_group", "Add a user to an access group", Join, "acs_user_id", auth="A", methods=PUT)
no_such(
    "/acs/users/remove_from_access_group",
    "Remove a user from an access group",
    Leave,
    "acs_access_group_id",
    auth="A",
)
no_such(
    "/acs/users/list_accessible_entrances",
    "List the entrances that a user may open",
    PersonOfSystem,
    *PERSON_OF_SYSTEM,
    auth="AC",
    acs_entrances=list[AcsEntrance],
)
for _word, _about in (
    ("delete", "Delete a user"),
    ("revoke_access_to_all_entrances", "Take all access from a user"),
    ("suspend", "Suspend a user"),
    ("unsuspend", "End a user's suspension"),
):
    no_such(f"/acs/users/{_word}", _about, PersonOfSystem, *PERSON_OF_SYSTEM, auth="A")
