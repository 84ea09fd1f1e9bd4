"""Webhooks: signed, at least once, each for itself, and only where they may go."""

import asyncio
import functools
import ipaddress
import itertools
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from seam.seam_webhook import SeamWebhook
from standardwebhooks.webhooks import Webhook as Standard
from tests.support.receiver import Received, Receiver, receiver
from tests.support.server import World, new_workspace, serving, until

from doorward.clock import Clock, ManualClock
from doorward.core import events
from doorward.networks import RECEIVERS_SETTING, Networks, Receivers
from doorward.providers.my_2n.emulator import tls
from doorward.store import deliveries, devices
from doorward.store.db import Tx
from doorward.wire.events.device import DeviceNameChanged
from doorward.wire.time import parse
from doorward.work.deliver import DRAIN_S
from doorward.work.lane import PART, WIDTH
from doorward.work.post import UNWANTED, Letter, Poster, Wanted, always

HERE: dict[str, Any] = {"webhook_allow": "127.0.0.0/8"}
HOOK = "/webhooks/create"
LOOPBACK = Receivers(Networks.parse("127.0.0.0/8"))


async def hook(world: World, to: Receiver, *types: str) -> Any:
    more = {"event_types": list(types)} if types else {}
    return (await world.call(HOOK, url=to.url, **more))["webhook"]


async def happen(world: World, name: str = "Renamed") -> None:
    """Something that makes one event."""
    await world.call("/devices/update", device_id=world.devices[0], name=name)


async def log_of(world: World, webhook: Any) -> Any:
    return await world.call("/webhooks/doorward/list_deliveries", webhook_id=webhook["webhook_id"])


async def test_an_event_arrives_signed_as_seams_own_sdk_wants_it(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, Clock(), **HERE) as world, receiver() as there:
        await world.connect()
        webhook = await hook(world, there)
        assert webhook["secret"].startswith("whsec_") and webhook["event_types"] == ["*"]
        await happen(world)
        await until(lambda: "device.name_changed" in there.types)
        got = there.received[there.types.index("device.name_changed")]
        event = SeamWebhook(webhook["secret"]).verify(got.body.decode(), got.headers)
        assert event.event_type == "device.name_changed"
        Standard(webhook["secret"]).verify(got.body, got.headers)
        stored = await world.call("/events/get", event_id=got.headers["svix-id"])
        assert got.event == stored["event"]
        assert got.headers["content-type"] == "application/json"
        forged = got.body.replace(b"Renamed", b"Removed")
        with pytest.raises(Exception, match=r"(?i)signature"):
            SeamWebhook(webhook["secret"]).verify(forged.decode(), got.headers)


async def test_a_pin_is_in_the_event_that_is_sent(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, **HERE) as world, receiver() as there:
        await world.connect()
        await hook(world, there, "access_code.set_on_device")
        await world.call("/access_codes/create", device_id=world.devices[0], code="483759")
        await world.eventually(lambda: there.received)
        assert there.received[0].event["code"] == "483759"
        assert there.types == ["access_code.set_on_device"]


async def test_crud_and_strangers(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, **HERE) as world, receiver() as there:
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        about = {"webhook_id": webhook["webhook_id"]}
        assert (await world.call("/webhooks/get", **about))["webhook"] == webhook
        assert (await world.call("/webhooks/list"))["webhooks"] == [webhook]
        await world.fail(HOOK, 400, "invalid_event_types", url=there.url, event_types=["device.danced"])
        await world.fail("/webhooks/update", 400, "invalid_event_types", event_types=[], **about)
        other = await new_workspace(world, "Other")
        for path in ("get", "delete"):
            await other.fail(f"/webhooks/{path}", 404, "webhook_not_found", **about)
        await other.fail("/webhooks/update", 404, "webhook_not_found", event_types=["*"], **about)
        await other.fail("/webhooks/doorward/list_deliveries", 404, "webhook_not_found", **about)
        await world.fail("/webhooks/doorward/list_deliveries", 400, "invalid_input", state="nope", **about)
        assert await world.call("/webhooks/update", event_types=["lock.locked"], **about) == {"ok": True}
        await happen(world)
        await world.pass_time(6)
        assert there.received == []
        assert await world.call("/webhooks/delete", **about) == {"ok": True}
        await world.fail("/webhooks/get", 404, "webhook_not_found", **about)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://localhost:8080/x",
            "http://127.0.0.1/x",
            "http://10.0.0.7/x",
            "http://169.254.169.254/latest/meta-data",
        ),
        *("http://[::1]/x", "http://[::ffff:127.0.0.1]/x", "http://[64:ff9b::7f00:1]/x", "http://[fe80::1]/x"),
        *("http://LOCALHOST./x", "http://127.1/x", "http://2130706433/x", "http://0x7f000001/x"),
    ],
)
async def test_an_address_that_is_not_on_the_internet_is_refused_with_the_setting(tmp_path: Path, url: str) -> None:
    async with serving(tmp_path, None) as world:
        error = await world.fail(HOOK, 400, "invalid_input", url=url)
        assert RECEIVERS_SETTING in str(error)


