"""What a brand must do, in the server's own words.

A **provider** is a brand behind connected accounts (`my_2n`). It shows a login form, opens **links**, and a link
is an open, authenticated connection to one connected account. What a link can do is said by the small protocols
below: a brand implements the ones its hardware has, and Seam's `can_…` flags follow from that.

What devices say is in `reports`, what happens at them in `events`, what goes wrong in `errors`. None of these knows
HTTP routes, SQL or wire shapes.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from doorward.providers.errors import ProviderError
from doorward.providers.events import Bookmark, DeviceEvent
from doorward.providers.reports import (
    CodesRead,
    DeviceReport,
    FoundCode,
    Moved,
    PictureSettings,
    TakeOver,
    WantedCode,
    Written,
)

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
