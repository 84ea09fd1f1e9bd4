"""Ends what ran out of time, drops what is old, and keeps the index of texts in good order.

Which rows: attempts past their deadline, remembered device events, what devices noted, what was tried at them, and
deliveries that ended or wait at a disabled webhook. Woken by time alone. If it dies half way: the next round does the
rest. If two run: ending an attempt twice changes nothing.
"""

import structlog

from doorward.core.context import Core
from doorward.store import code_log, deliveries, device_log, devices, search, webhooks
from doorward.work.commands import close_orphans

log = structlog.get_logger()

EVERY_S = 1.0
REMEMBER_EVENTS_MS = 30 * 24 * 3_600_000
KEEP_NOTES_MS = 7 * 24 * 3_600_000
KEEP_TRIES_MS = 90 * 24 * 3_600_000
CLEAN_EVERY = 3600
"""Rounds between cleanings."""
PART = 5_000
"""Deliveries looked at in one transaction."""


async def run(core: Core) -> None:
    """Until cancelled."""
    rounds = 0
    while True:
        await core.clock.sleep(EVERY_S)
        try:
            if await _any_late(core):
                await close_orphans(core, all_of_them=False)
            if rounds % CLEAN_EVERY == 0:
                await core.db.write(devices.forget_events, core.clock.now() - REMEMBER_EVENTS_MS)
                await core.db.write(device_log.forget, core.clock.now() - KEEP_NOTES_MS)
                await core.db.write(code_log.forget, core.clock.now() - KEEP_TRIES_MS)
                await _forget_deliveries(core)
                while await core.db.write(search.merge):
                    pass
        except Exception:
            log.exception("sweeping failed")
        rounds += 1


async def _forget_deliveries(core: Core) -> None:
    before = core.clock.now() - KEEP_NOTES_MS
    for webhook in await webhooks.every_one(core.db.read):
        after: str | None = ""
        while after is not None:
            key = (webhook.workspace_id, webhook.webhook_id)
            after = await core.db.write(deliveries.forget, *key, after, before, PART)


async def _any_late(core: Core) -> bool:
    row = await core.db.read.one(
        "SELECT 1 FROM action_attempts WHERE phase <> 'done' AND deadline_at < $1 LIMIT 1", core.clock.now()
    )
    return row is not None
