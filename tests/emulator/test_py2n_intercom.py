"""py2n-intercom 0.1.33, unchanged: a client that asks for a new challenge with each request, leaves the query out of
the digest `uri`, subscribes for an hour and polls for 25 seconds.

Its package says Python 3.12 or newer. Nothing in it needs that: it is installed beside the rest, whatever Python this
is, without a change to its source.
"""

import asyncio
import importlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import Quirks, Running, SwitchConfig, start_units

from .client import until

CLIENT = Path(__file__).parents[2] / ".cache" / "py2n-intercom"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if not CLIENT.exists():
        message = "needs py2n-intercom: run `make check`"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    monkeypatch.syspath_prepend(str(CLIENT))
    return importlib.import_module("py2n_intercom")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with await start_units(clock=ManualClock(), switches=[SwitchConfig(duration=5)]) as running:
        yield running


@pytest.fixture
async def client(package: ModuleType, running: Running) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession() as session:
        yield package.Py2NClient(session, running.urls[0], "jane", "1234")


async def test_it_connects_and_reads(client: Any, running: Running) -> None:
    unit = running.units[0]
    info = await client.async_get_device_info()
    assert (info.serial, info.model, info.title) == (unit.serial, "2N IP Verso", unit.name)
    assert info.boot_uuid == unit.boot_uuid
    assert re.fullmatch(r"7C:1E:B3(:[0-9A-F]{2}){3}", info.mac)
    assert [caps["switch"] for caps in await client.async_get_switch_caps() if caps["enabled"]] == [1]
    assert [status["active"] for status in await client.async_get_switch_status()] == [False] * 4
    assert "KeyPressed" in await client.async_get_log_caps()
    assert (640, 480) in await client.async_get_camera_caps()


async def test_it_opens_the_door_with_a_new_challenge_for_each_request(client: Any, running: Running) -> None:
    unit = running.units[0]
    for _ in range(3):
        await client.async_trigger_switch(1)
    assert unit.switches[1].active
    assert [request["status"] for request in unit.requests] == [401, 200] * 3
    assert unit.counters.nonces == 3
    assert unit.counters.writes == {"/api/switch/ctrl": 3}


async def test_it_hears_of_events_with_a_poll_of_25_seconds(client: Any, running: Running, package: ModuleType) -> None:
    unit = running.units[0]
    channel = await client.async_log_subscribe(event_filter=["KeyPressed", "SwitchStateChanged"])
    assert "duration=3600" in unit.requests[-1]["query"]
    pull = asyncio.create_task(client.async_log_pull(channel, timeout=25))
    await until(lambda: unit.counters.polls.now == 1 and unit.requests[-1]["status"] is None)
    unit.press_keys("5")
    (event,) = [package.Py2NLogEvent.from_dict(event) for event in await pull]
    assert (event.event, event.params) == ("KeyPressed", {"key": "5"})

    clock = unit.clock
    assert isinstance(clock, ManualClock)
    pull = asyncio.create_task(client.async_log_pull(channel, timeout=25))
    await until(lambda: unit.counters.polls.now == 1 and len(unit.requests) == 6)
    await clock.advance(25)
    assert await pull == []
    await client.async_log_unsubscribe(channel)
    with pytest.raises(package.Py2NApiError, match="12"):
        await client.async_log_pull(channel)


async def test_it_takes_a_picture_of_640_by_480(client: Any) -> None:
    picture = await client.async_get_snapshot()
    assert picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")
    frame = picture.index(b"\xff\xc0")
    assert (int.from_bytes(picture[frame + 7 : frame + 9]), int.from_bytes(picture[frame + 5 : frame + 7])) == (
        640,
        480,
    )


async def test_it_reads_a_stream_of_pictures(client: Any) -> None:
    reply = await client.async_open_snapshot_stream(width=640, height=480, fps=5)
    assert reply.content_type == "multipart/x-mixed-replace"
    assert (await reply.content.readline()).strip() == b"--frame"
    reply.close()


async def test_it_is_told_when_its_password_is_wrong(package: ModuleType, running: Running) -> None:
    async with aiohttp.ClientSession() as session:
        client = package.Py2NClient(session, running.urls[0], "jane", "wrong")
        with pytest.raises(package.Py2NApiError) as caught:
            await client.async_get_switch_status()
    assert caught.value.is_unauthorized


async def test_a_strict_intercom_turns_it_away(package: ModuleType) -> None:
    """Were devices strict about the digest `uri`, this client could not open a door in the field."""
    async with await start_units(quirks=Quirks(strict_uri=True)) as running, aiohttp.ClientSession() as session:
        client = package.Py2NClient(session, running.urls[0], "jane", "1234")
        await client.async_get_switch_status()
        with pytest.raises(package.Py2NApiError):
            await client.async_trigger_switch(1)
        assert not running.units[0].switches[1].active
