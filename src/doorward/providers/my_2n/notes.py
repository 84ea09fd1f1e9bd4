"""What a 2N reports and nothing else here has a word for: alarms that stand, and notes that are kept as they are. Pure.

A note holds the members that are named here and no others, so no event can carry a PIN (`CodeEntered.code`), a card
(`CardEntered.uid`), a phone's key (`authid`) or a finger into it. Single digits (`KeyPressed`, `DtmfPressed`) spell
PINs and are not kept at all. Events that come by the dozen and say nothing of their own are not asked for:
`KeyReleased`, `CardHeld`, `OutputChanged`, `MotionDetected`, `NoiseDetected`, `CallSessionStateChanged`.
Source: HTTP API manual, api/log/pull (event catalogue).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from doorward.providers.events import Alarm

KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "AccessBlocked": ("ap", "state"),
    "AccessLimited": ("ap", "type", "state"),
    "AccessTaken": ("ap",),
    "ApLockStateChanged": ("ap", "state"),
    "CallStateChanged": ("direction", "state", "reason", "peer"),
    "CapabilitiesChanged": (),
    "ConfigurationChanged": (),
    "DeviceState": ("state",),
    "DoorOpenTooLong": ("state",),
    "DoorStateChanged": ("state",),
    "DtmfEntered": ("type", "valid"),
    "ErrorStateChanged": ("state", "reason"),
    "HardwareChanged": ("reason", "class", "id"),
    "InputChanged": ("port", "state"),
    "LoginBlocked": ("address",),
    "RegistrationStateChanged": ("sipAccount", "state"),
    "RexActivated": ("ap",),
    "SilentAlarm": ("ap", "uuid"),
    "SwitchOperationChanged": ("switch", "enabled", "locked", "held", "hold_timeout", "originator"),
    "SwitchStateChanged": ("switch", "state", "originator"),
    "SwitchesBlocked": ("state",),
    "TamperSwitchActivated": ("state",),
    "UnauthorizedDoorOpen": ("state",),
    "VirtualInputChanged": ("port", "state"),
}
"""Event → the members that are kept. `ApLockStateChanged` is what `AccessBlocked` was called before firmware 2.50."""

_ALARMS: Final = {
    "AccessBlocked": Alarm.ACCESS_BLOCKED,
    "ApLockStateChanged": Alarm.ACCESS_BLOCKED,
    "DoorOpenTooLong": Alarm.DOOR_HELD_OPEN,
    "SwitchesBlocked": Alarm.SWITCHES_BLOCKED,
    "UnauthorizedDoorOpen": Alarm.DOOR_FORCED,
}
_STATES: Final[Mapping[Any, bool]] = {"in": True, "out": False, True: True, False: False}
_ENTRY: Final = 0
"""The access point outside, where people come in."""
_TEXT: Final = re.compile(r"[\w .:+/@-]{1,120}")
_PEER: Final = re.compile(r"(sips?:)?[^:@]+(@[^@]+)?")
"""An address to call, without a password in it."""


def alarm(name: str, params: Mapping[str, Any]) -> tuple[Alarm, bool] | None:
    """The alarm an event is about, and whether it begins."""
    found, state = _ALARMS.get(name), params.get("state")
    is_on = _STATES.get(state) if isinstance(state, str | int) else None
    if found is None or is_on is None or (found is Alarm.ACCESS_BLOCKED and params.get("ap", _ENTRY) != _ENTRY):
        return None
    return found, is_on


def note(name: str, params: Mapping[str, Any]) -> dict[str, str | int | bool] | None:
    """What is kept of an event; None when it is not kept."""
    members = KEPT.get(name)
    if members is None:
        return None
    return {member: params[member] for member in members if member in params and _is_plain(member, params[member])}


def _is_plain(member: str, value: Any) -> bool:
    if isinstance(value, str):
        return _TEXT.fullmatch(value) is not None and (member != "peer" or _PEER.fullmatch(value) is not None)
    return isinstance(value, int) and abs(value) < 2**53
