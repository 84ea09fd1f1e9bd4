"""The log: channels, filters, history, privileges, long polls."""

import asyncio

import aiohttp
import pytest

from doorward.providers.my_2n.emulator import ACCESS_UNIT, Account, Privilege, Quirks

from .client import Device, device, pulling, until


async def test_a_channel_sees_what_happens_after_it_was_opened(intercom: Device) -> None:
    intercom.unit.press_keys("1")
    channel = await intercom.subscribe()
    intercom.unit.press_keys("2")
    events = await intercom.pull(channel)
    assert [(e["event"], e["params"]) for e in events] == [("KeyPressed", {"key": "2"}), ("KeyReleased", {"key": "2"})]
    assert await intercom.pull(channel) == []


async def test_a_frame_has_the_device_time_and_the_zone_shift() -> None:
    async with device(zone="Europe/Prague") as intercom:
        await intercom.clock.advance(7)
        intercom.unit.time.offset_s = 100.0
        channel = await intercom.subscribe()
        intercom.unit.press_keys("5")
        event = (await intercom.pull(channel))[0]
        assert event == {
            "id": 2,
            "tzShift": 120,
            "utcTime": intercom.clock.now() // 1000 + 100,
            "upTime": 7,
            "event": "KeyPressed",
            "params": {"key": "5"},
        }


async def test_history_is_included_whole_or_for_some_seconds(intercom: Device) -> None:
    intercom.unit.press_keys("1")
    await intercom.clock.advance(60)
    intercom.unit.press_keys("2")
    names = {"filter": "KeyPressed"}
    for include, keys in (("all", "12"), ("-30", "2"), ("-61", "12"), ("new", "")):
        events = await intercom.pull(await intercom.subscribe(include=include, **names))
        assert "".join(event["params"]["key"] for event in events) == keys


async def test_a_filter_chooses_events_and_unknown_names_are_ignored(intercom: Device) -> None:
    channel = await intercom.subscribe(filter="KeyReleased,NoSuchEvent")
    intercom.unit.press_keys("1")
    assert [event["event"] for event in await intercom.pull(channel)] == ["KeyReleased"]


async def test_unknown_names_in_a_filter_may_be_refused() -> None:
    async with device(quirks=Quirks(refuse_unknown_filter=True)) as intercom:
        assert await intercom.error("log/subscribe", filter="NoSuchEvent") == (12, "filter")


async def test_caps_leave_out_what_the_model_cannot_do() -> None:
    async with device() as intercom:
        assert {"KeyPressed", "CallStateChanged"} <= set((await intercom.ok("log/caps"))["events"])
    async with device(model=ACCESS_UNIT) as intercom:
        assert "CallStateChanged" not in (await intercom.ok("log/caps"))["events"]


async def test_events_come_in_batches_of_128(intercom: Device) -> None:
    channel = await intercom.subscribe(filter="KeyPressed")
    intercom.unit.press_keys("1" * 300)
    batches = [len(await intercom.pull(channel)) for _ in range(4)]
    assert batches == [128, 128, 44, 0]


async def test_a_waiting_pull_wakes_at_once(intercom: Device) -> None:
    channel = await intercom.subscribe()
    pull = asyncio.create_task(intercom.pull(channel, timeout=30))
    await until(pulling(intercom))
    intercom.unit.press_keys("5")
    assert [event["event"] for event in await pull] == ["KeyPressed", "KeyReleased"]


async def test_a_waiting_pull_ends_empty_when_its_time_is_over(intercom: Device) -> None:
    channel = await intercom.subscribe()
    pull = asyncio.create_task(intercom.pull(channel, timeout=30))
    await until(pulling(intercom))
    await intercom.clock.advance(29)
    assert not pull.done()
    await intercom.clock.advance(1.5)
    assert await pull == []


