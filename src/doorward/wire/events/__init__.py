"""Every event type this server emits: one class each, a file per family.

Importing this package registers them all in `TYPES`.
"""

from doorward.wire.events import (
    access_code,
    access_grant,
    account,
    action_attempt,
    client_session,
    device,
    space,
    webhook,
)
from doorward.wire.events.base import TYPES, Event

__all__ = [
    "TYPES",
    "Event",
    "access_code",
    "access_grant",
    "account",
    "action_attempt",
    "client_session",
    "device",
    "space",
    "webhook",
]
