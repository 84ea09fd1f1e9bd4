"""Customer portals, as clients see them."""

import msgspec


class CustomerPortal(msgspec.Struct, kw_only=True):
    """A link to a page where a customer arranges what is theirs."""

    url: str
    """The page. Whoever has this link can use it until it expires."""
    customer_key: str
    """The customer."""
    workspace_id: str
    """The workspace."""
    expires_at: str
    """When the link ends."""
    created_at: str
    """When it was made."""


class MagicLink(CustomerPortal, kw_only=True):
    """The same, by its older name."""
