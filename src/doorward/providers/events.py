"""What happens at devices, in the server's own words: a driver that watches yields these."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from doorward.providers.reports import DeviceReport

Method = Literal["keycode", "manual", "automatic", "unknown", "remote", "card"]
"""How a door was moved, in Seam's words."""


@dataclass(frozen=True)
class DeviceEvent:
    """Something that happened at a device. `key` is unique for the device: repeats are dropped by it."""

    key: str
    occurred_at: int


@dataclass(frozen=True)
class LockMoved(DeviceEvent):
    """The door was locked or unlocked."""

    locked: bool
    method: Method
    code_ref: str | None = None
    """The directory user who did it, when the device says."""
    entry: str | None = None
    """The key of the `LetIn` that this movement stands for: of the two, the first is told of."""


@dataclass(frozen=True)
class LetIn(DeviceEvent):
    """Somebody was let in, and the lock did not move: it was unlocked already, or nobody may see it move."""

    method: Method
    code_ref: str | None = None
    """The directory user, when the device says."""


@dataclass(frozen=True)
class AccessDenied(DeviceEvent):
    """Somebody was refused. `reason` is a word of the device, never the PIN."""

    reason: str
    code_ref: str | None = None


@dataclass(frozen=True)
class DoorMoved(DeviceEvent):
    """The door leaf, where a contact is wired."""

    is_open: bool


@dataclass(frozen=True)
class DoorbellRang(DeviceEvent):
    """Somebody pressed a call button."""

    button: str


@dataclass(frozen=True)
class Tampered(DeviceEvent):
    """The housing was opened."""


@dataclass(frozen=True)
class CodesChanged(DeviceEvent):
    """The device's directory was edited, by us or by others: read it again."""


@dataclass(frozen=True)
class StateRead(DeviceEvent):
    """A fresh report: after connecting, after a restart of the device, after a change of its settings.

    It comes after the events that it includes, so that it has the last word.
    """

    report: DeviceReport


class Alarm(enum.StrEnum):
    """A condition that a device reports when it begins and when it ends; the value is our own warning code."""

    DOOR_FORCED = "doorward_door_forced_open"
    DOOR_HELD_OPEN = "doorward_door_held_open"
    SWITCHES_BLOCKED = "doorward_switches_blocked"
    ACCESS_BLOCKED = "doorward_access_blocked"


@dataclass(frozen=True)
class AlarmChanged(DeviceEvent):
    """An alarm began or ended."""

    alarm: Alarm
    is_on: bool


@dataclass(frozen=True)
class AlarmsForgotten(DeviceEvent):
    """Alarms from before are no longer known to stand: the device booted, or a part of its log is missing.

    Not told where there was no bookmark: whoever begins anew knows of no alarms.
    """


@dataclass(frozen=True)
class Noted(DeviceEvent):
    """Something of the brand's own that has no other name here: kept as it is, for whoever looks."""

    name: str
    """The device's word."""
    data: Mapping[str, str | int | bool] = field(default_factory=dict)
    """Never a PIN, a card's number or a key that was pressed."""


class Bookmark:
    """How far a device's log was read, in its driver's own words.

    Whoever watches hands it in and keeps its value (None: from now on); the driver moves it on when what was told
    before has been taken. So a kept value may lag, which costs repeats, but never runs ahead. `moved` is called
    whenever the driver has moved it.
    """

    __slots__ = ("_moved", "value")

    def __init__(self, value: str | None = None, moved: Callable[[], None] | None = None) -> None:
        self.value = value
        self._moved = moved

    def move(self, value: str) -> None:
        """For the driver: everything up to here was taken."""
        self.value = value
        if self._moved is not None:
            self._moved()
