"""What armed faults do to a request on its way: cut its line, delay it, or spoil its answer.

`faults.py` says which are armed; here they strike. Nothing is kept, so nothing is left half done.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from . import errors
from .auth import Admitted, Challenged
from .call import Call
from .counters import POLL
from .errors import ApiError
from .faults import DEFAULT_SLOW_S
from .unit import Unit

Headers = Callable[[str], dict[str, str]]
_TEXTS: Final = {500: b"Internal Server Error", 502: b"Bad Gateway", 503: b"Service Unavailable"}
_NO_JSON: Final = b"<html><body>It works!</body></html>"


class Dropped(Exception):
    """The line was cut; there is nobody to answer."""


def cut(request: web.BaseRequest) -> Dropped:
    """Cut the line of a request."""
    if request.transport is not None:
        request.transport.abort()
    return Dropped()


async def before(unit: Unit, request: web.BaseRequest, path: str, headers: Headers) -> web.Response | None:
    """Faults that strike before anything is looked at. An answer of theirs replaces the real one.

    Raises: Dropped.
    """
    if unit.faults.refuses(path):
        raise cut(request)
    if (fault := unit.faults.take("half-open", path)) is not None:
        if fault.seconds is None:
            await asyncio.get_running_loop().create_future()
        await unit.clock.sleep(fault.seconds or 0)
        raise cut(request)
    if (fault := unit.faults.take("slow", path)) is not None:
        await unit.clock.sleep(DEFAULT_SLOW_S if fault.seconds is None else fault.seconds)
        unit.settle()
    for status, text in _TEXTS.items():
        if unit.faults.take(f"http-{status}", path):
            return web.Response(status=status, body=text, headers=headers("text/plain"))
    return None


def at_the_door(unit: Unit, admitted: Admitted | Challenged, path: str, scheme: str) -> Admitted | Challenged:
    """Faults that turn away a caller whose password is right."""
    if not isinstance(admitted, Admitted):
        return admitted
    if scheme == "digest" and unit.faults.take("stale-nonce", path):
        return unit.gate.challenge(scheme, stale=True)
    if scheme != "none" and unit.faults.take("transient-401", path):
        return unit.gate.challenge(scheme)
    return admitted


async def inside(unit: Unit, request: web.BaseRequest, path: str, call: Call) -> None:
    """Faults that strike a caller who was let in, before the function runs.

    Raises: ApiError 5 or 10; Dropped.
    """
    if not path.startswith("/api/system/") and unit.faults.take("unlicensed", path):
        raise ApiError(errors.LICENSED)
    if unit.faults.take("no-privilege", path):
        raise ApiError(errors.INSUFFICIENT_PRIVILEGES)
    if path != POLL:
        return
    if unit.faults.take("channel-gone", path):
        unit.log.unsubscribe(call.number("id", 0, 2**32 - 1))
    if (fault := unit.faults.take("drop-poll", path)) is not None:
        await unit.clock.sleep(fault.seconds or 0)
        raise cut(request)


def after(
    unit: Unit, request: web.BaseRequest, path: str, response: web.StreamResponse, call: Call | None, headers: Headers
) -> web.StreamResponse:
    """Faults that strike when all is done. A challenge is not worth losing: the call itself has yet to come.

    Raises: Dropped.
    """
    if response.status == 401 or not isinstance(response, web.Response):
        return response
    if unit.faults.take("reply-lost", path):
        if call is not None and not unit.quirks.lost_pull_loses_events:
            for channel, position in call.undo:
                channel.position = position
        raise cut(request)
    if unit.faults.take("truncate", path):
        body = response.body if isinstance(response.body, bytes) else b""
        lines = [f"HTTP/1.1 {response.status} OK", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        if request.transport is not None:
            request.transport.write("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])
            request.transport.close()
        raise Dropped
    if unit.faults.take("bad-json", path):
        return web.Response(body=_NO_JSON, headers=headers("application/json"))
    return response
