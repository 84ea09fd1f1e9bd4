"""Old and future firmware: what is missing, and what nobody has heard of."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from doorward.clock import Clock, ManualClock
from doorward.providers.errors import Unsupported
from doorward.providers.my_2n.client import TwoNClient
from doorward.providers.my_2n.driver import TwoNLink
from doorward.providers.my_2n.emulator import NEW, OLD, SOLO, Firmware, SwitchConfig, Unit, start_units
from doorward.providers.my_2n.emulator.firmware import UNHEARD_EVENT, UNHEARD_OF
from doorward.providers.reports import WantedCode

from .client import ANN, Device, user


async def intercom_with(firmware: Firmware) -> AsyncIterator[Device]:
    clock = ManualClock()
    async with (
        await start_units(clock=clock, firmware=firmware) as running,
        aiohttp.ClientSession(middlewares=[aiohttp.DigestAuthMiddleware("jane", "1234")]) as session,
    ):
        yield Device(running.listeners[0], session, clock)


@pytest.fixture
async def old() -> AsyncIterator[Device]:
    async for ready in intercom_with(OLD):
        yield ready


@pytest.fixture
async def new() -> AsyncIterator[Device]:
    async for ready in intercom_with(NEW):
        yield ready


@pytest.mark.parametrize(
    "path", ["dir/template", "dir/query", "system/timezone", "system/caps", "accesspoint/grantaccess"]
)
async def test_old_firmware_does_not_know_newer_paths(old: Device, path: str) -> None:
    assert await old.error(path, method="POST") == (2, None)


async def test_old_firmware_opens_the_door_without_saying_locked(old: Device) -> None:
    await old.ok("switch/ctrl", switch=1, action="on")
    assert (await old.ok("switch/status", switch=1))["switches"] == [{"switch": 1, "active": True}]
    info = await old.ok("system/info")
    assert info["swVersion"].startswith("2.16.") and "bootUuid" not in info
    assert {"deviceName", "variant", "serialNumber", "macAddr", "buildType", "hwVersion"} <= info.keys()


async def test_old_firmware_tells_states_as_numbers_and_knows_fewer_events(old: Device) -> None:
    await old.ok("switch/ctrl", switch=1, action="on")
    old.unit.move_door(True)
    found = await old.happened()
    states = [(name, params["state"]) for name, params in found if name.endswith("Changed")]
    assert states == [
        ("SwitchStateChanged", 1),
        ("OutputChanged", 1),
        ("InputChanged", 1),
        ("DoorStateChanged", "opened"),
    ]
    assert all(not isinstance(state, bool) for _, state in states)
    known = (await old.ok("log/caps"))["events"]
    assert "DirectoryChanged" not in known and "AccessLimited" not in known and "SwitchStateChanged" in known
    assert {name for name, _ in found} <= set(known)


async def test_old_firmware_remembers_500_events(old: Device) -> None:
    old.unit.press_keys("1" * 400)
    assert len(await old.happened()) == 500


async def test_future_firmware_says_things_nobody_knows(new: Device) -> None:
    await new.put("dir/create", {"users": [user("1234")]})
    (entry,) = (await new.query())["users"]
    assert entry["access"]["pin"] == "1234" and entry["access"][UNHEARD_OF] == 1
    assert (await new.ok("switch/status"))["switches"][0][UNHEARD_OF] == 1
    channel = await new.subscribe(include="all")
    events = await new.pull(channel)
    assert UNHEARD_EVENT in [event["event"] for event in events]
    assert UNHEARD_EVENT in (await new.ok("log/caps"))["events"]
    assert all(event[UNHEARD_OF] == 1 for event in events)


def test_a_snapshot_keeps_the_firmware() -> None:
    again = Unit.restore(Unit(SOLO, firmware=OLD).snapshot())
    assert (again.model, again.firmware, again.quirks.history) == (SOLO, OLD, 500)


@pytest.mark.parametrize("firmware", [OLD, NEW])
async def test_our_own_driver_opens_doors_of_any_generation(firmware: Firmware) -> None:
    async with await start_units(firmware=firmware, switches=[SwitchConfig(mode="bistable")]) as running:

        async def connect(_ref: str, _login: object) -> TwoNClient:
            return TwoNClient(running.urls[0], "jane", "1234")

        link = TwoNLink("w", {"54-1": {"username": "jane", "password": "1234", "device_id": 7}}, connect, Clock())
        assert (await link.unlock("54-1", 5.0)).confirmed
        assert running.units[0].switches[1].active
        assert (await link.lock("54-1", 5.0)).confirmed
        assert (await link.read_device("54-1")).locked is True
        code = WantedCode(code_id="c", ref=ANN, name="Guest", pin="40718")
        if firmware is OLD:
            with pytest.raises(Unsupported):
                await link.set_code("54-1", code)
        else:
            await link.set_code("54-1", code)
            assert [entry.get("access.pin") for entry in running.units[0].directory.live()] == ["40718"]
        await link.close()
