"""Events of webhooks: an extension of this server."""

from doorward.wire.events.base import Event, event


@event("webhook.disabled")
class WebhookDisabled(Event, kw_only=True):
    """A webhook failed for days and gets nothing more until it is updated."""

    webhook_id: str
