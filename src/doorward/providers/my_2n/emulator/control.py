"""The control plane: what a test does to intercoms from outside their API. JSON, loopback only, no credentials.

Bad input is answered with a 4xx and `{"error": "…"}`. Replies show no password, PIN or request body.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from .auth import SERVICE_NAMES, Account, privileges_named
from .listener import Listener
from .unit import Unit


class Bad(Exception):
    """A request that makes no sense; becomes an answer with `status`."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class _Input(msgspec.Struct, forbid_unknown_fields=True):
    """Bodies, by request; a field that is not there keeps what was."""


class Keys(_Input):
    keys: str | list[str]


class Card(_Input):
    uid: str
    reader: str = "ext1"
    ap: Literal[0, 1] = 0


class Level(_Input):
    state: bool | Literal[0, 1]


class AccountInput(_Input):
    password: str | None = None
    privileges: list[str] | None = None
    enabled: bool | None = None


class ServiceInput(_Input):
    enabled: bool | None = None
    connection: Literal["tcp", "tls"] | None = None
    authentication: Literal["none", "basic", "digest"] | None = None


class SwitchInput(_Input):
    enabled: bool | None = None
    mode: Literal["monostable", "bistable"] | None = None
    duration: int | None = None
    type: Literal["normal", "security", "inverted"] | None = None
    codes: list[str] | None = None


class ClockInput(_Input):
    offset: float | None = None
    zone: str | None = None


class Outage(_Input):
    outage: float = 2.0


class FaultInput(_Input):
    kind: str
    path: str | None = None
    times: int | None = None
    seconds: float | None = None


class FaultKind(msgspec.Struct):
    kind: str | None = None
    """None: all. Anything else in the body is ignored, so that what armed a fault clears it."""


_KEY: Final = re.compile(r"%[0-9]{1,3}|.", re.DOTALL)

Done = dict[str, Any] | list[Any]
Action = Callable[[Listener, web.Request], Awaitable[Done]]


async def _read(request: web.Request, kind: type[Any]) -> Any:
    data = await request.read()
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except msgspec.ValidationError as exc:
        raise Bad(str(exc)) from exc
    except msgspec.DecodeError as exc:
        raise Bad("The body is not JSON.") from exc


def _given(body: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not None}


def describe(listener: Listener) -> dict[str, Any]:
    """A member of `GET /devices`."""
    unit = listener.unit
    unit.settle()
    now = unit.steady()
    return {
        "url": listener.url,
        "serial": unit.serial,
        "name": unit.name,
        "model": unit.model.key,
        "online": not unit.is_off,
        "boot_uuid": unit.boot_uuid,
        "certificate": listener.fingerprint,
        "clock": {"time": unit.device_time(), "offset": unit.time.offset_s, "zone": unit.time.zone},
        "switches": [
            {**switch.status(now), **{k: v for k, v in asdict(switch.config).items() if k != "codes"}}
            for switch in unit.switches.values()
        ],
        "ports": [{"port": port, "state": int(unit.ports.state(port))} for port in unit.ports.types],
        "accounts": [
            {"name": a.name, "enabled": a.enabled, "privileges": sorted(p.value for p in a.privileges)}
            for a in unit.gate.accounts
        ],
        "services": {service.value: asdict(settings) for service, settings in unit.services.items()},
        "directory": {
            "series": unit.directory.series,
            "timestamp": unit.directory.timestamp,
            "users": len(unit.directory),
        },
        "faults": [
            {"kind": f.kind, "path": f.path, "times": f.times, "seconds": f.seconds} for f in unit.faults.armed()
        ],
    }


async def _keys(listener: Listener, request: web.Request) -> Done:
    body: Keys = await _read(request, Keys)
    keys = _KEY.findall(body.keys) if isinstance(body.keys, str) else body.keys
    if not all(key in set("0123456789*#ABCD") or (key[:1] == "%" and key[1:].isdigit()) for key in keys):
        raise Bad("A key is a digit, `*`, `#` or `%` with a number.")
    _powered(listener.unit).press_keys(keys)
    return {}


