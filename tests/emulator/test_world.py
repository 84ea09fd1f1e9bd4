"""Telephones, fingers, cars, doors and a full directory, by way of the control plane."""

import asyncio
from typing import Any

import aiohttp
import pytest

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import UNI, start_units

from .client import ANN, Control, Device, user

HOLDER = user("040718", "Ann", access={"mobkey": "00C0FFEE", "fpt": "AAAA#fid=1;", "licensePlates": "1AB 2345, XYZ"})


async def happened(client: Device) -> list[tuple[str, dict[str, Any]]]:
    """What the last stimulus led to."""
    found = await client.happened()
    client.unit.log.clear()
    return found


@pytest.fixture
async def ann(control: Control, client: Device) -> str:
    await control("PUT", f"/users/{ANN}", HOLDER)
    client.unit.settle()
    await control.clock.advance(1)
    client.unit.log.clear()
    return ANN


OPENED = ["UserAuthenticated", "SwitchStateChanged", "OutputChanged"]


async def test_a_mobile_key_opens(control: Control, client: Device, ann: str) -> None:
    assert await control("POST", "/mobile-keys", {"authid": "00c0ffee"}) == {"opened": True}
    found = await happened(client)
    assert [name for name, _ in found] == ["WaveKeyActivated", "KeyPressed", "KeyReleased", "MobKeyEntered", *OPENED]
    entered, authenticated, switched = found[3][1], found[4][1], found[5][1]
    assert (entered["authid"], entered["uuid"], entered["valid"], entered["direction"]) == ("00c0ffee", ann, True, "in")
    assert entered["session"] == authenticated["session"] == switched["session"]
    assert (switched["originator"], switched["ap"]) == ("ap", 0)
    assert await control("POST", "/mobile-keys", {"authid": "AB"}) == {"opened": False}
    assert (await happened(client))[-1][0] == "UserRejected"


async def test_a_finger_opens_when_it_is_enrolled(control: Control, client: Device, ann: str) -> None:
    assert await control("POST", "/fingers", {"user": ann}) == {"opened": True}
    assert [name for name, _ in await happened(client)] == ["FingerEntered", *OPENED]
    for body in ({}, {"user": "5c7a3f10-90ab-4d5e-8f01-000000000000"}):
        assert await control("POST", "/fingers", body) == {"opened": False}
        assert [name for name, _ in await happened(client)] == ["FingerEntered", "UserRejected"]
    await control("PUT", f"/users/{ann}", {"access": {"fpt": ""}})
    assert await control("POST", "/fingers", {"user": ann}) == {"opened": False}


async def test_five_wrong_fingers_pause_the_reader(control: Control, client: Device, ann: str) -> None:
    for _ in range(5):
        await control("POST", "/fingers", {})
    assert (await happened(client))[-1] == ("AccessLimited", {"ap": 0, "type": "finger", "state": "in"})
    assert await control("POST", "/fingers", {"user": ann}) == {"opened": False}
    await control.clock.advance(31)
    assert await control("POST", "/fingers", {"user": ann}) == {"opened": True}


async def test_a_licence_plate_opens(control: Control, client: Device, ann: str) -> None:
    assert await control("POST", "/plates", {"plate": "1ab2345", "ap": 1}) == {"opened": True}
    name, params = (await happened(client))[0]
    assert (name, params["licensePlate"], params["ap"], params["uuid"]) == ("LicensePlateRecognized", "1ab2345", 1, ann)
    assert "direction" not in params
    assert await control("POST", "/plates", {"plate": "NOBODY"}) == {"opened": False}


async def test_validity_is_judged_for_all_of_them(control: Control, client: Device, ann: str) -> None:
    await control("PUT", f"/users/{ann}", {"access": {"validTo": "1000000000"}})
    for path, body in (
        ("/mobile-keys", {"authid": "00C0FFEE"}),
        ("/fingers", {"user": ann}),
        ("/plates", {"plate": "XYZ"}),
    ):
        assert await control("POST", path, body) == {"opened": False}
        assert (await happened(client))[-1][1]["reason"] == "invalidTime"


async def test_the_exit_button_opens_from_inside(control: Control, client: Device) -> None:
    await happened(client)
    await control("POST", "/exit-button")
    found = await happened(client)
    assert [name for name, _ in found] == [
        "InputChanged",
        "RexActivated",
        "SwitchStateChanged",
        "OutputChanged",
        "InputChanged",
    ]
    assert found[2][1]["originator"] == "rex"
    assert not control.unit.ports.state("input2")


