"""The control plane's actions that an administrator would do, and those only a test does.

Settings, the directory, faults, and what was received.
"""

import uuid as uuids
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from .auth import SERVICE_NAMES, Account, privileges_named
from .control_base import Bad, Done, Input, given, powered, read
from .listener import Listener
from .unit import Unit

_FILL_MOST: Final = 20_000
_OWNERS_WITH_NAMES: Final = {"ACOM": "Employee", "My2N": "Resident"}


class AccountInput(Input):
    password: str | None = None
    privileges: list[str] | None = None
    enabled: bool | None = None


class ServiceInput(Input):
    enabled: bool | None = None
    connection: Literal["tcp", "tls"] | None = None
    authentication: Literal["none", "basic", "digest"] | None = None


class SwitchInput(Input):
    enabled: bool | None = None
    mode: Literal["monostable", "bistable"] | None = None
    duration: int | None = None
    type: Literal["normal", "security", "inverted"] | None = None
    codes: list[str] | None = None


class ClockInput(Input):
    offset: float | None = None
    zone: str | None = None


class FillInput(Input):
    count: int
    owner: str = ""
    pins: bool = True
    """Give each a PIN of eight digits of its own, where the model has PINs."""


class SeriesInput(Input):
    empty: bool = False
    """Lose the entries too."""


class AddressInput(Input):
    port: int = 0
    """0: a free one."""


class FaultInput(Input):
    kind: str
    path: str | None = None
    times: int | None = None
    seconds: float | None = None


class FaultKind(msgspec.Struct):
    kind: str | None = None
    """None: all. Anything else in the body is ignored, so that what armed a fault clears it."""


async def accounts(listener: Listener, request: web.Request) -> Done:
    """One of the five HTTP API accounts."""
    body: AccountInput = await read(request, AccountInput)
    name = request.match_info["name"]
    before = next((a for a in listener.unit.gate.accounts if a.name == name), None)
    if before is None and body.password is None:
        raise Bad("A new account needs a password.")
    wanted: dict[str, Any] = given(body)
    if body.privileges is not None:
        wanted["privileges"] = privileges_named(body.privileges)
    try:
        listener.unit.put_account(replace(before, **wanted) if before else Account(name, **wanted))
    except ValueError as exc:
        raise Bad(str(exc), 409) from exc
    return {}


async def services(listener: Listener, request: web.Request) -> Done:
    """How a service is reached."""
    body: ServiceInput = await read(request, ServiceInput)
    word = "".join(c for c in request.match_info["name"].lower() if c.isalpha())
    service = SERVICE_NAMES.get(word) or SERVICE_NAMES.get(word.removesuffix("api"))
    if service is None:
        raise Bad(f"There is no service {request.match_info['name']!r}.", 404)
    listener.unit.configure_service(service, replace(listener.unit.services[service], **given(body)))
    return {}


async def switches(listener: Listener, request: web.Request) -> Done:
    """A switch's configuration."""
    body: SwitchInput = await read(request, SwitchInput)
    number = request.match_info["number"]
    switch = listener.unit.switches.get(int(number)) if number.isdigit() else None
    if switch is None:
        raise Bad(f"There is no switch {number!r}.", 404)
    wanted = given(body)
    if not 1 <= wanted.get("duration", 1) <= 600:
        raise Bad("A duration is 1 to 600 seconds.")
    if "codes" in wanted:
        wanted["codes"] = tuple(wanted["codes"])
    listener.unit.configure_switch(switch.number, replace(switch.config, **wanted))
    return {}


async def clock(listener: Listener, request: web.Request) -> Done:
    """Skew and zone."""
    body: ClockInput = await read(request, ClockInput)
    if body.zone is not None:
        listener.unit.time.set_zone(body.zone)
    if body.offset is not None:
        listener.unit.time.offset_s = body.offset
    listener.unit.report("ConfigurationChanged", {})
    return {"time": listener.unit.device_time()}


async def put_user(listener: Listener, request: web.Request) -> Done:
    """An entry made or edited by somebody else."""
    unit, uuid = listener.unit, request.match_info["uuid"]
    body = await read(request, dict[str, Any])
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


