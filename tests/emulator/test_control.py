"""The control plane and the command."""

import asyncio
import json
import os
import signal
import sys
from typing import Any

import aiohttp
import pytest

from doorward.providers.my_2n.emulator import Options, Privilege, serve, start_units

from .client import ANN, Control, Device, user


async def test_devices_are_listed_with_their_state_and_no_secrets(control: Control) -> None:
    control.unit.directory.create([user("98765")], force=False)
    async with control.session.get(f"{control.running.control_url}/devices") as response:
        text = await response.text()
    listed = json.loads(text)["devices"]
    assert [entry["url"] for entry in listed] == control.running.urls
    assert listed[0]["serial"] == control.unit.serial and listed[0]["directory"]["users"] == 1
    assert listed[0]["switches"][0]["active"] is False
    assert "98765" not in text and '"password"' not in text
    assert (await control("GET", ""))["serial"] == control.unit.serial


async def test_keys_cards_and_inputs_reach_the_door(control: Control) -> None:
    await control("PUT", f"/users/{ANN}", user("040718", access={"card": ["4BC5D8F1"]}))
    await control("POST", "/keys", {"keys": "040718*"})
    assert control.unit.switches[1].active
    assert await control("POST", "/cards", {"uid": "4BC5D8F1", "reader": "ext7"}) == {"opened": True}
    await control("PUT", "/inputs/input1", {"state": 1})
    assert control.unit.ports.state("input1")
    await control("PUT", "/inputs/input1", {"state": False})
    assert not control.unit.ports.state("input1")
    await control("POST", "/keys", {"keys": ["%1"]})
    await control("POST", "/keys", {"keys": "%12"})
    assert len(control.unit.calls.sessions) == 2


async def test_accounts_change_in_part(control: Control, client: Device) -> None:
    await control("PUT", "/accounts/jane", {"privileges": ["SystemControl", "I/O - Monitoring"]})
    assert control.unit.gate.accounts[0].privileges == {Privilege.SYSTEM_CONTROL, Privilege.IO_MONITORING}
    assert await client.error("switch/status") == (10, None)
    await control("PUT", "/accounts/jane", {"privileges": []})
    assert await client.error("dir/template") == (10, None)
    await control("PUT", "/accounts/jane", {"privileges": ["all"], "enabled": False})
    assert await client.error("switch/status") == (9, None)
    await control("PUT", "/accounts/jane", {"enabled": True})
    assert await client.ok("switch/status")
    await control("PUT", "/accounts/jane", {"password": "new"})
    assert await client.error("switch/status") == (9, None)
    for number in range(4):
        await control("PUT", f"/accounts/user{number}", {"password": "x"})
    await control("PUT", "/accounts/user5", {"password": "x"}, 409)
    await control("PUT", "/accounts/user6", {}, 400)
    await control("PUT", "/accounts/jane", {"privileges": ["doors"]}, 400)


async def test_services_change_in_part(control: Control, client: Device) -> None:
    await control("PUT", "/services/switch", {"enabled": False})
    assert await client.error("switch/status") == (4, None)
    await control("PUT", "/services/switch", {"enabled": True, "connection": "tls"})
    assert await client.error("switch/status") == (7, None)
    await control("PUT", "/services/Switch%20API", {"connection": "tcp", "authentication": "basic"})
    assert (await client.error("switch/status"))[0] in (8, 9)
    await control("PUT", "/services/switch", {"authentication": "none"})
    assert await client.ok("switch/status")


async def test_switches_are_configured_with_events(control: Control, client: Device) -> None:
    await control("PUT", "/switches/2", {"enabled": True, "mode": "bistable", "duration": 9})
    assert (await client.ok("switch/caps", switch=2))["switches"][0]["mode"] == "bistable"
    names = [name for name, _ in await client.happened()]
    assert names == ["DeviceState", "SwitchOperationChanged", "ConfigurationChanged"]
    await client.ok("switch/ctrl", switch=2, action="on")
    await control("PUT", "/switches/2", {"enabled": False})
    assert not control.unit.switches[2].active


async def test_the_clock_is_skewed_and_moved_to_another_zone(control: Control, client: Device) -> None:
    await control("PUT", "/clock", {"offset": 10800, "zone": "Europe/Prague"})
    status = await client.ok("system/status")
    assert status["systemTime"] == control.clock.now() // 1000 + 10800
    assert (await client.ok("system/timezone"))["zone"] == "Europe/Prague"
    await control("PUT", "/clock", {"zone": ""})
    assert (await client.ok("system/timezone"))["zone"] == ""


async def test_somebody_else_edits_the_directory(control: Control, client: Device) -> None:
    await control("PUT", f"/users/{ANN}", user("1111", "Ann"))
    await control("PUT", f"/users/{ANN}", {"access": {"pin": "2222"}})
    (entry,) = (await client.query(fields=["name", "access.pin"]))["users"]
    assert (entry["name"], entry["access"]["pin"]) == ("Ann", "2222")
    await control("DELETE", f"/users/{ANN}")
    assert (await client.query())["users"][0]["deleted"] is True
    assert len(await client.happened("DirectoryChanged")) == 3
    await control("DELETE", f"/users/{ANN}", status=404)
    await control("PUT", f"/users/{ANN}", {"nickname": "x"}, 400)