NO_ADDRESSES = [
    *("ftp://example.com/x", "example.com/x", "http://", "http:///x", "http:a", "http://u:p@example.com/"),
    *("http://a b/", "http://a%0d%0ab/", "http://a\nb/", "http://a\x00b/", "http://exa$mple.com/", "http://%61.com/"),
    *(
        "http://xn--/",
        "http://xn--abc-.com/",
        "http://.example.com/",
        "http://a..b/",
        "http://./",
        "http://\u200d.com/",
    ),
    *("http://example.com:0/", "http://example.com:99999/", "http://example.com:x/", "http://[::1]x/", "http://[::1/"),
    *("http://999.1.1.1/", "http://1.2.3.4.5/", "http://127.0.0.1./", "http://[fe80::1%25eth0]/", "http://[:::1]/"),
    *(f"http://{'a' * 64}.com/", f"http://{'.'.join(['a' * 60] * 5)}/"),
]


async def test_what_is_no_address_is_refused_and_never_sent_to(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        for url in NO_ADDRESSES:
            await world.fail(HOOK, 400, "invalid_input", url=url)
            poster = Poster(LOOPBACK, 5.0)
            assert await post(poster, url) == (None, "The receiver's address is not valid.")
            await poster.close()


async def test_unusual_addresses_are_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        for url in (
            *(
                "HTTPS://Example.COM:8443/x?y=z",
                "http://日本語.jp/日本",
                "http://xn--ls8h.la/",
                "http://a_b.example.com./",
            ),
            *(
                "http://93.184.216.34/",
                "http://[2606:2800:220:1::1]:81/",
                f"http://{'a' * 63}.com/",
                "http://intranet/",
            ),
        ):
            assert (await world.call(HOOK, url=url))["webhook"]["url"] == url


async def post(poster: Poster, url: str, is_wanted: Wanted = always) -> tuple[int | None, str | None]:
    """Send something, and wait for what comes of it."""
    future: asyncio.Future[tuple[int | None, str | None]] = asyncio.get_running_loop().create_future()
    letter = Letter(url, "event", 1_790_000_000, (b"secret",), "{}")
    poster.post(letter, lambda status, error: future.set_result((status, error)), is_wanted)
    return await future


async def test_the_socket_itself_is_guarded() -> None:
    """A name that leads to this machine gets past no check of names."""
    async with receiver() as there:
        port = there.url.rpartition(":")[2]
        poster = Poster(Receivers(Networks.parse("")), 5.0)
        for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]"):
            status, error = await post(poster, f"http://{host}:{port}")
            assert status is None and error is not None and RECEIVERS_SETTING in error
        await poster.close()
        assert there.received == []
        poster = Poster(Receivers(Networks.parse("127.0.0.0/8")), 5.0)
        assert await post(poster, there.url) == (200, None)
        await poster.close()


@asynccontextmanager
async def answering(*answers: bytes | None) -> AsyncIterator[tuple[str, list[list[bytes]]]]:
    """A receiver that answers each request with these bytes, in turn; None: it hangs up. Its address, and what came on
    each connection."""
    came: list[list[bytes]] = []
    left = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(mine := [])
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                mine.append(head + await reader.readexactly(2))
                answer = next(left)
                if answer is None:
                    break
                writer.write(answer)
                if answer.endswith(b"\nend"):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a%20b?c=d", came


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MUCH = 65_536


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (OK, 200, None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, None),
        (b"HTTP/1.0 200 OK\r\n\r\nas long as it lasts\nend", 200, None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n" + b"x" * 50_000, 200, None),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", 500, "answered 500"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n", 302, "redirects"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", None, "not HTTP"),
        (b"220 mail.example.com ESMTP\r\n", None, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nend", None, "broke"),
        (None, None, "broke"),
        # What comes after the status changes nothing.
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na\nend", 200, None),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n", 200, None),
        (b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n", 500, "answered 500"),
        (b"HTTP/1.1 100 Continue\r\n\r\nno HTTP\r\n", None, "not HTTP"),
    ],
)
async def test_what_a_receiver_may_answer(answer: bytes | None, status: int | None, why: str | None) -> None:
    async with answering(answer) as (url, came):
        poster = Poster(LOOPBACK, 10.0)
        found = await post(poster, url)
        assert found[0] == status
        assert (found[1] is None) if why is None else (why in str(found[1]))
        [[request]] = came
        assert request.startswith(b"POST /a%20b?c=d HTTP/1.1\r\nhost: 127.0.0.1:")
        assert request.endswith(b"content-length: 2\r\n\r\n{}")
        await poster.close()


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (b"", None, "within 0.3 s"),
        (b"HTTP/1.1 200 OK\r\n", None, "within 0.3 s"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None, "within 0.3 s"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", 200, None),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\na", 500, "answered 500"),
    ],
)
async def test_what_counts_of_an_answer_that_stalls_is_its_status(
    answer: bytes, status: int | None, why: str | None
) -> None:
    async with answering(answer, OK) as (url, came):
        poster = Poster(LOOPBACK, 0.3)
        found = await post(poster, url)
        assert found[0] == status
        assert (found[1] is None) if why is None else (why in str(found[1]))
        assert await post(poster, url) == (200, None)
        assert [len(requests) for requests in came] == [1, 1], "the connection was not used again"
        await poster.close()


