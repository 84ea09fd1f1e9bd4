"""2N as a brand: logins in a sandbox, and virtual intercoms that are kept."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doorward.clock import ManualClock
from doorward.networks import Networks
from doorward.providers.base import (
    AccountAccess,
    AccountLogin,
    Discovers,
    Place,
    Provider,
)
from doorward.providers.errors import (
    NotAuthorized,
    Offline,
    OutcomeUnknown,
    Refused,
    Unsupported,
)
from doorward.providers.events import DoorbellRang, LockMoved
from doorward.providers.my_2n.client import TwoNClient
from doorward.providers.my_2n.direct import Direct
from doorward.providers.my_2n.driver import TwoNLink, number_of
from doorward.providers.my_2n.emulator import Account, Privilege, start_units
from doorward.providers.my_2n.provider import MyTwoN
from doorward.providers.my_2n.troubles import NoAnswer, NotTheApi
from doorward.providers.my_2n.twins import SAVE_S, Twin

from .world import BISTABLE, GUEST, JANE, OTHER, WORKSPACE, MemoryStore, code, until, within

SANDBOX = Place(WORKSPACE, is_sandbox=True)
PRODUCTION = Place(WORKSPACE, is_sandbox=False)
LOGIN = {"email": "jane@example.com", "password": "1234"}


class Server:
    """A provider over a store; `again` is what a restart of the server leaves."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.clock = ManualClock()
        self.provider = MyTwoN(self.store, self.clock)

    async def again(self) -> "Server":
        await self.provider.close()
        return self.killed()

    def killed(self) -> "Server":
        return Server(self.store)

    async def connect(self) -> tuple[TwoNLink, str]:
        """Log in and open the first device."""
        account = await self.provider.log_in(SANDBOX, LOGIN)
        ref = account.devices[0].ref
        login = await self.provider.log_in_device(SANDBOX, account, ref, JANE, {})
        link = await self.provider.open(AccountAccess(SANDBOX, account.secret, {ref: login.secret}))
        assert isinstance(link, TwoNLink)
        return link, ref

    def twin(self, ref: str) -> Twin:
        twin = self.provider.twins.find(WORKSPACE, ref)
        assert twin is not None
        return twin


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one = Server()
    yield one
    await one.provider.close()


# ---------------------------------------------------------------- logging in


async def test_it_is_a_provider(server: Server) -> None:
    provider: Provider = server.provider
    assert (provider.key, provider.display_name, provider.device_type) == ("my_2n", "2N", "two_n_intercom")
    assert isinstance(provider, Discovers)
    assert [field.kind for field in provider.account_form(SANDBOX).fields] == ["email", "password"]
    assert [field.kind for field in provider.account_form(PRODUCTION).fields] == ["lines", "text"]
    forms = [provider.device_form(place) for place in (SANDBOX, PRODUCTION)]
    assert [[field.name for field in form.fields] for form in forms if form] == [
        ["username", "password"],
        ["username", "password", "switch", "trust", "stranger"],
    ]


async def test_first_login_makes_three_devices_and_later_ones_find_them(server: Server) -> None:
    first = await server.provider.log_in(SANDBOX, LOGIN)
    again = await server.provider.log_in(SANDBOX, {"email": " Jane@Example.COM ", "password": "1234"})
    assert [device.name for device in first.devices] == ["Device 0", "Device 1", "Device 2"]
    assert len({device.ref for device in first.devices}) == 3
    assert first == again
    assert first.identity == {"email": "jane@example.com"}
    assert server.store.saves == 3


async def test_two_first_logins_at_once_make_three_devices(server: Server) -> None:
    logins = await asyncio.gather(*(server.provider.log_in(SANDBOX, LOGIN) for _ in range(5)))
    assert len(server.store.rows) == 3
    assert all(login == logins[0] for login in logins)


