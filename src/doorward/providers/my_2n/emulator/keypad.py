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
        enter: Callable[[str, int], object],
        dial: Callable[[str, int], object],
    ) -> None:
        """`enter(code, now)` gets confirmed codes, `dial(button, now)` quick dial numbers."""
        self._quirks = quirks
        self._report = report
        self._enter = enter
        self._dial = dial
        self._typed: list[str] = []
        self._typed_at = 0

    def press(self, key: str, now: int) -> None:
        """One key, down and up."""
        self._report("KeyPressed", {"key": key}, now)
        self._report("KeyReleased", {"key": key}, now)
        if key.startswith("%") and len(key) > 1:
            self._dial(key[1:], now)
            return
        if now - self._typed_at > self._quirks.key_timeout_s * 1000:
            self._typed.clear()
        self._typed_at = now
        if key.isdigit():
            self._typed.append(key)
            return
        code = "".join(self._typed)
        self._typed.clear()
        if key == "*" and code:
            self._enter(code, now)

    def lose_power(self) -> None:
        """Half a code is forgotten."""
        self._typed.clear()
