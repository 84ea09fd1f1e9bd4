"""Restarts, power cuts, factory resets, new certificates."""

import asyncio
import socket
from typing import Any

import aiohttp
import pytest
import uvloop

from doorward.clock import Clock
from doorward.providers.my_2n.emulator import Quirks, SwitchConfig, start_units

from .client import Device, device, pulling, until, user


async def is_served(of: Device) -> bool:
    try:
        _, writer = await asyncio.open_connection(of.listener.host, of.listener.port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return True


async def rebooted(of: Device, outage: float = 2.0) -> None:
    """A reboot, on the driven clock."""
    task = asyncio.create_task(of.unit.reboot(outage))
    await until(lambda: of.unit.is_off)
    await of.clock.advance(outage)
    await task


async def test_a_restart_answers_then_goes_away_for_at_most_five_seconds(intercom: Device) -> None:
    boot = (await intercom.ok("system/info"))["bootUuid"]
    intercom.unit.press_keys("123")
    assert await intercom.ok("system/restart") is None
    await intercom.clock.advance(0.5)
    assert intercom.unit.is_off
    await until(lambda: intercom.listener._server is None)
    assert not await is_served(intercom)
    await intercom.clock.advance(4)
    await until(lambda: intercom.listener._server is not None)
    assert (await intercom.ok("system/status"))["upTime"] <= 2
    assert (await intercom.ok("system/info"))["bootUuid"] != boot
    channel = await intercom.subscribe(include="all")
    (first,) = await intercom.pull(channel)
    assert (first["id"], first["event"], first["params"]) == (1, "DeviceState", {"state": "startup"})


async def test_the_port_stays_taken_while_the_intercom_is_away(intercom: Device) -> None:
    task = asyncio.create_task(intercom.unit.reboot(10))
    await until(lambda: intercom.listener._server is None)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((intercom.listener.host, intercom.listener.port))
    await intercom.clock.advance(10)
    await task
    assert await is_served(intercom)


async def test_a_reboot_ends_long_polls_channels_and_nonces_but_keeps_the_directory(intercom: Device) -> None:
    await intercom.put("dir/create", {"users": [user("1234")]})
    series = intercom.unit.directory.series
    channel = await intercom.subscribe()
    pull = asyncio.create_task(intercom.pull(channel, timeout=30))
    await until(pulling(intercom))
    await rebooted(intercom)
    # aiohttp asks again by itself, once, and then hears that the channel is gone.
    outcome = (await asyncio.gather(pull, return_exceptions=True))[0]
    assert isinstance(outcome, (aiohttp.ClientError, AssertionError))
    assert await intercom.error("log/pull", id=channel) == (12, "id")
    result = await intercom.query()
    assert (result["series"], result["timestamp"], len(result["users"])) == (series, 1, 1)


@pytest.mark.parametrize("latch_survives", [True, False])
async def test_a_lock_survives_a_reboot_and_a_hold_and_a_pulse_do_not(latch_survives: bool) -> None:
    switches = [SwitchConfig(), SwitchConfig(), SwitchConfig(), SwitchConfig(mode="bistable")]
    async with device(switches=switches, quirks=Quirks(latch_survives_boot=latch_survives)) as intercom:
        for number, action in ((1, "lock"), (2, "hold"), (3, "on"), (4, "on")):
            await intercom.ok("switch/ctrl", switch=number, action=action)
        await rebooted(intercom)
        states = (await intercom.ok("switch/status"))["switches"]
        assert [state["locked"] for state in states] == [True, False, False, False]
        assert [state["held"] for state in states] == [False] * 4
        assert [state["active"] for state in states] == [False, False, False, latch_survives]


async def test_a_power_cut_may_lose_what_was_not_saved() -> None:
    for loses in (True, False):
        async with device(quirks=Quirks(power_cut_loses_unsaved=loses)) as intercom:
            await intercom.put("dir/create", {"users": [user("1111", "Saved")]})
            await intercom.clock.advance(1)
            await intercom.put("dir/create", {"users": [user("2222", "Unsaved")]})
            task = asyncio.create_task(intercom.unit.power_cut(1))
            await until(lambda unit=intercom.unit: unit.is_off)  # type: ignore[misc]
            await intercom.clock.advance(1)
            await task
            names = [entry.get("name") for entry in intercom.unit.directory.live()]
            assert names == (["Saved"] if loses else ["Saved", "Unsaved"])


async def test_a_factory_reset_leaves_nothing(intercom: Device) -> None:
    await intercom.put("dir/create", {"users": [user("1234")]})
    await intercom.ok("switch/ctrl", switch=1, action="lock")
    series = intercom.unit.directory.series
    kept: list[int] = []

    async def persist(unit: Any) -> None:
        kept.append(len(unit.directory))

    intercom.unit.persist = persist
    task = asyncio.create_task(intercom.unit.factory_reset(1))
    await until(lambda: intercom.unit.is_off)
    await intercom.clock.advance(1)
    await task
    assert kept == [0]
    assert intercom.unit.directory.series != series and len(intercom.unit.directory) == 0
    assert not intercom.unit.switches[1].locked
    assert await intercom.error("switch/status") == (9, None)


async def test_nothing_happens_at_an_intercom_that_is_off(intercom: Device) -> None:
    task = asyncio.create_task(intercom.unit.reboot(5))
    await until(lambda: intercom.unit.is_off)
    intercom.unit.press_keys("1*")
    intercom.unit.set_input("input2", True)
    assert not intercom.unit.swipe("DEADBEEF")
    await intercom.clock.advance(5)
    await task
    assert [name for name, _ in await intercom.happened()] == ["DeviceState"]
    assert not intercom.unit.switches[1].active


async def test_a_new_certificate_has_another_fingerprint() -> None:
    async with await start_units(use_tls=True, clock=Clock()) as running, aiohttp.ClientSession() as session:
        listener = running.listeners[0]
        url = f"{listener.url}/api/system/info"
        old = listener.fingerprint
        assert old is not None
        async with session.get(url, ssl=aiohttp.Fingerprint(bytes.fromhex(old))) as reply:
            assert reply.status == 200
        new = listener.new_certificate()
        assert new is not None and new != old
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await session.get(url, ssl=aiohttp.Fingerprint(bytes.fromhex(old)))
        async with session.get(url, ssl=aiohttp.Fingerprint(bytes.fromhex(new))) as reply:
            assert reply.status == 200


async def power_on_uvloop() -> None:
    async with await start_units(quirks=Quirks(restart_delay_s=0.01, restart_outage_s=0.05)) as running:
        unit, listener = running.units[0], running.listeners[0]
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.get(f"{listener.url}/api/system/info") as reply:
                    assert (await reply.json())["result"]["bootUuid"] == unit.boot_uuid
                await unit.reboot(0.02)
        unit.faults.arm("refuse", times=1)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.post(f"{listener.url}/api/system/info")


def test_power_and_refusal_work_under_uvloop() -> None:
    uvloop.run(power_on_uvloop())
