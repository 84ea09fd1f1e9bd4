"""Asking an address who is there: emulators with and without TLS, and everything else that may listen on a port."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from doorward.networks import DEVICE_NETWORKS, Networks
from doorward.providers.errors import (
    Offline,
    ProviderError,
    Refused,
    Unsupported,
)
from doorward.providers.my_2n.emulator import ACCESS_UNIT, Quirks, Service, ServiceSettings, start_units
from doorward.providers.my_2n.emulator.tls import server_context
from doorward.providers.my_2n.probe import Address, Found, parse_address, probe
from doorward.providers.my_2n.probe_failures import (
    AddressOutsideNetworks,
    AnswersWithError,
    BadAddress,
    CertificateUnsteady,
    DoesNotAnswer,
    HttpsOnly,
    NameUnknown,
    NotA2N,
    NothingListens,
    NoTls,
    ProbeFailed,
    Silent,
    SystemServiceDisabled,
    TlsTrouble,
)

ALLOWED = Networks.parse(DEVICE_NETWORKS).allows
SECRET = "what only the other side knows"
HARDENED = Quirks(info_needs_credentials=True)


async def fails(kind: type[ProbeFailed], address: str, **options: Any) -> ProbeFailed:
    """The failure, which is of exactly this kind, a whole sentence, and repeats nothing of a reply."""
    with pytest.raises(ProbeFailed) as caught:
        await probe(address, allowed=ALLOWED, **options)
    failure = caught.value
    assert type(failure) is kind, failure.message
    assert failure.message.endswith(".") and SECRET not in failure.message
    assert isinstance(failure, Offline | Refused | Unsupported)
    return failure


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A port on loopback behind which `talk` speaks."""
    talks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError):
            await talk(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@contextlib.asynccontextmanager
async def web_server(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A web server on loopback that is no 2N."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


# ---------------------------------------------------------------- what people type


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.1.20", Address("192.168.1.20")),
        ("  192.168.1.20:8443 ", Address("192.168.1.20", 8443)),
        ("Intercom.LOCAL", Address("intercom.local")),
        ("intercom.local/", Address("intercom.local")),
        ("[fd00::1]", Address("fd00::1")),
        ("fd00::1", Address("fd00::1")),
        ("[FD00::1]:8443", Address("fd00::1", 8443)),
        ("https://10.0.0.1:444", Address("10.0.0.1", 444, "https")),
        ("HTTP://door/", Address("door", None, "http")),
        ("https://[fd00::1]/", Address("fd00::1", None, "https")),
        ("http://10.0.0.1//", Address("10.0.0.1", None, "http")),
        ("2n_door-1.example", Address("2n_door-1.example")),
        ("tür.example", Address("xn--tr-xka.example")),
    ],
)
def test_addresses_as_people_type_them(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "ftp://10.0.0.1",
        "file:///etc/passwd",
        "https://",
        "https:/10.0.0.1",
        "https://10.0.0.1/api/system/info",
        "10.0.0.1?x=1",
        "10.0.0.1#x",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:https",
        "10.0.0.300",
        "10.0.0",
        "127.1",
        "0x7f000001",
        "2130706433",
        "010.0.0.1",
        "10.0.0.1\\@evil.example",
        "10.0.0.1\r\nHost: x",
        "two words",
        "-door.local",
        "[10.0.0.1]",
        "[fd00::1",
        "[door.local]",
        "fe80::1%eth0",
        "a" * 400,
        "a" * 64 + ".local",
        "\ud800",
    ],
)
async def test_what_is_no_address_is_said_to_be_none(text: str) -> None:
    await fails(BadAddress, text)


async def test_a_password_in_the_address_is_not_repeated() -> None:
    failure = await fails(BadAddress, "https://jane:hunter2@10.0.0.1")
    assert "hunter2" not in failure.message and "user name" in failure.message


# ---------------------------------------------------------------- 2N devices


