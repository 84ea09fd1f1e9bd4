"""Troubles on order: what a test arms so that the next requests go wrong in one certain way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .directory import Directory, PinRule

KINDS: Final[dict[str, str]] = {
    "slow": "the answer, and what it does, wait `seconds` (5)",
    "reply-lost": "the request is carried out, then the line drops",
    "half-open": "nothing is done and nothing is answered; after `seconds`, if given, the line drops",
    "refuse": "connections are cut before anything is read",
    "busy-config": "as `refuse`, for 15 seconds: a configuration is being uploaded",
    "stale-nonce": "a good Digest answer is met by 401 with `stale=true`",
    "forget-nonces": "every nonce handed out becomes unknown: a plain 401",
    "transient-401": "a right password is met by 401, the nonce stays good",
    "no-privilege": "code 10, whatever the account may do",
    "unlicensed": "code 5 on all but `system/*`, as firmware before 2.35 answers without its licence",
    "http-500": "a text page with status 500; nothing is done",
    "http-502": "the same with 502, as a proxy in between answers",
    "http-503": "the same with 503",
    "truncate": "the request is carried out, the reply breaks off in its middle",
    "bad-json": "the request is carried out, the reply is whole and no JSON",
    "channel-gone": "a pull finds its log channel expired (code 12)",
    "late-poll": "an empty long poll is answered `seconds` (5) after its time-out",
    "drop-poll": "a long poll is cut after `seconds` (at once), its channel and events stay",
    "duplicate-events": "the events of a pull come again with the next one",
    "skip-ids": "ids jump ahead before an event; `path` is part of the event's name",
    "older-read": "`dir/query` and `dir/get` answer as the directory stood when this was armed",
    "partial-read": "`dir/query` leaves out the later half of what changed",
    "no-users": "`dir/query` answers without `users`",
    "directory-full": "new entries do not fit",
    "duplicate-pin": "with `times`, so many entries with a PIN are refused as if it were taken; without, PINs that "
    "another entry has are",
}
"""Every fault and what it does; a number in brackets is what stands for a missing `seconds`."""
ONCE: Final = frozenset(
    {"stale-nonce", "forget-nonces", "transient-401", "channel-gone", "duplicate-events", "skip-ids"}
)
"""Armed without a limit, these would lock every client out or never end; they strike once unless told otherwise."""
_LENGTH: Final = frozenset({"slow", "half-open", "late-poll", "drop-poll"})
"""Whose `seconds` are a length, not how long the fault stays armed."""
DEFAULT_SLOW_S: Final = 5.0
BUSY_S: Final = 15.0
REFUSING: Final = ("refuse", "busy-config")
ID_GAP: Final = 10
"""How many ids `skip-ids` leaves out."""


@dataclass(slots=True)
class Fault:
    """One armed fault; what each kind does is in `KINDS`."""

    kind: str
    path: str | None = None
    """Only requests whose path contains this; None: all."""
    times: int | None = None
    """How many requests (entries, for `directory-full` and `duplicate-pin`) suffer; None: all until cleared."""
    seconds: float | None = None
    """For `slow`, `half-open` and the two polls the length; for the others how long the fault stays armed."""
    until: int | None = None
    """Steady milliseconds at which it ends by itself."""
    old: Directory | None = None
    """For `older-read`: what is shown."""

    @property
    def refuses_connections(self) -> bool:
        """Does it cut connections, whatever is asked over them?"""
        return self.kind in REFUSING and self.path is None


class Faults:
    """The armed faults of one intercom."""

    def __init__(self, steady: Callable[[], int]) -> None:
        self._steady = steady
        self._armed: list[Fault] = []
        self.freeze: Callable[[], Directory] | None = None
        """Makes a copy of the directory as it stands."""

    def __bool__(self) -> bool:
        return bool(self._armed)

    def arm(
        self, kind: str, *, path: str | None = None, times: int | None = None, seconds: float | None = None
    ) -> Fault:
        """Arm a fault. Several of one kind are used up in the order they were armed.

        Raises: ValueError for an unknown kind or a number out of range.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}; known: {', '.join(sorted(KINDS))}.")
        if (times is not None and times < 1) or (seconds is not None and seconds < 0):
            raise ValueError("`times` is at least 1 and `seconds` is not negative.")
        if kind in ONCE and times is None and seconds is None:
            times = 1
        if kind == "busy-config" and seconds is None:
            seconds = BUSY_S
        lasts = seconds is not None and kind not in _LENGTH
        until = self._steady() + round((seconds or 0) * 1000) if lasts else None
        old = self.freeze() if kind == "older-read" and self.freeze is not None else None
        fault = Fault(kind, path, times, seconds, until, old)
        self._armed.append(fault)
        return fault

    def clear(self, kind: str | None = None) -> None:
        """Disarm all, or all of one kind."""
        self._armed = [fault for fault in self._armed if kind is not None and fault.kind != kind]

    def armed(self) -> tuple[Fault, ...]:
        """Those still waiting for a victim."""
        now = self._steady()
        self._armed = [fault for fault in self._armed if fault.until is None or fault.until > now]
        return tuple(self._armed)

    def take(self, kind: str, path: str) -> Fault | None:
        """Use up one occurrence of a fault that fits, or None."""
        if not self._armed:
            return None
        for fault in self.armed():
            if fault.kind == kind and (fault.path is None or fault.path in path):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._armed.remove(fault)
                return fault
        return None

    def refuses_all(self) -> bool:
        """Are new connections to be cut, whatever they want? Uses up one occurrence."""
        return any(self.take(fault.kind, "") for fault in self.armed() if fault.refuses_connections)

    def refuses(self, path: str) -> bool:
        """Is a request to be cut before anything is done? Uses up one occurrence."""
        return any(self.take(kind, path) for kind in REFUSING)

    # ------------------------------------------------------------ asked by the directory

    def is_full(self, function: str) -> bool:
        """`directory-full` is armed."""
        return self.take("directory-full", f"/api/dir/{function}") is not None

    def pin_rule(self, function: str) -> PinRule:
        """What `duplicate-pin` asks for."""
        path = f"/api/dir/{function}"
        for fault in self.armed():
            if fault.kind == "duplicate-pin" and (fault.path is None or fault.path in path):
                if fault.times is None:
                    return "unique"
                self.take("duplicate-pin", path)
                return "refuse"
        return "accept"
