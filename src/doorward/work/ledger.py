"""Writes down what came of tries: those of all webhooks together, as each transaction has its price.

Events wait here as parcels until their first tries have come back, for a moment at most, and are stored then with what
came of them. If it dies half way, or the store takes nothing: nothing is forgotten here, and it is tried again; after a
restart, what was not written down is sent again.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from doorward.core import webhooks
from doorward.core.context import Core
from doorward.core.webhooks import Outcome, Told
from doorward.store.deliveries import DeliveryRow
from doorward.work.lane import LATE_S, NONE, UNWRITTEN, Lane, Parcel

log = structlog.get_logger()

GATHER_S = 0.01
"""What lands together is written down together."""
AT_ONCE = 160
"""Events of which first tries are made."""
AGAIN_S = 1.0
"""After the store has taken nothing."""


@dataclass(frozen=True)
class Landed:
    """A try of a delivery that is stored, which has come back."""

    lane: Lane
    row: DeliveryRow
    outcome: Outcome


class Ledger:
    """`take`: told the deliveries that are stored and wait for a try, and the era in which they were."""

    def __init__(
        self, core: Core, ending: asyncio.Event, take: Callable[[Sequence[DeliveryRow], int], Awaitable[None]]
    ) -> None:
        self._core = core
        self._ending = ending
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._landed: list[Landed] = []
        self._something = asyncio.Event()
        self._has_room = asyncio.Event()
        self.parcels: dict[str, Parcel] = {}
        """By event, the oldest first."""

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Keep these until they are stored. They are late at the same moment."""
        self.parcels.update((one.event.event_id, one) for one in parcels)
        if any(not one.open for one in parcels):
            self.nudge()
        if any(one.open for one in parcels):
            self._loop.call_at(parcels[0].late_at - LATE_S / 2, self._has_room.set)
            self._loop.call_at(parcels[0].late_at, self.nudge)

    def note(self, landed: Landed) -> None:
        self._landed.append(landed)
        self.nudge()

    def nudge(self) -> None:
        """Something may have to be written."""
        self._something.set()

    async def room(self) -> int:
        """How many more parcels may be put. Waits until there may be any."""
        while (room := self._most() - len(self.parcels)) <= 0:
            self._has_room.clear()
            await self._has_room.wait()
        return room

    def _most(self) -> int:
        """Parcels at a time: few, so that none is late only because there are many, unless one is held up."""
        oldest = next(iter(self.parcels.values()), None)
        is_held_up = oldest is not None and oldest.late_at - self._loop.time() <= LATE_S / 2
        return UNWRITTEN if is_held_up else AT_ONCE

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(GATHER_S)
            self._something.clear()
            parcels = self._seal()
            landed, self._landed = self._landed, []
            if (parcels or landed) and not await self._write(parcels, landed):
                return

    def _seal(self) -> list[Parcel]:
        """The oldest that are ready. None goes before an older one: so what is stored comes in the order of events."""
        now = self._loop.time()
        found = list(itertools.takewhile(lambda one: one.is_ready(now), self.parcels.values()))
        for parcel in found:
            parcel.seal(now)
        return found

    async def _write(self, parcels: Sequence[Parcel], landed: Sequence[Landed]) -> bool:
        """False: the server ends, and it was not written."""
        told, found = [_told(one) for one in parcels], [(one.row, one.outcome) for one in landed]
        while True:
            try:
                era = self._core.sending.era
                stored = await self._core.db.write(webhooks.store, self._core, told, found)
                break
            except Exception:
                log.exception("what came of deliveries was not written down: it is tried again")
            if await self._core.clock.wait(self._ending, AGAIN_S):
                return False
        flying = {first.row.delivery_id for parcel in parcels for first in parcel.begun}
        await self._take([row for row in stored.made if row.state == "due" and row.delivery_id not in flying], era)
        lanes = {one.lane for one in landed}
        for one in landed:
            one.lane.known.discard(one.row.delivery_id)
        for parcel in parcels:
            del self.parcels[parcel.event.event_id]
            lanes.update(parcel.end())
        self._has_room.set()
        for lane in lanes:
            lane.webhook = stored.now_are.get(lane.webhook_id)
            if era != self._core.sending.era:  # that may be what it was before
                lane.era = NONE
            lane.wake.set()
        if any(outcome.error is not None for outcome in _outcomes(told, found)):
            self._core.wake.ring(webhooks.BELL)  # they are tried again at a time of their own
        return True


def _told(parcel: Parcel) -> Told:
    return Told(parcel.event, {first.row.webhook_id: (first.row, first.outcome) for first in parcel.begun})


def _outcomes(told: Sequence[Told], found: Sequence[tuple[DeliveryRow, Outcome]]) -> Iterator[Outcome]:
    for one in told:
        yield from (outcome for _, outcome in one.tries.values() if outcome is not None)
    yield from (outcome for _, outcome in found)