async def test_logins_and_workspaces_have_devices_of_their_own(server: Server) -> None:
    places = (SANDBOX, Place("another", is_sandbox=True))
    logins = [
        await server.provider.log_in(place, {**LOGIN, "email": email})
        for place in places
        for email in ("jane@example.com", "john@example.com")
    ]
    assert len({device.ref for login in logins for device in login.devices}) == 12


@pytest.mark.parametrize(
    "values",
    [
        {"email": "jane@example.com", "password": "12345"},
        {"email": "jane@example.org", "password": "1234"},
        {"email": "jane@sub.example.com", "password": "1234"},
        {"email": "a@b@example.com", "password": "1234"},
        {"email": "@example.com", "password": "1234"},
        {"email": "jane@example.com"},
        {},
    ],
)
async def test_other_logins_fail_with_a_hint(server: Server, values: dict[str, str]) -> None:
    with pytest.raises(NotAuthorized, match=r"jane@example\.com"):
        await server.provider.log_in(SANDBOX, values)
    assert not server.store.rows


async def test_production_has_no_virtual_intercoms(server: Server) -> None:
    with pytest.raises(Refused):
        await server.provider.log_in(PRODUCTION, LOGIN)
    account = AccountLogin({}, "", {}, ())
    with pytest.raises(Unsupported):
        await server.provider.log_in_device(PRODUCTION, account, "x", JANE, {})
    link = await server.provider.open(AccountAccess(PRODUCTION, {}, {"x": JANE}))
    with pytest.raises(Unsupported, match="sandbox workspaces only"):
        await link.read_device("x")
    assert not server.store.rows


async def test_a_sandbox_has_no_real_intercoms(server: Server) -> None:
    real = {**JANE, "url": "http://127.0.0.1:9"}
    link = await server.provider.open(AccountAccess(SANDBOX, {}, {"x": real}))
    with pytest.raises(Unsupported, match="production workspace"):
        await link.read_device("x")


async def test_device_login_is_tried_and_moves_nothing(server: Server) -> None:
    account = await server.provider.log_in(SANDBOX, LOGIN)
    for index, device in enumerate(account.devices):
        login = await server.provider.log_in_device(SANDBOX, account, device.ref, JANE, {})
        assert login.secret == {"username": "jane", "password": "1234", "device_id": index + 1}
        twin = server.twin(device.ref)
        assert not twin.unit.switches[1].active and not len(twin.unit.directory)


async def test_wrong_device_login_says_what_it_should_be(server: Server) -> None:
    account = await server.provider.log_in(SANDBOX, LOGIN)
    for values in ({"username": "jane", "password": "x"}, {"username": "x", "password": "1234"}, {}):
        with pytest.raises(NotAuthorized, match="user name and password") as caught:
            await server.provider.log_in_device(SANDBOX, account, account.devices[0].ref, values, {})
        assert caught.value.missing is None


@pytest.mark.parametrize(
    ("lacking", "missing"),
    [
        ({Privilege.SWITCH_CONTROL}, "Switches – Control"),
        ({Privilege.SYSTEM_CONTROL}, "System – Control"),
    ],
)
async def test_missing_privilege_is_named(server: Server, lacking: set[Privilege], missing: str) -> None:
    account = await server.provider.log_in(SANDBOX, LOGIN)
    ref = account.devices[0].ref
    twin = await server.provider.twins.open(WORKSPACE, "jane@example.com", ref)
    twin.unit.put_account(Account("jane", "1234", frozenset(Privilege) - lacking))
    with pytest.raises(NotAuthorized) as caught:
        await server.provider.log_in_device(SANDBOX, account, ref, JANE, {})
    assert caught.value.missing == missing


async def test_guide_works(server: Server) -> None:
    link, ref = await server.connect()
    report = await link.read_device(ref)
    assert (report.name, report.locked, report.metadata["device_id"]) == ("Device 0", True, 1)
    assert (await link.unlock(ref, 5.0)).locked is False
    assert (await link.read_device(ref)).locked is False
    assert (await link.lock(ref, 5.0)).locked is True
    await link.set_code(ref, code())
    await link.close()