async def _cards(listener: Listener, request: web.Request) -> Done:
    body: Card = await _read(request, Card)
    if not 6 <= len(body.uid) <= 32 or not set(body.uid.lower()) <= set("0123456789abcdef"):
        raise Bad("A card's uid is 6 to 32 hex digits.")
    return {"opened": _powered(listener.unit).swipe(body.uid, body.reader, ap=body.ap)}


async def _inputs(listener: Listener, request: web.Request) -> Done:
    body: Level = await _read(request, Level)
    port = request.match_info["port"]
    if listener.unit.ports.types.get(port) != "input":
        raise Bad(f"There is no input {port!r}.", 404)
    _powered(listener.unit).set_input(port, bool(body.state))
    return {}


async def _accounts(listener: Listener, request: web.Request) -> Done:
    body: AccountInput = await _read(request, AccountInput)
    name = request.match_info["name"]
    before = next((a for a in listener.unit.gate.accounts if a.name == name), None)
    if before is None and body.password is None:
        raise Bad("A new account needs a password.")
    given: dict[str, Any] = _given(body)
    if body.privileges is not None:
        given["privileges"] = privileges_named(body.privileges)
    try:
        listener.unit.put_account(replace(before, **given) if before else Account(name, **given))
    except ValueError as exc:
        raise Bad(str(exc), 409) from exc
    return {}


async def _services(listener: Listener, request: web.Request) -> Done:
    body: ServiceInput = await _read(request, ServiceInput)
    word = "".join(c for c in request.match_info["name"].lower() if c.isalpha())
    service = SERVICE_NAMES.get(word) or SERVICE_NAMES.get(word.removesuffix("api"))
    if service is None:
        raise Bad(f"There is no service {request.match_info['name']!r}.", 404)
    listener.unit.configure_service(service, replace(listener.unit.services[service], **_given(body)))
    return {}


async def _switches(listener: Listener, request: web.Request) -> Done:
    body: SwitchInput = await _read(request, SwitchInput)
    number = request.match_info["number"]
    switch = listener.unit.switches.get(int(number)) if number.isdigit() else None
    if switch is None:
        raise Bad(f"There is no switch {number!r}.", 404)
    given = _given(body)
    if not 1 <= given.get("duration", 1) <= 600:
        raise Bad("A duration is 1 to 600 seconds.")
    if "codes" in given:
        given["codes"] = tuple(given["codes"])
    listener.unit.configure_switch(switch.number, replace(switch.config, **given))
    return {}


async def _clock(listener: Listener, request: web.Request) -> Done:
    body: ClockInput = await _read(request, ClockInput)
    if body.zone is not None:
        listener.unit.time.set_zone(body.zone)
    if body.offset is not None:
        listener.unit.time.offset_s = body.offset
    listener.unit.report("ConfigurationChanged", {})
    return {"time": listener.unit.device_time()}


async def _put_user(listener: Listener, request: web.Request) -> Done:
    unit, uuid = listener.unit, request.match_info["uuid"]
    body = await _read(request, dict[str, Any])
    before = unit.directory.timestamp
    write = unit.directory.update if unit.directory.find(uuid) else _create(unit)
    result = write([{**body, "uuid": uuid}])["users"][0]
    await unit.directory_changed(before)
    if "errors" in result:
        raise Bad(
            f"The directory refuses: {result['errors'][0]['code']} {result['errors'][0].get('field', '')}".strip()
        )
    return dict(result)


def _create(unit: Unit) -> Callable[[list[Any]], dict[str, Any]]:
    return lambda users: unit.directory.create(users, force=False)


async def _delete_user(listener: Listener, request: web.Request) -> Done:
    unit = listener.unit
    before = unit.directory.timestamp
    result = unit.directory.delete([{"uuid": request.match_info["uuid"]}])["users"][0]
    await unit.directory_changed(before)
    if "errors" in result:
        raise Bad(f"The directory refuses: {result['errors'][0]['code']}", 404)
    return dict(result)


