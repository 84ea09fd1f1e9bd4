"""Finding rows by a part of their texts: the index lacks none, and names only what contains it."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.server import World, new_workspace, serving

from doorward.api import page
from doorward.core.webviews import Order
from doorward.store import finding, search
from doorward.store.db import Tx, Where
from doorward.store.finding import Finding
from doorward.store.migrate import migrations


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MANY", 5)
    monkeypatch.setattr(finding, "FIRST", 3)


async def led(world: World, text: str, *, alone: bool = False) -> str | list[str]:
    """How the list of spaces is led to those with a text: to these ids, in the index's `order`, or not at all."""
    where = Where()
    where.add("s.workspace_id = {}", world.workspace.workspace_id)
    if not alone:
        where.add("s.created_at > {}", 0)
    asked = Finding(world.core.db.read, where, "spaces", world.workspace.workspace_id)
    asked.text(text)
    before = len(where.args)
    if await asked.narrow(None):
        return "order"
    if "1 = 0" in str(where):
        return []
    ids, *exactly = where.args[before:]
    if not exactly:
        return "not"
    if isinstance(ids, str) and not ids.startswith("["):
        return [ids]
    return sorted(json.loads(ids) if isinstance(ids, str) else ids)


async def shown(world: World, **filters: Any) -> list[str]:
    """Ids of the spaces listed, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        reply = await world.call("/spaces/list", **filters, limit=4, **({"page_cursor": cursor} if cursor else {}))
        found += [one["space_id"] for one in reply["spaces"]]
        cursor = reply["pagination"]["next_page_cursor"]
        if cursor is None:
            return found


async def postings(world: World) -> set[tuple[int, str]]:
    """Row and word, as SQLite's index has them."""

    async def read(tx: Tx) -> set[tuple[int, str]]:
        await tx.run("CREATE VIRTUAL TABLE temp.shown USING fts5vocab(main, search_index, instance)")
        rows = await tx.all("SELECT doc, term FROM temp.shown")
        await tx.run("DROP TABLE temp.shown")
        return {(row[0], row[1]) for row in rows}

    return await world.core.db.write(read)


async def make(world: World, name: str, **more: Any) -> str:
    return str((await world.call("/spaces/create", name=name, **more))["space"]["space_id"])


async def test_what_is_written_is_found_until_it_is_gone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        north = await make(world, "North Wing", space_key="n-1")
        south = await make(world, 'The "South" 100% _wing_')
        assert await led(world, "north") == await led(world, "NORTH W") == await led(world, "n-1") == [north]
        assert await led(world, "wing") == sorted([north, south])
        assert await led(world, '"south" 100% _') == [south]
        assert await led(world, north[:20]) != "not"
        assert await led(world, "castle") == []
        await world.call("/spaces/update", space_id=north, name="East")
        assert (await led(world, "north"), await led(world, "east")) == ([], [north])
        await world.call("/spaces/delete", space_id=south)
        assert await led(world, "wing") == []
        other = await new_workspace(world, "Other")
        await make(other, "East of all")
        assert await led(world, "east") == [north]


