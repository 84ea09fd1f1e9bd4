"""Sends deliveries to webhooks: each at least once, the slowness of one never another's.

Which rows: due deliveries of webhooks that are not disabled. `work.outbox` hands over events of which none is stored
yet, and `work.ledger` those it has just stored; the rest are found when the bell `deliver` rings, at the earliest
`due_at`, and by a poll. If it dies half way: what was sent and not written down is sent again. One process does it (see
0007).

Every webhook has a lane of its own, started when something is due there, ended when nothing is: so many requests at a
time, begun in order. Where try after try fails, a lane narrows to one request at a time with growing pauses in between,
so that a dead receiver costs next to nothing, and a receiver that is back is noticed soon.

What a lane has read is good for an era of `core.sending`. Before each request it is asked whether that has passed, and
then all is read again: what was ended by a change that has been answered does not begin.
"""

import asyncio
from collections.abc import Sequence

import structlog

from doorward.core import events, webhooks
from doorward.core.context import Core
from doorward.core.webhooks import Outcome
from doorward.store import deliveries
from doorward.store import events as event_store
from doorward.store import webhooks as store
from doorward.store.deliveries import DeliveryRow, OutboxRow
from doorward.store.webhooks import WebhookRow
from doorward.work.lane import LATE_S, NONE, PART, UNWRITTEN, First, Lane, Parcel
from doorward.work.ledger import Landed, Ledger
from doorward.work.post import UNWANTED, Letter
from doorward.work.posting import Posting

log = structlog.get_logger()

POLL_S = 5.0
DRAIN_S = 3.0
AT_ONCE = 256
"""Requests to all of them."""
TEXTS = 2_000
"""Events that are kept ready to be sent to several webhooks."""


