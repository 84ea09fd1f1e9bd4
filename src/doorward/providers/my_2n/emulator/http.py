"""From a request to its answer: the checks in the device's order, the envelope, and the faults on the way.

Order (manual for each step, the order itself is assumed): path (2), supported (1), verb (3), service enabled (4),
connection (7), login (401 with 9 or 8), privilege (10), content type (14), size (13), parameters (11, 12), action.
Nothing is done before the login is good, and nothing of a request but its line is kept.
"""

import inspect
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from . import errors, mishaps
from .auth import Admitted, Challenged
from .call import Answer, Call, Result
from .errors import ApiError
from .table import FUNCTIONS, Function, Run
from .unit import Unit

JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
LONGEST_SHOWN: Final = 500
_SUCCESS: Final = b'{"success":true}'
_HARMLESS: Final = frozenset(
    {
        "switch",
        "action",
        "timeout",
        "port",
        "id",
        "include",
        "filter",
        "duration",
        "session",
        "reason",
        "width",
        "height",
        "source",
        "fps",
        "time",
        "force",
        "user",
        "automatic",
        "utcTime",
        "zone",
        "custom",
        "series",
    }
)
"""Query parameters whose values may be shown in the list of requests."""


@dataclass(slots=True)
class _Asked:
    """One request, as it arrived."""

    path: str
    query: str
    target: str
    """Path and query as they were sent."""
    is_secure: bool
    address: str
    """Whose request it is."""
    seen: dict[str, Any]
    """Its entry in the list of requests."""


async def handle(unit: Unit, request: web.BaseRequest, *, is_secure: bool, address: str) -> web.StreamResponse:
    """Answer one request, or cut its line."""
    unit.settle()
    target = request.raw_path
    if "://" in target.partition("?")[0]:
        target = "/" + target.partition("://")[2].partition("/")[2]
    if not target.isascii():
        target = target.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    path, _, query = target.partition("?")
    # The vendor's own client puts a slash before the question mark.
    path = path.rstrip("/") or "/"
    seen: dict[str, Any] = {
        "time": unit.clock.now(),
        "method": request.method,
        "path": path[:LONGEST_SHOWN],
        "query": _shown(query)[:LONGEST_SHOWN] if query else "",
        "status": None,
        "code": None,
    }
    unit.requests.append(seen)
    if unit.is_off:
        raise mishaps.cut(request)
    counted = path if path in FUNCTIONS else "other"
    at_once = unit.counters.enter(counted)
    try:
        return await _handle(unit, request, _Asked(path, query, target, is_secure, address, seen))
    finally:
        at_once.leave()
        unit.counters.count(counted, seen["status"], seen["code"])


async def _handle(unit: Unit, request: web.BaseRequest, asked: _Asked) -> web.StreamResponse:
    path, seen = asked.path, asked.seen

    def headers(content_type: str) -> dict[str, str]:
        return _headers(unit, content_type)

    try:
        if unit.faults:
            spoilt = await mishaps.before(unit, request, path, headers)
            if spoilt is not None:
                seen["status"] = spoilt.status
                return spoilt
        response, call = await _answer(unit, request, asked)
    except ApiError as error:
        # A refusal before anything was called.
        response, call = _refusal(unit, error, seen), None
    if call is not None:
        unit.counters.acted(request.method, path)
    if unit.is_off:
        raise mishaps.cut(request)
    if unit.faults:
        response = mishaps.after(unit, request, path, response, call, headers)
    seen["status"] = response.status
    return response


async def _answer(unit: Unit, request: web.BaseRequest, asked: _Asked) -> tuple[web.StreamResponse, Call | None]:
    path = asked.path
    function = FUNCTIONS.get(path)
    if function is None or unit.firmware.lacks(path):
        raise ApiError(errors.INVALID_PATH)
    run = _runnable(unit, function, request.method)
    settings = unit.services[function.service]
    if not settings.enabled:
        raise ApiError(errors.DISABLED)
    if settings.connection == "tls" and not asked.is_secure:
        raise ApiError(errors.INVALID_CONNECTION)
    if function.is_public and not unit.quirks.info_needs_credentials:
        admitted: Admitted | Challenged = Admitted(None, frozenset())
    else:
        header = request.headers.get("Authorization")
        if unit.faults and header is not None and unit.faults.take("forget-nonces", path):
            unit.gate.forget()
        admitted = unit.gate.check(settings, header, request.method, asked.target)
        if isinstance(admitted, Admitted):
            unit.gate.passed(asked.address)
            if unit.faults:
                admitted = mishaps.at_the_door(unit, admitted, path, settings.authentication)
    if isinstance(admitted, Challenged):
        if admitted.wrong_password and unit.gate.failed(asked.address):
            unit.report("LoginBlocked", {"address": asked.address})
        return _challenge(unit, admitted, asked.seen), None
    if function.needs and not any(privilege in admitted.privileges for privilege in function.needs):
        raise ApiError(errors.INSUFFICIENT_PRIVILEGES)
    params = dict(parse_qsl(asked.query, keep_blank_values=True)) if asked.query else {}
    call = Call(unit, params, admitted.privileges, admitted.account)
    if request.method != "GET":
        await _read_body(unit, request, call)
    if unit.faults:
        await mishaps.inside(unit, request, path, call)
    outcome = run(call)
    result: Result = await outcome if inspect.isawaitable(outcome) else outcome
    return await _reply(unit, request, path, result), call


