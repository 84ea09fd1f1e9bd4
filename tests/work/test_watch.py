"""What happens at devices, from the intercom to the API: told once, in time order, over restarts of either side."""

import asyncio
import gc
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from tests.support.server import World, new_workspace, serving, until

from doorward.core import devices as rules
from doorward.core import happened
from doorward.core.accounts import LINKS
from doorward.providers.errors import NotAuthorized
from doorward.providers.events import (
    AccessDenied,
    LetIn,
    LockMoved,
    Noted,
)
from doorward.providers.my_2n.emulator import Account, SwitchConfig
from doorward.store import bookmarks, device_log
from doorward.store import devices as device_store
from doorward.store.db import Tx, Where
from doorward.wire.time import parse
from doorward.work import sweep, watch
from doorward.work.follow import GROWS_TO_S, SHUT_OUT_S, Follower, Phase, pause_s
from doorward.work.limit import A_MINUTE, Limiter
from doorward.work.reconcile import Reconciler
from doorward.work.watch import Watcher

T = TypeVar("T")
PIN = "7391" + "55"
DAY_MS = 86_400_000


async def moves(world: World) -> list[tuple[str, str, str | None]]:
    """What was said about the door: event type, method, and whose code it was."""
    return [
        (e["event_type"], e["method"], e.get("access_code_id"))
        for e in await world.events()
        if e["event_type"] in ("lock.locked", "lock.unlocked")
    ]


async def count(world: World, event_type: str) -> int:
    return (await world.types()).count(event_type)


async def set_code(world: World) -> str:
    """A code that the device holds; its id."""
    made = await world.call("/access_codes/create", device_id=world.devices[0], code=PIN, name="Guest")
    code_id: str = made["access_code"]["access_code_id"]

    async def is_set() -> bool:
        return bool((await world.code(code_id))["status"] == "set")

    await world.eventually(is_set)
    await world.pass_time(6)
    return code_id


async def bookmark(world: World) -> str | None:
    return await bookmarks.get(world.core.db.read, world.workspace.workspace_id, world.devices[0], "log")


async def out_of_reach(world: World) -> Any:
    """The intercom, which goes on without anybody listening."""
    unit = await world.watched()
    await world.pass_time(6)
    unit.faults.arm("refuse")
    provider: Any = world.core.providers["my_2n"]
    provider.twins._alive[world.workspace.workspace_id, unit.serial].wire.drop()
    await world.eventually(lambda: count(world, "device.disconnected"))
    return unit


async def delete(world: World) -> None:
    (account,) = (await world.call("/connected_accounts/list"))["connected_accounts"]
    await world.call("/connected_accounts/delete", connected_account_id=account["connected_account_id"])


async def log_of(world: World, **body: Any) -> Any:
    return await world.call("/devices/doorward/list_device_log", device_id=world.devices[0], **body)


async def warnings(world: World) -> list[str]:
    return sorted(w["warning_code"] for w in (await world.device())["warnings"])


# ---------------------------------------------------------------- restarts


