"""Transactions: durable when answered, whole or not at all, whichever database it is."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.postgres import Cluster
from tests.support.server import serving

from doorward.clock import ManualClock
from doorward.ids import new_id
from doorward.store import bookmarks, deliveries, devices, due, migrate, spaces, webhooks
from doorward.store.db import Database, StoreBusy, StoreUnavailable, Tx, Where
from doorward.store.finding import Finding
from doorward.store.open import open_store

CLOCK = ManualClock()
WORKSPACE = (
    "INSERT INTO workspaces (workspace_id, name, is_sandbox, customization_json, created_at) "
    "VALUES ($1, $2, 1, '{}', 0)"
)


@pytest.fixture
async def db(tmp_path: Path, database_url: str | None) -> AsyncIterator[Database]:
    opened = await open_store(tmp_path, database_url, clock=CLOCK)
    yield opened
    await opened.close()


async def add(tx: Tx, name: str) -> str:
    await tx.run(WORKSPACE, name, name)
    return name


async def names(db: Database) -> list[str]:
    return [row[0] for row in await db.read.all("SELECT workspace_id FROM workspaces ORDER BY workspace_id")]


async def test_a_failing_function_rolls_back_alone(db: Database) -> None:
    async def fail(tx: Tx) -> None:
        await add(tx, "bad")
        raise LookupError("of its own")

    results = await asyncio.gather(
        db.write(add, "a"), db.write(fail), db.write(add, "b"), db.write(fail), db.write(add, "c"),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(r) for r in results] == [str, LookupError, str, LookupError, str]
    assert await names(db) == ["a", "b", "c"]


async def test_a_broken_rule_of_the_schema_rolls_back_alone(db: Database) -> None:
    results = await asyncio.gather(*(db.write(add, n) for n in ("a", "a", "b")), return_exceptions=True)
    assert sum(isinstance(r, Exception) for r in results) == 1
    assert not any(isinstance(r, StoreUnavailable) for r in results)
    assert await names(db) == ["a", "b"]


async def test_what_was_answered_is_there_when_opened_again(tmp_path: Path, database_url: str | None) -> None:
    first = await open_store(tmp_path, database_url, clock=CLOCK)
    await asyncio.gather(*(first.write(add, f"w{n:03}") for n in range(300)))
    await first.close()
    again = await open_store(tmp_path, database_url, clock=CLOCK)
    assert await names(again) == [f"w{n:03}" for n in range(300)]
    await again.close()


async def test_nobody_else_reads_the_file(tmp_path: Path) -> None:
    def show() -> None:
        for one in tmp_path.iterdir():
            one.chmod(0o644)

    def modes() -> dict[str, str]:
        return {one.name: oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir() if one.name != "doorward.lock"}

    private = dict.fromkeys(("doorward.db", "doorward.db-wal", "doorward.db-shm"), "0o600")
    os.chmod(tmp_path, 0o755)
    before = os.umask(0o022)
    try:
        for _ in range(2):
            opened = await open_store(tmp_path, None, clock=CLOCK)
            await opened.write(add, new_id())
            assert modes() == private
            # One that was made by an older program, or copied, is closed to others at the next start.
            show()
            beside = await open_store(tmp_path, None, clock=CLOCK, exclusive=False)
            assert modes() == private
            await opened.close()
            await beside.close()
        if os.geteuid() == 0:  # somebody else's is none of our business
            show()
            os.chown(tmp_path / "doorward.db", 1, 1)
            opened = await open_store(tmp_path, None, clock=CLOCK)
            assert modes()["doorward.db"] == "0o644"
            await opened.close()
    finally:
        os.umask(before)


async def test_a_write_is_read_at_once_and_its_hooks_ran(db: Database) -> None:
    told: list[str] = []

    async def write(tx: Tx) -> int:
        await add(tx, "a")
        tx.after_commit(lambda: told.append("a"))
        row = await tx.one("SELECT COUNT(*) FROM workspaces")
        assert row is not None
        return int(row[0])

    assert await db.write(write) == 1
    assert await names(db) == ["a"]
    assert told == ["a"]


async def test_hooks_of_a_failed_transaction_are_never_called(db: Database) -> None:
    told: list[str] = []

    async def write(tx: Tx) -> None:
        tx.after_commit(lambda: told.append("never"))
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(write)
    assert told == []


async def test_a_caller_that_goes_away_does_not_lose_its_write(db: Database) -> None:
    task = asyncio.ensure_future(db.write(add, "a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(add, "b")
    for _ in range(200):
        if await names(db) == ["a", "b"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await names(db))


async def test_a_transaction_on_sqlite_may_wait_for_nothing_else(tmp_path: Path) -> None:
    db = await open_store(tmp_path, None, clock=CLOCK)

    async def write(tx: Tx) -> None:
        await add(tx, "a")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="nothing but its own tx"):
        await db.write(write)
    assert await names(db) == []
    await db.close()
    with pytest.raises(StoreUnavailable):
        await db.write(add, "late")


async def test_a_long_write_among_others_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    db = await open_store(tmp_path, None, clock=CLOCK)
    started, begin, seen = threading.Event(), threading.Event(), threading.Event()

    async def hold(tx: Tx) -> bool:
        started.set()
        return begin.wait(10)

    async def long(tx: Tx) -> bool:
        await add(tx, "long")
        return seen.wait(10)  # what only the loop can do, while this is under way

    first = asyncio.ensure_future(db.write(hold))
    assert await asyncio.to_thread(started.wait, 10)
    group = [asyncio.ensure_future(one) for one in (db.write(add, "a"), db.write(long), db.write(add, "b"))]
    await asyncio.sleep(0)
    begin.set()
    await first
    asyncio.get_running_loop().call_later(0.1, seen.set)
    assert await asyncio.gather(*group) == ["a", True, "b"]
    await db.close()


async def test_a_second_owner_is_refused_and_a_guest_is_not(tmp_path: Path, database_url: str | None) -> None:
    first = await open_store(tmp_path, database_url, clock=CLOCK)
    with pytest.raises(StoreBusy, match="Another Doorward"):
        await open_store(tmp_path, database_url, clock=CLOCK)
    guest = await open_store(tmp_path, database_url, clock=CLOCK, exclusive=False)
    await guest.write(add, "guest")
    assert await names(first) == ["guest"]
    await guest.close()
    await first.close()
    await (await open_store(tmp_path, database_url, clock=CLOCK)).close()


async def test_a_schema_from_the_future_is_refused(tmp_path: Path, database_url: str | None) -> None:
    db = await open_store(tmp_path, database_url, clock=CLOCK)

    async def future(tx: Tx) -> None:
        await tx.run("INSERT INTO schema_migrations VALUES (9999, 'future', 0)")

    await db.write(future)
    await db.close()
    with pytest.raises(StoreBusy, match="newer than this Doorward"):
        await open_store(tmp_path, database_url, clock=CLOCK)


async def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    running: Cluster = request.getfixturevalue("postgres")
    migrations = migrate.migrations
    for url in (None, await running.empty()):
        good = migrations("postgresql" if url else "sqlite")
        bad = [*good, (good[-1][0] + 1, "bad", ["CREATE TABLE half (x INTEGER)", "INSERT INTO nowhere VALUES (1)"])]
        monkeypatch.setattr(migrate, "migrations", lambda _name, bad=bad: bad)
        with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
            await open_store(tmp_path, url, clock=CLOCK)
        monkeypatch.setattr(migrate, "migrations", lambda _name, good=good: good)
        db = await open_store(tmp_path, url, clock=CLOCK)
        await db.write(add, "a")

        async def half(tx: Tx) -> None:
            await tx.run("CREATE TABLE half (x INTEGER)")

        await db.write(half)
        await db.close()


MIGRATIONS = migrate.migrations


async def upgraded(
    tmp_path: Path, url: str | None, monkeypatch: pytest.MonkeyPatch, *, before: int | None = None
) -> Database:
    """The store, as it was before this migration, or as it is now."""
    known = [one for one in MIGRATIONS("postgresql" if url else "sqlite") if before is None or one[0] < before]
    monkeypatch.setattr(migrate, "migrations", lambda _name: known)
    return await open_store(tmp_path, url, clock=CLOCK)


async def test_what_webhooks_had_before_an_upgrade_is_there_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    running: Cluster = request.getfixturevalue("postgres")
    for url in (None, await running.empty()):
        db = await upgraded(tmp_path, url, monkeypatch, before=16)
        await db.write(add, "w")

        async def fill(tx: Tx) -> None:
            for webhook_id, old, until in (("a", None, 0), ("b", "1.c+/=", 1_790_000_000_000)):
                await tx.run(
                    "INSERT INTO webhooks (workspace_id, webhook_id, url, event_types_json, secret_sealed, "
                    "old_secret_sealed, old_secret_until, created_at) VALUES ('w', $1, '', '[]', '', $2, $3, 0)",
                    *(webhook_id, old, until),
                )
            for number, state in ((2, "done"), (1, "due")):
                await tx.run("INSERT INTO outbox VALUES ('w', $1, 'lock.locked')", f"event {number}")
                await tx.run(
                    "INSERT INTO deliveries VALUES ('w', 'a', $1, 'event 0', 'lock.locked', $2, 7, '[]', 5)",
                    *(f"delivery {number}", state),
                )

        await db.write(fill)
        await db.close()
        db = await upgraded(tmp_path, url, monkeypatch)
        rows = await webhooks.of_workspace(db.read, "w")
        assert [row.old_secrets_json for row in rows] == ["[]", '[["1.c+/=",1790000000000]]']
        waiting = await deliveries.waiting(db.read, 9)
        assert [(one.event_id, one.event_type) for one in waiting] == [(f"event {n}", "lock.locked") for n in (1, 2)]
        (due,) = await deliveries.due(db.read, "w", "a", 8, 9)
        assert (due.delivery_id, due.event_id, due.due_at, due.created_at) == ("delivery 1", "event 0", 7, 5)
        done = await deliveries.get(db.read, "w", "delivery 2")
        assert done is not None
        assert (done.state, done.earlier_tries) == ("done", 0)
        await db.close()


async def test_spaces_of_before_an_upgrade_are_found_and_counted_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    running: Cluster = request.getfixturevalue("postgres")
    for url in (None, await running.empty()):
        db = await upgraded(tmp_path, url, monkeypatch, before=23)
        await db.write(add, "w")

        async def fill(tx: Tx) -> None:
            for space_id, held in (("a", 2), ("b", 0)):
                await tx.run(
                    "INSERT INTO spaces (workspace_id, space_id, space_key, name, parent_space_id, created_at) "
                    "VALUES ('w', $1, 'key of ' || $1, 'North Wing', $2, 0)",
                    space_id,
                    "a" if space_id == "b" else None,
                )
                for number in range(held):
                    await tx.run("INSERT INTO space_devices VALUES ('w', $1, $2)", space_id, f"device {number}")

        await db.write(fill)
        await db.close()
        db = await upgraded(tmp_path, url, monkeypatch)
        where = Where()
        where.add("s.workspace_id = {}", "w")
        asked = Finding(db.read, where, "spaces", "w")
        asked.text("th wing")
        await asked.narrow(None)
        found = [
            (one.row.space_id, one.device_count, one.parent_space_key)
            for one in await spaces.see_page(db.read, where, 9)
        ]
        assert found == [("a", 2, None), ("b", 0, "key of a")]
        if url:
            assert await db.read.all("SELECT id FROM search_rows WHERE cardinality(runs) = 0") == []
        await db.close()


async def test_a_full_disk_is_told_and_passes(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        await world.connect()
        store: Any = world.core.db
        pages = store._writing.execute("PRAGMA page_count").fetchone()[0]
        store._writing.execute(f"PRAGMA max_page_count = {pages}")
        refused = None
        for _ in range(200):
            reply = await world.raw(
                "/connect_webviews/create", {"custom_metadata": {f"k{i}": "x" * 450 for i in range(40)}}
            )
            if reply.status != 200:
                refused = reply
                break
        assert refused is not None
        assert (refused.status, refused.error["type"]) == (503, "service_unavailable")
        assert refused.headers["seam-request-id"]
        assert (await world.raw("/devices/list")).status == 200, "reads go on"
        store._writing.execute("PRAGMA max_page_count = 1073741823")
        assert (await world.raw("/connect_webviews/create", {})).status == 200


async def test_a_database_that_goes_away_is_told_and_comes_back(tmp_path: Path, postgres: Cluster) -> None:
    url = await postgres.migrated()
    async with serving(tmp_path, url) as world:
        pool: Any = world.core.db.read
        await pool._pool.expire_connections()
        real, pool._pool = pool._pool, _Gone()
        store: Any = world.core.db
        store._pool = pool._pool
        for path in ("/devices/list", "/connect_webviews/create"):
            reply = await world.raw(path, {})
            assert (reply.status, reply.error["type"]) == (503, "service_unavailable")
        store._pool = pool._pool = real
        assert (await world.raw("/connect_webviews/create", {})).status == 200
    await postgres.drop(url)


class _Gone:
    """A pool whose server is away."""

    async def fetch(self, *_args: Any) -> Any:
        raise ConnectionRefusedError

    async def fetchrow(self, *_args: Any) -> Any:
        raise asyncpg.ConnectionDoesNotExistError

    def acquire(self) -> Any:
        raise asyncpg.CannotConnectNowError


async def test_a_transaction_that_lost_against_another_runs_again(tmp_path: Path, postgres: Cluster) -> None:
    url = await postgres.migrated()
    db = await open_store(tmp_path, url, clock=CLOCK)
    tries: list[int] = []

    async def write(tx: Tx) -> str:
        tries.append(1)
        await add(tx, "a")
        if len(tries) < 3:
            raise asyncpg.SerializationError
        return "done"

    assert await db.write(write) == "done"
    assert (len(tries), await names(db)) == (3, ["a"])

    async def never(tx: Tx) -> None:
        raise asyncpg.DeadlockDetectedError

    with pytest.raises(StoreUnavailable):
        await db.write(never)
    await db.close()
    await postgres.drop(url)


@pytest.mark.parametrize("key", ["plain", 'with "quotes"', "it's", "$.a[0]", "a.b", "ключ", "", "back\\slash", "%_"])
async def test_a_member_of_stored_json_is_found_by_any_key(db: Database, key: str) -> None:
    import msgspec

    async def write(tx: Tx, name: str, value: Any) -> None:
        await tx.run(
            "INSERT INTO workspaces (workspace_id, name, is_sandbox, customization_json, created_at) "
            "VALUES ($1, 'x', 1, $2, 0)",
            name,
            msgspec.json.encode({key: value, "other": 1}).decode(),
        )

    for name, value in (("text", "va'l\"ue"), ("true", True), ("number", 12), ("null", None)):
        await db.write(write, name, value)
    expression = db.dialect.json_text("customization_json", "$1")
    rows = await db.read.all(f"SELECT workspace_id, {expression} FROM workspaces", key)
    found = {row[0]: row[1] for row in rows}
    assert found == {"text": "va'l\"ue", "true": "true", "number": "12", "null": None}
    missing = await db.read.all(f"SELECT {expression} FROM workspaces", key + "?")
    assert {row[0] for row in missing} == {None}


# ---------------------------------------------------------------- due


async def put(db: Database, subject: str, at: int) -> None:
    await db.write(due.put, "w", "k", subject, at)


async def claim(db: Database, owner: str, now: int, lease: int = 100, limit: int = 10) -> list[due.DueRow]:
    return await db.write(due.claim, "k", owner, now, now + lease, limit)


async def test_due_work_is_claimed_once_in_the_order_of_its_time(db: Database) -> None:
    for subject, at in (("late", 50), ("soon", 10), ("later", 90)):
        await put(db, subject, at)
    assert await due.next_at(db.read, "k") == 10
    assert {row.subject_id for row in await claim(db, "a", 60)} == {"soon", "late"}
    assert await claim(db, "b", 60) == []
    assert await due.next_at(db.read, "k") == 90
    assert await db.write(due.claim, "other kind", "a", 1000, 2000, 10) == []


async def test_work_is_never_given_to_two_at_once(db: Database) -> None:
    for n in range(60):
        await put(db, f"s{n}", n)
    claims = await asyncio.gather(*(claim(db, f"owner {n}", 100, limit=9) for n in range(10)))
    subjects = [row.subject_id for rows in claims for row in rows]
    assert len(subjects) == len(set(subjects)) == 60


async def test_a_lease_that_ran_out_is_anybodys_and_its_old_owner_cannot_release_it(db: Database) -> None:
    await put(db, "s", 10)
    (mine,) = await claim(db, "a", 20, lease=30)
    assert await claim(db, "b", 49) == []
    (theirs,) = await claim(db, "b", 50)
    await db.write(due.release, mine, "a", 1000, failed=False)
    assert await claim(db, "c", 60) == [], "b still has it"
    await db.write(due.release, theirs, "b", 200, failed=False)
    assert await claim(db, "c", 199) == []
    assert len(await claim(db, "c", 200)) == 1


async def test_putting_again_while_somebody_works_asks_for_another_look(db: Database) -> None:
    await put(db, "s", 10)
    (row,) = await claim(db, "a", 20)
    await put(db, "s", 25)
    await db.write(due.release, row, "a", 5000, failed=False)
    (again,) = await claim(db, "a", 30)
    assert again.generation == row.generation + 1
    await db.write(due.release, again, "a", 5000, failed=False)
    assert await claim(db, "a", 4999) == []


async def test_putting_moves_work_forward_and_never_back(db: Database) -> None:
    await put(db, "s", 100)
    await put(db, "s", 50)
    await put(db, "s", 80)
    assert await due.next_at(db.read, "k") == 50


async def test_failures_are_counted_until_one_look_goes_well(db: Database) -> None:
    await put(db, "s", 10)
    for attempt in range(3):
        (row,) = await claim(db, "a", 100 + attempt)
        assert row.attempt == attempt
        await db.write(due.release, row, "a", 100, failed=True)
    (row,) = await claim(db, "a", 200)
    await db.write(due.release, row, "a", 200, failed=False)
    assert (await claim(db, "a", 200))[0].attempt == 0
    await db.write(due.free_all)
    assert len(await claim(db, "b", 200)) == 1
    await db.write(due.drop, "w", "k", "s")
    assert await due.next_at(db.read, "k") is None


async def test_a_bookmark_is_moved_and_dropped_with_its_device(db: Database) -> None:
    for value in ("1", "2"):
        await db.write(bookmarks.put, "w", "d", "log", value)
    await db.write(bookmarks.put, "w", "other", "log", "3")
    assert await bookmarks.get(db.read, "w", "d", "log") == "2"
    await db.write(devices.delete, "w", "d")
    assert await bookmarks.get(db.read, "w", "d", "log") is None
    assert await bookmarks.get(db.read, "w", "other", "log") == "3"
