"""Watching a 2N intercom: what is told, in which order, and what a bad line does to it."""

import asyncio
from typing import Any

import pytest

from doorward.providers.base import (
    AccessDenied,
    CodesChanged,
    DoorbellRang,
    DoorMoved,
    LockMoved,
    NotAuthorized,
    Offline,
    StateRead,
    Tampered,
)
from doorward.providers.my_2n.emulator import Account, Privilege, Quirks, Service, ServiceSettings

from .world import GUEST, MONOSTABLE, World, code, pulling, until, watching, world


async def settled(w: World) -> None:
    await until(lambda: pulling(w.unit))


@pytest.mark.parametrize("wire", ["in-process", "socket", "tls"])
async def test_door_is_followed_from_the_first_report_on(wire: str) -> None:
    async with world(wire, switch=MONOSTABLE) as w, watching(w) as watch:
        first = await watch.state()
        assert first.report.locked is True
        await w.link.unlock(w.device, 5.0)
        moved = await watch.next()
        assert isinstance(moved, LockMoved)
        assert (moved.locked, moved.method, moved.occurred_at) == (False, "remote", w.clock.now())
        assert moved.key.startswith(f"{w.unit.boot_uuid}:")
        await w.clock.advance(5)
        moved = await watch.next()
        assert isinstance(moved, LockMoved)
        assert (moved.locked, moved.method) == (True, "automatic")


async def test_it_subscribes_before_it_reads_so_that_nothing_falls_between() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        paths = [path for _, path, _ in w.requests()]
        assert paths.index("/api/log/subscribe") < paths.index("/api/switch/status")
        w.unit.switches[1].act("on", w.unit.steady())
        assert isinstance(await watch.next(), LockMoved)


async def test_pin_at_the_door_names_the_code() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code("040718"))
        async with watching(w) as watch:
            await watch.state()
            w.unit.press_keys("040718*")
            moved = await watch.next()
            assert isinstance(moved, LockMoved)
            assert (moved.locked, moved.method, moved.code_ref) == (False, "keycode", GUEST)
            w.unit.press_keys("999999*")
            denied = await watch.next()
            assert isinstance(denied, AccessDenied)
            assert denied.reason == "invalidCredential"
            assert "999999" not in repr(denied)


async def test_expired_pin_is_denied_with_its_reason_and_owner() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code("040718", ends_at=w.clock.now() - 60_000))
        async with watching(w) as watch:
            await watch.state()
            w.unit.press_keys("040718*")
            denied = await watch.next()
            assert isinstance(denied, AccessDenied)
            assert (denied.reason, denied.code_ref) == ("invalidTime", GUEST)


async def test_firmware_without_rejections_is_denied_once_all_the_same() -> None:
    async with world(quirks=Quirks(unknown_code_rejects=False)) as w, watching(w) as watch:
        await watch.state()
        w.unit.press_keys("999999*")
        going = asyncio.ensure_future(watch.next())
        await settled(w)

        async def later() -> Any:
            await until(lambda: len(w.requests("log/pull")) >= 2 and pulling(w.unit))
            await w.clock.advance(1)

        denied, _ = await asyncio.gather(going, later())
        assert isinstance(denied, AccessDenied)


async def test_doors_bells_and_tampering() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        w.unit.set_input(w.unit.door.config.contact or "", True)
        opened = await watch.next()
        assert isinstance(opened, DoorMoved) and opened.is_open
        assert (await w.link.read_device(w.device)).door_open is True
        w.unit.ring(3)
        rang = await watch.next()
        assert isinstance(rang, DoorbellRang) and rang.button == "3"
        w.unit.set_input("tamper", True)
        assert isinstance(await watch.next(), Tampered)


async def test_edited_directory_is_told() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        await w.link.set_code(w.device, code())
        assert isinstance(await watch.next(), CodesChanged)


async def test_changed_settings_bring_a_fresh_report_and_are_minded_by_the_next_unlock() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        await w.link.unlock(w.device, 5.0)
        assert isinstance(await watch.next(), LockMoved)
        w.unit.configure_switch(1, MONOSTABLE)
        fresh = await watch.next()
        while not isinstance(fresh, StateRead):
            fresh = await watch.next()
        assert fresh.report.locked is True
        await w.link.unlock(w.device, 5.0)
        assert w.requests("switch/ctrl")[-1][2] == "switch=1&action=trigger"


async def test_watched_link_keeps_its_settings_for_as_long_as_it_is_told_of_changes() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        await w.clock.advance(250)
        w.unit.requests.clear()
        await w.link.unlock(w.device, 5.0)
        assert [r for r in w.requests() if "log" not in r[1]] == [("POST", "/api/switch/ctrl", "switch=1&action=on")]


