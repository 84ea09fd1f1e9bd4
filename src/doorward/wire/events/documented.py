"""The names of all event types that Seam documents, also of those that nothing here causes yet."""

from functools import cache
from importlib.resources import files

from doorward.wire.events.base import TYPES


@cache
def names() -> frozenset[str]:
    """Documented types, and our own."""
    text = (files("doorward.wire.events") / "documented.txt").read_text(encoding="utf-8")
    return frozenset(text.split()) | TYPES.keys()
