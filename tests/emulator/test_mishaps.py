"""The faults of logins, long polls, reads and answers: what the client sees, and what the intercom has done."""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest

from doorward.providers.my_2n.emulator import Service, ServiceSettings

from .client import Device, device, pulling, until, user


@pytest.fixture
async def logged_in(intercom: Device) -> Device:
    """An intercom whose client has a nonce, so that each call is one request."""
    await intercom.ok("switch/status")
    intercom.unit.requests.clear()
    return intercom


def statuses(of: Device) -> list[Any]:
    return [request["status"] for request in of.unit.requests]


# ---------------------------------------------------------------- logins and answers


async def test_a_transient_401_turns_a_right_password_away_once(logged_in: Device) -> None:
    logged_in.unit.faults.arm("transient-401", path="switch/ctrl")
    await logged_in.ok("switch/ctrl", switch=1, action="on")
    assert statuses(logged_in) == [401, 200]
    assert logged_in.unit.switches[1].active


async def test_a_transient_401_is_no_failed_login(logged_in: Device) -> None:
    logged_in.unit.faults.arm("transient-401", times=30)
    for _ in range(15):
        assert await logged_in.error("switch/status") == (9, None)
    assert "LoginBlocked" not in [name for name, _ in await logged_in.happened()]


async def test_a_transient_401_strikes_basic_too(intercom: Device) -> None:
    intercom.unit.configure_service(Service.SWITCH, ServiceSettings(authentication="basic"))
    intercom.unit.faults.arm("transient-401")
    basic = {"Authorization": "Basic " + base64.b64encode(b"jane:1234").decode()}
    async with aiohttp.ClientSession(headers=basic) as session:
        for expected in (401, 200):
            async with session.get(f"{intercom.url}/api/switch/status") as reply:
                assert reply.status == expected


async def test_privileges_and_licences_can_be_missing_for_a_while(logged_in: Device) -> None:
    logged_in.unit.faults.arm("no-privilege", path="switch/", times=1)
    assert await logged_in.error("switch/ctrl", switch=1, action="on") == (10, None)
    await logged_in.ok("switch/status")
    logged_in.unit.faults.arm("unlicensed")
    assert await logged_in.error("switch/ctrl", switch=1, action="on") == (5, None)
    assert await logged_in.error("log/subscribe") == (5, None)
    await logged_in.ok("system/status")
    assert not logged_in.unit.switches[1].active


@pytest.mark.parametrize("status", [502, 503])
async def test_a_proxy_in_between_fails(logged_in: Device, status: int) -> None:
    logged_in.unit.faults.arm(f"http-{status}", times=1)
    url = f"{logged_in.url}/api/switch/ctrl?switch=1&action=on"
    async with logged_in.session.get(url) as reply:
        assert (reply.status, reply.content_type) == (status, "text/plain")
    assert not logged_in.unit.switches[1].active


async def test_a_reply_can_be_whole_and_no_json(logged_in: Device) -> None:
    logged_in.unit.faults.arm("bad-json", times=1)
    async with logged_in.session.get(f"{logged_in.url}/api/switch/ctrl?switch=1&action=on") as reply:
        assert (reply.status, reply.content_type) == (200, "application/json")
        with pytest.raises(ValueError):
            await reply.json()
    assert logged_in.unit.switches[1].active
    await logged_in.ok("switch/status")


async def test_a_configuration_upload_refuses_for_fifteen_seconds(intercom: Device) -> None:
    intercom.unit.faults.arm("busy-config")
    for _ in range(3):
        with pytest.raises(aiohttp.ClientConnectionError):
            await intercom.ok("switch/status")
    await intercom.clock.advance(14.9)
    with pytest.raises(aiohttp.ClientConnectionError):
        await intercom.ok("switch/status")
    await intercom.clock.advance(0.2)
    await intercom.ok("switch/status")


# ---------------------------------------------------------------- the log


async def test_a_channel_can_be_gone(logged_in: Device) -> None:
    channel = await logged_in.subscribe()
    logged_in.unit.faults.arm("channel-gone")
    assert await logged_in.error("log/pull", id=channel) == (12, "id")
    assert await logged_in.error("log/pull", id=channel) == (12, "id")
    again = await logged_in.subscribe()
    assert await logged_in.pull(again) == []


