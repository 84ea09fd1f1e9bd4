"""What is known of the connection that a request goes over: nothing is ever sent twice behind our back.

aiohttp repeats requests by itself when a connection breaks; `once` takes that from it. `TRACER` tells a request's
`Sent` whether bytes may have left, and stops it before a new connection is made where it may use none.
"""

from types import SimpleNamespace
from typing import Any, Final

import aiohttp


class LineBroke(aiohttp.ClientError):
    """A connection broke with a request on it. Unlike aiohttp's own errors, not one that aiohttp repeats."""


async def once(req: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A middleware: let no request be sent a second time."""
    try:
        return await send(req)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise LineBroke from exc


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    """A tracer: from here on bytes may have left."""
    context.trace_request_ctx.may_be_sent = True


class NewLine(Exception):
    """A request needs a new connection, and nobody has asked yet who is at its other end. Nothing was sent."""


async def _connects(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    """A tracer: the request has no connection, and is about to make one."""
    if not context.trace_request_ctx.may_connect:
        raise NewLine


class Sent:
    """What is known of one request's way."""

    __slots__ = ("may_be_sent", "may_connect")

    def __init__(self, *, may_connect: bool) -> None:
        self.may_be_sent = False
        self.may_connect = may_connect
        """It may go over a new connection, whoever answers there."""


def _tracer() -> aiohttp.TraceConfig:
    tracer = aiohttp.TraceConfig()
    tracer.on_connection_create_start.append(_connects)
    tracer.on_connection_create_end.append(_connected)
    tracer.on_connection_reuseconn.append(_connected)
    tracer.freeze()
    return tracer


TRACER: Final = _tracer()
"""One for all clients: it knows nothing of any of them, and would be a seventh of the objects of a watched device."""