async def test_many_are_found_in_the_order_in_which_they_were_made(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        made = [await make(world, f"Room {n}", customer_key="ab"[n % 2]) for n in range(24)]
        await make(world, "Flat")
        assert await led(world, "ro", alone=True) == await led(world, "room") == "not"
        assert await led(world, "room", alone=True) == ("not" if database_url else "order")
        assert await led(world, "room 17", alone=True) == [made[17]]
        assert await shown(world, search="room") == await shown(world, search="oo") == made
        assert await shown(world, search="room", customer_key="a") == made[::2]
        assert await shown(world, search="m 2") == [made[2], *made[20:]]
        # Renamed: where it was. Made again: at the end.
        await world.call("/spaces/update", space_id=made[3], name="Room with a view")
        await world.call("/spaces/delete", space_id=made[5])
        made[5:] = [*made[6:], await make(world, "Room 5")]
        assert await shown(world, search="room") == made


async def test_a_page_goes_on_behind_a_row_that_is_gone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        made = [await make(world, f"Room {n}") for n in range(20)]
        first = await world.call("/spaces/list", search="room", limit=7)
        await world.call("/spaces/delete", space_id=made[6])
        cursor = first["pagination"]["next_page_cursor"]
        rest = await world.call("/spaces/list", search="room", limit=7, page_cursor=cursor)
        assert [one["space_id"] for one in rest["spaces"]] == made[7:14]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("castle", "castle"),
        ('"room":"room-77"', 'om-77"'),
        ("number 77 of the house", "er 77 "),
        ("number 12345 of the house", " 12345 "),
        ("7", "7"),
        ("77", "77"),
        ("a7", "a7"),
        ("ab7", "ab7"),
        ("7ab", "7ab"),
        ("7 of the house", "7 of t"),
        ("1 of 2", "1 of 2"),
    ],
)
def test_what_is_looked_up_is_the_part_with_digits(text: str, part: str) -> None:
    assert search.telling(text) == part
    assert search.telling(text) in text


@given(st.text(min_size=3, max_size=40), st.data())
def test_a_text_has_all_runs_of_its_parts(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 3))
    part = text[at : data.draw(st.integers(at + 3, len(text)))]
    asked = {*search.cover(part), *search.cover(search.telling(part))}
    assert {"s" + run.hex() for run in asked} <= search.words("s", text, "[]")
    long = [run for run in asked if len(run) == search.LONG]
    assert {*search.numbers("s", long)} <= {*search.numbers("s", search.long_runs(text.encode()))}


TEXTS = st.text("ab é", max_size=30) | st.text(max_size=12)
PAIRS = st.lists(st.sampled_from(["a=1", "b=2", "c=é"]), unique=True).map(lambda found: json.dumps(found))


@given(TEXTS, TEXTS, TEXTS, TEXTS, PAIRS, PAIRS)
def test_changes_lead_from_the_words_before_to_those_after(
    start: str, was: str, now: str, end: str, pairs_were: str, pairs_are: str
) -> None:
    old, new = (start + was + end, pairs_were), (start + now + end, pairs_are)
    gone, come = search.changes("s", old, new)
    before, after = search.words("s", *old), search.words("s", *new)
    assert (gone, come) == (before - after, after - before)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=40),
        st.text(max_size=500) | st.integers() | st.booleans() | st.floats(-1e300, 1e300),
    )
)
def test_a_pair_is_asked_for_as_it_was_written(metadata: dict[str, Any]) -> None:
    text = msgspec.json.encode(metadata).decode()
    written = set(search.pairs_of(text))
    for key, value in msgspec.json.decode(text).items():
        assert written & set(search.pairs_asked(key, page.text(value)))


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
            assert await postings(world) == set()


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
            found = set(await shown(world, search=text))
            wanted = {id_ for id_, name in names.items() if text.lower() in name.lower()}
            assert found == wanted, text


async def contents(world: World) -> tuple[list[tuple[Any, ...]], list[set[str]]]:
    """What is remembered of each row, and the words that lead to it, in the order of rows."""
    read = world.core.db.read
    rows = [tuple(row) for row in await read.all("SELECT kind, id, text, pairs FROM search_rows ORDER BY kind, id")]
    if read.dialect.name == "postgresql":
        return rows, []
    words: dict[int, set[str]] = {}
    for text_id, word in await postings(world):
        words.setdefault(text_id, set()).add(word)
    order = [row[0] for row in await read.all("SELECT text_id FROM search_rows ORDER BY kind, id")]
    assert set(words) <= set(order)
    return rows, [words.get(text_id, set()) for text_id in order]


def in_order(pairs: str | list[str]) -> list[str]:
    """PostgreSQL's objects have an order of their own."""
    return sorted(msgspec.json.decode(pairs) if isinstance(pairs, str) else pairs)


