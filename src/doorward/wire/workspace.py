"""Workspaces."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Workspace(msgspec.Struct, kw_only=True):
    """A workspace: everything belongs to one, and none sees another's."""

    workspace_id: str
    """Id of the workspace."""
    name: str
    """What its owner calls it."""
    is_sandbox: bool
    """Sandboxes connect virtual devices only, other workspaces real ones only."""
    is_suspended: bool
    """Suspended workspaces answer nothing."""
    is_publishable_key_auth_enabled: bool
    """Publishable keys may make client sessions."""
    publishable_key: str | UnsetType = UNSET
    """What the part of an application that runs in a browser makes client sessions with."""
    connect_partner_name: str | None
    """The name end users see on connect webviews."""
    company_name: str
    """Older name of `connect_partner_name`."""
    connect_webview_customization: dict[str, Any]
    """How connect webviews look."""
    organization_id: str | None = None
    """Always null: a self-hosted server has one operator."""