async def test_secret_with_an_address_is_driven_over_the_network(server: Server) -> None:
    async with await start_units(switches=[BISTABLE]) as running:
        secret, serial = {**JANE, "url": running.listeners[0].url}, running.units[0].serial
        link = await server.provider.open(AccountAccess(PRODUCTION, {}, {serial: secret}))
        assert isinstance(link, TwoNLink)
        assert (await link.unlock(serial, 5.0)).confirmed
        assert running.units[0].switches[1].active
        await link.close()
    link = await server.provider.open(AccountAccess(PRODUCTION, {}, {"54-1": {**JANE, "url": "ftp://x"}}))
    with pytest.raises(Unsupported):
        await link.read_device("54-1")


async def test_a_device_that_took_over_an_address_is_left_alone(server: Server) -> None:
    """Two intercoms swap addresses: neither opens the other's door, nor is given its codes."""
    async with await start_units(switches=[BISTABLE]) as running:
        secret = {**JANE, "url": running.listeners[0].url}
        link = await server.provider.open(AccountAccess(PRODUCTION, {}, {"54-1": secret}))
        assert isinstance(link, TwoNLink)
        for call in (
            link.unlock("54-1", 5.0),
            link.lock("54-1", 5.0),
            link.read_device("54-1"),
            link.read_codes("54-1"),
            link.set_code("54-1", code()),
            link.set_codes("54-1", [code()]),
            link.remove_code("54-1", code().ref),
        ):
            with pytest.raises(NotAuthorized, match="Another device"):
                await call
        unit = running.units[0]
        assert not unit.switches[1].active
        assert len(unit.directory) == 0
        assert {str(r["path"]).partition("?")[0] for r in unit.requests} == {"/api/system/info"}
        await link.close()


async def test_network_policy_is_asked(server: Server) -> None:
    provider = MyTwoN(server.store, server.clock, real=Direct(Networks.parse("192.168.0.0/16")))
    secret = {**JANE, "url": "http://127.0.0.1:9"}
    link = await provider.open(AccountAccess(PRODUCTION, {}, {"54-1": secret}))
    with pytest.raises(Offline, match="networks"):
        await link.read_device("54-1")
    await link.close()
    await provider.close()


def test_number_of_a_serial() -> None:
    assert number_of("54-9001-0042") == 490010042
    assert number_of("unit") > 0


# ---------------------------------------------------------------- twins


async def test_code_survives_a_kill_right_after_it_was_acknowledged(server: Server) -> None:
    link, ref = await server.connect()
    await link.set_code(ref, code())
    after = server.killed()
    again, same = await after.connect()
    assert same == ref
    (found,) = (await again.read_codes(ref)).codes
    assert (found.ref, found.pin, found.is_ours) == (GUEST, "040718", True)
    await again.close()
    await link.close()
    await after.provider.close()


async def test_nothing_is_acknowledged_before_it_is_kept(server: Server) -> None:
    link, ref = await server.connect()
    await link.read_device(ref)
    client = TwoNClient("http://twin", "jane", "1234", connector=server.twin(ref).connector)
    server.store.fails = True
    before = dict(server.store.rows)
    for write in (client.dir_create({"uuid": GUEST, "access": {"pin": "1111"}}), client.dir_delete(GUEST)):
        with pytest.raises((NoAnswer, NotTheApi)):
            await write
        assert server.store.rows == before
    server.store.fails = False
    assert "uuid" in await client.dir_create({"uuid": OTHER, "access": {"pin": "2222"}})
    assert server.store.rows != before, "kept when the answer is here"
    await client.close()
    await link.close()