@pytest.mark.parametrize("scheme", ["", "https://"])
async def test_an_intercom_with_tls_is_found_and_its_certificate_pinned(scheme: str) -> None:
    async with await start_units(use_tls=True) as running:
        listener = running.listeners[0]
        listener.unit.name = "North gate"
        found = await probe(f"{scheme}127.0.0.1:{listener.port}", allowed=ALLOWED)
        assert found == Found(
            url=f"https://127.0.0.1:{listener.port}",
            pin=listener.fingerprint,
            name="North gate",
            model="2N IP Verso",
            serial=listener.unit.serial,
            firmware="2.50.0.76.2",
            needs_login_for_info=False,
            address=f"127.0.0.1 port {listener.port}",
        )
        assert [(r["path"], r["status"]) for r in listener.unit.requests] == [("/api/system/info", 200)]


@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_an_intercom_without_tls_is_found(scheme: str) -> None:
    async with await start_units(model=ACCESS_UNIT) as running:
        found = await probe(f"{scheme}localhost:{running.listeners[0].port}/", allowed=ALLOWED)
        assert (found.url, found.pin) == (f"http://localhost:{running.listeners[0].port}", None)
        assert found.model == ACCESS_UNIT.variant and found.serial == running.units[0].serial


async def test_an_intercom_is_found_by_ipv6() -> None:
    async with await start_units(host="::1", use_tls=True) as running:
        port = running.listeners[0].port
        found = await probe(f"[::1]:{port}", allowed=ALLOWED)
        assert (found.url, found.serial) == (f"https://[::1]:{port}", running.units[0].serial)


@pytest.mark.parametrize("use_tls", [True, False])
async def test_a_hardened_intercom_gives_itself_away_by_asking_for_a_login(use_tls: bool) -> None:
    async with await start_units(use_tls=use_tls, quirks=HARDENED) as running:
        found = await probe(f"127.0.0.1:{running.listeners[0].port}", allowed=ALLOWED)
        assert found.needs_login_for_info and found.is_sure
        assert (found.name, found.serial, found.firmware) == ("127.0.0.1", None, None)
        assert found.pin == running.listeners[0].fingerprint


async def test_the_usual_ports_are_tried_one_after_the_other() -> None:
    async with await start_units() as plain, await start_units(use_tls=True) as secure:
        ports = (secure.listeners[0].port, plain.listeners[0].port)
        assert (await probe("127.0.0.1", allowed=ALLOWED, ports=ports)).serial == secure.units[0].serial
        ports = (free_port(), plain.listeners[0].port)
        assert (await probe("127.0.0.1", allowed=ALLOWED, ports=ports)).serial == plain.units[0].serial


def tls_only(running: Any) -> None:
    for unit in running.units:
        unit.services[Service.SYSTEM] = ServiceSettings(connection="tls")


async def test_a_device_that_wants_https_is_asked_over_https() -> None:
    async with await start_units() as plain, await start_units(use_tls=True) as secure:
        tls_only(plain)
        address = f"127.0.0.1:{plain.listeners[0].port}"
        found = await probe(address, allowed=ALLOWED, ports=(secure.listeners[0].port, 80))
        assert found.url == secure.urls[0] and found.pin == secure.listeners[0].fingerprint
        failure = await fails(HttpsOnly, f"http://{address}", ports=(secure.listeners[0].port, 80))
        assert "https://127.0.0.1" in failure.message and failure.code == "7"
        await fails(HttpsOnly, address, ports=(free_port(), 80))


async def test_a_redirect_to_https_is_taken_as_a_hint_and_not_followed() -> None:
    asked: list[str] = []

    async with await start_units(use_tls=True) as secure:
        port = secure.listeners[0].port
        target = f"https://127.0.0.1:{port}/{SECRET.replace(' ', '')}"

        async def redirect(request: web.BaseRequest) -> web.StreamResponse:
            asked.append(request.path)
            return web.Response(status=302, headers={"Location": target})

        async with web_server(redirect) as plain:
            found = await probe(f"127.0.0.1:{plain}", allowed=ALLOWED)
            assert (found.url, found.serial) == (secure.urls[0], secure.units[0].serial)
            assert asked == ["/api/system/info"]
            assert [r["path"] for r in secure.units[0].requests] == ["/api/system/info"]
            await fails(HttpsOnly, f"http://127.0.0.1:{plain}")
            target = f"https://127.0.0.2:{port}/"
            await fails(NotA2N, f"127.0.0.1:{plain}")
            target = "/login"
            await fails(NotA2N, f"127.0.0.1:{plain}")
            target = "https://127.0.0.1:99999999/"
            await fails(NotA2N, f"127.0.0.1:{plain}")
            assert len(secure.units[0].requests) == 1


