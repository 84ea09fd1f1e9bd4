"""Devices, and the providers they come from."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class Manufacturer(msgspec.Struct, kw_only=True):
    """Who made a device."""

    manufacturer: str
    """Key of the manufacturer, e.g. `two_n`."""
    display_name: str
    """Its name, for people."""
    image_url: str | UnsetType = UNSET
    """A picture."""


class ProviderOfDevice(msgspec.Struct, kw_only=True):
    """Which brand a device came through."""

    device_provider_name: str
    """Key of the provider, e.g. `my_2n`."""
    display_name: str
    """Its name, for people."""
    provider_category: str
    """Its first category."""
    image_url: str | UnsetType = UNSET
    """A picture."""


class Location(msgspec.Struct, kw_only=True):
    """Where a device is."""

    time_zone: str
    """IANA zone."""
    timezone: str
    """Older spelling of `time_zone`."""


class UnmanagedDevice(msgspec.Struct, kw_only=True):
    """A device of a connected account that the workspace does not manage."""

    device_id: str
    """Id of the device."""
    workspace_id: str
    """Workspace of the device."""
    connected_account_id: str
    """Account it belongs to."""
    created_at: str
    """When it was first seen."""
    device_type: str
    """Kind of device, e.g. `two_n_intercom`."""
    display_name: str
    """Its name."""
    capabilities_supported: list[Literal["access_code", "lock"]]
    """Older, coarse list of what it can do."""
    can_remotely_unlock: bool | UnsetType = UNSET
    """It can be unlocked over the network, now. Absent: never."""
    can_remotely_lock: bool | UnsetType = UNSET
    """It can be locked over the network, now."""
    can_program_online_access_codes: bool | UnsetType = UNSET
    """Access codes can be set."""
    can_unlock_with_code: bool | UnsetType = UNSET
    """A code opens it."""
    can_simulate_connection: bool | UnsetType = UNSET
    """It is a virtual device that was cut off, or removed: it can be connected again."""
    can_simulate_disconnection: bool | UnsetType = UNSET
    """It is a virtual device, and can be cut off now."""
    can_simulate_removal: bool | UnsetType = UNSET
    """It is a virtual device, and can be removed from its account now."""
    custom_metadata: dict[str, Any]
    """The caller's own key-value pairs."""
    location: Location | None = None
    """Where it is; null when unknown."""
    properties: dict[str, Any]
    """What is known of it."""
    errors: list[dict[str, Any]]
    """What is wrong."""
    warnings: list[dict[str, Any]]
    """What may become wrong."""
    is_managed: bool = False
    """Always false here."""


class Device(UnmanagedDevice, kw_only=True):
    """A lock, intercom or other device."""

    is_managed: bool = True
    """Always true here."""
    nickname: str | UnsetType = UNSET
    """The name the caller gave it."""
    space_ids: list[str] = []
    """Spaces it is in."""
    device_manufacturer: Manufacturer
    """Who made it."""
    device_provider: ProviderOfDevice
    """Which brand it came through."""


class DeviceProvider(msgspec.Struct, kw_only=True):
    """A brand that can be connected."""

    device_provider_name: str
    """Key of the provider."""
    display_name: str
    """Its name, for people."""
    image_url: str
    """A picture."""
    provider_categories: list[str]
    """Categories it is listed under."""
    can_remotely_unlock: bool | UnsetType = UNSET
    """Its devices can be unlocked over the network."""
    can_remotely_lock: bool | UnsetType = UNSET
    """Its devices can be locked over the network."""
    can_program_online_access_codes: bool | UnsetType = UNSET
    """Access codes can be set on its devices."""
    can_unlock_with_code: bool | UnsetType = UNSET
    """A code opens its devices."""
