"""Which of the things that have a key is meant.

Places, people and bookings have keys of their own for each kind: a room and a unit may both be "1". Whoever names a key
without its kind means the thing that was made as what it is here (a space, a user identity, an access grant), and where
there is none, the only one of another kind.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from doorward.errors import InvalidInput


class Kept(Protocol):
    """A row that has a key."""

    @property
    def kind(self) -> str: ...


R = TypeVar("R", bound=Kept)


def meant(rows: Sequence[R], own: str, name: str) -> R | None:
    """The row that its key means; None: there is none. Raises InvalidInput where several could be meant.

    `own`: the kind that comes first; `name`: what holds the key.
    """
    first = [row for row in rows if row.kind == own] or rows
    if len({row.kind for row in first}) > 1:
        kinds = ", ".join(sorted({row.kind.replace("_", " ") for row in first}))
        raise InvalidInput.of(name, f"Several have this key ({kinds}): use the id")
    return first[0] if first else None
