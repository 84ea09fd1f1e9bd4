"""Events of devices and locks."""

from typing import Literal

from msgspec import UNSET, UnsetType

from doorward.wire.events.base import AboutDevice, DeviceTrouble, event

Gone = Literal["account_disconnected", "hub_disconnected", "device_disconnected"]
"""What is no longer reached; `device_errors` and `connected_account_errors` say why."""
Method = Literal["keycode", "manual", "automatic", "unknown", "remote", "card"]
"""How a door was locked or unlocked."""


@event("device.added")
class DeviceAdded(AboutDevice, kw_only=True):
    """A device was added to an account."""


@event("device.connected")
class DeviceConnected(AboutDevice, kw_only=True):
    """A device is online."""


@event("device.unmanaged.connected")
class DeviceUnmanagedConnected(AboutDevice, kw_only=True):
    """An unmanaged device is online."""


@event("device.disconnected")
class DeviceDisconnected(DeviceTrouble, kw_only=True):
    """A device is no longer reached."""

    error_code: Gone


@event("device.unmanaged.disconnected")
class DeviceUnmanagedDisconnected(DeviceTrouble, kw_only=True):
    """An unmanaged device is no longer reached."""

    error_code: Gone


@event("device.converted_to_unmanaged")
class DeviceConvertedToUnmanaged(AboutDevice, kw_only=True):
    """A device is no longer managed."""


@event("device.unmanaged.converted_to_managed")
class DeviceUnmanagedConvertedToManaged(AboutDevice, kw_only=True):
    """A device is managed now."""


@event("device.deleted")
class DeviceDeleted(AboutDevice, kw_only=True):
    """A device was removed from this server."""

    device_name: str | UnsetType = UNSET


@event("device.removed")
class DeviceRemoved(AboutDevice, kw_only=True):
    """A device is no longer in its account."""


@event("device.name_changed")
class DeviceNameChanged(AboutDevice, kw_only=True):
    """A device was renamed."""

    device_name: str


@event("device.tampered")
class DeviceTampered(AboutDevice, kw_only=True):
    """A device's housing was opened."""


@event("device.third_party_integration_detected")
class DeviceThirdPartyIntegrationDetected(AboutDevice, kw_only=True):
    """Something else keeps changing access codes of this server at a device."""


@event("device.third_party_integration_no_longer_detected")
class DeviceThirdPartyIntegrationNoLongerDetected(AboutDevice, kw_only=True):
    """Nothing else keeps changing access codes at a device any more."""


@event("device.doorbell_rang")
class DeviceDoorbellRang(AboutDevice, kw_only=True):
    """Somebody pressed a call button."""


@event("lock.locked")
class LockLocked(AboutDevice, kw_only=True):
    """A door was locked."""

    method: Method
    action_attempt_id: str | UnsetType = UNSET
    access_code_id: str | UnsetType = UNSET
    access_code_is_managed: bool | UnsetType = UNSET
    user_identity_id: str | UnsetType = UNSET


@event("lock.unlocked")
class LockUnlocked(AboutDevice, kw_only=True):
    """A door was unlocked."""

    method: Method
    action_attempt_id: str | UnsetType = UNSET
    access_code_id: str | UnsetType = UNSET
    access_code_is_managed: bool | UnsetType = UNSET
    user_identity_id: str | UnsetType = UNSET


@event("lock.access_denied")
class LockAccessDenied(AboutDevice, kw_only=True):
    """Somebody was refused at the door."""

    reason: dict[str, str] | UnsetType = UNSET
    access_code_id: str | UnsetType = UNSET
    user_identity_id: str | UnsetType = UNSET
