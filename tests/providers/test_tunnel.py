"""The client through a gateway.

The gateway is an imitation: 2N's own is not public. It is a small reverse proxy with what any such thing has: a path
for each device, a header of its own, latency, and answers of its own when something is wrong.
"""

from collections.abc import AsyncIterator

import pytest
from tests.support.gateway import HEADER, KEY, Scene, open_scene

from doorward.providers.errors import NotAuthorized, Offline, OutcomeUnknown
from doorward.providers.my_2n.client import TwoNClient
from doorward.providers.my_2n.emulator import Service, ServiceSettings
from doorward.providers.my_2n.troubles import (
    DeviceTrouble,
    LoginRefused,
    NotThroughTunnel,
    TunnelRefused,
    outward,
)
from doorward.providers.my_2n.tunnel import Tunnel


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_scene() as one:
        yield one


async def test_a_device_works_through_the_gateway(scene: Scene) -> None:
    async with scene.client() as client:
        assert (await client.system_info())["serialNumber"] == scene.unit.serial
        await client.switch_ctrl(1, "on")
        assert any(s["active"] for s in await client.switch_status())
        created = await client.dir_create({"name": "Jo", "access": {"pin": "4711"}})
        assert [entry.uuid for entry in scene.unit.directory.live()] == [created["uuid"]]
        channel = await client.log_subscribe(include="all", names=[], duration=60)
        assert await client.log_pull(channel, 0)
    # The Digest is made for the path that the device sees, and reaches it.
    assert {r["status"] for r in scene.unit.requests} == {200, 401}
    assert all(r["path"].startswith("/api/") for r in scene.unit.requests)
    assert all(path.startswith(f"/raa/{scene.unit.serial}/api/") for path, _ in scene.gateway.asked)


@pytest.mark.parametrize("latency", [0.1, 2.0])
async def test_latency_is_waited_for(scene: Scene, latency: float) -> None:
    scene.gateway.latency = latency
    async with scene.client() as client:
        await client.switch_ctrl(1, "on", timeout=8.0)
        assert [r["status"] for r in scene.unit.requests] == [401, 200]


async def test_a_command_is_bounded_by_its_own_time(scene: Scene) -> None:
    scene.gateway.latency = 2.0
    async with scene.client() as client:
        with pytest.raises(DeviceTrouble) as caught:
            await client.switch_ctrl(1, "on", timeout=0.3)
        assert isinstance(outward(caught.value), OutcomeUnknown)


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_device_that_is_not_connected_is_offline(scene: Scene, status: int) -> None:
    scene.gateway.answer = status
    async with scene.client() as client:
        with pytest.raises(NotThroughTunnel) as caught:
            await client.switch_status()
        trouble = outward(caught.value)
        assert type(trouble) is Offline and "not connected" in trouble.message
        assert len(scene.gateway.asked) == 1


async def test_a_command_the_gateway_gave_up_on_may_have_been_carried_out(scene: Scene) -> None:
    scene.gateway.answer = 504
    scene.gateway.forwards_first = True
    async with scene.client() as client:
        with pytest.raises(NotThroughTunnel) as caught:
            await client.switch_ctrl(1, "on")
        assert type(outward(caught.value)) is OutcomeUnknown
    assert [r["status"] for r in scene.unit.requests] == [401, 200]


@pytest.mark.parametrize("challenge", [None, 'Bearer realm="gateway"', 'Basic realm="gateway"'])
async def test_a_key_the_gateway_does_not_take(scene: Scene, challenge: str | None) -> None:
    scene.gateway.challenge = challenge
    async with scene.client(key="another key") as client:
        with pytest.raises(TunnelRefused) as caught:
            await client.switch_status()
        trouble = outward(caught.value)
        assert type(trouble) is NotAuthorized and "tunnel" in trouble.message and "another" not in trouble.message
    assert not scene.unit.requests
    assert not any(carried for _, carried in scene.gateway.asked)


async def test_a_login_the_device_does_not_take_is_the_device_s(scene: Scene) -> None:
    async with scene.client(password="wrong") as client:
        with pytest.raises(LoginRefused):
            await client.switch_status()


async def test_a_device_that_asks_for_basic_is_told_from_a_gateway_that_does(scene: Scene) -> None:
    scene.unit.services[Service.SWITCH] = ServiceSettings(authentication="basic")
    async with scene.client() as client:
        assert await client.switch_status()


async def test_the_key_is_not_shown(scene: Scene) -> None:
    tunnel = Tunnel("https://gateway.example/{device}", HEADER, KEY)
    client = TwoNClient(tunnel.base_of("54-9001-0042"), "jane", "1234", tunnel=tunnel)
    for text in (repr(tunnel), str(tunnel), repr(client)):
        assert "only-the-gateway-knows" not in text
    await client.close()


@pytest.mark.parametrize(
    ("template", "name", "value"),
    [
        ("http://gateway.example/{device}", HEADER, KEY),
        ("ftp://127.0.0.1/{device}", HEADER, KEY),
        ("https://gateway.example/", HEADER, KEY),
        ("https://{device}.gateway.example/", HEADER, KEY),
        ("https://gateway.example/{device}/{device}", HEADER, KEY),
        ("https://gateway.example/{other}/{device}", HEADER, KEY),
        ("https://jane:1234@gateway.example/{device}", HEADER, KEY),
        ("https://gateway.example/{device}?x=1", HEADER, KEY),
        ("https:///{device}", HEADER, KEY),
        ("https://gateway.example/{device}", "Authorization", KEY),
        ("https://gateway.example/{device}", "Host", KEY),
        ("https://gateway.example/{device}", "X Key", KEY),
        ("https://gateway.example/{device}", "", KEY),
        ("https://gateway.example/{device}", HEADER, "a\r\nb: c"),
        ("https://gateway.example/{device}", HEADER, " "),
        ("https://gateway.example/{device}", HEADER, "ключ"),
    ],
)
def test_a_tunnel_that_makes_no_sense(template: str, name: str, value: str) -> None:
    with pytest.raises(ValueError) as caught:
        Tunnel(template, name, value)
    assert value not in str(caught.value) or not value.strip()


@pytest.mark.parametrize(
    "base",
    [
        "https://evil.example/54-9001-0042",
        "https://gateway.example.evil/54-9001-0042",
        "https://gateway.example/",
        "https://gateway.example/..",
        "https://gateway.example/a/b",
        "https://gateway.example/a?b",
        "http://gateway.example/54-9001-0042",
    ],
)
def test_the_key_goes_to_the_gateway_alone(base: str) -> None:
    tunnel = Tunnel("https://gateway.example/{device}", HEADER, KEY)
    with pytest.raises(ValueError):
        TwoNClient(base, "jane", "1234", tunnel=tunnel)
    assert tunnel.checked(tunnel.base_of("a/b c")) == "https://gateway.example/a%2Fb%20c"
    for device in ("", ".", ".."):
        with pytest.raises(ValueError):
            tunnel.base_of(device)
