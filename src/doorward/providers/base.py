"""What a brand must do, in the server's own words.

A **provider** is a brand behind connected accounts (`my_2n`). It shows a login form, opens **links**, and a link
is an open, authenticated connection to one connected account. What a link can do is said by the small protocols
below: a brand implements the ones its hardware has, and Seam's `can_…` flags follow from that.

Nothing here knows HTTP routes, SQL or wire shapes. A driver turns its library's failures into the errors at the
end of this file: they are named after *what we do next*, and carry no secret, no PIN and no response body.
"""

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

# ---------------------------------------------------------------- logging in


@dataclass(frozen=True)
class Field:
    """One input of a login form."""

    name: str
    label: str
    kind: str = "text"
    """`text`, `email` or `password`: the type of the HTML input. `lines`: several values, one a line. `select`: one of
    `options`. `confirm`: a box to tick, shown only when `AskAgain` names it."""
    autocomplete: str = "off"
    hint: str = ""
    is_required: bool = True
    options: tuple[tuple[str, str], ...] = ()
    """Value and text; the first one is chosen at first."""


@dataclass(frozen=True)
class LoginForm:
    """What a person types to log in."""

    title: str
    intro: str
    fields: tuple[Field, ...]
    button: str = "Log in and continue"
    busy: str = "Checking your login…"
    """What the button says while the form is on its way."""
    finds: str = ""
    """Name of the `lines` field whose values the provider can find by itself (`Discovers`)."""


@dataclass(frozen=True)
class Place:
    """Whose login it is: a provider keeps workspaces apart, and sandboxes away from real hardware."""

    workspace_id: str
    is_sandbox: bool


@dataclass(frozen=True)
class OfferedDevice:
    """A device of the account that a person may choose."""

    ref: str
    name: str
    detail: str = ""
    """Model, address: what helps a person to tell it from its neighbours."""
    facts: tuple[tuple[str, str], ...] = ()
    """What a person should see before trusting it with a password: name and value."""
    is_kept_without_login: bool = True
    """False: a device nobody logged in to is left out, not stored."""
    reach: Mapping[str, str] = field(default_factory=dict)
    """What the provider needs to reach it again during this login."""
    stands_at: tuple[str, ...] = ()
    """What else it is known by when failed logins are counted: names are many, and lead to one device."""


@dataclass(frozen=True)
class AccountLogin:
    """A login that worked."""

    identity: Mapping[str, str]
    """Who logged in: members of Seam's `user_identifier` (`email`, `username`, …). Names the account for good. Empty:
    its first device names it."""
    display_name: str
    secret: Mapping[str, Any]
    """What is needed to open the account again. Stored encrypted."""
    devices: tuple[OfferedDevice, ...]
    notes: tuple[str, ...] = ()
    """Sentences for the person: what did not work beside what did."""
    is_direct: bool = False
    """The devices are reached without an account of the brand: one that this workspace has already stays in the
    account it is in, whoever logs in to it."""


@dataclass(frozen=True)
class DeviceLogin:
    """A device's own login that worked (brands whose devices each have one)."""

    secret: Mapping[str, Any]
    """Stored encrypted."""
    device: OfferedDevice | None = None
    """Who it turned out to be; None: as it was offered."""
    notes: tuple[str, ...] = ()
    """Sentences for the person: what this device will not be able to do, and how to mend it."""


Known = Mapping[str, Mapping[str, Any]]
"""Device ref → its own secret: the devices of this brand that the workspace has already."""


@dataclass(frozen=True)
class AccountAccess:
    """What a link is opened with: the secrets stored at login time."""

    place: Place
    secret: Mapping[str, Any]
    devices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Device ref → its own secret. A device whose login is missing is not in it."""


# ---------------------------------------------------------------- what devices say


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


# ---------------------------------------------------------------- what happens at devices


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


# ---------------------------------------------------------------- links


class Link(Protocol):
    """An open connection to one connected account. `device` is always the provider's ref."""

    async def read_device(self, device: str) -> DeviceReport:
        """Ask the device who it is and how it stands. Raises: Offline, NotAuthorized, Refused."""

    async def close(self) -> None:
        """Let go of every connection. Never raises."""


@runtime_checkable
class Locks(Protocol):
    """Locks and unlocks. Each call reaches the device **at most once**; `timeout` is the time left, in seconds.

    Raises: Offline (the device was surely not reached), NotAuthorized, Refused, OutcomeUnknown.
    """

    async def lock(self, device: str, timeout: float) -> Moved: ...

    async def unlock(self, device: str, timeout: float) -> Moved: ...


