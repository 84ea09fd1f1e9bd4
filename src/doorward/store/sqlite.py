"""SQLite: reads on the event loop's own connection, one writer thread with group commit.

Reads are short and indexed (5 µs for a row), so a hop to another thread would cost ten times what it saves. Writes
queue up for the writer thread, which takes all that wait, runs each in a savepoint, and commits them with one fsync
(`synchronous=FULL`): whoever is answered is on disk, in the log; `store.checkpoint` moves it on into the file. A
failing function rolls back alone; a failing commit fails all of its group. While a group of several is run, the event
loop stands still for a moment: at every statement the writer lets go of the interpreter, and with a busy loop beside it
it would wait five times as long as it works. Two processes never serve the same file:
the first holds a lock on `<name>.lock` while it lives. Short writes of the command line (a new API key) go in between
by SQLite's own locking.
"""

import asyncio
import fcntl
import inspect
import json
import os
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, cast

from doorward.store import search, statistics
from doorward.store.checkpoint import MOST_PAGES, Checkpointer
from doorward.store.db import Dialect, P, Row, StoreBusy, StoreUnavailable, T, listed, numbered

BUSY_MS = 10_000
CACHE_KB = 65_536
"""Of pages, for each of the two connections: it fills only as a store grows beyond the default of 2 MB."""
BROKEN = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_NOMEM,
}
GROUP = 256
"""Functions in one commit at most: bounds how long the first of them waits."""
TOGETHER = 3
"""From so many functions in a group the loop stands still for them. One alone seldom has a busy loop beside it."""
STILL_S = 0.02
"""At most: a long piece of work, or a slow disk, is nobody else's."""


class SqliteDialect(Dialect):
    name = "sqlite"

    def json_text(self, column: str, key: str) -> str:
        # json_each, not a path: a key may hold quotes.
        return (
            "(SELECT CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(value AS TEXT) END "
            f"FROM json_each({column}) WHERE key = {key})"
        )

    def folded(self, column: str) -> str:
        return f"folded({column})"  # SQLite's own LOWER knows the letters of ASCII only