async def test_the_door_opens_rightly_or_is_forced(control: Control, client: Device, ann: str) -> None:
    await control("POST", "/keys", {"keys": "040718*"})
    await control("PUT", "/door", {"state": "open"})
    assert (await control("GET", ""))["door"] == "open"
    await control("PUT", "/door", {"state": "closed"})
    names = [name for name, _ in await happened(client)]
    assert names[-5:] == ["InputChanged", "DoorStateChanged", "AccessTaken", "InputChanged", "DoorStateChanged"]
    await control.clock.advance(60)
    await happened(client)
    await control("PUT", "/door", {"state": "open"})
    assert (await happened(client))[-1] == ("UnauthorizedDoorOpen", {"state": "in"})


async def test_calls_are_answered_and_ended(control: Control) -> None:
    await control("POST", "/calls/answer", {}, 404)
    await control("POST", "/keys", {"keys": ["%1"]})
    assert await control("POST", "/calls/answer") == {"session": 1}
    assert (await control("GET", ""))["calls"][0]["state"] == "connected"
    assert await control("POST", "/calls/hang-up", {"session": 1}) == {"session": 1}
    await control("POST", "/calls/hang-up", {"session": 1}, 404)


async def test_the_directory_is_filled(control: Control, client: Device, ann: str) -> None:
    reply = await control("POST", "/directory/fill", {"count": 300, "owner": "ACOM"})
    assert reply == {"created": 300, "refused": 0, "users": 301}
    await control("POST", "/directory/fill", {"count": 200, "pins": False})
    users = (await client.query(fields=["owner", "access.pin", "name"]))["users"]
    assert [entry["owner"] for entry in users].count("ACOM") == 300
    pins = [entry["access"]["pin"] for entry in users if entry["access"]["pin"]]
    assert len(pins) == len(set(pins)) == 301
    again = await control("POST", "/directory/fill", {"count": 300, "owner": "ACOM"})
    assert again["users"] == 801
    everyone = [entry.get("access.pin") for entry in control.unit.directory.live() if entry.get("access.pin")]
    assert len(everyone) == len(set(everyone)) == 601
    control.unit.faults.arm("directory-full")
    await control("POST", "/directory/fill", {"count": 2}, 409)


async def test_a_new_series_makes_clients_read_anew(control: Control, client: Device, ann: str) -> None:
    before = await client.query()
    told = await control("POST", "/directory/series")
    assert told["series"] != before["series"] and told["users"] == 1
    stale = await client.query(series=before["series"], iterator={"timestamp": before["timestamp"]})
    assert (stale["series"], stale["users"]) == (told["series"], [])
    assert (await client.happened("DirectoryChanged"))[-1][1]["series"] == told["series"]
    assert (await control("POST", "/directory/series", {"empty": True}))["users"] == 0


async def test_an_intercom_moves_to_another_address(control: Control, client: Device) -> None:
    old = control.running.listeners[0].port
    url = (await control("POST", "/address"))["url"]
    assert url != f"http://127.0.0.1:{old}"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", old)
    async with control.session.get(f"{url}/api/system/info") as reply:
        assert (await reply.json())["result"]["serialNumber"] == control.unit.serial
    assert (await control("GET", ""))["url"] == url
    await control("POST", "/address", {"port": control.running.listeners[1].port}, 409)
    assert (await control("GET", ""))["url"] == url


async def test_a_model_without_a_door_contact_says_so() -> None:
    async with (
        await start_units(model=UNI, control_port=0, clock=ManualClock()) as running,
        aiohttp.ClientSession() as session,
    ):
        control = Control(running, session, ManualClock())
        await control("PUT", "/door", {"state": "open"}, 409)
        await control("POST", "/exit-button")
        assert running.units[0].switches[1].active


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/mobile-keys", {"authid": "xyz"}),
        ("POST", "/mobile-keys", {}),
        ("POST", "/fingers", {"user": "ann"}),
        ("POST", "/plates", {"plate": ""}),
        ("POST", "/plates", {"plate": "x" * 13}),
        ("POST", "/cards", {"uid": "4BC5D8F1", "ap": 2}),
        ("PUT", "/door", {"state": "ajar"}),
        ("POST", "/directory/fill", {"count": 0}),
        ("POST", "/directory/fill", {}),
        ("POST", "/address", {"port": 70000}),
    ],
)
async def test_senseless_stimuli_are_refused(control: Control, method: str, path: str, body: Any) -> None:
    await control(method, path, body, 400)
