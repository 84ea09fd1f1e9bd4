"""What happened to an access code, and what was tried."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Actor(msgspec.Struct, kw_only=True):
    """Who caused it."""

    type: str
    """`api_key`, `console_user` (a personal access token), `client_session`, `system` (this server) or
    `external` (at the device)."""
    id: str | UnsetType = UNSET
    """Id of the key, token or session."""
    display_name: str | UnsetType = UNSET
    """Name of the key."""


class TimelineEvent(msgspec.Struct, kw_only=True):
    """One entry of a timeline."""

    timeline_event_id: str
    """Id of the entry."""
    event_type: str
    """Type of an event, or `internal.access_code.programming_started` / `…_finished`: a try at the device."""
    description: str
    """A sentence."""
    occurred_at: str
    """When it happened."""
    actor: Actor
    """Who caused it."""
    access_code_id: str | UnsetType = UNSET
    """The access code (an extension of this server)."""
    related_resource_ids: dict[str, str] | UnsetType = UNSET
    """Ids of what it is about, beside the access code."""
    details: dict[str, Any] | UnsetType = UNSET
    """What else is known. Never a PIN."""


class ComesNext(msgspec.Struct, kw_only=True):
    """What this server will do next about an access code."""

    description: str
    """A sentence."""
    at: str | None
    """When; null: at once, or when something changes."""
