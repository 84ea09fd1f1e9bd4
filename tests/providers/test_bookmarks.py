"""Going on from a bookmark: after a restart of this server, of the device, of both, and when clocks are wrong."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from doorward.providers.events import (
    AlarmsForgotten,
    Bookmark,
    DeviceEvent,
    DoorbellRang,
    LockMoved,
    Noted,
    StateRead,
)
from doorward.providers.my_2n.client import TwoNClient
from doorward.providers.my_2n.driver import TwoNLink
from doorward.providers.my_2n.emulator import Account, Privilege
from doorward.providers.my_2n.standing import REFUSALS
from doorward.providers.my_2n.watch import BACKFILL_MAX_S

from .world import DEVICE, WORKSPACE, Watching, World, world

NO_STATUS = frozenset(Privilege) - {Privilege.SYSTEM_CONTROL, Privilege.SYSTEM_MONITORING}
DAY_S = 86_400


@contextlib.asynccontextmanager
async def another_server(w: World) -> AsyncIterator[Watching]:
    """A watcher of a process that has just started: all it knows is the bookmark."""

    async def connect(_ref: str, login: Mapping[str, Any]) -> TwoNClient:
        return w.client(login["username"], login["password"])

    link = TwoNLink(WORKSPACE, {DEVICE: w.secret}, connect, w.clock)
    try:
        bookmark = Bookmark(w.bookmark.value)
        async with contextlib.aclosing(link.watch(DEVICE, bookmark)) as events:
            yield Watching(events)
        w.bookmark.value = bookmark.value
    finally:
        await link.close()


async def up_to_the_report(watch: Watching) -> list[DeviceEvent]:
    """What was missed, and the report that follows."""
    told = [await watch.any()]
    while not isinstance(told[-1], StateRead):
        told.append(await watch.any())
    return told


def buttons(told: list[DeviceEvent]) -> list[str]:
    return [event.button for event in told if isinstance(event, DoorbellRang)]


async def watched_up_to(w: World, *rings: int) -> None:
    """A first watch that has taken these rings, and has ended."""
    async with another_server(w) as watch:
        await watch.state()
        for number in rings:
            w.unit.ring(number)
        for number in rings:
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == str(number)
        w.unit.configure_switch(1, w.unit.switches[1].config)  # so that the last ring is taken, too
        await watch.state()


async def test_who_it_is_and_how_late_it_is_are_asked_once_to_begin_a_watch() -> None:
    async with world() as w:
        for _ in range(2):  # from nothing, and from a bookmark
            w.unit.requests.clear()
            await watched_up_to(w)
            answered = [r["path"] for r in w.unit.requests if r["status"] == 200]
            told = answered.index("/api/switch/status")  # the last that a report asks
            begun = answered[: told + 1]
            assert begun.count("/api/system/info") == 1
            assert begun.count("/api/system/status") == 1


async def test_a_report_after_a_change_asks_who_it_is_anew() -> None:
    async with world() as w, another_server(w) as watch:
        assert (await watch.state()).report.name != "New name"
        w.unit.name = "New name"
        w.unit.configure_switch(1, w.unit.switches[1].config)  # the device says that settings changed
        assert (await watch.state()).report.name == "New name"


@pytest.mark.parametrize("away_s", [0, 30, 7200, 3 * DAY_S])
async def test_what_was_missed_is_told_once_by_the_next_server(away_s: int) -> None:
    async with world() as w:
        await watched_up_to(w, 1, 2)
        await w.clock.advance(away_s / 2)
        w.unit.ring(3)
        missed_at = w.clock.now()
        await w.clock.advance(away_s / 2)
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert buttons(told) == ["3"]
            assert not [event for event in told if isinstance(event, AlarmsForgotten)]
            (rang,) = [event for event in told if isinstance(event, DoorbellRang)]
            assert rang.occurred_at // 1000 == missed_at // 1000
        async with another_server(w) as watch:
            assert buttons(await up_to_the_report(watch)) == []


async def test_nothing_is_asked_for_that_is_older_than_a_week() -> None:
    async with world() as w:
        await watched_up_to(w)
        w.unit.ring(3)
        await w.clock.advance(BACKFILL_MAX_S + 60)
        w.unit.ring(4)
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert buttons(told) == ["4"]
            assert [event for event in told if isinstance(event, AlarmsForgotten)], "there is a hole"


async def test_numbers_that_start_again_after_a_boot_are_no_repeats() -> None:
    async with world() as w:
        await watched_up_to(w, *range(1, 8))
        w.unit.ring(8)  # lost: the device keeps its log in memory only
        await w.unit.reboot(outage=0)
        w.unit.ring(9)
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert buttons(told) == ["9"]
            assert isinstance(told[0], AlarmsForgotten)
            assert isinstance(told[1], Noted) and told[1].data == {"state": "startup"}
        async with another_server(w) as watch:
            assert buttons(await up_to_the_report(watch)) == []


@pytest.mark.parametrize("offset_s", [10_800, -10_800, 40 * DAY_S])
@pytest.mark.parametrize("boots", [False, True])
async def test_a_clock_that_is_set_meanwhile_makes_no_gap_and_no_repeats(offset_s: int, boots: bool) -> None:
    async with world() as w:
        await watched_up_to(w, 1)
        await w.clock.advance(60)
        w.unit.ring(2)
        await w.clock.advance(60)
        if boots:
            await w.unit.reboot(outage=0)
            w.unit.ring(2)
        w.unit.time.offset_s = offset_s
        w.unit.ring(3)
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert buttons(told) == ["2", "3"]
            assert all(event.occurred_at <= w.clock.now() for event in told)
        async with another_server(w) as watch:
            assert buttons(await up_to_the_report(watch)) == []


@pytest.mark.parametrize("boots", [False, True])
@pytest.mark.parametrize("privileges", [None, NO_STATUS])
async def test_firmware_that_does_not_name_its_boots(boots: bool, privileges: frozenset[Privilege] | None) -> None:
    async with world(privileges=privileges) as w:
        w.unit.boot_uuid = None  # type: ignore[assignment]
        await w.clock.advance(600)
        await watched_up_to(w, 1, 2, 3)
        await w.clock.advance(400)
        if boots:
            await w.unit.reboot(outage=0)
            w.unit.boot_uuid = None  # type: ignore[assignment]
            await w.clock.advance(5)
        w.unit.ring(4)
        keys = []
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert buttons(told) == ["4"]
            keys += [event.key for event in told]
        await w.clock.advance(DAY_S)
        w.unit.ring(5)
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert buttons(told) == ["5"]
            keys += [event.key for event in told]
        assert len(set(keys)) == len(keys)


async def test_a_report_comes_after_what_was_missed_and_has_the_last_word() -> None:
    async with world() as w:
        await watched_up_to(w)
        w.unit.switches[1].act("on", w.unit.steady())
        w.unit.switches[1].act("off", w.unit.steady())
        # The device forgot that it locked.
        while w.unit.log.events[-1].name != "SwitchStateChanged":
            w.unit.log.events.pop()
        w.unit.log.events.pop()
        async with another_server(w) as watch:
            told = [event for event in await up_to_the_report(watch) if isinstance(event, LockMoved | StateRead)]
            assert [type(event) for event in told] == [LockMoved, StateRead]
            assert isinstance(told[0], LockMoved) and told[0].locked is False
            assert isinstance(told[1], StateRead) and told[1].report.locked is True


async def test_whether_the_door_stands_open_is_known_again() -> None:
    async with world() as w:
        contact = w.unit.door.config.contact or ""
        async with another_server(w) as watch:
            await watch.state()
            w.unit.set_input(contact, True)
            await up_to_the_report_after_settings(w, watch)
        async with another_server(w) as watch:
            assert (await watch.state()).report.door_open is True
        await w.unit.reboot(outage=0)
        async with another_server(w) as watch:
            assert (await watch.state()).report.door_open is None, "it may have moved while the power was off"


async def up_to_the_report_after_settings(w: World, watch: Watching) -> None:
    w.unit.configure_switch(1, w.unit.switches[1].config)
    await up_to_the_report(watch)


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"boot":5,"id":1,"at":1}', '["a"]', "\x00"])
async def test_a_bookmark_that_cannot_be_read_begins_anew(text: str) -> None:
    async with world() as w:
        w.unit.ring(1)
        w.bookmark.value = text
        async with another_server(w) as watch:
            told = await up_to_the_report(watch)
            assert [type(event) for event in told] == [AlarmsForgotten, StateRead]
            w.unit.ring(2)
            rang = await watch.next()
            assert isinstance(rang, DoorbellRang) and rang.button == "2"


async def test_a_bookmark_moves_only_when_what_was_told_was_taken() -> None:
    async with world() as w, another_server(w) as _:
        bookmark = Bookmark()
        async with contextlib.aclosing(w.link.watch(DEVICE, bookmark)) as events:
            watch = Watching(events)
            await watch.state()
            begun = bookmark.value
            w.unit.ring(1)
            await watch.next()
            assert bookmark.value == begun
            w.unit.ring(2)
            await watch.next()
            assert bookmark.value != begun


async def test_a_login_that_was_refused_is_left_alone_for_a_while_whoever_asks() -> None:
    async with world() as w:
        w.unit.put_account(Account("jane", "changed"))
        for _ in range(20):
            with contextlib.suppress(Exception):
                await w.link.read_device(DEVICE)
            with contextlib.suppress(Exception):
                await w.link.unlock(DEVICE, 5.0)
        refused = [r for r in w.unit.requests if r["status"] == 401]
        assert len(refused) <= 3 * REFUSALS
        w.unit.requests.clear()
        w.unit.put_account(Account("jane", "1234"))
        await w.clock.advance(601)
        assert (await w.link.read_device(DEVICE)).locked is True
