"""`/devices/doorward/*`, camera: a picture of who stands at the door. An extension: Seam has no such routes.

A picture shows people at somebody's home. It is read from the device when it is asked for, and neither kept nor
logged; no cache on the way may keep it either. Only who administers the workspace may ask (API keys and personal access
tokens): a client session may see a device and be meant for a guest. Nothing is written, so nothing is half done.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from annotated_types import Ge, Le

from doorward.api.params import Id, Params
from doorward.api.request import Request
from doorward.api.route import File, route
from doorward.core import devices as rules
from doorward.core import problems
from doorward.errors import InvalidInput
from doorward.providers.base import Link, TakesPictures
from doorward.providers.errors import ProviderError, Unsupported
from doorward.providers.reports import PictureSettings
from doorward.store.devices import DeviceRow

T = TypeVar("T")
WAIT_S = 10.0
"""For the device, both questions together."""
USUAL = (640, 480)
"""The size of a picture when none is asked for, or the allowed one nearest to it."""
NOT_KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

Side = Annotated[int, Ge(1), Le(10_000)]


class SnapshotSize(msgspec.Struct, kw_only=True):
    """A size a picture can have, in pixels."""

    width: int
    """Width."""
    height: int
    """Height."""


class SnapshotSizes(msgspec.Struct, kw_only=True):
    """What may be asked of a device's camera."""

    device_id: str
    """The device."""
    sizes: list[SnapshotSize]
    """Sizes, smallest first."""
    sources: list[str]
    """`internal`, `external` or both."""


class Camera(Params):
    """Parameters of list_snapshot_sizes."""

    device_id: Id
    """The device."""


class Snapshot(Camera):
    """Parameters of get_snapshot."""

    width: Side | None = None
    """Width in pixels; given together with `height`. Default: 640 × 480, or what is nearest to it."""
    height: Side | None = None
    """Height in pixels."""
    source: Literal["internal", "external"] | None = None
    """Which camera. Default: the device's own, where it has one."""


@route(
    "/devices/doorward/list_snapshot_sizes",
    auth="A",
    returns={"snapshot_sizes": SnapshotSizes},
    undocumented=True,
    asks_device=True,
)
async def list_snapshot_sizes(req: Request, p: Camera) -> dict[str, Any]:
    """List the sizes and sources of a device's camera."""
    device = await rules.get(req.db, req.workspace_id, p.device_id)

    async def ask(link: Link) -> PictureSettings:
        return await _camera(link).picture_settings(device.ref)

    found = await _answered(req, device, ask)
    sizes = [SnapshotSize(width=width, height=height) for width, height in found.sizes]
    return {"snapshot_sizes": SnapshotSizes(device_id=device.device_id, sizes=sizes, sources=list(found.sources))}


@route(
    "/devices/doorward/get_snapshot",
    auth="A",
    undocumented=True,
    asks_device=True,
    media_type="image/jpeg",
)
async def get_snapshot(req: Request, p: Snapshot) -> File:
    """Get a picture from a device's camera, as it is now.

    The answer is the JPEG itself. It is never stored.
    """
    if (p.width is None) != (p.height is None):
        raise _wrong("height" if p.height is None else "width", "Give width and height together, or neither")
    device = await rules.get(req.db, req.workspace_id, p.device_id)

    async def ask(link: Link) -> bytes:
        camera = _camera(link)
        settings = await camera.picture_settings(device.ref)
        width, height = _size(p, settings)
        return await camera.take_picture(device.ref, width, height, _source(p, settings))

    return File(await _answered(req, device, ask), "image/jpeg", NOT_KEPT)


def _wrong(name: str, text: str) -> InvalidInput:
    return InvalidInput(text, problems={"_errors": [], name: {"_errors": [text]}})


async def _answered(req: Request, device: DeviceRow, question: Callable[[Link], Awaitable[T]]) -> T:
    try:
        return await req.commands.ask(device, question, WAIT_S)
    except ProviderError as error:
        raise problems.api_error(error, device.device_id) from error


def _camera(link: Link) -> TakesPictures:
    if not isinstance(link, TakesPictures):
        raise Unsupported("This device has no camera.")
    return link


def _size(p: Snapshot, settings: PictureSettings) -> tuple[int, int]:
    """The size asked for, or the usual one. Raises InvalidInput naming those that are allowed."""
    if p.width is None or p.height is None:
        return min(settings.sizes, key=lambda size: abs(size[0] - USUAL[0]) + abs(size[1] - USUAL[1]))
    if (p.width, p.height) not in settings.sizes:
        allowed = ", ".join(f"{width}x{height}" for width, height in settings.sizes)
        raise _wrong("width", f"The device takes no pictures of {p.width}x{p.height}. Allowed: {allowed}")
    return p.width, p.height


def _source(p: Snapshot, settings: PictureSettings) -> str:
    if p.source is not None and p.source not in settings.sources:
        raise _wrong("source", f"The device has no {p.source} camera. Allowed: {', '.join(settings.sources)}")
    return p.source or settings.sources[0]
