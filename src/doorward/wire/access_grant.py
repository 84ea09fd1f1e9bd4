"""Access grants and their methods."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Mode = Literal["code"]


class RequestedMethod(msgspec.Struct, kw_only=True):
    """A means of access that was asked for."""

    mode: Mode
    """`code`; this server has no cards, mobile keys or cloud keys."""
    code: str | UnsetType = UNSET
    """The PIN that was asked for."""
    display_name: str
    """What it is, for people."""
    created_access_method_ids: list[str]
    """What was made of it."""
    created_at: str
    """When it was asked for."""


class AccessGrant(msgspec.Struct, kw_only=True):
    """Who may go where, when, and by which means."""

    access_grant_id: str
    """Id of the grant."""
    access_grant_key: str | UnsetType = UNSET
    """The application's own name of it, unique in the workspace."""
    reservation_key: str | UnsetType = UNSET
    """The booking it belongs to."""
    workspace_id: str
    """Its workspace."""
    user_identity_id: str
    """Who."""
    name: str | None
    """Its name."""
    display_name: str
    """Its name, for people."""
    display_status: str
    """How it stands, for people."""
    starts_at: str
    """From when."""
    ends_at: str | None
    """Until when; null: until it is deleted."""
    space_ids: list[str]
    """Where: all devices of these spaces."""
    location_ids: list[str]
    """Older name of `space_ids`."""
    requested_access_methods: list[RequestedMethod]
    """By which means."""
    access_method_ids: list[str]
    """What was made of that."""
    pending_mutations: list[dict[str, Any]]
    """What is wanted and not so yet."""
    errors: list[dict[str, Any]] = []
    """What is wrong."""
    warnings: list[dict[str, Any]] = []
    """What should be known."""
    created_at: str
    """When it was made."""


class AccessMethod(msgspec.Struct, kw_only=True):
    """A means of access: one PIN on all doors of a grant."""

    access_method_id: str
    """Id of the method."""
    workspace_id: str
    """Its workspace."""
    mode: Mode
    """`code`."""
    code: str | UnsetType | None = UNSET
    """The PIN."""
    display_name: str
    """What it is, for people."""
    display_status: str
    """How it stands, for people."""
    is_issued: bool
    """All doors have it, or will by themselves when its time comes."""
    issued_at: str | None
    """Since when."""
    pending_mutations: list[dict[str, Any]]
    """What is wanted and not so yet."""
    errors: list[dict[str, Any]] = []
    """What is wrong."""
    warnings: list[dict[str, Any]] = []
    """What should be known."""
    created_at: str
    """When it was made."""
