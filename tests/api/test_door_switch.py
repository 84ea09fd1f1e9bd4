"""Which switch of an intercom is its door: chosen over the API, asked of the device, kept."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.server import World, new_workspace, serving

from doorward.core import devices as rules
from doorward.providers.my_2n.emulator import SwitchConfig, Unit
from doorward.store import devices as store

BISTABLE = SwitchConfig(mode="bistable")
OFF = SwitchConfig(enabled=False)


def choice(world: World, number: Any) -> dict[str, Any]:
    return {"device_id": world.devices[0], "properties": {"two_n_metadata": {"door_switch": number}}}


async def shown(world: World) -> tuple[int, Any]:
    """Which switch is the door, and whether it is locked."""
    properties = (await world.device())["properties"]
    return properties["two_n_metadata"]["door_switch"], properties.get("locked")


def active(unit: Unit) -> set[int]:
    """Switches that are on."""
    return {number for number, switch in unit.switches.items() if switch.active}


async def unlock(world: World) -> Any:
    return (await world.call("/locks/unlock_door", device_id=world.devices[0]))["action_attempt"]


async def test_another_switch_is_the_door_from_then_on(world: World) -> None:
    unit = await world.watched()
    unit.configure_switch(2, BISTABLE)
    unit.switches[2].act("on", unit.steady())
    assert await shown(world) == (1, True)
    await world.call("/devices/update", **choice(world, 2), name="Gate")
    assert await shown(world) == (2, False), "the state is that of the new door"
    assert (await world.device())["nickname"] == "Gate"
    attempt = (await world.call("/locks/lock_door", device_id=world.devices[0]))["action_attempt"]
    assert attempt["status"] == "success"
    assert active(unit) == set()
    assert (await unlock(world))["status"] == "success"
    assert active(unit) == {2}
    assert await shown(world) == (2, False)


async def test_choosing_is_no_movement_and_events_are_those_of_the_new_door(world: World) -> None:
    unit = await world.watched()
    unit.configure_switch(2, BISTABLE)
    unit.switches[2].act("on", unit.steady())
    await world.settle()
    await world.call("/devices/update", **choice(world, 2))
    moved = [t for t in await world.types() if t.startswith("lock.")]
    assert moved == []
    await world.pass_time(3)
    unit.switches[1].act("on", unit.steady())
    unit.changed()
    await world.pass_time(2)
    assert [t for t in await world.types() if t.startswith("lock.")] == [], "the old switch is somebody else's business"
    unit.switches[2].act("off", unit.steady())
    unit.changed()

    async def told() -> bool:
        return [t for t in await world.types() if t.startswith("lock.")] == ["lock.locked"]

    await world.eventually(told)
    assert await shown(world) == (2, True)


@pytest.mark.parametrize("number", [0, 5, -1, 1.5, "2", True, [2]])
async def test_numbers_that_no_unit_has_are_refused_unasked(world: World, number: Any) -> None:
    (await world.unit()).faults.arm("refuse")  # if it were asked, it would be offline
    error = await world.fail("/devices/update", 400, "invalid_input", **choice(world, number))
    assert "door_switch" in str(error["validation_errors"]["properties"]["two_n_metadata"])


async def test_a_switch_that_this_unit_has_not_or_has_disabled_is_refused(world: World) -> None:
    unit = await world.watched()
    unit.configure_switch(3, OFF)
    del unit.switches[4]
    for number, words in ((3, "Switch 3 is disabled on the device"), (4, "The device has no switch 4.")):
        error = await world.fail("/devices/update", 400, "invalid_input", **choice(world, number), name="Gate")
        assert error["message"].startswith(words)
        said = error["validation_errors"]["properties"]["two_n_metadata"]["door_switch"]["_errors"]
        assert said == [error["message"]]
    assert await shown(world) == (1, True)
    assert "nickname" not in await world.device(), "all or nothing"


async def test_a_device_that_cannot_be_asked_keeps_its_switch(world: World) -> None:
    unit = await world.watched()
    unit.configure_switch(2, BISTABLE)
    unit.faults.arm("refuse")
    await world.fail("/devices/update", 400, "device_offline", **choice(world, 2))
    unit.faults.clear()
    row = await store.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
    assert row is not None
    assert rules.report_of(row).metadata["door_switch"] == 1
    other = await new_workspace(world, "Other")
    await other.fail("/devices/update", 404, "device_not_found", **choice(world, 2))
    await world.connect(email="joe@example.com", count=0, skip=1)
    await world.fail("/devices/update", 400, "missing_device_credentials", **choice(world, 2))


async def test_a_device_may_be_let_go_in_the_same_call(world: World) -> None:
    unit = await world.watched()
    unit.configure_switch(2, BISTABLE)
    await world.call("/devices/update", **choice(world, 2), is_managed=False)
    await world.call("/devices/unmanaged/update", device_id=world.devices[0], is_managed=True)
    assert (await shown(world))[0] == 2


async def test_the_choice_outlives_a_restart_and_a_new_login(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        (await world.watched()).configure_switch(2, BISTABLE)
        await world.call("/devices/update", **choice(world, 2))
        await world.connect()
        devices, clock = world.devices, world.clock
        await world.pass_time(8)
        assert (await shown(world))[0] == 2
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = devices
        assert (await unlock(world))["status"] == "success"
        unit = await world.unit()
        assert active(unit) == {2}


async def test_the_choice_is_sealed_with_the_login_and_nothing_of_it_is_shown(world: World) -> None:
    (await world.watched()).configure_switch(2, BISTABLE)
    await world.call("/devices/update", **choice(world, 2))
    row = await store.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
    assert row is not None and row.secret_sealed is not None
    login = world.core.vault.open_json(row.secret_sealed, rules.LOGIN)
    assert (login["switch"], login["username"], login["password"]) == (2, "jane", "1234")
