"""Lists on SQLite cost the same however many rows there are: counted in steps of its machine, not in time."""

from pathlib import Path
from typing import Any

import msgspec
from bench.lists import QUESTIONS, Question, fill
from tests.support.server import World, serving

from doorward.store import statistics
from doorward.store.open import open_store

FEW, MANY = 600, 4_800
EVERY = 20
"""Steps between two counts."""
MOST, MOST_BY_TEXT = 1.3, 2.0
"""Eight times the rows: trees become a little deeper, and an index of texts has a few more parts."""


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
    fill(world.core.config.data_dir / "doorward.db", world.workspace.workspace_id, count)


async def steps(world: World, question: Question) -> tuple[int, int]:
    """Of the second call, and how many rows it shows."""
    db: Any = world.core.db
    counted = [0]

    def count() -> int:
        counted[0] += EVERY
        return 0

    body = msgspec.json.decode(question.bodies()[7])
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
            (at_few, shown), (at_many, as_many) = await steps(few, question), await steps(many, question)
            assert as_many == shown or "search" in question.about, question
            if at_many > at_few * (MOST_BY_TEXT if "one by" in question.about else MOST) + 2 * EVERY:
                found.append((question.path, question.about, at_few, at_many))
    assert not found, "\n".join(str(one) for one in found)


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
