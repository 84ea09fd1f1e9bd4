"""Sorts events into deliveries, one for each webhook that wants them.

Which rows: the outbox, written with each event of a workspace that has webhooks. Woken by the bell of that name and a
poll. If it dies half way: a part is sorted in one transaction, or not at all. One process does it (see 0007).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from doorward.core import events, webhooks
from doorward.core.context import Core
from doorward.store import deliveries
from doorward.store.deliveries import DeliveryRow

log = structlog.get_logger()

PART = 500
POLL_S = 5.0
GATHER_S = 0.002
"""After a nudge: what happens together is sorted together."""


async def run(core: Core, take: Callable[[Sequence[DeliveryRow], int], Awaitable[None]]) -> None:
    """Until cancelled. `take`: whoever sends, and would find them without being told; it is also told the era of
    `core.sending` in which they were made."""
    bell = core.wake.bell(events.OUTBOX)
    while True:
        bell.clear()  # before looking
        try:
            if await deliveries.are_waiting(core.db.read):
                era = core.sending.era  # before they are made
                await take(await core.db.write(webhooks.sort, core, PART), era)
                continue
        except Exception:
            log.exception("sorting events failed")
        if await core.clock.wait(bell, POLL_S):
            await asyncio.sleep(GATHER_S)
