"""Clients as people use them, unchanged, over real sockets."""

import asyncio
import json
import shutil
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import py2n
import pytest
import requests
from py2n.model import Py2NConnectionData
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from doorward.clock import Clock
from doorward.providers.my_2n.emulator import (
    Account,
    Quirks,
    Running,
    Service,
    ServiceSettings,
    SwitchConfig,
    start_units,
)

from .client import device, user

ON = "/api/switch/ctrl?switch=1&action=on"


def by_requests(url: str) -> Any:
    with requests.Session() as session:
        session.auth = HTTPDigestAuth("jane", "1234")
        return [session.get(url, timeout=5).json() for _ in range(3)][-1]


def by_httpx(url: str) -> Any:
    with httpx.Client(auth=httpx.DigestAuth("jane", "1234"), trust_env=False) as client:
        return [client.get(url).json() for _ in range(3)][-1]


def by_basic(url: str) -> Any:
    return requests.get(url, auth=HTTPBasicAuth("jane", "1234"), timeout=5).json()


@pytest.mark.parametrize("client", [by_requests, by_httpx])
async def test_a_synchronous_digest_client_opens_the_door(client: Callable[[str], Any]) -> None:
    async with await start_units() as running:
        assert await asyncio.to_thread(client, running.urls[0] + ON) == {"success": True}
        assert running.units[0].switches[1].active


async def test_a_basic_client_is_served_by_a_basic_service() -> None:
    async with await start_units() as running:
        running.units[0].configure_service(Service.SWITCH, ServiceSettings(authentication="basic"))
        assert await asyncio.to_thread(by_basic, running.urls[0] + ON) == {"success": True}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_curl_opens_the_door_and_writes_the_directory() -> None:
    async with await start_units() as running:
        assert await curl(running.urls[0] + ON) == {"success": True}
        body = json.dumps({"users": [user("40718")]})
        made = await curl(
            running.urls[0] + "/api/dir/create",
            *("-X", "PUT", "-d", body, "-H", "Content-Type: application/json", "-H", "Expect: 100-continue"),
        )
        assert made["result"]["users"][0]["timestamp"] == 1
        assert [entry.get("access.pin") for entry in running.units[0].directory.live()] == ["40718"]


async def curl(url: str, *more: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "--digest", "-u", "jane:1234", *more, url, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return json.loads(out)


async def test_aiohttp_reuses_a_nonce_and_survives_its_ageing() -> None:
    async with device(quirks=Quirks(nonce_lifetime_s=60)) as intercom:
        for _ in range(3):
            await intercom.ok("switch/status")
        statuses = [r["status"] for r in intercom.unit.requests]
        assert statuses == [401, 200, 200, 200]
        await intercom.clock.advance(61)
        await intercom.ok("switch/status")
        assert [r["status"] for r in intercom.unit.requests][4:] == [401, 200]


async def connect(running: Running, session: aiohttp.ClientSession, method: str) -> Any:
    options = Py2NConnectionData(
        host=running.urls[0].removeprefix("http://"), username="jane", password="1234", auth_method=method
    )
    return await py2n.Py2NDevice.create(session, options)


async def test_py2n_reads_controls_listens_and_edits_a_pin() -> None:
    bistable = SwitchConfig(mode="bistable")
    async with await start_units(switches=[bistable]) as running, aiohttp.ClientSession() as session:
        unit = running.units[0]
        intercom = await connect(running, session, "digest")
        assert (intercom.data.serial, intercom.data.model) == (unit.serial, "2N IP Verso")

        await intercom.set_switch(1, True)
        assert unit.switches[1].active
        await intercom.update_switch_status()
        assert intercom.get_switch(1)

        channel = await intercom.log_subscribe("new", ["KeyPressed"], 90)
        unit.press_keys("5")
        events = await intercom.log_pull(channel, 1)
        assert [(event["event"], event["params"]) for event in events] == [("KeyPressed", {"key": "5"})]
        await intercom.log_unsubscribe(channel)

        made = unit.directory.create([user("1111")], force=False)["users"][0]
        await intercom.update_dir([{"uuid": made["uuid"], "access": {"pin": "2222"}}])
        (found,) = await intercom.query_dir({"fields": ["access.pin"]})
        assert found["access"]["pin"] == "2222"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its use of aiohttp is old
async def test_py2n_with_basic_authentication_initialises() -> None:
    async with await start_units() as running, aiohttp.ClientSession() as session:
        for service in Service:
            running.units[0].configure_service(service, ServiceSettings(authentication="basic"))
        intercom = await connect(running, session, "basic")
        assert intercom.data.name == "2N IP Verso"


async def test_tls_serves_with_a_self_signed_certificate() -> None:
    async with await start_units(use_tls=True, clock=Clock()) as running:
        assert running.urls[0].startswith("https://")
        login = aiohttp.DigestAuthMiddleware("jane", "1234")
        async with aiohttp.ClientSession(middlewares=[login]) as session:
            fingerprint = running.listeners[0].fingerprint
            assert fingerprint is not None
            pinned = aiohttp.Fingerprint(bytes.fromhex(fingerprint))
            async with session.get(running.urls[0] + ON, ssl=pinned) as response:
                assert await response.json() == {"success": True}


async def test_a_user_name_with_quotes_can_log_in_with_digest() -> None:
    name = 'ja"ne\\doe'
    async with await start_units(accounts=[Account(name, "1234")]) as running:
        digest = aiohttp.DigestAuthMiddleware(name, "1234")
        async with (
            aiohttp.ClientSession(middlewares=[digest]) as session,
            session.get(running.urls[0] + "/api/switch/caps") as reply,
        ):
            assert reply.status == 200
