"""The names of all event types that Seam documents, also of those that nothing here causes yet."""

from functools import cache
from importlib.resources import files

from doorward.wire.events.base import TYPES


@cache
def documented() -> frozenset[str]:
    """Documented types."""
    return frozenset((files("doorward.wire.events") / "documented.txt").read_text(encoding="utf-8").split())


@cache
def names() -> frozenset[str]:
    """Documented types, and our own."""
    return documented() | TYPES.keys()
