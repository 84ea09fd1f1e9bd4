"""Access codes."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Type = Literal["ongoing", "time_bound"]
Status = Literal["setting", "set", "unset", "removing", "unknown"]


class AccessCode(msgspec.Struct, kw_only=True):
    """A PIN with a name, a device and a validity."""

    access_code_id: str
    """Id of the code."""
    workspace_id: str
    """Workspace of the code."""
    device_id: str
    """Device it opens."""
    name: str | None
    """Its name."""
    appearance: dict[str, str | None] | None
    """The name as the device shows it (older clients)."""
    code: str | None
    """The PIN."""
    type: Type
    """`ongoing` or `time_bound`."""
    status: Status
    """`setting`, `set`, `unset`, `removing` or `unknown`."""
    starts_at: str | UnsetType | None = UNSET
    """From when it opens; only on time-bound codes."""
    ends_at: str | UnsetType | None = UNSET
    """Until when it opens; only on time-bound codes."""
    created_at: str
    """When it was made."""
    common_code_key: str | None
    """Codes with the same key share one PIN."""
    is_managed: bool = True
    """Always true here."""
    is_backup: bool | UnsetType = UNSET
    """A reserve code."""
    is_backup_access_code_available: bool
    """A reserve code stands by for it."""
    is_external_modification_allowed: bool
    """Changes at the device are left as they are."""
    is_offline_access_code: bool
    """Computed without contact to the device."""
    is_one_time_use: bool
    """Good for one entry."""
    is_scheduled_on_device: bool | UnsetType = UNSET
    """The device holds it already and will let it in at its start."""
    pulled_backup_access_code_id: str | None = None
    """The reserve code that replaced it."""
    pending_mutations: list[dict[str, Any]]
    """Changes that the device does not have yet."""
    errors: list[dict[str, Any]]
    """What is wrong."""
    warnings: list[dict[str, Any]]
    """What may become wrong."""


class UnmanagedAccessCode(msgspec.Struct, kw_only=True):
    """A PIN that was found on a device, or is not managed any more."""

    access_code_id: str
    """Id of the code."""
    workspace_id: str
    """Workspace of the code."""
    device_id: str
    """Device it opens."""
    name: str | None
    """Its name."""
    code: str | None
    """The PIN."""
    type: Type
    """`ongoing` or `time_bound`."""
    status: Literal["set", "unset"]
    """`set`: it opens now; `unset`: it does not (not yet, or no more)."""
    starts_at: str | UnsetType | None = UNSET
    """From when it opens; only on time-bound codes."""
    ends_at: str | UnsetType | None = UNSET
    """Until when it opens; only on time-bound codes."""
    created_at: str
    """When it was found."""
    is_managed: bool = False
    """Always false here."""
    cannot_be_managed: bool | UnsetType = UNSET
    """True: another system maintains it."""
    cannot_delete_unmanaged_access_code: bool | UnsetType = UNSET
    """True: it can be removed only where it is maintained."""
    errors: list[dict[str, Any]]
    """What is wrong."""
    warnings: list[dict[str, Any]]
    """What may become wrong."""


class GeneratedCode(msgspec.Struct, kw_only=True):
    """A PIN that is free on a device."""

    device_id: str
    """The device."""
    code: str
    """The PIN."""
