"""What an intercom counts: a driver's promises, such as few requests at once, can be held against it."""

import asyncio

import aiohttp

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import start_units

from .client import Device, pulling, until, user


async def test_requests_are_counted_by_path_status_and_code(intercom: Device) -> None:
    await intercom.put("dir/create", {"users": [user("1234")]})
    await intercom.ok("switch/ctrl", switch=1, action="on")
    await intercom.error("switch/ctrl", switch=9, action="on")
    await intercom.error("no/such/path")
    counters = intercom.unit.counters.shown()
    assert counters["by_path"] == {"/api/dir/create": 2, "/api/switch/ctrl": 2, "other": 1}
    assert counters["by_status"] == {"200": 4, "401": 1}
    assert counters["by_code"] == {"12": 1, "2": 1, "9": 1}
    assert (counters["requests"], counters["unauthorized"], counters["nonces"]) == (5, 1, 1)
    assert counters["writes"] == {"/api/dir/create": 1, "/api/switch/ctrl": 1}


async def test_a_write_counts_though_its_reply_is_lost(intercom: Device) -> None:
    await intercom.ok("switch/status")
    intercom.unit.faults.arm("reply-lost", times=1)
    try:
        await intercom.ok("switch/ctrl", method="POST", json={"switch": 1, "action": "on"})
    except aiohttp.ClientConnectionError:
        pass
    counters = intercom.unit.counters.shown()
    assert counters["writes"] == {"/api/switch/ctrl": 1}
    assert counters["by_status"] == {"200": 1, "401": 1, "none": 1}


async def test_requests_polls_and_connections_at_once(intercom: Device) -> None:
    await intercom.ok("switch/status")
    channels = [await intercom.subscribe() for _ in range(2)]
    polls = [asyncio.create_task(intercom.pull(channel, 20)) for channel in channels]
    await until(lambda: intercom.unit.counters.polls.now == 2)
    intercom.unit.faults.arm("slow", seconds=3)
    slow = [asyncio.create_task(intercom.ok("switch/status")) for _ in range(3)]
    await until(lambda: intercom.unit.counters.ordinary.now == 3)
    assert intercom.unit.counters.open.now == 5
    await intercom.clock.advance(25)
    await asyncio.gather(*polls, *slow)
    counters = intercom.unit.counters.shown()
    assert counters["polls_at_once"] == {"now": 0, "most": 2}
    assert counters["ordinary_at_once"] == {"now": 0, "most": 3}
    assert counters["connections"]["most"] == 5
    await intercom.session.close()
    await until(lambda: intercom.unit.counters.open.now == 0)
    intercom.unit.counters.reset()
    shown = intercom.unit.counters.shown()
    assert shown["requests"] == 0 and shown["by_path"] == {} and shown["connections"]["most"] == 0


async def test_a_client_that_goes_away_leaves_no_poll_behind(intercom: Device) -> None:
    channel = await intercom.subscribe()
    pull = asyncio.create_task(intercom.pull(channel, 20))
    await until(pulling(intercom))
    pull.cancel()
    await until(lambda: intercom.unit.counters.polls.now == 0)
    assert intercom.unit.counters.by_status["none"] == 1


async def test_the_control_plane_shows_and_resets(intercom: Device) -> None:
    async with await start_units(control_port=0, clock=ManualClock()) as running, aiohttp.ClientSession() as session:
        base = f"{running.control_url}/devices/{running.units[0].serial}"
        async with session.get(f"{running.urls[0]}/api/system/info") as reply:
            assert reply.status == 200
        async with session.get(f"{base}/counters") as reply:
            assert (await reply.json())["by_path"] == {"/api/system/info": 1}
        for path in ("counters", "requests"):
            async with session.delete(f"{base}/{path}") as reply:
                assert reply.status == 200
        async with session.get(f"{base}/counters") as reply:
            assert (await reply.json())["requests"] == 0
        async with session.get(f"{base}/requests") as reply:
            assert (await reply.json()) == {"requests": []}
