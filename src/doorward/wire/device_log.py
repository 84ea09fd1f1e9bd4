"""What a device reported in words of its own: an extension of ours."""

from typing import Any

import msgspec


class DeviceLogEntry(msgspec.Struct, kw_only=True):
    """Something that a device reported and that no event of Seam's has a word for."""

    device_id: str
    """The device."""
    workspace_id: str
    """Its workspace."""
    name: str
    """The device's own name for it, e.g. `RexActivated`."""
    occurred_at: str
    """When it happened."""
    data: dict[str, Any]
    """What the device told beside, as far as it is no secret."""
