"""What every event carries. One class per event type; its docstring is its documentation.

Members whose value is a PIN are named in `__secret__`: they are stored encrypted and put back when the event is read.
A member that is `UNSET` is left out.
"""

from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType


class Event(msgspec.Struct, kw_only=True):
    """Something that became true."""

    __event_type__: ClassVar[str] = ""
    __secret__: ClassVar[tuple[str, ...]] = ()


class AboutAccount(Event, kw_only=True):
    """Events of a connected account."""

    connected_account_id: str
    connected_account_custom_metadata: dict[str, Any] | UnsetType = UNSET
    customer_key: str | UnsetType = UNSET


class AboutDevice(AboutAccount, kw_only=True):
    """Events of a device."""

    device_id: str
    device_custom_metadata: dict[str, Any] | UnsetType = UNSET


class DeviceTrouble(AboutDevice, kw_only=True):
    """Something is wrong with a device; all that was wrong at the time."""

    device_errors: list[dict[str, Any]] = []
    device_warnings: list[dict[str, Any]] = []
    connected_account_errors: list[dict[str, Any]] = []
    connected_account_warnings: list[dict[str, Any]] = []


TYPES: dict[str, type[Event]] = {}
"""Event type → its class."""


def event(event_type: str, *secret: str) -> Any:
    """Class decorator: this class is that event type; `secret` names the members that hold PINs."""

    def register(cls: type[Event]) -> type[Event]:
        cls.__event_type__ = event_type
        cls.__secret__ = secret
        TYPES[event_type] = cls
        return cls

    return register
