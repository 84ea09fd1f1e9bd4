"""What the control plane's actions share: how a body is read, and how a senseless request is refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from .listener import Listener
from .unit import Unit

Done = dict[str, Any] | list[Any]
Action = Callable[[Listener, web.Request], Awaitable[Done]]


class Bad(Exception):
    """A request that makes no sense; becomes an answer with `status`."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """Bodies, by request; a field that is not there keeps what was."""


async def read(request: web.Request, kind: type[Any]) -> Any:
    """A request's body as `kind`. Raises: Bad."""
    data = await request.read()
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except msgspec.ValidationError as exc:
        raise Bad(str(exc)) from exc
    except msgspec.DecodeError as exc:
        raise Bad("The body is not JSON.") from exc


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that were sent."""
    return {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not None}


def powered(unit: Unit) -> Unit:
    """The unit. Raises: Bad when it is off."""
    if unit.is_off:
        raise Bad("The intercom is off.", 409)
    return unit
