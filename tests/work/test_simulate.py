"""What others do at a virtual device, simulated."""

from pathlib import Path
from typing import Any

from tests.support import directory
from tests.support.server import new_workspace, serving
from tests.work.test_codes import create, reaches

KEYPAD = "/locks/simulate/keypad_code_entry"
PATH = "/access_codes/simulate/create_unmanaged_access_code"


async def test_somebody_adds_a_code_at_the_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        await world.pass_time(5)
        about = {"device_id": world.devices[0]}
        made = (await world.call(PATH, code="4837", name="Neighbour", **about))["access_code"]
        assert (made["is_managed"], made["code"], made["name"], made["status"]) == (False, "4837", "Neighbour", "set")
        (entry,) = directory.codes(unit).values()
        assert (entry["name"], entry["pin"], entry["owner"]) == ("Neighbour", "4837", "")
        await world.pass_time(120, step=5)
        listed = (await world.call("/access_codes/unmanaged/list", **about))["access_codes"]
        assert [one["access_code_id"] for one in listed] == [made["access_code_id"]]
        assert (await world.types()).count("access_code.unmanaged.created") == 1
        await world.fail("/access_codes/create", 409, "duplicate_access_code", code="4837", **about)
        await world.fail(PATH, 409, "duplicate_access_code", code="4837", name="Again", **about)


async def test_a_pin_of_ours_is_not_given_away_twice(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        code_id = await create(world, code="4837")
        await reaches(world, code_id, "set")
        about = {"device_id": world.devices[0], "name": "Neighbour"}
        await world.fail(PATH, 409, "duplicate_access_code", code="4837", **about)
        await world.fail(PATH, 400, "invalid_input", code="483", **about)
        await world.fail(PATH, 400, "invalid_input", code="123456789", **about)
        assert directory.pins(await world.unit()) == ["4837"]


async def test_a_production_workspace_simulates_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        real = await new_workspace(world, "Real", is_sandbox=False)
        await real.fail(PATH, 400, "workspace_not_sandbox", device_id=world.devices[0], code="4837", name="Neighbour")


async def test_somebody_types_a_code_at_the_keypad(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        unit = await world.watched()
        code_id = await create(world, code="482937")
        await reaches(world, code_id, "set")
        await world.call("/locks/lock_door", **about)
        unit.press_keys("55")  # half a code that somebody left there
        attempt = (await world.call(KEYPAD, code="482937", **about))["action_attempt"]
        assert (attempt["action_type"], attempt["status"], attempt["result"]) == (
            "SIMULATE_KEYPAD_CODE_ENTRY",
            "success",
            {},
        )
        assert unit.switches[1].active

        async def unlocked() -> Any:
            return await world.events(event_type="lock.unlocked")

        (told,) = await world.eventually(unlocked)
        assert (told["method"], told["access_code_id"]) == ("keycode", code_id)
        assert (await world.device())["properties"]["locked"] is False
        ended = await world.events(event_type="action_attempt.simulate_keypad_code_entry.succeeded")
        assert [one["action_attempt_id"] for one in ended] == [attempt["action_attempt_id"]]
        assert await world.attempt(attempt["action_attempt_id"]) == attempt


async def test_a_code_lets_in_and_never_locks_out(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        unit = await world.watched()
        pins = {"482937": await create(world, code="482937"), "593841": await create(world, code="593841")}
        for code_id in pins.values():
            await reaches(world, code_id, "set")
        await world.call("/locks/unlock_door", **about)
        entered = []
        for pin in (*pins, *pins):
            attempt = (await world.call(KEYPAD, code=pin, **about))["action_attempt"]
            assert attempt["status"] == "success"
            entered.append(pins[pin])
            assert unit.switches[1].active

            async def told() -> Any:
                found = await world.events(event_type="lock.unlocked")
                return len(found) > len(entered) and found

            first, *others = await world.eventually(told)
            assert first["method"] == "remote"
            assert [(e["method"], e["access_code_id"]) for e in others] == [("keycode", one) for one in entered]
            assert (await world.call("/locks/get", **about))["lock"]["properties"]["locked"] is False
        await world.pass_time(10)
        assert len(await world.events(event_type="lock.unlocked")) == 5
        assert await world.events(event_type="lock.locked") == []


async def test_a_wrong_code_does_not_let_in(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        unit = await world.watched()
        attempt = (await world.call(KEYPAD, code="593841", **about))["action_attempt"]
        assert (attempt["status"], attempt["error"]["type"]) == ("error", "access_denied")
        assert "593841" not in str(attempt)
        assert not unit.switches[1].active

        async def denied() -> Any:
            return await world.events(event_type="lock.access_denied")

        (told,) = await world.eventually(denied)
        assert told["reason"]["reason_code"] == "unknown_code"
        assert await world.events(event_type="lock.unlocked") == []
        assert len(await world.events(event_type="action_attempt.simulate_keypad_code_entry.failed")) == 1
        for wrong in ("", "12a4", "1" * 13):
            await world.fail(KEYPAD, 400, "invalid_input", code=wrong, **about)


async def test_nobody_types_at_a_device_without_power(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        code_id = await create(world, code="482937")
        await reaches(world, code_id, "set")
        await world.call("/devices/simulate/disconnect", **about)
        attempt = (await world.call(KEYPAD, code="482937", **about))["action_attempt"]
        assert (attempt["status"], attempt["error"]["type"]) == ("error", "device_disconnected")
        await world.call("/devices/simulate/connect", **about)
        attempt = (await world.call(KEYPAD, code="482937", **about))["action_attempt"]
        assert attempt["status"] == "success"

        async def unlocked() -> Any:
            return await world.events(event_type="lock.unlocked")

        assert (await world.eventually(unlocked))[0]["access_code_id"] == code_id


async def test_what_no_intercom_can_do_is_said(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        about = {"device_id": world.devices[0]}
        none = "device_type_not_supported"
        await world.fail("/locks/simulate/manual_lock_via_keypad", 400, none, **about)
        await world.fail("/locks/configure_auto_lock", 400, none, auto_lock_enabled=True, **about)
        await world.fail(
            "/locks/configure_auto_lock",
            400,
            "invalid_input",
            auto_lock_enabled=True,
            auto_lock_delay_seconds=61,
            **about,
        )
        known = {**about, "schlage_metadata": {"time_zone": "Europe/Paris"}}
        report = "/devices/report_provider_metadata"
        error = await world.fail(report, 400, "device_type_not_supported", devices=[known])
        assert error["data"] == about
        await world.fail(report, 400, "invalid_input", devices=[{"schlage_metadata": {"time_zone": "Europe/Paris"}}])
        other = await new_workspace(world, "Real", is_sandbox=False)
        for path in (KEYPAD, "/locks/simulate/manual_lock_via_keypad"):
            await other.fail(path, 404, "device_not_found", code="482937", **about)


async def test_who_connects_an_account_anew_finds_its_devices_on(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.call("/devices/simulate/disconnect", device_id=world.devices[0])
        account_id = (await world.device())["connected_account_id"]
        await world.call("/connected_accounts/delete", connected_account_id=account_id)
        await world.connect()
        assert (await world.device())["properties"]["online"]
