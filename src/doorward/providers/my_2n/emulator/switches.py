"""Switches: pulses, latches, locks and holds.

Three layers decide whether a switch is on: a lock forces it off, else a hold forces it on, else its own pulse or
latch counts. Times are steady milliseconds and belong to the state, so that a snapshot can resume them.
Source: HTTP API manual, api/switch; power cycle rules from the access unit configuration manual.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from . import errors
from .quirks import Quirks

Mode = Literal["monostable", "bistable"]
ACTIONS: Final = frozenset({"on", "off", "trigger", "lock", "unlock", "hold", "release"})
MAX_HOLD_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class SwitchConfig:
    """The settings of one switch."""

    enabled: bool = True
    mode: Mode = "monostable"
    duration: int = 5
    """Seconds a monostable switch stays on."""
    type: Literal["normal", "security", "inverted"] = "normal"
    codes: tuple[str, ...] = ()
    """Universal codes: anyone who knows one operates this switch. Not visible in the directory."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who moved a switch, as events tell it."""

    originator: str
    """`api`, `ap`, `rex`, `uni`, …"""
    ap: int | None = None
    session: int | None = None

    def params(self) -> dict[str, Any]:
        """The event parameters: absent ones left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


API: Final = Origin("api")


class Switch:
    """One switch.

    `report(name, params, at)` receives the events; `drive(active, at)` the output's state after they were reported.
    """

    def __init__(
        self,
        number: int,
        config: SwitchConfig,
        quirks: Quirks,
        report: Callable[[str, dict[str, Any], int], None],
        drive: Callable[[bool, int], None],
    ) -> None:
        self.number = number
        self.config = config
        self.latched = False
        self.pulse_until: int | None = None
        self.locked = False
        self.held = False
        self.hold_until: int | None = None
        self.hold_timeout_s: int | None = None
        self._origin = API
        self._quirks = quirks
        self._report = report
        self._drive = drive

    @property
    def active(self) -> bool:
        """The logical state: is the door released?"""
        if not self.config.enabled or self.locked:
            return False
        return self.held or self.latched or self.pulse_until is not None

    # ------------------------------------------------------------ actions

    def act(self, action: str, now: int, *, origin: Origin = API, timeout_s: int | None = None) -> None:
        """Do one of the seven actions.

        Raises: ApiError 14 `action failed` when the wanted state cannot be reached.
        """
        if not self.config.enabled or (action in ("on", "trigger") and self.locked) or (action == "off" and self.held):
            raise errors.ApiError(errors.PROCESSING, description="action failed")
        was = self.active
        if action == "on" or (action == "trigger" and self.config.mode == "monostable"):
            self._start(now)
        elif action == "off":
            self._stop()
        elif action == "trigger":
            self.latched = not self.latched
        elif action in ("lock", "unlock"):
            self._lock(action == "lock", origin, now)
        else:
            self._hold(action == "hold", timeout_s, origin, now)
        self._settle(was, origin, now)

    def _start(self, now: int) -> None:
        if self.config.mode == "bistable":
            self.latched = True
        elif self.pulse_until is None or self._quirks.on_prolongs_pulse:
            self.pulse_until = now + self.config.duration * 1000

    def _stop(self) -> None:
        self.latched = False
        self.pulse_until = None

    def _lock(self, wanted: bool, origin: Origin, now: int) -> None:
        if wanted:
            self.pulse_until = None
            if self._quirks.lock_clears_latch:
                self.latched = False
        if wanted != self.locked:
            self.locked = wanted
            self._report(
                "SwitchOperationChanged",
                {"switch": self.number, "locked": wanted, "originator": origin.originator},
                now,
            )

    def _hold(self, wanted: bool, timeout_s: int | None, origin: Origin, now: int) -> None:
        changed: dict[str, Any] = {}
        if wanted != self.held:
            changed["held"] = wanted
        if wanted and timeout_s != self.hold_timeout_s:
            changed["hold_timeout"] = timeout_s or 0
        self.held = wanted
        self.hold_timeout_s = timeout_s if wanted else None
        self.hold_until = now + timeout_s * 1000 if wanted and timeout_s else None
        if changed:
            self._report(
                "SwitchOperationChanged", {"switch": self.number, **changed, "originator": origin.originator}, now
            )

    def _settle(self, was: bool, origin: Origin, now: int) -> None:
        if self.active == was:
            return
        if self.active:
            self._origin = origin
        state = int(self.active) if self._quirks.numbers_in_switch_events else self.active
        self._report("SwitchStateChanged", {"switch": self.number, "state": state, **origin.params()}, now)
        self._drive(self.active, now)

    # ------------------------------------------------------------ time and power

    def due_at(self) -> int | None:
        """When something happens by itself."""
        if self.pulse_until is None or self.hold_until is None:
            return self.pulse_until if self.hold_until is None else self.hold_until
        return min(self.pulse_until, self.hold_until)

    def wake(self, at: int) -> None:
        """Let happen what is due."""
        was = self.active
        if self.pulse_until is not None and self.pulse_until <= at:
            self.pulse_until = None
        if self.hold_until is not None and self.hold_until <= at:
            self._hold(False, None, self._origin, at)
        self._settle(was, self._origin, at)

    def configure(self, config: SwitchConfig, now: int) -> None:
        """New settings; switching off ends pulse, latch and hold but not a lock."""
        was, enabled = self.active, self.config.enabled
        if not config.enabled or config.mode != self.config.mode:
            self._stop()
        if not config.enabled:
            self.held, self.hold_until, self.hold_timeout_s = False, None, None
        self.config = config
        if config.enabled != enabled:
            self._report("SwitchOperationChanged", {"switch": self.number, "enabled": config.enabled}, now)
        self._settle(was, Origin("profile"), now)

    def lose_power(self) -> None:
        """A lock survives, a hold and a pulse do not; no event is left to tell of it."""
        self.pulse_until = None
        if not self._quirks.latch_survives_boot:
            self.latched = False
        self.held, self.hold_until, self.hold_timeout_s = False, None, None

    # ------------------------------------------------------------ what callers see

    def caps(self) -> dict[str, Any]:
        """One member of `switch/caps`."""
        if not self.config.enabled:
            return {"switch": self.number, "enabled": False}
        return {
            "switch": self.number,
            "enabled": True,
            "mode": self.config.mode,
            "switchOnDuration": self.config.duration,
            "type": self.config.type,
        }

    def status(self, now: int) -> dict[str, Any]:
        """One member of `switch/status`."""
        shown: dict[str, Any] = {"switch": self.number, "active": self.active}
        if not self._quirks.status_shows_locks:
            return shown
        shown |= {"locked": self.locked, "held": self.held}
        if self.hold_until is not None:
            remaining = -((now - self.hold_until) // 1000)
            shown["holdTimeout"] = remaining if self._quirks.hold_timeout_is_remaining else self.hold_timeout_s
        return shown

    def save(self) -> dict[str, Any]:
        """State and settings."""
        return {
            "config": asdict(self.config),
            "latched": self.latched,
            "pulse_until": self.pulse_until,
            "locked": self.locked,
            "held": self.held,
            "hold_until": self.hold_until,
            "hold_timeout_s": self.hold_timeout_s,
            "origin": asdict(self._origin),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`."""
        config = saved["config"]
        self.config = SwitchConfig(**{**config, "codes": tuple(config["codes"])})
        self.latched = saved["latched"]
        self.pulse_until = saved["pulse_until"]
        self.locked = saved["locked"]
        self.held = saved["held"]
        self.hold_until = saved["hold_until"]
        self.hold_timeout_s = saved["hold_timeout_s"]
        self._origin = Origin(**saved["origin"])
