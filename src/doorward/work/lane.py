"""Lanes: what is to be sent to one webhook, and how it has done lately.

A delivery comes into a lane in one of two ways. Its *first* try is made before it is stored, so that it is written
once, with what came of it: the event waits in the outbox meanwhile. One that is stored stands `ahead`: a try after the
first, or a first one for which there was no room, or no time. What is ahead goes first, and firsts wait while any
delivery that is older is being stored, so that a webhook that is well gets everything in order.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from doorward.core.webhooks import Outcome
from doorward.store.deliveries import DeliveryRow, OutboxRow
from doorward.store.webhooks import WebhookRow

WIDTH, NARROW, SINGLE = 16, 4, 1
"""Requests to one webhook at a time: to one that is well, that refuses one event after another, that is silent."""
PART = 200
"""Deliveries read ahead."""
NARROW_AFTER = 5
"""Failures in a row."""
PAUSE_S, LONGEST_S = 0.05, 10.0
LONGEST_ANSWERED_S = 0.25
"""Of a receiver that answers at once with a refusal, perhaps of a type of events: others wait behind these."""
UNWRITTEN = 512
"""Deliveries to one webhook that are on their way or not written down yet, and events that are not stored."""
LATE_S = 0.5
"""Then an event is stored, whatever has come of its first tries."""
SLOW_S = 1.0
"""That a webhook gets no firsts when one has come too late to be stored with what came of it."""
NONE = -1
"""The era of a lane that has to read everything again."""


@dataclass(eq=False, slots=True)
class First:
    """The first try of a delivery that is not stored."""

    parcel: "Parcel"
    lane: "Lane"
    row: DeliveryRow
    text: str
    era: int
    """In which it was thought of."""
    is_sealed: bool = False
    """Its delivery is stored, or about to be, without what came of this."""
    outcome: Outcome | None = None

    def give_back(self) -> None:
        """It does not begin."""
        self.parcel.open.discard(self)
        self.parcel.store_for(self.lane)

    def begin(self) -> None:
        self.parcel.begun.append(self)

    def land(self, outcome: Outcome | None) -> None:
        """It has come back. None: it did not begin after all."""
        if outcome is None:
            self.lane.known.discard(self.row.delivery_id)
            self.parcel.begun.remove(self)
            self.give_back()
        else:
            self.outcome = outcome
            self.parcel.open.discard(self)


@dataclass(eq=False, slots=True)
class Parcel:
    """An event that is not stored for webhooks yet, and the first tries of its deliveries."""

    event: OutboxRow
    late_at: float
    """When it is stored, whatever has come back."""
    open: set[First] = field(default_factory=set)
    """Those that have not come back."""
    begun: list[First] = field(default_factory=list)
    """Those that have begun, and may have come back."""
    untried: list["Lane"] = field(default_factory=list)
    """Where its deliveries are sent only when they are stored."""

    def store_for(self, lane: "Lane") -> None:
        """No first try is made there. What is younger waits until the delivery is stored."""
        lane.being_stored += 1
        self.untried.append(lane)

    @property
    def is_whole(self) -> bool:
        """Nothing has to be waited for."""
        return not self.open

    def is_ready(self, now: float) -> bool:
        """It is to be stored."""
        return self.is_whole or self.late_at <= now

    def seal(self, now: float) -> None:
        """It is stored now."""
        for first in list(self.open):
            first.is_sealed = True
            first.lane.slow_until = now + SLOW_S
            if first in first.lane.firsts:
                first.lane.firsts.remove(first)
                first.give_back()
            else:
                first.lane.late += 1

    def end(self) -> Iterator["Lane"]:
        """It is stored. Lanes for which that means anything."""
        for first in self.begun:
            if first.outcome is not None:
                first.lane.known.discard(first.row.delivery_id)
                yield first.lane
        for lane in self.untried:
            lane.being_stored -= 1
            yield lane


@dataclass(eq=False)
class Lane:
    """One webhook, while something is to be sent there."""

    webhook_id: str
    failures: int = 0
    """In a row."""
    is_silent: bool = False
    """The last request was not answered."""
    ahead: deque[tuple[DeliveryRow, str]] = field(default_factory=deque)
    """What is sent next, and its text."""
    firsts: deque[First] = field(default_factory=deque)
    """What is sent then."""
    being_stored: int = 0
    """Deliveries that have to be, before firsts may go on."""
    flying: int = 0
    """Requests under way."""
    known: set[str] = field(default_factory=set)
    """Deliveries that are on their way, or came back and are not written down yet."""
    webhook: WebhookRow | None = None
    """As it was last read; None: it is gone."""
    era: int = NONE
    """In which that, and what is ahead, was read."""
    may_be_more: bool = True
    """Something may be due that was not fetched."""
    is_looking: bool = False
    """It is being fetched just now."""
    fetched: set[str] = field(default_factory=set)
    """What was fetched the last time."""
    slow_until: float = 0.0
    """No first tries before then."""
    late: int = 0
    """First tries that have not come back and were stored without."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something has landed, was written down, or may be due."""

    def has_room(self, now: float) -> bool:
        """A first try would be made at once, or nearly so."""
        backlog = len(self.ahead) + len(self.firsts)
        return not self.failures and not self.late and backlog < UNWRITTEN and now >= self.slow_until

    def put(self, first: First) -> None:
        """A first try that may be made."""
        first.parcel.open.add(first)
        self.firsts.append(first)
        self.wake.set()

    def take(self, row: DeliveryRow, text: str) -> None:
        """A delivery that was stored just now. It stands last in line: where others that are due have not been fetched
        yet, it is fetched after them."""
        if row.delivery_id in self.fetched or row.delivery_id in self.known:
            return
        if self.may_be_more or self.is_looking or len(self.ahead) >= PART:
            self.may_be_more = True
        else:
            self.ahead.append((row, text))
        self.wake.set()

    def look(self) -> None:
        """Something may be due."""
        self.may_be_more = True
        self.wake.set()

    def forget(self, era: int) -> None:
        """All that was read is void, and all first tries that are not of this era."""
        self.era = era
        self.ahead.clear()
        self.may_be_more = True
        firsts, self.firsts = self.firsts, deque()
        for first in firsts:
            if first.era == era:
                self.firsts.append(first)
            else:
                first.give_back()

    @property
    def has_next(self) -> bool:
        """Something may be sent now."""
        if self.flying >= self.width or len(self.known) >= UNWRITTEN:
            return False
        if self.ahead:
            return True
        return bool(self.firsts) and not (self.being_stored or self.may_be_more or self.is_looking)

    def next(self) -> tuple[DeliveryRow, str, First | None]:
        """What is sent now. It is in the lane no more."""
        if self.ahead:
            return (*self.ahead.popleft(), None)
        first = self.firsts.popleft()
        first.begin()
        return (first.row, first.text, first)

    @property
    def is_quiet(self) -> bool:
        """Nothing is under way, or about to be."""
        return not (self.known or self.firsts or self.being_stored)

    @property
    def receiver(self) -> WebhookRow | None:
        """The webhook, unless it is gone or disabled."""
        return None if self.webhook is None or self.webhook.disabled_at is not None else self.webhook

    @property
    def width(self) -> int:
        return WIDTH if self.failures < NARROW_AFTER else SINGLE if self.is_silent else NARROW

    @property
    def pause_s(self) -> float:
        """Before the next request."""
        over = self.failures - NARROW_AFTER
        longest = LONGEST_S if self.is_silent else LONGEST_ANSWERED_S
        return 0.0 if over < 0 else min(longest, PAUSE_S * 2 ** min(over, 16))
