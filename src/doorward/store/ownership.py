"""Being the one server that works on a PostgreSQL database.

That server holds an advisory lock on a connection of its own. PostgreSQL frees the lock when that connection ends: at
once when the process dies, after 16 seconds of silence when its machine or the network does (`_KEEPALIVE`). Whoever
waits for it asks twice a second; a statement that waits inside PostgreSQL would keep VACUUM from tidying up for as
long.

**Losing it.** The connection is asked every `BEAT_S` whether it is there, and every write asks `hold` first. Once it
has broken, or has not answered for `SURE_S`, the server writes nothing more: it claims no device, starts no command,
and keeps nothing of a virtual intercom. It ends within `open.LOST_S` of the break. A server with `--standby`, which
somebody may follow, takes silence for a break: it has ended some `BEAT_S + PATIENCE_S + open.LOST_S` = 12 seconds after
the network did at most, before anybody can follow it.

So only a connection that PostgreSQL itself ends (its restart, an administrator) leaves two servers side by side, for
five seconds at most: in the older one, a look at a device or a command that had begun may still send the call it was
about to. That does no lasting harm. A code is a level with an id of our choice, so both write the same entry, and what
changed in that moment is found when the successor reads the directory after its own write; a command is sent by whoever
claimed it, and the successor has ended it as `outcome_unknown`. What could stay is a code that is deleted at the
successor in the very seconds in which the older one still sets it: the device keeps it, as an unmanaged code.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from doorward.store.db import StoreBusy, StoreUnavailable

log = structlog.get_logger()

OWNER = (0x44_57, 1)
"""The advisory lock of the one server that works on a database."""
LOCK_TRIES = 10
LOCK_PAUSE_S = 0.2
WAIT_S = 0.5
"""Between two questions of a server that stands by."""
PATIENCE_S = 5.0
"""How long PostgreSQL may take to answer."""
GRACE_S = 0.2
"""For an answer that has come, but was not read yet: we may have been busy ourselves."""
BEAT_S = 2.0
SURE_S = 8.0
"""How long after its last answer the lock is taken to be ours."""
_KEEPALIVE = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"
_TCP_TIMEOUT = "SET tcp_user_timeout = 16000"
GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
)
"""The server is away, full, or being shut down."""


class Ownership:
    """Being the one server that works on this database, for as long as a connection lasts."""

    def __init__(
        self,
        con: Any,
        on_loss: Callable[[], None],
        *,
        patient: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_loss` is called when the connection breaks: somebody else may own the devices from then on.

        `patient`: nobody stands by, so silence is waited out. Without it, silence is a break.
        """
        self._con = con
        self._on_loss = on_loss
        self._patient = patient
        self._now = now
        self._is_lost = False
        self._sure_at = now()
        self._question: asyncio.Future[None] | None = None
        con.add_termination_listener(self._ended)
        self._beating = asyncio.ensure_future(self._beat())

    def _ended(self, _con: Any) -> None:
        self._is_lost = True
        self._beating.cancel()
        self._on_loss()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with contextlib.suppress(StoreUnavailable):
                await self._ask()

    async def _ask(self) -> None:
        """Raises StoreUnavailable when the connection does not answer."""
        if self._question is None or self._question.done():
            self._question = asyncio.ensure_future(self._ask_once())
        for patience in (PATIENCE_S, GRACE_S):
            await asyncio.wait((self._question,), timeout=patience)
        if not self._question.done() and not self._patient:
            self._con.terminate()
        if not self._question.done() or self._question.cancelled() or self._question.exception() is not None:
            raise StoreUnavailable("PostgreSQL does not say whether this server still has the devices")

    async def _ask_once(self) -> None:
        asked_at = self._now()
        await self._con.execute("SELECT 1")
        self._sure_at = asked_at

    async def hold(self) -> None:
        """Nothing, while the lock is ours. Raises StoreUnavailable when it is not, or may not be."""
        if self._is_lost:
            raise StoreUnavailable("Another server may have the devices by now")
        if self._now() - self._sure_at > SURE_S:
            await self._ask()

    async def end(self) -> None:
        tasks = [task for task in (self._beating, self._question) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._con.remove_termination_listener(self._ended)
        with contextlib.suppress(*GONE, asyncpg.PostgresError):
            # Now, and not when PostgreSQL has noticed that the connection is gone: the next server may be starting.
            await self._con.execute("SELECT pg_advisory_unlock($1, $2)", *OWNER, timeout=PATIENCE_S)
            await self._con.close(timeout=PATIENCE_S)
        self._con.terminate()


async def take_lock(url: str, on_loss: Callable[[], None]) -> Ownership:
    """Raises StoreBusy when another server has it."""
    con = await _connect(url)
    for left in reversed(range(LOCK_TRIES)):
        if await _try(con):
            break
        # A server that was killed may still be in PostgreSQL's mind for a moment.
        await asyncio.sleep(LOCK_PAUSE_S)
        if left:
            continue
        await con.close()
        raise StoreBusy(
            "Another Doorward is already working on this PostgreSQL database. Stop it first, use --workers to run "
            "several processes of one server, or --standby to wait until it ends."
        )
    return Ownership(con, on_loss)


async def wait_for_lock(url: str, on_loss: Callable[[], None], on_busy: Callable[[], None]) -> Ownership:
    """As `take_lock`, once the other server has ended. `on_busy` is called when there is one, and may raise.

    A database that is away is waited for. An address or a login that is wrong raises what `take_lock` would.
    """
    con = None
    said = ""
    while True:
        try:
            if con is None:
                con = await _connect(url)
            if await _try(con):
                return Ownership(con, on_loss, patient=False)
            state = "another server has the devices"
            on_busy()
        except ValueError:
            raise  # asyncpg's complaint of an address is an InterfaceError too
        except GONE as exc:
            _drop(con)
            con = None
            state = f"the database does not answer ({type(exc).__name__})"
        except BaseException:
            _drop(con)
            raise
        if state != said:
            said = state
            log.info("standing by", why=state)
        try:
            await asyncio.sleep(WAIT_S)
        except BaseException:
            _drop(con)
            raise


def _drop(con: Any) -> None:
    if con is not None:
        con.terminate()


async def _try(con: Any) -> bool:
    return bool(await con.fetchval("SELECT pg_try_advisory_lock($1, $2)", *OWNER, timeout=PATIENCE_S))


async def _connect(url: str) -> Any:
    con = await asyncpg.connect(url, timeout=PATIENCE_S * 2, server_settings={"application_name": "doorward owner"})
    # Not while connecting: a pooler may refuse what it does not know. PostgreSQL before 12 has no tcp_user_timeout.
    for setting in (_KEEPALIVE, _TCP_TIMEOUT):
        with contextlib.suppress(asyncpg.PostgresError):
            await con.execute(setting, timeout=PATIENCE_S)
    return con
