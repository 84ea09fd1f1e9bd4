"""One call of a function: its parameters, its caller, and the shapes of an answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .auth import Account, Privilege
from .errors import invalid, missing
from .unit import Unit

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that is not the envelope around a result: a picture, a text, finished JSON."""

    body: bytes
    content_type: str = "application/json"
    frames_per_second: int = 0
    """Above 0: repeat the body for ever as `multipart/x-mixed-replace`."""


Result = dict[str, Any] | Answer | None
"""A function's outcome: `result` of the envelope, None for an envelope without it, or an `Answer`."""


@dataclass(slots=True)
class Call:
    """What a function gets."""

    unit: Unit
    params: Mapping[str, str]
    """Query, form and the scalar members of a JSON object; later ones win."""
    privileges: frozenset[Privilege]
    account: Account | None = None
    body: dict[str, Any] = field(default_factory=dict)
    """The JSON object that was sent, as a body or as a blob; empty when none was."""
    undo: list[tuple[Any, int]] = field(default_factory=list)
    """Channels and the positions they had: put back when the reply is known to be lost."""

    def text(self, name: str) -> str:
        """A mandatory parameter.

        Raises: ApiError 11.
        """
        value = self.params.get(name, "")
        if value == "":
            raise missing(name)
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A decimal integer from `low` to `high`.

        Raises: ApiError 11 when absent without default, 12 for a wrong one.
        """
        value = self.params.get(name, "")
        if value == "":
            if default is None:
                raise missing(name)
            return default
        if not _INTEGER.fullmatch(value) or not low <= int(value) <= high:
            raise invalid(name)
        return int(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """`1` or `0`.

        Raises: ApiError 11 or 12.
        """
        return self.number(name, 0, 1, None if default is None else int(default)) == 1

    def one_of(self, name: str, allowed: frozenset[str]) -> str:
        """A mandatory word.

        Raises: ApiError 11 or 12.
        """
        value = self.text(name)
        if self.unit.quirks.ignore_action_case:
            value = value.lower()
        if value not in allowed:
            raise invalid(name)
        return value

    def done(self) -> Result:
        """Success, as the text of `response` when the caller wants one."""
        text = self.params.get("response")
        return None if text is None else Answer(text.encode(), self.unit.quirks.response_content_type)

    def names(self, key: str) -> list[str] | None:
        """A list of words from the JSON body; None when absent.

        Raises: ApiError 12.
        """
        value = self.body.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid(key)
        return value

    def objects(self, key: str) -> list[Any] | None:
        """A list from the JSON body, its members unchecked; None when absent.

        Raises: ApiError 12.
        """
        value = self.body.get(key)
        if value is not None and not isinstance(value, list):
            raise invalid(key)
        return value