async def test_a_connection_is_used_again_and_anew_when_it_was_closed() -> None:
    async with answering(OK, OK, None, OK, OK) as (url, came):
        poster = Poster(LOOPBACK, 5.0)
        for _ in range(2):
            assert await post(poster, url) == (200, None)
        assert len(came) == 1
        # The receiver hangs up as the third one comes: it is sent again, at once.
        assert await post(poster, url) == (200, None)
        assert await post(poster, url) == (200, None)
        assert [len(requests) for requests in came] == [3, 2]
        await poster.close()


async def test_a_request_that_waits_for_a_connection_takes_one_that_is_free() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, ExitStack() as others:
        listening.setblocking(False)
        where = listening.getsockname()
        poster, url = Poster(LOOPBACK, 5.0), f"http://127.0.0.1:{where[1]}/"
        first = asyncio.ensure_future(post(poster, url))
        connection, _ = await loop.sock_accept(listening)
        others.enter_context(connection)
        assert (await loop.sock_recv(connection, MUCH)).startswith(b"POST")
        for _ in range(3):  # from now on the receiver takes no connection
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(where)
        second = asyncio.ensure_future(post(poster, url))
        assert (await asyncio.wait([second], timeout=0.2))[1], "it has no connection"
        for answered in (first, second):
            await loop.sock_sendall(connection, OK)
            assert await answered == (200, None)
            if answered is first:
                assert (await asyncio.wait_for(loop.sock_recv(connection, MUCH), 2)).startswith(b"POST")
        await poster.close()


async def test_receivers_that_cannot_be_reached() -> None:
    poster = Poster(LOOPBACK, 5.0)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert await post(poster, f"http://127.0.0.1:{port}/") == (None, "Nothing answers at the receiver's address.")
    assert await post(poster, "http://nowhere.invalid/") == (None, "The receiver's name cannot be resolved.")
    async with receiver() as there:
        status, why = await post(poster, there.url.replace("http:", "https:"))
        assert (status, why) == (None, "The receiver's certificate is not valid, or it does not speak TLS.")
        assert there.received == []
    await poster.close()


