"""The Seam API: the first word of a URL names the file, or the folder.

Importing this package fills the table of routes.
"""

from doorward.api import (
    access_codes,
    action_attempts,
    connect_webviews,
    connected_accounts,
    device_log,
    devices,
    events,
    health,
    locks,
    snapshots,
    webhooks,
    workspaces,
)

__all__ = [
    "access_codes",
    "action_attempts",
    "connect_webviews",
    "connected_accounts",
    "device_log",
    "devices",
    "events",
    "health",
    "locks",
    "snapshots",
    "webhooks",
    "workspaces",
]
