"""Snapshots, and intercoms inside a host process: no port, a socket pair, a lazily saved state."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import (
    STYLE,
    Account,
    Emulated,
    Privilege,
    Quirks,
    Service,
    ServiceSettings,
    SwitchConfig,
    Unit,
    protocol_factory,
)

from .client import answer, user

BISTABLE = SwitchConfig(mode="bistable")


def make(clock: ManualClock, **more: Any) -> Unit:
    accounts = [Account("jane", "1234"), Account("joe", "x", frozenset({Privilege.IO_MONITORING}), enabled=False)]
    return Unit(STYLE, serial="54-1234-0001", name="North", clock=clock, accounts=accounts, **more)


def states(unit: Unit) -> list[dict[str, Any]]:
    return [switch.status(unit.steady()) for switch in unit.switches.values()]


async def test_everything_comes_back_and_it_was_no_reboot() -> None:
    clock = ManualClock()
    unit = make(
        clock, switches=[BISTABLE, SwitchConfig(codes=("77",)), BISTABLE], zone="Europe/Prague", access_switch=3
    )
    unit.directory.create([user("1234", "Ann"), user("5678", "Bob")], force=False)
    bob = next(entry.uuid for entry in unit.directory.live() if entry.get("name") == "Bob")
    unit.directory.delete([{"uuid": bob}])
    unit.configure_service(Service.IO, ServiceSettings(enabled=False))
    unit.switches[1].act("on", unit.steady())
    unit.switches[2].act("lock", unit.steady())
    unit.switches[3].act("hold", unit.steady(), timeout_s=100)
    unit.set_input("input1", True)
    unit.time.offset_s = 30.0
    unit.access.block(1, True, unit.steady())
    await clock.advance(10)
    data = unit.snapshot()
    await unit.close()

    later = ManualClock(clock.now() + 20_000)
    again = Unit.restore(data, clock=later)
    assert again.model is STYLE
    assert (again.serial, again.name, again.boot_uuid) == (unit.serial, unit.name, unit.boot_uuid)
    assert again.directory.query(None, 0, []) == unit.directory.query(None, 0, [])
    assert len(again.directory) == 1
    assert [state["active"] for state in states(again)] == [True, False, True, False]
    assert states(again)[2]["holdTimeout"] == 70
    assert again.gate.accounts == unit.gate.accounts
    assert again.services == unit.services
    assert [event.json for event in again.log.events] == [event.json for event in unit.log.events]
    assert again.log.next_id == unit.log.next_id
    assert again.time.up_seconds() == 30
    assert again.device_time() == later.now() // 1000 + 30
    assert again.time.zone == "Europe/Prague"
    assert again.ports.state("input1") and again.door.is_open
    assert again.access.points[1].blocked and again.access.points[0].switch == 3
    assert again.switches[2].config.codes == ("77",)
    await again.close()


async def test_a_pulse_goes_on_where_it_was() -> None:
    clock = ManualClock()
    unit = make(clock)
    unit.switches[1].act("on", unit.steady())
    await clock.advance(2)
    data = unit.snapshot()
    again = Unit.restore(data, clock=clock)
    assert states(again)[0]["active"]
    await clock.advance(3.1)
    assert not states(again)[0]["active"]
    for each in (unit, again):
        await each.close()


async def test_what_fell_due_meanwhile_is_told_at_its_own_time() -> None:
    clock = ManualClock()
    unit = make(clock)
    unit.switches[1].act("on", unit.steady())
    unit.changed()
    started = clock.now() // 1000
    data = unit.snapshot()
    await unit.close()
    again = Unit.restore(data, clock=ManualClock(clock.now() + 3_600_000))
    again.settle()
    assert not again.switches[1].active
    assert again.log.events[-1].name == "OutputChanged"
    assert f'"utcTime":{started + 5},'.encode() in again.log.events[-1].json
    await again.close()


async def test_a_reboot_that_was_under_way_ends() -> None:
    clock = ManualClock()
    unit = make(clock)
    unit.restart(2)
    await clock.advance(1)
    assert unit.is_off
    data = unit.snapshot()
    await unit.close()
    again = Unit.restore(data, clock=ManualClock(clock.now() + 5_000))
    again.settle()
    assert not again.is_off and again.boot_uuid != unit.boot_uuid
    await again.close()


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"format":1,"model":"toaster"}', b'{"format":99}'])
def test_other_bytes_are_no_snapshot(data: bytes) -> None:
    with pytest.raises(ValueError, match="snapshot"):
        Unit.restore(data)


async def test_the_host_hears_of_changes_and_idle_units_have_no_task() -> None:
    clock = ManualClock()
    heard: list[int] = []
    before = asyncio.all_tasks()
    unit = make(clock, on_change=lambda: heard.append(1))
    assert asyncio.all_tasks() == before and not heard
    unit.press_keys("1")
    assert heard == [1] and asyncio.all_tasks() == before
    unit.ring(1)
    assert asyncio.all_tasks() != before
    await clock.advance(61)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def test_a_password_is_in_no_repr() -> None:
    unit = make(ManualClock())
    assert "1234'" not in repr(unit.gate.accounts) and "1234'" not in repr(unit)


# ---------------------------------------------------------------- without a port


async def connected(factory: Emulated) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client's end of a socket pair whose other end the intercom serves."""
    near, far = socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(factory, far)
    return await asyncio.open_connection(sock=near)


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, *headers: str
) -> tuple[str, bytes]:
    lines = [f"GET {path} HTTP/1.1", "Host: twin", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(line for line in head.split("\r\n") if line.lower().startswith("content-length"))
    return head, await reader.readexactly(int(length.partition(":")[2]))


async def converse() -> None:
    unit = make(ManualClock(), switches=[BISTABLE])
    factory = protocol_factory(unit)
    reader, writer = await connected(factory)
    path = "/api/switch/ctrl?switch=1&action=on"
    head, _ = await ask(reader, writer, path)
    challenge = next(line for line in head.split("\r\n") if line.startswith("WWW-Authenticate"))
    for count in (1, 2):
        _, body = await ask(reader, writer, path, f"Authorization: {answer(challenge, path, count=count)}")
        assert body == b'{"success":true}'
    assert unit.switches[1].active

    reader2, writer2 = await connected(factory)
    await factory.close()
    for stream in (reader, reader2):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await stream.readexactly(1)
    for end in (writer, writer2):
        end.close()
    await unit.close()


async def test_a_twin_is_served_on_a_socket_pair() -> None:
    await converse()


def test_a_twin_is_served_on_a_socket_pair_under_uvloop() -> None:
    uvloop.run(converse())


async def test_a_nonce_survives_the_hosts_restart() -> None:
    clock = ManualClock()
    first = make(clock)
    again = Unit.restore(first.snapshot(), clock=clock)
    path = "/api/switch/status"
    factory = protocol_factory(first)
    head, _ = await ask(*(old := await connected(factory)), path)
    challenge = next(line for line in head.split("\r\n") if line.startswith("WWW-Authenticate"))
    second = protocol_factory(again)
    head, _ = await ask(*(new := await connected(second)), path, f"Authorization: {answer(challenge, path)}")
    assert head.startswith("HTTP/1.1 200")
    for closing, (_, writer) in ((factory, old), (second, new)):
        await closing.close()
        writer.close()


async def test_a_socket_pair_counts_as_tls_when_the_host_says_so() -> None:
    unit = make(ManualClock())
    unit.configure_service(Service.SYSTEM, ServiceSettings(connection="tls"))
    for is_secure, code in ((True, b'"success":true'), (False, b'"code":7')):
        factory = protocol_factory(unit, is_secure=is_secure)
        reader, writer = await connected(factory)
        assert code in (await ask(reader, writer, "/api/system/info"))[1]
        await factory.close()
        writer.close()


@pytest.fixture
async def twin() -> AsyncIterator[Unit]:
    unit = make(ManualClock(), quirks=Quirks(history=50))
    yield unit
    await unit.close()


async def test_a_snapshot_of_a_busy_unit_stays_small(twin: Unit) -> None:
    for _ in range(100):
        twin.press_keys("1")
    assert len(twin.snapshot()) < 30_000