class Deliverer:
    """The loop."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._posting = Posting(core.config.webhook_allow, core.config.webhook_timeout)
        self._lanes: dict[str, Lane] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._ending = asyncio.Event()
        self._texts: dict[str, str] = {}
        self._secrets = webhooks.Secrets(core)
        self.ledger = Ledger(core, self._ending, self._take)
        self._writing = asyncio.ensure_future(self.ledger.run())

    async def run(self) -> None:
        """Until cancelled."""
        core, bell = self._core, self._core.wake.bell(webhooks.BELL)
        while True:
            bell.clear()  # before looking
            pause = POLL_S
            try:
                now = core.clock.now()
                for workspace_id, webhook_id in await deliveries.webhooks_due(core.db.read, now):
                    if webhook_id in self._busy:
                        self._lanes[webhook_id].look()
                    else:
                        self._begin(workspace_id, webhook_id)
                next_at = await deliveries.next_due_at(core.db.read)
                if next_at is not None and next_at > now:
                    pause = min(POLL_S, (next_at - now) / 1000)
            except Exception:
                log.exception("delivering failed")
            await core.clock.wait(bell, pause)

    async def tell(self, waiting: Sequence[tuple[OutboxRow, list[WebhookRow]]], era: int) -> None:
        """Events that wait in the outbox, and the webhooks that want each, as they were in that era: make the first
        tries that may be made at once."""
        texts = await self._texts_of([event for event, _ in waiting])
        now, at = asyncio.get_running_loop().time(), self._core.clock.now()
        is_current = era == self._core.sending.era
        parcels = []
        for (event, receivers), text in zip(waiting, texts, strict=True):
            parcels.append(parcel := Parcel(event, now + LATE_S))
            for webhook in receivers:
                lane = self._lane(webhook)
                if is_current and lane.has_room(now):
                    lane.put(First(parcel, lane, webhooks.new_delivery(event, webhook, at), text, era))
                else:
                    parcel.store_for(lane)
        self.ledger.put(parcels)

    async def _take(self, rows: Sequence[DeliveryRow], era: int) -> None:
        """Deliveries that were stored just now, in the order of their events: sent without being looked for, unless
        the era in which they were made has passed."""
        try:
            texts = await self._texts_of(rows)
        except Exception:
            log.exception("reading events failed")
            era = NONE
            texts = [""] * len(rows)
        for row, text in zip(rows, texts, strict=True):
            lane = self._lane(row)
            if era == self._core.sending.era:
                lane.take(row, text)
            else:
                lane.look()

    def _lane(self, row: DeliveryRow | WebhookRow) -> Lane:
        """The one of its webhook, at work."""
        if row.webhook_id not in self._busy:
            self._begin(row.workspace_id, row.webhook_id)
        return self._lanes[row.webhook_id]

    def _begin(self, workspace_id: str, webhook_id: str) -> None:
        self._lanes.setdefault(webhook_id, Lane(webhook_id)).look()
        task = self._busy[webhook_id] = asyncio.ensure_future(self._serve(workspace_id, webhook_id))
        task.add_done_callback(lambda _: self._served(workspace_id, webhook_id))

    def _served(self, workspace_id: str, webhook_id: str) -> None:
        self._busy.pop(webhook_id, None)
        lane = self._lanes[webhook_id]
        if lane.firsts and not self._ending.is_set():
            self._begin(workspace_id, webhook_id)
        elif lane.receiver is None and lane.is_quiet:
            del self._lanes[webhook_id]
        self._core.wake.ring(webhooks.BELL)  # something may have come in the last moment

    async def close(self) -> None:
        """Begin no request any more, and let those that are under way end, for a moment."""
        self._ending.set()
        for lane in self._lanes.values():
            lane.wake.set()
        tasks = list(self._busy.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._posting.close()
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)

    async def _serve(self, workspace_id: str, webhook_id: str) -> None:
        """Send what is due at one webhook."""
        lane = self._lanes[webhook_id]
        try:
            await self._send_all(workspace_id, webhook_id, lane)
        except Exception:
            log.exception("delivering to a webhook failed", webhook_id=webhook_id)
            await self._core.clock.wait(self._ending, 1.0)
        finally:
            lane.forget(NONE)
            self.ledger.nudge()

    async def _send_all(self, workspace_id: str, webhook_id: str, lane: Lane) -> None:
        lane.era = NONE
        while True:
            if not self._is_current(lane):
                await self._look_anew(workspace_id, webhook_id, lane)
            if (webhook := lane.receiver) is None:
                return
            if lane.may_be_more and not lane.ahead and len(lane.known) < UNWRITTEN:
                await self._look_ahead(workspace_id, webhook_id, lane)
            while lane.has_next:
                if self._ending.is_set() or (self._places.locked() and lane.flying):
                    break
                await self._places.acquire()
                if not self._is_current(lane) or not lane.has_next:
                    self._places.release()
                    break
                self._send(lane, webhook, *lane.next())
            if lane.known or not (lane.is_quiet or self._ending.is_set()):
                await lane.wake.wait()
                lane.wake.clear()
                if lane.pause_s and not lane.flying:
                    await self._core.clock.wait(self._ending, lane.pause_s)
            elif self._is_current(lane) or self._ending.is_set():
                return

    def _is_current(self, lane: Lane) -> bool:
        return lane.era == self._core.sending.era

    async def _look_anew(self, workspace_id: str, webhook_id: str, lane: Lane) -> None:
        """Read the webhook, and forget what was read before."""
        lane.forget(self._core.sending.era)  # before reading
        self.ledger.nudge()
        lane.webhook = await store.get(self._core.db.read, workspace_id, webhook_id)

    async def _look_ahead(self, workspace_id: str, webhook_id: str, lane: Lane) -> None:
        """Fetch what is due, with its text."""
        core, lane.may_be_more, lane.is_looking = self._core, False, True
        known = set(lane.known)  # before looking: what is written down meanwhile may be read as it was before
        try:
            rows = await deliveries.due(core.db.read, workspace_id, webhook_id, core.clock.now(), PART, known)
            lane.fetched = {row.delivery_id for row in rows}
            lane.may_be_more |= len(rows) == PART
            lane.ahead.extend(zip(rows, await self._texts_of(rows), strict=True))
        finally:
            lane.is_looking = False

    async def _texts_of(self, rows: Sequence[DeliveryRow | OutboxRow]) -> list[str]:
        """Events as they are sent; "": one is not there any more. Several webhooks are sent the same."""
        texts: dict[str, str] = {}
        missing: dict[str, set[str]] = {}
        for row in rows:
            if (text := self._texts.get(row.event_id)) is not None:
                texts[row.event_id] = text
            else:
                missing.setdefault(row.workspace_id, set()).add(row.event_id)
        for workspace_id, event_ids in missing.items():
            found = await event_store.bodies(self._core.db.read, workspace_id, sorted(event_ids))
            texts |= {one: bytes(events.wire(self._core, body)).decode() for one, body in found.items()}
        if missing:
            if len(self._texts) >= TEXTS:
                self._texts.clear()
            self._texts |= texts
        return [texts.get(row.event_id, "") for row in rows]

    def _send(self, lane: Lane, webhook: WebhookRow, row: DeliveryRow, text: str, first: First | None) -> None:
        """Begin one request. It lands in its lane."""
        core, era = self._core, lane.era
        began, at = core.clock.monotonic(), core.clock.now()

        def land(status: int | None, error: str | None) -> None:
            self._places.release()
            lane.flying -= 1
            outcome = None
            if error != UNWANTED:
                lane.failures = 0 if error is None else lane.failures + 1
                lane.is_silent = status is None
                took_ms = round((core.clock.monotonic() - began) * 1000)
                outcome = Outcome(at, took_ms, status, error)
            if first is not None and first.is_sealed:
                lane.late -= 1
            if first is not None and not first.is_sealed:
                first.land(outcome)
                if first.parcel.is_whole:
                    self.ledger.nudge()
            elif outcome is not None:
                self.ledger.note(Landed(lane, row, outcome))
            else:
                lane.known.discard(row.delivery_id)
                lane.look()
            lane.wake.set()

        lane.flying += 1
        lane.known.add(row.delivery_id)
        if not text:
            land(None, "The event is not there any more.")
            return
        letter = Letter(webhook.url, row.event_id, at // 1000, self._secrets.of(webhook), text)
        self._posting.post(letter, land, lambda: era == core.sending.era)
