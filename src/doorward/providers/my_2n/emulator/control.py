"""The control plane: what a test does to intercoms from outside their API. JSON, loopback only, no credentials.

Bad input is answered with a 4xx and `{"error": "…"}`. Replies show no password, PIN or request body.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec
from aiohttp import web

from . import control_settings as settings
from . import control_world as world
from .control_base import Action, Bad, Done
from .listener import Listener
from .unit import Unit


async def _describe(listener: Listener, _request: web.Request) -> Done:
    return describe(listener)


ROUTES: Final[tuple[tuple[str, str, Action], ...]] = (
    ("GET", "", _describe),
    ("POST", "/keys", world.keys),
    ("POST", "/cards", world.cards),
    ("POST", "/mobile-keys", world.mobile_keys),
    ("POST", "/fingers", world.fingers),
    ("POST", "/plates", world.plates),
    ("POST", "/exit-button", world.exit_button),
    ("PUT", "/inputs/{port}", world.inputs),
    ("PUT", "/door", world.door),
    ("POST", "/calls/answer", world.answer),
    ("POST", "/calls/hang-up", world.hang_up),
    ("POST", "/reboot", world.power(Unit.reboot)),
    ("POST", "/power-cut", world.power(Unit.power_cut)),
    ("POST", "/factory-reset", world.power(Unit.factory_reset)),
    ("PUT", "/accounts/{name}", settings.accounts),
    ("PUT", "/services/{name}", settings.services),
    ("PUT", "/switches/{number}", settings.switches),
    ("PUT", "/clock", settings.clock),
    ("PUT", "/users/{uuid}", settings.put_user),
    ("DELETE", "/users/{uuid}", settings.delete_user),
    ("POST", "/directory/fill", settings.fill),
    ("POST", "/directory/series", settings.series),
    ("POST", "/certificate", settings.certificate),
    ("POST", "/address", settings.address),
    ("POST", "/faults", settings.arm),
    ("DELETE", "/faults", settings.clear),
    ("GET", "/requests", settings.requests),
    ("DELETE", "/requests", settings.forget_requests),
    ("GET", "/counters", settings.counters),
    ("DELETE", "/counters", settings.reset_counters),
)
"""Verb, path below `/devices/{serial}`, and what it does."""


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
        "firmware": unit.firmware.key,
        "online": not unit.is_off,
        "boot_uuid": unit.boot_uuid,
        "certificate": listener.fingerprint,
        "clock": {"time": unit.device_time(), "offset": unit.time.offset_s, "zone": unit.time.zone},
        "switches": [
            {**switch.status(now), **{k: v for k, v in asdict(switch.config).items() if k != "codes"}}
            for switch in unit.switches.values()
        ],
        "door": "open" if unit.door.is_open else "closed",
        "calls": unit.calls.status(),
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
    for method, path, action in ROUTES:
        app.router.add_route(method, "/devices/{serial}" + path, on_device(action))
    return app
