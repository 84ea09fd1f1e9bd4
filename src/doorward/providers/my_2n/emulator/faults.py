"""Troubles on order: what a test arms so that the next requests go wrong in one certain way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .directory import PinRule

KINDS: Final = frozenset(
    {
        "slow",
        "reply-lost",
        "half-open",
        "refuse",
        "stale-nonce",
        "forget-nonces",
        "http-500",
        "truncate",
        "directory-full",
        "duplicate-pin",
    }
)
_ONCE: Final = frozenset({"stale-nonce", "forget-nonces"})
"""Armed without a limit, these would lock every client out; they strike once unless told otherwise."""
DEFAULT_SLOW_S: Final = 5.0


@dataclass(slots=True)
class Fault:
    """One armed fault.

    `slow`: the answer waits `seconds`. `reply-lost`: the request is carried out, then the line drops.
    `half-open`: nothing is done and nothing is answered. `refuse`: connections are cut before anything is read.
    `stale-nonce`: good Digest answers are met by `stale=true`. `forget-nonces`: they are met by a plain 401.
    `http-500`: a text page. `truncate`: the reply breaks off in its middle. `directory-full`: new entries do not fit.
    `duplicate-pin`: with `times`, so many entries with a PIN are refused as if it were taken; without, PINs that
    another entry has are.
    """

    kind: str
    path: str | None = None
    """Only requests whose path contains this; None: all."""
    times: int | None = None
    """How many requests (entries, for the two directory kinds) suffer; None: all until cleared."""
    seconds: float | None = None
    """For `slow` and `half-open` the length; for the others how long the fault stays armed."""
    until: int | None = None
    """Steady milliseconds at which it ends by itself."""


class Faults:
    """The armed faults of one intercom."""

    def __init__(self, steady: Callable[[], int]) -> None:
        self._steady = steady
        self._armed: list[Fault] = []

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
        if kind in _ONCE and times is None and seconds is None:
            times = 1
        lasts = seconds is not None and kind not in ("slow", "half-open")
        until = self._steady() + round((seconds or 0) * 1000) if lasts else None
        fault = Fault(kind, path, times, seconds, until)
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
        return any(f.kind == "refuse" and f.path is None for f in self.armed()) and self.take("refuse", "") is not None

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