async def test_only_a_certificate_that_is_valid_for_the_name_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key = tls.self_signed("receiver")
    (tmp_path / "both.pem").write_bytes(pem + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        poster = Poster(LOOPBACK, 5.0)
        status, why = await post(poster, url)
        assert (status, why) == (None, "The receiver's certificate is not valid, or it does not speak TLS.")
        await poster.close()
        trusting = ssl.create_default_context(cadata=pem.decode())
        trusting.check_hostname = False
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        poster = Poster(LOOPBACK, 5.0)
        assert await post(poster, url) == (200, None)
        await poster.close()


@pytest.mark.parametrize(
    ("address", "named", "may"),
    [
        ("93.184.216.34", "", True),
        ("2606:2800:220:1::1", "", True),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.0/8", True),
        ("::ffff:127.0.0.1", "", False),
        ("::ffff:127.0.0.1", "127.0.0.0/8", True),
        ("64:ff9b::7f00:1", "", False),
        ("64:ff9b::5db8:d822", "", True),
        ("2002:7f00:1::", "", False),
        ("2002:5db8:d822::", "", True),
        ("64:ff9b:1::7f00:1", "", False),
        ("64:ff9b:1::5db8:d822", "", False),
        ("64:ff9b:1:7f00:0:100::", "", False),
        ("64:ff9b:1::5db8:d822", "::/0", False),
        ("64:ff9b:1::5db8:d822", "64:ff9b:1::/96", True),
        ("::127.0.0.1", "", False),
        ("::127.0.0.1", "127.0.0.0/8", True),
        ("::169.254.169.254", "::/0", False),
        ("::ffff:0:127.0.0.1", "", False),
        ("::ffff:0:169.254.169.254", "::/0", False),
        ("::1", "", False),
        ("::1", "::1", True),
        ("::", "::/0", False),
        ("fec0::1", "", False),
        ("fec0::1", "fec0::/10", True),
        ("3fff::1", "", False),
        ("3fff:1000::1", "", True),
        ("5f00::1", "", False),
        ("4000::1", "", False),
        ("2001:db8::1", "", False),
        ("2001::5db8:d822", "", False),
        ("100::1", "", False),
        ("192.168.1.9", "", False),
        ("192.168.1.9", "192.168.0.0/16", True),
        ("100.64.0.1", "", False),
        ("0.0.0.0", "", False),
        ("0.0.0.0", "0.0.0.0/0", False),
        ("169.254.169.254", "0.0.0.0/0", False),
        ("169.254.169.254", "169.254.0.0/16", False),
        ("169.254.169.254", "169.254.169.254", True),
        ("169.254.7.7", "10.0.0.0/8", False),
        ("169.254.7.7", "169.254.0.0/16", True),
        ("fe80::1", "::/0", False),
        ("fd00:ec2::254", "fd00::/8", False),
        ("fd12::1", "", False),
        ("fd12::1", "fd00::/8", True),
        ("224.0.0.1", "", False),
        ("ff02::1", "", False),
        ("168.63.129.16", "", False),
        ("192.0.2.1", "", False),
        ("198.18.0.1", "", False),
        ("240.0.0.1", "", False),
        ("255.255.255.255", "", False),
    ],
)
def test_where_receivers_may_be(address: str, named: str, may: bool) -> None:
    assert Receivers(Networks.parse(named)).allows(ipaddress.ip_address(address)) is may


async def test_tries_follow_the_documented_pauses_and_end(tmp_path: Path, database_url: str | None) -> None:
    options = {**HERE, "webhook_retries": "5s,1m,3m"}
    async with serving(tmp_path, database_url, **options) as world, receiver(answer=lambda _n: 500) as there:
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        await happen(world)
        await until(lambda: len(there.received) == 1)
        pauses = (5, 60, 180)
        for count, pause in enumerate(pauses, 2):
            await world.eventually(lambda: tried(world, webhook, count), step=pause / 10)  # noqa: B023
        await until(lambda: is_state(world, webhook, "given_up"))
        (row,) = (await log_of(world, webhook))["deliveries"]
        moments = [datetime.fromisoformat(one["at"]).timestamp() for one in row["tries"]]
        for pause, gap in zip(pauses, (b - a for a, b in itertools.pairwise(moments)), strict=True):
            assert pause <= gap <= pause * 1.3 + 6, (pause, gap)
        assert [one["status"] for one in row["tries"]] == [500] * 4
        assert row["next_try_at"] is None and row["tries"][0]["error"] == "The receiver answered 500."
        assert len({one.headers["svix-id"] for one in there.received}) == 1
        # It can be had again, with all its tries, and again.
        about = {"delivery_id": row["delivery_id"]}
        for replay in (1, 2):
            shown = (await world.call("/webhooks/doorward/replay", **about))["delivery"]
            assert shown["state"] == "due" and len(shown["tries"]) == 4 * replay
            await world.eventually(lambda: tried(world, webhook, 4 * replay + 1), step=0.1)  # noqa: B023
            (row,) = (await log_of(world, webhook))["deliveries"]
            assert 5_000 <= parse(row["next_try_at"]) - parse(row["tries"][-1]["at"]) < 6_000
            await world.eventually(lambda: is_state(world, webhook, "given_up"), step=6)
            assert len(there.received) == 4 * replay + 4
        there.answer = lambda _n: 204
        await world.call("/webhooks/doorward/replay", **about)
        await world.eventually(lambda: is_state(world, webhook, "done"))
        assert len(there.received) == 13
        # Also one that was taken.
        there.answer = lambda _n: 500
        await world.call("/webhooks/doorward/replay", **about)
        await world.eventually(lambda: is_state(world, webhook, "given_up"), step=6)
        assert len(there.received) == 17


async def test_a_replay_holds_after_a_restart(tmp_path: Path, database_url: str | None) -> None:
    options = {**HERE, "webhook_retries": "1h"}
    async with receiver(answer=lambda _n: 500) as there:
        async with serving(tmp_path, database_url, **options) as world:
            await world.connect()
            webhook = await hook(world, there, "device.name_changed")
            await happen(world)
            await world.eventually(lambda: is_state(world, webhook, "given_up"), step=600)
            (row,) = (await log_of(world, webhook))["deliveries"]
            await world.call("/webhooks/doorward/replay", delivery_id=row["delivery_id"])
            await world.eventually(lambda: tried(world, webhook, 3), step=0.1)
            clock = world.clock
        async with serving(tmp_path, database_url, clock, **options) as world:
            assert await is_state(world, webhook, "due")
            await world.eventually(lambda: tried(world, webhook, 4), step=600)
            assert await is_state(world, webhook, "given_up")


async def test_what_is_asked_for_again_while_it_is_on_its_way_is_sent_again(
    tmp_path: Path, database_url: str | None
) -> None:
    options = {**HERE, "webhook_retries": "off"}
    async with serving(tmp_path, database_url, **options) as world, receiver(answer=lambda _n: 500) as there:
        there.slowness_s = 0.5
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        await happen(world)
        await until(lambda: there.received)
        await until(lambda: is_sorted(world))
        (row,) = (await log_of(world, webhook))["deliveries"]
        await world.clock.advance(0.001)
        await world.call("/webhooks/doorward/replay", delivery_id=row["delivery_id"])
        await world.eventually(lambda: tried(world, webhook, 2), step=0.1)
        assert await is_state(world, webhook, "given_up")
        assert len(there.received) == 2


async def tried(world: World, webhook: Any, count: int) -> bool:
    rows = (await log_of(world, webhook))["deliveries"]
    return bool(rows) and len(rows[0]["tries"]) == count


async def is_state(world: World, webhook: Any, state: str) -> bool:
    return [one["state"] for one in (await log_of(world, webhook))["deliveries"]] == [state]


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with serving(tmp_path, None, **HERE) as world, receiver() as second, receiver() as first:
        first.answer, first.headers = lambda _n: 307, {"location": second.url}
        await world.connect()
        webhook = await hook(world, first, "device.name_changed")
        await happen(world)
        await until(lambda: tried(world, webhook, 1))
        (row,) = (await log_of(world, webhook))["deliveries"]
        assert "redirects are not followed" in row["tries"][0]["error"]
        assert second.received == []


async def test_a_slow_receiver_keeps_nobody_waiting(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, **HERE) as world, receiver() as quick, receiver() as slow:
        slow.slowness_s = 10.0
        await world.connect()
        await hook(world, slow, "device.name_changed")
        await hook(world, quick, "device.name_changed")
        for number in range(40):
            await happen(world, f"Name {number}")
        await until(lambda: len(quick.received) == 40, patience=8)
        await asyncio.sleep(0.2)  # none of them comes twice
        names = sorted(one.event["device_name"] for one in quick.received)
        assert names == sorted(f"Name {n}" for n in range(40))
        assert len(slow.received) <= 16


async def test_what_a_receiver_refuses_holds_up_nothing_else(tmp_path: Path, database_url: str | None) -> None:
    """It knows one type of events only, and says so at once."""
    async with serving(tmp_path, database_url, Clock(), **HERE) as world, receiver() as there:
        there.answer = lambda _n: 200 if there.received[-1].event["event_type"] == "lock.unlocked" else 400
        await world.connect()
        await hook(world, there, "*")
        for number in range(60):
            await happen(world, f"Name {number}")
        await world.call("/locks/unlock_door", device_id=world.devices[0])

        def types() -> list[str]:
            return [one.event["event_type"] for one in there.received]

        await until(lambda: "lock.unlocked" in types(), patience=8)
        assert types().count("device.name_changed") >= 60


QUEUED = 60


@asynccontextmanager
async def queued(tmp_path: Path, database_url: str | None) -> AsyncIterator[tuple[World, Receiver, Any]]:
    """A webhook with as many requests under way as there may be, and more that wait. At the end those are answered, and
    none of what waited has begun."""
    async with serving(tmp_path, database_url, **HERE) as world, receiver(gate=asyncio.Event()) as there:
        assert there.gate is not None
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        for number in range(QUEUED):
            await happen(world, f"Name {number}")
        await until(lambda: len(there.received) == WIDTH)
        await until(lambda: is_sorted(world))
        yield world, there, webhook
        there.gate.set()
        await world.pass_time(12)
        await world.settle(0.3)
        assert len(there.received) == WIDTH


async def test_nothing_begins_after_a_webhook_was_deleted(tmp_path: Path, database_url: str | None) -> None:
    async with queued(tmp_path, database_url) as (world, _, webhook):
        await world.call("/webhooks/delete", webhook_id=webhook["webhook_id"])


async def test_nothing_begins_after_a_sandbox_was_reset_but_what_happens_then(
    tmp_path: Path, database_url: str | None
) -> None:
    async with queued(tmp_path, database_url) as (world, there, webhook):
        await world.call("/workspaces/reset_sandbox")
        there.answer = lambda _n: 500  # none of it comes again
    async with serving(tmp_path, database_url, world.clock, **HERE) as world, receiver() as there:
        assert (await log_of(world, webhook))["deliveries"] == []
        await world.connect()
        await hook(world, there, "device.name_changed")
        await happen(world, "New")
        await until(lambda: there.received)
        assert there.received[0].event["device_name"] == "New"


async def test_nothing_begins_that_a_webhook_does_not_want_any_more(tmp_path: Path, database_url: str | None) -> None:
    async with queued(tmp_path, database_url) as (world, there, webhook):
        about = {"webhook_id": webhook["webhook_id"]}
        await world.call("/webhooks/update", event_types=["lock.locked"], **about)
        # What is under way and fails is not tried again, either.
        there.answer = lambda n: 500 if n % 2 else 200
    async with serving(tmp_path, database_url, world.clock, **HERE) as world:
        log = (await log_of(world, webhook))["deliveries"]
        assert [one["state"] for one in log].count("done") == WIDTH // 2
        assert [one["state"] for one in log].count("given_up") == QUEUED - WIDTH // 2
        assert sum(len(one["tries"]) for one in log) == WIDTH


async def test_what_waits_is_signed_with_a_secret_that_is_new(tmp_path: Path, database_url: str | None) -> None:
    async with (
        serving(tmp_path, database_url, **HERE) as world,
        receiver(gate=asyncio.Event()) as there,
    ):
        assert there.gate is not None
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        for number in range(QUEUED):
            await happen(world, f"Name {number}")
        await until(lambda: len(there.received) == WIDTH)
        reply = await world.call("/webhooks/doorward/rotate_secret", webhook_id=webhook["webhook_id"])
        there.gate.set()
        await until(functools.partial(settled, world, webhook))
        assert len(there.received) == QUEUED
        for secret, count in ((webhook["secret"], QUEUED), (reply["webhook"]["secret"], QUEUED - WIDTH)):
            assert sum(signs(secret, one) for one in there.received) == count


async def test_what_is_unwanted_when_its_connection_stands_does_not_begin() -> None:
    async with answering(OK, None, OK) as (url, came):
        poster = Poster(LOOPBACK, 5.0)
        assert await post(poster, url) == (200, None)
        # The receiver hangs up as the next one comes. Until there is another connection, it has become unwanted.
        assert await post(poster, url, lambda: False) == (None, UNWANTED)
        assert [len(requests) for requests in came] == [2, 0]
        assert await post(poster, url) == (200, None)
        assert [len(requests) for requests in came] == [2, 1], "the new connection is used"
        await poster.close()


async def test_more_than_is_kept_ready_comes_once_each_and_in_order(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, **HERE) as world, receiver() as quick, receiver() as late:
        late.slowness_s = 0.5
        await world.connect()
        webhooks = [await hook(world, one, "device.name_changed") for one in (quick, late)]
        device = await devices.get(world.core.db.read, world.workspace.workspace_id, world.devices[0])
        assert device is not None

        async def rename(tx: Tx, first: int, count: int) -> None:
            for number in range(first, first + count):
                event = DeviceNameChanged(device_name=f"Name {number}", **events.about_device(device))
                await events.emit(tx, world.core, world.workspace.workspace_id, event)

        at = 0
        for count in (1, 3, PART, 2 * PART, 7, PART):
            await world.core.db.write(rename, at, count)
            at += count
            await asyncio.sleep(0.01)
        late.slowness_s = 0.0
        for there, webhook in zip((quick, late), webhooks, strict=True):
            await until(functools.partial(settled, world, webhook))
            numbers = [int(one.event["device_name"].split()[1]) for one in there.received]
            assert sorted(numbers) == list(range(at))
            assert max(abs(n - place) for place, n in enumerate(numbers)) <= 2 * WIDTH


async def test_nothing_is_sent_again_because_the_store_takes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, None, **HERE) as world, receiver(gate=asyncio.Event()) as there:
        assert there.gate is not None
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        await happen(world)
        await until(lambda: there.received)
        store: Any = world.core.db
        store._writing.execute("PRAGMA query_only = ON")
        there.gate.set()
        await world.pass_time(5)
        await world.settle(1.0)
        assert (await log_of(world, webhook))["deliveries"] == []
        store._writing.execute("PRAGMA query_only = OFF")
        await world.eventually(lambda: is_state(world, webhook, "done"))
        await world.pass_time(5)
        assert len(there.received) == 1


