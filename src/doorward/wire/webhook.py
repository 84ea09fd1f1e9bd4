"""Webhooks."""

import msgspec
from msgspec import UNSET, UnsetType


class Webhook(msgspec.Struct, kw_only=True):
    """Where events are sent to."""

    webhook_id: str
    """Id of the webhook."""
    url: str
    """The address that events are posted to."""
    event_types: list[str]
    """Which events; `*` stands for all."""
    secret: str | UnsetType = UNSET
    """What events are signed with: `whsec_` and base 64."""


class Try(msgspec.Struct, kw_only=True):
    """One request, and what came of it."""

    at: str
    """When it began."""
    took_ms: int
    """How long it took."""
    status: int | None
    """The receiver's HTTP status; null: it gave none."""
    error: str | None
    """Why it counts as failed; null: the receiver took the event."""


class Delivery(msgspec.Struct, kw_only=True):
    """One event for one webhook: an extension of this server."""

    delivery_id: str
    """Id of the delivery."""
    webhook_id: str
    """The webhook."""
    event_id: str
    """The event; also the `svix-id` of each request."""
    event_type: str
    """Its type."""
    state: str
    """`due`, `done` (the receiver took it) or `given_up`."""
    next_try_at: str | None
    """When it is tried next; null: never, or not before its webhook is woken."""
    tries: list[Try]
    """What was tried, the oldest first."""


class WebhookHealth(msgspec.Struct, kw_only=True):
    """How a webhook does: an extension of this server."""

    failing_since: str | None
    """The first failure after the last success."""
    disabled_at: str | None
    """It failed for too long and gets nothing more; `/webhooks/update` wakes it."""
