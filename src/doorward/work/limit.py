"""Holds back a flood from one device: a child that plays with the keypad, a contact that rattles.

Of each kind so many a minute are told; the rest is counted and told of once, as a note, when the minute is over. It is
the minute of what happened, so what a device remembers of an hour is not taken for a flood. If the process dies, a
count that was not told of is lost, or made again from the device's log under the same key.
"""

from dataclasses import dataclass

from doorward.providers.events import AccessDenied, DeviceEvent, Noted

MINUTE_MS = 60_000
A_MINUTE: dict[type[DeviceEvent], tuple[int, str]] = {
    AccessDenied: (10, "AccessDeniedRepeatedly"),
    Noted: (60, "NotedRepeatedly"),
}
"""Kind → how many are told a minute, and the name of the note that counts the rest."""


@dataclass(slots=True)
class _Count:
    minute: int
    told: int = 0
    held_back: int = 0


class Limiter:
    """One device's."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[type[DeviceEvent], _Count] = {}

    def sift(self, happened: DeviceEvent) -> list[DeviceEvent]:
        """What is to be told now: this event or none, after the sum of a minute that it ends."""
        kind = type(happened)
        if kind not in A_MINUTE:
            return [happened]
        minute = happened.occurred_at // MINUTE_MS
        told: list[DeviceEvent] = []
        count = self._counts.get(kind)
        if count is None or count.minute != minute:
            told += self._sum(kind)
            count = self._counts[kind] = _Count(minute)
        if count.told < A_MINUTE[kind][0]:
            count.told += 1
            told.append(happened)
        else:
            count.held_back += 1
        return told

    def __bool__(self) -> bool:
        """Something is counted."""
        return bool(self._counts)

    def over(self, now: int) -> list[DeviceEvent]:
        """The sums of minutes that are over, by our clock in milliseconds."""
        if not self._counts:
            return []
        return [
            note
            for kind in [k for k, c in self._counts.items() if c.minute < now // MINUTE_MS]
            for note in self._sum(kind)
        ]

    def _sum(self, kind: type[DeviceEvent]) -> list[DeviceEvent]:
        count = self._counts.pop(kind, None)
        if count is None or not count.held_back:
            return []
        name = A_MINUTE[kind][1]
        at = (count.minute + 1) * MINUTE_MS - 1
        return [Noted(f"{name}:{count.minute}", at, name, {"count": count.held_back})]