async def test_deliveries_are_forgotten_after_a_week_however_many(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, **HERE) as world, receiver() as there:
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        for number in range(12):
            await happen(world, f"Name {number}")
        await until(lambda: settled(world, webhook))
        key, now = (world.workspace.workspace_id, webhook["webhook_id"]), world.clock.now()
        write = world.core.db.write
        assert await write(deliveries.forget, *key, "", now, 5) is None, "they are younger"
        assert len((await log_of(world, webhook))["deliveries"]) == 12
        after, parts = "", 0
        while (found := await write(deliveries.forget, *key, after, now + 1, 5)) is not None:
            after, parts = found, parts + 1
            assert len((await log_of(world, webhook))["deliveries"]) == max(0, 12 - 5 * parts)
        assert parts == 3


async def settled(world: World, webhook: Any) -> bool:
    """Everything that has happened was delivered there."""
    read = world.core.db.read
    states = await read.all("SELECT DISTINCT state FROM deliveries WHERE webhook_id = $1", webhook["webhook_id"])
    return [row[0] for row in states] == ["done"] and await is_sorted(world)


async def is_sorted(world: World) -> bool:
    """Every event has become deliveries."""
    return not await world.core.db.read.all("SELECT 1 FROM outbox")


async def test_what_was_not_delivered_survives_a_restart(tmp_path: Path, database_url: str | None) -> None:
    async with receiver(answer=lambda _n: 503) as there:
        async with serving(tmp_path, database_url, **HERE) as world:
            await world.connect()
            clock, devices = world.clock, world.devices
            webhook = await hook(world, there, "device.name_changed")
            await happen(world)
            await until(lambda: tried(world, webhook, 1))
        there.answer = lambda _n: 200
        async with serving(tmp_path, database_url, clock, **HERE) as world:
            world.devices = devices
            await happen(world, "Again")
            await until(lambda: len(there.received) == 2)
            await world.pass_time(6)
            await until(lambda: len(there.received) == 3)
            names = [one.event["device_name"] for one in there.received]
            assert names == ["Renamed", "Again", "Renamed"]


