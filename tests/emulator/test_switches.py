"""Switches: pulses, latches, locks, holds, and the events they cause."""

from typing import Any

import pytest

from doorward.providers.my_2n.emulator import Quirks, SwitchConfig

from .client import Device, device


async def state(of: Device, number: int = 1) -> dict[str, object]:
    status: dict[str, object] = (await of.ok("switch/status", switch=number))["switches"][0]
    return status


async def act(of: Device, action: str, **more: Any) -> bool:
    """Did it work? A refusal is always code 14, `action failed`."""
    reply = await of.reply("switch/ctrl", switch=1, action=action, **more)
    if not reply["success"]:
        assert reply["error"] == {"code": 14, "description": "action failed"}
    return bool(reply["success"])


async def test_caps_say_nothing_of_a_disabled_switch(intercom: Device) -> None:
    switches = (await intercom.ok("switch/caps"))["switches"]
    assert switches[0] == {
        "switch": 1,
        "enabled": True,
        "mode": "monostable",
        "switchOnDuration": 5,
        "type": "normal",
    }
    assert switches[1:] == [{"switch": number, "enabled": False} for number in (2, 3, 4)]


@pytest.mark.parametrize("action", ["on", "trigger"])
async def test_a_pulse_ends_after_its_duration_and_is_told_with_its_output(intercom: Device, action: str) -> None:
    assert await act(intercom, action)
    await intercom.clock.advance(4.9)
    assert (await state(intercom))["active"] is True
    assert (await intercom.ok("io/status", port="relay1"))["ports"][0]["state"] == 1
    await intercom.clock.advance(0.2)
    assert (await state(intercom))["active"] is False
    assert await intercom.happened("SwitchStateChanged", "OutputChanged") == [
        ("SwitchStateChanged", {"switch": 1, "state": True, "originator": "api"}),
        ("OutputChanged", {"port": "relay1", "state": True}),
        ("SwitchStateChanged", {"switch": 1, "state": False, "originator": "api"}),
        ("OutputChanged", {"port": "relay1", "state": False}),
    ]


async def test_off_cuts_a_pulse_short_and_on_prolongs_it(intercom: Device) -> None:
    await act(intercom, "on")
    await intercom.clock.advance(4)
    await act(intercom, "on")
    await intercom.clock.advance(4)
    assert (await state(intercom))["active"] is True
    await act(intercom, "off")
    assert (await state(intercom))["active"] is False


async def test_on_may_leave_a_running_pulse_alone() -> None:
    async with device(quirks=Quirks(on_prolongs_pulse=False)) as intercom:
        await act(intercom, "on")
        await intercom.clock.advance(4)
        await act(intercom, "on")
        await intercom.clock.advance(1.1)
        assert (await state(intercom))["active"] is False


async def test_a_bistable_switch_stays_and_toggles() -> None:
    async with device(switches=[SwitchConfig(mode="bistable")]) as intercom:
        await act(intercom, "on")
        await intercom.clock.advance(1000)
        assert (await state(intercom))["active"] is True
        await act(intercom, "trigger")
        assert (await state(intercom))["active"] is False
        await act(intercom, "trigger")
        await act(intercom, "off")
        assert (await state(intercom))["active"] is False


@pytest.mark.parametrize("mode", ["monostable", "bistable"])
async def test_a_lock_beats_a_hold_and_gives_it_back(mode: str) -> None:
    async with device(switches=[SwitchConfig(mode=mode)]) as intercom:  # type: ignore[arg-type]
        assert await act(intercom, "hold")
        assert await act(intercom, "lock")
        assert await state(intercom) == {"switch": 1, "active": False, "locked": True, "held": True}
        assert not await act(intercom, "on")
        assert not await act(intercom, "trigger")
        assert not await act(intercom, "off")
        assert await act(intercom, "unlock")
        assert (await state(intercom))["active"] is True
        assert await act(intercom, "release")
        assert await state(intercom) == {"switch": 1, "active": False, "locked": False, "held": False}
        operations = [params for _, params in await intercom.happened("SwitchOperationChanged")]
        assert operations == [
            {"switch": 1, "held": True, "originator": "api"},
            {"switch": 1, "locked": True, "originator": "api"},
            {"switch": 1, "locked": False, "originator": "api"},
            {"switch": 1, "held": False, "originator": "api"},
        ]


async def test_off_of_a_locked_switch_succeeds(intercom: Device) -> None:
    await act(intercom, "lock")
    assert await act(intercom, "off")


async def test_a_hold_counts_down_and_ends(intercom: Device) -> None:
    await act(intercom, "hold", timeout=10)
    assert (await state(intercom))["holdTimeout"] == 10
    await intercom.clock.advance(4)
    assert (await state(intercom))["holdTimeout"] == 6
    await intercom.clock.advance(6)
    ended = await state(intercom)
    assert ended["active"] is False and "holdTimeout" not in ended
    assert (await intercom.happened("SwitchOperationChanged"))[0][1]["hold_timeout"] == 10


async def test_the_hold_timeout_may_be_the_one_that_was_set() -> None:
    async with device(quirks=Quirks(hold_timeout_is_remaining=False)) as intercom:
        await act(intercom, "hold", timeout=10)
        await intercom.clock.advance(4)
        assert (await state(intercom))["holdTimeout"] == 10


async def test_every_action_fails_on_a_disabled_switch() -> None:
    async with device(switches=[SwitchConfig(enabled=False)]) as intercom:
        for action in ("on", "off", "trigger", "lock", "unlock", "hold", "release"):
            assert not await act(intercom, action)


async def test_unlocking_a_latched_switch_leaves_the_door_shut_by_default() -> None:
    for forgets in (True, False):
        quirks = Quirks(lock_clears_latch=forgets)
        async with device(switches=[SwitchConfig(mode="bistable")], quirks=quirks) as intercom:
            for action in ("on", "lock", "unlock"):
                await act(intercom, action)
            assert (await state(intercom))["active"] is not forgets


async def test_an_inverted_switch_releases_its_output() -> None:
    async with device(switches=[SwitchConfig(type="inverted")]) as intercom:
        await act(intercom, "on")
        await intercom.clock.advance(6)
        assert (await intercom.ok("io/status", port="relay1"))["ports"][0]["state"] == 1


async def test_actions_may_ignore_case() -> None:
    async with device(quirks=Quirks(ignore_action_case=True)) as intercom:
        assert await act(intercom, "ON")


async def test_old_firmware_tells_no_locks_and_counts_states() -> None:
    quirks = Quirks(status_shows_locks=False, numbers_in_switch_events=True)
    async with device(quirks=quirks) as intercom:
        await act(intercom, "on")
        assert await state(intercom) == {"switch": 1, "active": True}
        ((_, params),) = await intercom.happened("SwitchStateChanged")
        assert params["state"] is not True and params["state"] == 1
