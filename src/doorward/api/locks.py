"""`/locks/*`."""

from typing import Annotated, Any

from annotated_types import Ge, Le

from doorward.api import action_attempts, devices
from doorward.api.params import Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import devices as rules
from doorward.errors import DeviceTypeNotSupported
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.device import Device
from doorward.wire.reply import Pagination


class Get(Params):
    """Parameters of get."""

    device_id: Id | None = None
    """The lock."""
    name: str | None = None
    """Its name."""


@route("/locks/get", auth="AC", returns={"device": Device, "lock": Device})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get a lock, by id or by name."""
    shown = await devices.one(req, p.device_id, p.name, is_managed=True)
    return {"device": shown, "lock": shown}


@route("/locks/list", auth="AC", returns={"devices": list[Device], "locks": list[Device], "pagination": Pagination})
async def list_(req: Request, p: devices.LockFilters) -> dict[str, Any]:
    """List locks and intercoms, oldest first."""
    found, pagination = await devices.filtered(req, p, is_managed=True, limit=min(p.limit, devices.MOST))
    return {"devices": found, "locks": found, "pagination": pagination}


class AutoLock(Params):
    """Parameters of configure_auto_lock."""

    device_id: Id
    """The lock."""
    auto_lock_enabled: bool
    """Whether it locks by itself."""
    auto_lock_delay_seconds: Annotated[float, Ge(1), Le(60)] | None = None
    """After how long, in seconds."""


@route(
    "/locks/configure_auto_lock",
    auth="AC",
    returns={"action_attempt": ActionAttempt},
    action_type="CONFIGURE_AUTO_LOCK",
    has_none=True,
)
async def configure_auto_lock(req: Request, p: AutoLock) -> dict[str, Any]:
    """Choose whether a lock locks by itself: no device here lets that be chosen.

    How long a 2N intercom holds its door open is set on the intercom.
    """
    await rules.get(req.db, req.workspace_id, p.device_id)
    raise DeviceTypeNotSupported("This device cannot be told when to lock.", data={"device_id": p.device_id})


class Move(Params):
    """Parameters of lock_door and unlock_door."""

    UNDOCUMENTED = frozenset({"sync"})

    device_id: Id
    """The lock."""
    sync: bool = False
    """Without effect: the reply always waits for the device a while."""


async def _move(req: Request, p: Move, action_type: str) -> dict[str, Any]:
    device = await rules.get(req.db, req.workspace_id, p.device_id)
    if not device.is_lock:
        raise DeviceTypeNotSupported("This device is not a lock.", data={"device_id": p.device_id})
    what = "lock" if action_type == "LOCK_DOOR" else "unlock"
    with req.counted(what, device.device_id):
        attempt = await req.commands.run(device, action_type)
    return {"action_attempt": await action_attempts.shown(req, attempt)}


@route("/locks/lock_door", auth="ACK", returns={"action_attempt": ActionAttempt}, action_type="LOCK_DOOR")
async def lock_door(req: Request, p: Move) -> dict[str, Any]:
    """Lock a door.

    The reply waits for the device a while; a healthy one has locked when it arrives.
    """
    return await _move(req, p, "LOCK_DOOR")


@route("/locks/unlock_door", auth="ACK", returns={"action_attempt": ActionAttempt}, action_type="UNLOCK_DOOR")
async def unlock_door(req: Request, p: Move) -> dict[str, Any]:
    """Unlock a door.

    The reply waits for the device a while; a healthy one has opened when it arrives. It is tried at most once.
    """
    return await _move(req, p, "UNLOCK_DOOR")
