"""Several processes, one of which has the devices.

Every process answers reads from the database. What writes, logs in or moves a door is passed on to the process that
runs the loops and holds the links: so each device has one client, each virtual intercom one life, and a nudge reaches
who it is for. The passing is plain HTTP over a loopback socket that the parent opened before any process started; if
the device process dies, requests wait in that socket until its successor takes over, or time out.
"""

from typing import Any

import aiohttp
import structlog

from doorward.api.dispatch import failure, respond
from doorward.api.route import ROUTES
from doorward.errors import Unavailable
from doorward.ids import request_id

log = structlog.get_logger()

PATIENCE_S = 60.0
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"content-length"}


def reads_only(path: str) -> bool:
    """Any process can answer it: it changes nothing and asks no device."""
    route = ROUTES.get(path.rstrip("/") or path)
    if route is None:
        return not path.startswith(("/connect_webviews/", "/portal/"))
    return "GET" in route.verbs and not route.asks_device


class Forward:
    """An ASGI application that answers reads itself and passes everything else on."""

    def __init__(self, app: Any, address: str) -> None:
        """`address`: the device process, e.g. `http://127.0.0.1:41234`."""
        self._app = app
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or reads_only(scope["path"]):
            await self._app(scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
            )
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        query = scope["query_string"].decode("latin-1")
        url = self._address + scope["path"] + (f"?{query}" if query else "")
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k not in _HOP_BY_HOP]
        try:
            # A fresh connection each: aiohttp would send a request again by itself when a kept one breaks.
            async with self._session.request(
                scope["method"],
                url,
                headers=[*headers, ("connection", "close")],
                data=bytes(body),
                allow_redirects=False,
            ) as reply:
                content = await reply.read()
                passed = [(k.lower(), v) for k, v in reply.raw_headers if k.lower() not in _HOP_BY_HOP]
                passed.append((b"content-length", str(len(content)).encode()))
                await send({"type": "http.response.start", "status": reply.status, "headers": passed})
                await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            name = request_id()
            log.error("the device process did not answer", request_id=name, reason=type(exc).__name__)
            origin = dict(scope["headers"]).get(b"origin")
            await respond(
                send, scope, 503, failure(Unavailable("The server is restarting. Try again."), name), origin, name, {}
            )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
