"""From 2N's words to `base.DeviceEvent`s. Pure: events in, events out.

2N tells one entry in several events that share a `session`: what was entered, whether it was accepted, and which
switch moved. The translator remembers sessions for a while, so that the door's movement can say who did it, and so
that one refused entry is told once. An accepted entry at a switch that is on already moves nothing: it is told by
itself, so that everybody is who comes while a door is held open. The clear-text code in `CodeEntered` is never looked
at.
Source: HTTP API manual, api/log/pull (event catalogue).
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from doorward.providers.events import (
    AccessDenied,
    AlarmChanged,
    CodesChanged,
    DeviceEvent,
    DoorbellRang,
    DoorMoved,
    LetIn,
    LockMoved,
    Method,
    Noted,
    Tampered,
)

from . import notes
from .intercom import Switch

NAMES: Final = tuple(
    dict.fromkeys(
        (
            "DirectoryChanged",
            "CodeEntered",
            "CardEntered",
            "FingerEntered",
            "MobKeyEntered",
            "LicensePlateRecognized",
            "ApiAccessRequested",
            "UserAuthenticated",
            "UserRejected",
            "KeyPressed",
            *notes.KEPT,
        )
    )
)
"""What is subscribed to. Privileges decide which of them an account is shown."""

SETTINGS_CHANGED: Final = frozenset({"ConfigurationChanged", "CapabilitiesChanged", "HardwareChanged"})
_ENTRIES: Final[dict[str, Method]] = {
    "CodeEntered": "keycode",
    "CardEntered": "card",
    "FingerEntered": "unknown",
    "MobKeyEntered": "unknown",
    "LicensePlateRecognized": "unknown",
    "ApiAccessRequested": "remote",
}
_METHODS: Final[dict[str, Method]] = {
    "api": "remote",
    "rex": "manual",
    "uni": "keycode",
    "profile": "automatic",
    "zone": "automatic",
    "automation": "automatic",
}
"""Originator of a switch's movement → Seam's word; anything else is `unknown`."""
_SESSIONS: Final = 64
_REASON: Final = re.compile(r"[A-Za-z]{1,40}")
_KEY: Final = re.compile(r"%[0-9]{1,4}")
_UUID: Final = re.compile(r"[0-9A-Fa-f-]{1,64}")
_UNNAMED: Final = "invalidCredential"
"""The reason when the device gives none: older firmware stops at the entry."""


@dataclass(slots=True)
class _Session:
    """One entry at an access point."""

    method: Method = "unknown"
    code_ref: str | None = None
    is_told: bool = False
    """Its refusal was told."""
    entry: str | None = None
    """Key of its acceptance."""
    has_moved: bool = False
    """A switch moved for it."""


@dataclass(slots=True)
class Translated:
    """What a batch of the device's events means."""

    events: list[DeviceEvent] = field(default_factory=list)
    is_stale: bool = False
    """Settings or the device itself changed: ask it how it stands."""


