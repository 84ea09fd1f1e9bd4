"""Is this login good enough? Asked of a device before it is connected, service by service, without moving anything.

Everything that is wrong is told at once, since mending it means a walk through the device's own pages. A wrong
password ends the check: devices block whoever goes on guessing. Nothing is stored; dying half way costs nothing.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from doorward.providers.errors import NotAuthorized, ProviderError, Refused

from . import facts
from .client import TwoNClient
from .troubles import (
    DeviceTrouble,
    LineTrouble,
    LoginNeeded,
    LoginRefused,
    NotSupported,
    PasswordAsked,
    Refusal,
    UnknownPath,
    outward,
)

WRONG_LOGIN: Final = (
    "The device does not accept this user name and password. They are those of an HTTP API account, not of the web "
    "interface: on the device under Services / HTTP API / Account, where the account must also be enabled."
)
NO_DIRECTORY: Final = (
    "This firmware has no directory service, so the device can be unlocked but cannot hold access codes. Update its "
    "firmware to 2.37 or later, then connect it again."
)
_SERIAL: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{2,39}")
_LOST: Final = "Until then, what happens at the door is not told as events."


@dataclass(frozen=True)
class Checked:
    """A device that can be connected."""

    serial: str
    name: str
    model: str
    notes: tuple[str, ...]
    """What it will not be able to do, and how to mend it."""


class _Round:
    """One check after the other; what went wrong is gathered."""

    def __init__(self, wrong_login: str) -> None:
        self._wrong_login = wrong_login
        self.wrong: list[ProviderError] = []
        self.notes: list[str] = []

    async def ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, or None when it was a refusal. Raises what ends the whole check."""
        try:
            return await call()
        except (LoginRefused, LoginNeeded) as trouble:
            raise NotAuthorized(self._wrong_login) from trouble
        except PasswordAsked:
            raise
        except LineTrouble as trouble:
            raise outward(trouble) from trouble
        except DeviceTrouble as trouble:
            self.fail(outward(trouble))
            return None

    def fail(self, error: ProviderError) -> None:
        """One more thing that is wrong."""
        if error.message not in {one.message for one in self.wrong}:
            self.wrong.append(error)


async def check(client: TwoNClient, number: int, *, wrong_login: str) -> Checked:
    """Try what the driver will need; `number` is the switch that is to be the door, `wrong_login` what is said when
    user name and password are not accepted.

    Raises: NotAuthorized for a wrong login, with `missing` when the account lacks a privilege; Offline; Refused;
    Unsupported; PasswordAsked. Further things that are wrong stand in `more`.
    """
    round_ = _Round(wrong_login)
    info = await round_.ask(client.system_info) or {}
    await round_.ask(client.system_status)
    await _directory(round_, client)
    rows = await round_.ask(client.switch_caps)
    if rows is not None:
        _switch(round_, rows, number)
        await round_.ask(lambda: client.check_switch_control(number))
    await _log(round_, client)
    serial = facts.line(info.get("serialNumber"))
    if info and not _SERIAL.fullmatch(serial):
        round_.fail(Refused("The device does not tell its serial number, so it cannot be recognized again."))
    if round_.wrong:
        first = round_.wrong[0]
        first.more = tuple(error.message for error in round_.wrong[1:])
        raise first
    model = facts.line(info.get("variant")) or "2N IP intercom"
    return Checked(serial, facts.line(info.get("deviceName")) or model, model, tuple(round_.notes))


async def _directory(round_: _Round, client: TwoNClient) -> None:
    """Access codes live in the directory; without one the device is a lock and no more."""

    async def call() -> None:
        try:
            await client.dir_template()
        except (UnknownPath, NotSupported):
            round_.notes.append(NO_DIRECTORY)

    await round_.ask(call)


async def _log(round_: _Round, client: TwoNClient) -> None:
    """Events come from the log; without it the device is asked how it stands from time to time."""

    async def call() -> None:
        try:
            await client.log_caps()
        except (LoginNeeded, LoginRefused):
            raise
        except Refusal as refusal:
            round_.notes.append(f"{outward(refusal).message} {_LOST}")

    await round_.ask(call)


def _switch(round_: _Round, rows: list[dict[str, Any]], number: int) -> None:
    enabled = [row["switch"] for row in rows if row.get("enabled") is True and isinstance(row.get("switch"), int)]
    if number in enabled:
        return
    there = any(row.get("switch") == number for row in rows)
    what = f"Switch {number} is disabled on the device" if there else f"The device has no switch {number}"
    others = " and ".join(str(one) for one in enabled)
    hint = f"; enabled: {others}" if enabled else ""
    round_.fail(Refused(f"{what}{hint}. Choose another one, or enable it under Hardware / Switches."))
