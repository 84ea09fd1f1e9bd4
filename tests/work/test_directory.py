"""Directories as they are: what others do there is seen, told, repaired where it is ours, not believed too soon."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import directory
from tests.support.server import World, serving
from tests.work.test_codes import chain, create, errors, hours, reaches

from doorward.core import code_state, plan
from doorward.providers.my_2n.emulator import Unit
from doorward.store import access_codes as store
from doorward.store import bookmarks
from doorward.store.db import Tx


async def unmanaged(world: World, **filters: Any) -> list[Any]:
    reply = await world.call("/access_codes/unmanaged/list", device_id=world.devices[0], **filters)
    found: list[Any] = reply["access_codes"]
    return found


async def pins(world: World) -> list[str]:
    return sorted(one["code"] for one in await unmanaged(world))


async def shows(world: World, *wanted: str) -> None:
    """Wait until exactly these unmanaged PINs are listed, while time passes."""

    async def look() -> bool:
        return await pins(world) == sorted(wanted)

    await world.eventually(look)


async def told(world: World) -> list[str]:
    """What was said about codes that are not ours."""
    return [t.removeprefix("access_code.unmanaged.") for t in await world.types() if ".unmanaged." in t]


async def place(world: World) -> str | None:
    return await bookmarks.get(world.core.db.read, world.workspace.workspace_id, world.devices[0], "directory")


async def watched(world: World) -> Unit:
    """The intercom, once its directory was read."""
    unit = await world.watched()

    async def is_read() -> bool:
        return await place(world) is not None

    await world.eventually(is_read)
    return unit


@contextmanager
def queries(unit: Unit) -> Iterator[list[int]]:
    """How many entries each query of the directory showed."""
    shown: list[int] = []
    query = unit.directory.query

    def spy(*asked: Any) -> dict[str, Any]:
        reply = query(*asked)
        shown.append(len(reply["users"]))
        return reply

    unit.directory.query = spy  # type: ignore[method-assign,assignment]
    yield shown
    unit.directory.query = query  # type: ignore[method-assign]


@contextmanager
def answering(unit: Unit, how: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
    """Every query of the directory is answered otherwise."""
    query = unit.directory.query
    unit.directory.query = lambda *asked: how(query(*asked))  # type: ignore[method-assign]
    yield
    unit.directory.query = query  # type: ignore[method-assign]


# ---------------------------------------------------------------- codes that are not ours


async def test_entries_of_others_are_unmanaged_codes(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add(unit, "Owner", "1593")
        await directory.add(unit, "Cloud", "2604", "My2N")
        await directory.add(unit, "Manager", "3715", "ACOM")
        await directory.add(unit, "Card only", "")
        tag = f"doorward-{world.workspace.workspace_id.replace('-', '')[:12]}"
        await directory.add(unit, "Of an older database", "4826", tag)
        await shows(world, "1593", "2604", "3715", "4826")
        assert await told(world) == ["created"] * 4
        by_name = {one["name"]: one for one in await unmanaged(world)}
        for name, is_kept in {"Owner": False, "Cloud": True, "Manager": True, "Of an older database": False}.items():
            one = by_name[name]
            marks = {"cannot_be_managed", "cannot_delete_unmanaged_access_code"}
            assert (marks <= one.keys() and all(one[m] is True for m in marks)) if is_kept else not marks & one.keys()
            assert (one["is_managed"], one["status"], one["type"]) == (False, "set", "ongoing")
            assert (one["errors"], one["warnings"]) == ([], [])
            (event,) = await world.events(access_code_id=one["access_code_id"])
            assert event["event_type"] == "access_code.unmanaged.created" and "code" not in event
        assert (await world.call("/access_codes/list", device_id=world.devices[0]))["access_codes"] == []
        before = directory.codes(unit)
        await world.pass_time(7_200, step=300)
        assert directory.codes(unit) == before
        assert await told(world) == ["created"] * 4


async def test_an_unmanaged_code_keeps_its_id_while_it_changes_and_is_told_when_it_goes(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        uuid = await directory.add(unit, "Owner", "1593")
        await shows(world, "1593")
        (before,) = await unmanaged(world)
        now = world.clock.now() // 1000
        access = {"pin": "1594", "validFrom": str(now + 3600), "validTo": str(now + 7200)}
        await directory.edit(unit, uuid, name="New owner", access=access)
        await shows(world, "1594")
        (after,) = await unmanaged(world)
        assert after["access_code_id"] == before["access_code_id"]
        assert (after["name"], after["type"], after["status"]) == ("New owner", "time_bound", "unset")
        await world.pass_time(3700, step=100)
        assert (await unmanaged(world))[0]["status"] == "set"
        await directory.edit(unit, uuid, access={"pin": ""})
        await shows(world)
        assert await told(world) == ["created", "removed"]
        await directory.edit(unit, uuid, access={"pin": "1595"})
        await shows(world, "1595")
        await directory.remove(unit, uuid)
        await shows(world)
        assert await told(world) == ["created", "removed"] * 2


async def test_unmanaged_codes_are_found_by_id_pin_and_text_and_come_in_pages(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add_many(unit, 7)
        await shows(world, *(str(700_000 + n) for n in range(7)))
        about = {"device_id": world.devices[0]}
        (one,) = await unmanaged(world, search="700003")
        assert one["name"] == "User 3"
        assert [c["code"] for c in await unmanaged(world, search="user 5")] == ["700005"]
        assert await unmanaged(world, search="70000") == []
        got = (await world.call("/access_codes/unmanaged/get", access_code_id=one["access_code_id"]))["access_code"]
        assert got == one
        assert (await world.call("/access_codes/unmanaged/get", **about, code="700003"))["access_code"] == one
        await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=one["access_code_id"])
        await world.fail("/access_codes/unmanaged/get", 404, "access_code_not_found", **about, code="123123")
        await world.fail("/access_codes/unmanaged/list", 400, "invalid_input")
        seen: list[str] = []
        cursor = None
        while True:
            page = await world.call("/access_codes/unmanaged/list", **about, limit=3, page_cursor=cursor)
            seen += [c["code"] for c in page["access_codes"]]
            cursor = page["pagination"]["next_page_cursor"]
            if not page["pagination"]["has_next_page"]:
                break
        assert len(seen) == len(set(seen)) == 7
        mine = await create(world, code="4711")
        await world.fail("/access_codes/unmanaged/get", 404, "access_code_not_found", access_code_id=mine)


async def test_a_pin_that_an_unmanaged_code_has_is_refused(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        uuid = await directory.add(unit, "Owner", "4711")
        await shows(world, "4711")
        (theirs,) = await unmanaged(world)
        error = await world.fail(
            "/access_codes/create", 409, "duplicate_access_code", device_id=world.devices[0], code="4711"
        )
        assert error["data"]["access_code_id"] == theirs["access_code_id"] and "4711" not in str(error)
        await directory.remove(unit, uuid)
        await shows(world)
        await reaches(world, await create(world, code="4711"), "set")


async def test_what_was_there_at_the_first_read_did_not_appear_now(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.unit()
        await directory.add_many(unit, 600)  # more than one transaction stores
        await world.watched()
        await world.eventually(lambda: _count(world, 600))
        assert await told(world) == []
        uuid = await directory.add(unit, "New", "1593")
        await world.eventually(lambda: _count(world, 601))
        assert await told(world) == ["created"]
        await directory.remove(unit, uuid)
        await world.eventually(lambda: _count(world, 600))


async def _count(world: World, wanted: int) -> bool:
    return len(await unmanaged(world)) == wanted


async def test_no_pin_of_others_is_stored_in_clear(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        await world.connect()
        unit = await watched(world)
        uuid = await directory.add(unit, "Owner", "73910486")
        await shows(world, "73910486")
        code_id = await create(world, code="64820395")
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (mine,) = [u for u, c in directory.codes(unit).items() if c["pin"] == "64820395"]
        with answering(unit, lambda reply: reply):
            unit.faults.arm("http-500", path="dir/update")  # so it is not repaired at once
            await directory.edit(unit, mine, access={"pin": "55667788"})

            async def failed() -> bool:
                return bool(errors(await world.code(code_id)))

            await world.eventually(failed)
        assert "55667788" in str(await world.code(code_id))  # whoever may read the code is told
        tables = ("access_codes", "events", "devices", "bookmarks", "action_attempts")
        rows = [await world.core.db.read.all(f"SELECT * FROM {name}") for name in tables]
        for pin in ("73910486", "64820395", "55667788"):
            assert pin not in repr(rows)
        assert uuid.lower() in repr(rows)


async def test_codes_of_a_device_that_is_not_managed_any_more_stay_what_they_are(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        long = "A very long name, longer than any intercom is likely to show it, and then some more"
        code_id = await create(world, code="4711", name=long)
        await reaches(world, code_id, "set")
        await world.call("/devices/update", device_id=world.devices[0], is_managed=False)
        await world.pass_time(7_200, step=300)
        (one,) = await unmanaged(world)
        assert (one["access_code_id"], one["code"], one["name"]) == (code_id, "4711", long)
        assert "cannot_be_managed" not in one
        assert directory.pins(unit) == ["4711"]
        assert await told(world) == ["created"], "once, as it is unmanaged from then on"
        (uuid,) = directory.codes(unit)
        await directory.edit(unit, uuid, access={"pin": "4812"})
        await shows(world, "4812")
        assert (await unmanaged(world))[0]["access_code_id"] == code_id
        await directory.remove(unit, uuid)
        await shows(world)
        assert await told(world) == ["created", "removed"]


async def test_an_account_with_many_unmanaged_codes_is_deleted_quietly(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add_many(unit, 30)
        await world.eventually(lambda: _count(world, 30))
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        account = (await world.device())["connected_account_id"]
        await world.call("/connected_accounts/delete", connected_account_id=account)
        assert (await world.types()).count("access_code.deleted") == 1
        assert len(directory.pins(unit)) == 31


# ---------------------------------------------------------------- what is read


async def test_only_what_changed_is_read_even_after_a_restart(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add_many(unit, 50)
        await world.eventually(lambda: _count(world, 50))
        with queries(unit) as shown:
            await directory.add(unit, "New", "1593")
            await world.eventually(lambda: _count(world, 51))
            await world.pass_time(120, step=5)
        assert sum(shown) == 1
        kept, clock = world.devices, world.clock
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = kept
        unit = await world.unit()
        with queries(unit) as shown:
            await directory.add(unit, "Newer", "1594")
            await world.watched()
            await world.eventually(lambda: _count(world, 52))
            await world.pass_time(120, step=5)
            assert shown and max(shown) == 1
            # What nobody told is found by the slow check of everything.
            await world.pass_time(4_200, step=100)
            assert max(shown) == 52 and shown.count(52) == 1
        assert (await told(world)).count("created") == 52


async def test_a_factory_reset_sets_all_of_ours_again(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add_many(unit, 10)
        made = [await create(world, code=str(4_000 + n)) for n in range(10)]
        for one in made:
            await reaches(world, one, "set")
        await world.eventually(lambda: _count(world, 10))
        await world.pass_time(5)
        unit.directory.reset()
        await directory.add(unit, "New owner", "1593")
        await world.eventually(lambda: len(directory.codes(unit)) == 11)
        await shows(world, "1593")
        for one in made:
            await reaches(world, one, "set")
            assert await chain(world, one) == ["created", "set_on_device", "deleted_external_to_seam", "set_on_device"]
        assert await warnings(world) == []


@pytest.mark.parametrize("kind", ["truncated", "older", "without list", "http-500"])
async def test_a_read_that_failed_is_not_believed_and_keeps_nothing_from_being_set(
    tmp_path: Path, database_url: str | None, kind: str
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add(unit, "Owner", "1593")
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        await shows(world, "1593")
        await world.pass_time(120, step=10)
        old = {**unit.directory.query(None, 0, ["name"]), "timestamp": 1, "users": []}
        how: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "truncated": lambda r: {**r, "users": []},
            "older": lambda _: old,
            "without list": lambda r: {n: v for n, v in r.items() if n != "users"},
        }
        before, events = await place(world), len(await world.events())
        with answering(unit, how.get(kind, lambda r: r)):
            if kind == "http-500":
                unit.faults.arm("http-500", path="dir/query")
            else:
                await directory.add(unit, "Other", "2604")
            await world.pass_time(300, step=10)
            assert await place(world) == before
            assert await pins(world) == ["1593"]
            assert (await world.code(code_id))["status"] == "set"
            told_meanwhile = [e["event_type"] for e in await world.events()][events:]
            assert not [t for t in told_meanwhile if "external" in t or "unmanaged" in t or "set_on" in t]
        unit.faults.clear()
        if kind == "http-500":
            await directory.add(unit, "Other", "2604")
        await world.pass_time(70, step=5)
        await shows(world, "1593", "2604")
        assert await chain(world, code_id) == ["created", "set_on_device"]


async def test_a_device_with_another_history_than_we_think_is_read_anew_after_a_while(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add(unit, "Owner", "1593")
        await shows(world, "1593")
        backup = unit.directory.save()
        await directory.add(unit, "Other", "2604")
        await shows(world, "1593", "2604")
        unit.directory.load(backup)  # the same series, an older counter
        await world.pass_time(300, step=60)
        assert await pins(world) == ["1593", "2604"]
        await world.pass_time(6_000, step=60)
        await shows(world, "1593")
        await directory.add(unit, "New", "3715")
        await shows(world, "1593", "3715")


# ---------------------------------------------------------------- ours, changed by others


async def test_what_was_changed_at_the_device_is_said_in_detail_until_it_is_repaired(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        code_id = await create(world, code="4711", name="Max")
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (uuid,) = directory.codes(unit)
        unit.faults.arm("http-500", path="dir/update")
        await directory.edit(unit, uuid, name="Somebody", access={"pin": "9999"})

        async def said() -> Any:
            code = await world.code(code_id)
            return next((e for e in code["errors"] if e["error_code"] == "conflicting_external_modification"), None)

        error = await world.eventually(said)
        assert error["change_type"] == "modified" and error["is_access_code_error"] is True
        assert error["modified_fields"] == [
            {"field": "name", "from": "Max", "to": "Somebody"},
            {"field": "code", "from": "4711", "to": "9999"},
        ]
        assert (await world.code(code_id))["code"] == "4711"
        unit.faults.clear()
        await world.eventually(lambda: directory.pins(unit) == ["4711"])

        async def well() -> bool:
            return errors(await world.code(code_id)) == []

        await world.eventually(well)
        assert "name_changed" not in await chain(world, code_id)
        assert (await chain(world, code_id)).count("modified_external_to_seam") == 1


async def test_an_allowed_change_is_what_the_code_is_from_then_on(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        code_id = await create(world, code="4711", name="Max", allow_external_modification=True)
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (uuid,) = directory.codes(unit)
        await directory.edit(unit, uuid, access={"pin": "9999"})

        async def follows() -> bool:
            return bool((await world.code(code_id))["code"] == "9999")

        await world.eventually(follows)
        (warning,) = (await world.code(code_id))["warnings"]
        assert (warning["warning_code"], warning["change_type"]) == ("external_modification_in_effect", "modified")
        assert warning["modified_fields"] == [{"field": "code", "from": "4711", "to": "9999"}]
        about = {"device_id": world.devices[0]}
        await world.fail("/access_codes/create", 409, "duplicate_access_code", **about, code="9999")
        await world.call("/access_codes/update", access_code_id=code_id, name="Moritz", sync=True)
        (entry,) = directory.codes(unit).values()
        assert (entry["name"], entry["pin"]) == ("Moritz", "9999")
        assert (await world.code(code_id))["warnings"] == []


async def test_an_allowed_removal_is_left_until_the_code_is_changed_here(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        code_id = await create(world, code="4711", allow_external_modification=True)
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (uuid,) = directory.codes(unit)
        await directory.remove(unit, uuid)
        code = await reaches(world, code_id, "unset")
        (warning,) = code["warnings"]
        assert (warning["warning_code"], warning["change_type"]) == ("external_modification_in_effect", "removed")
        await world.pass_time(7_200, step=300)
        assert directory.codes(unit) == {}
        assert await chain(world, code_id) == ["created", "set_on_device", "deleted_external_to_seam"]
        await world.call("/access_codes/update", access_code_id=code_id, code="4812")
        await reaches(world, code_id, "set")
        assert directory.pins(unit) == ["4812"]
        assert (await world.code(code_id))["warnings"] == []


async def test_a_code_that_something_else_keeps_changing_is_not_fought_over(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        (uuid,) = directory.codes(unit)

        writes = 0

        async def fight(seconds: int) -> None:
            """Something sets its own PIN whenever it sees ours."""
            nonlocal writes
            for _ in range(seconds // 5):
                if directory.pins(unit) == ["4711"]:
                    writes += 1
                    await directory.edit(unit, uuid, access={"pin": "9999"})
                await world.pass_time(5, step=5)

        await fight(600)
        assert writes == 3
        code = await world.code(code_id)
        (error,) = code["errors"]
        assert error["error_code"] == "conflicting_external_modification"
        assert "not set again before" in error["message"]
        assert [w["warning_code"] for w in code["warnings"]] == ["third_party_integration_detected"]
        assert directory.pins(unit) == ["9999"]
        await fight(900)  # a quarter of an hour later it is tried once, and given up for twice as long
        assert writes == 4
        await fight(1_200)
        assert writes == 4
        # Changing the code is a new try at once.
        await world.call("/access_codes/update", access_code_id=code_id, code="4812")
        await world.eventually(lambda: directory.pins(unit) == ["4812"])
        code = await reaches(world, code_id, "set")
        await world.pass_time(90, step=5)
        code = await world.code(code_id)
        assert (code["errors"], code["warnings"]) == ([], [])


async def test_a_code_that_is_not_fought_over_still_ends_on_time(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        code_id = await create(world, code="4711", **hours(world, -1, 0.25))
        await reaches(world, code_id, "set")
        (uuid,) = directory.codes(unit)
        for _ in range(3):
            await world.eventually(lambda: directory.pins(unit) == ["4711"])
            await world.pass_time(5)
            await directory.edit(unit, uuid, access={"pin": "9999", "validTo": "0"})
            await world.pass_time(5)
        await world.pass_time(600, step=60)
        assert directory.pins(unit) == ["9999"]  # it opens for good, and is not ours to fight for now …
        await world.pass_time(420, step=30)
        await reaches(world, code_id, None)  # … but at its end it goes
        assert directory.codes(unit) == {}


async def test_a_duplicate_names_the_other_code(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        uuid = await directory.add(unit, "Owner", "4711")
        code_id = await create(world, code="4711")  # before the entry was read

        async def named() -> Any:
            await world.core.db.write(_retry_now, world, code_id)
            return next((e.get("unmanaged_access_code_id") for e in (await world.code(code_id))["errors"]), None)

        other = await world.eventually(named)
        assert other == (await unmanaged(world))[0]["access_code_id"]
        await directory.remove(unit, uuid)
        await reaches(world, code_id, "set")  # at once: that is what it waited for


async def _retry_now(tx: Any, world: World, code_id: str) -> None:
    row = await store.get(tx, world.workspace.workspace_id, code_id)
    assert row is not None
    if row.retry_at:
        await store.change(tx, row, retry_at=world.clock.now() + 100)


# ---------------------------------------------------------------- great mistakes


async def warnings(world: World) -> list[Any]:
    found: list[Any] = (await world.device())["warnings"]
    return found


async def held(world: World, count: int, **fields: Any) -> list[str]:
    made = [await create(world, code=str(4_000 + n), **fields) for n in range(count)]
    for one in made:
        await reaches(world, one, "set")
    return made


async def test_much_that_vanished_is_believed_only_when_a_second_read_says_the_same(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await directory.add_many(unit, 20)
        await world.eventually(lambda: _count(world, 20))
        made = await held(world, 10)
        await world.pass_time(120, step=5)
        entries = dict(unit.directory._entries)
        writes = requests(unit, "dir/create") + requests(unit, "dir/update") + requests(unit, "dir/delete")
        # Gone without a trace: no deleted entries, the same series, the same counter.
        for key in list(unit.directory._entries)[:-1]:
            del unit.directory._entries[key]
        (warning,) = await world.eventually(lambda: warnings(world), step=60)
        assert warning["warning_code"] == "provider_issue" and "of 30 access codes were missing" in warning["message"]
        assert len(await unmanaged(world)) == 20
        assert await told(world) == ["created"] * 20
        # It was a mistake of the device: nothing has happened.
        unit.directory._entries = entries
        await world.pass_time(90, step=5)
        assert await warnings(world) == []
        assert await told(world) == ["created"] * 20
        for one in made:
            assert await chain(world, one) == ["created", "set_on_device"]
        assert requests(unit, "dir/create") + requests(unit, "dir/update") + requests(unit, "dir/delete") == writes
        # It is true: after the second read what is ours is set again.
        for key in list(unit.directory._entries)[:-1]:
            del unit.directory._entries[key]
        await world.eventually(lambda: warnings(world), step=60)
        await world.pass_time(90, step=5)
        await world.eventually(lambda: len(directory.pins(unit)) == 10)
        assert await warnings(world) == []
        assert await unmanaged(world) == []
        for one in made[:-1]:
            await reaches(world, one, "set")
            assert (await chain(world, one))[2:] == ["deleted_external_to_seam", "set_on_device"]


async def test_codes_whose_rows_are_gone_stay_on_the_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        await held(world, 10)
        await world.pass_time(120, step=5)

        async def lose(tx: Any) -> None:
            await tx.run("DELETE FROM access_codes")

        await world.core.db.write(lose)
        await world.pass_time(7_200, step=300)
        assert len(directory.pins(unit)) == 10
        assert len(await unmanaged(world)) == 10


async def test_checkout_day_ends_on_time_and_is_tidied_up_in_portions(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        stay = hours(world, -1, 1)
        made = await held(world, 30, **stay)
        longer = await create(world, code="8888")
        asked = await create(world, code="9999")
        for one in (longer, asked):
            await reaches(world, one, "set")
        await world.pass_time(3_590, step=60)
        await world.call("/access_codes/delete", access_code_id=asked)
        await reaches(world, asked, None)  # what was asked for waits for nothing
        end = max(int(c["to"]) for c in directory.codes(unit).values()) * 1000
        await world.pass_time(max(1, (end - world.clock.now()) / 1000 + 2), step=1)
        left = directory.codes(unit)
        assert 20 <= len(left) < 31  # a portion is gone …
        assert all(int(c["to"]) * 1000 <= world.clock.now() for c in left.values() if c["to"])  # … none opens any more
        (warning,) = await world.eventually(lambda: warnings(world), step=0.1)
        assert "end together" in warning["message"]
        for _ in range(60):  # portion by portion
            await world.pass_time(20, step=20)
            if directory.pins(unit) == ["8888"]:
                break
        assert directory.pins(unit) == ["8888"]
        for one in made:
            await reaches(world, one, None)
            assert (await chain(world, one))[-2:] == ["removed_from_device", "deleted"]
        assert (await world.device())["warnings"] == []


async def test_the_guard_can_be_turned_off(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, mass_removal_guard="off") as world:
        await world.connect()
        unit = await watched(world)
        await held(world, 12, **hours(world, -1, 0.5))
        await world.pass_time(1_800 + 60, step=10)
        await world.eventually(lambda: directory.codes(unit) == {}, step=0.1)  # no minute between portions


async def test_deleting_many_codes_waits_for_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        for one in await held(world, 30):
            await world.call("/access_codes/delete", access_code_id=one)
        await world.eventually(lambda: directory.codes(unit) == {}, step=0.1)
        assert (await world.device())["warnings"] == []


async def test_a_plan_that_removes_what_nobody_asked_to_remove_is_not_carried_out(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan has gone mad: it wants everything gone."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        made = await held(world, 3)

        def mad(codes: Any, **_: Any) -> Any:
            return [plan.Remove(code) for code in codes], None

        monkeypatch.setattr(plan, "steps", mad)
        for one in made:
            await world.call("/access_codes/update", access_code_id=one, name="New")
        gone = await create(world, code="9999")
        await world.call("/access_codes/delete", access_code_id=gone)
        await reaches(world, gone, None)
        await world.pass_time(300, step=20)
        assert directory.pins(unit) == ["4000", "4001", "4002"]
        monkeypatch.undo()
        await world.pass_time(4_000, step=200)
        for one in made:
            assert (await reaches(world, one, "set"))["name"] == "New"


async def test_a_code_that_cannot_be_set_is_not_written_again_and_again(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        unit.faults.arm("directory-full")
        code_id = await create(world, code="4711")
        await world.pass_time(600, step=5)
        assert requests(unit, "dir/create") == 3
        (error,) = (await world.code(code_id))["errors"]
        assert error["error_code"] == "no_space_for_access_code_on_device" and "the next try is at" in error["message"]
        await world.pass_time(900, step=10)
        assert requests(unit, "dir/create") == 4
        await world.pass_time(1_000, step=20)
        assert requests(unit, "dir/create") == 4  # the second pause is twice as long
        await world.call("/access_codes/update", access_code_id=code_id, name="Changed")
        await world.eventually(lambda: requests(unit, "dir/create") > 4, step=0.1)
        unit.faults.clear()
        await reaches(world, code_id, "set")


def requests(unit: Unit, function: str) -> int:
    return sum(function in repr(one) for one in unit.requests)


# ---------------------------------------------------------------- much


async def test_ten_thousand_entries_are_read_without_holding_anybody_up(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        await world.connect()
        unit = await world.unit()
        users = [{"name": f"User {n}", "access": {"pin": f"{n:06d}"}} for n in range(10_000)]
        unit.directory.create(users, force=False)
        await unit.directory_changed(0)
        started = time.monotonic()
        await world.watched()

        await world.eventually(lambda: _stored(world, 10_000), patience=60)
        assert time.monotonic() - started < 30
        assert await told(world) == []


async def _stored(world: World, count: int) -> bool:
    return await _rows(world) == count


async def test_a_first_read_that_was_cut_off_is_finished_quietly(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        unit = await world.unit_to_be()
        await directory.add_many(unit, 2_000)
        await world.connect()
        assert await world.unit() is unit
        while not await _rows(world):  # noqa: ASYNC110 - the very moment after the first part was stored
            await asyncio.sleep(0)
        for task in asyncio.all_tasks():
            if "Reconciler._look" in repr(task):
                task.cancel()
        assert await _rows(world) < 2_000 and await place(world) is None
        kept, clock = world.devices, world.clock
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = kept
        await world.pass_time(130, step=10)
        await world.eventually(lambda: _stored(world, 2_000))
        assert len({one["code"] for one in await unmanaged(world)}) == 2_000
        assert await told(world) == []


async def _rows(world: World) -> int:
    row = await world.core.db.read.one("SELECT COUNT(*) FROM access_codes")
    return int(row[0]) if row else 0


async def test_a_write_of_ours_whose_answer_was_lost_is_nobody_elses(tmp_path: Path, database_url: str | None) -> None:
    """The device shows more of our own writes than we know of: nobody else is blamed, and the last one wins."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await watched(world)
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        await world.pass_time(120, step=10)

        async def lose(tx: Tx) -> None:
            row = await store.get(tx, world.workspace.workspace_id, code_id)
            assert row is not None
            await store.change(tx, row, held_revision=code_state.IN_DOUBT, retry_at=world.clock.now() + 300_000)

        await world.core.db.write(lose)
        (uuid,) = directory.codes(unit)
        await directory.edit(unit, uuid, access={"pin": "1593"})
        await world.pass_time(120, step=5)
        assert not [e for e in await chain(world, code_id) if "external" in e]
        await world.pass_time(300, step=5)
        assert (await reaches(world, code_id, "set"))["code"] == "4711"
        assert directory.pins(unit) == ["4711"]
