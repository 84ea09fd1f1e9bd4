"""Lock and unlock: at most once, never late, and said once."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.server import World, new_workspace, serving, until

from doorward.core import actions, devices
from doorward.providers.errors import Offline
from doorward.store import action_attempts
from doorward.store import devices as device_store
from doorward.store.db import Tx

MOVES = ("lock.locked", "lock.unlocked")


async def moves(world: World) -> list[tuple[str, str]]:
    """What was said about the door: event type and method."""
    return [(e["event_type"], e["method"]) for e in await world.events() if e["event_type"] in MOVES]


def switched(unit: Any) -> int:
    """How often the intercom's access switch moved."""
    return sum(1 for event in unit.log.events if event.name == "SwitchStateChanged" and b'"switch":1' in event.json)


async def count(world: World, event_type: str) -> int:
    return (await world.types()).count(event_type)


async def unlock(world: World, index: int = 0) -> Any:
    return (await world.call("/locks/unlock_door", device_id=world.devices[index]))["action_attempt"]


async def ended(world: World, attempt: Any) -> Any:
    """The attempt once it has ended, while time passes."""

    async def look() -> Any:
        now = await world.attempt(attempt["action_attempt_id"])
        return now if now["status"] != "pending" else None

    return await world.eventually(look)


async def test_an_unlock_succeeds_in_its_first_reply_and_is_seen_by_the_next_get(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        attempt = await unlock(world)
        assert attempt["status"] == "success"
        assert attempt["action_type"] == "UNLOCK_DOOR"
        assert attempt["result"] == {"was_confirmed_by_device": True}
        assert attempt["error"] is None
        assert unit.switches[1].active
        assert (await world.device())["properties"]["locked"] is False
        locked = (await world.call("/locks/lock_door", device_id=world.devices[0]))["action_attempt"]
        assert (locked["status"], locked["action_type"]) == ("success", "LOCK_DOOR")
        assert (await world.device())["properties"]["locked"] is True
        assert not unit.switches[1].active


async def test_a_command_is_told_once_though_the_device_tells_of_it_too(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        attempt = await unlock(world)
        await world.pass_time(3)
        assert await moves(world) == [("lock.unlocked", "remote")]
        event = next(e for e in await world.events() if e["event_type"] == "lock.unlocked")
        assert event["action_attempt_id"] == attempt["action_attempt_id"]
        assert event["device_id"] == world.devices[0]
        assert await count(world, "action_attempt.unlock_door.succeeded") == 1


async def test_commands_in_quick_succession_are_told_once_each(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        for _ in range(4):
            await world.call("/locks/unlock_door", device_id=world.devices[0])
            await world.call("/locks/lock_door", device_id=world.devices[0])
        await world.pass_time(3)
        assert await moves(world) == [("lock.unlocked", "remote"), ("lock.locked", "remote")] * 4
        assert (await world.device())["properties"]["locked"] is True


async def test_a_command_of_somebody_else_is_told_though_ours_was_just_before(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        await unlock(world)
        await world.pass_time(2)
        unit.switches[1].act("off", unit.steady())
        unit.changed()
        await world.pass_time(2)
        unit.switches[1].act("on", unit.steady())
        unit.changed()
        await world.pass_time(2)
        assert await moves(world) == [
            ("lock.unlocked", "remote"),
            ("lock.locked", "remote"),
            ("lock.unlocked", "remote"),
        ]
        assert (await world.device())["properties"]["locked"] is False


async def test_concurrent_unlocks_take_turns_and_all_succeed(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        attempts = await asyncio.gather(*(unlock(world) for _ in range(8)))
        assert {one["status"] for one in attempts} == {"success"}
        assert len({one["action_attempt_id"] for one in attempts}) == 8
        assert unit.switches[1].active


async def test_a_device_that_went_off_is_an_error_said_once_and_recovers(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        off = asyncio.ensure_future(unit.power_cut(outage=60))
        await world.settle()
        attempt = await ended(world, await unlock(world))
        assert attempt["status"] == "error"
        assert attempt["error"]["type"] in ("device_disconnected", "outcome_unknown")
        assert attempt["error"]["message"].endswith(".")
        await world.eventually(lambda: count(world, "device.disconnected"))
        device = await world.device()
        assert device["properties"]["online"] is False
        assert device["can_remotely_unlock"] is False
        assert "locked" not in device["properties"]
        assert [e["error_code"] for e in device["errors"]] == ["device_disconnected"]
        await unlock(world)
        await world.pass_time(90, step=2)
        await off

        async def online() -> bool:
            return bool((await world.device())["properties"]["online"])

        await world.eventually(online, step=1)
        assert (await world.device())["errors"] == []
        types = await world.types(device_id=world.devices[0])
        assert types.count("device.disconnected") == 1
        assert types.count("device.connected") == 2
        assert (await unlock(world))["status"] == "success"


async def test_a_slow_device_answers_pending_and_then_success(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, command_wait=0.05) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("slow", path="switch/ctrl", times=1, seconds=4)
        attempt = await unlock(world)
        assert (attempt["status"], attempt["result"], attempt["error"]) == ("pending", None, None)
        assert switched(unit) == 0
        attempt = await ended(world, attempt)
        assert attempt["status"] == "success"
        assert unit.switches[1].active
        assert await moves(world) == [("lock.unlocked", "remote")]


async def test_a_lost_reply_is_an_unknown_outcome_and_the_device_acted_once(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        before = switched(unit)
        unit.faults.arm("reply-lost", path="switch/ctrl", times=1)
        attempt = await ended(world, await unlock(world))
        assert (attempt["status"], attempt["error"]["type"]) == ("error", "outcome_unknown")
        assert switched(unit) == before + 1
        await world.pass_time(4)
        assert switched(unit) == before + 1
        # The device itself tells that the door is open.
        assert (await world.device())["properties"]["locked"] is False
        assert await moves(world) == [("lock.unlocked", "remote")]
        assert (await world.device())["properties"]["online"] is True


async def left_behind(world: World, phase: str) -> str:
    """An attempt as a process that died leaves it."""
    row = await device_store.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
    assert row is not None
    made = await world.core.db.write(actions.start_command, world.core, row, "UNLOCK_DOOR", sending=phase == "sending")
    return made.action_attempt_id


async def test_what_a_crash_left_half_done_is_an_error_and_never_sent_again(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        ids = [await left_behind(world, "sending"), await left_behind(world, "queued")]
        devices_before = world.devices
        clock = world.clock
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = devices_before
        await until(lambda: world.core.providers["my_2n"])
        errors = []
        for one in ids:
            attempt = await ended(world, {"action_attempt_id": one})
            errors.append((attempt["status"], attempt["error"]["type"]))
        assert errors == [("error", "outcome_unknown"), ("error", "device_disconnected")]
        unit = await world.watched()
        await world.pass_time(15)
        assert not unit.switches[1].active
        assert await moves(world) == []
        assert await count(world, "action_attempt.unlock_door.failed") == 2


async def test_a_command_that_waited_past_its_deadline_is_not_sent(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, command_wait=0.05, command_deadline=10) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("slow", path="switch/ctrl", times=1, seconds=12)
        first = await unlock(world)
        second = (await world.call("/locks/lock_door", device_id=world.devices[0]))["action_attempt"]
        assert (first["status"], second["status"]) == ("pending", "pending")
        await world.pass_time(16)
        first, second = await ended(world, first), await ended(world, second)
        assert first["status"] in ("success", "error")
        assert (second["status"], second["error"]["type"]) == ("error", "device_disconnected")
        assert "nothing was sent" in second["error"]["message"]
        assert unit.switches[1].active, "the lock was not carried out"


async def test_an_attempt_can_be_claimed_and_ended_only_once(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        attempt_id = await left_behind(world, "queued")
        row = await action_attempts.get(world.core.db.read, world.workspace.workspace_id, attempt_id)
        assert row is not None
        db, now = world.core.db, world.clock.now()
        claims = await asyncio.gather(*(db.write(action_attempts.claim, row, now) for _ in range(5)))
        assert sorted(claims) == [False] * 4 + [True]

        async def end(tx: Tx) -> bool:
            return await actions.finish(tx, world.core, row, result={})

        assert sorted(await asyncio.gather(*(db.write(end) for _ in range(5)))) == [False] * 4 + [True]
        assert await count(world, "action_attempt.unlock_door.succeeded") == 1


async def test_trouble_noticed_by_several_at_once_is_said_once(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        about = (world.core, world.workspace.workspace_id, world.devices[0], Offline())
        await asyncio.gather(*(world.core.db.write(devices.trouble, *about) for _ in range(8)))
        assert await count(world, "device.disconnected") == 1


async def test_a_device_recovers_from_trouble_that_its_watcher_did_not_notice(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        await world.pass_time(40, step=4)
        await world.core.db.write(
            devices.trouble, world.core, world.workspace.workspace_id, world.devices[0], Offline()
        )
        assert (await world.device())["properties"]["online"] is False
        await world.pass_time(10)
        assert (await world.device())["properties"]["online"] is True
        assert (await world.device())["errors"] == []
        assert await count(world, "device.disconnected") == 1


async def test_an_echo_that_comes_late_moves_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        # The event log answers slowly: both commands are over when the device tells of the first.
        unit.faults.arm("slow", path="log/pull", times=1, seconds=2)
        await world.pass_time(25, step=5)
        await unlock(world)
        await world.call("/locks/lock_door", device_id=world.devices[0])
        await world.pass_time(4)
        assert await moves(world) == [("lock.unlocked", "remote"), ("lock.locked", "remote")]
        assert (await world.device())["properties"]["locked"] is True


async def test_devices_that_cannot_be_moved_are_refused(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, rate_limits="documented") as world:
        await world.connect(count=2)
        unknown = "00000000-0000-4000-8000-000000000000"
        error = await world.fail("/locks/unlock_door", 404, "device_not_found", device_id=unknown)
        assert error["data"] == {"device_id": unknown}
        other = await new_workspace(world, "Other")
        await other.fail("/locks/unlock_door", 404, "device_not_found", device_id=world.devices[0])
        await world.call("/devices/update", device_id=world.devices[1], is_managed=False)
        await world.fail("/locks/unlock_door", 400, "device_unmanaged", device_id=world.devices[1])
        for _ in range(15):
            await world.call("/locks/unlock_door", device_id=world.devices[0])
        reply = await world.raw("/locks/unlock_door", {"device_id": world.devices[0]})
        assert (reply.status, reply.error["type"]) == (429, "rate_limit_exceeded")
        assert 1 <= int(reply.headers["retry-after"]) <= 61
        # Locks are counted apart, and the minute passes.
        await world.call("/locks/lock_door", device_id=world.devices[0])
        await world.pass_time(61, step=20)
        await world.call("/locks/unlock_door", device_id=world.devices[0])


async def test_a_device_without_login_says_so(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=1, skip=1)
        device = await world.device(1)
        assert [e["error_code"] for e in device["errors"]] == ["missing_device_credentials"]
        attempt = await unlock(world, 1)
        assert (attempt["status"], attempt["error"]["type"]) == ("error", "missing_device_credentials")
