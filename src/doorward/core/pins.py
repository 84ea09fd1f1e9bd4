"""PINs: which a device takes, which nobody should have, and how they are kept.

A PIN is stored sealed, and found again by a keyed hash of its own for each device; nothing here writes.
"""

import itertools
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from doorward.core import devices
from doorward.core.context import Core
from doorward.errors import DeviceTypeNotSupported, InvalidInput, Unavailable
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes as store
from doorward.store.access_codes import CodeRow
from doorward.store.db import Reader
from doorward.store.devices import DeviceRow

PIN = "an access code's PIN"


def pin_of(core: Core, row: CodeRow) -> str | None:
    return core.vault.open(row.code_sealed, PIN) if row.code_sealed else None


def is_pin(text: str) -> bool:
    """Some device may take it."""
    return text.isascii() and text.isdigit() and 4 <= len(text) <= 12


def check_pin(pin: str, report: DeviceReport) -> None:
    """Digits, of a length the device takes."""
    if not is_pin(pin):
        raise InvalidInput.of("code", "Must be 4 to 12 digits")
    if len(pin) not in report.code_lengths:
        lengths = ", ".join(str(n) for n in report.code_lengths)
        raise InvalidInput.of("code", f"This device takes codes of {lengths} digits")
    for constraint in report.code_constraints:
        if not satisfies(pin, constraint):
            raise InvalidInput.of("code", f"This device has a rule for codes: {constraint['constraint_type']}")


def satisfies(pin: str, constraint: Mapping[str, Any]) -> bool:
    """Whether a PIN keeps one of Seam's `code_constraints`; those that are not about the digits are kept by any."""
    gaps = [int(b) - int(a) for a, b in itertools.pairwise(pin)]
    match constraint.get("constraint_type"):
        case "no_zeros":
            return "0" not in pin
        case "cannot_contain_089":
            return not set(pin) & set("089")
        case "cannot_contain_0789":
            return not set(pin) & set("0789")
        case "cannot_start_with_12":
            return not pin.startswith("12")
        case "no_triple_consecutive_ints":
            return not any(two in ((1, 1), (-1, -1)) for two in itertools.pairwise(gaps))
        case "no_ascending_or_descending_sequence":
            return set(gaps) not in ({1}, {-1})
        case "at_least_three_unique_digits":
            return len(set(pin)) >= 3
        case "no_all_same_digits":
            return len(set(pin)) > 1
    return True


def is_guessable(pin: str) -> bool:
    """What a stranger tries first: one digit or two, a run, a group that is repeated, a date or a year."""
    gaps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    half = len(pin) // 2
    is_repeated = len(pin) % 2 == 0 and pin[:half] == pin[half:]
    return len(gaps) == 1 or len(set(pin)) < 3 or is_repeated or _is_date(pin)


def _is_date(pin: str) -> bool:
    """A day and a month in any order, with a year of two or four digits or none; or a year of a living person."""

    def is_day(pair: str) -> bool:
        one, other = sorted((int(pair[:2]), int(pair[2:])))
        return 1 <= one <= 12 and 1 <= other <= 31

    def is_year(text: str) -> bool:
        return 1900 <= int(text) <= 2099

    match len(pin):
        case 4:
            return is_day(pin) or is_year(pin)
        case 6:
            return is_day(pin[:4]) or is_day(pin[2:])
        case 8:
            return (is_day(pin[:4]) and is_year(pin[4:])) or (is_year(pin[:4]) and is_day(pin[4:]))
    return False


def _candidates(
    lengths: Collection[int], constraints: Collection[Mapping[str, Any]], length: float | None
) -> Iterator[str]:
    """PINs drawn at random that keep the rules and nobody guesses first: of `length` if that is among the lengths,
    else of the shortest. Five hundred, then it is given up."""
    digits = int(length) if length is not None and length in lengths else min(lengths)
    for _ in range(500):
        pin = f"{secrets.randbelow(10**digits):0{digits}d}"
        if not is_guessable(pin) and all(satisfies(pin, one) for one in constraints):
            yield pin


async def is_free(read: Reader, core: Core, device: DeviceRow, pin: str) -> bool:
    """No code of the device has this PIN, managed or not, now or later."""
    digest = pin_hash(core, device, pin)
    return not await store.has_hash(read, device.workspace_id, device.device_id, digest)


async def random_pin(
    read: Reader, core: Core, device: DeviceRow, report: DeviceReport, length: float | None
) -> tuple[str, str]:
    """A PIN that nobody has on this device, and its hash. `length` if the device takes it, else its shortest."""
    for pin in _candidates(report.code_lengths, report.code_constraints, length):
        if await is_free(read, core, device, pin):
            return pin, pin_hash(core, device, pin)
    raise Unavailable("No free PIN was found on this device. Ask for a longer one with preferred_code_length.")


async def common_pin(
    read: Reader, core: Core, among: Sequence[tuple[DeviceRow, DeviceReport]], length: float | None
) -> str | None:
    """A PIN that all of these devices take and nobody has on any of them; None: there is none."""
    lengths = set.intersection(*(set(report.code_lengths) for _, report in among))
    constraints = [one for _, report in among for one in report.code_constraints]
    for pin in _candidates(lengths, constraints, length) if lengths else ():
        for device, _ in among:
            if not await is_free(read, core, device, pin):
                break
        else:
            return pin
    return None


def pin_hash(core: Core, device: DeviceRow, pin: str) -> str:
    return core.vault.digest("pin", device.workspace_id, device.device_id, pin)


def takes_codes(device: DeviceRow) -> DeviceReport:
    """The device's report. Raises DeviceTypeNotSupported when it has no keypad directory."""
    report = devices.report_of(device)
    if not report.code_lengths:
        text = "This device takes no access codes."
        if device.secret_sealed is None:
            text = "What this device can do is known once it is logged in to: connect its account again."
        raise DeviceTypeNotSupported(text, data={"device_id": device.device_id})
    return report


async def generate(read: Reader, core: Core, workspace_id: str, device_id: str) -> str:
    """A PIN that is free on the device now. It is not reserved."""
    device = await devices.get(read, workspace_id, device_id)
    pin, _ = await random_pin(read, core, device, takes_codes(device), None)
    return pin
