"""Connected accounts."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from doorward.wire.connect_webview import Capability


class ConnectedAccount(msgspec.Struct, kw_only=True):
    """One owner's login at a provider; owns devices."""

    connected_account_id: str
    """Id of the account."""
    created_at: str
    """When it was first connected."""
    account_type: str
    """The provider's kind of account, e.g. `my_2n`."""
    account_type_display_name: str
    """The kind, for people."""
    display_name: str
    """Whose login it is, for people."""
    user_identifier: dict[str, Any]
    """Older form of `display_name`: the e-mail or user name that logged in."""
    automatically_manage_new_devices: bool
    """New devices arrive managed."""
    accepted_capabilities: list[Capability]
    """Kinds of devices that are imported."""
    custom_metadata: dict[str, Any]
    """The caller's own key-value pairs."""
    customer_key: str | UnsetType = UNSET
    """The customer it belongs to."""
    errors: list[dict[str, Any]]
    """What is wrong."""
    warnings: list[dict[str, Any]]
    """What may become wrong."""
    workspace_id: str
    """Workspace of the account."""
