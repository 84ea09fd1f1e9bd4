"""Spaces."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Space(msgspec.Struct, kw_only=True):
    """A place that devices are in: a room, a flat, a house."""

    space_id: str
    """Id of the space."""
    space_key: str | UnsetType = UNSET
    """The application's own name of it, unique in the workspace."""
    workspace_id: str
    """Its workspace."""
    name: str
    """Its name."""
    display_name: str
    """Its name, for people."""
    customer_key: str | UnsetType = UNSET
    """The customer it belongs to."""
    customer_data: dict[str, Any] | UnsetType = UNSET
    """Its address, time zone, and usual hours of arrival and departure."""
    parent_space_id: str | UnsetType = UNSET
    """The space that it is in."""
    parent_space_key: str | UnsetType = UNSET
    """The key of the space that it is in."""
    geolocation: dict[str, float] | UnsetType | None = UNSET
    """Where it is on earth."""
    device_count: float
    """How many devices are in it."""
    acs_entrance_count: float = 0
    """Always 0: this server has no access control systems."""
    created_at: str
    """When it was made."""