def _powered(unit: Unit) -> Unit:
    if unit.is_off:
        raise Bad("The intercom is off.", 409)
    return unit


def _power(act: Callable[[Unit, float], Awaitable[None]]) -> Action:
    """Answers as soon as the intercom is gone; it comes back by itself."""
    under_way: set[asyncio.Future[None]] = set()

    async def run(listener: Listener, request: web.Request) -> Done:
        body: Outage = await _read(request, Outage)
        if not 0 <= body.outage <= 3600:
            raise Bad("An outage is 0 to 3600 seconds.")
        gone = asyncio.Event()
        stop = listener.unit.power.watch(lambda is_on: None if is_on else gone.set())
        task: asyncio.Future[None] = asyncio.ensure_future(act(listener.unit, body.outage))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        try:
            await gone.wait()
        finally:
            stop()
        await listener.unit.power.settled()
        return {"outage": body.outage}

    return run


async def _certificate(listener: Listener, _request: web.Request) -> Done:
    fingerprint = listener.new_certificate()
    if fingerprint is None:
        raise Bad("This intercom speaks plain HTTP; start the emulator with --tls.", 409)
    return {"fingerprint": fingerprint}


async def _arm(listener: Listener, request: web.Request) -> Done:
    body: FaultInput = await _read(request, FaultInput)
    listener.unit.faults.arm(body.kind, path=body.path, times=body.times, seconds=body.seconds)
    if body.kind == "refuse" and body.path is None:
        listener.emulated.drop()
    return {}


async def _clear(listener: Listener, request: web.Request) -> Done:
    body: FaultKind = await _read(request, FaultKind)
    listener.unit.faults.clear(body.kind)
    return {}


async def _requests(listener: Listener, _request: web.Request) -> Done:
    return {"requests": list(listener.unit.requests)}


def _json(data: Done, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(data), content_type="application/json")


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Bad as exc:
        return _json({"error": str(exc)}, exc.status)
    except ValueError as exc:
        return _json({"error": str(exc)}, 400)
    except web.HTTPException as exc:
        return _json({"error": exc.reason}, exc.status)


def control_app(listeners: Sequence[Listener]) -> web.Application:
    """The control plane of some intercoms. Serve it on loopback only."""
    by_serial = {listener.unit.serial: listener for listener in listeners}

    def on_device(action: Action) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def run(request: web.Request) -> web.StreamResponse:
            listener = by_serial.get(request.match_info["serial"])
            if listener is None:
                raise Bad(f"There is no device {request.match_info['serial']!r}.", 404)
            listener.unit.settle()
            return _json(await action(listener, request))

        return run

    async def devices(_request: web.Request) -> web.StreamResponse:
        return _json({"devices": [describe(listener) for listener in listeners]})

    app = web.Application(middlewares=[_errors])
    app.router.add_get("/devices", devices)
    for method, path, action in (
        ("GET", "", _describe),
        ("POST", "/keys", _keys),
        ("POST", "/cards", _cards),
        ("PUT", "/inputs/{port}", _inputs),
        ("PUT", "/accounts/{name}", _accounts),
        ("PUT", "/services/{name}", _services),
        ("PUT", "/switches/{number}", _switches),
        ("PUT", "/clock", _clock),
        ("PUT", "/users/{uuid}", _put_user),
        ("DELETE", "/users/{uuid}", _delete_user),
        ("POST", "/reboot", _power(Unit.reboot)),
        ("POST", "/power-cut", _power(Unit.power_cut)),
        ("POST", "/factory-reset", _power(Unit.factory_reset)),
        ("POST", "/certificate", _certificate),
        ("POST", "/faults", _arm),
        ("DELETE", "/faults", _clear),
        ("GET", "/requests", _requests),
    ):
        app.router.add_route(method, "/devices/{serial}" + path, on_device(action))
    return app


async def _describe(listener: Listener, _request: web.Request) -> Done:
    return describe(listener)
