"""Ends write loops on one access code. Pure.

Three strikes within five minutes open the breaker: the code is not written for a quarter of an hour, then tried again.
A strike soon after that opens it at once and for twice as long, up to four hours. A strike is a write that failed for
the code's own reason, or a repair that somebody undid. Changing the code closes it, and so does time without strikes.
"""

import msgspec

STRIKES = 3
WINDOW_MS = 300_000
"""Strikes count together within this time; a try that holds so long after a pause has proved itself."""
PAUSE_MS = 900_000
LONGEST_MS = 16 * PAUSE_MS
CLOSED = "{}"


class Breaker(msgspec.Struct, frozen=True, omit_defaults=True):
    """A code's strikes."""

    strikes: tuple[int, ...] = ()
    """When, in milliseconds since 1970, the latest ones were."""
    trips: int = 0
    """How often in a row it opened."""
    open_until: int = 0

    def is_open(self, now: int) -> bool:
        return now < self.open_until


_decode = msgspec.json.Decoder(Breaker).decode


def read(text: str) -> Breaker:
    return _decode(text) if text != CLOSED else Breaker()


def write(breaker: Breaker) -> str:
    return msgspec.json.encode(breaker).decode()


def strike(breaker: Breaker, now: int) -> Breaker:
    """Once more it did not work."""
    if breaker.is_open(now):
        return breaker
    on_probation = breaker.trips > 0 and now < breaker.open_until + WINDOW_MS
    trips = breaker.trips if on_probation else 0
    strikes = (*(at for at in breaker.strikes if at > now - WINDOW_MS), now)
    if len(strikes) < STRIKES and not on_probation:
        return Breaker(strikes)
    pause = min(PAUSE_MS * 2**trips, LONGEST_MS)
    return Breaker((), trips + 1, now + pause)
