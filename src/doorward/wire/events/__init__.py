"""Every event type this server emits: one class each, a file per family.

Importing this package registers them all in `TYPES`.
"""

from doorward.wire.events import access_code, account, action_attempt, device, webhook
from doorward.wire.events.base import TYPES, Event

__all__ = ["TYPES", "Event", "access_code", "account", "action_attempt", "device", "webhook"]
