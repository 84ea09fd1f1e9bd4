"""What the routes of access control systems share."""

from typing import Annotated

from pydantic import Field, StringConstraints

from doorward.api.params import NULL, Id, Instant, Params, Part

PAGE = 500
PUT = ("POST", "PUT")
PATCH = ("POST", "PATCH")
UPDATE = ("POST", "PATCH", "PUT")

HIDDEN = Field(json_schema_extra={"x-undocumented": "Sent by some clients, not part of Seam's documented API."})

Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]+$", max_length=64)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]


class Schedule(Part):
    """When somebody has access."""

    ends_at: Annotated[Instant, NULL] | None = None
    """When it ends; null: never."""
    starts_at: Instant | None = None
    """When it begins."""


class Window(Part):
    """From when to when somebody has access."""

    ends_at: Instant
    """When it ends."""
    starts_at: Instant
    """When it begins."""


class OneSystem(Params):
    """An access control system."""

    acs_system_id: Id
    """The access control system."""


class OneGroup(Params):
    """An access group."""

    acs_access_group_id: Id
    """The access group."""


class OneCredential(Params):
    """A credential."""

    acs_credential_id: Id
    """The credential."""


class OneEncoder(Params):
    """An encoder."""

    acs_encoder_id: Id
    """The encoder."""


class OneEntrance(Params):
    """An entrance."""

    acs_entrance_id: Id
    """The entrance."""


class Person(Params):
    """A user of an access control system, by its own id or by who it is."""

    acs_user_id: Id | None = None
    """The user."""
    user_identity_id: Id | None = None
    """Whose user it is."""


class PersonOfSystem(Person):
    """A user of an access control system, by its own id, or by who it is and in which system."""

    acs_system_id: Id | None = None
    """The access control system."""


PERSON = ("acs_user_id", "user_identity_id")
PERSON_OF_SYSTEM = (*PERSON, "acs_system_id")