async def test_a_service_that_is_off_is_said_to_be_off() -> None:
    async with await start_units(use_tls=True) as running:
        running.units[0].services[Service.SYSTEM] = ServiceSettings(enabled=False)
        failure = await fails(SystemServiceDisabled, f"127.0.0.1:{running.listeners[0].port}")
        assert "Services / HTTP API / Services" in failure.message and failure.code == "4"


async def test_a_device_that_answers_only_with_errors() -> None:
    async with await start_units() as running:
        running.units[0].faults.arm("http-500", times=5)
        failure = await fails(AnswersWithError, f"127.0.0.1:{running.listeners[0].port}")
        assert failure.code == "500"


# ---------------------------------------------------------------- what is no 2N


def json_of(body: Any, status: int = 200, **headers: str) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert "Authorization" not in request.headers and "Cookie" not in request.headers
        return web.json_response(body, status=status, headers=headers)

    return answer


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"success": True},
        {"success": True, "result": {"note": SECRET}},
        {"success": True, "result": {"variant": SECRET, "serialNumber": "x"}},
        {"success": True, "result": {"variant": 5, "serialNumber": "54-9001-0042"}},
        {"success": "yes", "result": {"variant": "2N IP Verso"}},
        {"success": False},
        {"success": False, "error": {"code": SECRET}},
        {"success": False, "error": {"code": True}},
    ],
)
async def test_json_of_another_kind_is_no_2n(body: Any) -> None:
    async with web_server(json_of(body)) as port:
        await fails(NotA2N, f"127.0.0.1:{port}")


async def test_an_unnamed_brand_with_a_serial_number_of_2n_is_one() -> None:
    body = {"success": True, "result": {"variant": " Door\n\x1b[31m  5 ", "serialNumber": "54-9001-0042"}}
    async with web_server(json_of(body)) as port:
        found = await probe(f"127.0.0.1:{port}", allowed=ALLOWED)
        assert (found.name, found.model, found.firmware) == ("Door [31m 5", "Door [31m 5", None)


@pytest.mark.parametrize("secure", [True, False])
async def test_a_web_page_is_no_2n(secure: bool) -> None:
    async def page(_request: web.BaseRequest) -> web.Response:
        return web.Response(text=f"<html>{SECRET}</html>", content_type="text/html")

    async with web_server(page, server_context("x") if secure else None) as port:
        failure = await fails(NotA2N, f"127.0.0.1:{port}")
        assert f"127.0.0.1:{port}" in failure.message


@pytest.mark.parametrize(
    ("status", "headers", "is_sure"),
    [
        (401, {"WWW-Authenticate": 'Digest realm="x", nonce="y", qop="auth"'}, False),
        (401, {"WWW-Authenticate": 'Basic realm="x"'}, False),
        (401, {"WWW-Authenticate": 'Digest realm="x", nonce="y"', "Server": "HIP2.10.0.19.2"}, True),
    ],
)
async def test_a_challenge_alone_is_a_maybe(status: int, headers: dict[str, str], is_sure: bool) -> None:
    async with web_server(json_of(SECRET, status, **headers)) as port:
        found = await probe(f"127.0.0.1:{port}", allowed=ALLOWED)
        assert found.needs_login_for_info and found.is_sure is is_sure


@pytest.mark.parametrize("headers", [{}, {"WWW-Authenticate": "Bearer"}])
async def test_a_login_of_another_kind_is_no_2n(headers: dict[str, str]) -> None:
    async with web_server(json_of(SECRET, 401, **headers)) as port:
        await fails(NotA2N, f"127.0.0.1:{port}")


async def test_an_endless_body_is_cut() -> None:
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"{" * 65_536)
            sent += 65_536

    async with web_server(endless) as port:
        began = time.monotonic()
        await fails(NotA2N, f"http://127.0.0.1:{port}")
        assert time.monotonic() - began < 3
        assert sent < 64 * 1024 * 1024