@runtime_checkable
class ProgramsCodes(Protocol):
    """Reads, sets and removes PINs."""

    async def read_codes(self, device: str, place: str | None = None, *, whole: bool = False) -> CodesRead:
        """The codes on the device, ours and others': what changed since `place`, or all of them.

        Without a place, with one that the device cannot go on from, or with `whole`, everything is read. The caller
        keeps the new place once it has stored what was read, so a place never promises more than is known.
        A read that was cut short raises (it never looks like an empty one), and so does a reply from before `place`.

        Raises: Offline, NotAuthorized, Unsupported, DoubtfulAnswer, Refused.
        """

    async def set_code(self, device: str, code: WantedCode) -> Written:
        """Make the device hold this code. Calling it again with the same code changes nothing.

        Raises: Offline, NotAuthorized, CodeRejected, DuplicateCode, NoRoom, Unsupported, OutcomeUnknown.
        """

    async def remove_code(
        self, device: str, ref: str, *, takes_over: TakeOver = TakeOver.NOTHING, is_found: bool = False
    ) -> None:
        """Removing what is not there succeeds; what is not ours is refused (Refused), unless it may be taken over.

        `is_found`: it was not made here. If it serves for more than its PIN (a card, a call), only the PIN goes.
        """


@runtime_checkable
class ProgramsManyCodes(Protocol):
    """Sets several new codes in few writes."""

    async def set_codes(self, device: str, codes: Sequence[WantedCode]) -> "list[Written | ProviderError]":
        """As `set_code` for each: an outcome each, in their order. Raises what stops all: Offline, NotAuthorized."""


@runtime_checkable
class ActsAsOwner(Protocol):
    """Does at a virtual device what its owner would do at a real one. Devices of production workspaces refuse."""

    async def add_foreign_code(self, device: str, name: str, pin: str) -> FoundCode:
        """Somebody else adds a code at the device.

        Raises: Offline, NotAuthorized, CodeRejected, DuplicateCode, NoRoom, Unsupported, OutcomeUnknown.
        """


@runtime_checkable
class TakesPictures(Protocol):
    """Has a camera, or models of it have. Asking changes nothing; a picture is of now and never a kept one."""

    async def picture_settings(self, device: str) -> PictureSettings:
        """Sizes and sources that may be asked for.

        Raises: Offline, NotAuthorized, Refused, Unsupported when this device has no camera.
        """

    async def take_picture(self, device: str, width: int, height: int, source: str) -> bytes:
        """A JPEG of at most 8 MiB, checked to be one. Size and source are of those that `picture_settings` tells.

        Raises: Offline, NotAuthorized, Refused, Unsupported.
        """


@dataclass(frozen=True)
class SwitchChosen:
    """Another of a device's switches can stand for its door."""

    secret: Mapping[str, Any]
    """What to set in the device's stored login: later links then use this switch."""
    report: DeviceReport
    """The device as it is with this switch for its door."""


@runtime_checkable
class ChoosesSwitch(Protocol):
    """Has several switches, one of which stands for the door."""

    async def choose_switch(self, device: str, number: int) -> SwitchChosen:
        """Ask the device about one of its switches. Nothing is changed, neither there nor on this link.

        Raises: Offline, NotAuthorized, Refused; Unsupported when it has no such switch or it is disabled.
        """


@runtime_checkable
class Watches(Protocol):
    """Tells what happens at a device."""

    def watch(self, device: str, bookmark: Bookmark | None = None) -> AsyncIterator[DeviceEvent]:
        """What happened since the bookmark as far as the device remembers, then a `StateRead`, then events as they
        happen. Without a bookmark the first one is the `StateRead`. Ends only by an error or by being closed.

        Raises: Offline, NotAuthorized, Refused. Reconnecting is the caller's.
        """

    def abandon(self) -> None:
        """From now on nothing is sent to any device, not even that a watch ends: there is no time left for it. Every
        call under way or to come ends soon, by an error. `close` follows.
        """


# ---------------------------------------------------------------- providers


class TwinStore(Protocol):
    """Where a brand keeps its virtual devices (sandbox workspaces only). State is the brand's own bytes."""

    async def find(self, workspace_id: str, brand: str, owner: str) -> list[tuple[str, bytes]]:
        """Ref and state of every twin that this login owns, in order of creation."""

    async def load(self, workspace_id: str, brand: str, ref: str) -> bytes | None: ...

    async def save(self, workspace_id: str, brand: str, owner: str, ref: str, state: bytes) -> None:
        """Durable when it returns."""

    async def forget(self, workspace_id: str) -> None:
        """Remove every twin of a workspace."""


@dataclass(frozen=True)
class Model:
    """A model of a brand's devices."""

    name: str
    has_camera: bool = True


