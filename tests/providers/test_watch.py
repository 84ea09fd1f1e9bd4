"""Watching a 2N intercom: what is told, in which order, and what a bad line does to it."""

import asyncio
from typing import Any

import pytest

from doorward.providers.errors import NotAuthorized, Offline, Refused
from doorward.providers.events import (
    AccessDenied,
    Alarm,
    AlarmChanged,
    AlarmsForgotten,
    CodesChanged,
    DoorbellRang,
    DoorMoved,
    LetIn,
    LockMoved,
    Noted,
    StateRead,
    Tampered,
)
from doorward.providers.my_2n.emulator import Account, Privilege, Quirks, Service, ServiceSettings, SwitchConfig

from .world import GUEST, MONOSTABLE, OTHER, World, code, pulling, until, watching, world


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


@pytest.mark.parametrize("is_held", [True, False])
async def test_pin_at_an_open_door_names_the_code(is_held: bool) -> None:
    async with world(switch=MONOSTABLE) as w:
        await w.link.set_code(w.device, code("040718"))
        async with watching(w) as watch:
            await watch.state()
            w.unit.switches[1].act("hold" if is_held else "on", w.unit.steady())
            assert isinstance(await watch.next(), LockMoved)
            w.unit.press_keys("040718*")

            async def a_second_later() -> Any:
                await until(lambda: pulling(w.unit) and w.requests("log/pull")[-1][2].endswith("timeout=1"))
                await w.clock.advance(1)

            let_in, _ = await asyncio.gather(watch.next(), a_second_later())
            assert isinstance(let_in, LetIn)
            assert (let_in.method, let_in.code_ref) == ("keycode", GUEST)


async def test_entry_that_was_held_back_is_not_lost_with_its_watcher() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code("040718"))
        w.unit.switches[1].act("hold", w.unit.steady())
        await w.clock.advance(60)
        async with watching(w) as watch:
            await watch.state()
            w.unit.press_keys("040718*")
            going = asyncio.ensure_future(watch.next())
            await until(lambda: pulling(w.unit) and w.requests("log/pull")[-1][2].endswith("timeout=1"))
            w.unit.faults.arm("refuse")
            w.drop()
            with pytest.raises(Offline):
                await going
        w.unit.faults.clear()
        async with watching(w) as watch:
            assert isinstance(await watch.next(), LetIn)
            await watch.state()


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


async def test_refusal_that_was_held_back_is_not_lost_with_its_watcher() -> None:
    async with world(quirks=Quirks(unknown_code_rejects=False)) as w:
        await w.clock.advance(60)
        async with watching(w) as watch:
            await watch.state()
            w.unit.press_keys("999999*")
            going = asyncio.ensure_future(watch.next())
            # The entry was read and is held back for its reason; then the line breaks for good.
            await until(lambda: len(w.requests("log/pull")) == 3 and pulling(w.unit))
            w.unit.faults.arm("refuse")
            w.drop()
            with pytest.raises(Offline):
                await going
        w.unit.faults.clear()
        w.unit.requests.clear()
        async with watching(w) as watch:
            # It comes again, is held back while the state is read, and has no reason of its own.
            assert isinstance(await watch.next(), AccessDenied)
            await watch.state()


async def test_card_at_the_door_names_its_user() -> None:
    async with world() as w:
        w.put_user(OTHER, name="Cleaner", access={"card": ["0A1B2C3D"]})
        async with watching(w) as watch:
            await watch.state()
            w.unit.swipe("0a1b2c3d")
            moved = await watch.next()
            assert isinstance(moved, LockMoved)
            assert (moved.locked, moved.method, moved.code_ref) == (False, "card", OTHER)
            w.unit.swipe("ffffffff")
            denied = await watch.next()
            assert isinstance(denied, AccessDenied)
            assert denied.code_ref is None


async def test_switch_moved_by_somebody_elses_client_is_remote() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        other = w.client()
        await other.switch_ctrl(1, "on")
        moved = await watch.next()
        assert isinstance(moved, LockMoved)
        assert (moved.locked, moved.method, moved.code_ref) == (False, "remote", None)
        await other.close()


async def test_no_pin_is_in_anything_a_watcher_tells() -> None:
    mine, wrong, expired = "7391" + "55", "6402" + "88", "5513" + "77"
    async with world(switch=MONOSTABLE) as w:
        await w.link.set_code(w.device, code(mine))
        await w.link.set_code(w.device, code(expired, ref=OTHER, ends_at=w.clock.now() - 60_000))
        async with watching(w) as watch:
            told = [repr(await watch.state())]
            for entered in (mine, wrong, expired):
                w.unit.press_keys(f"{entered}*")
                told.append(repr(await watch.next()))
            w.unit.ring(9)
            told.append(repr(await watch.next()))
        assert len(told) == 5
        assert not [pin for pin in (mine, wrong, expired) if pin in "".join(told)]


