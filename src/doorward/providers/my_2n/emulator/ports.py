"""Inputs and outputs, and the door that hangs on one of the inputs.

`input1` is the door contact and `input2` the request-to-exit button, unless configured otherwise. An output is on
when its switch or `io/ctrl` says so. Source: HTTP API manual, api/io and the door events of api/log/pull.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .model import Model

Report = Callable[[str, dict[str, Any], int], None]
GRACE_MS: Final = 3000
"""A door may still be opened so long after the switch fell back (assumed)."""


@dataclass(frozen=True, slots=True)
class DoorConfig:
    """How the door is wired. Assumed defaults; on hardware all of it is configuration."""

    contact: str | None = "input1"
    """The door contact's input: 1 is open. None: no door sensor, no door events."""
    exit_button: str | None = "input2"
    """The request-to-exit button."""
    open_too_long_s: float = 60.0
    """From opening to `DoorOpenTooLong`."""


class Ports:
    """All inputs and outputs of one intercom."""

    def __init__(self, model: Model, report: Report) -> None:
        self.types = dict(model.ports)
        self._report = report
        self._inputs = {name: False for name, kind in model.ports if kind == "input"}
        self._by_switch = {name: False for name, kind in model.ports if kind == "output"}
        self._by_hand = dict(self._by_switch)

    def state(self, port: str) -> bool:
        """A port's level.

        Raises: KeyError for an unknown port.
        """
        if self.types[port] == "input":
            return self._inputs[port]
        return self._by_switch[port] or self._by_hand[port]

    def set_input(self, port: str, state: bool, now: int) -> bool:
        """Drive an input; false when it was so already.

        Raises: KeyError when it is not an input.
        """
        if self._inputs[port] == state:
            return False
        self._inputs[port] = state
        self._report("InputChanged", {"port": port, "state": state}, now)
        return True

    def drive(self, port: str, state: bool, now: int, *, by_hand: bool = False) -> None:
        """Drive an output, for a switch or for `io/ctrl`."""
        was = self.state(port)
        (self._by_hand if by_hand else self._by_switch)[port] = state
        if self.state(port) != was:
            self._report("OutputChanged", {"port": port, "state": self.state(port)}, now)

    def lose_power(self) -> None:
        """Outputs fall; inputs are what the world makes them."""
        for port in self._by_hand:
            self._by_hand[port] = self._by_switch[port] = False

    def save(self) -> dict[str, Any]:
        """All levels."""
        return {"inputs": self._inputs, "by_switch": self._by_switch, "by_hand": self._by_hand}

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`; ports the model has not are dropped."""
        for mine, theirs in (
            (self._inputs, saved["inputs"]),
            (self._by_switch, saved["by_switch"]),
            (self._by_hand, saved["by_hand"]),
        ):
            mine.update({port: state for port, state in theirs.items() if port in mine})


class Door:
    """What a door contact tells: opened rightly, forced, or left open."""

    def __init__(self, config: DoorConfig, report: Report) -> None:
        self.config = config
        self.is_open = False
        self.is_forced = False
        self.is_late = False
        self.too_long_at: int | None = None
        self._released_at: int | None = None
        self._entry: tuple[int, int] | None = None
        self._report = report

    def released(self, now: int) -> None:
        """The access switch is on, or just fell back."""
        self._released_at = now

    def admitted(self, ap: int, session: int) -> None:
        """Somebody was let in; the next opening takes that access."""
        self._entry = (ap, session)

    def moved(self, is_open: bool, now: int, *, is_released: bool) -> None:
        """The contact changed; `is_released` says whether the switch is on at this moment."""
        self.is_open = is_open
        self._report("DoorStateChanged", {"state": "opened" if is_open else "closed"}, now)
        if is_open:
            self._opened(now, is_released)
            return
        if self.is_forced:
            self._report("UnauthorizedDoorOpen", {"state": "out"}, now)
        if self.is_late:
            self._report("DoorOpenTooLong", {"state": "out"}, now)
        self.is_forced = self.is_late = False
        self.too_long_at = None

    def _opened(self, now: int, is_released: bool) -> None:
        recently = self._released_at is not None and now - self._released_at <= GRACE_MS
        if not is_released and not recently:
            self.is_forced = True
            self._report("UnauthorizedDoorOpen", {"state": "in"}, now)
        elif self._entry is not None:
            ap, session = self._entry
            self._report("AccessTaken", {"ap": ap, "session": session}, now)
        self._entry = None
        self.too_long_at = now + round(self.config.open_too_long_s * 1000)

    def wake(self, at: int) -> None:
        """The door has been open for too long."""
        self.too_long_at = None
        self.is_late = True
        self._report("DoorOpenTooLong", {"state": "in"}, at)

    def save(self) -> dict[str, Any]:
        """All of it."""
        return {
            "open": self.is_open,
            "forced": self.is_forced,
            "late": self.is_late,
            "too_long_at": self.too_long_at,
            "released_at": self._released_at,
            "entry": self._entry,
        }

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`."""
        self.is_open, self.is_forced, self.is_late = saved["open"], saved["forced"], saved["late"]
        self.too_long_at, self._released_at = saved["too_long_at"], saved["released_at"]
        self._entry = (saved["entry"][0], saved["entry"][1]) if saved["entry"] else None
