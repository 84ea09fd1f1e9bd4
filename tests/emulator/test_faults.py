"""Every fault: what the client sees, and what the intercom has done meanwhile."""

import asyncio
from typing import Any

import aiohttp
import pytest

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator.faults import KINDS, Faults

from .client import Device, device, until, user


@pytest.fixture
async def logged_in(intercom: Device) -> Device:
    """An intercom whose client has a nonce, so that each call is one request."""
    await intercom.ok("switch/status")
    intercom.unit.requests.clear()
    return intercom


def statuses(of: Device) -> list[Any]:
    return [request["status"] for request in of.unit.requests]


def is_open(of: Device) -> bool:
    return of.unit.switches[1].active


async def on_by_post(of: Device) -> Any:
    """`switch/ctrl` by POST, which aiohttp does not repeat by itself."""
    return await of.ok("switch/ctrl", method="POST", json={"switch": 1, "action": "on"})


async def test_slow_waits_before_it_acts(logged_in: Device) -> None:
    logged_in.unit.faults.arm("slow", path="switch/ctrl", seconds=8, times=1)
    call = asyncio.create_task(on_by_post(logged_in))
    await until(lambda: logged_in.unit.requests)
    await logged_in.clock.advance(7.9)
    assert not call.done() and not is_open(logged_in)
    await logged_in.clock.advance(0.2)
    await call
    assert is_open(logged_in)
    await on_by_post(logged_in)


async def test_a_lost_reply_has_acted(logged_in: Device) -> None:
    logged_in.unit.faults.arm("reply-lost", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await on_by_post(logged_in)
    assert logged_in.unit.switches[1].active
    assert statuses(logged_in) == [None]


async def test_a_lost_reply_is_not_spent_on_a_challenge(intercom: Device) -> None:
    intercom.unit.faults.arm("reply-lost", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await on_by_post(intercom)
    assert statuses(intercom) == [401, None]
    assert intercom.unit.switches[1].active


async def test_a_half_open_line_never_answers_and_never_acts(logged_in: Device) -> None:
    logged_in.unit.faults.arm("half-open", times=1)
    call = asyncio.create_task(on_by_post(logged_in))
    await until(lambda: logged_in.unit.requests)
    await logged_in.clock.advance(600)
    assert not call.done()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert not logged_in.unit.switches[1].active
    await on_by_post(logged_in)


async def test_a_half_open_line_may_be_cut_at_last(logged_in: Device) -> None:
    logged_in.unit.faults.arm("half-open", times=1, seconds=5)
    call = asyncio.create_task(on_by_post(logged_in))
    await until(lambda: logged_in.unit.requests)
    await logged_in.clock.advance(5.1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await call


async def test_refused_connections_do_nothing(intercom: Device) -> None:
    intercom.unit.faults.arm("refuse")
    with pytest.raises(aiohttp.ClientConnectionError):
        await on_by_post(intercom)
    assert not intercom.unit.requests
    intercom.unit.faults.clear("refuse")
    await on_by_post(intercom)


async def test_a_refused_path_leaves_others_alone(logged_in: Device) -> None:
    logged_in.unit.faults.arm("refuse", path="switch/ctrl", times=1)
    assert await logged_in.ok("switch/status")
    with pytest.raises(aiohttp.ClientConnectionError):
        await on_by_post(logged_in)
    assert not logged_in.unit.switches[1].active


async def test_a_stale_nonce_is_renewed_without_a_word(logged_in: Device) -> None:
    logged_in.unit.faults.arm("stale-nonce", times=1)
    await on_by_post(logged_in)
    assert statuses(logged_in) == [401, 200]


async def test_a_forgotten_nonce_is_challenged_without_stale(logged_in: Device) -> None:
    logged_in.unit.faults.arm("forget-nonces")
    await on_by_post(logged_in)
    assert statuses(logged_in) == [401, 200]


async def test_an_internal_error_is_text_and_does_nothing(logged_in: Device) -> None:
    logged_in.unit.faults.arm("http-500", path="/api/switch", times=1)
    async with logged_in.session.post(f"{logged_in.url}/api/switch/ctrl", json={"switch": 1, "action": "on"}) as reply:
        assert (reply.status, reply.content_type) == (500, "text/plain")
    assert not logged_in.unit.switches[1].active


async def test_a_truncated_reply_has_acted(logged_in: Device) -> None:
    logged_in.unit.faults.arm("truncate", times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await on_by_post(logged_in)
    assert logged_in.unit.switches[1].active


async def test_a_full_directory_is_an_entry_error(intercom: Device) -> None:
    intercom.unit.faults.arm("directory-full", times=1)
    users = {"users": [user("1111"), user("2222")]}
    first, second = (await intercom.put("dir/create", users))["users"]
    assert first["errors"][0]["code"] == "EDIR_DIRECTORY_FULL" and "errors" not in second


async def test_a_duplicate_pin_is_refused_whatever_it_is_so_many_times(intercom: Device) -> None:
    intercom.unit.faults.arm("duplicate-pin", times=1)
    users = {"users": [{"name": "no PIN"}, user("1111"), user("2222")]}
    result = (await intercom.put("dir/create", users))["users"]
    assert ["errors" in entry for entry in result] == [False, True, False]
    assert result[1]["errors"] == [{"code": "EDIR_FIELD_VALUE_ERROR", "field": "access.pin"}]


async def test_a_duplicate_pin_without_a_number_refuses_real_duplicates(intercom: Device) -> None:
    intercom.unit.faults.arm("duplicate-pin")
    users = {"users": [user("1111"), user("1111"), user("2222")]}
    result = (await intercom.put("dir/create", users))["users"]
    assert ["errors" in entry for entry in result] == [False, True, False]


async def test_a_fault_ends_by_itself_after_its_seconds() -> None:
    async with device() as intercom:
        intercom.unit.faults.arm("http-500", seconds=10)
        async with intercom.session.get(f"{intercom.url}/api/system/info") as reply:
            assert reply.status == 500
        await intercom.clock.advance(10)
        assert await intercom.ok("system/info")
        assert intercom.unit.faults.armed() == ()


def test_faults_are_checked_counted_and_cleared() -> None:
    clock = ManualClock()
    faults = Faults(clock.now)
    with pytest.raises(ValueError, match="no fault"):
        faults.arm("flood")
    with pytest.raises(ValueError, match="at least 1"):
        faults.arm("slow", times=0)
    for kind in KINDS:
        faults.arm(kind)
    faults.clear("slow")
    assert len(faults.armed()) == len(KINDS) - 1
    faults.clear()
    assert not faults
