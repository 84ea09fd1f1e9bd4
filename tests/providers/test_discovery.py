"""Looking for intercoms: in ranges of loopback ports, and by what is announced on the loopback interface."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest
from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from doorward.networks import DEVICE_NETWORKS, Networks, Ranges
from doorward.providers.my_2n.discovery import Instance, candidates, discover
from doorward.providers.my_2n.emulator import Quirks, Running, start_units

from .test_probe import free_port, json_of, raw_server, web_server

ALLOWED = Networks.parse(DEVICE_NETWORKS).allows
LOOPBACK = "127.0.0.1"


def ports_of(*ports: int) -> Ranges:
    return Ranges.parse(", ".join(f"{LOOPBACK}:{port}" for port in ports))


def port_of(running: Running, index: int = 0) -> int:
    return running.listeners[index].port


@pytest.fixture
async def secure() -> AsyncIterator[Running]:
    async with await start_units(2, use_tls=True) as running:
        for unit, name in zip(running.units, ("north gate", "East gate"), strict=True):
            unit.name = name
        yield running


# ---------------------------------------------------------------- ranges


async def test_ranges_are_searched_and_only_2n_devices_reported(secure: Running) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    challenge = {"WWW-Authenticate": 'Digest realm="router", nonce="x"'}
    async with (
        await start_units() as plain,
        await start_units(quirks=Quirks(info_needs_credentials=True)) as hardened,
        web_server(json_of({"hello": "world"})) as other,
        web_server(json_of({}, 401, **challenge)) as router,
        raw_server(silent) as quiet,
    ):
        plain.units[0].name = "west gate"
        ranges = ports_of(
            port_of(secure), port_of(secure, 1), port_of(plain), port_of(hardened), other, router, quiet, free_port()
        )
        found = await discover(ranges, allowed=ALLOWED, interfaces=())
        assert [(one.name, one.url, one.serial, one.pin) for one in found] == [
            (LOOPBACK, hardened.urls[0], None, None),
            ("East gate", secure.urls[1], secure.units[1].serial, secure.listeners[1].fingerprint),
            ("north gate", secure.urls[0], secure.units[0].serial, secure.listeners[0].fingerprint),
            ("west gate", plain.urls[0], plain.units[0].serial, None),
        ]
        for running in (secure, plain, hardened):
            for unit in running.units:
                assert [r["path"] for r in unit.requests] == ["/api/system/info"]


async def test_the_usual_ports_are_asked_https_first_and_once(secure: Running) -> None:
    async with await start_units() as plain:
        ports = (port_of(secure), port_of(plain))
        ranges = Ranges.parse("127.0.0.1, 127.0.0.0/30")
        found = await discover(ranges, allowed=ALLOWED, interfaces=(), ports=ports)
        assert [one.url for one in found] == [secure.urls[0]]
        assert len(secure.units[0].requests) == 1 and not plain.units[0].requests
        found = await discover(ranges, allowed=ALLOWED, interfaces=(), ports=(free_port(), ports[1]))
        assert [one.url for one in found] == [plain.urls[0]]


async def test_a_device_at_two_places_is_one_device(secure: Running) -> None:
    async with await start_units() as plain:
        plain.units[0].serial = secure.units[0].serial
        found = await discover(ports_of(port_of(plain), port_of(secure)), allowed=ALLOWED, interfaces=())
        assert [one.url for one in found] == [secure.urls[0]]


async def test_addresses_outside_of_the_networks_are_not_asked(secure: Running) -> None:
    nowhere = Networks.parse("192.168.0.0/16").allows
    assert await discover(ports_of(port_of(secure)), allowed=nowhere, interfaces=()) == []
    assert not secure.units[0].requests


async def test_a_search_ends_in_time_with_what_it_has(secure: Running) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with raw_server(silent) as quiet:
        began = time.monotonic()
        found = await discover(ports_of(quiet, port_of(secure)), allowed=ALLOWED, interfaces=(), timeout=1.0)
        assert time.monotonic() - began < 2.0
        assert [one.url for one in found] == [secure.urls[0]]


async def test_many_closed_ports_are_left_quickly(secure: Running) -> None:
    began = time.monotonic()
    ranges = Ranges.parse(f"127.0.0.1:1-500, 127.0.0.1:{port_of(secure)}")
    found = await discover(ranges, allowed=ALLOWED, interfaces=(), timeout=10)
    assert [one.url for one in found] == [secure.urls[0]]
    assert time.monotonic() - began < 5


async def test_nothing_to_search_finds_nothing() -> None:
    assert await discover(None, allowed=ALLOWED, interfaces=()) == []
    assert await discover(Ranges.parse(""), allowed=ALLOWED, interfaces=()) == []


# ---------------------------------------------------------------- announcements


PRINTER = Instance("_http._tcp.local.", "Printer._http._tcp.local.", "printer.local.", 80, (ip_address(LOOPBACK),))


@pytest.mark.parametrize(
    "instance",
    [
        replace(PRINTER, name="2N IP Verso (54-9001-0042)._http._tcp.local."),
        replace(PRINTER, name="2n._http._tcp.local."),
        replace(PRINTER, name="HeliosIP-54-9001-0042._http._tcp.local."),
        replace(PRINTER, name="Helios IP Vario._http._tcp.local."),
        replace(PRINTER, host="2NIPVerso-5490010042.local."),
        replace(PRINTER, host="door-7C1EB309002A.local."),
        replace(PRINTER, txt={"mac": "7c:1e:b3:09:00:2a"}),
        replace(PRINTER, txt={"sn": "54-9001-0042"}),
        replace(PRINTER, txt={"vendor": "2N Telekomunikace"}),
    ],
)
def test_a_sign_of_2n_makes_a_candidate(instance: Instance) -> None:
    assert candidates([PRINTER, instance]) == [instance]


@pytest.mark.parametrize(
    "name",
    ["Printer 2nd floor", "Canon 12N", "Lamp [a7c1eb3]", "Tel. 154-9001-00420", "helio", "EN2N0", ""],
)
def test_without_one_there_is_none(name: str) -> None:
    assert candidates([PRINTER, replace(PRINTER, name=f"{name}._http._tcp.local.")]) == []


async def test_what_is_announced_is_asked_before_it_is_believed(secure: Running) -> None:
    async with await start_units() as plain, web_server(json_of({})) as other:

        def announced(service: str, name: str, port: int, *addresses: str) -> Instance:
            places = tuple(map(ip_address, addresses or (LOOPBACK,)))
            return Instance(f"_{service}._tcp.local.", f"{name}._{service}._tcp.local.", "x.local.", port, places)

        async def browse(seconds: float) -> Sequence[Instance]:
            assert 0 < seconds < 6
            return [
                announced("https", "2N one", port_of(secure), "203.0.113.7", "fe80::1", LOOPBACK),
                announced("http", "2N one", port_of(secure)),
                announced("http", "2N west", port_of(plain)),
                announced("http", "2N that is none", other),
                announced("http", "Printer", port_of(secure, 1)),
                announced("http", "2N elsewhere", 80, "203.0.113.7"),
                announced("http", "2N nowhere", 0),
                announced("http", "2N off", free_port()),
            ]

        found = await discover(None, allowed=ALLOWED, browse=browse)
        assert {one.url for one in found} == {secure.urls[0], plain.urls[0]}
        assert not secure.units[1].requests


async def test_without_multicast_ranges_are_searched_all_the_same(secure: Running) -> None:
    async def browse(_seconds: float) -> Sequence[Instance]:
        raise OSError("no multicast here")

    found = await discover(ports_of(port_of(secure)), allowed=ALLOWED, browse=browse)
    assert [one.url for one in found] == [secure.urls[0]]


async def test_an_interface_that_does_not_exist_is_no_error() -> None:
    assert await discover(None, allowed=ALLOWED, interfaces=["192.0.2.77"], timeout=1.0) == []


async def test_an_announced_intercom_is_found_by_multicast_dns(secure: Running) -> None:
    """On the loopback interface alone: nothing leaves this machine."""
    try:
        wire = AsyncZeroconf(interfaces=[LOOPBACK])
    except OSError as trouble:
        pytest.skip(f"no multicast on the loopback interface: {trouble}")
    kinds = {"_https._tcp.local.": port_of(secure), "_http._tcp.local.": port_of(secure, 1)}
    try:
        for (kind, port), unit in zip(kinds.items(), secure.units, strict=True):
            service = ServiceInfo(
                kind,
                f"2N IP Verso {unit.serial}.{kind}",
                port=port,
                addresses=[socket.inet_aton(LOOPBACK)],
                server=f"2NIPVerso-{unit.serial}.local.",
                properties={b"binary": b"\xff\x00", b"flag": None},
            )
            await (await wire.async_register_service(service, cooperating_responders=True))
        found = await discover(None, allowed=ALLOWED, interfaces=[LOOPBACK])
        for _ in range(2):  # a busy machine answers too late, as a busy network does
            if len(found) < 2:
                found = await discover(None, allowed=ALLOWED, interfaces=[LOOPBACK])
        assert [(one.name, one.url) for one in found] == [
            ("East gate", secure.urls[1]),
            ("north gate", secure.urls[0]),
        ]
        none = await discover(None, allowed=ALLOWED, interfaces=[LOOPBACK], timeout=0.2)
        assert none == []
    finally:
        await wire.async_unregister_all_services()
        await wire.async_close()