@pytest.mark.parametrize("path", ["/reboot", "/power-cut", "/factory-reset"])
async def test_power_goes_and_comes_back(control: Control, path: str) -> None:
    boot = control.unit.boot_uuid
    assert await control("POST", path, {"outage": 2}) == {"outage": 2}
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", control.running.listeners[0].port)
    await control("POST", "/keys", {"keys": "1"}, 409)
    assert (await control("GET", ""))["online"] is False
    await control.clock.advance(2)
    back = await control("GET", "")
    assert back["online"] is True and back["boot_uuid"] != boot


async def test_faults_are_armed_listed_and_cleared(control: Control, client: Device) -> None:
    await control("POST", "/faults", {"kind": "http-500", "path": "/api/switch", "times": 2})
    assert (await control("GET", ""))["faults"] == [
        {"kind": "http-500", "path": "/api/switch", "times": 2, "seconds": None}
    ]
    async with client.session.get(f"{client.url}/api/switch/status") as reply:
        assert reply.status == 500
    await control("DELETE", "/faults", {"kind": "slow"})
    assert (await control("GET", ""))["faults"][0]["times"] == 1
    await control("DELETE", "/faults")
    assert await client.ok("switch/status")


async def test_requests_are_listed_without_secrets(control: Control, client: Device) -> None:
    await client.put("dir/create", {"users": [user("98765")]})
    await client.ok("switch/ctrl", switch=1, action="on", pin="98765", user="jane")
    await client.error("switch/ctrl", switch=9, action="on")
    listed = (await control("GET", "/requests"))["requests"]
    assert [(r["method"], r["path"], r["status"], r["code"]) for r in listed] == [
        ("PUT", "/api/dir/create", 401, 9),
        ("PUT", "/api/dir/create", 200, None),
        ("GET", "/api/switch/ctrl", 200, None),
        ("GET", "/api/switch/ctrl", 200, 12),
    ]
    assert "switch=1&action=on" in listed[2]["query"]
    assert all(r["time"] == control.clock.now() for r in listed)
    assert "98765" not in json.dumps(listed)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/keys", {}, 400),
        ("POST", "/keys", {"keys": "hello"}, 400),
        ("POST", "/keys", {"keys": 5}, 400),
        ("POST", "/keys", [], 400),
        ("POST", "/cards", {"uid": "xyz"}, 400),
        ("PUT", "/inputs/input9", {"state": 1}, 404),
        ("PUT", "/inputs/relay1", {"state": 1}, 404),
        ("PUT", "/inputs/input1", {"state": 2}, 400),
        ("PUT", "/services/coffee", {}, 404),
        ("PUT", "/services/switch", {"authentication": "magic"}, 400),
        ("PUT", "/switches/9", {}, 404),
        ("PUT", "/switches/x", {}, 404),
        ("PUT", "/switches/1", {"duration": 0}, 400),
        ("PUT", "/switches/1", {"speed": 1}, 400),
        ("PUT", "/clock", {"zone": "Moon/Sea"}, 400),
        ("POST", "/reboot", {"outage": -1}, 400),
        ("POST", "/certificate", None, 409),
        ("POST", "/faults", {"kind": "flood"}, 400),
        ("POST", "/faults", {"kind": "slow", "times": 0}, 400),
        ("POST", "/nothing", {}, 404),
        ("GET", "/keys", None, 405),
    ],
)
async def test_bad_input_is_answered_with_a_4xx(
    control: Control, method: str, path: str, body: Any, status: int
) -> None:
    await control(method, path, body, status)


async def test_a_body_that_is_no_json_and_an_unknown_device_are_refused(control: Control) -> None:
    url = f"{control.running.control_url}/devices"
    async with control.session.post(f"{url}/{control.unit.serial}/keys", data=b"{") as response:
        assert response.status == 400
    async with control.session.post(f"{url}/00-0000-0000/keys", json={"keys": "1"}) as response:
        assert response.status == 404


async def test_a_new_certificate_is_told() -> None:
    async with await start_units(use_tls=True, control_port=0) as running, aiohttp.ClientSession() as session:
        old = running.listeners[0].fingerprint
        url = f"{running.control_url}/devices/{running.units[0].serial}/certificate"
        async with session.post(url) as response:
            new = (await response.json())["fingerprint"]
        assert new == running.listeners[0].fingerprint != old


# ---------------------------------------------------------------- the command

PROGRAM = """
import asyncio
from doorward.providers.my_2n.emulator import Options, serve
asyncio.run(serve(Options(port=0, count=2, control_port=0, user="ann", password="s3cret", tls=True)))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_says_when_it_is_ready_and_ends_cleanly(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert len({entry["serial"] for entry in ready["devices"]}) == 2
    async with aiohttp.ClientSession() as session:
        for entry in ready["devices"]:
            assert entry["url"].startswith("https://")
            async with session.get(f"{entry['url']}/api/system/info", ssl=False) as response:
                assert (await response.json())["result"]["serialNumber"] == entry["serial"]
        async with session.get(f"{ready['control']}/devices") as response:
            listed = (await response.json())["devices"]
            assert [entry["accounts"][0]["name"] for entry in listed] == ["ann", "ann"]
    process.send_signal(number)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_ports_follow_each_other_and_a_taken_one_is_an_error() -> None:
    async with await start_units(1) as running:
        taken = running.listeners[0].port
        with pytest.raises(OSError, match="in use"):
            await start_units(2, port=taken - 1)
        async with await start_units(1, port=0) as other:
            assert other.units[0].serial != running.units[0].serial
            assert other.control_url is None


async def test_senseless_options_are_refused() -> None:
    with pytest.raises(ValueError, match="no model"):
        await serve(Options(model="toaster"))
    with pytest.raises(ValueError, match="at least 1"):
        await serve(Options(count=0))
    assert "1234" not in repr(Options())
