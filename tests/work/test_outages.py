"""Outages on order: virtual devices that are cut off, accounts whose login stops working."""

from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import World, new_workspace, serving
from tests.work.test_codes import create, reaches

DISCONNECT, CONNECT = "/devices/simulate/disconnect", "/devices/simulate/connect"
REMOVE = "/devices/simulate/remove"
LOSE = "/connected_accounts/simulate/disconnect"


def codes_of(issues: list[Any]) -> list[str]:
    return [one.get("error_code") for one in issues]


def can(device: Any) -> list[str]:
    """What can be simulated of a device now."""
    flags = ("connection", "disconnection", "removal")
    assert all(isinstance(device[f"can_simulate_{what}"], bool) for what in flags)
    return [what for what in flags if device[f"can_simulate_{what}"]]


async def types(world: World, prefix: str) -> list[str]:
    return [one for one in await world.types() if one.startswith(prefix)]


async def test_a_device_is_cut_off_and_comes_back(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        await world.watched()
        for _ in range(2):
            await world.call(DISCONNECT, **about)
        device = await world.device()
        assert (device["properties"]["online"], codes_of(device["errors"])) == (False, ["device_disconnected"])
        attempt = (await world.call("/locks/unlock_door", **about))["action_attempt"]

        async def ended() -> bool:
            return bool((await world.attempt(attempt["action_attempt_id"]))["status"] == "error")

        await world.eventually(ended)
        code_id = await create(world, code="482937")
        key, devices = world.key, world.devices
    async with serving(tmp_path, database_url) as world:  # the server was started again: still off
        world.key, world.devices = key, devices
        await world.settle()
        assert (await world.device())["properties"]["online"] is False
        await world.call(CONNECT, **about)
        device = await world.device()
        assert (device["properties"]["online"], device["errors"]) == (True, [])
        await reaches(world, code_id, "set")
        assert directory.pins(await world.unit()) == ["482937"]
        await world.call(CONNECT, **about)
        assert await types(world, "device.") == [
            "device.added",
            "device.connected",
            "device.disconnected",
            "device.connected",
        ]


async def test_a_device_is_removed_and_comes_back(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        about = {"device_id": world.devices[0]}
        await world.watched()
        kept = await create(world, code="482937")
        await reaches(world, kept, "set")
        assert can(await world.device()) == ["disconnection", "removal"]
        for _ in range(2):
            await world.call(REMOVE, **about)
        await world.pass_time(90, step=10)
        device = await world.device()
        assert (device["properties"]["online"], codes_of(device["errors"])) == (False, ["device_removed"])
        assert "locked" not in device["properties"]
        assert can(device) == ["connection"]
        assert (await types(world, "device.")).count("device.removed") == 1
        await world.call(DISCONNECT, **about)
        assert codes_of((await world.device())["errors"]) == ["device_removed"]
        added = await create(world, code="593841")
        key, devices = world.key, world.devices
    async with serving(tmp_path, database_url) as world:
        world.key, world.devices = key, devices
        await world.pass_time(30, step=5)
        assert codes_of((await world.device())["errors"]) == ["device_removed"]
        await world.call(CONNECT, **about)
        device = await world.device()
        assert (device["properties"]["online"], device["errors"]) == (True, [])
        assert can(device) == ["disconnection", "removal"]
        await reaches(world, added, "set")
        assert sorted(directory.pins(await world.unit())) == ["482937", "593841"]
        assert (await types(world, "device."))[-1] == "device.connected"


async def test_a_device_says_which_of_its_outages_can_be_simulated(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2, skip=1)
        here, away, locked_out = world.devices
        await world.call(DISCONNECT, device_id=away)
        for flag, devices in (("connection", [away]), ("disconnection", [here]), ("removal", [here, away])):
            found = (await world.call("/devices/list", include_if=[f"can_simulate_{flag}"]))["devices"]
            assert [one["device_id"] for one in found] == devices, flag
            assert [one["device_id"] for one in found if flag in can(one)] == devices
            others = (await world.call("/devices/list", exclude_if=[f"can_simulate_{flag}"]))["devices"]
            assert {one["device_id"] for one in others} == {here, away, locked_out} - set(devices)
            assert not any(flag in can(one) for one in others)
        assert can(await world.device(1)) == ["connection", "removal"]
        await world.fail(DISCONNECT, 400, "device_type_not_supported", device_id=locked_out)
        await world.call("/devices/update", device_id=here, is_managed=False)
        assert can((await world.call("/devices/unmanaged/get", device_id=here))["device"]) == []
        await world.fail(DISCONNECT, 400, "device_unmanaged", device_id=here)


async def test_an_account_is_disconnected_until_somebody_logs_in_again(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        account_id = (await world.device())["connected_account_id"]
        about = {"connected_account_id": account_id}
        kept = await create(world, code="482937")
        await reaches(world, kept, "set")
        for _ in range(2):
            await world.call(LOSE, **about)
        account = (await world.call("/connected_accounts/get", **about))["connected_account"]
        assert codes_of(account["errors"]) == ["account_disconnected"]
        device = await world.device()
        assert (device["properties"]["online"], codes_of(device["errors"])) == (False, ["account_disconnected"])
        assert device["errors"][0]["is_connected_account_error"] is True
        attempt = (await world.call("/locks/unlock_door", device_id=world.devices[0]))["action_attempt"]

        async def failed() -> Any:
            found = await world.attempt(attempt["action_attempt_id"])
            return found["error"] if found["status"] == "error" else None

        assert (await world.eventually(failed))["type"] in ("account_disconnected", "device_disconnected")
        added = await create(world, code="593841")
        await world.call("/access_codes/delete", access_code_id=kept)
        await world.pass_time(120, step=10)
        assert directory.pins(await world.unit()) == ["482937"]
        assert (await world.device())["properties"]["online"] is False
        await world.call("/connected_accounts/sync", **about)
        assert (await world.device())["properties"]["online"] is False
        await world.connect()
        account = (await world.call("/connected_accounts/get", **about))["connected_account"]
        assert account["errors"] == []
        device = await world.device()
        assert (device["properties"]["online"], device["errors"]) == (True, [])
        await reaches(world, added, "set")
        await reaches(world, kept, None)
        assert directory.pins(await world.unit()) == ["593841"]
        lost = (await world.events(event_type="device.disconnected"))[0]
        assert (lost["error_code"], codes_of(lost["connected_account_errors"])) == (
            "account_disconnected",
            ["account_disconnected"],
        )
        assert (await types(world, "connected_account."))[-4:] == [
            "connected_account.disconnected",
            "connected_account.connected",
            "connected_account.successful_login",
            "connected_account.completed_first_sync_after_reconnection",
        ]


async def test_only_what_is_virtual_is_cut_off(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        for path in ("connect_to_hub", "disconnect_from_hub"):
            await world.fail(f"/devices/simulate/{path}", 400, "device_type_not_supported", **about)
        await world.fail(
            "/devices/simulate/paid_subscription", 400, "device_type_not_supported", **about, is_expired=True
        )
        real = await new_workspace(world, "Real", is_sandbox=False)
        for path in (DISCONNECT, CONNECT, REMOVE):
            await real.fail(path, 404, "device_not_found", **about)
        account_id = (await world.device())["connected_account_id"]
        await real.fail(LOSE, 404, "connected_account_not_found", connected_account_id=account_id)


async def test_a_sync_asks_the_devices(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        account_id = (await world.device())["connected_account_id"]
        unit = await world.unit()
        unit.pull_plug()
        await world.call("/connected_accounts/sync", connected_account_id=account_id)
        assert [(await world.device(n))["properties"]["online"] for n in range(2)] == [False, True]
        unit.plug_in()
        await world.call("/connected_accounts/sync", connected_account_id=account_id)
        assert (await world.device())["properties"]["online"] is True
        await world.fail("/connected_accounts/sync", 404, "connected_account_not_found", connected_account_id="x")


async def test_a_pin_goes_from_a_code_to_a_new_one_among_several(tmp_path: Path, database_url: str | None) -> None:
    """The old one goes first: nobody is told of a failure that was none."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        old = (await world.call("/access_codes/create", **about, code="482937"))["access_code"]["access_code_id"]
        await world.eventually(lambda: holds(world, ["482937"]))
        await world.call("/devices/simulate/disconnect", **about)
        await world.call("/access_codes/delete", access_code_id=old)
        for pin in ("719283", "482937", "516274"):
            await world.call("/access_codes/create", **about, code=pin)
        await world.call("/devices/simulate/connect", **about)
        await world.eventually(lambda: holds(world, ["482937", "516274", "719283"]))
        assert "access_code.failed_to_set_on_device" not in await world.types()


async def holds(world: World, pins: list[str]) -> bool:
    return sorted(directory.pins(await world.unit())) == pins
