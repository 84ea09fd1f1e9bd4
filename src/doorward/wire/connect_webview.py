"""Connect webviews."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Status = Literal["pending", "failed", "authorized"]
Selection = Literal["none", "single", "multiple"]
Capability = Literal["lock", "thermostat", "noise_sensor", "access_control", "camera"]


class ConnectWebview(msgspec.Struct, kw_only=True):
    """A page where an owner logs in to a device account; good for one login."""

    connect_webview_id: str
    """Id of the webview."""
    workspace_id: str
    """Workspace of the webview."""
    created_at: str
    """When it was made."""
    url: str
    """Where to send the owner. Whoever has it can use it."""
    status: Status
    """`pending`, `failed` or `authorized`."""
    login_successful: bool
    """The login worked."""
    authorized_at: str | None
    """When the login worked."""
    connected_account_id: str | None
    """The account it connected."""
    selected_provider: str | None
    """The brand that was chosen."""
    accepted_providers: list[str]
    """Brands on offer."""
    any_provider_allowed: bool
    """No brand was named."""
    accepted_devices: list[str]
    """Older name of `accepted_providers`."""
    any_device_allowed: bool
    """Older name of `any_provider_allowed`."""
    accepted_capabilities: list[Capability]
    """Kinds of devices that are imported."""
    device_selection_mode: Selection
    """`none`, `single` or `multiple` devices may be chosen."""
    automatically_manage_new_devices: bool
    """Devices arrive managed."""
    wait_for_device_creation: bool
    """`authorized` is only said once the devices exist."""
    custom_redirect_url: str | None
    """Where the owner goes after success."""
    custom_redirect_failure_url: str | None
    """Where the owner goes after failure."""
    custom_metadata: dict[str, Any]
    """The caller's own key-value pairs; copied to the account."""
    customer_key: str | UnsetType = UNSET
    """The customer the account will belong to."""
