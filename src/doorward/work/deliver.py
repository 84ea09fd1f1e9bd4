"""Sends deliveries to webhooks: each at least once, the slowness of one never another's.

Which rows: due deliveries of webhooks that are not disabled. `work.outbox` hands over those it has just made; the rest
are found when the bell `deliver` rings, at the earliest `due_at`, and by a poll. If it dies half way: what was sent and
not written down is sent again. One process does it (see 0007).

Every webhook has a lane of its own, started when something is due there, ended when nothing is: so many requests at a
time, begun in order. What came of them is written down for all lanes together. Where try after try fails, a lane
narrows to one request at a time with growing pauses in between, so that a dead receiver costs next to nothing, and a
receiver that is back is noticed soon.

What a lane has read is good for an era of `core.sending`. Before each request it is asked whether that has passed, and
then all is read again: what was ended by a change that has been answered does not begin.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from doorward.core import events, webhooks
from doorward.core.context import Core
from doorward.core.webhooks import Outcome
from doorward.store import deliveries
from doorward.store import events as event_store
from doorward.store import webhooks as store
from doorward.store.deliveries import DeliveryRow
from doorward.store.webhooks import WebhookRow
from doorward.work.post import UNWANTED, Letter
from doorward.work.posting import Posting

log = structlog.get_logger()

POLL_S = 5.0
DRAIN_S = 3.0
WIDTH = 16
"""Requests to one webhook at a time."""
AT_ONCE = 256
"""Requests to all of them."""
PART = 200
"""Deliveries read ahead."""
NARROW_AFTER = 5
"""Failures in a row."""
PAUSE_S, LONGEST_S = 0.05, 10.0
UNWRITTEN = 64
"""Deliveries to one webhook that are on their way or not written down yet."""
GATHER_S = 0.003
"""What lands together is written down together."""
TEXTS = 2_000
"""Events that are kept ready to be sent to several webhooks."""
NONE = -1
"""The era of a lane that has to read everything again."""


@dataclass
class _Lane:
    """One webhook, while something is due there, and how it has done lately."""

    failures: int = 0
    """In a row."""
    ahead: deque[tuple[DeliveryRow, str]] = field(default_factory=deque)
    """What is sent next, and its text."""
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
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something has landed, was written down, or may be due."""

    def take(self, row: DeliveryRow, text: str) -> None:
        """A delivery that was made just now. It stands last in line: where others that are due have not been fetched
        yet, it is fetched after them."""
        if row.delivery_id in self.fetched:
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

    @property
    def receiver(self) -> WebhookRow | None:
        """The webhook, unless it is gone or disabled."""
        return None if self.webhook is None or self.webhook.disabled_at is not None else self.webhook

    @property
    def width(self) -> int:
        return WIDTH if self.failures < NARROW_AFTER else 1

    @property
    def pause_s(self) -> float:
        """Before the next request."""
        over = self.failures - NARROW_AFTER
        return 0.0 if over < 0 else min(LONGEST_S, PAUSE_S * 2 ** min(over, 16))


@dataclass(frozen=True)
class _Landed:
    """A request that has come back."""

    lane: _Lane
    row: DeliveryRow
    outcome: Outcome