async def test_closing_gives_the_channel_back() -> None:
    async with world() as w:
        async with watching(w) as watch:
            await watch.state()
            assert len(w.unit.log._channels) == 1
        assert not w.unit.log._channels
        assert w.requests("unsubscribe")


async def test_many_events_at_once_all_arrive() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        for _ in range(300):
            w.unit.ring()
        rung = [await watch.next() for _ in range(300)]
        assert len({event.key for event in rung}) == 300


# ---------------------------------------------------------------- gaps


async def test_lost_channel_is_opened_again_and_nothing_is_told_twice_or_missed() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        w.unit.ring(1)
        first = await watch.next()
        w.unit.log._channels.clear()
        w.unit.ring(2)
        second = await watch.next()
        assert isinstance(second, DoorbellRang) and second.button == "2"
        assert second.key != first.key
        assert isinstance(await watch.next(), StateRead)
        assert w.requests("subscribe")[-1][2].startswith("include=-")


@pytest.mark.parametrize("loses", [True, False])
async def test_event_whose_reply_was_lost_comes_again(loses: bool) -> None:
    async with world(quirks=Quirks(lost_pull_loses_events=loses)) as w, watching(w) as watch:
        await watch.state()
        w.unit.ring(1)
        await watch.next()
        w.unit.faults.arm("reply-lost", path="log/pull", times=1)
        w.unit.ring(2)
        rang = await watch.next()
        assert isinstance(rang, DoorbellRang) and rang.button == "2"
        assert isinstance(await watch.next(), StateRead)
        w.unit.ring(3)
        rang = await watch.next()
        assert isinstance(rang, DoorbellRang) and rang.button == "3"


async def test_line_that_keeps_breaking_is_offline() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        w.unit.faults.arm("reply-lost", path="log/pull")
        w.unit.ring()
        with pytest.raises(Offline):
            await watch.next()


async def test_device_that_restarts_ends_the_watch_and_the_next_one_tells_what_was_missed() -> None:
    async with world("socket") as w:
        async with watching(w) as watch:
            before = await watch.state()
            w.unit.restart(outage_s=30)
            going = asyncio.ensure_future(watch.next())
            await settled(w)
            await w.clock.advance(1)
            with pytest.raises(Offline):
                await going
        await w.clock.advance(60)
        await w.unit.power.settled()
        w.unit.ring(4)
        async with watching(w) as watch:
            after = await watch.state()
            assert after.key.partition(":")[0] != before.key.partition(":")[0]
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "4"
            # The backlog tells of the start too, and brings one more report.
            assert isinstance(await watch.next(), StateRead)


async def test_watcher_that_starts_again_goes_on_where_the_last_one_stopped() -> None:
    async with world() as w:
        async with watching(w) as watch:
            await watch.state()
            w.unit.ring(1)
            last = await watch.next()
        await w.clock.advance(30)
        w.unit.ring(2)
        await w.clock.advance(30)
        async with watching(w) as watch:
            await watch.state()
            # What its reader had in hand when it stopped comes once more, under the same key.
            assert (await watch.next()).key == last.key
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "2"
            assert rang.occurred_at // 1000 == (w.clock.now() - 30_000) // 1000


async def test_first_watch_tells_nothing_of_before() -> None:
    async with world() as w:
        w.unit.ring(1)
        async with watching(w) as watch:
            await watch.state()
            w.unit.ring(2)
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "2"


async def test_clock_that_is_hours_wrong_does_not_date_events() -> None:
    async with world() as w:
        w.unit.time.offset_s = 7200.0
        async with watching(w) as watch:
            await watch.state()
            w.unit.ring()
            assert abs((await watch.next()).occurred_at - w.clock.now()) < 1000


# ---------------------------------------------------------------- logins and services


async def test_changed_password_ends_the_watch() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        w.unit.put_account(Account("jane", "changed"))
        with pytest.raises(NotAuthorized):
            await watch.next()


async def test_device_without_a_log_is_asked_how_it_stands_now_and_then() -> None:
    async with world() as w:
        w.unit.configure_service(Service.LOG, ServiceSettings(enabled=False))
        async with watching(w) as watch:
            assert (await watch.state()).report.locked is True
            await w.link.unlock(w.device, 5.0)

            going = asyncio.ensure_future(watch.state())
            await asyncio.sleep(0)
            await w.clock.advance(60)
            assert (await going).report.locked is False


async def test_account_without_privileges_for_events_still_gets_reports() -> None:
    privileges = frozenset({Privilege.SWITCH_CONTROL, Privilege.SYSTEM_CONTROL})
    async with world(privileges=privileges) as w, watching(w) as watch:
        await watch.state()
        await w.link.set_code(w.device, code())
        assert isinstance(await watch.next(), CodesChanged)