async def test_deep_json_is_no_2n() -> None:
    async def deep(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=b"[" * 60_000)

    async with web_server(deep) as port:
        await fails(NotA2N, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("line", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 999\r\n\r\n", b"\x00\xff" * 50, b""])
async def test_a_server_of_another_protocol_is_no_2n(line: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(line)
        await writer.drain()
        await asyncio.sleep(0.05)

    async with raw_server(talk) as port:
        await fails(NotA2N, f"127.0.0.1:{port}")
        await fails(NotA2N, f"http://127.0.0.1:{port}")
        await fails(NoTls, f"https://127.0.0.1:{port}")


async def test_a_tls_server_of_something_else_is_no_2n() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"* OK IMAP\r\n")
        await writer.drain()

    async with raw_server(talk, server_context("imap")) as port:
        await fails(NotA2N, f"127.0.0.1:{port}")


# ---------------------------------------------------------------- the line


async def test_plain_http_behind_an_https_address() -> None:
    async with await start_units() as running:
        failure = await fails(NoTls, f"https://127.0.0.1:{running.listeners[0].port}")
        assert "http://" in failure.message


@pytest.mark.parametrize("alert", [40, 70])
async def test_no_common_tls_version(alert: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(bytes([0x15, 3, 3, 0, 2, 2, alert]))  # fatal: handshake failure, or protocol version
        await writer.drain()
        await asyncio.sleep(0.1)

    async with raw_server(talk) as port:
        for scheme in ("", "https://"):
            failure = await fails(TlsTrouble, f"{scheme}127.0.0.1:{port}")
            assert "TLS 1.2" in failure.message


async def test_two_certificates_within_a_moment() -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    certificates = [server_context("one"), server_context("two")]
    context = server_context("three")

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = certificates.pop(0)

    context.sni_callback = choose
    async with web_server(answer, context) as port:
        await fails(CertificateUnsteady, f"https://127.0.0.1:{port}")
    assert not asked


async def test_a_closed_port() -> None:
    port = free_port()
    failure = await fails(NothingListens, f"127.0.0.1:{port}")
    assert f"on port {port}." in failure.message
    ports = (free_port(), free_port())
    failure = await fails(NothingListens, "127.0.0.1", ports=ports)
    assert f"on port {ports[0]} and {ports[1]}." in failure.message


@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_a_port_that_says_nothing_is_left_in_time(scheme: str) -> None:
    async def talk(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with raw_server(talk) as port:
        began = time.monotonic()
        await fails(Silent, f"{scheme}127.0.0.1:{port}", timeout=0.5)
        assert time.monotonic() - began < 1.5
        await fails(DoesNotAnswer, f"https://127.0.0.1:{port}", timeout=0.3)


async def test_a_slow_answer_is_left_in_time() -> None:
    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    async with web_server(drip) as port:
        began = time.monotonic()
        await fails(Silent, f"127.0.0.1:{port}", timeout=0.5)
        assert time.monotonic() - began < 1.5


async def test_a_name_without_an_address() -> None:
    failure = await fails(NameUnknown, "no-such-door.invalid")
    assert "no-such-door.invalid" in failure.message
    failure = await fails(NameUnknown, "no-such-door-here.local", timeout=3)
    assert ".local" in failure.message


@pytest.mark.parametrize(
    "address", ["203.0.113.7", "https://169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0", "224.0.0.251", "::"]
)
async def test_addresses_outside_of_the_networks_are_not_asked(address: str) -> None:
    failure = await fails(AddressOutsideNetworks, address)
    assert "DOORWARD_DEVICE_NETWORKS" in failure.message


async def test_a_name_of_an_address_outside_of_the_networks_is_not_asked() -> None:
    async with await start_units() as running:
        port = running.listeners[0].port
        with pytest.raises(AddressOutsideNetworks) as caught:
            await probe(f"localhost:{port}", allowed=Networks.parse("192.168.0.0/16").allows)
        assert "localhost (" in caught.value.message
        assert not running.units[0].requests


async def test_nothing_of_a_failure_hangs_on_to_a_reply() -> None:
    async with web_server(json_of({"success": False, "error": {"code": 99, "description": SECRET}})) as port:
        failure = await fails(AnswersWithError, f"127.0.0.1:{port}")
        cause: BaseException | None = failure
        while cause is not None:
            assert SECRET not in repr(cause) + str(cause)
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        assert isinstance(failure, ProviderError) and failure.code == "99"
