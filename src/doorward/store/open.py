"""Opens the store that the configuration names."""

import os
import signal
from pathlib import Path

from doorward.clock import Clock
from doorward.store.db import Database, StoreUnavailable
from doorward.store.migrate import migrate


def _lost() -> None:
    """The lock is gone: end in an orderly way, and let the supervisor or the operator start anew."""
    os.kill(os.getpid(), signal.SIGTERM)


async def open_store(data_dir: Path, database_url: str | None, *, clock: Clock, exclusive: bool = True) -> Database:
    """The store, with its schema up to date.

    `exclusive` is for servers: on SQLite it refuses a second one (StoreBusy). Without it, short writes beside a
    running server are possible: that is how `doorward api-key create` works.
    """
    db: Database
    if database_url:
        import asyncpg

        from doorward.store.postgres import PostgresDatabase, make_pool, take_lock

        try:
            owner = await take_lock(database_url, _lost) if exclusive else None
            db = PostgresDatabase(await make_pool(database_url), owner)
        except (OSError, asyncpg.PostgresError, ValueError) as exc:
            raise StoreUnavailable(
                f"Cannot open the database of --database-url ({type(exc).__name__}). "
                "Is PostgreSQL running, and are the address, user and password right?"
            ) from None
    else:
        from doorward.store.sqlite import SqliteDatabase
        from doorward.store.sqlite import take_lock as take_file_lock

        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240 - before anything is served
        path = data_dir / "doorward.db"
        db = SqliteDatabase(path, take_file_lock(path) if exclusive else None)
    try:
        await migrate(db, clock.now())
    except BaseException:
        await db.close()
        raise
    return db