async def test_doors_bells_and_tampering() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        w.unit.set_input(w.unit.door.config.contact or "", True)
        opened = await watch.next()
        assert isinstance(opened, DoorMoved) and opened.is_open
        forced = await watch.next()
        assert isinstance(forced, AlarmChanged) and (forced.alarm, forced.is_on) == (Alarm.DOOR_FORCED, True)
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
        assert fresh.report.metadata["door_switch_mode"] == "monostable"
        w.unit.configure_switch(1, SwitchConfig(enabled=False))
        while not isinstance(await watch.next(), StateRead):
            pass
        with pytest.raises(Refused, match="is disabled on the device"):
            await w.link.unlock(w.device, 5.0)


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


async def test_channel_that_ran_out_while_its_reader_was_busy_is_opened_again_and_nothing_is_missed() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        w.unit.ring(1)
        keys = [(await watch.next()).key]
        await w.clock.advance(400)
        for number in (2, 3):
            w.unit.ring(number)
        for button in ("2", "3"):
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == button
            keys.append(rang.key)
        assert isinstance(await watch.next(), StateRead)
        assert len(set(keys)) == 3
        assert len(w.requests("log/subscribe")) == 2
        assert len(w.unit.log._channels) == 1


async def test_settings_that_changed_in_a_gap_are_seen_after_it() -> None:
    async with world(quirks=Quirks(history=20)) as w, watching(w) as watch:
        await watch.state()
        w.unit.configure_switch(1, MONOSTABLE)
        w.unit.log._channels.clear()
        for _ in range(20):
            w.unit.ring()  # pushes the news out of the history
        fresh = await watch.next()
        while not isinstance(fresh, StateRead):
            fresh = await watch.next()
        assert fresh.report.metadata["door_switch_mode"] == "monostable"


async def test_two_watchers_of_a_device_both_hear_everything() -> None:
    async with world() as w, watching(w) as one, watching(w) as other:
        await w.clock.advance(60)
        await one.state()
        await other.state()
        for number in (1, 2):
            w.unit.ring(number)
            rang = await one.next()
            assert isinstance(rang, DoorbellRang) and rang.button == str(number)
            assert (await other.next()).key == rang.key


@pytest.mark.parametrize("wire", ["in-process", "socket"])
async def test_closing_the_link_ends_its_watchers(wire: str) -> None:
    async with world(wire) as w, watching(w) as watch:
        await watch.state()
        going = asyncio.ensure_future(watch.next())
        await settled(w)
        await w.link.close()
        with pytest.raises(Offline):
            await going


@pytest.mark.parametrize("wire", ["in-process", "socket", "tls"])
async def test_power_cut_ends_the_watch_and_a_new_one_works(wire: str) -> None:
    async with world(wire) as w:
        async with watching(w) as watch:
            await watch.state()
            going = asyncio.ensure_future(watch.next())
            await settled(w)
            cut = asyncio.ensure_future(w.unit.power_cut(30))
            with pytest.raises(Offline):
                await going
        await until(lambda: w.unit.is_off)
        await w.clock.advance(31)
        await cut
        await w.unit.power.settled()
        async with watching(w) as watch:
            assert isinstance(await watch.any(), AlarmsForgotten)
            started = await watch.any()
            assert isinstance(started, Noted) and (started.name, started.data) == ("DeviceState", {"state": "startup"})
            await watch.state()
            w.unit.ring(5)
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "5"


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
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "4"
            after = await watch.state()
            assert after.key.partition(":")[0] != before.key.partition(":")[0]


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
            # What its reader had in hand when it stopped comes once more, under the same key.
            assert (await watch.next()).key == last.key
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "2"
            assert rang.occurred_at // 1000 == (w.clock.now() - 30_000) // 1000
            await watch.state()


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

            # Nobody tells of changed settings either, so they are asked for too.
            w.unit.configure_switch(1, SwitchConfig(enabled=False))
            going = asyncio.ensure_future(watch.state())
            await asyncio.sleep(0)
            await w.clock.advance(60)
            assert (await going).report.locked is None


async def test_account_without_privileges_for_events_still_gets_reports() -> None:
    privileges = frozenset({Privilege.SWITCH_CONTROL, Privilege.SYSTEM_CONTROL})
    async with world(privileges=privileges) as w, watching(w) as watch:
        await watch.state()
        await w.link.set_code(w.device, code())
        assert isinstance(await watch.next(), CodesChanged)
