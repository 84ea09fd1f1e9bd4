"""User identities."""

from typing import Any

import msgspec


class UserIdentity(msgspec.Struct, kw_only=True):
    """A person that is given access."""

    user_identity_id: str
    """Id of the person."""
    user_identity_key: str | None
    """The application's own name of the person, unique in the workspace."""
    workspace_id: str
    """Their workspace."""
    display_name: str
    """What to call them: their name, else their address, number or key."""
    full_name: str | None
    """Their name."""
    email_address: str | None
    """Their e-mail address, unique in the workspace."""
    phone_number: str | None
    """Their telephone number, as `+15551234567`, unique in the workspace."""
    acs_user_ids: list[str] = []
    """Always empty: this server has no access control systems."""
    merged_user_identity_ids: list[str] = []
    """Identities that turned out to be the same person."""
    merged_user_identity_keys: list[str] = []
    """Their keys, which find this person."""
    errors: list[dict[str, Any]] = []
    """What is wrong."""
    warnings: list[dict[str, Any]] = []
    """What should be known."""
    created_at: str
    """When it was made."""
