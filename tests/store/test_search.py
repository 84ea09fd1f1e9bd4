"""Finding rows by a part of their texts: the index lacks none, and names only what contains it."""

import random
import string
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import World, new_workspace, serving

from doorward.store import search
from doorward.store.db import Tx, Where


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MANY", 5)


async def found(world: World, *texts: str, table: str = "spaces") -> list[str] | None:
    """Ids that a list is narrowed down to; None: it is not."""
    where = Where()
    column = search.COLUMNS[table][0]
    await search.narrow(world.core.db.read, where, table, world.workspace.workspace_id, column, *texts)
    if not where.args:
        return None
    rows = await world.core.db.read.all(f"SELECT {column} FROM {table} WHERE {where} ORDER BY 1", *where.args)
    return [str(row[0]) for row in rows]


async def make(world: World, name: str, **more: Any) -> str:
    return str((await world.call("/spaces/create", name=name, **more))["space"]["space_id"])


async def test_what_is_written_is_found_until_it_is_gone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        north = await make(world, "North Wing", space_key="n-1")
        south = await make(world, 'The "South" 100% _wing_')
        assert await found(world, "north") == await found(world, "NORTH W") == await found(world, "n-1") == [north]
        assert await found(world, "wing") == sorted([north, south])
        assert await found(world, '"south" 100% _') == [south]
        assert await found(world, north[:20]) is not None
        assert await found(world, "castle") == []
        assert await found(world, "castle", "north") == [north]
        await world.call("/spaces/update", space_id=north, name="East")
        assert (await found(world, "north"), await found(world, "east")) == ([], [north])
        await world.call("/spaces/delete", space_id=south)
        assert await found(world, "wing") == []
        other = await new_workspace(world, "Other")
        await make(other, "East of all")
        assert await found(world, "east") == [north]


async def test_short_texts_and_common_ones_are_looked_for_row_by_row(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        names = [f"Room {n}" for n in range(9)]
        for name in names:
            await make(world, name)
        assert await found(world, "ro") is None
        assert await found(world, "room") is None
        assert await found(world, "castle", "4") is None
        for n in range(9):
            await make(world, f"Flat 7{n}")
        assert await found(world, " 7") is None
        assert await found(world, "castle 7") == []
        for space in (await world.call("/spaces/list", search="flat"))["spaces"]:
            await world.call("/spaces/delete", space_id=space["space_id"])
        shown = await world.call("/spaces/list", search="room")
        assert [one["name"] for one in shown["spaces"]] == names
        assert [one["name"] for one in (await world.call("/spaces/list", search="m 7"))["spaces"]] == ["Room 7"]
        assert len((await world.call("/spaces/list", search="oo"))["spaces"]) == 9


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("castle", "castle"),
        ('"room":"room-77"', '-77"'),
        ("number 77 of the house", " 77 "),
        ("7", "7"),
        ("77", "77"),
        ("a7", "a7"),
        ("ab7", "ab7"),
        ("7ab", "7ab"),
        ("1 of 2", "1 of 2"),
    ],
)
def test_what_is_looked_up_is_the_part_with_digits(text: str, part: str) -> None:
    assert search.telling(text) == part
    assert search.telling(text) in text


async def test_a_reset_forgets_the_texts(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await make(world, "North")
        attempt = (await world.call("/workspaces/reset_sandbox"))["action_attempt"]["action_attempt_id"]

        async def done() -> bool:
            reply = await world.call("/action_attempts/get", action_attempt_id=attempt)
            return bool(reply["action_attempt"]["status"] == "success")

        await world.eventually(done)
        assert await world.core.db.read.all("SELECT kind FROM search_rows") == []
        if database_url is None:
            assert await world.core.db.read.all("SELECT rowid FROM search_index") == []


@pytest.mark.parametrize("value", ["north", 'a "b" \\ ö', "true", True, False, 2, -2.5, "2", "1e3", "0x"])
async def test_metadata_is_found_however_it_is_written(tmp_path: Path, database_url: str | None, value: Any) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        one, other = world.devices
        await world.call("/devices/update", device_id=one, custom_metadata={"a key": value, "more": "x"})
        await world.call("/devices/update", device_id=other, custom_metadata={"a key": "another", "b": value})
        reply = await world.call("/devices/list", custom_metadata_has={"a key": value})
        assert [each["device_id"] for each in reply["devices"]] == [one]
        await world.call("/devices/update", device_id=one, custom_metadata={"a key": None})
        assert (await world.call("/devices/list", custom_metadata_has={"a key": value}))["devices"] == []


async def test_a_search_finds_what_looking_at_every_row_finds(tmp_path: Path, database_url: str | None) -> None:
    dice = random.Random(7)
    letters = 'aAbB1_%"\\ -ß'
    async with serving(tmp_path, database_url) as world:
        names: dict[str, str] = {}
        while len(names) < 40:
            name = "".join(dice.choices(letters, k=dice.randint(3, 12))).strip()
            if name:
                names[await make(world, name)] = name
        tried = 0
        while tried < 120:
            text = "".join(dice.choices(letters, k=dice.randint(1, 4)))
            if not text.strip():
                continue
            tried += 1
            shown = {one["space_id"] for one in (await world.call("/spaces/list", search=text))["spaces"]}
            wanted = {id_ for id_, name in names.items() if text.lower() in name.lower() or text.lower() in id_}
            assert shown == wanted, text


async def test_rows_from_before_the_index_are_in_it(tmp_path: Path, database_url: str | None) -> None:
    """What the migration writes is what is written row by row."""
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await make(world, "North", space_key="n-1", customer_key="hotel")
        await world.call("/user_identities/create", full_name="Jane Doe", email_address="jane@example.com")
        await world.call("/devices/update", device_id=world.devices[0], name="Front", custom_metadata={"wing": "east"})
        text = "text" if database_url else "(SELECT text FROM search_index i WHERE i.rowid = s.text_id)"
        select = f"SELECT kind, id, {text} FROM search_rows s ORDER BY kind, id"
        before = [tuple(row) for row in await world.core.db.read.all(select)]

        async def again(tx: Tx) -> None:
            from doorward.store.migrate import migrations

            await search.drop_workspace(tx, world.workspace.workspace_id)
            [statements] = [made for n, _, made in migrations(tx.dialect.name) if n == 12]
            for statement in statements:
                if statement.startswith("INSERT INTO search_"):
                    await tx.run(statement)

        await world.core.db.write(again)
        after = [tuple(row) for row in await world.core.db.read.all(select)]
        assert [row[:2] for row in after] == [row[:2] for row in before] != []
        assert [sorted(row[2].split()) for row in after] == [sorted(row[2].split()) for row in before]
        assert string.ascii_uppercase not in str(after)
