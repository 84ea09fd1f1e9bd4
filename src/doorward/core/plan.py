"""Wanted against held: what to do at a device, and when to look again. Pure.

`held` is what the device is known to have of a code. It comes from our own confirmed writes and is corrected by every
full read (`differences`). Codes that are not ours never appear here, so no plan can touch them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from doorward.providers.base import FoundCode


@dataclass(frozen=True)
class Content:
    """A code as a device can hold it."""

    name: str | None
    pin: str
    starts_at: int | None
    ends_at: int | None

    def __repr__(self) -> str:
        return "Content(…)"


@dataclass(frozen=True)
class Code:
    """One access code: what is wanted, and what is held."""

    code_id: str
    ref: str
    wanted: Content | None
    """None: it is to be gone."""
    held: Content | None
    """None: the device has nothing of it."""
    is_current: bool
    """The device holds the latest revision of what is wanted."""
    retry_at: int = 0
    """Not to be tried before (after a failure)."""


@dataclass(frozen=True)
class Set:
    """Make the device hold it."""

    code: Code


@dataclass(frozen=True)
class Remove:
    """Make the device let go of it. The code's life is over."""

    code: Code


@dataclass(frozen=True)
class Begin:
    """A code that the device holds already starts to open the door: nothing to write."""

    code: Code


Step = Set | Remove | Begin


def steps(
    codes: Iterable[Code], *, keeps_schedules: bool, now: int, begun: Mapping[str, bool]
) -> tuple[list[Step], int | None]:
    """Steps in their order, removals first, and when something changes next (None: not by itself).

    `begun`: code id → its beginning was announced already.
    """
    removals: list[Step] = []
    sets: list[Step] = []
    begins: list[Step] = []
    wake: list[int] = []
    for code in codes:
        wanted = code.wanted
        over = wanted is None or (wanted.ends_at is not None and wanted.ends_at <= now)
        if code.retry_at > now:
            wake.append(code.retry_at)
            if not (over and code.held is None):
                continue
        if over:
            removals.append(Remove(code))
            continue
        assert wanted is not None
        if wanted.ends_at is not None:
            wake.append(wanted.ends_at)
        future = wanted.starts_at is not None and wanted.starts_at > now
        if future:
            wake.append(wanted.starts_at or 0)
            if not keeps_schedules:
                continue
        if code.held is None or not code.is_current:
            sets.append(Set(code))
        elif not future and not begun.get(code.code_id, False):
            begins.append(Begin(code))
    return removals + sets + begins, min(wake, default=None)


@dataclass(frozen=True)
class Difference:
    """Somebody else changed or removed one of our codes at the device."""

    code: Code
    found: FoundCode | None
    """None: it is gone."""
    fields: tuple[str, ...]


def differences(codes: Sequence[Code], found: Sequence[FoundCode]) -> list[Difference]:
    """What a full read shows that we did not do."""
    by_ref = {f.ref.lower(): f for f in found}
    result = []
    for code in codes:
        held = code.held
        if held is None:
            continue
        there = by_ref.get(code.ref.lower())
        if there is None:
            result.append(Difference(code, None, ()))
            continue
        fields = []
        if there.pin is not None and there.pin != held.pin:
            fields.append("code")
        if (there.starts_at or None, there.ends_at or None) != (held.starts_at, held.ends_at):
            fields.append("time_frame")
        if not same_name(held.name, there.name):
            fields.append("name")
        if fields:
            result.append(Difference(code, there, tuple(fields)))
    return result


def same_name(ours: str | None, theirs: str) -> bool:
    """Whether a device's spelling of a name is ours: devices shorten and clean names."""

    def letters(text: str) -> str:
        return "".join(c for c in text if c.isalnum())

    mine, other = letters(ours or ""), letters(theirs)
    return not mine or mine[:20] == other[:20]
