"""The event log: a ring of history and the channels that read it.

An event is encoded once, when it happens. A channel is a position in the ring plus a filter, not a queue, so a slow
reader costs nothing and loses only what the ring forgot. Everything here is lost at a reboot, history included
(HTTP API manual, api/log).
"""

import asyncio
import secrets
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from .auth import Privilege

BATCH: Final = 128

_IO = Privilege.IO_MONITORING
_KEYPAD = Privilege.KEYPAD_MONITORING
_UID = Privilege.UID_MONITORING
_PHONE = Privilege.PHONE_MONITORING

PRIVILEGE_OF: Final[dict[str, Privilege | None]] = {
    "DeviceState": None,
    "ConfigurationChanged": None,
    "CapabilitiesChanged": None,
    "DirectoryChanged": None,
    "DirectorySaved": None,
    "LoginBlocked": None,
    "DoorStateChanged": None,
    "DoorOpenTooLong": None,
    "UnauthorizedDoorOpen": None,
    "TamperSwitchActivated": None,
    "RexActivated": None,
    "AccessBlocked": None,
    "AccessTaken": None,
    "AccessLimited": None,
    "ApiAccessRequested": None,
    "InputChanged": _IO,
    "OutputChanged": _IO,
    "SwitchStateChanged": _IO,
    "SwitchOperationChanged": _IO,
    "KeyPressed": _KEYPAD,
    "KeyReleased": _KEYPAD,
    "CodeEntered": _KEYPAD,
    "CardEntered": _UID,
    "FingerEntered": _UID,
    "MobKeyEntered": _UID,
    "WaveKeyActivated": _UID,
    "LicensePlateRecognized": _UID,
    "UserAuthenticated": _UID,
    "UserRejected": _UID,
    "CallStateChanged": _PHONE,
    "CallSessionStateChanged": _PHONE,
}
"""Every event this emulator can report, with the check box an account needs to see it (manual, api/log/subscribe)."""


USER_EVENTS: Final = frozenset({"UserAuthenticated", "UserRejected"})
"""Where the manual leaves open whether a check box is needed."""


class Event(NamedTuple):
    """One line of the log."""

    id: int
    name: str
    at: int
    """Steady milliseconds, for `include=-t`."""
    json: bytes
    """The finished object as a pull sends it."""


@dataclass(slots=True)
class Channel:
    """One subscription."""

    id: int
    position: int
    """Id of the next event it has not seen."""
    names: frozenset[str] | None
    """None: all of them."""
    duration_ms: int
    expires_at: int
    """Steady milliseconds; each pull moves it on."""
    privileges: frozenset[Privilege]
    """Those of the account that opened it."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something came after the last look."""


class Log:
    """History and channels of one intercom."""

    def __init__(self, *, history: int, max_channels: int, open_to_all: frozenset[str] = frozenset()) -> None:
        """`open_to_all` names events that need no privilege after all."""
        self._open_to_all = open_to_all
        self.events: deque[Event] = deque(maxlen=history)
        self.next_id = 1
        self.more: dict[str, Any] = {}
        """Keys every line has beside the documented ones."""
        self._channels: dict[int, Channel] = {}
        self._max_channels = max_channels

    def append(self, name: str, params: dict[str, Any], *, at: int, utc: int, up: int, shift: int) -> None:
        """Write a line: `utc` and `up` in seconds, `shift` in minutes, `at` in steady milliseconds."""
        line = {
            **self.more,
            "id": self.next_id,
            "tzShift": shift,
            "utcTime": utc,
            "upTime": up,
            "event": name,
            "params": params,
        }
        self.events.append(Event(self.next_id, name, at, msgspec.json.encode(line)))
        self.next_id += 1
        for channel in self._channels.values():
            if channel.names is None or name in channel.names:
                channel.news.set()

    def subscribe(
        self,
        *,
        since_ms: int | None,
        names: frozenset[str] | None,
        duration_s: int,
        now: int,
        privileges: frozenset[Privilege],
    ) -> Channel:
        """Open a channel. `since_ms` is the steady time from which history is wanted; None wants none of it."""
        self._expire(now)
        if len(self._channels) >= self._max_channels:
            del self._channels[min(self._channels.values(), key=lambda c: c.expires_at - c.duration_ms).id]
        position = self.next_id
        if since_ms is not None:
            position = next((event.id for event in self.events if event.at >= since_ms), position)
        channel = Channel(
            id=self._free_id(),
            position=position,
            names=names,
            duration_ms=duration_s * 1000,
            expires_at=now + duration_s * 1000,
            privileges=privileges,
        )
        self._channels[channel.id] = channel
        return channel

    def find(self, channel_id: int, now: int) -> Channel | None:
        """The open channel, its idle time started again; None when unknown or expired."""
        self._expire(now)
        channel = self._channels.get(channel_id)
        if channel is not None:
            channel.expires_at = now + channel.duration_ms
        return channel

    def is_open(self, channel: Channel) -> bool:
        """False once it was unsubscribed or pushed out."""
        return self._channels.get(channel.id) is channel

    def unsubscribe(self, channel_id: int) -> None:
        """Close a channel and wake whoever waits on it."""
        channel = self._channels.pop(channel_id, None)
        if channel is not None:
            channel.news.set()

    def take(self, channel: Channel, privileges: frozenset[Privilege]) -> list[Event]:
        """Up to 128 events the channel has not seen and may see; moves its position."""
        channel.news.clear()
        taken: list[Event] = []
        if not self.events:
            return taken
        start = bisect_left(self.events, channel.position, key=_id_of)
        for event in islice(self.events, start, None):
            channel.position = event.id + 1
            needed = None if event.name in self._open_to_all else PRIVILEGE_OF.get(event.name)
            if (channel.names is None or event.name in channel.names) and (needed is None or needed in privileges):
                taken.append(event)
                if len(taken) == BATCH:
                    break
        return taken

    def clear(self) -> None:
        """What a reboot does: no history, no channels, ids from 1."""
        for channel_id in list(self._channels):
            self.unsubscribe(channel_id)
        self.events.clear()
        self.next_id = 1

    def _expire(self, now: int) -> None:
        for channel in [c for c in self._channels.values() if c.expires_at < now]:
            del self._channels[channel.id]

    def _free_id(self) -> int:
        while (found := secrets.randbits(32)) in self._channels or found == 0:
            pass
        return found

    # ------------------------------------------------------------ snapshots

    def save(self) -> dict[str, Any]:
        """History and the next id; channels are not kept."""
        return {"next": self.next_id, "events": [[e.name, e.at, e.id, msgspec.Raw(e.json)] for e in self.events]}

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`."""
        self.next_id = saved["next"]
        self.events.extend(_loaded(saved["events"]))


def _id_of(event: Event) -> int:
    return event.id


def _loaded(rows: Iterable[list[Any]]) -> Iterable[Event]:
    for name, at, event_id, line in rows:
        yield Event(event_id, name, at, msgspec.json.encode(line))