class Provider(Protocol):
    """A brand."""

    key: str
    """Seam's `device_provider_name`, e.g. `my_2n`."""
    display_name: str
    categories: tuple[str, ...]
    abilities: tuple[str, ...]
    """Seam capability flags that devices of this brand can have."""
    device_type: str
    """Seam's device type, for a device that could not be asked yet."""
    manufacturer: str
    """Seam's manufacturer key."""
    models: tuple[Model, ...]
    """What can be connected, by the maker's own names."""

    def account_form(self, place: Place) -> LoginForm:
        """The first form of a login."""

    def device_form(self, place: Place) -> LoginForm | None:
        """Not None: each chosen device needs a login of its own."""

    async def log_in(self, place: Place, values: Mapping[str, str]) -> AccountLogin:
        """Check an account's login and list its devices. Raises: NotAuthorized, Offline, Refused."""

    async def log_in_device(
        self, place: Place, account: AccountLogin, ref: str, values: Mapping[str, str], known: Known
    ) -> DeviceLogin:
        """Check a device's own login; moves nothing and stores nothing.

        Raises: NotAuthorized, Offline, Refused, Unsupported, AskAgain.
        """

    async def open(self, access: AccountAccess) -> Link:
        """A link to the account. Opens no connection before it is used."""

    async def close(self) -> None:
        """Stop everything, virtual devices included, keeping their state."""


@runtime_checkable
class HasTwins(Protocol):
    """Has virtual devices in sandbox workspaces."""

    async def forget_twins(self, workspace_id: str) -> None:
        """A sandbox is reset: its virtual devices end, and their state with them."""

    async def plug_twin(self, workspace_id: str, account: Mapping[str, Any], ref: str, *, is_in: bool) -> None:
        """A virtual device loses its power until further notice, or has it again; kept over restarts. `account`: its
        account's secret. Raises: Offline when there is no such virtual device."""

    async def enter_code_at_twin(self, workspace_id: str, account: Mapping[str, Any], ref: str, pin: str) -> bool:
        """Somebody types a PIN at a virtual device's keypad: whether it lets in. What happens then, the device tells.
        Raises: Offline when there is no such virtual device, or it has no power."""


@runtime_checkable
class Discovers(Protocol):
    """Finds devices that can be connected by their address."""

    async def discover(self, place: Place, known: Known) -> list[OfferedDevice]:
        """What answers right now, as far as it can be told; `ref` is what a person would type. What is `known` is
        said to be: it may be connected again, and is not taken for new. Never raises for trouble on the network, and
        takes some seconds at most."""


# ---------------------------------------------------------------- troubles
#
# ProviderError
# ├ Offline                 wait; the device's own state, not the code's or the command's fault
# ├ NotAuthorized           stop the device (or account), ask the owner to log in again
# ├ Unsupported             say so; try rarely, in case the device changes
# ├ Refused                 retry with back-off, counted
# │ ├ DoubtfulAnswer        believe nothing of it; read again later
# │ ├ CodeRejected          say why on the code; try rarely
# │ ├ DuplicateCode         say which one, if known
# │ ├ NoRoom                try again when a code leaves
# │ └ NotOurs               leave it alone
# ├ AskAgain                a person must say one more thing, at login
# └ OutcomeUnknown          the line broke after sending: read back before anything else; a command ends here


class ProviderError(Exception):
    """The device or its provider could not do it."""

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message or self.__doc__ or "")
        self.message = str(self)
        """A whole sentence for a person: what happened and, where we know, what to do."""
        self.code = code
        """The vendor's own code, for diagnosis."""
        self.more: tuple[str, ...] = ()
        """Further sentences, where several things are wrong at once."""


class Offline(ProviderError):
    """The device did not answer."""


class AccountDisconnected(Offline):
    """The connected account is disconnected. Connect it again, and log in."""


class NotAuthorized(ProviderError):
    """The device refused the login."""

    def __init__(self, message: str = "", *, code: str | None = None, missing: str | None = None) -> None:
        super().__init__(message, code=code)
        self.missing = missing
        """The privilege the account lacks, when the login itself was right."""


class AskAgain(ProviderError):
    """A person has to confirm something before the login goes on."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field
        """Name of the `confirm` field that is to be shown."""


class Unsupported(ProviderError):
    """The device cannot do this."""


class Refused(ProviderError):
    """The device refused."""


class DoubtfulAnswer(Refused):
    """The device's answer is older than what it told before, or was cut short."""


class CodeRejected(Refused):
    """The device does not accept this access code."""


class DuplicateCode(Refused):
    """The device already has a code with this PIN."""

    def __init__(self, message: str = "", *, code: str | None = None, ref: str | None = None) -> None:
        super().__init__(message, code=code)
        self.ref = ref
        """The handle of the code that has it."""


class NoRoom(Refused):
    """The device's memory for codes is full."""


class NotOurs(Refused):
    """What is to be written belongs to somebody else, or is gone; it was left alone."""


class OutcomeUnknown(ProviderError):
    """The connection broke after the request was sent: it may or may not have been carried out."""
