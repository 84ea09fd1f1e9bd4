"""The camera of one intercom: which pictures it takes, and a picture of now.

Pictures are neither kept nor logged. A device serves few connections, so only one picture is taken at a time: there is
always one left for a command. Nothing here changes the device; if it dies half way, a picture is lost.
Source: HTTP API manual, api/camera.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from doorward.providers.errors import Unsupported
from doorward.providers.reports import PictureSettings

from .intercom import Intercom

SOURCES: Final = ("internal", "external")
_NONE: Final = "This device has no camera."


class Camera:
    """`TakesPictures` for one device."""

    def __init__(self, intercom: Intercom) -> None:
        self._intercom = intercom
        self._turn = asyncio.Lock()

    async def settings(self) -> PictureSettings:
        """Sizes and sources. Raises: Unsupported when there are none; DeviceTrouble."""
        found: PictureSettings | None = self._intercom.find("camera")
        if found is None:
            found = _settings(await self._intercom.client.camera_caps())
            if not found.sizes or not found.sources:
                raise Unsupported(_NONE)
            self._intercom.keep("camera", found)
        return found

    async def take(self, width: int, height: int, source: str) -> bytes:
        """A JPEG of now. Raises: DeviceTrouble."""
        async with self._turn:
            return await self._intercom.client.camera_snapshot(width, height, source)


def _settings(reply: Mapping[str, Any]) -> PictureSettings:
    """What of the reply can be understood."""
    sizes = {
        (row["width"], row["height"])
        for row in _rows(reply, "jpegResolution")
        if all(type(row.get(side)) is int and 0 < row[side] <= 10_000 for side in ("width", "height"))
    }
    sources = {row.get("source") for row in _rows(reply, "sources")}
    return PictureSettings(
        sizes=tuple(sorted(sizes, key=lambda size: (size[0] * size[1], size))),
        sources=tuple(source for source in SOURCES if source in sources),
    )


def _rows(reply: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rows = reply.get(key)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
