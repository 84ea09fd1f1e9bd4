"""Pictures over a link: on every wire, once more after a broken line, and nothing but pictures."""

import asyncio
from typing import Any

import pytest

from doorward.providers.base import ChoosesSwitch, TakesPictures
from doorward.providers.errors import (
    NotAuthorized,
    Offline,
    Refused,
    Unsupported,
)
from doorward.providers.my_2n.camera import _settings
from doorward.providers.my_2n.emulator import ACCESS_UNIT, UNI, SwitchConfig
from doorward.providers.my_2n.emulator.picture import grey_jpeg
from doorward.providers.reports import PictureSettings

from .world import until, watching, world


@pytest.mark.parametrize("wire", ["in-process", "socket", "tls"])
async def test_a_picture_on_every_wire(wire: str) -> None:
    async with world(wire) as w:
        assert isinstance(w.link, TakesPictures)
        assert await w.link.take_picture(w.device, 640, 480, "internal") == grey_jpeg(640, 480)
        w.unit.faults.arm("stale-nonce", path="camera/snapshot")
        assert await w.link.take_picture(w.device, 1280, 960, "internal") == grey_jpeg(1280, 960)


@pytest.mark.parametrize(("kind", "error"), [("truncate", Refused), ("http-500", Refused), ("reply-lost", Offline)])
async def test_a_picture_is_asked_for_once_more_and_never_passed_on_in_part(kind: str, error: type[Exception]) -> None:
    async with world() as w:
        w.unit.faults.arm(kind, path="camera/snapshot", times=1)
        assert await w.link.take_picture(w.device, 640, 480, "internal") == grey_jpeg(640, 480)
        w.unit.faults.arm(kind, path="camera/snapshot")
        with pytest.raises(error):
            await w.link.take_picture(w.device, 640, 480, "internal")


async def test_a_size_that_the_device_refuses_is_a_refusal_and_no_picture() -> None:
    async with world() as w:
        with pytest.raises(Refused):
            await w.link.take_picture(w.device, 641, 480, "internal")


async def test_the_settings_are_asked_for_once_a_minute_or_after_a_change() -> None:
    async with world() as w:
        found = await w.link.picture_settings(w.device)
        assert found.sizes[0] == (160, 120) and found.sources == ("internal",)
        w.unit.requests.clear()
        assert await w.link.picture_settings(w.device) == found
        assert w.requests() == []
        await w.clock.advance(61)
        await w.link.picture_settings(w.device)
        assert len(w.requests("camera/caps")) == 1


@pytest.mark.parametrize("model", [UNI, ACCESS_UNIT])
async def test_a_model_without_a_camera_has_no_pictures(model: Any) -> None:
    async with world(model=model) as w:
        with pytest.raises(Unsupported):
            await w.link.picture_settings(w.device)


async def test_pictures_are_taken_one_after_the_other() -> None:
    async with world() as w:
        w.unit.faults.arm("slow", path="camera/snapshot", seconds=1)
        taking = [asyncio.ensure_future(w.link.take_picture(w.device, 640, 480, "internal")) for _ in range(3)]
        await until(lambda: w.requests("camera/snapshot"))
        for _ in range(200):  # time for a second one, if there were one
            await asyncio.sleep(0)
        under_way = [r for r in w.unit.requests if r["path"] == "/api/camera/snapshot" and r["status"] is None]
        assert len(under_way) == 1
        assert (await w.link.unlock(w.device, 5.0)).locked is False
        while not all(one.done() for one in taking):
            await w.clock.advance(0.5)
            await asyncio.sleep(0)
        assert {await one for one in taking} == {grey_jpeg(640, 480)}


@pytest.mark.parametrize(
    ("reply", "settings"),
    [
        ({}, PictureSettings((), ())),
        ({"jpegResolution": "many", "sources": {}}, PictureSettings((), ())),
        (
            {"jpegResolution": [{"width": True, "height": 1}, {"width": 0, "height": 2}, {"height": 3}, None]},
            PictureSettings((), ()),
        ),
        (
            {
                "jpegResolution": [{"width": 2, "height": 9}, {"width": 3, "height": 3}, {"width": 3, "height": 3}],
                "sources": [{"source": "external"}, {"source": "internal"}, {"source": "roof"}, {}],
            },
            PictureSettings(((3, 3), (2, 9)), ("internal", "external")),
        ),
    ],
)
def test_odd_settings_are_read_as_far_as_they_make_sense(reply: dict[str, Any], settings: PictureSettings) -> None:
    assert _settings(reply) == settings


# ---------------------------------------------------------------- another switch


async def test_choosing_a_switch_asks_the_device_and_changes_nothing() -> None:
    async with world() as w, watching(w) as watch:
        await watch.state()
        assert isinstance(w.link, ChoosesSwitch)
        w.unit.configure_switch(2, SwitchConfig(mode="monostable", duration=9))
        found = await w.link.choose_switch(w.device, 2)
        assert found.secret == {"switch": 2}
        assert (found.report.metadata["door_switch"], found.report.metadata["door_switch_pulse_seconds"]) == (2, 9)
        assert (await w.link.read_device(w.device)).metadata["door_switch"] == 1
        assert w.requests("switch/ctrl") == []
        w.unit.configure_switch(2, SwitchConfig(enabled=False))
        for number, words in ((2, "Switch 2 is disabled"), (7, "no switch 7")):
            with pytest.raises(Unsupported, match=words):
                await w.link.choose_switch(w.device, number)


async def test_another_device_at_the_same_address_gives_no_picture_and_no_switch() -> None:
    async with world() as w:
        w.secret["url"] = w.url
        w.unit.serial = "54-9001-9999"
        w.unit.configure_switch(2, SwitchConfig())
        for asked in (
            w.link.picture_settings(w.device),
            w.link.take_picture(w.device, 640, 480, "internal"),
            w.link.choose_switch(w.device, 2),
        ):
            with pytest.raises(NotAuthorized, match="Another device answers"):
                await asked
        assert w.requests("camera") == []
