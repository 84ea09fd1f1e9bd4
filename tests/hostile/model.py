"""What ought to be, in plain dictionaries: the codes that were asked for, and what the owner wrote at the devices.

Nothing here looks at the server. `Frame` ends are milliseconds since 1970, None for an ongoing code.
"""

from dataclasses import dataclass, field

from doorward.providers.my_2n.emulator.directory import Entry

Frame = tuple[int | None, int | None]


@dataclass
class Code:
    """One code as it was asked for."""

    number: int
    device: int
    code_id: str
    name: str
    pin: str
    frame: Frame
    is_deleted: bool = False
    is_adopted: bool = False
    """The owner made its entry theirs: it is left alone from then on."""
    may_be_rejected: bool = False
    """The device was told to refuse PINs for no reason while this revision was wanted: such a no is final."""
    asked: list[tuple[str, Frame]] = field(default_factory=list)
    """Every PIN and time frame that it ever had."""
    pin_asked_at: int = 0
    """When its present PIN was asked for."""
    removals: int = 0
    """How often somebody else removed its entry."""
    edits: int = 0
    """How often somebody else changed its entry."""
    is_backup: bool = False
    """It was a reserve code."""
    found_as: str = ""
    """The UUID of an entry that was taken over; empty: it was made here, under its own id."""

    @property
    def ref(self) -> str:
        """The UUID of its entry."""
        return self.found_as or self.code_id

    def __repr__(self) -> str:
        return f"code {self.number}"

    def is_over(self, now: int) -> bool:
        """Deleted, or past its end."""
        return self.is_deleted or (self.frame[1] is not None and self.frame[1] <= now)

    def is_future(self, now: int) -> bool:
        """Its time has not come."""
        return self.frame[0] is not None and self.frame[0] > now


@dataclass
class Door:
    """One device as the model knows it."""

    owners: dict[str, bytes] = field(default_factory=dict)
    """UUID → the owner's entry, as they last wrote it."""
    written_at: dict[str, int] = field(default_factory=dict)
    """UUID → when that was."""
    owners_pins: set[str] = field(default_factory=set)
    """PINs that the owner ever gave away: the API may refuse them as long as it has not seen them go."""
    tampered: set[str] = field(default_factory=set)
    """PINs that the owner gave to entries of ours: they open until we have set them right."""
    has_pool: bool | None = False
    """Whether the device is to keep reserve codes; None: the server died when it was told."""
    released: int = 0
    """How often the API moved its switch on."""
    requests: int = 0
    """How many requests it has received."""
    unlocks: list[str | None] = field(default_factory=list)
    """Attempts to unlock; None: the server died before it named one."""


def overlap(one: Frame, other: Frame) -> bool:
    """Whether two frames have an instant in common."""
    (start, end), (begin, stop) = one, other
    return not (
        (end is not None and begin is not None and end <= begin)
        or (stop is not None and start is not None and stop <= start)
    )


def contains(frame: Frame, at_ms: int) -> bool:
    """Whether an instant is in it; devices judge by whole seconds."""
    start, end = frame
    return (start is None or start // 1000 * 1000 <= at_ms) and (end is None or at_ms < -(-end // 1000) * 1000)


def image(entry: Entry) -> bytes:
    """All of an entry, to the byte; the change counter tells even a write that changed nothing."""
    return repr((entry.uuid, entry.timestamp, sorted(entry.values.items()), entry.deleted)).encode()
