"""What devices say of themselves and of their codes, and what they are asked to hold."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Issue(enum.StrEnum):
    """A standing condition of a device that its reader should know; the value is its code: Seam's, where it has one."""

    TWO_N_MISSING_TIME_ZONE = "two_n_device_missing_timezone"
    # Ours: Seam has no word for these.
    CLOCK_WRONG = "device_clock_wrong"
    TWO_N_DIRECTORY_UNAVAILABLE = "two_n_device_directory_unavailable"
    TWO_N_FIRMWARE_OUTDATED = "two_n_device_firmware_outdated"
    TWO_N_SWITCH_UNAVAILABLE = "two_n_device_door_switch_unavailable"


@dataclass(frozen=True)
class DeviceReport:
    """A device as it says it is, now."""

    ref: str
    """The provider's own name for it, stable for its life (2N: the serial number)."""
    device_type: str
    name: str
    manufacturer: str
    model: str
    serial_number: str | None
    locked: bool | None
    """None: it cannot tell."""
    code_lengths: tuple[int, ...] = ()
    """PIN lengths it takes; empty when it takes no PINs."""
    code_constraints: tuple[Mapping[str, Any], ...] = ()
    """What else a PIN or its name must be like, in Seam's words: `{"constraint_type": "no_zeros"}` …"""
    max_codes: int | None = None
    keeps_schedules: bool = False
    """True: a code may be given its start and end, and the device minds them by itself."""
    door_open: bool | None = None
    has_entry_events: bool = False
    time_zone: str | None = None
    clock_skew_s: int | None = None
    """Seconds that the device's own clock is ahead of ours, coarsely; None when it does not tell. A driver lets it
    change only when it has changed noticeably: each change is a new state of the device."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Members of the brand's own block (`two_n_metadata`), beside `device_name`."""
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class Moved:
    """A lock or unlock that the device has carried out."""

    locked: bool | None
    """The state after it, as far as the device says so."""
    confirmed: bool
    """True: read back or answered by the device itself, not assumed."""


class TakeOver(enum.IntEnum):
    """Which entries that are not ours may become ours: never those that another system keeps in step."""

    NOTHING = 0
    UNCLAIMED = 1
    """An entry that carries nobody's tag."""
    CLAIMED = 2
    """One that carries another integration's tag, too."""


@dataclass(frozen=True)
class WantedCode:
    """A code the device should hold."""

    code_id: str
    ref: str
    """Our handle on the device (2N: the directory user's UUID, chosen by us)."""
    name: str
    pin: str
    starts_at: int | None = None
    """Milliseconds since 1970, None: from now."""
    ends_at: int | None = None
    """Milliseconds since 1970, None: for good."""
    takes_over: TakeOver = TakeOver.NOTHING
    """It was found on the device, and somebody asked to manage it from now on. It is not made anew when it is gone."""

    def __repr__(self) -> str:
        return f"WantedCode(code_id={self.code_id!r}, ref={self.ref!r}, …)"


@dataclass(frozen=True)
class FoundCode:
    """A code read from the device."""

    ref: str
    is_ours: bool
    """It carries our owner tag. What does not is never changed and never deleted."""
    name: str
    pin: str | None
    """None: there is one, but it cannot be read."""
    starts_at: int | None
    ends_at: int | None
    is_claimed: bool = False
    """It carries the tag of another integration, or of another workspace's."""
    is_kept_elsewhere: bool = False
    """Another system maintains it (a cloud, an access manager): it cannot be taken over, and not be deleted here."""

    def __repr__(self) -> str:
        return f"FoundCode(ref={self.ref!r}, is_ours={self.is_ours}, …)"


@dataclass(frozen=True)
class CodesRead:
    """What a read of a device's codes showed. It is complete for its kind: what was cut short raises instead."""

    codes: tuple[FoundCode, ...]
    """Whole: every code on the device. Else: those that were added or changed since the place."""
    gone: tuple[str, ...] = ()
    """Refs of entries that the device says are deleted, or have no code any more. Whole: empty, absence says it."""
    is_whole: bool = True
    place: str | None = None
    """Where the next read goes on, in the driver's own words; None: it can only read everything."""
    is_reset: bool = False
    """The place that was given belongs to a directory that is no more (a factory reset, a restored backup)."""

    def __repr__(self) -> str:
        return f"CodesRead({len(self.codes)} codes, {len(self.gone)} gone, is_whole={self.is_whole})"


class Written(enum.Enum):
    """What became of a code we wrote."""

    UNCHANGED = "unchanged"
    """The device already held exactly this."""
    CONFIRMED = "confirmed"
    """Written and read back."""
    ACCEPTED = "accepted"
    """The device took it, but it has not been seen there yet."""


@dataclass(frozen=True)
class PictureSettings:
    """Which pictures a device's camera takes."""

    sizes: tuple[tuple[int, int], ...]
    """Width and height in pixels, smallest first; never empty."""
    sources: tuple[str, ...]
    """`internal`, `external` or both, the device's own first."""
