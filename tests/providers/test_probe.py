"""Who answers at an address, and what is said when nobody does, or somebody else."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from doorward.networks import Networks, Ranges
from doorward.providers.base import Offline, ProviderError, Refused
from doorward.providers.my_2n import probe as words
from doorward.providers.my_2n.discovery import discover, looks_like_2n
from doorward.providers.my_2n.emulator import Service, start_units, tls
from doorward.providers.my_2n.emulator.auth import ServiceSettings
from doorward.providers.my_2n.emulator.quirks import Quirks
from doorward.providers.my_2n.probe import probe

LOOPBACK = Networks.parse("127.0.0.0/8 ::1").allows
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def website(handler: Handler, certificate: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Something that is no 2N; its port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def silent(*, cut: bool) -> AsyncIterator[int]:
    """A port that takes connections, and says nothing or hangs up."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not cut:
            await gone.wait()
        writer.close()

    gone = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        gone.set()
        server.close()


async def refused(address: str, allowed: object = LOOPBACK, timeout: float = 3.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await probe(address, allowed=allowed, timeout=timeout)  # type: ignore[arg-type]
    return caught.value


# ---------------------------------------------------------------- 2N


@pytest.mark.parametrize("use_tls", [False, True])
@pytest.mark.parametrize("typed", ["{host}", " {host} ", "{host}/", "{url}", "{url}/"])
async def test_an_intercom_is_found_however_its_address_is_typed(use_tls: bool, typed: str) -> None:
    async with await start_units(use_tls=use_tls) as running:
        listener = running.listeners[0]
        host = f"127.0.0.1:{listener.port}"
        found = await probe(
            typed.format(host=host, url=listener.url.upper()[:4].lower() + listener.url[4:]), allowed=LOOPBACK
        )
        assert (found.url, found.pin) == (listener.url, listener.fingerprint)
        assert (found.serial, found.model) == (listener.unit.serial, "2N IP Verso")


async def test_one_that_tells_nothing_to_strangers_is_found_too() -> None:
    async with await start_units(quirks=Quirks(info_needs_credentials=True)) as running:
        found = await probe(running.urls[0], allowed=LOOPBACK)
        assert (found.url, found.serial, found.name) == (running.urls[0], None, "")


async def test_nothing_is_sent_but_one_question_without_a_login() -> None:
    async with await start_units() as running:
        await probe(running.urls[0], allowed=LOOPBACK)
        assert [(r["method"], r["path"]) for r in running.units[0].requests] == [("GET", "/api/system/info")]


async def test_services_that_are_off_or_want_https_are_named() -> None:
    async with await start_units() as running:
        unit = running.units[0]
        unit.configure_service(Service.SYSTEM, ServiceSettings(enabled=False))
        assert "The System service is switched off on the device" in (await refused(running.urls[0])).message
        unit.configure_service(Service.SYSTEM, replace(unit.services[Service.SYSTEM], enabled=True, connection="tls"))
        assert "takes HTTPS only" in (await refused(running.urls[0])).message


# ---------------------------------------------------------------- somebody else, and nobody


@pytest.mark.parametrize(
    "address",
    ["", "http://", "ftp://127.0.0.1", "https://user@127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1/x", "a b",
     "http://[::1", "127.0.0.1?x", "127.0.0.1#x", "-", "x" * 300],
)  # fmt: skip
async def test_what_is_no_address(address: str) -> None:
    assert (await refused(address)).message in (words.BAD_ADDRESS, words.NO_NAME)


@pytest.mark.parametrize("scheme", ["", "http://", "https://"])
async def test_a_network_that_is_not_allowed_is_never_reached(scheme: str) -> None:
    elsewhere = Networks.parse("192.0.2.0/24").allows
    async with await start_units() as running:
        error = await refused(f"{scheme}127.0.0.1:{running.listeners[0].port}", elsewhere)
        assert isinstance(error, Offline) and error.message == words.OUTSIDE
        assert not running.units[0].requests


async def test_a_name_that_is_not_known() -> None:
    assert (await refused("intercom.invalid")).message in (words.NO_NAME, words.NO_REPLY)


@pytest.mark.parametrize("scheme", ["", "http://", "https://"])
async def test_a_port_where_nothing_listens(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert (await refused(f"{scheme}127.0.0.1:{taken.getsockname()[1]}")).message == words.NOTHING_LISTENS


async def test_a_device_without_power() -> None:
    async with await start_units() as running:
        running.units[0].faults.arm("half-open", seconds=60)
        assert (await refused(running.urls[0], timeout=0.5)).message in (words.NO_REPLY, words.CUT)


async def html(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<h1>Secret router</h1>", content_type="text/html")


async def json(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"success": True, "result": {"name": "Secret camera"}})


async def login(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=401, text="Secret")


async def moved(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/Secret")


async def endless(request: web.Request) -> web.StreamResponse:
    reply = web.StreamResponse()
    await reply.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await reply.write(b"x" * 65_536)
    return reply


@pytest.mark.parametrize("handler", [html, json, login, moved, endless])
@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_somebody_else_is_told_from_a_2n(handler: Handler, scheme: str) -> None:
    async with website(handler) as port:
        error = await refused(f"{scheme}127.0.0.1:{port}")
        assert isinstance(error, Refused) and error.message == words.NOT_A_2N


async def test_somebody_else_with_tls() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load(context, *tls.self_signed("54-0000-0001"))
    async with website(html, context) as port:
        assert (await refused(f"127.0.0.1:{port}")).message == words.NOT_A_2N


async def test_a_machine_that_hangs_up_or_is_silent() -> None:
    async with silent(cut=True) as port:
        assert (await refused(f"http://127.0.0.1:{port}")).message == words.CUT
        assert (await refused(f"https://127.0.0.1:{port}")).message == words.NO_TLS
    async with silent(cut=False) as port:
        assert (await refused(f"127.0.0.1:{port}", timeout=0.5)).message == words.NO_REPLY


# ---------------------------------------------------------------- searching


async def test_a_search_finds_those_in_its_ranges_and_no_others() -> None:
    async with await start_units(2) as plain, await start_units(1, use_tls=True) as secure, website(html) as other:
        ports = [listener.port for running in (plain, secure) for listener in running.listeners]
        ranges = Ranges.parse(" ".join(f"127.0.0.1:{port}" for port in (*ports, other)))
        found = await discover(ranges, allowed=LOOPBACK)
        assert sorted(one.url for one in found) == sorted([*plain.urls, *secure.urls])
        assert {one.serial for one in found} == {unit.serial for unit in (*plain.units, *secure.units)}
        assert await discover(ranges, allowed=Networks.parse("192.0.2.0/24").allows) == []


async def test_a_search_ends_in_time() -> None:
    loop = asyncio.get_running_loop()
    async with silent(cut=False) as port:
        began = loop.time()
        found = await discover(Ranges.parse(f"127.0.0.1:{port}"), allowed=LOOPBACK, timeout=0.5)
        assert found == [] and loop.time() - began < 2.0


async def test_an_announced_intercom_is_found() -> None:
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    async with await start_units() as running, website(html) as other:
        zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
        infos = [
            ServiceInfo(
                "_http._tcp.local.",
                f"{name}._http._tcp.local.",
                addresses=[socket.inet_aton("127.0.0.1")],
                port=port,
                server=f"{host}.local.",
            )
            for name, host, port in (
                ("Front door", f"2NIPVerso-{running.units[0].serial}", running.listeners[0].port),
                ("HeliosIP that is none", "HeliosIP-1", other),
                ("Printer", "printer", other),
            )
        ]
        for info in infos:
            await (await zeroconf.async_register_service(info))
        found = []
        try:
            for _ in range(4):  # announcements may get lost, and a busy machine answers late
                found = await discover(None, allowed=LOOPBACK)
                if found:
                    break
        finally:
            await zeroconf.async_close()
        assert [one.url for one in found] == [f"http://127.0.0.1:{running.listeners[0].port}"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("2N IP Verso", True),
        ("2n-front", True),
        ("HeliosIP-54-9001-0042", True),
        ("Gate (54-9001-0042)", True),
        ("intercom 7C-1E-B3-09-00-2A", True),
        ("7c1eb309002a", True),
        ("Printer", False),
        ("Room 12n", False),
        ("2nd floor", False),
        ("call 0154-9001-00421", False),
    ],
)
def test_names_that_look_like_a_2n(name: str, is_one: bool) -> None:
    assert looks_like_2n(name, None, {}) is is_one
    assert looks_like_2n("x", f"{name}.local.", {}) is is_one
    assert looks_like_2n("x", None, {b"model": name.encode(), b"y": None}) is is_one