class Translator:
    """One device's events, in their order. `number` is the access switch."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._sessions: OrderedDict[int, _Session] = OrderedDict()
        self._denied: dict[int, AccessDenied] = {}
        self._let_in: LetIn | None = None
        self._rose_up_s: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Something is held back: a refusal, whose reason the device may name any moment, or an entry, for which it may
        say that a switch moved."""
        return bool(self._denied) or self._let_in is not None

    def reset(self) -> None:
        """The device booted: sessions start anew."""
        self._sessions.clear()
        self._denied.clear()
        self._rose_up_s = None

    def translate(self, batch: list[dict[str, Any]], *, boot: str, switch: Switch, skew_s: int, now: int) -> Translated:
        """A batch as `log/pull` gave it. `switch` are the access switch's settings, `skew_s` the device's clock ahead
        of ours, `now` our clock in milliseconds."""
        result = Translated()
        held_back, let_in = set(self._denied), self._let_in
        if let_in is not None:
            result.events.append(let_in)
        directory: CodesChanged | None = None
        for event in batch:
            name, params = event.get("event"), event.get("params")
            if not isinstance(name, str) or not isinstance(params, Mapping):
                continue
            # A device that does not name its boots starts its numbers again unnoticed: then the time tells apart.
            key = f"{boot or '@' + str(event.get('utcTime'))}:{event.get('id')}"
            at = occurred_at(event, skew_s=skew_s, now=now)
            if name in SETTINGS_CHANGED or (name == "DeviceState" and params.get("state") == "startup"):
                result.is_stale = True
            elif name == "SwitchOperationChanged":
                result.is_stale |= params.get("switch") == self._number and "enabled" in params
            elif name == "DirectoryChanged":
                # A batch may hold hundreds; one reading of the directory answers them all.
                directory = CodesChanged(key, at)
            elif name in _ENTRIES:
                self._entered(name, params, key, at)
            elif name == "UserAuthenticated":
                self._accepted(params, key, at, result)
            elif name == "UserRejected":
                self._rejected(params, key, at, result)
            else:
                told = self._moved(name, params, key, at, switch, event)
                if told is not None:
                    result.events.append(told)
            if name == "SwitchStateChanged":
                self._explained(params, switch, result)
            self._noted(name, params, key, at, result)
        # The switch moves at once, so only the last word of a batch can be missing the rest, and only once.
        last = result.events[-1] if result.events else None
        self._let_in = last if isinstance(last, LetIn) and last is not let_in else None
        if self._let_in is not None:
            result.events.pop()
        # What was held back once and is still unexplained has no reason of its own.
        for number in held_back & self._denied.keys():
            result.events.append(self._denied.pop(number))
        if directory is not None:
            result.events.append(directory)
        return result

    # ------------------------------------------------------------ entries

    def _session(self, params: Mapping[str, Any]) -> _Session:
        number = params.get("session")
        if not isinstance(number, int):
            return _Session()
        session = self._sessions.get(number)
        if session is None:
            session = self._sessions[number] = _Session()
            if len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def _entered(self, name: str, params: Mapping[str, Any], key: str, at: int) -> None:
        session = self._session(params)
        session.method, session.has_moved = _ENTRIES[name], False
        session.code_ref = _ref(params) or session.code_ref
        number = params.get("session")
        if params.get("valid") is not False or session.is_told:
            return
        session.is_told = True
        if isinstance(number, int):
            self._denied[number] = AccessDenied(key, at, _UNNAMED, session.code_ref)

    def _rejected(self, params: Mapping[str, Any], key: str, at: int, result: Translated) -> None:
        session = self._session(params)
        _withdraw(session, result)
        reason = params.get("reason")
        word = reason if isinstance(reason, str) and _REASON.fullmatch(reason) else _UNNAMED
        number = params.get("session")
        waiting = self._denied.pop(number, None) if isinstance(number, int) else None
        if waiting is not None:
            # The entry's key: it stays the same whether the two came together or apart.
            result.events.append(AccessDenied(waiting.key, waiting.occurred_at, word, _ref(params) or waiting.code_ref))
        elif not session.is_told:
            session.is_told = True
            result.events.append(AccessDenied(key, at, word, _ref(params) or session.code_ref))

    def _accepted(self, params: Mapping[str, Any], key: str, at: int, result: Translated) -> None:
        session = self._session(params)
        session.code_ref = _ref(params) or session.code_ref
        session.entry = f"{key}:entry"
        if not session.has_moved and isinstance(params.get("session"), int):
            result.events.append(LetIn(session.entry, at, session.method, session.code_ref))

    def _explained(self, params: Mapping[str, Any], switch: Switch, result: Translated) -> None:
        """A switch moved: the door's, which says by itself who was let in, or another one, so that it was not the door
        which this session opened. Only the end of a pulse says nothing, whoever had begun it."""
        session = self._session(params)
        if params.get("state") or (switch.is_bistable and params.get("switch") == self._number):
            session.has_moved = True
            _withdraw(session, result)

    # ------------------------------------------------------------ what has no other word

    def _noted(self, name: str, params: Mapping[str, Any], key: str, at: int, result: Translated) -> None:
        if (alarm := notes.alarm(name, params)) is not None:
            result.events.append(AlarmChanged(key, at, *alarm))
        if name == "SwitchStateChanged" and params.get("switch") == self._number:
            return  # the door itself
        if (data := notes.note(name, params)) is not None:
            result.events.append(Noted(f"{key}:noted", at, name, data))

    # ------------------------------------------------------------ doors and keys

    def _moved(
        self, name: str, params: Mapping[str, Any], key: str, at: int, switch: Switch, event: Mapping[str, Any]
    ) -> DeviceEvent | None:
        state = params.get("state")
        if name == "SwitchStateChanged" and params.get("switch") == self._number and isinstance(state, int):
            return self._switched(params, key, at, switch, event)
        if name == "DoorStateChanged" and state in ("opened", "closed"):
            return DoorMoved(key, at, is_open=state == "opened")
        if name == "TamperSwitchActivated" and state == "in":
            return Tampered(key, at)
        if name == "KeyPressed":
            button = params.get("key")
            if isinstance(button, str) and _KEY.fullmatch(button):
                return DoorbellRang(key, at, button=button[1:])
        return None

    def _switched(
        self, params: Mapping[str, Any], key: str, at: int, switch: Switch, event: Mapping[str, Any]
    ) -> LockMoved:
        is_active = bool(params.get("state"))
        originator = params.get("originator")
        up_s = event.get("upTime")
        if is_active:
            self._rose_up_s = up_s if isinstance(up_s, int) else None
        elif self._fell_back(switch, up_s):
            return LockMoved(key, at, locked=True, method="automatic")
        if originator in ("ap", "auth"):
            session = self._session(params)
            who = session.method, session.code_ref
            return LockMoved(key, at, not is_active, *who, entry=session.entry if is_active else None)
        return LockMoved(key, at, locked=not is_active, method=_METHODS.get(str(originator), "unknown"))

    def _fell_back(self, switch: Switch, up_s: Any) -> bool:
        """A monostable switch went off by itself: its pulse was not cut short. Times are whole seconds."""
        if switch.is_bistable:
            return False
        rose, self._rose_up_s = self._rose_up_s, None
        return rose is None or not isinstance(up_s, int) or up_s - rose >= switch.pulse_s - 1


def _withdraw(session: _Session, result: Translated) -> None:
    """Its entry is not told by itself."""
    result.events[:] = [e for e in result.events if not (isinstance(e, LetIn) and e.key == session.entry)]


def occurred_at(event: Mapping[str, Any], *, skew_s: int, now: int) -> int:
    """When it happened, in milliseconds of our clock. The device tells whole seconds: the moment within that second
    which is nearest to now, and never later: a clock that was set since may say so."""
    utc_s = event.get("utcTime")
    if not isinstance(utc_s, int):
        return now
    return max(0, min(now, (utc_s - skew_s) * 1000 + 999))


def _ref(params: Mapping[str, Any]) -> str | None:
    uuid = params.get("uuid")
    return uuid if isinstance(uuid, str) and _UUID.fullmatch(uuid) else None
