"""Client sessions."""

import msgspec
from msgspec import UNSET, UnsetType


class ClientSession(msgspec.Struct, kw_only=True):
    """What a part of an application that runs at an end user's may see and do."""

    client_session_id: str
    """Id of the session."""
    workspace_id: str
    """Its workspace."""
    token: str
    """What its requests carry: `seam_cst1…`."""
    user_identifier_key: str | None
    """The application's own name of the user."""
    customer_key: str | UnsetType = UNSET
    """The customer whose accounts it sees."""
    user_identity_id: str | UnsetType = UNSET
    """The user identity it acts for."""
    user_identity_ids: list[str]
    """Older form of `user_identity_id`."""
    connect_webview_ids: list[str]
    """Webviews that it sees."""
    connected_account_ids: list[str]
    """Accounts that it sees, with all below them."""
    device_count: float
    """How many devices that are."""
    expires_at: str
    """From then on its token is refused."""
    created_at: str
    """When it was made."""