async def test_a_pull_does_not_wake_for_what_it_may_not_see() -> None:
    async with device(privileges=frozenset({Privilege.IO_MONITORING})) as intercom:
        channel = await intercom.subscribe()
        pull = asyncio.create_task(intercom.pull(channel, timeout=30))
        await until(pulling(intercom))
        intercom.unit.press_keys("5")
        intercom.unit.set_input("input1", True)
        assert [event["event"] for event in await pull][:2] == ["InputChanged", "DoorStateChanged"]


async def test_privileges_are_judged_at_each_pull(intercom: Device) -> None:
    channel = await intercom.subscribe()
    intercom.unit.press_keys("1")
    intercom.unit.put_account(Account("jane", "1234", frozenset()))
    assert [event["event"] for event in await intercom.pull(channel)] == ["ConfigurationChanged"]


async def test_privileges_may_be_those_of_the_subscription() -> None:
    async with device(quirks=Quirks(privileges_checked_at="subscribe")) as intercom:
        channel = await intercom.subscribe(filter="KeyPressed")
        intercom.unit.press_keys("1")
        intercom.unit.put_account(Account("jane", "1234", frozenset()))
        assert len(await intercom.pull(channel)) == 1


async def test_a_channel_that_idles_too_long_is_gone_and_a_pull_keeps_it(intercom: Device) -> None:
    channel = await intercom.subscribe(duration=10)
    for _ in range(3):
        await intercom.clock.advance(9)
        assert await intercom.pull(channel) == []
    await intercom.clock.advance(10.1)
    assert await intercom.error("log/pull", id=channel) == (12, "id")


async def test_waiting_is_not_idling(intercom: Device) -> None:
    channel = await intercom.subscribe(duration=10)
    pull = asyncio.create_task(intercom.pull(channel, timeout=30))
    await until(pulling(intercom))
    await intercom.clock.advance(31)
    assert await pull == []
    assert await intercom.pull(channel) == []


async def test_unsubscribing_ends_a_waiting_pull(intercom: Device) -> None:
    channel = await intercom.subscribe()
    pull = asyncio.create_task(intercom.pull(channel, timeout=30))
    await until(pulling(intercom))
    await intercom.ok("log/unsubscribe", id=channel)
    assert await pull == []
    assert await intercom.error("log/pull", id=channel) == (12, "id")


async def test_one_channel_too_many_ends_the_one_that_idled_longest() -> None:
    async with device(quirks=Quirks(max_channels=2)) as intercom:
        first = await intercom.subscribe()
        await intercom.clock.advance(1)
        second = await intercom.subscribe()
        await intercom.clock.advance(1)
        await intercom.pull(first)
        await intercom.subscribe()
        assert await intercom.pull(first) == []
        assert await intercom.error("log/pull", id=second) == (12, "id")


async def test_the_ring_forgets_the_oldest() -> None:
    async with device(quirks=Quirks(history=10)) as intercom:
        channel = await intercom.subscribe()
        intercom.unit.press_keys("1234567890")
        assert [event["id"] for event in await intercom.pull(channel)] == list(range(12, 22))


@pytest.mark.parametrize("loses", [True, False])
async def test_events_of_a_lost_reply_are_gone_or_kept(loses: bool) -> None:
    async with device(quirks=Quirks(lost_pull_loses_events=loses)) as intercom:
        channel = await intercom.subscribe(filter="KeyPressed")
        intercom.unit.press_keys("5")
        intercom.unit.faults.arm("reply-lost", path="log/pull")
        with pytest.raises(aiohttp.ClientConnectionError):
            await intercom.pull(channel)
        intercom.unit.faults.clear()
        assert len(await intercom.pull(channel)) == (0 if loses else 1)


@pytest.mark.parametrize("needs", [True, False])
async def test_events_of_users_need_a_check_box_or_not(needs: bool) -> None:
    held = frozenset({Privilege.SYSTEM_CONTROL})
    async with device(quirks=Quirks(user_events_need_uid=needs), privileges=held) as intercom:
        intercom.unit.press_keys("9999*")
        assert len(await intercom.happened("UserRejected")) == (0 if needs else 1)