async def test_a_receiver_that_fails_for_days_is_disabled_and_wakes_when_it_is_updated(
    tmp_path: Path, database_url: str | None
) -> None:
    async with (
        serving(
            tmp_path, database_url, **HERE, webhook_retries="2m,2m,2m,2m,2m,2m", webhook_disable_after=0.005
        ) as world,
        receiver(answer=lambda _n: 500) as there,
    ):
        await world.connect()
        webhook = await hook(world, there, "device.name_changed")
        await happen(world)
        for count in range(1, 6):
            await world.eventually(lambda: tried(world, webhook, count), step=10)  # noqa: B023
        assert "webhook.disabled" in await world.types()
        log = await log_of(world, webhook)
        assert log["health"]["disabled_at"] is not None
        assert [(one["state"], one["next_try_at"]) for one in log["deliveries"]] == [("due", None)]
        for _ in range(2):  # the refusal leaves it as it is
            about = {"delivery_id": log["deliveries"][0]["delivery_id"]}
            error = await world.fail("/webhooks/doorward/replay", 400, "webhook_disabled", **about)
            assert "/webhooks/update" in error["message"]
        there.answer = lambda _n: 200
        await happen(world, "Later")
        await world.pass_time(30)
        assert len(there.received) == 5
        await world.call("/webhooks/update", webhook_id=webhook["webhook_id"], event_types=["*"])
        await world.eventually(lambda: any(one.event.get("device_name") == "Later" for one in there.received))


