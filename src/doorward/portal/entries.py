"""What people type into a portal's forms, and what they are told when it cannot be right.

The API's texts are for programs. An act reads its form with `Entries`, which notes a sentence for every field that
cannot be right; what the API still refuses is told by `said`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorward.core import pins
from doorward.errors import ApiError, DuplicateAccessCode, InvalidInput, NotImplementedYet, RateLimited, Unavailable
from doorward.portal import times
from doorward.webview.forms import Posted
from doorward.wire.time import iso_or_none

MINUTE_MS = 60_000
MOST_NAME = 255
ANY_LENGTH = range(4, 13)
"""Digits of a code where no door says more."""
IN_A_BOOKING = range(4, 10)
"""Digits of a booking's code."""
CHECK = "Something is missing or cannot be right. See the field that is marked."
_RULES = {
    "no_zeros": "Use no 0.",
    "cannot_contain_089": "Use no 0, 8 or 9.",
    "cannot_contain_0789": "Use no 0, 7, 8 or 9.",
    "cannot_start_with_12": "Do not begin with 12.",
    "no_triple_consecutive_ints": "Use no three digits in a row, such as 345.",
    "no_ascending_or_descending_sequence": "Use no row of digits, such as 3456.",
    "at_least_three_unique_digits": "Use at least three different digits.",
    "no_all_same_digits": "Use more than one digit.",
}
_FIELDS = {
    "code": "This code cannot be used here. Type another one, or none.",
    "ends_at": "The end must be later than the beginning, and still to come.",
    "name": f"Type a name of at most {MOST_NAME} characters.",
    "starts_at": "The door cannot keep this time. Choose another one.",
}


class Mistaken(InvalidInput):
    """Fields of a form, each with a sentence for whoever filled it in."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(CHECK, problems={"_errors": [], **fields})
        self.fields = fields


@dataclass(frozen=True)
class Entry:
    """A form as it is shown: what stands in it, and what is wrong with that."""

    posted: Posted = field(default_factory=lambda: Posted({}), repr=False)
    problems: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False

    @property
    def first(self) -> str:
        """The first field that is wrong, in the order of the form."""
        return next((name for name in self.posted.values if name in self.problems), next(iter(self.problems), ""))


@dataclass(frozen=True)
class Tried:
    """A form that was sent and could not be carried out."""

    posted: Posted = field(repr=False)
    error: ApiError

    @property
    def message(self) -> str:
        return said(self.error)

    def entry(self, act: str, about: Mapping[str, str]) -> Entry:
        """What to show in the form of this act; `about`: its hidden fields."""
        if self.posted.one("act") != act or any(self.posted.one(name) != value for name, value in about.items()):
            return Entry()
        return Entry(self.posted, _problems(self.error), is_open=True)


class Entries:
    """One form, read field by field. `check` raises Mistaken when one of them cannot be right."""

    def __init__(self, posted: Posted) -> None:
        self._posted = posted
        self._wrong: dict[str, str] = {}

    def name(self, what: str = "a name") -> str:
        """A name, in one line."""
        name = " ".join(self._posted.one("name").split())
        if not name:
            self._wrong["name"] = f"Type {what}."
        elif len(name) > MOST_NAME:
            self._wrong["name"] = f"This is too long. At most {MOST_NAME} characters fit."
        return name

    def code(self, doors: Collection[Any], among: Collection[int] = ANY_LENGTH) -> str | None:
        """A code that all of these doors take; None: one is to be chosen."""
        code = "".join(self._posted.one("code").split())
        lengths = code_lengths(doors, among)
        rules = [rule for door in doors for rule in door["properties"].get("code_constraints", ())]
        if not lengths:
            self._wrong["code"] = "The doors of this place take codes of different lengths: none fits all of them."
        elif code and not (code.isascii() and code.isdigit() and len(code) in lengths):
            whose = "This door takes" if len(doors) == 1 else "The doors of this place take"
            self._wrong["code"] = f"{whose} codes of {spoken(lengths)} digits."
        elif broken := [rule["constraint_type"] for rule in rules if code and not pins.satisfies(code, rule)]:
            self._wrong["code"] = _RULES.get(broken[0], _FIELDS["code"])
        return code or None

    def times(self, zone: str, now: int, *, needs_end: bool = False) -> tuple[str | None, str | None]:
        """From when, and until when. With an end and no beginning: from now on."""
        starts_at, ends_at = self._time("starts_at", zone), self._time("ends_at", zone)
        if ends_at is not None and ends_at <= now:
            self._wrong["ends_at"] = "This time is over. Choose a later one."
        elif ends_at is not None and starts_at is not None and ends_at <= starts_at:
            self._wrong["ends_at"] = "The end must be later than the beginning."
        elif needs_end and starts_at is not None and not self._posted.one("ends_at"):
            self._wrong["ends_at"] = "Say until when, too. A code without an end works at once."
        elif ends_at is not None and starts_at is None:
            starts_at = now // MINUTE_MS * MINUTE_MS
        return iso_or_none(starts_at), iso_or_none(ends_at)

    def _time(self, name: str, zone: str) -> int | None:
        try:
            return times.instant(self._posted.one(name), zone)
        except ValueError:
            self._wrong[name] = "Type a date and a time, such as 2027-03-28T15:00."
            return None

    def some(self, name: str, problem: str) -> list[str]:
        """What was ticked; there must be something."""
        if not (chosen := self._posted.all(name)):
            self._wrong[name] = problem
        return chosen

    def check(self) -> None:
        """Raises Mistaken."""
        if self._wrong:
            raise Mistaken(self._wrong)


def code_lengths(doors: Collection[Any], among: Collection[int] = ANY_LENGTH) -> list[int]:
    """Digits that a code may have which is for all of these doors; of those that take none, nothing is asked."""
    taken = (door["properties"].get("supported_code_lengths") for door in doors)
    return sorted(set(among).intersection(*(lengths for lengths in taken if lengths)))


def spoken(lengths: Collection[int]) -> str:
    """`4 to 8`, or `4, 6 or 8`."""
    texts = [str(length) for length in sorted(lengths)]
    if len(texts) > 2 and max(lengths) - min(lengths) == len(texts) - 1:
        return f"{texts[0]} to {texts[-1]}"
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def said(error: ApiError) -> str:
    """What a person is told."""
    match error:
        case RateLimited():
            return f"That was a lot for this door within a minute. Wait {error.retry_after} seconds, then try again."
        case NotImplementedYet():
            return "No account can be connected here. Ask whoever sent you the link to this page."
        case Unavailable():
            return "That did not work just now. Try again in a moment."
        case DuplicateAccessCode():
            return CHECK
        case InvalidInput() if len(error.problems) > 1:  # it is about some of the fields
            return CHECK
    return error.message


def _problems(error: ApiError) -> Mapping[str, str]:
    """Field → sentence."""
    match error:
        case Mistaken():
            return error.fields
        case DuplicateAccessCode():
            return {"code": "Another code of this door has these digits at that time. Type others, or none."}
        case InvalidInput():
            return {name: _FIELDS[name] for name in error.problems if name in _FIELDS}
    return {}
