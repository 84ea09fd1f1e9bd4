"""PostgreSQL through asyncpg: one pool, prepared statements, no reset query.

The pool's usual `RESET`-like query after each use costs half of a small read, and nothing here leaves state in a
session, but what all sessions begin with: no session locks, no LISTEN on pooled connections. A transaction that loses
against another one (serialization, deadlock) is run again from the start; its function must not mind.

Plans are not compiled (JIT): that is for queries of seconds, and is begun for whatever an estimate takes for one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, cast
from zlib import crc32

import asyncpg

from doorward.store.db import Dialect, P, Row, StoreUnavailable, T
from doorward.store.ownership import GONE, Ownership

TRIES = 5


class PostgresDialect(Dialect):
    name = "postgresql"

    def json_text(self, column: str, key: str) -> str:
        return f"(CAST({column} AS JSONB) ->> {key})"

    def folded(self, column: str) -> str:
        return f"REPLACE(TRANSLATE(LOWER({column}), '\u03c2', '\u03c3'), 'i\u0307', 'i')"


DIALECT = PostgresDialect()


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        return ""


class PostgresReader:
    """Reads on whichever connection is free."""

    dialect: Dialect = DIALECT

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def all(self, sql: str, *args: Any) -> list[Row]:
        try:
            return cast("list[Row]", await self._pool.fetch(sql, *args))
        except GONE as exc:
            raise StoreUnavailable(f"PostgreSQL did not answer: {type(exc).__name__}") from exc

    async def one(self, sql: str, *args: Any) -> Row | None:
        try:
            return cast("Row | None", await self._pool.fetchrow(sql, *args))
        except GONE as exc:
            raise StoreUnavailable(f"PostgreSQL did not answer: {type(exc).__name__}") from exc


class PostgresTx:
    """One transaction on one connection."""

    dialect: Dialect = DIALECT

    def __init__(self, con: Any) -> None:
        self._con = con
        self.hooks: list[Callable[[], None]] = []

    async def all(self, sql: str, *args: Any) -> list[Row]:
        return cast("list[Row]", await self._con.fetch(sql, *args))

    async def one(self, sql: str, *args: Any) -> Row | None:
        return cast("Row | None", await self._con.fetchrow(sql, *args))

    async def run(self, sql: str, *args: Any) -> int:
        status: str = await self._con.execute(sql, *args)
        count = status.rsplit(" ", 1)[-1]
        return int(count) if count.isdigit() else 0

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        await self._con.executemany(sql, rows)

    async def lock(self, *names: str) -> None:
        """Advisory locks; two names that fall on one number only wait for each other needlessly."""
        await self._con.execute(
            "SELECT pg_advisory_xact_lock($1, $2)", 0x44_58, crc32("\0".join(names).encode()) - 2**31
        )

    def after_commit(self, call: Callable[[], None]) -> None:
        self.hooks.append(call)


class PostgresDatabase:
    """An open PostgreSQL database. Made by `open_postgres`."""

    dialect: Dialect = DIALECT

    def __init__(self, pool: Any, owner: Ownership | None = None) -> None:
        self._pool = pool
        self._owner = owner
        self.read = PostgresReader(pool)

    async def write(
        self, fn: Callable[Concatenate[PostgresTx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        # Once begun it ends, whether or not the caller still waits: half a cancelled write helps nobody.
        return await asyncio.shield(asyncio.ensure_future(self._write(fn, args, kwargs)))

    async def _write(self, fn: Callable[..., Awaitable[T]], args: Any, kwargs: Any) -> T:
        for left in reversed(range(TRIES)):
            if self._owner is not None:
                await self._owner.hold()
            try:
                async with self._pool.acquire() as con:
                    tx = PostgresTx(con)
                    async with con.transaction():
                        value = await fn(tx, *args, **kwargs)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as exc:
                if not left:
                    raise StoreUnavailable(f"PostgreSQL did not take the write: {type(exc).__name__}") from exc
                continue
            except GONE as exc:
                raise StoreUnavailable(f"PostgreSQL did not take the write: {type(exc).__name__}") from exc
            for hook in tx.hooks:
                hook()
            return value
        raise AssertionError("unreachable")

    async def close(self) -> None:
        await self._pool.close()
        if self._owner is not None:
            await self._owner.end()


async def _begin(con: asyncpg.Connection) -> None:
    """Not as `server_settings`, which poolers between here and PostgreSQL refuse."""
    await con.execute("SET jit = off")


async def make_pool(url: str, size: int = 10) -> Any:
    """A pool of connections to the database at `url`."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        connection_class=_Connection,
        init=_begin,
        server_settings={"application_name": "doorward"},
    )