async def test_what_waits_at_a_disabled_webhook_is_forgotten_after_a_week(
    tmp_path: Path, database_url: str | None
) -> None:
    begin, day = ManualClock().now(), 24 * 3_600_000
    options = {**HERE, "webhook_retries": "2m", "webhook_disable_after": 0.0001}
    async with receiver(answer=lambda _n: 500) as there:
        async with serving(tmp_path, database_url, **options) as world:
            await world.connect()
            devices, webhook = world.devices, await hook(world, there, "device.name_changed")
            about = {"webhook_id": webhook["webhook_id"]}
            await happen(world, "Old")
            await world.eventually(lambda: is_disabled(world, webhook), step=10)
            await happen(world, "Waits")
            await until(lambda: stand(world, webhook, ["due", "given_up"]))
        there.answer, count = lambda _n: 200, len(there.received)
        for days, left in ((6, ["due", "given_up"]), (6.5, ["due", "due", "given_up"]), (8, ["due"])):
            async with serving(tmp_path, database_url, ManualClock(begin + int(days * day)), **options) as world:
                world.devices = devices
                if days == 6.5:
                    await happen(world, "Later")
                await world.pass_time(2)
                await until(lambda: stand(world, webhook, left))  # noqa: B023
                if days == 8:
                    await world.call("/webhooks/update", event_types=["*"], **about)
                    await until(lambda: stand(world, webhook, ["done"]))
        assert [one.event["device_name"] for one in there.received[count:]] == ["Later"]