async def test_a_long_poll_can_be_answered_late(logged_in: Device) -> None:
    channel = await logged_in.subscribe()
    logged_in.unit.faults.arm("late-poll", times=1, seconds=5)
    pull = asyncio.create_task(logged_in.pull(channel, 20))
    await until(pulling(logged_in))
    await logged_in.clock.advance(24.9)
    assert not pull.done()
    await logged_in.clock.advance(0.2)
    assert await pull == []


async def test_an_event_is_not_late(logged_in: Device) -> None:
    channel = await logged_in.subscribe()
    logged_in.unit.faults.arm("late-poll", times=1)
    pull = asyncio.create_task(logged_in.pull(channel, 20))
    await until(pulling(logged_in))
    logged_in.unit.press_keys("5")
    assert [event["event"] for event in await pull] == ["KeyPressed", "KeyReleased"]


async def test_a_dropped_long_poll_loses_nothing(logged_in: Device) -> None:
    channel = await logged_in.subscribe()
    logged_in.unit.faults.arm("drop-poll", times=1, seconds=3)
    pull = asyncio.create_task(logged_in.ok("log/pull", method="POST", json={"id": channel, "timeout": 20}))
    await until(pulling(logged_in))
    logged_in.unit.press_keys("5")
    await logged_in.clock.advance(3.1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await pull
    assert [event["event"] for event in await logged_in.pull(channel)] == ["KeyPressed", "KeyReleased"]


async def test_events_can_come_twice(logged_in: Device) -> None:
    channel = await logged_in.subscribe()
    logged_in.unit.faults.arm("duplicate-events")
    logged_in.unit.press_keys("5")
    first = await logged_in.pull(channel)
    assert len(first) == 2
    assert await logged_in.pull(channel) == first
    assert await logged_in.pull(channel) == []


async def test_ids_can_jump_and_nothing_is_lost_by_it(logged_in: Device) -> None:
    channel = await logged_in.subscribe()
    logged_in.unit.press_keys("1")
    logged_in.unit.faults.arm("skip-ids", path="KeyReleased", times=2)
    logged_in.unit.press_keys("23")
    ids = [event["id"] for event in await logged_in.pull(channel)]
    assert ids == [2, 3, 4, 15, 16, 27]
    logged_in.unit.press_keys("4")
    assert [event["id"] for event in await logged_in.pull(channel)] == [28, 29]
    late = await logged_in.subscribe(include="all")
    assert [event["id"] for event in await logged_in.pull(late)] == [1, *ids, 28, 29]


# ---------------------------------------------------------------- the directory


async def test_reads_can_show_an_older_directory(logged_in: Device) -> None:
    made = (await logged_in.put("dir/create", {"users": [user("1111")]}))["users"][0]
    logged_in.unit.faults.arm("older-read")
    await logged_in.put("dir/update", {"users": [{"uuid": made["uuid"], "access": {"pin": "2222"}}]})
    await logged_in.put("dir/create", {"users": [user("3333")]})
    old = await logged_in.query(fields=["access.pin"])
    assert [entry["access"]["pin"] for entry in old["users"]] == ["1111"]
    assert old["timestamp"] == 1
    logged_in.unit.faults.clear("older-read")
    new = await logged_in.query(fields=["access.pin"])
    assert [entry["access"]["pin"] for entry in new["users"]] == ["2222", "3333"]
    assert new["timestamp"] == 3


async def test_reads_can_be_incomplete(logged_in: Device) -> None:
    await logged_in.put("dir/create", {"users": [user(f"100{n}") for n in range(5)]})
    logged_in.unit.faults.arm("partial-read", times=1)
    half = await logged_in.query()
    assert (len(half["users"]), half["timestamp"]) == (2, 5)
    logged_in.unit.faults.arm("no-users", times=1)
    assert "users" not in await logged_in.query()
    assert len((await logged_in.query())["users"]) == 5


async def test_nothing_armed_touches_nothing() -> None:
    async with device() as intercom:
        await intercom.ok("switch/status")
        assert not intercom.unit.faults
        assert statuses(intercom) == [401, 200]
