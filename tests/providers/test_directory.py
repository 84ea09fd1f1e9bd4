"""Reading a directory from a place on: what is new, what is gone, and what is not believed."""

from collections.abc import Callable
from typing import Any

import pytest

from doorward.providers.errors import DoubtfulAnswer, ProviderError
from doorward.providers.my_2n.emulator import Quirks
from doorward.providers.reports import CodesRead, WantedCode

from .world import World, world

GUEST = "5c7a3f10-90ab-4d5e-8f01-2233445566aa"


def fill(w: World, count: int, **fields: Any) -> list[str]:
    users = [{"name": f"U{n}", "access": {"pin": f"{n:05d}"}, **fields} for n in range(count)]
    return [user["uuid"] for user in w.unit.directory.create(users, force=False)["users"]]


async def read(w: World, place: str | None = None, *, whole: bool = False) -> CodesRead:
    return await w.link.read_codes(w.device, place, whole=whole)


def distort(monkeypatch: pytest.MonkeyPatch, w: World, how: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Every answer to a query passes through this."""
    query = w.unit.directory.query
    monkeypatch.setattr(w.unit.directory, "query", lambda *asked: how(query(*asked)))


async def test_only_what_changed_is_read() -> None:
    async with world() as w:
        uuids = fill(w, 30)
        first = await read(w)
        assert (first.is_whole, len(first.codes), first.gone) == (True, 30, ())
        again = await read(w, first.place)
        assert (again.is_whole, again.codes, again.gone, again.place) == (False, (), (), first.place)
        w.unit.directory.update([{"uuid": uuids[3], "access": {"pin": "99999"}}])
        w.unit.directory.delete([{"uuid": uuids[4]}])
        w.unit.directory.update([{"uuid": uuids[5], "access": {"pin": ""}}])
        await w.link.set_code(w.device, WantedCode("c", GUEST, "Guest", "40718"))
        new = await read(w, again.place)
        assert not new.is_whole
        assert {(one.ref, one.pin, one.is_ours) for one in new.codes} == {
            (uuids[3], "99999", False), (GUEST, "40718", True),
        }  # fmt: skip
        assert set(new.gone) == {uuids[4], uuids[5]}


async def test_another_life_or_a_lost_place_is_read_whole() -> None:
    async with world() as w:
        fill(w, 3)
        place = (await read(w)).place
        w.unit.directory.reset()
        fill(w, 2)
        new = await read(w, place)
        assert (new.is_whole, new.is_reset, len(new.codes)) == (True, True, 2)
        for lost in ("", "nonsense", "1 2", "2 1 1", f"1 {w.unit.directory.series} x", None):
            again = await read(w, lost)
            assert (again.is_whole, again.is_reset, len(again.codes)) == (True, False, 2)


async def test_a_place_that_the_device_has_forgotten_is_read_whole() -> None:
    async with world(quirks=Quirks(max_tombstones=2)) as w:
        uuids = fill(w, 10)
        place = (await read(w)).place
        for uuid in uuids[:5]:
            w.unit.directory.delete([{"uuid": uuid}])
        new = await read(w, place)
        assert (new.is_whole, new.is_reset, len(new.codes)) == (True, False, 5)


async def test_a_directory_that_was_emptied_is_read_as_empty() -> None:
    for tombstones in (0, 1_000):
        for shown in (True, False):
            quirks = Quirks(max_tombstones=tombstones, tombstones_in_full_query=shown)
            async with world(quirks=quirks) as w:
                uuids = fill(w, 4)
                place = (await read(w)).place
                w.unit.directory.delete([{"uuid": uuid} for uuid in uuids])
                new = await read(w, place, whole=True)
                assert (new.is_whole, new.codes) == (True, ()), quirks
                assert (await read(w, new.place)).place == new.place


async def test_an_older_answer_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        fill(w, 3)
        old = w.unit.directory.query(None, 0, ["name", "access.pin"])
        fill(w, 3)
        place = (await read(w)).place
        distort(monkeypatch, w, lambda _reply: old)
        for whole in (False, True):
            with pytest.raises(DoubtfulAnswer, match="older"):
                await read(w, place, whole=whole)
        assert len((await read(w)).codes) == 3  # whoever knows of no newer one has nothing to hold against it


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda reply: {name: value for name, value in reply.items() if name != key}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(without("users"), id="no list"),
        pytest.param(lambda r: {**r, "users": None}, id="null"),
        pytest.param(lambda r: {**r, "users": []}, id="empty list"),
        pytest.param(lambda r: {**r, "users": r["users"][:2]}, id="always two"),
        pytest.param(lambda r: {**r, "users": r["users"][:-1]}, id="never the last"),
        pytest.param(lambda r: {**r, "users": [*r["users"][:3], "x"]}, id="no object"),
    ],
)
async def test_an_answer_that_stops_short_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[dict[str, Any]], dict[str, Any]], whole: bool
) -> None:
    async with world() as w:
        fill(w, 5)
        place = (await read(w)).place
        fill(w, 5)
        query, calls = w.unit.directory.query, 0

        def distorted(*asked: Any) -> dict[str, Any]:
            nonlocal calls
            calls += 1
            reply = how(query(*asked))
            return reply if calls <= 2 else {**reply, "users": []}  # two pages, and then nothing more comes

        monkeypatch.setattr(w.unit.directory, "query", distorted)
        with pytest.raises(ProviderError):
            await read(w, place, whole=whole)


async def test_pages_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        fill(w, 3)
        place = (await read(w)).place
        fill(w, 25)
        distort(monkeypatch, w, lambda reply: {**reply, "users": reply["users"][:10]})
        assert len((await read(w, place)).codes) == 25
        assert len((await read(w, place, whole=True)).codes) == 28


@pytest.mark.parametrize("owner", ["ACOM", "My2N", "acom ", "someone", "", "doorward-000000000000"])
async def test_entries_that_another_system_maintains_are_marked(owner: str) -> None:
    async with world() as w:
        fill(w, 1, owner=owner)
        (found,) = (await read(w)).codes
        assert (found.is_ours, found.is_kept_elsewhere) == (False, owner.strip() in ("ACOM", "My2N", "acom"))
        assert "00000" not in repr(found) and "00000" not in repr(await read(w))