async def is_disabled(world: World, webhook: Any) -> bool:
    return (await log_of(world, webhook))["health"]["disabled_at"] is not None


async def stand(world: World, webhook: Any, states: list[str]) -> bool:
    found = sorted(one["state"] for one in (await log_of(world, webhook))["deliveries"])
    return found == states


def signs(secret: str, received: Received) -> bool:
    """By the signature alone: the clock of the test is not the verifier's."""
    at = datetime.fromtimestamp(int(received.headers["svix-timestamp"]), UTC)
    mine = Standard(secret).sign(received.headers["svix-id"], at, received.body.decode())
    return mine in received.headers["svix-signature"].split()


async def test_each_secret_that_was_replaced_signs_for_a_day(tmp_path: Path, database_url: str | None) -> None:
    """The server starts again at each hour that matters."""
    begin, secrets, devices, about = ManualClock().now(), [""], [""], {"webhook_id": ""}

    async def rotate(world: World) -> None:
        secrets.append((await world.call("/webhooks/doorward/rotate_secret", **about))["webhook"]["secret"])

    async def signing(world: World) -> list[int]:
        """Which of them sign now."""
        there.received.clear()
        await happen(world, f"Name {len(secrets)} at {world.clock.now()}")
        await until(lambda: there.received)
        return [number for number, secret in enumerate(secrets) if signs(secret, there.received[0])]

    async with receiver() as there:
        for hour, rotations, expected in (
            (0, 0, [0]),
            (1, 1, [0, 1]),
            (2, 1, [0, 1, 2]),
            (25, 0, [1, 2]),
            (26, 0, [2]),
        ):
            clock = ManualClock(begin + hour * 3_600_000)
            async with serving(tmp_path, database_url, clock, **HERE) as world:
                if not hour:
                    await world.connect()
                    webhook = await hook(world, there, "device.name_changed")
                    secrets[0], about["webhook_id"], devices = webhook["secret"], webhook["webhook_id"], world.devices
                world.devices = devices
                for _ in range(rotations):
                    await rotate(world)
                assert await signing(world) == expected
                if hour == 26:
                    for _ in range(7):
                        await rotate(world)
                    assert await signing(world) == [4, 5, 6, 7, 8, 9]


async def test_any_of_several_signatures_will_do_for_seams_own_sdk(tmp_path: Path) -> None:
    async with serving(tmp_path, None, Clock(), **HERE) as world, receiver() as there:
        await world.connect()
        old = await hook(world, there, "device.name_changed")
        about = {"webhook_id": old["webhook_id"]}
        newer, new = [(await world.call("/webhooks/doorward/rotate_secret", **about))["webhook"] for _ in range(2)]
        await happen(world)
        await until(lambda: there.received)
        for webhook in (old, newer, new):
            SeamWebhook(webhook["secret"]).verify(there.received[0].body.decode(), there.received[0].headers)


async def test_no_secret_is_stored_readable_or_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(tmp_path, None, Clock(), **HERE) as world, receiver(answer=lambda _n: 500) as there:
        await world.connect()
        webhook = await hook(world, there)
        await happen(world)
        await until(lambda: there.received)
        await asyncio.sleep(0.1)
        secret = webhook["secret"].removeprefix("whsec_")
        for file in tmp_path.glob("doorward.db*"):  # noqa: ASYNC240 - a test
            assert secret.encode() not in file.read_bytes()
        said = capsys.readouterr()
        assert secret not in said.out + said.err and there.url not in said.out + said.err


async def test_a_receiver_that_is_away_does_not_hold_up_the_end_of_the_server(tmp_path: Path) -> None:
    async with receiver(answer=lambda _n: 500) as there:
        async with serving(tmp_path, None, Clock(), **HERE) as world:
            await world.connect()
            webhook = await hook(world, there, "device.name_changed")
            for number in range(60):
                await happen(world, f"Name {number}")
            await until(lambda: len(there.received) >= 10)  # eight at once, then one after each pause
            began = time.monotonic()
        assert time.monotonic() - began < DRAIN_S
        async with serving(tmp_path, None, Clock(), **HERE) as world:

            async def are_listed() -> bool:  # the first server may have ended before it had made them all
                return len((await log_of(world, webhook))["deliveries"]) == 60

            await until(are_listed)
            waiting = await log_of(world, webhook)
            assert {one["state"] for one in waiting["deliveries"]} == {"due"}
