"""The control plane's actions that people, cars and electricians would do: keys, cards, the door, the power."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from aiohttp import web

from . import world
from .control_base import Action, Bad, Done, Input, powered, read
from .fields import UUID
from .listener import Listener
from .unit import Unit

_KEY: Final = re.compile(r"%[0-9]{1,3}|.", re.DOTALL)
_LONGEST_PLATE: Final = 12


class Keys(Input):
    keys: str | list[str]


class Card(Input):
    uid: str
    reader: str = "ext1"
    ap: Literal[0, 1] = 0


class Phone(Input):
    authid: str
    ap: Literal[0, 1] = 0


class Finger(Input):
    user: str | None = None
    """A UUID of the directory; None is nobody's finger."""
    ap: Literal[0, 1] = 0


class Plate(Input):
    plate: str
    ap: Literal[0, 1] = 0


class Level(Input):
    state: bool | Literal[0, 1]


class DoorState(Input):
    state: Literal["open", "closed"]


class Call(Input):
    session: int | None = None
    """None: the only one, or the oldest."""


class Outage(Input):
    outage: float = 2.0


class Nothing(Input):
    pass


async def keys(listener: Listener, request: web.Request) -> Done:
    """Keypad and call buttons, one after the other."""
    body: Keys = await read(request, Keys)
    pressed = _KEY.findall(body.keys) if isinstance(body.keys, str) else body.keys
    if not all(key in set("0123456789*#ABCD") or (key[:1] == "%" and key[1:].isdigit()) for key in pressed):
        raise Bad("A key is a digit, `*`, `#` or `%` with a number.")
    powered(listener.unit).press_keys(pressed)
    return {}


async def cards(listener: Listener, request: web.Request) -> Done:
    """A card at a reader."""
    body: Card = await read(request, Card)
    if not 6 <= len(body.uid) <= 32 or not set(body.uid.lower()) <= set("0123456789abcdef"):
        raise Bad("A card's uid is 6 to 32 hex digits.")
    return {"opened": powered(listener.unit).swipe(body.uid, body.reader, ap=body.ap)}


async def mobile_keys(listener: Listener, request: web.Request) -> Done:
    """A telephone with a mobile key."""
    body: Phone = await read(request, Phone)
    if not 1 <= len(body.authid) <= 64 or not set(body.authid.lower()) <= set("0123456789abcdef"):
        raise Bad("A mobile key's authid is 1 to 64 hex digits.")
    return {"opened": world.show_phone(powered(listener.unit), body.authid, body.ap)}


async def fingers(listener: Listener, request: web.Request) -> Done:
    """A finger on the reader."""
    body: Finger = await read(request, Finger)
    if body.user is not None and not UUID.fullmatch(body.user):
        raise Bad("`user` is the UUID of a directory user.")
    return {"opened": world.touch_finger(powered(listener.unit), body.user, body.ap)}


async def plates(listener: Listener, request: web.Request) -> Done:
    """A car whose licence plate a camera has read."""
    body: Plate = await read(request, Plate)
    if not 1 <= len(body.plate) <= _LONGEST_PLATE:
        raise Bad(f"A licence plate has 1 to {_LONGEST_PLATE} characters.")
    return {"opened": world.drive_up(powered(listener.unit), body.plate, body.ap)}


async def exit_button(listener: Listener, request: web.Request) -> Done:
    """The request-to-exit button, down and up."""
    await read(request, Nothing)
    world.press_exit_button(powered(listener.unit))
    return {}


async def inputs(listener: Listener, request: web.Request) -> Done:
    """An input's level."""
    body: Level = await read(request, Level)
    port = request.match_info["port"]
    if listener.unit.ports.types.get(port) != "input":
        raise Bad(f"There is no input {port!r}.", 404)
    powered(listener.unit).set_input(port, bool(body.state))
    return {}


async def door(listener: Listener, request: web.Request) -> Done:
    """The door, as its contact tells."""
    body: DoorState = await read(request, DoorState)
    try:
        powered(listener.unit).move_door(body.state == "open")
    except KeyError as exc:
        raise Bad(f"A {listener.unit.model.variant} has no input for a door contact.", 409) from exc
    return {}


async def answer(listener: Listener, request: web.Request) -> Done:
    """Somebody answers the call."""
    number = await _session(listener, request)
    listener.unit.calls.answer(number, listener.unit.steady())
    listener.unit.changed()
    return {"session": number}


async def hang_up(listener: Listener, request: web.Request) -> Done:
    """Somebody ends the call."""
    number = await _session(listener, request)
    listener.unit.calls.hang_up(number, "normal", listener.unit.steady())
    listener.unit.changed()
    return {"session": number}


async def _session(listener: Listener, request: web.Request) -> int:
    body: Call = await read(request, Call)
    sessions = powered(listener.unit).calls.sessions
    number = next(iter(sessions), None) if body.session is None else body.session
    if number is None or number not in sessions:
        raise Bad("There is no such call.", 404)
    return number


def power(act: Callable[[Unit, float], Awaitable[None]]) -> Action:
    """An outage. Answers as soon as the intercom is gone; it comes back by itself."""
    under_way: set[asyncio.Future[None]] = set()

    async def run(listener: Listener, request: web.Request) -> Done:
        body: Outage = await read(request, Outage)
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
