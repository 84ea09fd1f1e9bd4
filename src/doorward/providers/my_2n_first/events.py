"""2N's events in our words.

Events of one authentication share a `session`: who it was comes with `UserAuthenticated`, what moved with
`SwitchStateChanged`. PINs that devices put into events (`CodeEntered.code`, every `KeyPressed`) are never kept.

Source: HTTP API manual, api/log/pull (catalogue of events).
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from doorward.providers.base import (
    AccessDenied,
    CodesChanged,
    DeviceEvent,
    DoorbellRang,
    DoorMoved,
    LockMoved,
    Tampered,
)

METHODS = {
    "CodeEntered": "keycode",
    "CardEntered": "card",
    "CardHeld": "card",
    "FingerEntered": "unknown",
    "MobKeyEntered": "unknown",
    "LicensePlateRecognized": "unknown",
}
ORIGINS = {
    # Who moved the switch → Seam's method, where no session tells more.
    "api": "remote",
    "rex": "manual",
    "idt": "manual",
    "dtmf": "remote",
    "auth": "unknown",
    "uni": "keycode",
    "profile": "automatic",
    "automation": "automatic",
    "zone": "unknown",
}
SESSIONS_KEPT = 64


@dataclass
class _Session:
    """What is known of one authentication."""

    method: str = "unknown"
    user: str | None = None
    denied: tuple[str, int, str | None] | None = None
    """Event key, time and user of a refusal that has not been told yet."""
    is_told: bool = False


def key_of(event: dict[str, Any]) -> str:
    """Names an event for good: ids start again at 1 after a reboot, but not in the same second."""
    return f"{event.get('id')}@{event.get('utcTime')}"


class Interpreter:
    """Reads one device's log. Batches must come in order."""

    def __init__(self, access_switch: int, *, is_monostable: bool) -> None:
        self._switch = access_switch
        self.is_monostable = is_monostable
        self._sessions: OrderedDict[int, _Session] = OrderedDict()

    def read(self, batch: Iterable[dict[str, Any]]) -> Iterator[DeviceEvent]:
        """What a batch of events means to us; most events mean nothing."""
        for event in batch:
            params = event.get("params")
            found = self._one(
                str(event.get("event")),
                params if isinstance(params, dict) else {},
                key_of(event),
                int(event.get("utcTime") or 0) * 1000,
            )
            if found is not None:
                yield found
        # A refusal waits for the end of its batch, for the device may say the reason in a later event.
        for session in self._sessions.values():
            if session.denied is not None:
                key, at, user = session.denied
                session.denied, session.is_told = None, True
                yield AccessDenied(key, at, reason="invalidCredential", code_ref=user)

    def _session(self, params: dict[str, Any]) -> _Session:
        number = params.get("session")
        if not isinstance(number, int):
            return _Session()
        session = self._sessions.setdefault(number, _Session())
        while len(self._sessions) > SESSIONS_KEPT:
            self._sessions.popitem(last=False)
        return session

    def _one(self, name: str, params: dict[str, Any], key: str, at: int) -> DeviceEvent | None:
        user = str(params["uuid"]).lower() if params.get("uuid") else None
        if name in METHODS:
            session = self._session(params)
            session.method = METHODS[name]
            session.user = user or session.user
            if params.get("valid") is False and not session.is_told:
                session.denied = (key, at, user)
            return None
        if name == "UserAuthenticated":
            session = self._session(params)
            session.user, session.denied = user or session.user, None
            return None
        if name == "UserRejected":
            session = self._session(params)
            if session.is_told:
                return None
            session.denied, session.is_told = None, True
            return AccessDenied(key, at, reason=str(params.get("reason") or "unknown"), code_ref=user or session.user)
        if name == "SwitchStateChanged" and params.get("switch") == self._switch:
            return self._moved(params, key, at)
        if name == "DoorStateChanged":
            return DoorMoved(key, at, is_open=params.get("state") == "opened")
        if name == "KeyPressed" and str(params.get("key", "")).startswith("%"):
            return DoorbellRang(key, at, button=str(params["key"]))
        if name == "TamperSwitchActivated" and params.get("state") == "in":
            return Tampered(key, at)
        if name == "DirectoryChanged":
            return CodesChanged(key, at)
        return None

    def _moved(self, params: dict[str, Any], key: str, at: int) -> LockMoved:
        is_on = bool(params.get("state"))
        if not is_on and self.is_monostable:
            # The pulse is over: nobody did that.
            return LockMoved(key, at, locked=True, method="automatic")
        origin = str(params.get("originator", ""))
        session = self._session(params)
        method = session.method if origin == "ap" else ORIGINS.get(origin, "unknown")
        return LockMoved(key, at, locked=not is_on, method=method, code_ref=session.user if origin == "ap" else None)