def _runnable(unit: Unit, function: Function, method: str) -> Run:
    if not function.run or (function.feature is not None and not getattr(unit.model, function.feature)):
        raise ApiError(errors.NOT_SUPPORTED)
    run = function.run.get(method)
    if run is None:
        raise ApiError(errors.INVALID_METHOD)
    return run


# ---------------------------------------------------------------- bodies


async def _read_body(unit: Unit, request: web.BaseRequest, call: Call) -> None:
    """Form, JSON and multipart bodies become parameters and `call.body`."""
    kind = request.content_type if "Content-Type" in request.headers else ""
    if kind not in ("", _FORM, JSON, "multipart/form-data") or (not kind and request.body_exists):
        # 2.50, seen on an empty POST that its client marked as octet-stream.
        raise ApiError(errors.PROCESSING, description="Unsupported Content-Type")
    if not request.body_exists:
        return
    length = request.content_length or 0
    if length > unit.quirks.max_body_bytes:
        raise ApiError(errors.TOO_BIG)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    params = dict(call.params)
    if kind == "multipart/form-data":
        try:
            await _read_multipart(unit, request, params, call)
        except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as exc:
            raise ApiError(errors.INVALID_VALUE, param=unit.quirks.unparsable_json_param) from exc
    else:
        data = await _read(request.content, unit.quirks.max_body_bytes)
        if kind == JSON:
            _take_json(unit, data, call)
        else:
            try:
                params.update(parse_qsl(data.decode(), keep_blank_values=True))
            except ValueError as exc:
                raise ApiError(errors.INVALID_VALUE) from exc
    for name, value in call.body.items():
        if isinstance(value, bool):
            params[name] = str(int(value))
        elif isinstance(value, (str, int)):
            params[name] = str(value)
    call.params = params


async def _read(stream: Any, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.readany():
        size += len(chunk)
        if size > limit:
            raise ApiError(errors.TOO_BIG)
        chunks.append(chunk)
    return b"".join(chunks)


async def _read_multipart(unit: Unit, request: web.BaseRequest, params: dict[str, str], call: Call) -> None:
    left = unit.quirks.max_body_bytes
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise ApiError(errors.INVALID_VALUE, param=unit.quirks.unparsable_json_param)
        data = bytearray()
        while chunk := await part.read_chunk():
            data += chunk
            if len(data) > left:
                raise ApiError(errors.TOO_BIG)
        left -= len(data)
        name = part.name or ""
        if name in ("blob-json", "blob-dir_new"):
            _take_json(unit, bytes(data), call)
        elif not name.startswith("blob-"):
            params[name] = data.decode()


def _take_json(unit: Unit, data: bytes, call: Call) -> None:
    if not data.strip():
        return
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ApiError(errors.INVALID_VALUE, param=unit.quirks.unparsable_json_param)
    call.body = body


# ---------------------------------------------------------------- replies


def _headers(unit: Unit, content_type: str) -> dict[str, str]:
    # Without a charset: some clients compare the whole header.
    return {"Content-Type": content_type, "Server": f"HIP{unit.sw_version}"}


async def _reply(unit: Unit, request: web.BaseRequest, path: str, result: Result) -> web.StreamResponse:
    if result is None:
        return web.Response(body=_SUCCESS, headers=_headers(unit, JSON))
    if isinstance(result, Answer):
        if result.frames_per_second:
            return await _stream(unit, request, result)
        return web.Response(body=result.body, headers=_headers(unit, result.content_type))
    if path == "/api/call/status" and unit.quirks.bare_call_status:
        return web.Response(body=msgspec.json.encode(result["sessions"]), headers=_headers(unit, JSON))
    body = msgspec.json.encode({"success": True, "result": unit.firmware.reply(result)})
    return web.Response(body=body, headers=_headers(unit, JSON))


def _refusal(unit: Unit, error: ApiError, seen: dict[str, Any]) -> web.Response:
    status = 200
    if error.code == errors.INSUFFICIENT_PRIVILEGES:
        status = unit.quirks.privilege_status
    elif error.code == errors.INVALID_PATH:
        status = unit.quirks.unknown_path_status
    seen["code"] = error.code
    return web.Response(status=status, body=msgspec.json.encode(error.envelope()), headers=_headers(unit, JSON))


def _challenge(unit: Unit, challenged: Challenged, seen: dict[str, Any]) -> web.Response:
    code = unit.quirks.wrong_scheme_code if challenged.wrong_scheme else errors.AUTHORIZATION_REQUIRED
    status = unit.quirks.wrong_scheme_status if challenged.wrong_scheme else 401
    headers = _headers(unit, JSON)
    if status == 401:
        headers["WWW-Authenticate"] = challenged.header
        unit.counters.nonces += challenged.header.startswith("Digest")
    seen["code"] = code
    return web.Response(status=status, body=msgspec.json.encode(ApiError(code).envelope()), headers=headers)


async def _stream(unit: Unit, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(headers=_headers(unit, "multipart/x-mixed-replace; boundary=frame"))
    await response.prepare(request)
    head = f"--frame\r\nContent-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n\r\n".encode()
    while not unit.is_off:
        await response.write(head + answer.body + b"\r\n")
        await unit.clock.sleep(1 / answer.frames_per_second)
    return response


def _shown(query: str) -> str:
    """A query with the values of all but the harmless parameters hidden."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, value if name in _HARMLESS else "…") for name, value in pairs], safe="…,")