async def test_log_is_kept_over_a_restart_and_its_numbers_are_not_used_again(server: Server) -> None:
    link, ref = await server.connect()
    async with contextlib.aclosing(link.watch(ref)) as events:
        await within(anext(events))
        server.twin(ref).unit.ring(1)
        first = await within(anext(events))
    history = [event.json for event in server.twin(ref).unit.log.events]
    await link.close()
    after = await server.again()
    again, _ = await after.connect()
    async with contextlib.aclosing(again.watch(ref)) as events:
        await within(anext(events))
        kept = [event.json for event in after.twin(ref).unit.log.events]
        assert kept[: len(history)] == history
        after.twin(ref).unit.ring(2)
        second = await within(anext(events))
        while not isinstance(second, DoorbellRang):
            second = await within(anext(events))
        assert second.button == "2" and second.key != first.key
    await again.close()
    await after.provider.close()


async def test_twin_that_is_opened_while_its_sandbox_is_reset_does_not_come_back(server: Server) -> None:
    link, ref = await server.connect()
    await link.close()
    after = await server.again()
    again = await after.provider.open(AccountAccess(SANDBOX, {"login": "jane@example.com"}, {ref: JANE}))
    assert isinstance(again, TwoNLink)
    load, loading, go = after.store.load, asyncio.Event(), asyncio.Event()

    async def slow(workspace_id: str, brand: str, ref: str) -> bytes | None:
        state = await load(workspace_id, brand, ref)
        loading.set()
        await go.wait()
        return state

    after.store.load = slow  # type: ignore[method-assign]
    unlocking = asyncio.ensure_future(again.unlock(ref, 5.0))
    await loading.wait()
    forgetting = asyncio.ensure_future(after.provider.twins.forget(WORKSPACE))
    await asyncio.sleep(0)
    go.set()
    await forgetting
    await asyncio.gather(unlocking, return_exceptions=True)
    await after.clock.advance(60)
    await again.close()
    await after.provider.close()
    assert not after.store.rows


@pytest.mark.parametrize("secret", [{"url": "http://a b"}, {"url": "https://192.0.2.1", "pin": "zz"}, {"url": 5}])
async def test_secret_that_makes_no_sense_is_unsupported(server: Server, secret: dict[str, object]) -> None:
    link = await server.provider.open(AccountAccess(PRODUCTION, {}, {"54-1": {**JANE, **secret}}))
    with pytest.raises(Unsupported):
        await link.read_device("54-1")
    await link.close()


@pytest.mark.parametrize("state", [b"", b"{}", b"[1]", b"\xff", b'{"version": 999}'])
async def test_twin_whose_state_cannot_be_read_is_offline(server: Server, state: bytes) -> None:
    server.store.rows[WORKSPACE, "my_2n", "54-1"] = ("jane@example.com", state)
    link = await server.provider.open(AccountAccess(SANDBOX, {"login": "jane@example.com"}, {"54-1": JANE}))
    with pytest.raises(Offline):
        await link.read_device("54-1")
    assert server.store.rows[WORKSPACE, "my_2n", "54-1"][1] == state
    await link.close()


async def test_moved_switch_is_saved_soon_and_at_the_latest_at_close(server: Server) -> None:
    link, ref = await server.connect()
    await link.unlock(ref, 5.0)
    saves = server.store.saves
    await server.clock.advance(SAVE_S)
    await until(lambda: server.store.saves > saves)
    await link.lock(ref, 5.0)
    await link.close()
    after = await server.again()
    again, _ = await after.connect()
    assert (await again.read_device(ref)).locked is True
    await again.unlock(ref, 5.0)
    await again.close()
    last = await after.again()
    again, _ = await last.connect()
    assert (await again.read_device(ref)).locked is False
    await again.close()
    await last.provider.close()


async def test_reading_saves_nothing(server: Server) -> None:
    link, ref = await server.connect()
    await link.read_device(ref)
    saves = server.store.saves
    await link.read_device(ref)
    await link.read_codes(ref)
    await server.clock.advance(60)
    assert server.store.saves == saves
    await link.close()


async def test_many_changes_are_few_saves(server: Server) -> None:
    link, ref = await server.connect()
    saves = server.store.saves
    for _ in range(20):
        await link.unlock(ref, 5.0)
        await link.lock(ref, 5.0)
    await server.clock.advance(SAVE_S)
    await until(lambda: server.store.saves > saves)
    assert server.store.saves == saves + 1
    await link.close()


