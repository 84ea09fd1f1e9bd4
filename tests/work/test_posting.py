"""Very many letters are posted by a helper process, and none is lost by that."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from glob import glob
from pathlib import Path

import pytest
import uvloop
from standardwebhooks.webhooks import Webhook as Standard
from tests.support.receiver import Receiver, receiver
from tests.support.server import until

from doorward.networks import RECEIVERS_SETTING
from doorward.work.post import UNWANTED, Letter
from doorward.work.posting import Pace, Posting

AT_ONCE = Pace(look_s=0.02, many=1, few=1_000, few_looks=1_000_000)
"""The first letter brings a helper, which stays."""


@asynccontextmanager
async def helped(pace: Pace = AT_ONCE, allow: str = "127.0.0.0/8", timeout_s: float = 5.0) -> AsyncIterator[Posting]:
    """Posting, with a helper that is ready. No process is left behind."""
    posting = Posting(allow, timeout_s, pace)
    posting.post(letter("no address"), lambda *_: None)
    await until(lambda: posting.helper is not None and posting.helper.is_ready)
    pid = helper_of(posting)
    try:
        yield posting
    finally:
        await posting.close()
        assert not is_alive(pid)


def helper_of(posting: Posting) -> int:
    assert posting.helper is not None and posting.helper.pid is not None
    return posting.helper.pid


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and b"posting_helper" in Path(f"/proc/{pid}/cmdline").read_bytes()


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def letter(url: str, number: int = 0) -> Letter:
    return Letter(url, f"event {number}", 1_790_000_000, (b"new secret", b"old secret"), f'{{"n":{number}}}')


def numbers(there: Receiver) -> list[int]:
    return sorted(one.event["n"] for one in there.received)


Found = list[tuple[int | None, str | None]]


def post(posting: Posting, *letters: Letter) -> Found:
    """What came of them, as it comes."""
    found: Found = []
    for one in letters:
        posting.post(one, lambda status, error: found.append((status, error)))
    return found


async def test_a_helper_posts_as_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOORWARD_SECRET_KEY", "not for helpers")
    async with receiver() as there, helped() as posting:
        assert b"DOORWARD" not in environment(helper_of(posting))
        found = post(posting, *(letter(there.url, n) for n in range(40)))
        await until(lambda: len(found) == 40)
        assert set(found) == {(200, None)} and numbers(there) == list(range(40))
        first = there.received[0]
        assert first.headers["svix-id"] == first.headers["webhook-id"] == f"event {first.event['n']}"
        signatures = first.headers["webhook-signature"].split()
        assert signatures == first.headers["svix-signature"].split()
        at = datetime.fromtimestamp(1_790_000_000, UTC)
        for secret in (b"new secret", b"old secret"):
            assert Standard(secret).sign(first.headers["svix-id"], at, first.body.decode()) in signatures
        there.answer = lambda _n: 500
        found = post(posting, letter(there.url), letter("http://127.0.0.1:1/"))
        await until(lambda: len(found) == 2)
        assert set(found) == {
            (500, "The receiver answered 500."),
            (None, "Nothing answers at the receiver's address."),
        }


def test_a_helper_does_not_keep_the_servers_socket() -> None:
    """uvloop, which servers run on, hands down what is inheritable, as a server's socket is."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.set_inheritable(True)
            async with helped() as posting:
                ours = os.readlink(f"/proc/self/fd/{sock.fileno()}")
                assert ours not in [os.readlink(one) for one in glob(f"/proc/{helper_of(posting)}/fd/*")]

    uvloop.run(main())


async def test_a_helper_goes_nowhere_that_is_not_allowed() -> None:
    async with receiver() as there, helped(allow="") as posting:
        found = post(posting, letter(there.url))
        await until(lambda: found)
        assert found[0][0] is None and RECEIVERS_SETTING in str(found[0][1])
        assert there.received == []


async def test_letters_of_a_helper_that_dies_are_posted_again() -> None:
    async with receiver(slowness_s=0.3) as there, helped(replace(AT_ONCE, again_s=3600)) as posting:
        found = post(posting, *(letter(there.url, n) for n in range(8)))
        await until(lambda: there.received)
        os.kill(helper_of(posting), signal.SIGKILL)
        found_later = post(posting, *(letter(there.url, n) for n in range(8, 12)))
        await until(lambda: len(found) + len(found_later) == 12)
        assert set(found + found_later) == {(200, None)}
        assert set(numbers(there)) == set(range(12))
        assert posting.helper is None
        await asyncio.sleep(AT_ONCE.look_s * 3)
        assert posting.helper is None, "it failed a moment ago"


async def test_a_letter_of_a_helper_that_dies_is_not_posted_again_when_it_is_unwanted() -> None:
    async with receiver(slowness_s=0.3) as there, helped(replace(AT_ONCE, again_s=3600)) as posting:
        found: Found = []
        posting.post(letter(there.url), lambda status, error: found.append((status, error)), lambda: False)
        await until(lambda: there.received)
        os.kill(helper_of(posting), signal.SIGKILL)
        await until(lambda: found)
        assert found == [(None, UNWANTED)] and len(there.received) == 1


async def test_a_helper_that_hangs_is_replaced() -> None:
    async with receiver() as there, helped(replace(AT_ONCE, late_s=3.0, again_s=0.0), timeout_s=0.3) as posting:
        pid = helper_of(posting)
        os.kill(pid, signal.SIGSTOP)
        found = post(posting, *(letter(there.url, n) for n in range(5)))
        await until(lambda: len(found) == 5)
        assert set(found) == {(200, None)} and numbers(there) == list(range(5))
        assert not is_alive(pid)
        found = post(posting, letter(there.url))
        await until(lambda: posting.helper is not None and posting.helper.is_ready)
        assert helper_of(posting) != pid


async def test_a_helper_ends_when_it_is_not_needed_and_has_nothing_under_way() -> None:
    async with receiver(slowness_s=0.5) as there, helped(replace(AT_ONCE, few_looks=50)) as posting:
        pid = helper_of(posting)
        found = post(posting, letter(there.url))
        await until(lambda: there.received)
        assert is_alive(pid)
        await until(lambda: posting.helper is None)
        assert found == [(200, None)] and len(there.received) == 1 and not is_alive(pid)


async def test_no_helper_for_a_few_letters() -> None:
    async with receiver() as there:
        posting = Posting("127.0.0.0/8", 5.0, Pace(look_s=0.02))
        found = post(posting, *(letter(there.url, n) for n in range(50)))
        await until(lambda: len(found) == 50)
        await asyncio.sleep(0.1)
        assert posting.helper is None
        await posting.close()
