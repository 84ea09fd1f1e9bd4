"""Intercoms in a directory: what survives, who may use it, and what a half-written file does."""

import json
import os
from pathlib import Path

import aiohttp
import pytest

from doorward.providers.my_2n.emulator import STYLE, VERSO, Account, Running, Service, SwitchConfig, start_units

from .client import ANN, answer, user


async def live_through_something(running: Running) -> None:
    unit = running.units[0]
    unit.put_account(Account("bob", "s3cret"))
    unit.configure_service(Service.SWITCH, unit.services[Service.IO])
    unit.configure_switch(2, SwitchConfig(mode="bistable", codes=("9911",)))
    unit.time.offset_s = -3600.0
    unit.time.set_zone("Europe/Prague")
    unit.directory.create([{"uuid": ANN, **user("1234", "Ann")}], force=False)
    await unit.directory_changed(0)
    unit.press_keys("1234*")


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    async with await start_units(2, use_tls=True, state=tmp_path) as running:
        await live_through_something(running)
        before = [(unit.serial, unit.boot_uuid, unit.directory.series) for unit in running.units]
        fingerprints = [listener.fingerprint for listener in running.listeners]
        last = running.units[0].log.next_id
    async with await start_units(2, use_tls=True, state=tmp_path, serial="54-0000-0001") as running:
        assert [(unit.serial, unit.boot_uuid, unit.directory.series) for unit in running.units] == before
        assert [listener.fingerprint for listener in running.listeners] == fingerprints
        unit = running.units[0]
        assert [account.name for account in unit.gate.accounts] == ["jane", "bob"]
        assert (unit.switches[2].config.mode, unit.switches[2].config.codes) == ("bistable", ("9911",))
        assert (unit.time.offset_s, unit.time.zone) == (-3600.0, "Europe/Prague")
        assert unit.log.next_id == last
        assert unit.switches[1].active
        found = unit.directory.find(ANN)
        assert found is not None and found.get("access.pin") == "1234"
        unit.press_keys("5")
        assert unit.log.events[-1].id == last + 1


async def test_what_the_directory_acknowledged_is_in_the_file(tmp_path: Path) -> None:
    async with (
        await start_units(state=tmp_path) as running,
        aiohttp.ClientSession(middlewares=[aiohttp.DigestAuthMiddleware("jane", "1234")]) as session,
    ):
        body = {"users": [user("40718")]}
        async with session.put(f"{running.urls[0]}/api/dir/create", json=body) as reply:
            assert (await reply.json())["success"]
        kept = json.loads((tmp_path / "1.json").read_text())
        assert [entry[2]["access.pin"] for entry in kept["unit"]["directory"]["entries"]] == ["40718"]


async def test_a_login_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = "/api/switch/status"
    async with aiohttp.ClientSession() as session:
        async with await start_units(state=tmp_path) as running, session.get(running.urls[0] + path) as reply:
            header = {"Authorization": answer(reply.headers["WWW-Authenticate"], path)}
        async with (
            await start_units(state=tmp_path) as running,
            session.get(running.urls[0] + path, headers=header) as reply,
        ):
            assert reply.status == 200


async def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    async with await start_units(state=state):
        assert state.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}


async def test_a_half_written_file_never_loses_the_old_one(tmp_path: Path) -> None:
    async with await start_units(state=tmp_path) as running:
        serial = running.units[0].serial
    (tmp_path / "1.new").write_text('{"unit":{"form')  # what a crash while writing leaves
    async with await start_units(state=tmp_path) as running:
        assert running.units[0].serial == serial
    assert not (tmp_path / "1.new").exists()


@pytest.mark.parametrize(
    "text", ["", "{}", '{"unit":{},"format":99}', '{"unit":{"format":99}}', '{"unit":{"format":1}}']
)
async def test_a_file_that_is_none_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.json").write_text(text)
    with pytest.raises(ValueError):
        await start_units(state=tmp_path)
    assert (tmp_path / "1.json").read_text() == text


async def test_a_directory_is_for_one_emulator_at_a_time(tmp_path: Path) -> None:
    async with await start_units(state=tmp_path):
        with pytest.raises(ValueError, match="Another emulator"):
            await start_units(state=tmp_path)
    async with await start_units(state=tmp_path):
        pass


async def test_an_intercom_does_not_become_another_model(tmp_path: Path) -> None:
    async with await start_units(state=tmp_path, model=STYLE):
        pass
    with pytest.raises(ValueError, match="is a style"):
        await start_units(state=tmp_path, model=VERSO)
    async with await start_units(2, state=tmp_path, model=[STYLE, VERSO]) as running:
        assert [unit.model for unit in running.units] == [STYLE, VERSO]


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/dev/full"), reason="needs /dev/full")
async def test_a_write_that_fails_is_no_success(tmp_path: Path) -> None:
    async with (
        await start_units(state=tmp_path) as running,
        aiohttp.ClientSession(middlewares=[aiohttp.DigestAuthMiddleware("jane", "1234")]) as session,
    ):
        (tmp_path / "1.new").unlink(missing_ok=True)
        (tmp_path / "1.new").symlink_to("/dev/full")
        async with session.put(f"{running.urls[0]}/api/dir/create", json={"users": [user("40718")]}) as reply:
            assert reply.status == 500
        (tmp_path / "1.new").unlink()
    async with await start_units(state=tmp_path) as running:
        assert len(running.units[0].directory) == 1  # it was tried again
