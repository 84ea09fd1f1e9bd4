"""Being the one server on a PostgreSQL database, and not being it any more."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.postgres import Cluster
from tests.support.server import until

from doorward.clock import Clock
from doorward.store import ownership
from doorward.store.db import StoreBusy, StoreUnavailable, Tx
from doorward.store.migrate import migrate
from doorward.store.open import open_store, wait_to_own
from doorward.store.ownership import Ownership, take_lock, wait_for_lock
from doorward.store.postgres import PostgresDatabase, make_pool

CUT = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = $1 AND objid = $2 AND granted"


async def nothing(_tx: Tx) -> str:
    return "written"


class Lost:
    """Counts how often it is told."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


async def cut(url: str) -> None:
    con = await asyncpg.connect(url)
    await con.execute(CUT.replace("$1", str(ownership.OWNER[0])).replace("$2", str(ownership.OWNER[1])))
    await con.close()


async def test_who_lost_the_lock_writes_nothing(postgres: Cluster) -> None:
    url = await postgres.migrated()
    lost = Lost()
    owner = await take_lock(url, lost)
    db = PostgresDatabase(await make_pool(url, 2), owner)
    assert await db.write(nothing) == "written"
    await cut(url)
    await until(lambda: lost.times)
    with pytest.raises(StoreUnavailable):
        await db.write(nothing)
    assert await db.read.one("SELECT 1") is not None
    await db.close()
    assert lost.times == 1
    await postgres.drop(url)


class _Silent:
    """A connection whose other end is gone without a word."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    def add_termination_listener(self, call: Any) -> None:
        self.ended = call

    def remove_termination_listener(self, _call: Any) -> None:
        self.ended = lambda _con: None

    async def execute(self, *_args: Any, timeout: float | None = None) -> None:
        self.asked += 1
        await self.answers.wait()

    async def close(self, timeout: float) -> None: ...

    def terminate(self) -> None:
        self.ended(self)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "PATIENCE_S", 0.05)


@pytest.mark.usefixtures("impatience")
async def test_an_old_answer_is_not_believed() -> None:
    now = 1000.0
    con, lost = _Silent(), Lost()
    owner = Ownership(con, lost, now=lambda: now)
    await owner.hold()
    assert con.asked == 0, "a fresh one is"
    now += ownership.SURE_S + 1
    await asyncio.gather(*(owner.hold() for _ in range(5)))
    assert con.asked == 1, "one question for all who want to know"
    now += ownership.SURE_S + 1
    con.answers.clear()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await owner.hold()
    assert con.asked == 2, "the question stands"
    con.answers.set()
    await until(lambda: con.asked == 2 and owner._question is not None and owner._question.done())
    await owner.hold()
    assert (con.asked, lost.times) == (2, 0)
    await owner.end()


@pytest.mark.usefixtures("impatience")
async def test_silence_is_a_loss_where_somebody_stands_by() -> None:
    now = 1000.0
    con, lost = _Silent(), Lost()
    owner = Ownership(con, lost, patient=False, now=lambda: now)
    con.answers.clear()
    now += ownership.SURE_S + 1
    with pytest.raises(StoreUnavailable):
        await owner.hold()
    assert lost.times == 1
    con.answers.set()
    with pytest.raises(StoreUnavailable):
        await owner.hold()
    await owner.end()


async def test_whoever_waits_is_next(postgres: Cluster) -> None:
    url = await postgres.migrated()
    busy = Lost()
    first = await take_lock(url, Lost())
    with pytest.raises(StoreBusy):
        await take_lock(url, Lost())
    waiting = asyncio.ensure_future(wait_for_lock(url, Lost(), busy))
    await until(lambda: busy.times)
    assert not waiting.done()
    await first.end()
    second = await waiting
    await second.hold()
    # Who gives up waiting takes nothing along.
    given_up = asyncio.ensure_future(wait_for_lock(url, Lost(), busy))
    seen = busy.times
    await until(lambda: busy.times > seen)
    given_up.cancel()
    await asyncio.wait((given_up,))
    await second.end()
    await (await take_lock(url, Lost())).end()
    await postgres.drop(url)


@pytest.mark.parametrize("address", ["postgresql://nobody@/{}", "postgresql://postgres@/nowhere", "nonsense"])
async def test_a_wrong_address_is_not_waited_for(postgres: Cluster, address: str) -> None:
    url = address.format("postgres") + f"?host={postgres.folder}"
    with pytest.raises(StoreUnavailable, match="--database-url"):
        await asyncio.wait_for(wait_to_own(url, Lost()), 20)


async def test_a_store_that_cannot_be_opened_gives_the_lock_back(tmp_path: Path, postgres: Cluster) -> None:
    url = await postgres.migrated()
    db = await open_store(tmp_path, url, clock=Clock(), exclusive=False)

    async def newer(tx: Tx) -> None:
        await tx.run("INSERT INTO schema_migrations VALUES (9999, 'newer', 0)")

    await db.write(newer)
    with pytest.raises(StoreBusy, match="newer"):
        await migrate(db, 0)
    await db.close()
    owner = await take_lock(url, Lost())
    with pytest.raises(StoreBusy, match="newer"):
        await open_store(tmp_path, url, clock=Clock(), owner=owner)
    await (await take_lock(url, Lost())).end()
    await postgres.drop(url)
