"""Posts letters: from this process, and while there are very many, from a helper on another core.

A process of its own would cost every small server 40 MB, so it is started only when thousands of deliveries a second
have to be sent, and ended when that is over. Whatever is wrong with it, letters are posted from here: those that it had
not answered once more, which receivers tell by the event's id. What a helper was handed counts as begun.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from doorward.networks import Networks, Receivers
from doorward.work.post import UNWANTED, Landing, Letter, Poster, Wanted, always
from doorward.work.posting_helper import Landed, Letters, Setup, frame, frames

log = structlog.get_logger()

Posted = tuple[Letter, Landing, Wanted]
END_S = 2.0
"""That a helper has to end by itself."""
KEPT_OUT = "DOORWARD_"
"""Settings the helper has no use for, the key to all secrets among them."""


@dataclass(frozen=True)
class Pace:
    """When a helper is worth its memory."""

    look_s: float = 1.0
    """How often letters are counted."""
    many: int = 1_000
    """Letters a look that start a helper."""
    few: int = 100
    """Letters a look that it is not needed for."""
    few_looks: int = 60
    """Looks with so few, one after the other, that end it."""
    late_s: float = 5.0
    """Beyond the time-out of a letter: then the helper hangs."""
    again_s: float = 60.0
    """After one has failed, until the next."""


class Helper:
    """The process, as the server sees it. `lost`: told once it is gone, with the letters that it has not answered."""

    def __init__(self, setup: Setup, lost: Callable[[list[Posted]], None]) -> None:
        self._setup = setup
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._process: asyncio.subprocess.Process | None = None
        self._out: Letters = []
        self._flying: dict[int, tuple[Posted, float]] = {}
        self._count = 0
        self._since = self._loop.time()
        self.is_ready = False
        self._is_wanted = True
        self._task = asyncio.ensure_future(self._run())

    @property
    def is_idle(self) -> bool:
        """It has begun, and nothing is under way."""
        return self.is_ready and not self._flying

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def silent_s(self) -> float:
        """How long it has been asked for what it did not answer yet: the oldest letter, or to begin."""
        oldest = next((since for _, since in self._flying.values()), None if self.is_ready else self._since)
        return 0.0 if oldest is None else self._loop.time() - oldest

    def post(self, letter: Letter, land: Landing, is_wanted: Wanted) -> None:
        """As `Poster.post`."""
        if not self._out:
            self._loop.call_soon(self._hand_over)  # with what else is posted in this round
        self._count += 1
        self._out.append((self._count, letter))
        self._flying[self._count] = ((letter, land, is_wanted), self._loop.time())

    def end(self) -> asyncio.Task[None]:
        """Have it ended; wait for the task."""
        if self._is_wanted:
            self._is_wanted = self.is_ready = False
            self._task.cancel()
        return self._task

    def _hand_over(self) -> None:
        out, self._out = self._out, []
        if out:
            self._write(out)

    def _write(self, value: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(frame(value))

    async def _run(self) -> None:
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "doorward.work.posting_helper"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if not name.startswith(KEPT_OUT)},
            )
            assert process.stdout is not None
            self._write(self._setup)
            async for landed in frames(process.stdout, Landed):
                self.is_ready = True
                for number, status, error in landed:
                    (_, land, _), _ = self._flying.pop(number)
                    land(status, error)
        except Exception:
            log.exception("helping with webhooks failed")
        finally:
            self._is_wanted = self.is_ready = False
            self._out.clear()
            await self._let_it_end()
            flying, self._flying = self._flying, {}
            self._lost([posted for posted, _ in flying.values()])

    async def _let_it_end(self) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Posting:
    """One for the server."""

    def __init__(self, allow: str, timeout_s: float, pace: Pace | None = None) -> None:
        self._here = Poster(Receivers(Networks.parse(allow)), timeout_s)
        self._setup = Setup(allow, timeout_s)
        self._pace = pace or Pace()
        self._has_cores = _cores() > 1
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._few_looks = 0
        self._not_before = 0.0
        self._look_at: asyncio.TimerHandle | None = None
        self._closing = False
        self.helper: Helper | None = None

    def post(self, letter: Letter, land: Landing, is_wanted: Wanted = always) -> None:
        """As `Poster.post`."""
        self._count += 1
        if self._look_at is None:
            self._look_at = self._loop.call_later(self._pace.look_s, self._look)
        if self.helper is not None and self.helper.is_ready:
            self.helper.post(letter, land, is_wanted)
        else:
            self._here.post(letter, land, is_wanted)

    def _look(self) -> None:
        """Whether a helper is needed."""
        pace, count = self._pace, self._count
        self._count, self._look_at = 0, None
        self._few_looks = self._few_looks + 1 if count <= pace.few else 0
        if self.helper is None:
            if count >= pace.many and self._has_cores and self._loop.time() >= self._not_before:
                self.helper = Helper(self._setup, self._lost)
        elif self.helper.silent_s > self._setup.timeout_s + pace.late_s or (
            self._few_looks >= pace.few_looks and self.helper.is_idle
        ):
            self.helper.end()
        if count or self.helper is not None:
            self._look_at = self._loop.call_later(pace.look_s, self._look)

    def _lost(self, letters: list[Posted]) -> None:
        """The helper is gone."""
        self.helper = None
        if self._closing:
            return
        if letters or self._few_looks < self._pace.few_looks:
            log.warning("the helper for webhooks has ended", letters=len(letters))
            self._not_before = self._loop.time() + self._pace.again_s
        for letter, land, is_wanted in letters:
            if is_wanted():
                self._here.post(letter, land, is_wanted)
            else:
                land(None, UNWANTED)

    async def close(self) -> None:
        """Cut everything. Letters that are under way land no more."""
        self._closing = True
        if self._look_at is not None:
            self._look_at.cancel()
        if self.helper is not None:
            await asyncio.gather(self.helper.end(), return_exceptions=True)
        await self._here.close()
