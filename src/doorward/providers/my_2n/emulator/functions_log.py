"""`log/*`: subscribe, pull, unsubscribe. Source: HTTP API manual, api/log."""

import re
from typing import Final

from .auth import Privilege
from .call import Answer, Call, Result
from .counters import POLL
from .errors import invalid
from .faults import DEFAULT_SLOW_S
from .firmware import UNHEARD_EVENT
from .log import PRIVILEGE_OF, Channel, Event

_MAX_ID: Final = 2**32 - 1
_PHONE_EVENTS: Final = frozenset(n for n, p in PRIVILEGE_OF.items() if p is Privilege.PHONE_MONITORING)
_BEFORE: Final = re.compile(r"-[0-9]{1,10}")


def log_caps(call: Call) -> Result:
    """log/caps."""
    unit = call.unit
    absent = unit.firmware.absent_events | (frozenset() if unit.model.has_phone else _PHONE_EVENTS)
    more = [UNHEARD_EVENT] if unit.firmware.is_future else []
    return {"events": [name for name in PRIVILEGE_OF if name not in absent] + more}


def log_subscribe(call: Call) -> Result:
    """log/subscribe."""
    unit = call.unit
    now = unit.steady()
    include = call.params.get("include", "new")
    if include == "new":
        since_ms = None
    elif include == "all":
        since_ms = -(2**63)
    elif _BEFORE.fullmatch(include):
        since_ms = now + int(include) * 1000
    else:
        raise invalid("include")
    names: frozenset[str] | None = None
    if call.params.get("filter"):
        names = frozenset(name.strip() for name in call.params["filter"].split(","))
        if unit.quirks.refuse_unknown_filter and not names <= PRIVILEGE_OF.keys():
            raise invalid("filter")
    channel = unit.log.subscribe(
        since_ms=since_ms,
        names=names,
        duration_s=call.number("duration", 1, 3600, 90),
        now=now,
        privileges=call.privileges,
    )
    return {"id": channel.id}


async def log_pull(call: Call) -> Result:
    """log/pull: at once when something waits, else when it comes or the time is over."""
    unit = call.unit
    channel = _channel(call)
    timeout_s = call.number("timeout", 0, unit.quirks.max_pull_timeout_s, 0)
    until = unit.steady() + timeout_s * 1000
    while True:
        before = channel.position
        at_pull = unit.quirks.privileges_checked_at == "pull"
        events = unit.log.take(channel, call.privileges if at_pull else channel.privileges)
        left = until - unit.steady()
        if events or left <= 0 or not unit.log.is_open(channel):
            if not events and timeout_s and (late := unit.faults.take("late-poll", POLL)) is not None:
                await unit.clock.sleep(DEFAULT_SLOW_S if late.seconds is None else late.seconds)
            call.undo.append((channel, before))
            if events and unit.faults.take("duplicate-events", POLL):
                channel.position = before
            return _reply(events)
        await unit.clock.wait(channel.news, left / 1000)
        # Waiting is not idling. A channel that was closed meanwhile stays closed.
        channel.expires_at = unit.steady() + channel.duration_ms


def log_unsubscribe(call: Call) -> Result:
    """log/unsubscribe."""
    call.unit.log.unsubscribe(_channel(call).id)
    return None


def _channel(call: Call) -> Channel:
    channel = call.unit.log.find(call.number("id", 0, _MAX_ID), call.unit.steady())
    if channel is None:
        raise invalid("id")
    return channel


def _reply(events: list[Event]) -> Answer:
    return Answer(b'{"success":true,"result":{"events":[' + b",".join(event.json for event in events) + b"]}}")
