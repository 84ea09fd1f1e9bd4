"""On, off, and who is told: the servers in front of an intercom close while it has no power."""

import asyncio
from collections.abc import Awaitable, Callable

Watcher = Callable[[bool], Awaitable[None] | None]


class Power:
    """The power of one intercom; times are steady milliseconds."""

    def __init__(self) -> None:
        self.off_at: int | None = None
        """A restart is coming then."""
        self.boots_at: int | None = None
        """It is off, and back then."""
        self.outage_s = 0.0
        """How long the coming restart takes."""
        self._watchers: set[Watcher] = set()
        self._transitions: set[asyncio.Future[None]] = set()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher(is_on)` whenever power goes or comes back; returns what ends that. An awaitable it returns
        is run, and `settled` waits for it."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def tell(self, is_on: bool) -> None:
        """Tell all watchers."""
        for watcher in tuple(self._watchers):
            result = watcher(is_on)
            if result is not None:
                future: asyncio.Future[None] = asyncio.ensure_future(result)
                self._transitions.add(future)
                future.add_done_callback(self._transitions.discard)

    async def settled(self) -> None:
        """Wait until every watcher has done its part."""
        while self._transitions:
            await asyncio.wait(self._transitions)
