"""The keypad and the call buttons: what keys say, and when they make a code."""

from collections.abc import Callable
from typing import Any

from .quirks import Quirks

Report = Callable[[str, dict[str, Any], int], None]


class Keypad:
    """Keys of one intercom. `*` confirms what was typed, `#` takes it back, `%3` is quick dial 3."""

    def __init__(
        self,
        quirks: Quirks,
        report: Report,
        enter: Callable[[str, int], bool],
        dial: Callable[[str, int], object],
    ) -> None:
        """`enter(code, now)` gets confirmed codes and says whether they let in; `dial(button, now)` gets quick dial
        numbers."""
        self._quirks = quirks
        self._report = report
        self._enter = enter
        self._dial = dial
        self._typed: list[str] = []
        self._typed_at = 0

    def press(self, key: str, now: int) -> bool:
        """One key, down and up; true when it confirmed a code that lets in."""
        self._report("KeyPressed", {"key": key}, now)
        self._report("KeyReleased", {"key": key}, now)
        if key.startswith("%") and len(key) > 1:
            self._dial(key[1:], now)
            return False
        if now - self._typed_at > self._quirks.key_timeout_s * 1000:
            self._typed.clear()
        self._typed_at = now
        if key.isdigit():
            self._typed.append(key)
            return False
        code = "".join(self._typed)
        self._typed.clear()
        return key == "*" and code != "" and self._enter(code, now)

    def lose_power(self) -> None:
        """Half a code is forgotten."""
        self._typed.clear()
