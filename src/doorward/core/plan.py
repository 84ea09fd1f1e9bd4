"""Wanted against held: what to do at a device, and when to look again. Pure.

`held` is what the device is known to have of a code. It comes from our own confirmed writes and is corrected by every
read (`difference`). Codes that are not ours never appear here, so no plan can touch them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from doorward.providers.reports import FoundCode


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
    is_deferred: bool = False
    """Not to be written before it begins, even where the device would keep its schedule."""
    seen: Content | None = None
    """What somebody else was seen to make of it; None: what is held."""

    @property
    def is_left(self) -> bool:
        """Somebody removed it at the device, and may: it is not set again before it is changed here."""
        return self.held is None and self.is_current


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


@dataclass(frozen=True)
class Withdraw:
    """Make the device let go of it for now: it would open too early, and the device keeps no schedule."""

    code: Code


Step = Set | Remove | Begin | Withdraw
LEAD_MS = 60_000
"""A deferred code is written so long before it begins where the device minds its beginning."""


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
            starts_at = wanted.starts_at or 0
            wake.append(starts_at)
            if not keeps_schedules:
                if code.held is not None:
                    removals.append(Withdraw(code))
                continue
            if code.is_deferred and code.held is None and starts_at - LEAD_MS > now:
                wake.append(starts_at - LEAD_MS)
                continue
        if code.is_left:
            continue
        if code.held is None or not code.is_current:
            sets.append(Set(code))
        elif not future and not begun.get(code.code_id, False):
            begins.append(Begin(code))
    return removals + sets + begins, min(wake, default=None)


def is_over(content: Content | None, now: int) -> bool:
    """It is to be gone: not wanted, or its time is past."""
    return content is None or (content.ends_at is not None and content.ends_at <= now)


# ---------------------------------------------------------------- guards against a great mistake


def most(guard: str, known: int) -> int:
    """How many of so many codes may go at once; `guard` is the operator's word: `20%`, `50` or `off`."""
    if guard == "off":
        return 2**62
    return max(5, known * int(guard[:-1]) // 100) if guard.endswith("%") else int(guard)


def portion(planned: list[Step], most_at_once: int, *, keeps_schedules: bool, now: int) -> tuple[list[Step], int]:
    """The steps for this pass, and how many are left for the next.

    Only tidying up waits: codes whose time is over, and that the device itself refuses since then. What still opens a
    door, and what somebody asked to be removed, is never put off.
    """

    def is_tidying(step: Step) -> bool:
        if not isinstance(step, Remove) or step.code.wanted is None or not keeps_schedules:
            return False
        there = step.code.seen or step.code.held
        return there is not None and is_over(there, now)

    tidying = [step for step in planned if is_tidying(step)]
    later = {step.code.code_id for step in tidying[most_at_once:]} if len(tidying) > most_at_once else set()
    return [step for step in planned if step.code.code_id not in later], len(later)


# ---------------------------------------------------------------- what others did


@dataclass(frozen=True)
class Difference:
    """Somebody else changed or removed one of our codes at the device, or undid that."""

    code: Code
    found: FoundCode | None
    """None: it is gone."""
    fields: tuple[str, ...]
    """What is not as we set it; empty: all is again as we set it."""


def difference(code: Code, found: FoundCode | None, *, keeps_schedules: bool = True) -> Difference | None:
    """What a read shows of a code that is news: done by somebody else since the read before."""
    before = code.seen or code.held
    if before is None:
        return Difference(code, found, ("code",)) if code.is_left and found is not None and found.pin else None
    if found is None:
        return Difference(code, None, ())
    if not fields(before, found, keeps_schedules):
        return None
    assert code.held is not None
    return Difference(code, found, fields(code.held, found, keeps_schedules))


def fields(before: Content, found: FoundCode, keeps_schedules: bool) -> tuple[str, ...]:
    """Which of a code's properties are others now."""
    changed = []
    if found.pin is not None and found.pin != before.pin:
        changed.append("code")
    if keeps_schedules and (found.starts_at or None, found.ends_at or None) != (before.starts_at, before.ends_at):
        changed.append("time_frame")
    if not same_name(before.name, found.name):
        changed.append("name")
    return tuple(changed)


def same_name(ours: str | None, theirs: str) -> bool:
    """Whether a device's spelling of a name is ours: devices shorten and clean names."""

    def letters(text: str) -> str:
        return "".join(c for c in text if c.isalnum())

    mine, other = letters(ours or ""), letters(theirs)
    return not mine or mine[:20] == other[:20]
