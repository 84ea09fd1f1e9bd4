"""Firmware generations: what an old device lacks and what a future one may add.

Nothing here changes while an intercom runs. What 2.1x lacked follows the HTTP API manual's history of its own
functions, where it tells; the names a future firmware adds are made up, so that nobody takes them for real.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .quirks import Quirks

UNHEARD_OF: Final = "unheardOf"
"""The key a future firmware adds to every object it answers with."""
UNHEARD_EVENT: Final = "UnheardOfHappened"
"""The event a future firmware reports after each of the events in `_FOLLOWED`."""
_FOLLOWED: Final = frozenset({"DeviceState", "SwitchStateChanged", "KeyReleased", "DirectoryChanged"})


@dataclass(frozen=True, slots=True)
class Firmware:
    """One generation."""

    key: str
    """Short name for options and snapshots: `old`."""
    sw_version: str | None = None
    """None: the model's own."""
    absent_paths: tuple[str, ...] = ()
    """Beginnings of paths that answer code 2."""
    absent_events: frozenset[str] = frozenset()
    absent_info: frozenset[str] = frozenset()
    """Keys that `system/info` lacks."""
    quirks: dict[str, Any] = field(default_factory=dict)
    """Which quirks it decides, whatever else was asked for."""
    has_numeric_states: bool = False
    """`state` is 1 or 0 in the events of switches, inputs and outputs (seen for switches; assumed for the others)."""
    is_future: bool = False
    """Unknown keys in every answer and unknown events."""

    def adapted(self, quirks: Quirks) -> Quirks:
        """Quirks as this firmware has them."""
        return replace(quirks, **self.quirks)

    def lacks(self, path: str) -> bool:
        """Is a path not there yet?"""
        return path.startswith(self.absent_paths)

    def event(self, name: str, params: dict[str, Any], report: Callable[[str, dict[str, Any]], None]) -> None:
        """Report an event the way this firmware does: not at all, in its own shape, or with one more."""
        if name in self.absent_events:
            return
        if self.has_numeric_states and isinstance(params.get("state"), bool):
            params = {**params, "state": int(params["state"])}
        report(name, params)
        if self.is_future and name in _FOLLOWED:
            report(UNHEARD_EVENT, {UNHEARD_OF: True})

    def reply(self, result: dict[str, Any]) -> dict[str, Any]:
        """A result as this firmware answers it: with unknown keys in it, if it is a future one."""
        return _extended(result) if self.is_future else result


def _extended(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: _extended(item) for name, item in value.items()}, UNHEARD_OF: 1}
    if isinstance(value, list):
        return [_extended(item) for item in value]
    return value


CURRENT: Final = Firmware("current")
OLD: Final = Firmware(
    "old",
    sw_version="2.16.0.26.1",
    absent_paths=(
        "/api/dir/",
        "/api/system/caps",
        "/api/system/time",
        "/api/system/devicename",
        "/api/accesspoint/",
        "/api/lift/",
        "/api/lpr/",
        "/api/mobilekey/",
        "/api/automation/",
        "/api/config/holidays",
        "/api/holidays",
        "/api/cert/",
        "/api/io/doorbell",
        "/api/display/text",
        "/api/display/language",
        "/api/phone/config",
    ),
    absent_events=frozenset(
        {
            "AccessBlocked",
            "AccessLimited",
            "AccessTaken",
            "ApiAccessRequested",
            "CapabilitiesChanged",
            "ConfigurationChanged",
            "DirectoryChanged",
            "DirectorySaved",
            "FingerEntered",
            "LicensePlateRecognized",
            "SwitchOperationChanged",
            "WaveKeyActivated",
        }
    ),
    absent_info=frozenset({"devType", "variantId", "customerId", "firmwarePackage", "bootUuid"}),
    quirks={
        "status_shows_locks": False,
        "numbers_in_switch_events": True,
        "history": 500,
        "unknown_code_rejects": False,
        "invalid_code_names_user": False,
    },
    has_numeric_states=True,
)
NEW: Final = Firmware("new", sw_version="9.9.0.99.1", is_future=True)

FIRMWARES: Final[dict[str, Firmware]] = {firmware.key: firmware for firmware in (CURRENT, OLD, NEW)}
"""Generations by their key."""