async def test_write_that_could_not_be_kept_is_kept_as_soon_as_that_is_possible(server: Server) -> None:
    link, ref = await server.connect()
    server.store.fails = True
    await link.set_code(ref, code())
    await server.clock.advance(SAVE_S)
    server.store.fails = False
    await server.clock.advance(6)
    await until(lambda: not server.twin(ref).is_dirty)
    after = server.killed()
    again, _ = await after.connect()
    assert len((await again.read_codes(ref)).codes) == 1
    await again.close()
    await link.close()
    await after.provider.close()


async def test_save_that_fails_is_tried_again(server: Server) -> None:
    link, ref = await server.connect()
    server.store.fails = True
    await link.unlock(ref, 5.0)
    await server.clock.advance(SAVE_S)
    server.store.fails = False
    saves = server.store.saves
    await server.clock.advance(6)
    await until(lambda: server.store.saves > saves)
    await link.close()


async def test_twins_nobody_uses_are_never_loaded() -> None:
    store = MemoryStore()
    for n in range(10_000):
        store.rows[WORKSPACE, "my_2n", f"54-0000-{n:04d}"] = ("somebody@example.com", b"not even a snapshot")
    server = Server(store)
    link, ref = await server.connect()
    await link.read_device(ref)
    assert len(server.provider.twins._alive) == 1
    assert store.loads == 4  # three free serial numbers, and the one that was used
    await link.close()
    await server.provider.close()


async def test_sandbox_that_is_reset_loses_its_devices(server: Server) -> None:
    link, ref = await server.connect()
    await link.unlock(ref, 5.0)
    await server.provider.twins.forget(WORKSPACE)
    assert not server.store.rows
    with pytest.raises((Offline, OutcomeUnknown)):
        await link.unlock(ref, 5.0)
    await link.close()
    fresh = await server.provider.open(AccountAccess(SANDBOX, {"login": "jane@example.com"}, {ref: JANE}))
    with pytest.raises(Offline, match="no longer exists"):
        await fresh.read_device(ref)


async def test_watching_a_twin_sees_what_people_do_there(server: Server) -> None:
    link, ref = await server.connect()
    await link.set_code(ref, code())
    events = link.watch(ref)
    await within(anext(events))
    server.twin(ref).unit.press_keys("040718*")
    moved = await within(anext(events))
    assert isinstance(moved, LockMoved)
    assert (moved.method, moved.code_ref) == ("keycode", GUEST)
    server.twin(ref).unit.ring()
    assert isinstance(await within(anext(events)), DoorbellRang)
    await events.aclose()
    await link.close()


ROOT = Path(__file__).parents[2]
UVLOOP = """
import asyncio, uvloop
from doorward.networks import Networks
from doorward.providers.my_2n.provider import MyTwoN
from tests.providers.world import JANE, MemoryStore, code
from tests.providers.test_my_2n import LOGIN, SANDBOX
from doorward.providers.base import AccountAccess

async def main():
    provider = MyTwoN(MemoryStore())
    account = await provider.log_in(SANDBOX, LOGIN)
    refs = [device.ref for device in account.devices]
    logins = {ref: (await provider.log_in_device(SANDBOX, account, ref, JANE, {})).secret for ref in refs}
    link = await provider.open(AccountAccess(SANDBOX, account.secret, logins))
    async def one(ref):
        watch = link.watch(ref)
        await anext(watch)
        await link.unlock(ref, 5)
        await anext(watch)
        await link.set_code(ref, code())
        await watch.aclose()
        assert len((await link.read_codes(ref)).codes) == 1
    await asyncio.gather(*map(one, refs))
    await link.close()
    await provider.close()
uvloop.run(main())
print("done")
"""


def test_twins_work_on_uvloop_too() -> None:
    pytest.importorskip("uvloop")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", UVLOOP], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert run.stdout == "done\n", run.stderr
    assert run.stderr == ""
