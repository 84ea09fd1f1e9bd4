"""Sends deliveries to webhooks: each at least once, the slowness of one never another's.

Which rows: due deliveries of webhooks that are not disabled. Woken by the bell `deliver`, the earliest `due_at`, and a
poll. If it dies half way: what was sent and not written down is sent again. One process does it (see 0007).

Every webhook has a lane of its own, started when something is due there, ended when nothing is: so many requests at a
time, begun in order. Where try after try fails, a lane narrows to one request at a time with growing pauses in between,
so that a dead receiver costs next to nothing, and a receiver that is back is noticed soon.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

import structlog

from doorward.core import events, webhooks
from doorward.core.context import Core
from doorward.core.webhooks import Outcome
from doorward.store import deliveries
from doorward.store import events as event_store
from doorward.store import webhooks as store
from doorward.store.deliveries import DeliveryRow
from doorward.store.webhooks import WebhookRow
from doorward.work.post import Poster

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
BODIES = 2_000
"""Events that are kept ready to be sent to several webhooks."""


@dataclass
class _Lane:
    """How a webhook has done lately."""

    failures: int = 0
    """In a row."""

    @property
    def width(self) -> int:
        return WIDTH if self.failures < NARROW_AFTER else 1

    @property
    def pause_s(self) -> float:
        """Before the next request."""
        over = self.failures - NARROW_AFTER
        return 0.0 if over < 0 else min(LONGEST_S, PAUSE_S * 2 ** min(over, 16))


class Deliverer:
    """The loop."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._poster = Poster(webhooks.receivers(core), core.config.webhook_timeout)
        self._lanes: dict[str, _Lane] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._ending = asyncio.Event()
        self._bodies: dict[str, bytes] = {}

    async def run(self) -> None:
        """Until cancelled."""
        core, bell = self._core, self._core.wake.bell(webhooks.BELL)
        while True:
            bell.clear()  # before looking
            pause = POLL_S
            try:
                now = core.clock.now()
                for workspace_id, webhook_id in await deliveries.webhooks_due(core.db.read, now):
                    if webhook_id not in self._busy:
                        task = asyncio.ensure_future(self._serve(workspace_id, webhook_id))
                        self._busy[webhook_id] = task
                        task.add_done_callback(lambda _, key=webhook_id: self._served(key))  # type: ignore[misc]
                next_at = await deliveries.next_due_at(core.db.read)
                if next_at is not None and next_at > now:
                    pause = min(POLL_S, (next_at - now) / 1000)
            except Exception:
                log.exception("delivering failed")
            await core.clock.wait(bell, pause)

    def _served(self, webhook_id: str) -> None:
        self._busy.pop(webhook_id, None)
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
        await self._poster.close()

    async def _serve(self, workspace_id: str, webhook_id: str) -> None:
        """Send what is due at one webhook."""
        try:
            await self._send_all(workspace_id, webhook_id, self._lanes.setdefault(webhook_id, _Lane()))
        except Exception:
            log.exception("delivering to a webhook failed", webhook_id=webhook_id)
            await self._core.clock.wait(self._ending, 1.0)

    async def _send_all(self, workspace_id: str, webhook_id: str, lane: _Lane) -> None:
        core = self._core
        ahead: deque[DeliveryRow] = deque()
        flying: dict[asyncio.Task[Outcome], DeliveryRow] = {}
        try:
            while True:
                webhook = await store.get(core.db.read, workspace_id, webhook_id)
                if webhook is None or webhook.disabled_at is not None:
                    self._lanes.pop(webhook_id, None)
                    return
                if not ahead:
                    known = {row.delivery_id for row in flying.values()}
                    now = core.clock.now()
                    ahead += await deliveries.due(core.db.read, workspace_id, webhook_id, now, PART, known)
                while ahead and len(flying) < lane.width and not self._ending.is_set():
                    row = ahead.popleft()
                    flying[asyncio.ensure_future(self._send(webhook, row))] = row
                if not flying:
                    return
                done, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                found = [(flying.pop(task), task.result()) for task in done]
                for _, outcome in found:
                    lane.failures = 0 if outcome.error is None else lane.failures + 1
                await core.db.write(webhooks.write_down, core, webhook, found)
                if lane.pause_s:
                    await core.clock.wait(self._ending, lane.pause_s)
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def _send(self, webhook: WebhookRow, row: DeliveryRow) -> Outcome:
        """One request."""
        core = self._core
        async with self._places:
            began, at = core.clock.monotonic(), core.clock.now()
            body = await self._body(row)
            if body is None:
                return Outcome(at, 0, None, "The event is not there any more.")
            headers = webhooks.sign(core, webhook, row.event_id, body)
            status, error = await self._poster.post(webhook.url, body, headers)
            return Outcome(at, round((core.clock.monotonic() - began) * 1000), status, error)

    async def _body(self, row: DeliveryRow) -> bytes | None:
        """The event as it is sent; several webhooks get the same."""
        body = self._bodies.get(row.event_id)
        if body is None:
            found = await event_store.get(self._core.db.read, row.workspace_id, row.event_id)
            if found is None:
                return None
            body = bytes(events.wire(self._core, found))
            if len(self._bodies) >= BODIES:
                self._bodies.clear()
            self._bodies[row.event_id] = body
        return body
