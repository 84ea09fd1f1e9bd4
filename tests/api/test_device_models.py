"""Makers and models, as Seam's web components ask for them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import World, serving

MAKERS, MODELS = (f"/internal/devicedb/v1/{kind}" for kind in ("manufacturers", "device_models"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path, None) as made:
        yield made


async def names(world: World, query: str) -> list[str]:
    reply = await world.raw(f"{MODELS}/list", method="GET", query=query)
    assert reply.status == 200, reply
    return [one["display_name"] for one in reply.json["device_models"]]


async def test_a_maker_and_its_models(world: World) -> None:
    [maker] = (await world.call(f"{MAKERS}/list"))["manufacturers"]
    assert (maker["display_name"], maker["integration_support_level"]) == ("2N", "beta")
    models: list[Any] = (await world.call(f"{MODELS}/list"))["device_models"]
    assert maker["device_model_count"] == len(models) == len({one["device_model_id"] for one in models})
    cameras = {one["display_name"]: one["physical_properties"]["has_camera"] for one in models}
    assert (cameras["2N IP Verso"], cameras["2N Access Unit M"]) == (True, False)
    for model in models:
        assert await world.call(f"{MODELS}/get", device_model_id=model["device_model_id"]) == {
            "device_model": model,
            "ok": True,
        }
        picture = model["aesthetic_variants"][0]["images"][0]["url"]
        assert (await world.raw(picture.partition("door.test")[2], method="GET")).status == 200
    same = await world.call(f"{MAKERS}/get", manufacturer_id=maker["manufacturer_id"])
    assert same["manufacturer"] == maker
    for path, about, kind in (
        (f"{MAKERS}/get", {"manufacturer_id": "x"}, "manufacturer_not_found"),
        (f"{MODELS}/get", {"device_model_id": "x"}, "device_model_not_found"),
    ):
        await world.fail(path, 404, kind, **about)


async def test_models_are_chosen(world: World) -> None:
    everything = await names(world, "")
    [maker] = (await world.call(f"{MAKERS}/list"))["manufacturers"]
    levels = "integration_support_levels=stable&integration_support_levels=beta"
    assert await names(world, levels) == everything
    assert await names(world, "integration_support_levels=planned") == []
    assert await names(world, "text_search=access+UNIT+m") == ["2N Access Unit M"]
    assert await names(world, f"manufacturer_id={maker['manufacturer_id']}") == everything
    assert await names(world, "manufacturer_ids=x") == []
    assert await names(world, "main_category=thermostat") == []
    reply = await world.raw(f"{MAKERS}/list", {"integration_support_levels": ["planned"]})
    assert reply.json["manufacturers"] == []
    assert (await world.raw(f"{MAKERS}/list", {}, key="")).status == 401
