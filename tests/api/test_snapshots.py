"""Pictures of a device's camera, over the API: bytes, sizes, and who may not have them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support.server import World, new_workspace, until

from doorward.api.route import ROUTES
from doorward.forward import reads_only
from doorward.ids import new_personal_access_token
from doorward.providers.my_2n.emulator import Account, Privilege, Service, ServiceSettings, Unit
from doorward.providers.my_2n.emulator.call import Answer
from doorward.providers.my_2n.emulator.picture import RESOLUTIONS, grey_jpeg
from doorward.providers.my_2n.emulator.table import FUNCTIONS

GET = "/devices/doorward/get_snapshot"
SIZES = "/devices/doorward/list_snapshot_sizes"
NOWHERE = "00000000-0000-4000-8000-000000000000"


def about(world: World, **more: Any) -> dict[str, Any]:
    return {"device_id": world.devices[0], **more}


def asked_for(unit: Unit) -> list[str]:
    """Queries of the pictures the device was asked for."""
    return [r["query"] for r in unit.requests if r["path"] == "/api/camera/snapshot" and r["status"] == 200]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_picture_comes_as_bytes_that_nobody_keeps(world: World, method: str) -> None:
    how: dict[str, Any] = {"query": about(world)} if method == "GET" else {"body": about(world)}
    reply = await world.raw(GET, method=method, **how)
    assert reply.status == 200
    assert reply.body == grey_jpeg(640, 480)
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["seam-request-id"]
    assert asked_for(await world.unit()) == ["width=640&height=480&source=internal"]


async def test_a_picture_of_another_size_and_of_a_named_camera(world: World) -> None:
    for width, height in ((1280, 960), (160, 120)):
        reply = await world.raw(GET, about(world, width=width, height=height, source="internal"))
        assert reply.body == grey_jpeg(width, height)
        by_query = {"width": width, "height": height, "source": "internal"}
        assert (await world.raw(GET, method="GET", query=about(world, **by_query))).body == reply.body


async def test_the_sizes_are_listed(world: World) -> None:
    found = (await world.call(SIZES, device_id=world.devices[0]))["snapshot_sizes"]
    assert {(size["width"], size["height"]) for size in found["sizes"]} == set(RESOLUTIONS)
    assert found["sizes"][0] == {"width": 160, "height": 120} and found["sizes"][-1] == {"width": 1280, "height": 960}
    assert (found["device_id"], found["sources"]) == (world.devices[0], ["internal"])


async def test_what_the_camera_cannot_do_is_refused_naming_what_it_can(world: World) -> None:
    error = await world.fail(GET, 400, "invalid_input", **about(world, width=641, height=480))
    assert "641x480" in error["message"] and "640x480, 800x600" in error["message"]
    assert "640x480" in error["validation_errors"]["width"]["_errors"][0]
    error = await world.fail(GET, 400, "invalid_input", **about(world, source="external"))
    assert error["message"] == "The device has no external camera. Allowed: internal"
    for bad in (
        {"width": 640},
        {"height": 480},
        {"width": 0, "height": 0},
        {"width": "x", "height": 1},
        {"source": "x"},
    ):
        await world.fail(GET, 400, "invalid_input", **about(world, **bad))
    assert asked_for(await world.unit()) == []


async def test_the_usual_size_is_the_nearest_there_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    caps = {"jpegResolution": [{"width": 320, "height": 240}, {"width": 800, "height": 600}, {"width": "x"}, 7],
            "sources": [{"source": "external"}, {"source": "roof"}]}  # fmt: skip
    monkeypatch.setitem(FUNCTIONS["/api/camera/caps"].run, "GET", lambda _call: caps)
    monkeypatch.setitem(
        FUNCTIONS["/api/camera/snapshot"].run, "GET", lambda _call: Answer(grey_jpeg(8, 8), "image/jpeg", 0)
    )
    assert (await world.raw(GET, about(world))).status == 200
    assert asked_for(await world.unit()) == ["width=800&height=600&source=external"]


# ---------------------------------------------------------------- devices that do not give one


async def test_a_model_without_a_camera_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = await world.unit()
    unit.model = replace(unit.model, has_camera=False)
    for path in (GET, SIZES):
        error = await world.fail(path, 400, "device_type_not_supported", **about(world))
        assert error["data"] == {"device_id": world.devices[0]}
    unit.model = replace(unit.model, has_camera=True)
    none: dict[str, Any] = {"jpegResolution": [], "sources": []}
    monkeypatch.setitem(FUNCTIONS["/api/camera/caps"].run, "GET", lambda _call: none)
    error = await world.fail(GET, 400, "device_type_not_supported", **about(world))
    assert error["message"] == "This device has no camera."


async def test_a_missing_privilege_and_a_service_that_is_off_are_named(world: World) -> None:
    unit = await world.unit()
    unit.put_account(Account("jane", "1234", frozenset(Privilege) - {Privilege.CAMERA_MONITORING}))
    error = await world.fail(GET, 400, "device_refused", **about(world))
    assert "“Camera – Monitoring”" in error["message"]
    unit.put_account(Account("jane", "1234"))
    unit.configure_service(Service.CAMERA, ServiceSettings(enabled=False))
    error = await world.fail(GET, 400, "device_refused", **about(world))
    assert error["message"].startswith("The Camera service is switched off on the device.")
    device = await world.device()
    assert device["errors"] == [] and device["properties"]["online"], "the door is well"


async def test_a_device_that_is_away_or_has_no_login_says_so(world: World) -> None:
    unit = await world.unit()
    unit.faults.arm("refuse")
    error = await world.fail(GET, 400, "device_offline", **about(world))
    assert error["message"].endswith(".")
    await world.connect(email="joe@example.com", count=0, skip=1)
    await world.fail(GET, 400, "missing_device_credentials", **about(world))


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>not a picture</html>", b"\x89PNG\r\n\x1a\n" + bytes(100), b'{"success":true,"result":{}}',
     b"\xff\xd8\xff" + bytes(9 * 1024 * 1024)],
)  # fmt: skip
async def test_only_a_picture_of_a_bearable_size_is_passed_on(
    world: World, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    answer = Answer(content, "image/jpeg", 0)
    monkeypatch.setitem(FUNCTIONS["/api/camera/snapshot"].run, "GET", lambda _call: answer)
    error = await world.fail(GET, 400, "device_refused", **about(world))
    assert error["message"] == "The device answered something that is not the 2N HTTP API."


async def test_a_device_that_does_not_answer_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doorward.api.snapshots.WAIT_S", 0.1)
    (await world.unit()).faults.arm("half-open", path="camera/snapshot")
    await world.fail(GET, 400, "device_offline", **about(world))


async def test_a_door_opens_while_pictures_are_awaited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = await world.unit()
    await world.call(SIZES, device_id=world.devices[0])
    unit.faults.arm("half-open", path="camera/snapshot")
    monkeypatch.setattr("doorward.api.snapshots.WAIT_S", 2.0)
    waiting = [asyncio.ensure_future(world.raw(GET, about(world))) for _ in range(6)]
    await until(lambda: any(r["path"] == "/api/camera/snapshot" for r in unit.requests))
    attempt = (await world.call("/locks/unlock_door", device_id=world.devices[0]))["action_attempt"]
    assert attempt["status"] == "success"
    assert not any(one.done() for one in waiting)
    assert {one.status for one in await asyncio.gather(*waiting)} == {400}


# ---------------------------------------------------------------- who may


async def test_pictures_are_for_those_who_run_the_workspace(world: World) -> None:
    assert {ROUTES[path].auth for path in (GET, SIZES)} == {"A"}
    assert (await world.raw(GET, about(world), key="")).status == 401
    assert (await world.raw(GET, about(world), key=new_personal_access_token().text)).status == 401
    other = await new_workspace(world, "Other")
    await other.fail(GET, 404, "device_not_found", device_id=world.devices[0])
    await world.fail(GET, 404, "device_not_found", device_id=NOWHERE)
    await world.fail(GET, 400, "invalid_input")
    await world.call("/devices/update", device_id=world.devices[0], is_managed=False)
    await world.fail(GET, 400, "device_unmanaged", **about(world))
    assert asked_for(await world.unit()) == []


def test_pictures_are_asked_for_where_the_devices_are() -> None:
    assert not reads_only(GET) and not reads_only(SIZES)
    assert reads_only("/devices/get")