async def test_the_index_has_what_its_rows_have_after_any_changes(tmp_path: Path) -> None:
    dice = random.Random(11)
    async with serving(tmp_path, None) as world:
        await world.connect(count=2)
        spaces = [await make(world, f"Room {n}") for n in range(4)]
        for _ in range(60):
            space, name = dice.choice(spaces), "".join(dice.choices("abé 1", k=dice.randint(1, 20))).strip() or "x"
            match dice.randrange(4):
                case 0:
                    await world.call("/spaces/delete", space_id=space)
                    spaces[spaces.index(space)] = await make(world, name)
                case 1:
                    metadata = {dice.choice("ab"): dice.choice(["x", 2, True, None])}
                    await world.call("/devices/update", device_id=world.devices[0], custom_metadata=metadata)
                case _:
                    await world.call("/spaces/update", space_id=space, name=name)
        rows, words = await contents(world)
        workspace_id = world.workspace.workspace_id
        wanted = [search.words(search.scope(workspace_id, kind), text, pairs) for kind, _, text, pairs in rows]
        assert words == wanted


async def test_rows_from_before_the_index_are_in_it(tmp_path: Path, database_url: str | None) -> None:
    """What the migration writes is what is written row by row."""
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await make(world, "North", space_key="n-1", customer_key="hotel")
        jane = {"full_name": "Jane Doe", "email_address": "jane@example.com"}
        wish = {"device_ids": world.devices, "requested_access_methods": [{"mode": "code"}]}
        await world.call("/access_grants/create", user_identity=jane, access_grant_key="grant", **wish)
        metadata = {"wing": "east", "floor": 3, "rate": -2.75, "big": 1e20, "open": True}
        await world.call("/devices/update", device_id=world.devices[0], name="FRONT", custom_metadata=metadata)
        before = await contents(world)

        async def again(tx: Tx) -> None:
            """As when the migration that empties the index runs."""
            await tx.run("UPDATE search_rows SET text = 'another', pairs = pairs")
            for number, _, statements in migrations(tx.dialect.name):
                for statement in statements if number == 18 else ():
                    await tx.run(statement)
            await search.fill(tx)

        await world.core.db.write(again)
        (rows, words), (rows_before, words_before) = await contents(world), before
        assert words == words_before
        assert [row[:3] for row in rows] == [row[:3] for row in rows_before] != []
        assert [in_order(row[3]) for row in rows] == [in_order(row[3]) for row in rows_before]


async def test_rows_are_walked_only_where_those_that_fit_are_everywhere(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "SAMPLE", 4)
    monkeypatch.setattr(finding, "CLOSE", 2)
    async with serving(tmp_path, database_url) as world:
        for text, names in {
            "begin": ["At the beginning"] * 4 + ["Elsewhere"] * 9,
            "end": ["Elsewhere"] * 9 + ["At the end"] * 4,
            "everywhere": ["Everywhere", "No"] * 6,
        }.items():
            one = await new_workspace(world, text)
            made = [await make(one, name) for name in names]
            fit = [space_id for space_id, name in zip(made, names, strict=True) if text in name.lower()]
            assert await led(one, text) == ("not" if text == "everywhere" else sorted(fit))
            assert await shown(one, search=text) == fit


