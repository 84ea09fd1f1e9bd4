"""Events of access codes."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from doorward.wire.events.base import AboutDevice, DeviceTrouble, event


class AboutCode(AboutDevice, kw_only=True):
    """Events of one access code."""

    access_code_id: str


class CodeTrouble(DeviceTrouble, kw_only=True):
    """Something is wrong with a code."""

    access_code_id: str
    access_code_errors: list[dict[str, Any]] = []
    access_code_warnings: list[dict[str, Any]] = []


@event("access_code.created")
class AccessCodeCreated(AboutCode, kw_only=True):
    """An access code was made."""


@event("access_code.changed")
class AccessCodeChanged(AboutCode, kw_only=True):
    """An access code's status or properties changed."""

    change_reason: str | UnsetType = UNSET
    changed_properties: list[dict[str, Any]] | UnsetType = UNSET


@event("access_code.name_changed")
class AccessCodeNameChanged(AboutCode, kw_only=True):
    """An access code got another name."""

    description: str
    from_: dict[str, Any] = msgspec.field(name="from")
    to: dict[str, Any]


@event("access_code.code_changed", "from", "to")
class AccessCodeCodeChanged(AboutCode, kw_only=True):
    """An access code got another PIN."""

    description: str
    from_: dict[str, Any] = msgspec.field(name="from")
    to: dict[str, Any]


@event("access_code.time_frame_changed")
class AccessCodeTimeFrameChanged(AboutCode, kw_only=True):
    """An access code got other times."""

    description: str
    from_: dict[str, Any] = msgspec.field(name="from")
    to: dict[str, Any]


@event("access_code.mutations_requested", "requested_mutations")
class AccessCodeMutationsRequested(AboutCode, kw_only=True):
    """A change was asked for; the device does not have it yet."""

    requested_mutations: list[dict[str, Any]]


@event("access_code.scheduled_on_device", "code")
class AccessCodeScheduledOnDevice(AboutCode, kw_only=True):
    """The device holds the code already and will let it in at its start."""

    code: str


@event("access_code.set_on_device", "code")
class AccessCodeSetOnDevice(AboutCode, kw_only=True):
    """The device confirmed that it holds the code, and the code opens."""

    code: str


@event("access_code.removed_from_device")
class AccessCodeRemovedFromDevice(AboutCode, kw_only=True):
    """The device no longer holds the code."""


@event("access_code.deleted", "code")
class AccessCodeDeleted(AboutCode, kw_only=True):
    """The access code is gone."""

    code: str | None


@event("access_code.delay_in_setting_on_device")
class AccessCodeDelayInSettingOnDevice(CodeTrouble, kw_only=True):
    """Setting the code takes longer than it should."""


@event("access_code.failed_to_set_on_device")
class AccessCodeFailedToSetOnDevice(CodeTrouble, kw_only=True):
    """The code could not be set; `access_code_errors` says why."""


@event("access_code.delay_in_removing_from_device")
class AccessCodeDelayInRemovingFromDevice(CodeTrouble, kw_only=True):
    """Removing the code takes longer than it should."""


@event("access_code.failed_to_remove_from_device")
class AccessCodeFailedToRemoveFromDevice(CodeTrouble, kw_only=True):
    """The code could not be removed: it may still open the door."""


@event("access_code.modified_external_to_seam")
class AccessCodeModifiedExternalToSeam(AboutCode, kw_only=True):
    """Somebody changed the code at the device."""


@event("access_code.deleted_external_to_seam")
class AccessCodeDeletedExternalToSeam(AboutCode, kw_only=True):
    """Somebody removed the code at the device."""


@event("access_code.backup_access_code_pulled")
class AccessCodeBackupAccessCodePulled(AboutCode, kw_only=True):
    """A backup code stands for an access code from now on."""

    backup_access_code_id: str


@event("access_code.unmanaged.converted_to_managed")
class AccessCodeUnmanagedConvertedToManaged(AboutCode, kw_only=True):
    """A code that was found on the device is managed now."""


@event("access_code.unmanaged.failed_to_convert_to_managed")
class AccessCodeUnmanagedFailedToConvertToManaged(CodeTrouble, kw_only=True):
    """A code that was found on the device could not be taken over; it stays unmanaged."""


@event("access_code.unmanaged.created")
class AccessCodeUnmanagedCreated(AboutCode, kw_only=True):
    """A code that is not managed appeared on the device, or one is not managed any more."""


@event("access_code.unmanaged.removed")
class AccessCodeUnmanagedRemoved(AboutCode, kw_only=True):
    """A code that is not managed is no longer on the device, or its device was deleted."""
