"""Opens the store that the configuration names."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from doorward.clock import Clock
from doorward.store.db import Database, StoreUnavailable
from doorward.store.migrate import migrate
from doorward.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from doorward.store.ownership import Ownership

log = structlog.get_logger()

LOST_S = 5.0


def _lost() -> None:
    """The lock is gone: end in an orderly way, and let the supervisor or the operator start anew.

    After `LOST_S` it ends as by a kill, whatever is still under way. What it may do until then is said in
    `store.ownership`.
    """
    log.error("the connection that keeps other servers from the devices broke; ending")
    os.kill(os.getpid(), signal.SIGTERM)
    end = threading.Timer(LOST_S, os._exit, (1,))
    end.daemon = True
    end.start()


async def wait_to_own(database_url: str, on_busy: Callable[[], None]) -> "Ownership":
    """Wait until no other server works on the database, and be the one that does. For `open_store`.

    `on_busy` is called when there is another one. If this process dies meanwhile, nothing has happened.
    """
    from doorward.store.ownership import wait_for_lock

    with _explained():
        return await wait_for_lock(database_url, _lost, on_busy)


async def open_store(
    data_dir: Path,
    database_url: str | None,
    *,
    clock: Clock,
    exclusive: bool = True,
    owner: "Ownership | None" = None,
) -> Database:
    """The store, with its schema up to date.

    `exclusive` is for servers: it refuses a second one (StoreBusy), unless `owner` says that this is the one. Without
    it, short writes beside a running server are possible: that is how `doorward api-key create` works.
    """
    db: Database
    if database_url:
        from doorward.store.ownership import take_lock
        from doorward.store.postgres import PostgresDatabase, make_pool

        with _explained():
            if owner is None and exclusive:
                owner = await take_lock(database_url, _lost)
            try:
                db = PostgresDatabase(await make_pool(database_url), owner)
            except BaseException:
                if owner is not None:
                    await owner.end()
                raise
    else:
        from doorward.store.sqlite import keep_private
        from doorward.store.sqlite import take_lock as take_file_lock

        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240 - before anything is served
        path = data_dir / "doorward.db"
        lock = take_file_lock(path) if exclusive else None
        keep_private(path)
        db = SqliteDatabase(path, lock)
    try:
        await migrate(db, clock.now())
        if isinstance(db, SqliteDatabase):
            await db.use_statistics()
    except BaseException:
        await db.close()
        raise
    return db


@contextmanager
def _explained() -> Iterator[None]:
    """What asyncpg raises when it cannot connect becomes a sentence for the operator."""
    import asyncpg

    try:
        yield
    except (OSError, asyncpg.PostgresError, ValueError) as exc:
        raise StoreUnavailable(
            f"Cannot open the database of --database-url ({type(exc).__name__}). "
            "Is PostgreSQL running, and are the address, user and password right?"
        ) from None