async def test_access_grants_are_found_by_what_is_known_of_them_and_of_whom_they_are_for(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()

        async def book(key: str, **person: str) -> Any:
            wish = {"device_ids": world.devices, "requested_access_methods": [{"mode": "code"}]}
            keys = {"access_grant_key": f"grant-{key}", "reservation_key": f"booking-{key}", "name": f"Stay {key}"}
            return (await world.call("/access_grants/create", **wish, **keys, user_identity=person))["access_grant"]

        async def found(text: str, **more: Any) -> list[str]:
            grants = (await world.call("/access_grants/list", search=text, **more))["access_grants"]
            return [one["access_grant_key"] for one in grants]

        jane = await book("one", full_name="Jane Doe", email_address="jane@example.com", phone_number="+15551234567")
        john = await book("two", full_name="John Smith")
        for text in (
            *("STAY ONE", "grant-o", "booking-o", "ane d", "jane@", "555123"),
            *(jane["access_grant_id"], jane["user_identity_id"]),
        ):
            assert await found(text) == ["grant-one"], text
        assert await found("stay") == await found("t") == ["grant-one", "grant-two"]
        assert await found("no such thing at all") == await found("smith", customer_key="none") == []
        first = await world.call("/access_grants/list", search="stay", limit=1)
        rest = {"limit": 1, "page_cursor": first["pagination"]["next_page_cursor"]}
        assert await found("stay", **rest) == ["grant-two"]
        # They follow: the person's name, the grant's, whom it is for.
        await world.call("/user_identities/update", user_identity_id=john["user_identity_id"], full_name="Jack Black")
        assert (await found("smith"), await found("jack b")) == ([], ["grant-two"])
        await world.call("/access_grants/update", access_grant_id=john["access_grant_id"], name="Visit")
        assert (await found("stay two"), await found("visit")) == ([], ["grant-two"])
        both = [john["user_identity_id"]]
        await world.call(
            "/user_identities/merge", user_identity_id=jane["user_identity_id"], merged_user_identity_ids=both
        )
        assert (await found("jack"), await found("jane d")) == ([], ["grant-one", "grant-two"])
        await world.call("/access_grants/delete", access_grant_id=jane["access_grant_id"])

        async def left() -> bool:
            rows = await world.core.db.read.all("SELECT id FROM search_rows WHERE kind = 'access_grants'")
            return [row[0] for row in rows] == [john["access_grant_id"]]

        await world.eventually(left)
        assert await found("jane d") == ["grant-two"]


async def test_letters_are_compared_whatever_their_case(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await make(world, "École Élémentaire")
        for text in ("école", "ÉCOLE", "é", "É", "Élém", "cole É"):
            reply = await world.call("/spaces/list", search=text)
            assert [one["name"] for one in reply["spaces"]] == ["École Élémentaire"], text


async def test_an_index_in_fewer_parts_leads_to_the_same_rows(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        made = [await make(world, f"Room {n}") for n in range(30)]
        before = await contents(world)
        parts = "SELECT COUNT(DISTINCT segid) FROM search_index_idx"
        many = await world.core.db.read.one(parts)
        while await world.core.db.write(search.merge):
            pass
        few = await world.core.db.read.one(parts)
        assert many is not None and few is not None and few[0] < many[0]
        assert await contents(world) == before
        assert await shown(world, search="room") == made


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("ΟΔΟΣ ΑΘΗΝΑΣ 5", ["οδος", "ΟΔΟΣ", "οδοσ", "ΑΘΗΝΑΣ", "αθηνας", "ς 5"]),
        ("İstanbul Iğdır", ["İSTANBUL", "istanbul", "İ", "stanbul ı", "i̇stanbul"]),
        ("Müller ÉCOLE", ["müller", "MÜLLER", "école", "É", "ü"]),
    ],
)
async def test_a_name_is_found_by_itself_in_any_alphabet(
    tmp_path: Path, database_url: str | None, name: str, texts: list[str]
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        await world.call("/access_codes/create", **about, name="Guest")
        await world.call("/access_codes/create", **about, name=name)
        await make(world, "Room")
        await make(world, name)
        for text in [name, name.lower(), *texts]:
            if "ı" in text and "I" in name:
                continue  # whose small letter it is depends on the language
            spaces = (await world.call("/spaces/list", search=text))["spaces"]
            codes = (await world.call("/access_codes/list", **about, search=text))["access_codes"]
            assert [one["name"] for one in spaces] == [one["name"] for one in codes] == [name], text


async def test_values_are_searched_and_not_how_they_are_kept(tmp_path: Path, database_url: str | None) -> None:
    metadata = {"wing": 'the "north" one', "nested name": "Ä\\ö", "open": True, "rate": 2.5}
    async with serving(tmp_path, database_url) as world:
        await world.connect(order=Order(accepted_providers=["my_2n"], custom_metadata=metadata, customer_key="hotel"))
        await world.call("/devices/update", device_id=world.devices[0], custom_metadata=metadata, name="Front")
        found = {"/devices/list": "devices", "/connected_accounts/list": "connected_accounts"}
        found["/connect_webviews/list"] = "connect_webviews"
        for path, key in found.items():
            for text in ('"north"', 'THE "NORTH" ONE', "nested name", "wing", "ä\\Ö", "true", "2.5"):
                assert len((await world.call(path, search=text))[key]) == 1, (path, text)
            for text in ('"wing"', '\\"', ":", "{", "[", '",', "email", "wing the", "north\x1ewing", "one nested"):
                assert (await world.call(path, search=text))[key] == [], (path, text)
        for text in ("my_2n", "MY_2N", "jane@example.com", "hotel"):
            assert len((await world.call("/connected_accounts/list", search=text))["connected_accounts"]) == 1, text
        for text in ("my_2n", "HOTEL"):
            assert len((await world.call("/connect_webviews/list", search=text))["connect_webviews"]) == 1, text


async def test_a_device_is_found_by_the_beginning_of_its_id_and_the_name_it_has(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        [device_id] = world.devices
        own = (await world.device())["properties"]["name"]

        async def is_found(text: str) -> bool:
            return bool((await world.call("/devices/list", search=text))["devices"])

        account = (await world.device())["connected_account_id"]
        assert [await is_found(text) for text in (own, device_id[:4], device_id, account[5:])] == [True] * 4
        rest = next(at for at in range(4, 30) if device_id[at : at + 6] not in account)
        assert [await is_found(text) for text in (device_id[rest : rest + 6], f"{device_id} ")] == [False] * 2
        await world.call("/devices/update", device_id=device_id, name="Side door")
        assert [await is_found(text) for text in ("side DOOR", own)] == [True, False]


async def test_a_space_is_found_by_its_customer(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        room = await make(world, "Room", customer_key="Hotel-Adler")
        await make(world, "Other room", customer_key="b")
        assert await shown(world, search="adler") == [room]


async def test_what_is_longer_than_any_value_is_found_nowhere(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await make(world, "Room")
        for text in ("x" * finding.LONGEST, "%" * 60_000):
            assert (await world.call("/spaces/list", search=text))["spaces"] == []
            assert (await world.call("/devices/list", search=text))["devices"] == []
            codes = await world.call("/access_codes/list", device_id=world.devices[0], search=text)
            assert codes["access_codes"] == []


NUMBERS: list[tuple[Any, list[Any], list[Any]]] = [
    (2, [2, 2.0, "2"], [2.5, "2.50", "02", "#2", 20]),
    (2.0, [2, 2.0, "2"], [3]),
    (-0.0, [0, 0.0, -0.0, "0"], [None, 1]),
    (1e16, [1e16, 10**16, "1e16", "1e+16"], [10**16 + 1]),
    (1e300, [1e300, "1e+300"], [1e301]),
    (10**25, [10**25, str(10**25)], [10**25 + 1]),
    (2**53 + 1, [2**53 + 1], [2**53 + 2]),
    (0.1, [0.1, "1e-1"], [0.2]),
    (1e-7, [1e-7, "1e-7"], [0]),
    ("2", ["2", 2], ["2.0"]),
    ("x" * 400, ["x" * 400], ["x" * 399, "x" * 401]),
]


@pytest.mark.parametrize(("value", "alike", "others"), NUMBERS)
async def test_a_number_is_found_however_it_is_written(
    tmp_path: Path, database_url: str | None, value: Any, alike: list[Any], others: list[Any]
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.call("/devices/update", device_id=world.devices[0], custom_metadata={"key": value})
        for asked in (*alike, *others):
            reply = await world.call("/devices/list", custom_metadata_has={"key": asked})
            assert len(reply["devices"]) == (asked in alike), asked
            query = {"_strict": "true", "custom_metadata_has.key": page.text(asked)}
            by_query = await world.raw("/devices/list", method="GET", query=query)
            assert len(by_query.json["devices"]) == (asked in alike), asked
