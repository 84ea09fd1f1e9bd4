"""Lists cost the same however many rows there are: counted in steps of SQLite's machine and in pages that PostgreSQL
looks at, not in time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from bench.full import fill, vacuum
from bench.lists import QUESTIONS, Question
from tests.support.postgres import Cluster
from tests.support.server import World, serving

from doorward.store import search, statistics
from doorward.store.db import Tx, insert
from doorward.store.deliveries import DeliveryRow
from doorward.store.open import open_store
from doorward.store.postgres import make_pool

FEW, MANY = 600, 4_800
EVERY = 20
"""Steps between two counts."""
MOST, MOST_BY_TEXT = 1.3, 2.0
"""Eight times the rows: trees become a little deeper, and an index of texts has a few more parts."""


PAGES, MOST_PAGES = 60, 1.6
"""Of PostgreSQL: indexes of the large tables have a page more on the way to a row."""


async def full(world: World, count: int) -> None:
    """So many rows of each kind."""
    await world.connect(count=1)
    space = (await world.call("/spaces/create", name="Room", device_ids=world.devices))["space"]
    grant = await world.call(
        "/access_grants/create",
        user_identity={"full_name": "Jane"},
        space_ids=[space["space_id"]],
        requested_access_methods=[{"mode": "code"}],
    )
    await world.call("/locks/unlock_door", device_id=world.devices[0])
    about = {"access_grant_id": grant["access_grant"]["access_grant_id"]}
    [code] = (await world.call("/access_codes/list", **about))["access_codes"]

    async def is_set() -> bool:
        return bool((await world.code(code["access_code_id"]))["status"] == "set")

    await world.eventually(is_set)
    await fill(world.core.db, world.workspace.workspace_id, count)


async def body_of(world: World, question: Question, count: int) -> Any:
    """What a store with so many rows is asked."""
    if question.is_far:
        return msgspec.json.decode(question.far_bodies(await world.call(question.path, **question.body), count)[7])
    return msgspec.json.decode(question.bodies()[7])


async def steps(world: World, question: Question, rows: int) -> tuple[int, int]:
    """Of the second call, and how many rows it shows."""
    db: Any = world.core.db
    counted = [0]

    def count() -> int:
        counted[0] += EVERY
        return 0

    body = await body_of(world, question, rows)
    await world.call(question.path, **body)  # what is remembered of devices is remembered now
    db._reading.set_progress_handler(count, EVERY)
    try:
        reply = await world.call(question.path, **body)
    finally:
        db._reading.set_progress_handler(None, EVERY)
    return counted[0], max(len(value) for value in reply.values() if isinstance(value, list))


async def test_no_list_looks_at_more_rows_because_there_are_more(tmp_path: Path) -> None:
    found = []
    async with serving(tmp_path / "few", None) as few, serving(tmp_path / "many", None) as many:
        await full(few, FEW)
        await full(many, MANY)
        for question in QUESTIONS:
            (at_few, shown), (at_many, as_many) = await steps(few, question, FEW), await steps(many, question, MANY)
            assert as_many == shown or "search" in question.about, question
            if at_many > at_few * (MOST_BY_TEXT if "one by" in question.about else MOST) + 2 * EVERY:
                found.append((question.path, question.about, at_few, at_many))
    assert not found, "\n".join(str(one) for one in found)


def literal(value: Any) -> str:
    """A value in SQL."""
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


async def looked_at(con: Any, statement: str) -> int:
    """How many pages."""
    plan = msgspec.json.decode(await con.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"))[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def pages(world: World, question: Question, rows: int, url: str) -> tuple[int, int]:
    """What PostgreSQL looks at for a call: by the plans for its values, or by those that statements have in the end."""
    read: Any = world.core.db.read
    asked: list[tuple[str, Sequence[Any]]] = []

    def noting(ask: Any) -> Any:
        async def note(sql: str, *args: Any) -> Any:
            asked.append((sql, args))
            return await ask(sql, *args)

        return note

    body = await body_of(world, question, rows)
    await world.call(question.path, **body)  # what is remembered of devices is remembered now
    before, read.all, read.one = (read.all, read.one), noting(read.all), noting(read.one)
    try:
        reply = await world.call(question.path, **body)
    finally:
        read.all, read.one = before
    found = 0
    pool = await make_pool(url, size=1)
    async with pool, pool.acquire() as con:
        if rows == FEW:  # which are read as a whole sooner than by an index
            await con.execute("SET enable_seqscan = off")
        for sql, args in asked:
            types = [one.name for one in (await con.prepare(sql)).get_parameters()]
            await con.execute(f"PREPARE asked ({', '.join(types)}) AS {sql}" if types else f"PREPARE asked AS {sql}")
            given = ", ".join(f"CAST({literal(value)} AS {kind})" for value, kind in zip(args, types, strict=True))
            statement = f"EXECUTE asked {f'({given})' if given else ''}"
            at_first = await looked_at(con, statement)
            for _ in range(5):  # plans for their values, after which it chooses
                await con.execute(f"EXPLAIN {statement}")
            found += max(at_first, await looked_at(con, statement))
            await con.execute("DEALLOCATE asked")
    return found, max(len(value) for value in reply.values() if isinstance(value, list))


async def tidy(url: str) -> None:
    """Rows filled in at once lie where there was room, those of one kind on many pages."""
    pool = await make_pool(url, size=1)
    async with pool, pool.acquire() as con:
        await con.execute("CLUSTER search_rows USING search_rows_pkey")
    await vacuum(url)


async def test_nor_on_postgresql(tmp_path: Path, postgres: Cluster) -> None:
    found = []
    url_of_few, url_of_many = await postgres.migrated(), await postgres.migrated()
    async with serving(tmp_path / "few", url_of_few) as few, serving(tmp_path / "many", url_of_many) as many:
        await full(few, FEW)
        await tidy(url_of_few)
        await full(many, MANY)
        await tidy(url_of_many)
        for question in QUESTIONS:
            at_few, shown = await pages(few, question, FEW, url_of_few)
            at_many, as_many = await pages(many, question, MANY, url_of_many)
            assert as_many == shown or "search" in question.about, question
            if at_many > at_few * MOST_PAGES + PAGES:
                found.append((question.path, question.about, at_few, at_many))
    assert not found, "\n".join(str(one) for one in found)
    for url in (url_of_few, url_of_many):
        await postgres.drop(url)


async def deliveries(world: World, count: int) -> list[Question]:
    """A webhook with so many deliveries, of which three are given up and three wait; what is asked of it."""
    made = await world.call("/webhooks/create", url="https://example.com/hook")
    webhook_id = made["webhook"]["webhook_id"]
    states = {n: "given_up" if n < 3 else "due" if n < 6 else "done" for n in range(count)}

    async def add(tx: Tx) -> None:
        await tx.many(
            insert("deliveries", DeliveryRow),
            [
                (
                    world.workspace.workspace_id,
                    webhook_id,
                    f"{n:08}",
                    f"e-{n}",
                    "device.added",
                    state,
                    2_000_000_000_000,
                    "[]",
                    n,
                    0,
                )
                for n, state in states.items()
            ],
        )

    await world.core.db.write(add)
    about = {"webhook_id": webhook_id, "limit": 10}
    path = "/webhooks/doorward/list_deliveries"
    return [Question(path, state, {**about, "state": state}) for state in ("given_up", "due", "done")]


async def test_few_deliveries_of_many_are_found(tmp_path: Path, postgres: Cluster) -> None:
    urls = [await postgres.migrated(), await postgres.migrated()]
    for on in ("sqlite", "postgresql"):
        found = []
        for url, count in zip(urls, (FEW, MANY * 4), strict=True):
            folder, of_it = tmp_path / f"{on}-{count}", url if on == "postgresql" else None
            async with serving(folder, of_it) as world:
                asked = await deliveries(world, count)
                if of_it is not None:
                    await vacuum(of_it)
                look = [await (pages(world, one, count, of_it) if of_it else steps(world, one, count)) for one in asked]
                found.append(look)
        for (few, shown), (many, as_many) in zip(*found, strict=True):
            assert shown == as_many and many <= few * MOST + (10 if on == "postgresql" else 2 * EVERY), (on, found)
    for url in urls:
        await postgres.drop(url)


async def test_filling_the_index_of_texts_looks_at_each_row_once(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        await full(world, FEW)

        async def sorted_anew(tx: Any) -> list[str]:
            """Tables whose rows are sorted for each of the parts in which they are read."""
            await search.drop_workspace(tx, world.workspace.workspace_id)
            asked: list[tuple[str, Any]] = []
            every = tx.all

            def note(sql: str, *args: Any) -> Any:
                asked.append((sql, args))
                return every(sql, *args)

            tx.all = note
            await search.fill(tx)
            tx.all = every
            plans = {sql: await tx.all(f"EXPLAIN QUERY PLAN {sql}", *args) for sql, args in asked}
            assert len(plans) > len(search.TABLES)
            return [sql for sql, plan in plans.items() if "TEMP B-TREE" in str([step[3] for step in plan])]

        assert await world.core.db.write(sorted_anew) == []


async def test_every_index_has_its_numbers_from_the_first_start_on(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        read = world.core.db.read
        rows = await read.all("SELECT idx, stat FROM sqlite_stat1")
        indexes = await read.all("SELECT name FROM sqlite_master WHERE type = 'index'")
        ours = {row[0] for row in indexes if not row[0].startswith("sqlite_autoindex_search_index")}
        assert ours <= {row[0] for row in rows}
        assert {str(row[0]): row[1] for row in rows}["events_device"] == f"{statistics.ROWS} 500000 10 1"


async def test_numbers_that_somebody_has_taken_are_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        before = await world.core.db.read.all("SELECT * FROM sqlite_stat1 ORDER BY 1, 2")
        clock = world.clock

        async def take(tx: Any) -> None:
            await tx.run("ANALYZE")

        await world.core.db.write(take)
        assert await world.core.db.read.all("SELECT * FROM sqlite_stat1 ORDER BY 1, 2") != before
    db = await open_store(tmp_path, None, clock=clock)
    try:
        assert await db.read.all("SELECT * FROM sqlite_stat1 ORDER BY 1, 2") == before
    finally:
        await db.close()