async def test_what_happened_while_the_server_was_away_is_told_once_by_the_next(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await set_code(world)
        unit.ring()
        await world.eventually(lambda: count(world, "device.doorbell_rang"))
        unit = await out_of_reach(world)
        pressed_at = world.clock.now()
        unit.press_keys(f"{PIN}*")
        unit.ring()
        assert await moves(world) == []
        known, clock = world.devices, world.clock
    await clock.advance(600)
    for _ in range(2):
        async with serving(tmp_path, database_url, clock) as world:
            world.devices = known
            await world.watched()
            await world.eventually(lambda: moves(world))
            await world.pass_time(6)
            assert await moves(world) == [("lock.unlocked", "keycode", code_id)]
            assert await count(world, "device.doorbell_rang") == 2
            told = next(e for e in await world.events() if e["event_type"] == "lock.unlocked")
            assert told["access_code_is_managed"] is True
            assert abs(parse(told["occurred_at"]) - pressed_at) <= 1000
            assert (await world.device())["properties"]["locked"] is False


async def test_an_old_movement_is_told_but_the_state_is_the_fresh_one(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await out_of_reach(world)
        unit.switches[1].act("on", unit.steady())
        unit.switches[1].act("off", unit.steady())
        while unit.log.events[-1].name != "SwitchStateChanged":
            unit.log.events.pop()
        unit.log.events.pop()  # the device forgot that it locked again
        known, clock = world.devices, world.clock
        unit.changed()
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = known
        await world.watched()
        await world.eventually(lambda: moves(world))
        await world.pass_time(3)
        assert await moves(world) == [("lock.unlocked", "remote", None), ("lock.locked", "unknown", None)]
        assert (await world.device())["properties"]["locked"] is True


async def test_a_command_of_the_server_before_is_not_told_again(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        await world.pass_time(6)
        before = await bookmark(world)
        assert before is not None
        await world.call("/locks/unlock_door", device_id=world.devices[0])
        await world.call("/locks/lock_door", device_id=world.devices[0])
        await world.pass_time(2)
        told = await moves(world)
        assert [one[0] for one in told] == ["lock.unlocked", "lock.locked"]
        # As a crash would leave it: the bookmark is older than what was done.
        follower_of(world).bookmark.value = before
        known, clock = world.devices, world.clock
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = known
        assert await bookmark(world) == before
        unit = await world.watched()
        await world.pass_time(6)
        assert "SwitchStateChanged" in [event.name for event in unit.log.events]
        assert await bookmark(world) != before
        assert await moves(world) == told


async def test_everybody_who_comes_through_an_open_door_is_told_of_once(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await set_code(world)
        mine = ("lock.unlocked", "keycode", code_id)
        unit.switches[1].configure(SwitchConfig(duration=30), unit.steady())
        unit.report("ConfigurationChanged", {})
        await world.pass_time(2)
        before = await bookmark(world)
        for _ in range(2):  # the second one while the pulse of the first one lasts
            unit.press_keys(f"{PIN}*")
            await world.pass_time(2)
        assert await moves(world) == [mine, mine]
        await world.pass_time(40)
        told = [mine, mine, ("lock.locked", "automatic", None)]
        assert await moves(world) == told
        unit.switches[1].act("hold", unit.steady())
        unit.changed()
        await world.pass_time(2)
        told.append(("lock.unlocked", "remote", None))
        unit.press_keys(f"{PIN}*")
        await world.settle(0.05)  # its entry is read, and held back in case that the switch moves
        assert await moves(world) == told
        known, clock = world.devices, world.clock
    for _ in range(2):
        async with serving(tmp_path, database_url, clock) as world:
            world.devices = known
            unit = await world.watched()
            await world.pass_time(6)
            assert await moves(world) == [*told, mine]
            assert (await world.device())["properties"]["locked"] is False
            # As a crash would leave it: nothing of all this was read.
            follower_of(world).bookmark.value = before
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = known
        unit = await world.watched()
        await world.pass_time(6)
        for _ in range(3):
            unit.press_keys(f"{PIN}*")
        await world.pass_time(3)
        assert await moves(world) == [*told, *[mine] * 4]


async def test_a_switch_that_moves_late_is_no_second_entry(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        core, workspace_id, device_id = world.core, world.workspace.workspace_id, world.devices[0]
        now = world.clock.now()
        for happened_ in (
            LetIn("b:1:entry", now, "keycode"),
            LockMoved("b:2", now, locked=False, method="keycode", entry="b:1:entry"),
            LetIn("b:1:entry", now, "keycode"),
        ):
            await core.db.write(happened.apply, core, workspace_id, device_id, happened_)
        assert await moves(world) == [("lock.unlocked", "keycode", None)]
        assert (await world.device())["properties"]["locked"] is False


async def test_a_refused_login_is_told_in_the_words_that_seam_has(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        core, about = world.core, (world.core, world.workspace.workspace_id, world.devices[0])
        await core.db.write(rules.trouble, *about, NotAuthorized())
        (lost,) = await world.events(event_type="device.disconnected")
        assert lost["error_code"] == "device_disconnected"
        assert [one["error_code"] for one in lost["device_errors"]] == ["missing_device_credentials"]


def at_work(kind: type[T]) -> list[T]:
    """Those of this kind that run."""
    frames = [getattr(task.get_coro(), "cr_frame", None) for task in asyncio.all_tasks()]
    found = [frame.f_locals.get("self") for frame in frames if frame is not None]
    return [one for one in found if isinstance(one, kind)]


def follower_of(world: World, number: int = 0) -> Follower:
    """The one that follows a device."""
    key = (world.workspace.workspace_id, world.devices[number])
    return next(one for one in at_work(Follower) if one.key == key)


async def online(world: World) -> bool:
    return bool((await world.device())["properties"]["online"])


async def test_the_bookmark_is_written_now_and_then_and_at_the_end(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        await world.pass_time(30)
        first, follower = await bookmark(world), follower_of(world)
        assert first is not None
        for _ in range(5):
            unit.ring()
        # Read and taken, and still not written.
        await until(lambda: follower.bookmark.value != first)
        assert await count(world, "device.doorbell_rang") == 5
        assert await bookmark(world) == first
        await world.pass_time(6)

        async def is_written() -> bool:
            return await bookmark(world) == follower.bookmark.value

        await world.eventually(is_written)
        second = follower.bookmark.value
        unit.ring()
        await until(lambda: follower.bookmark.value != second)
        assert await bookmark(world) == second
        known, clock, last = world.devices, world.clock, follower.bookmark.value
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = known
        assert await bookmark(world) == last, "written at the end"
        await delete(world)
        await world.pass_time(12)
        assert await bookmark(world) is None


async def test_what_is_too_old_is_not_told(tmp_path: Path, database_url: str | None) -> None:
    assert happened.OLDEST_MS < sweep.REMEMBER_EVENTS_MS, "else a repeat would not be known any more"
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        about = (world.core, world.workspace.workspace_id, world.devices[0])
        for days in (9, 7):
            old = LockMoved(f"x:{days}", world.clock.now() - days * DAY_MS, locked=False, method="keycode")
            await world.core.db.write(happened.apply, *about, old, is_past=True)
        assert await moves(world) == [("lock.unlocked", "keycode", None)]


# ---------------------------------------------------------------- alarms and notes


async def test_a_forced_door_stands_as_a_warning_until_it_is_closed(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        contact = unit.door.config.contact or ""
        unit.set_input(contact, True)

        async def forced() -> bool:
            return await warnings(world) == ["doorward_door_forced_open"]

        await world.eventually(forced)
        device = await world.device()
        assert device["properties"]["door_open"] is True
        assert device["warnings"][0]["message"].endswith(".")
        await world.pass_time(unit.door.config.open_too_long_s + 5, step=5)
        assert await warnings(world) == ["doorward_door_forced_open", "doorward_door_held_open"]
        unit.set_input(contact, False)

        async def gone() -> bool:
            return await warnings(world) == []

        await world.eventually(gone)
        assert (await world.device())["properties"]["door_open"] is False

        async def told() -> bool:
            names = [entry["name"] for entry in (await log_of(world))["device_log"]]
            return names.count("UnauthorizedDoorOpen") == 2 and names.count("DoorStateChanged") == 2

        await world.eventually(told)


async def test_a_reboot_ends_alarms(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.set_input(unit.door.config.contact or "", True)
        await world.eventually(lambda: warnings(world))
        unit.restart(outage_s=5)
        await world.pass_time(20)

        async def back() -> bool:
            return await online(world) and await warnings(world) == []

        await world.eventually(back)
        assert "DeviceState" in [entry["name"] for entry in (await log_of(world))["device_log"]]


async def test_what_a_device_noted_is_listed_in_pages_for_its_own_workspace(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.press_keys("1234567*")
        for number in range(5):
            unit.report("LoginBlocked", {"address": f"10.0.0.{number}", "password": "x"})

        async def all_there() -> bool:
            return [e["name"] for e in (await log_of(world))["device_log"]].count("LoginBlocked") == 5

        await world.eventually(all_there)
        everything = (await log_of(world))["device_log"]
        assert everything[0]["device_id"] == world.devices[0]
        assert [e["occurred_at"] for e in everything] == sorted((e["occurred_at"] for e in everything), reverse=True)
        assert "1234567" not in msgspec.json.encode(everything).decode()
        assert {"address": "10.0.0.3"} in [e["data"] for e in everything]
        found: list[Any] = []
        page = await log_of(world, limit=2)
        while page["pagination"]["has_next_page"]:
            found += page["device_log"]
            page = await log_of(world, limit=2, page_cursor=page["pagination"]["next_page_cursor"])
        assert found + page["device_log"] == everything
        query = {"device_id": world.devices[0], "limit": 1}
        by_get = await world.raw("/devices/doorward/list_device_log", method="GET", query=query)
        assert by_get.json["device_log"] == everything[:1]
        other = await new_workspace(world, "Other")
        about = {"device_id": world.devices[0]}
        await other.fail("/devices/doorward/list_device_log", 404, "device_not_found", **about)
        reply = await world.raw("/devices/doorward/list_device_log", about, key="")
        assert reply.status == 401


async def test_notes_are_bounded_in_number_and_age(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = (world.core, world.workspace.workspace_id, world.devices[0])
        now = world.clock.now()
        for number in range(device_log.MOST + 20):
            note = Noted(f"x:{number}", now - number * 1000, "InputChanged", {"port": "input1", "state": True})
            await world.core.db.write(happened.apply, *about, note)
        where = Where()
        where.add("device_id = {} AND name = {}", world.devices[0], "InputChanged")
        kept = await device_log.newest(world.core.db.read, where, 5000)
        assert len(kept) == device_log.MOST
        assert kept[0].occurred_at == now
        await world.core.db.write(device_log.forget, now - 10_000)
        where = Where()
        where.add("device_id = {} AND name = {}", world.devices[0], "InputChanged")
        assert len(await device_log.newest(world.core.db.read, where, 5000)) == 11
        await delete(world)
        where = Where()
        where.add("device_id = {}", world.devices[0])
        assert await device_log.newest(world.core.db.read, where, 10) == []


async def test_a_child_at_the_keypad_floods_nothing(tmp_path: Path, database_url: str | None) -> None:
    most = A_MINUTE[AccessDenied][0]
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        for session in range(1000, 1000 + 3 * most):
            entry = {"ap": 0, "session": session, "code": "1", "type": "user", "uuid": "", "valid": False}
            unit.report("CodeEntered", entry)
            unit.report("UserRejected", {"ap": 0, "session": session, "uuid": "", "reason": "invalidCredential"})
        await world.pass_time(75, step=5)
        assert await count(world, "lock.access_denied") == most
        noted = [e for e in (await log_of(world))["device_log"] if e["name"] == "AccessDeniedRepeatedly"]
        assert [e["data"] for e in noted] == [{"count": 2 * most}]
        unit.press_keys("999999*")

        async def one_more() -> bool:
            return await count(world, "lock.access_denied") == most + 1

        await world.eventually(one_more)


def test_a_device_that_remembers_an_hour_of_refusals_is_no_flood() -> None:
    limiter = Limiter()
    told = [limiter.sift(AccessDenied(f"x:{n}", n * 30_000, "timeout")) for n in range(120)]
    assert all(len(one) == 1 for one in told)
    assert limiter.over(120 * 30_000 + 60_000) == []


# ---------------------------------------------------------------- reconnecting


async def test_a_wrong_login_is_not_tried_again_and_again_and_a_new_one_at_once(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.put_account(Account("jane", "changed"))
        unit.requests.clear()
        await world.pass_time(590, step=10)
        refused = [r for r in unit.requests if r["status"] == 401]
        assert 2 <= len(refused) <= 9, "a challenge and two answers each"
        assert not [r for r in refused if "unsubscribe" in r["path"]]
        assert follower_of(world).phase is Phase.SHUT_OUT
        assert "LoginBlocked" not in [event.name for event in unit.log.events]
        assert [e["error_code"] for e in (await world.device())["errors"]] == ["missing_device_credentials"]
        unit.put_account(Account("jane", "1234"))
        await world.pass_time(3 * SHUT_OUT_S, step=30)
        assert await online(world)
        assert follower_of(world).phase is Phase.WATCHING


async def test_another_login_ends_the_pause_at_once_and_only_its_own(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        units = [await world.watched(0), await world.watched(1)]
        began = world.clock.now()
        for unit in units:
            unit.put_account(Account("jane", "changed"))
        await world.pass_time(60, step=5)
        assert not await online(world)
        row = await device_store.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
        assert row is not None
        login = world.core.vault.open_json(row.secret_sealed or "", rules.LOGIN)
        sealed = world.core.vault.seal_json({**login, "password": "changed"}, rules.LOGIN)

        async def log_in_again(tx: Tx) -> None:
            await device_store.change(tx, row, secret_sealed=sealed)

        await world.core.db.write(log_in_again)
        units[1].requests.clear()
        world.core.wake.ring(LINKS)
        await world.eventually(lambda: online(world), step=0.01)
        await until(lambda: follower_of(world).phase is Phase.WATCHING)
        # Its login is still the old one: over the account's new link, too, it is known to be wrong.
        assert follower_of(world, 1).phase is Phase.SHUT_OUT
        assert not units[1].requests
        for unit in units:
            unit.put_account(Account("jane", "1234"))
        await world.connect(count=2)
        await world.eventually(lambda: follower_of(world, 1).phase is Phase.WATCHING, step=0.01)
        assert world.clock.now() - began < 65_000, "somebody logged in again: the same login is good by now"


async def test_a_device_that_comes_and_goes_is_asked_less_and_less(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        follower, came = follower_of(world), 0
        for _ in range(300):
            if follower.phase is Phase.WATCHING:
                came += 1
                unit.faults.clear()
                unit.faults.arm("reply-lost", path="log/pull", times=3)
                unit.ring()
                await until(lambda: follower.phase is not Phase.WATCHING)
            await world.pass_time(1)
        assert 5 <= came <= 40


async def test_watching_is_polite(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        await world.pass_time(60, step=5)
        unit.requests.clear()
        await world.pass_time(1200, step=10)
        paths = Counter(r["path"] for r in unit.requests)
        challenged = sum(1 for r in unit.requests if r["status"] == 401)
        assert paths["/api/log/pull"] <= 1200 / 20 + challenged + 5
        assert challenged <= 3 * (1200 / unit.quirks.nonce_lifetime_s + 1), "a nonce serves for many requests"
        assert sum(paths.values()) - paths["/api/log/pull"] <= 20, paths
        assert len(unit.log._channels) == 1


def test_devices_that_were_lost_together_come_back_apart() -> None:
    jitter = random.Random(7).uniform
    for tries in (0, 3, 6, 60):
        back = [pause_s(Phase.WAITING, tries, jitter) for _ in range(1000)]
        widest = min(GROWS_TO_S, 2.0**tries)
        assert max(back) <= widest + 0.5
        assert min(back) >= 0.5
        tenths = Counter(int((one - 0.5) / widest * 10) for one in back)
        assert max(tenths.values()) < 150, "spread over the whole time"
    assert min(pause_s(Phase.SHUT_OUT, 0, jitter) for _ in range(100)) >= SHUT_OUT_S


async def test_phases_follow_the_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        assert follower_of(world).phase is Phase.WATCHING
        unit = await out_of_reach(world)
        assert follower_of(world).phase in (Phase.WAITING, Phase.CONNECTING, Phase.SUBSCRIBING)
        unit.faults.clear()
        await world.eventually(lambda: follower_of(world).phase is Phase.WATCHING, step=1)
        assert await count(world, "device.disconnected") == 1


# ---------------------------------------------------------------- many devices


def asked(unit: Any, path: str) -> int:
    return sum(path in r["path"] for r in unit.requests)


async def test_a_server_that_stops_closes_its_channels(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        units = [await world.watched(number) for number in range(3)]
    assert [asked(unit, "log/unsubscribe") for unit in units] == [1, 1, 1]
    assert not any(unit.log._channels for unit in units)


async def test_a_server_without_time_to_close_its_channels_loses_nothing(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LEAVE_S", 0.0)
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        units = [await world.watched(number) for number in range(3)]
        units[0].ring()
        await world.eventually(lambda: count(world, "device.doorbell_rang"))
        for unit in units:
            unit.requests.clear()
        known, clock = world.devices, world.clock
    assert not any(asked(unit, "log/unsubscribe") for unit in units)
    assert all(unit.log._channels for unit in units), "they run out by themselves"
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = known
        for number in range(3):
            await world.watched(number)
        await world.pass_time(6)
        assert await count(world, "device.disconnected") == 0, "it was not the devices' fault"
        assert await count(world, "device.doorbell_rang") == 1


async def test_devices_that_keep_the_line_open_do_not_hold_up_the_end(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LEAVE_S", 0.2)
    monkeypatch.setattr(watch, "LEAVE_AT_ONCE", 1)
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        units = [await world.watched(number) for number in range(3)]
        for unit in units:
            unit.faults.arm("half-open", path="log/unsubscribe")
            unit.requests.clear()
        began = time.monotonic()
    assert time.monotonic() - began < 1.5, "less than one device would take"
    assert sum(asked(unit, "log/unsubscribe") for unit in units) == 1


async def test_every_device_is_found_however_many_are_looked_at_in_one_go(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PART", 1)
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        units = [await world.watched(number) for number in range(3)]
        await delete(world)
        await until(lambda: not any(unit.log._channels for unit in units))
        await world.connect(count=2)
        again = [await world.watched(number) for number in range(2)]
        assert {unit.serial for unit in again} < {unit.serial for unit in units}
        assert not units[2].log._channels


async def test_nothing_is_kept_in_memory_of_devices_that_are_gone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=3)
        for number in range(3):
            await world.watched(number)
        await set_code(world)
        for device_id in world.devices:
            await world.call("/locks/unlock_door", device_id=device_id)
        (reconciler,), (watcher,) = at_work(Reconciler), at_work(Watcher)
        provider: Any = world.core.providers["my_2n"]
        commander, links, directory = watcher._commander, watcher._links, reconciler._directory

        def kept() -> dict[str, int]:
            gc.collect()
            return {
                "turns": len(reconciler._turns),
                "writes": len(reconciler._wrote_at),
                "gone": len(reconciler._gone),
                "directories": len(directory._devices),
                "echoes": len(commander._echoes),
                "lanes": len(commander._lanes),
                "followers": len(watcher.followers),
                "watches": len(watcher._tasks) + len(watcher._over) + len(watcher._leaving),
                "stirred": len(watcher._crew.stirred),
                "links": len(links._open) + len(links._fresh),
                "standings": len(provider._standings._known),
            }

        await until(lambda: kept()["directories"] == kept()["turns"] == kept()["standings"] == 3)
        assert kept()["writes"] == 1
        await delete(world)
        await world.eventually(lambda: not any(kept().values()))
        assert kept()["turns"] == 0


async def test_a_device_that_goes_while_its_directory_is_read_leaves_nothing_behind(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        await set_code(world)
        (reconciler,) = at_work(Reconciler)
        unit.faults.arm("slow", path="dir/", seconds=4)
        unit.requests.clear()
        unit.directory.create([{"uuid": "4c2f8f5a-0000-4000-8000-000000000001", "name": "New"}], force=True)
        unit.report("DirectoryChanged", {"series": unit.directory.series, "timestamp": 1})
        await world.eventually(lambda: asked(unit, "dir/query"), step=0.1)
        assert reconciler._turns[world.devices[0]].locked()
        await delete(world)
        await until(lambda: at_work(Follower) == [])
        await world.eventually(lambda: not reconciler._busy)
        assert (len(reconciler._turns), len(reconciler._directory._devices), len(reconciler._gone)) == (0, 0, 0)