DIALECT = SqliteDialect()


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, with the settings every connection needs."""
    con = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    con.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = FULL")
    con.execute("PRAGMA foreign_keys = ON")
    con.execute("PRAGMA temp_store = MEMORY")
    con.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    con.create_function("folded", 1, _folded, deterministic=True)
    con.create_function("search_words", 4, _words, deterministic=True)
    con.create_function("search_pairs", 1, _pairs, deterministic=True)
    return con


def _folded(text: str | None) -> str | None:
    return None if text is None else search.folded(text)


def _words(workspace_id: str, kind: str, text: str, pairs: str) -> str:
    return " ".join(search.words(search.scope(workspace_id, kind), text, pairs))


def _pairs(metadata_json: str) -> str:
    return json.dumps(search.pairs_of(metadata_json))


class SqliteReader:
    """Reads on a connection of its own."""

    dialect: Dialect = DIALECT

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con

    async def all(self, sql: str, *args: Any) -> list[Row]:
        return self._con.execute(numbered(sql), listed(args)).fetchall()

    async def one(self, sql: str, *args: Any) -> Row | None:
        return cast("Row | None", self._con.execute(numbered(sql), listed(args)).fetchone())


class SqliteTx(SqliteReader):
    """One function's part of the writer's commit."""

    def __init__(self, con: sqlite3.Connection) -> None:
        super().__init__(con)
        self.hooks: list[Callable[[], None]] = []

    async def run(self, sql: str, *args: Any) -> int:
        return self._con.execute(numbered(sql), listed(args)).rowcount

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._con.executemany(numbered(sql), rows)

    async def lock(self, *names: str) -> None:
        pass

    def after_commit(self, call: Callable[[], None]) -> None:
        self.hooks.append(call)


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    coroutine.close()
    raise RuntimeError("a transaction may await nothing but its own tx")


class _Job:
    __slots__ = ("error", "fn", "future", "hooks", "value")

    def __init__(self, fn: Callable[[SqliteTx], Coroutine[Any, Any, Any]], future: asyncio.Future[Any]) -> None:
        self.fn = fn
        self.future = future
        self.value: Any = None
        self.error: BaseException | None = None
        self.hooks: list[Callable[[], None]] = []


class SqliteDatabase:
    """An open SQLite file. Made by `open_sqlite`."""

    dialect: Dialect = DIALECT

    def __init__(self, path: Path, lock: int | None = None) -> None:
        self.path = path
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._reading = connect(path)
        self._reading.execute("PRAGMA query_only = ON")
        self.read = SqliteReader(self._reading)
        self._writing = connect(path)
        self._writing.execute(f"PRAGMA wal_autocheckpoint = {MOST_PAGES}")
        self._checkpoints = Checkpointer(connect(path))
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="doorward-writer", daemon=True)
        self._thread.start()

    async def use_statistics(self) -> None:
        """Let the planner know what the tables are like; see `store.statistics`."""
        await self.write(statistics.put)
        self._reading.execute("PRAGMA query_only = OFF")
        self._reading.execute("ANALYZE sqlite_schema")  # reads them, and writes nothing
        self._reading.execute("PRAGMA query_only = ON")

    async def write(self, fn: Callable[Concatenate[SqliteTx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()

        def call(tx: SqliteTx) -> Coroutine[Any, Any, T]:
            made = fn(tx, *args, **kwargs)
            assert inspect.iscoroutine(made)
            return made

        self._jobs.put(_Job(call, future))
        # A caller that goes away does not take its write back: it may be durable already.
        return await asyncio.shield(future)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._checkpoints.close)
        self._reading.close()
        self._writing.close()
        if self._lock is not None:
            os.close(self._lock)

    def _work(self) -> None:
        last = False
        while not last:
            job = self._jobs.get()
            group: list[_Job] = []
            while True:
                if job is None:
                    last = True
                else:
                    group.append(job)
                    if len(group) >= GROUP:
                        break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._commit(group)
                self._loop.call_soon_threadsafe(_settle, group)

    def _commit(self, group: list[_Job]) -> None:
        con = self._writing
        try:
            con.execute("BEGIN IMMEDIATE")
            working = threading.Lock()
            with working:
                if len(group) >= TOGETHER:
                    self._loop.call_soon_threadsafe(_stand_still, working)
                for job in group:
                    self._run(con, job)
            con.execute("COMMIT")
            self._checkpoints.note(con.total_changes)
        except sqlite3.Error as exc:
            if con.in_transaction:
                con.execute("ROLLBACK")
            error = StoreUnavailable(f"the database did not take the write: {exc}")
            for job in group:
                job.error, job.hooks = error, []

    @staticmethod
    def _run(con: sqlite3.Connection, job: _Job) -> None:
        con.execute("SAVEPOINT job")
        tx = SqliteTx(con)
        try:
            job.value = drive(job.fn(tx))
            job.hooks = tx.hooks
        except BaseException as exc:  # it belongs to whoever asked, and is raised there
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in BROKEN:
                raise  # the disk or the file itself: nothing of this group can be kept
            job.error = exc
            con.execute("ROLLBACK TO job")
        con.execute("RELEASE job")


def _stand_still(working: threading.Lock) -> None:
    """On the event loop: wait for the writer."""
    if working.acquire(timeout=STILL_S):
        working.release()


def _settle(group: list[_Job]) -> None:
    for job in group:
        if job.error is None:
            for hook in job.hooks:
                hook()
        if job.future.cancelled():
            continue
        if job.error is None:
            job.future.set_result(job.value)
        else:
            job.future.set_exception(job.error)
            job.future.exception()  # a caller that went away leaves no "never retrieved" warning


def keep_private(path: Path) -> None:
    """Make the file, for nobody else's eyes; one that is there is closed to others if it is ours.

    What SQLite puts beside it has its mode. The file is never opened here but to make it: closing it would take
    SQLite's locks on it away from this process.
    """
    with suppress(OSError):  # whatever is wrong SQLite says better
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(OSError):
            about = one.stat()
            if about.st_uid == os.geteuid() and about.st_mode & 0o077:
                one.chmod(about.st_mode & 0o700)


def take_lock(path: Path) -> int:
    """Become the one process that serves this file."""
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreBusy(
            f"Another Doorward is already running on {path}. Stop it first, give this one its own --data-dir, "
            "or use --database-url with PostgreSQL to run several."
        ) from None
    return handle