async def delete_user(listener: Listener, request: web.Request) -> Done:
    """An entry removed by somebody else."""
    unit = listener.unit
    before = unit.directory.timestamp
    result = unit.directory.delete([{"uuid": request.match_info["uuid"]}])["users"][0]
    await unit.directory_changed(before)
    if "errors" in result:
        raise Bad(f"The directory refuses: {result['errors'][0]['code']}", 404)
    return dict(result)


async def fill(listener: Listener, request: web.Request) -> Done:
    """Many entries at once, as another administrator's system would make them."""
    body: FillInput = await read(request, FillInput)
    if not 1 <= body.count <= _FILL_MOST:
        raise Bad(f"`count` is 1 to {_FILL_MOST}.")
    unit = listener.unit
    before = unit.directory.timestamp
    has_pins = body.pins and "access.pin" in unit.directory.schema.leaves
    taken = {entry.get("access.pin") for entry in unit.directory.live()} if has_pins else set()
    free = (pin for number in range(10**8) if (pin := f"{10**7 + number * 7 % (9 * 10**7)}") not in taken)
    word = _OWNERS_WITH_NAMES.get(body.owner, "User")
    start = len(unit.directory)
    users: list[dict[str, Any]] = []
    for number in range(start + 1, start + body.count + 1):
        user: dict[str, Any] = {"uuid": str(uuids.uuid4()), "name": f"{word} {number}", "owner": body.owner}
        if has_pins:
            user["access"] = {"pin": next(free)}
        users.append(user)
    results = unit.directory.create(users, force=False)["users"]
    await unit.directory_changed(before)
    refused = [result["errors"][0]["code"] for result in results if "errors" in result]
    if len(refused) == len(results):
        raise Bad(f"The directory refuses: {refused[0]}", 409)
    return {"created": len(results) - len(refused), "refused": len(refused), "users": len(unit.directory)}


async def series(listener: Listener, request: web.Request) -> Done:
    """A new life of the directory, its entries kept unless told otherwise."""
    body: SeriesInput = await read(request, SeriesInput)
    await listener.unit.renew_directory(empty=body.empty)
    return {"series": listener.unit.directory.series, "users": len(listener.unit.directory)}


async def certificate(listener: Listener, _request: web.Request) -> Done:
    """A new certificate; connections are cut."""
    fingerprint = listener.new_certificate()
    if fingerprint is None:
        raise Bad("This intercom speaks plain HTTP; start the emulator with --tls.", 409)
    listener.unit.changed()
    return {"fingerprint": fingerprint}


async def address(listener: Listener, request: web.Request) -> Done:
    """The same intercom at another port, as after a change of its address; connections are cut."""
    body: AddressInput = await read(request, AddressInput)
    if not 0 <= body.port <= 65535:
        raise Bad("A port is 0 to 65535.")
    powered(listener.unit)
    try:
        await listener.move(body.port)
    except OSError as exc:
        raise Bad(f"Port {body.port} cannot be used.", 409) from exc
    return {"url": listener.url}


async def arm(listener: Listener, request: web.Request) -> Done:
    """Arm a fault."""
    body: FaultInput = await read(request, FaultInput)
    fault = listener.unit.faults.arm(body.kind, path=body.path, times=body.times, seconds=body.seconds)
    if fault.refuses_connections:
        listener.emulated.drop()
    return {}


async def clear(listener: Listener, request: web.Request) -> Done:
    """Disarm faults."""
    body: FaultKind = await read(request, FaultKind)
    listener.unit.faults.clear(body.kind)
    return {}


async def requests(listener: Listener, _request: web.Request) -> Done:
    """What was received."""
    return {"requests": list(listener.unit.requests)}


async def forget_requests(listener: Listener, _request: web.Request) -> Done:
    """An empty list of requests."""
    listener.unit.requests.clear()
    return {}


async def counters(listener: Listener, _request: web.Request) -> Done:
    """What was received, in numbers."""
    return listener.unit.counters.shown()


async def reset_counters(listener: Listener, _request: web.Request) -> Done:
    """Counts from zero."""
    listener.unit.counters.reset()
    return {}
