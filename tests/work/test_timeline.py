"""What a reader is told of a code's life: what was asked, tried, answered, and what comes next."""

from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World, new_workspace, serving
from tests.work.test_codes import create, reaches

PATH, OF_DEVICE = "/access_codes/get_timeline", "/devices/doorward/get_access_code_timeline"


async def timeline(world: World, code_id: str, **more: Any) -> list[Any]:
    """The entries, the oldest first."""
    found: list[Any] = (await world.call(PATH, access_code_id=code_id, **more))["timeline_events"]
    return found[::-1]


def types(entries: list[Any]) -> list[str]:
    return [one["event_type"].removeprefix("internal.").removeprefix("access_code.") for one in entries]


async def test_a_code_tells_its_life(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        code_id = await create(world, code="483759", name="Guest")
        await reaches(world, code_id, "set")
        found = await timeline(world, code_id)
        assert sorted(types(found)) == ["created", "programming_finished", "programming_started", "set_on_device"]
        assert types(found)[0] == "created"
        by = {one["event_type"].rpartition(".")[2]: one for one in found}
        assert by["created"]["actor"]["type"] == "api_key"
        assert by["created"]["actor"]["display_name"] == "test"
        assert by["set_on_device"]["actor"] == {"type": "system"}
        assert by["programming_finished"]["details"]["outcome"] == "success"
        assert by["programming_started"]["related_resource_ids"] == {"device_id": world.devices[0]}
        assert "483759" not in str(found)
        reply = await world.call(PATH, access_code_id=code_id)
        assert reply["next"] == {"description": "Nothing: the device holds it.", "at": None}
        await world.call("/access_codes/delete", access_code_id=code_id)
        unit = await world.unit()
        await world.eventually(lambda: not directory.codes(unit))
        await world.pass_time(2)
        reply = await world.call(PATH, access_code_id=code_id)
        assert reply["next"] is None and "access_code.deleted" in [
            one["event_type"] for one in reply["timeline_events"]
        ]


async def test_a_failure_says_what_the_device_said_and_when_it_is_tried_again(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("directory-full")
        code_id = await create(world)

        async def failed() -> Any:
            reply = await world.call(
                PATH, access_code_id=code_id, event_types=["internal.access_code.programming_finished"]
            )
            return reply if reply["timeline_events"] else None

        reply = await world.eventually(failed)
        last = reply["timeline_events"][0]
        assert last["details"]["error_code"] == "no_space_for_access_code_on_device"
        assert "full" in last["details"]["message"] and "full" in last["description"]
        assert last["details"]["next_try_at"] == reply["next"]["at"]
        assert "tried again" in reply["next"]["description"]
        unit.faults.clear()
        await reaches(world, code_id, "set")


async def test_an_offline_device_and_a_time_to_come_are_told_as_what_comes_next(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        times = {"starts_at": "2100-01-01T00:00:00Z", "ends_at": "2100-01-02T00:00:00Z"}
        later = await create(world, **times)
        await world.eventually(lambda: is_scheduled(world, later))
        reply = await world.call(PATH, access_code_id=later)
        assert reply["next"]["at"] == "2100-01-01T00:00:00.000Z"
        (await world.unit()).faults.arm("refuse")
        code_id = await create(world)
        await world.pass_time(20)
        reply = await world.call(PATH, access_code_id=code_id)
        assert "when the device can be reached" in reply["next"]["description"]


async def is_scheduled(world: World, code_id: str) -> bool:
    return bool((await world.code(code_id))["is_scheduled_on_device"])


async def test_pages_and_bounds(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        code_id = await create(world)
        await reaches(world, code_id, "set")
        for name in ("One", "Two", "Three"):
            await world.pass_time(1)
            await world.call("/access_codes/update", access_code_id=code_id, name=name)
            await world.eventually(lambda: is_current(world, code_id))
        whole = (await world.call(PATH, access_code_id=code_id, limit=200))["timeline_events"]
        seen: list[Any] = []
        cursor = None
        while True:
            body = {"access_code_id": code_id, "limit": 3, **({"page_cursor": cursor} if cursor else {})}
            reply = await world.call(PATH, **body)
            seen += reply["timeline_events"]
            cursor = reply["pagination"]["next_page_cursor"]
            if cursor is None:
                break
            assert len(reply["timeline_events"]) == 3
        assert seen == whole and len({one["timeline_event_id"] for one in whole}) == len(whole) > 12
        moments = [one["occurred_at"] for one in whole]
        assert moments == sorted(moments, reverse=True)
        middle = whole[6]["occurred_at"]
        before = await timeline(world, code_id, before=middle, limit=200)
        after = await timeline(world, code_id, after=middle, limit=200)
        assert {one["occurred_at"] for one in before} == {m for m in moments if m < middle}
        assert {one["occurred_at"] for one in after} == {m for m in moments if m > middle}
        of_device = (await world.call(OF_DEVICE, device_id=world.devices[0], limit=200))["timeline_events"]
        assert of_device == whole


async def is_current(world: World, code_id: str) -> bool:
    return not (await world.code(code_id))["pending_mutations"]


async def test_what_others_did_is_told_as_theirs_and_others_see_nothing(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, name="Guest")
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        await directory.edit(unit, next(iter(directory.codes(unit))), name="Meddled")
        await world.pass_time(5)
        by = {one["event_type"]: one for one in await timeline(world, code_id)}
        assert by["access_code.modified_external_to_seam"]["actor"] == {"type": "external"}
        other = await new_workspace(world, "Other")
        await other.fail(PATH, 404, "access_code_not_found", access_code_id=code_id)
        await other.fail(OF_DEVICE, 404, "device_not_found", device_id=world.devices[0])
