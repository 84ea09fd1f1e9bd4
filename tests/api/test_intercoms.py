"""What is shown of an intercom: its own block, its warnings, and what its model cannot do."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.server import EMAIL, World, serving

from doorward.core import devices as rules
from doorward.providers.my_2n.emulator import UNI, Account, Privilege, SwitchConfig, Unit
from doorward.providers.reports import Issue
from doorward.store import devices as store

LOOK = "ConfigurationChanged"
"""The event after which a watched device is read again."""


async def version(world: World) -> int:
    row = await store.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
    assert row is not None
    return row.version


async def warnings(world: World) -> dict[str, str]:
    """Code → sentence."""
    return {one["warning_code"]: one["message"] for one in (await world.device())["warnings"]}


async def read_again(world: World, unit: Unit, last: str = "/api/switch/status") -> None:
    """Have the watched device read once more; `last` is what a report asks for last."""

    def asked() -> int:
        return sum(r["path"] == last and r["status"] == 200 for r in unit.requests)

    before = asked()
    unit.report(LOOK, {})
    await world.eventually(lambda: asked() > before)
    await world.settle(0.05)


async def test_the_intercoms_own_block_is_shown(world: World) -> None:
    block = (await world.device())["properties"]["two_n_metadata"]
    assert block["mac_address"].startswith("7c:1e:b3:")
    assert {name: value for name, value in block.items() if name != "mac_address"} == {
        "device_id": 1,
        "device_name": "Device 0",
        "firmware_version": "2.50.0.76.2",
        "door_switch": 1,
        "door_switch_mode": "bistable",
        "clock_skew_seconds": 0,
    }


async def test_a_clock_that_is_wrong_is_a_warning_until_it_is_right_and_jitter_is_no_new_state(world: World) -> None:
    unit = await world.watched()
    assert await warnings(world) == {}
    unit.time.offset_s = 3 * 3600 + 40
    await read_again(world, unit)
    told = (await warnings(world))["device_clock_wrong"]
    assert told.startswith("The device's clock is about 3 hours ahead.") and "NTP" in told
    assert (await world.device())["properties"]["two_n_metadata"]["clock_skew_seconds"] == 10_840
    before = await version(world)
    for offset_s in (3 * 3600 + 41, 3 * 3600 + 38, 3 * 3600 + 43):
        unit.time.offset_s = offset_s
        await read_again(world, unit)
    assert await version(world) == before
    unit.time.offset_s = 0
    await read_again(world, unit)
    assert await warnings(world) == {}
    assert await version(world) == before + 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (65, "about 65 seconds ahead"),
        (-119, "about 119 seconds behind"),
        (125, "about 2 minutes ahead"),
        (-3600, "about 60 minutes behind"),
        (7200, "about 2 hours ahead"),
        (90_000, "about 25 hours ahead"),
        (-31_536_000, "about 365 days behind"),
        (0, "about 0 seconds behind"),
    ],
)
def test_a_skew_in_words(seconds: int, words: str) -> None:
    assert rules._skew(seconds) == words


def test_every_issue_has_a_sentence() -> None:
    assert set(rules._ISSUE_TEXTS) == set(Issue)
    for text in rules._ISSUE_TEXTS.values():
        assert text.format(skew="x").endswith(".")


async def test_a_zone_a_switch_and_a_directory_that_are_missing_are_warnings(world: World) -> None:
    unit = await world.watched()
    unit.time.zone = ""
    unit.configure_switch(1, SwitchConfig(enabled=False))
    unit.put_account(Account("jane", "1234", frozenset({Privilege.SWITCH_CONTROL, Privilege.SYSTEM_MONITORING})))
    await read_again(world, unit, last="/api/switch/caps")
    found = await warnings(world)
    assert set(found) == {"two_n_device_directory_unavailable", "two_n_device_door_switch_unavailable"}
    assert "System – Control" in found["two_n_device_directory_unavailable"]
    device = await world.device()
    assert device["capabilities_supported"] == ["lock"] and "locked" not in device["properties"]
    assert "door_switch_mode" not in device["properties"]["two_n_metadata"]
    await world.fail("/access_codes/create", 400, "device_type_not_supported", device_id=world.devices[0])
    unit.configure_switch(1, SwitchConfig(mode="monostable", duration=7))
    unit.put_account(Account("jane", "1234"))
    await read_again(world, unit)
    assert set(await warnings(world)) == {"two_n_device_missing_timezone"}
    block = (await world.device())["properties"]["two_n_metadata"]
    assert (block["door_switch_mode"], block["door_switch_pulse_seconds"]) == ("monostable", 7)


async def test_the_door_leaf_is_not_shown_before_it_moved(world: World) -> None:
    unit = await world.watched()
    assert "door_open" not in (await world.device())["properties"]
    for is_open in (True, False):
        unit.set_input(unit.door.config.contact or "", is_open)

        async def shown(wanted: bool = is_open) -> bool:
            return (await world.device())["properties"].get("door_open") is wanted

        await world.eventually(shown)


async def test_a_uni_is_a_lock_without_codes(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        provider: Any = world.core.providers["my_2n"]
        workspace_id = world.workspace.workspace_id
        refs = await provider.twins.of_login(workspace_id, EMAIL)
        uni = Unit(UNI, serial=refs[0], clock=world.clock, accounts=[Account("jane", "1234")])
        await provider.twins._store.save(workspace_id, "my_2n", EMAIL, refs[0], uni.snapshot())
        await uni.close()
        await world.connect()
        device = await world.device()
        model = device["properties"]["model"]
        assert (model["manufacturer_display_name"], model["display_name"]) == ("2N", "IP Uni")
        assert device["capabilities_supported"] == ["lock"] and device["warnings"] == []
        assert "can_program_online_access_codes" not in device
        assert "supported_code_lengths" not in device["properties"]
        bound = {"starts_at": "2090-01-01", "ends_at": "2090-02-01"}
        for times in ({}, bound):
            await world.fail(
                "/access_codes/create", 400, "device_type_not_supported", device_id=world.devices[0], **times
            )
        attempt = (await world.call("/locks/unlock_door", device_id=world.devices[0]))["action_attempt"]
        assert attempt["status"] == "success"
        await world.fail("/devices/doorward/get_snapshot", 400, "device_type_not_supported", device_id=world.devices[0])
