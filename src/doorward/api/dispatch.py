"""From bytes to a handler and back: the one function that every API call goes through.

The order of checks is part of the contract: who asks (401), with which verb (405), can it be read (400), is it right
(400), and only then the handler. Every answer is JSON in Seam's envelope and carries `seam-request-id`; whatever a
handler did not expect is a bug, logged with that id, and answered as a 500 that says nothing else.

This is plain ASGI: a framework's routing and request objects would cost more than the work itself.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from doorward import ids
from doorward.api import scope as scopes
from doorward.api.auth import Authenticator, headers_of, user_of
from doorward.api.commands import Commands
from doorward.api.query import parse_query
from doorward.api.request import Caller, Request
from doorward.api.route import ROUTES, File, Route, not_yet
from doorward.core.context import Core
from doorward.errors import (
    ApiError,
    Forbidden,
    InvalidContentType,
    InvalidInput,
    InvalidJson,
    MethodNotAllowed,
    NotImplementedYet,
    TooLarge,
    Unavailable,
)
from doorward.store.db import StoreUnavailable

log = structlog.get_logger()

MOST_ACTORS = 10_000
MOST_BODY = 1024 * 1024
CORS_HEADERS = (
    b"authorization, content-type, accept, accept-version, content-length, content-md5, date, user-agent, "
    b"x-api-version, x-csrf-token, x-requested-with, seam-workspace, seam-lts-version, seam-sdk-name, "
    b"seam-sdk-version, seam-publishable-key, seam-client-session-token, client-session-token, seam-api-key, "
    b"seam-user-identifier-key, user-identifier-key"
)
BLANKS = b" \t\r\n"
"""What JSON takes no notice of: a body of nothing else is empty."""
JSON = "application/json; charset=utf-8"
ALWAYS = (
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"seam-request-id, retry-after"),
)
NOBODY = Caller("", None)
_encoder = msgspec.json.Encoder()


class Api:
    """Answers every path of the table. `find` tells whether a path is one of ours."""

    def __init__(self, core: Core, commands: Commands) -> None:
        self._core = core
        self._commands = commands
        self._authenticate = Authenticator(core)
        self._cores: dict[str, Core] = {}
        self._table: dict[str, Route] = {**not_yet(), **ROUTES}

    def find(self, path: str) -> Route | None:
        """The route of a path; a trailing slash does not matter."""
        route = self._table.get(path)
        if route is None and path.endswith("/"):
            route = self._table.get(path.rstrip("/"))
        return route

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request_id = ids.request_id()
        headers = headers_of(scope["headers"])
        extra: Mapping[str, str] = {}
        media_type = JSON
        body: bytes | File
        try:
            if scope["method"] == "OPTIONS":
                status, body = 200, b""
            else:
                route = self.find(scope["path"])
                assert route is not None
                status, body = 200, await self._answer(route, scope, headers, receive)
                if isinstance(body, File):
                    media_type, extra, body = body.media_type, body.headers, body.content
        except ApiError as exc:
            status, body, extra = exc.status, failure(exc, request_id), exc.headers
        except StoreUnavailable as exc:
            log.error("the store failed", request_id=request_id, reason=str(exc))
            status, body = 503, failure(Unavailable(), request_id)
        except Exception:
            log.exception("unexpected failure", request_id=request_id, path=scope["path"])
            status, body = 500, failure(ApiError("Something went wrong on the server."), request_id)
        await respond(send, scope, status, body, headers.get(b"origin"), request_id, extra, media_type)

    async def _answer(self, route: Route, scope: Any, headers: Mapping[bytes, bytes], receive: Any) -> bytes | File:
        caller = NOBODY if route.auth == "" else await self._authenticate(headers, route.auth)
        method = scope["method"]
        if method not in route.verbs and not (method == "HEAD" and "GET" in route.verbs):
            raise MethodNotAllowed(tuple(sorted(route.verbs)))
        if route.handler is None:
            raise NotImplementedYet(f"Doorward does not serve {route.path} yet. See its coverage page.")
        values = await self._values(route, scope, headers, receive)
        base = base_url(self._core.config.public_url, scope, headers)
        reply = await self.perform(route, caller, values, base, verb=method)
        if isinstance(reply, File):
            return reply
        return _encoder.encode({**reply, "ok": True} if reply else {"ok": True})

    async def perform(
        self,
        route: Route,
        caller: Caller,
        values: Mapping[str, Any],
        base: str,
        *,
        verb: str = "POST",
    ) -> Mapping[str, Any] | File | None:
        """What a route answers to a caller who may call it; `base` is this server's address. Raises ApiError."""
        assert route.handler is not None
        params = route.check(values)
        request = Request(
            core=self._core if caller.actor is None else self._core_of(caller.actor),
            commands=self._commands,
            caller=caller,
            base_url=base,
            path=route.path,
            values=route.check.meant(values),
            verb=verb,
        )
        if caller.session is not None and not route.is_list:
            await scopes.guard(self._core.db.read, caller.session, request.values, but_keys=route.judges_keys)
        reply = await route.handler(request, params)
        if caller.session is not None and route.is_list and not request.is_narrowed:
            raise Forbidden("Client sessions cannot use this list.")
        return reply

    def _core_of(self, actor: str) -> Core:
        """The parts, for what this caller asks to be done."""
        core = self._cores.get(actor)
        if core is None:
            if len(self._cores) >= MOST_ACTORS:
                self._cores.clear()
            core = self._cores[actor] = dataclasses.replace(self._core, actor=actor)
        return core

    @staticmethod
    async def _values(route: Route, scope: Any, headers: Mapping[bytes, bytes], receive: Any) -> dict[str, Any]:
        """Query string and body, merged; the body wins. Whom a browser acts for may stand in a header."""
        body = (await read_body(receive)).strip(BLANKS)
        values: dict[str, Any] = {}
        if query := scope["query_string"]:
            values = parse_query(query.decode("latin-1"), route.check.shapes)
        if body:
            kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind != b"application/json":
                raise InvalidContentType(
                    f'{scope["method"]} requests must have a Content-Type header with "application/json"'
                )
            values |= decode_object(body)
        if "P" in route.auth and values.get("user_identifier_key") is None and (user := user_of(headers)) is not None:
            values["user_identifier_key"] = user
        try:
            if _has_nul(values):
                raise InvalidInput("Text may not contain NUL characters")
        except RecursionError:
            raise InvalidInput("The parameters are nested too deeply") from None
        return values