class Deliverer:
    """The loop."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._posting = Posting(core.config.webhook_allow, core.config.webhook_timeout)
        self._lanes: dict[str, _Lane] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._ending = asyncio.Event()
        self._texts: dict[str, str] = {}
        self._secrets = webhooks.Secrets(core)
        self._landed: list[_Landed] = []
        self._has_landed = asyncio.Event()
        self._writing = asyncio.ensure_future(self._write_down())

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

    async def take(self, rows: Sequence[DeliveryRow], era: int) -> None:
        """Deliveries that were made just now, in the order of their events: sent without being looked for, unless the
        era in which they were made has passed."""
        texts = [await self._text(row) for row in rows]
        for row, text in zip(rows, texts, strict=True):
            if row.webhook_id not in self._busy:
                self._begin(row.workspace_id, row.webhook_id)
            elif era == self._core.sending.era:
                self._lanes[row.webhook_id].take(row, text)
            else:
                self._lanes[row.webhook_id].look()

    def _begin(self, workspace_id: str, webhook_id: str) -> None:
        self._lanes.setdefault(webhook_id, _Lane()).may_be_more = True
        task = self._busy[webhook_id] = asyncio.ensure_future(self._serve(workspace_id, webhook_id))
        task.add_done_callback(lambda _: self._served(webhook_id))

    def _served(self, webhook_id: str) -> None:
        self._busy.pop(webhook_id, None)
        lane = self._lanes[webhook_id]
        if lane.receiver is None and not lane.known:
            del self._lanes[webhook_id]
        self._core.wake.ring(webhooks.BELL)  # something may have come in the last moment

    async def close(self) -> None:
        """Begin no request any more, and let those that are under way end, for a moment."""
        self._ending.set()
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
            lane.ahead.clear()

    async def _send_all(self, workspace_id: str, webhook_id: str, lane: _Lane) -> None:
        lane.era = NONE
        while True:
            if not self._is_current(lane):
                await self._look_anew(workspace_id, webhook_id, lane)
            if (webhook := lane.receiver) is None:
                return
            if lane.may_be_more and not lane.ahead and len(lane.known) < UNWRITTEN:
                await self._look_ahead(workspace_id, webhook_id, lane)
            while lane.ahead and lane.flying < lane.width and len(lane.known) < UNWRITTEN:
                if self._ending.is_set() or (self._places.locked() and lane.flying):
                    break
                await self._places.acquire()
                if not self._is_current(lane):
                    self._places.release()
                    break
                self._send(lane, webhook, *lane.ahead.popleft())
            if lane.known:
                await lane.wake.wait()
                lane.wake.clear()
                if lane.pause_s and not lane.flying:
                    await self._core.clock.wait(self._ending, lane.pause_s)
            elif self._is_current(lane) or self._ending.is_set():
                return

    def _is_current(self, lane: _Lane) -> bool:
        return lane.era == self._core.sending.era

    async def _write_down(self) -> None:
        """Write down what came of requests: those of all lanes together, as each transaction has its price."""
        while True:
            await self._has_landed.wait()
            await asyncio.sleep(GATHER_S)
            self._has_landed.clear()
            landed, self._landed = self._landed, []
            try:
                found, era = [(one.row, one.outcome) for one in landed], self._core.sending.era
                now_are = await self._core.db.write(webhooks.write_down, self._core, found)
                for one in landed:
                    one.lane.webhook = now_are[one.row.webhook_id]
                    if era != self._core.sending.era:  # that may be what it was before
                        one.lane.era = NONE
            except Exception:
                log.exception("outcomes of deliveries were not written down: these are sent again")
                await self._core.clock.wait(self._ending, 1.0)
            for one in landed:
                one.lane.known.discard(one.row.delivery_id)
                one.lane.wake.set()
            if any(one.outcome.error is not None for one in landed):
                self._core.wake.ring(webhooks.BELL)  # they are tried again at a time of their own

    async def _look_anew(self, workspace_id: str, webhook_id: str, lane: _Lane) -> None:
        """Read the webhook, and forget what was read of its deliveries."""
        lane.era = self._core.sending.era  # before reading
        lane.ahead.clear()
        lane.may_be_more = True
        lane.webhook = await store.get(self._core.db.read, workspace_id, webhook_id)

    async def _look_ahead(self, workspace_id: str, webhook_id: str, lane: _Lane) -> None:
        """Fetch what is due, with its text."""
        core, lane.may_be_more, lane.is_looking = self._core, False, True
        try:
            rows = await deliveries.due(core.db.read, workspace_id, webhook_id, core.clock.now(), PART, lane.known)
            lane.fetched = {row.delivery_id for row in rows}
            lane.may_be_more |= len(rows) == PART
            lane.ahead.extend([(row, await self._text(row)) for row in rows])
        finally:
            lane.is_looking = False

    async def _text(self, row: DeliveryRow) -> str:
        """An event as it is sent; "": it is not there any more. Several webhooks are sent the same."""
        text = self._texts.get(row.event_id)
        if text is None:
            found = await event_store.get(self._core.db.read, row.workspace_id, row.event_id)
            text = "" if found is None else bytes(events.wire(self._core, found)).decode()
            if len(self._texts) >= TEXTS:
                self._texts.clear()
            self._texts[row.event_id] = text
        return text

    def _send(self, lane: _Lane, webhook: WebhookRow, row: DeliveryRow, text: str) -> None:
        """Begin one request. It lands in its lane."""
        core, era = self._core, lane.era
        began, at = core.clock.monotonic(), core.clock.now()

        def land(status: int | None, error: str | None) -> None:
            self._places.release()
            lane.flying -= 1
            if error == UNWANTED:
                lane.known.discard(row.delivery_id)
                lane.look()
                return
            lane.failures = 0 if error is None else lane.failures + 1
            took_ms = round((core.clock.monotonic() - began) * 1000)
            self._landed.append(_Landed(lane, row, Outcome(at, took_ms, status, error)))
            self._has_landed.set()
            lane.wake.set()

        lane.flying += 1
        lane.known.add(row.delivery_id)
        if not text:
            land(None, "The event is not there any more.")
            return
        letter = Letter(webhook.url, row.event_id, at // 1000, self._secrets.of(webhook), text)
        self._posting.post(letter, land, lambda: era == core.sending.era)
