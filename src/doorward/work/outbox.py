"""Takes events out of the outbox, to be delivered to each webhook that wants them.

Which rows: the outbox, written with each event of a workspace that has webhooks. Woken by the bell of that name and a
poll. The rows stay until the deliveries are stored (`work.ledger`): if it dies half way, the events are still there,
and what had been sent is sent again. One process does it (see 0007).
"""

import asyncio

import structlog

from doorward.core import events, webhooks
from doorward.core.context import Core
from doorward.store import deliveries
from doorward.work.deliver import Deliverer

log = structlog.get_logger()

POLL_S = 5.0
GATHER_S = 0.002
"""After a nudge: what happens together is sent together."""


async def run(core: Core, deliverer: Deliverer) -> None:
    """Until cancelled."""
    bell, under_way = core.wake.bell(events.OUTBOX), deliverer.ledger.parcels
    while True:
        most = await deliverer.ledger.room()
        bell.clear()  # before looking
        try:
            known = set(under_way)  # before looking: what is stored meanwhile is none that is new
            era = core.sending.era
            if waiting := await deliveries.waiting(core.db.read, most + len(known), known):
                await deliverer.tell(await webhooks.wanted_by(core.db.read, waiting), era)
            if len(waiting) >= most:  # there may be more
                continue
        except Exception:
            log.exception("looking for events failed")
        if await core.clock.wait(bell, POLL_S):
            await asyncio.sleep(GATHER_S)