def decode_object(body: bytes) -> dict[str, Any]:
    """A body's JSON object. Raises InvalidJson, InvalidInput."""
    try:
        decoded = msgspec.json.decode(body)
        # What cannot be written again (half of a surrogate pair) cannot be stored.
        msgspec.json.encode(decoded)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        raise InvalidJson("Invalid JSON") from None
    if not isinstance(decoded, dict):
        if decoded is None or decoded == "":
            return {}
        raise InvalidInput("Expected an object")
    return decoded


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in k or _has_nul(v) for k, v in value.items())
    if isinstance(value, list):
        return any(_has_nul(v) for v in value)
    return False


async def read_body(receive: Any) -> bytes:
    """The whole body, up to a bound. Raises TooLarge."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("The request ended before its body was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BODY:
            raise TooLarge(f"The body is larger than {MOST_BODY // 1024} kB.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunks[0]


def base_url(public_url: str | None, scope: Any, headers: Mapping[bytes, bytes]) -> str:
    """This server's address as its caller reaches it."""
    if public_url:
        return public_url.rstrip("/")
    server = scope.get("server") or ("127.0.0.1", 8080)
    return _address(scope.get("scheme", "http"), headers.get(b"host", b""), server[0], server[1])


@functools.lru_cache(maxsize=256)
def _address(scheme: str, host_header: bytes, ip: str, port: int | None) -> str:
    host = host_header.decode("latin-1")
    if not host or any(c in host for c in "/\\?#@ \"'<>"):
        host = f"{ip}:{port}"
    return f"{scheme}://{host}"


def failure(error: ApiError, request_id: str) -> bytes:
    """An error in Seam's envelope."""
    return _encoder.encode({"ok": False, "error": {**error.body(), "request_id": request_id}})


async def respond(
    send: Any,
    scope: Any,
    status: int,
    body: bytes,
    origin: bytes | None,
    request_id: str,
    extra: Mapping[str, str],
    media_type: str = JSON,
) -> None:
    """Send an answer with the headers that every answer has."""
    headers = [
        (b"content-type", media_type.encode()),
        *ALWAYS,
        (b"content-length", str(len(body)).encode()),
        (b"seam-request-id", request_id.encode()),
        (b"access-control-allow-origin", origin or b"*"),
    ]
    if origin:
        headers.append((b"vary", b"origin"))
    if scope["method"] == "OPTIONS":
        headers += [
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
            (b"access-control-allow-headers", CORS_HEADERS),
            (b"access-control-max-age", b"600"),
        ]
    headers += [(name.encode(), value.encode()) for name, value in extra.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
