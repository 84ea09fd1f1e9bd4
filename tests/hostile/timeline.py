"""An event loop whose time stands still until it is told to move on.

Every timer of the process hangs on it: the server's clock, the intercoms', asyncio's own time-outs. So an hour passes
in milliseconds and a run can be repeated. Time moves only when nothing is left to do: no callback is ready, no socket
has bytes, no write to the database is under way.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from asyncpg.pool import Pool

from doorward.clock import Clock

T = TypeVar("T")

START_MS = 1_790_000_000_000
GRACE_S = 0.25
"""Real seconds of silence after which nothing more is expected of a thread or a process that nobody counts."""
WAIT_S = 0.05


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """Looks for bytes without ever sleeping through our time."""

    timeline: "Timeline"

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        loop = self.timeline
        if loop.busy:
            return super().select(WAIT_S)
        found = super().select(loop.wire_s if loop.is_visible else GRACE_S)
        if not found and not loop.fall_idle():
            found = super().select(WAIT_S)
        return found


class Timeline(asyncio.SelectorEventLoop):
    """The loop. `now_ms` is the world's time."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.busy = 0
        """Calls of the database that are under way."""
        self.is_visible = False
        """All that goes on outside of this thread is counted in `busy`: no need to wait for silence."""
        self.wire_s = 0.0
        """Real seconds that bytes may be on their way between two sockets; none through a pair of them."""
        self._idle: list[asyncio.Future[None]] = []
        selector = _Selector()
        selector.timeline = self
        super().__init__(selector)

    async def _accept_connection2(
        self, factory: Any, conn: Any, extra: Any, context: Any, server: Any, *more: Any
    ) -> None:
        # asyncio forgets such a connection half made: CPython's Server._attach fails when the server has been closed.
        if server is not None and server.sockets == ():
            conn.close()
        else:
            await super()._accept_connection2(factory, conn, extra, context, server, *more)  # type: ignore[misc]

    def time(self) -> float:
        """Seconds since the beginning of this world."""
        return self.now_ms / 1000

    def fall_idle(self) -> bool:
        """Nothing is left to do now: wake whoever waits for that. False: nobody does."""
        waiting, self._idle = self._idle, []
        for one in waiting:
            if not one.done():
                one.set_result(None)
        return bool(waiting)

    async def idle(self) -> None:
        """Wait until nothing is left to do at this instant."""
        future: asyncio.Future[None] = self.create_future()
        self._idle.append(future)
        await future

    def next_at(self) -> int | None:
        """The next instant at which a timer fires, in milliseconds; None: no timer runs."""
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        times = [-(-one.when() * 1000 // 1) for one in timers if not one.cancelled()]
        return max(self.now_ms, int(min(times))) if times else None

    async def advance(self, seconds: float, *, step: float | None = None) -> None:
        """Let time pass. `step` None: from timer to timer. Otherwise in steps, so that timers fire late: a machine
        that was asleep."""
        end = self.now_ms + round(seconds * 1000)
        await self.idle()
        while self.now_ms < end:
            at = self.next_at() if step is None else self.now_ms + round(step * 1000)
            self.now_ms = end if at is None else min(end, max(at, self.now_ms))
            await self.idle()
            if step is None and self.now_ms < end and self.next_at() == self.now_ms:
                self.now_ms += 1  # a timer that is due by a rounding only

    async def drive(self, work: Coroutine[Any, Any, T], patience: float = 120.0) -> T:
        """Run `work` to its end, letting pass whatever time it needs."""
        task = asyncio.ensure_future(work)
        end = self.now_ms + round(patience * 1000)
        while True:
            idle = asyncio.ensure_future(self.idle())
            await asyncio.wait((task, idle), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                idle.cancel()
                return task.result()
            if self.now_ms >= end:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise AssertionError(f"still waiting after {patience} s of the world's time")
            at = self.next_at()
            self.now_ms = self.now_ms + 1 if at is None or at == self.now_ms else at


class LoopClock(Clock):
    """The server's clock, on a timeline."""

    def __init__(self, loop: Timeline) -> None:
        self._loop = loop

    def now(self) -> int:
        return START_MS + self._loop.now_ms

    def monotonic(self) -> float:
        return self._loop.time()


_connect = Pool._get_new_connection


async def _get_new_connection(pool: Any) -> Any:
    """A new connection to PostgreSQL makes a process, which a busy machine takes its time for: time waits for it."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, Timeline):
        return await _connect(pool)
    loop.busy += 1
    try:
        return await _connect(pool)
    finally:
        loop.busy -= 1


Pool._get_new_connection = _get_new_connection
