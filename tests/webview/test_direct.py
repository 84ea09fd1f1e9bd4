"""Connecting real intercoms by their address, in a production workspace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import pytest
from aiohttp import web
from tests.support.gateway import HEADER, KEY, open_scene

from doorward.clock import Clock
from doorward.core import client_sessions, webviews
from doorward.core import devices as rules
from doorward.core.context import Core
from doorward.core.webviews import Order
from doorward.crypto import Vault
from doorward.networks import Networks, Ranges
from doorward.providers.my_2n.direct import Direct
from doorward.providers.my_2n.emulator import Account, Privilege, Service, start_units
from doorward.providers.my_2n.emulator.auth import ServiceSettings
from doorward.providers.my_2n.emulator.listener import Listener
from doorward.providers.my_2n.emulator.quirks import Quirks
from doorward.providers.my_2n.provider import MyTwoN
from doorward.providers.my_2n.tunnel import Tunnel
from doorward.store import devices as store
from doorward.store.client_sessions import SessionRow, seen_accounts
from doorward.store.devices import DeviceRow
from doorward.store.twins import Twins
from doorward.store.workspaces import WorkspaceRow

from .owner import Owner, Page, visitor
from .server import devices, make_webview, make_workspace, open_core, open_database, reread

LOOPBACK = "127.0.0.0/8"


@dataclass
class House:
    """A production workspace, and whoever connects intercoms to it."""

    core: Core
    client: httpx.AsyncClient
    workspace: WorkspaceRow

    async def owner(self, customer_key: str | None = None, session: SessionRow | None = None) -> Owner:
        """Somebody at the page that asks for addresses."""
        order = Order(accepted_providers=["my_2n"], customer_key=customer_key)
        row, url = await make_webview(self.core, order, workspace=self.workspace, session=session)
        owner = Owner(self.client, url, row)
        await owner.open()
        await owner.to_account()
        return owner

    async def connect(
        self,
        *urls: str,
        customer_key: str | None = None,
        session: SessionRow | None = None,
        site: str = "",
        **more: str,
    ) -> Owner:
        """The whole way, all intercoms under one login."""
        owner = await self.try_to_connect(*urls, customer_key=customer_key, session=session, site=site, **more)
        assert "Your devices are connected" in owner.page.text, owner.page.text
        return owner

    async def try_to_connect(
        self,
        *urls: str,
        customer_key: str | None = None,
        session: SessionRow | None = None,
        site: str = "",
        **more: str,
    ) -> Owner:
        """As `connect`, whatever comes of it."""
        owner = await self.owner(customer_key, session)
        await owner.press("Continue", addresses=" ".join(urls), site=site)
        same = {"same_login": "yes"} if len(urls) > 1 else {}
        await owner.log_in(**same, **more)
        return owner

    async def session(self, customer_key: str | None = None) -> SessionRow:
        wish = client_sessions.Wish(customer_key=customer_key)
        return await self.core.db.write(
            client_sessions.create, self.core, self.workspace.workspace_id, wish, is_again=False
        )

    async def accounts(self) -> list[tuple[str, str | None, list[str]]]:
        """Each account's name, customer, and devices."""
        rows = await self.core.db.read.all(
            "SELECT display_name, customer_key, connected_account_id FROM connected_accounts ORDER BY created_at"
        )
        found = []
        for name, customer, account_id in rows:
            inside = await store.of_account(self.core.db.read, self.workspace.workspace_id, account_id)
            found.append((name, customer, sorted(one.ref for one in inside)))
        return found

    async def seen(self, session: SessionRow) -> list[str]:
        """The devices that a session sees."""
        accounts = await seen_accounts(self.core.db.read, session)
        found = [await store.of_account(self.core.db.read, session.workspace_id, one) for one in accounts]
        return sorted(row.ref for rows in found for row in rows)

    async def device(self, serial: str) -> DeviceRow:
        row = await store.find_anywhere(self.core.db.read, self.workspace.workspace_id, "my_2n", serial)
        assert row is not None
        return row

    async def secret(self, serial: str) -> dict[str, Any]:
        row = await self.device(serial)
        assert row.secret_sealed is not None
        return dict(self.core.vault.open_json(row.secret_sealed, rules.LOGIN))


@asynccontextmanager
async def open_house(
    tmp_path: Path, *, networks: str = LOOPBACK, ranges: str = "", tunnel: Tunnel | None = None
) -> AsyncIterator[House]:
    clock = Clock()
    async with open_database(tmp_path, clock) as db:
        places = Ranges.parse(ranges) if ranges else None
        real = Direct(Networks.parse(networks), places, interfaces=["127.0.0.1"], tunnel=tunnel)
        brand = MyTwoN(Twins(db, Vault(b"k" * 32)), clock, real=real)
        try:
            async with open_core(tmp_path, brand, clock=clock, db=db) as core, visitor(core) as client:
                yield House(core, client, await make_workspace(core, is_sandbox=False))
        finally:
            await brand.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as one:
        yield one


def listed(page: Page) -> list[str]:
    return [value for form in page.forms for name, value in (*form.choices, *form.fields) if name == "device"]


# ---------------------------------------------------------------- the way that goes well


@pytest.mark.parametrize("use_tls", [False, True])
async def test_an_intercom_is_connected_by_its_address(house: House, use_tls: bool) -> None:
    async with await start_units(use_tls=use_tls) as running:
        unit, listener = running.units[0], running.listeners[0]
        owner = await house.owner()
        assert "Nothing goes through a cloud" in owner.page.text
        page = await owner.press("Continue", addresses=listener.url.partition("://")[2])
        assert unit.serial in page.text and "Step 2 of 2" in page.text
        if use_tls:
            assert listener.fingerprint is not None
            assert listener.fingerprint.upper() in page.text.replace(" ", "")
        else:
            assert "Not encrypted" in page.text
        page = await owner.log_in()
        assert "Your devices are connected" in page.text
        assert [(name, online) for name, online, _ in await devices(house.core)] == [(unit.name, 1)]
        row = await house.device(unit.serial)
        assert row.is_managed and row.errors_json == "[]"
        secret = await house.secret(unit.serial)
        assert (secret["url"], secret["pin"], secret["switch"]) == (listener.url, listener.fingerprint, 1)
        assert "1234" not in (row.secret_sealed or "") and "1234" not in row.report_json


async def test_several_are_connected_at_once_with_one_login(house: House) -> None:
    async with await start_units(3) as running:
        owner = await house.owner()
        await owner.press("Continue", addresses="\n".join(running.urls), site=" Main  Street 5 ")
        await owner.log_in(same_login="yes")
        assert "Your devices are connected" in owner.page.text
        accounts = await house.core.db.read.all("SELECT display_name, user_identifier_json FROM connected_accounts")
        assert [tuple(row) for row in accounts] == [("Main Street 5", '{"username":"Main Street 5"}')]
        assert len(await devices(house.core)) == 3


async def test_the_door_may_be_another_switch(house: House) -> None:
    async with await start_units() as running:
        serial = running.units[0].serial
        owner = await house.owner()
        await owner.press("Continue", addresses=running.urls[0])
        page = await owner.log_in(switch="3")
        assert "Switch 3 is disabled on the device" in page.text
        running.units[0].configure_switch(3, replace(running.units[0].switches[3].config, enabled=True))
        await owner.log_in(switch="3")
        assert (await house.secret(serial))["switch"] == 3
        assert (await house.device(serial)).online == 1


async def test_connecting_again_begins_with_the_switch_that_was_chosen(house: House) -> None:
    async with await start_units() as running:
        running.units[0].configure_switch(2, replace(running.units[0].switches[2].config, enabled=True))
        await house.connect(running.urls[0], switch="2")
        owner = await house.owner()
        page = await owner.press("Continue", addresses=running.urls[0])
        assert dict(page.forms[0].fields)["switch"] == "2"
        assert "username" in dict(page.forms[0].fields) and not dict(page.forms[0].fields)["username"]


async def test_what_was_found_on_the_network_can_be_picked(tmp_path: Path) -> None:
    async with await start_units(2) as running:
        ports = ",".join(f"127.0.0.1:{listener.port}" for listener in running.listeners)
        async with open_house(tmp_path, ranges=ports) as house:
            owner = await house.owner()
            page = await owner.press("Search the network", addresses="typed.test", site="Home")
            found = [value for name, value in page.forms[0].choices if name == "found"]
            assert sorted(found) == sorted(running.urls)
            assert all(unit.serial in page.text for unit in running.units)
            assert dict(page.forms[0].fields)["addresses"] == "typed.test"
            page = await owner.press("Continue", addresses="", found=found)
            assert "Device 1 of 2" in page.text
            await owner.log_in(same_login="yes")
            assert len(await devices(house.core)) == 2


async def test_what_is_connected_already_is_found_as_such_and_can_be_connected_again(tmp_path: Path) -> None:
    async with await start_units(2) as running, await start_units(quirks=Quirks(info_needs_credentials=True)) as silent:
        urls = [*running.urls, *silent.urls]
        async with open_house(tmp_path, ranges=",".join(url.partition("://")[2] for url in urls)) as house:
            await house.connect(urls[0], urls[2])

            async def marked() -> set[str]:
                await owner.press("Search the network")
                visit = await webviews.visit(house.core, owner.row.connect_webview_id, owner.url.rpartition("=")[2])
                assert visit is not None and visit.flow.found is not None
                assert {one.ref for one in visit.flow.found} == set(urls)
                return {one.ref for one in visit.flow.found if one.detail.startswith("Already connected")}

            owner = await house.owner()
            assert await marked() == {urls[0], urls[2]}
            assert owner.page.text.count("Already connected") == 2
            running.units[0].serial, running.units[1].serial = running.units[1].serial, running.units[0].serial
            owner = await house.owner()
            assert await marked() == {urls[1], urls[2]}, "they swapped addresses"
            await owner.press("Continue", found=[urls[1]])
            await owner.log_in()
            assert len(await devices(house.core)) == 2


async def test_a_search_without_a_find_says_so(tmp_path: Path) -> None:
    async with open_house(tmp_path, networks="192.0.2.0/24") as house:
        owner = await house.owner()
        page = await owner.press("Search the network")
        assert "No intercom was found by itself" in page.text


# ---------------------------------------------------------------- what is wrong, and how to mend it


async def test_addresses_that_do_not_answer_are_told_and_the_others_kept(house: House) -> None:
    async with await start_units() as running:
        owner = await house.owner()
        page = await owner.press("Continue", addresses=f"127.0.0.1:9 {running.urls[0]} 8.8.8.8 not/an/address")
        assert "Choose" in page.title
        for address in ("127.0.0.1:9:", "8.8.8.8:", "not/an/address:"):
            assert address in page.text
        assert "DOORWARD_DEVICE_NETWORKS" in page.text
        await owner.press("Continue")
        await owner.log_in()
        assert "Your devices are connected" in owner.page.text


async def test_nothing_that_answers_keeps_the_owner_at_the_addresses(house: House) -> None:
    owner = await house.owner()
    page = await owner.press("Continue", addresses="127.0.0.1:9", site="Home")
    assert page.alert
    assert dict(page.forms[0].fields)["addresses"] == "127.0.0.1:9"
    assert dict(page.forms[0].fields)["site"] == "Home"
    assert await devices(house.core) == []


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        ({Privilege.SWITCH_CONTROL}, "lacks the privilege “Switches – Control”"),
        ({Privilege.SYSTEM_CONTROL}, "lacks the privilege “System – Control”"),
    ],
)
async def test_a_missing_privilege_is_named_and_what_was_typed_kept(
    house: House, lacking: set[Privilege], sentence: str
) -> None:
    async with await start_units() as running:
        owner = await house.owner()
        await owner.press("Continue", addresses=running.urls[0])
        running.units[0].put_account(Account("jane", "1234", frozenset(Privilege) - lacking))
        page = await owner.log_in(switch="2")
        assert sentence in page.text
        assert dict(page.forms[0].fields)["username"] == "jane"
        assert dict(page.forms[0].fields)["switch"] == "2"
        running.units[0].put_account(Account("jane", "1234"))
        await owner.log_in(switch="1")
        assert "Your devices are connected" in owner.page.text


async def test_everything_that_is_wrong_is_told_at_once(house: House) -> None:
    async with await start_units() as running:
        unit = running.units[0]
        unit.put_account(Account("jane", "1234", frozenset(Privilege) - {Privilege.SYSTEM_CONTROL}))
        unit.configure_service(Service.SWITCH, ServiceSettings(enabled=False))
        owner = await house.owner()
        await owner.press("Continue", addresses=running.urls[0])
        page = await owner.log_in()
        assert "System – Control" in page.text
        assert "The Switch service is switched off" in page.text


@pytest.mark.parametrize("account", [Account("jane", "other"), Account("jane", "1234", enabled=False)])
async def test_a_wrong_login_says_where_the_account_is(house: House, account: Account) -> None:
    async with await start_units(accounts=[account]) as running:
        owner = await house.owner()
        await owner.press("Continue", addresses=running.urls[0])
        page = await owner.log_in()
        assert "does not accept this user name and password" in page.text and "must also be enabled" in page.text
        assert '1234"' not in page.html


async def test_without_the_log_it_is_connected_and_its_owner_told(house: House) -> None:
    async with await start_units() as running:
        running.units[0].configure_service(Service.LOG, ServiceSettings(enabled=False))
        owner = await house.owner()
        await owner.press("Continue", addresses=running.urls[0])
        page = await owner.log_in()
        assert "Almost done" in page.text and "The Logging service is switched off" in page.text
        await owner.press("Finish")
        assert "Your devices are connected" in owner.page.text


async def test_one_device_at_two_addresses_is_connected_once(house: House) -> None:
    async with await start_units(quirks=Quirks(info_needs_credentials=True)) as running:
        url = running.urls[0]
        owner = await house.owner()
        page = await owner.press("Continue", addresses=f"{url} {url.replace('127.0.0.1', 'localhost')}")
        assert "Device 1 of 2" in page.text
        page = await owner.log_in(same_login="yes")
        assert "This is the same device as" in page.text
        page = await owner.press("Skip this device for now")
        await owner.press("Finish")
        assert "Your devices are connected" in owner.page.text
        assert len(await devices(house.core)) == 1


async def test_a_skipped_intercom_is_not_stored(house: House) -> None:
    async with await start_units(2) as running:
        owner = await house.owner()
        await owner.press("Continue", addresses=" ".join(running.urls))
        await owner.press("Skip this device for now")
        page = await owner.press("Skip this device for now")
        assert "Finish" not in [text for form in page.forms for text, _ in form.buttons]
        await owner.press("Log in to the skipped devices")
        await owner.log_in()
        await owner.press("Skip this device for now")
        await owner.press("Finish")
        assert len(await devices(house.core)) == 1


# ---------------------------------------------------------------- something that may be no 2N


@asynccontextmanager
async def in_front_of(unit_url: str, heard: list[str]) -> AsyncIterator[str]:
    """An address at which a 2N answers without saying so; `heard` is what it is sent as a login."""

    async def pass_on(request: web.BaseRequest) -> web.StreamResponse:
        login = request.headers.get("Authorization")
        heard.extend([login] if login else [])
        async with httpx.AsyncClient() as client:
            reply = await client.request(
                request.method,
                f"{unit_url}{request.raw_path}",
                headers=dict(request.headers),
                content=await request.read(),
            )
        headers = {name: reply.headers[name] for name in ("WWW-Authenticate", "Content-Type") if name in reply.headers}
        body = b"" if reply.status_code == 401 else reply.content  # the API's own words would give it away
        return web.Response(status=reply.status_code, headers=headers, body=body)

    server = web.Server(pass_on)
    runner = web.ServerRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("method", ["basic", "digest"])
async def test_what_does_not_say_that_it_is_a_2n_is_told_the_password_only_when_that_is_confirmed(
    house: House, method: Literal["basic", "digest"]
) -> None:
    heard: list[str] = []
    async with await start_units(quirks=Quirks(info_needs_credentials=True)) as running:
        unit = running.units[0]
        for service in Service:
            unit.configure_service(service, ServiceSettings(authentication=method))
        async with in_front_of(running.urls[0], heard) as url:
            owner = await house.owner()
            page = await owner.press("Continue", addresses=url)
            assert "does not say that it is a 2N" in page.text and "2N IP" not in page.text
            page = await owner.log_in()
            if method == "basic":
                assert "asks for the password itself" in page.text and page.alert
                assert heard == []
                page = await owner.log_in(stranger="yes")
                assert heard
            assert "Your devices are connected" in page.text
            assert all(one.lower().startswith(method) for one in heard)
            assert "strange" not in await house.secret(unit.serial)


async def test_both_doubts_about_a_device_can_be_confirmed(house: House) -> None:
    async with await start_units(use_tls=True, quirks=Quirks(info_needs_credentials=True)) as running:
        await house.connect(running.urls[0])
        unit = running.units[0]
        for service in Service:
            unit.configure_service(service, ServiceSettings(authentication="basic"))
        plain = Listener(unit)
        await plain.open()
        async with in_front_of(plain.url, []) as url:
            owner = await house.owner()
            await owner.press("Continue", addresses=url)
            page = await owner.log_in()
            assert "asks for the password itself" in page.text
            page = await owner.log_in(stranger="yes")
            assert "another certificate than when it was connected" in page.text
            await owner.log_in(stranger="yes", trust="yes")
            assert "Your devices are connected" in owner.page.text
            assert (await house.secret(unit.serial))["url"] == url
        await plain.close()


async def test_a_2n_that_says_so_is_logged_in_to_by_basic(house: House) -> None:
    async with await start_units(quirks=Quirks(info_needs_credentials=True)) as running:
        for service in Service:
            running.units[0].configure_service(service, ServiceSettings(authentication="basic"))
        owner = await house.owner()
        page = await owner.press("Continue", addresses=running.urls[0])
        assert "does not say" not in page.text
        await owner.log_in()
        assert "Your devices are connected" in owner.page.text


# ---------------------------------------------------------------- connecting again


async def test_a_new_password_heals_the_device_that_was_there(house: House) -> None:
    async with await start_units(2) as running:
        await house.connect(*running.urls)
        serial = running.units[0].serial
        before = await house.device(serial)
        running.units[0].put_account(Account("jane", "new"))
        owner = await house.owner()
        await owner.press("Continue", addresses=running.urls[0], site="Another name")
        await owner.log_in("new")
        after = await house.device(serial)
        assert (after.device_id, after.connected_account_id) == (before.device_id, before.connected_account_id)
        assert (await house.secret(serial))["password"] == "new"
        assert (await reread(house.core, owner.row)).connected_account_id == before.connected_account_id
        assert len(await devices(house.core)) == 2
        types = [t for (t,) in await house.core.db.read.all("SELECT event_type FROM events")]
        assert types.count("device.added") == 2
        assert types.count("connected_account.created") == 1


async def test_the_name_of_a_site_opens_no_account(house: House) -> None:
    """It is a label that anybody can type."""
    async with await start_units(6) as running:
        refs = [unit.serial for unit in running.units]
        mine, yours = await house.session(), await house.session()
        hotel, villa = await house.session("hotel"), await house.session("villa")
        await house.connect(running.urls[0], site="Home")
        await house.connect(running.urls[1], site="Home", session=mine)
        await house.connect(running.urls[2], site=" home", session=yours)
        await house.connect(running.urls[3], site="Home", session=hotel, customer_key="hotel")
        await house.connect(running.urls[4], site="HOME", session=villa, customer_key="villa")
        assert [(customer, inside) for _, customer, inside in await house.accounts()] == [
            (None, [refs[0]]),
            (None, [refs[1]]),
            (None, [refs[2]]),
            ("hotel", [refs[3]]),
            ("villa", [refs[4]]),
        ]
        # Their own they add to, by the same name.
        await house.connect(running.urls[5], site="Home", session=mine)
        assert await house.seen(mine) == sorted([refs[1], refs[5]])
        assert [await house.seen(one) for one in (yours, hotel, villa)] == [[refs[2]], [refs[3]], [refs[4]]]


@pytest.mark.parametrize("customer_key", [None, "hotel"])
async def test_one_device_opens_no_account_with_others(house: House, customer_key: str | None) -> None:
    async with await start_units(2) as running:
        first, second = (unit.serial for unit in running.units)
        await house.connect(*running.urls)
        before = await house.accounts()
        session = await house.session(customer_key)
        about: dict[str, Any] = {"session": session, "customer_key": customer_key}
        owner = await house.try_to_connect(running.urls[1], **about)
        assert "connected by somebody else already" in owner.page.text
        assert await house.accounts() == before and await house.seen(session) == []
        assert (await reread(house.core, owner.row)).status == "pending"
        # Whoever can log in to all of them has nothing to gain.
        await house.connect(*running.urls, **about)
        assert await house.seen(session) == sorted([first, second])
        assert [(customer, len(inside)) for _, customer, inside in await house.accounts()] == [(customer_key, 2)]
        # From now on it is theirs, device by device.
        await house.connect(running.urls[1], **about)
        stranger = await house.session()
        await house.try_to_connect(running.urls[1], session=stranger)
        assert await house.seen(stranger) == []


async def test_devices_of_two_accounts_are_not_taken_from_either(house: House) -> None:
    async with await start_units(4) as running:
        mine, yours = await house.session(), await house.session()
        await house.connect(*running.urls[:2], session=mine)
        await house.connect(*running.urls[2:], session=yours)
        before = await house.accounts()
        owner = await house.try_to_connect(running.urls[0], running.urls[2], session=mine)
        assert "connected by somebody else already" in owner.page.text
        assert await house.accounts() == before


async def test_a_new_address_is_the_same_device(house: House) -> None:
    async with await start_units() as running:
        unit = running.units[0]
        await house.connect(running.urls[0])
        before = await house.device(unit.serial)
        moved = Listener(unit)
        await moved.open()
        await house.connect(moved.url)
        after = await house.device(unit.serial)
        assert after.device_id == before.device_id
        assert (await house.secret(unit.serial))["url"] == moved.url
        await moved.close()


@pytest.mark.parametrize("hardened", [False, True])
async def test_another_certificate_must_be_confirmed(house: House, hardened: bool) -> None:
    async with await start_units(use_tls=True, quirks=Quirks(info_needs_credentials=hardened)) as running:
        listener, serial = running.listeners[0], running.units[0].serial
        await house.connect(listener.url)
        old = listener.fingerprint
        new = listener.new_certificate()
        assert new is not None and new != old
        owner = await house.owner()
        page = await owner.press("Continue", addresses=listener.url)
        assert new.upper() in page.text.replace(" ", "")
        page = await owner.log_in()
        assert "another certificate than when it was connected" in page.text
        assert (await house.secret(serial))["pin"] == old
        page = await owner.log_in(trust="yes")
        assert "Your devices are connected" in page.text
        assert (await house.secret(serial))["pin"] == new


async def test_a_device_that_lost_its_tls_must_be_confirmed_too(house: House) -> None:
    async with await start_units(use_tls=True) as running:
        unit = running.units[0]
        await house.connect(running.urls[0])
        plain = Listener(unit)
        await plain.open()
        owner = await house.owner()
        await owner.press("Continue", addresses=plain.url)
        page = await owner.log_in()
        assert page.alert and "certificate" in page.text
        await plain.close()


async def test_workspaces_do_not_know_each_others_intercoms(house: House) -> None:
    async with await start_units() as running:
        await house.connect(running.urls[0])
        first = house.workspace
        house.workspace = await make_workspace(house.core, "Another", is_sandbox=False)
        await house.connect(running.urls[0])
        second = await house.device(running.units[0].serial)
        assert second.workspace_id != first.workspace_id
        assert len(await devices(house.core)) == 2


@pytest.mark.parametrize("hardened", [False, True])
async def test_a_device_is_guessed_at_ten_times_by_whatever_name_and_workspace(house: House, hardened: bool) -> None:
    async with await start_units(quirks=Quirks(info_needs_credentials=hardened)) as running:
        port = running.listeners[0].port
        other = replace(house, workspace=await make_workspace(house.core, "Other", is_sandbox=False))
        answers = []
        for n in range(4):
            owner = await (house, other)[n % 2].owner()
            await owner.press("Continue", addresses=f"{('127.0.0.1', 'localhost')[n // 2]}:{port}")
            for guess in range(3):
                await owner.log_in(f"guess {n} {guess}")
                answers.append(owner.reply.status_code)
        assert answers == [422] * 10 + [429] * 2


async def test_two_who_connect_one_intercom_at_once_make_one_device(house: House) -> None:
    async with await start_units() as running:
        owners = [await house.owner() for _ in range(3)]
        for number, owner in enumerate(owners):
            await owner.press("Continue", addresses=running.urls[0], site=f"Site {number}")
        await asyncio.gather(*(owner.log_in() for owner in owners))
        assert all("Your devices are connected" in owner.page.text for owner in owners)
        assert len(await devices(house.core)) == 1


# ---------------------------------------------------------------- the other kind


async def test_production_does_not_know_the_sandbox_login(house: House) -> None:
    owner = await house.owner()
    assert "jane@example.com" not in owner.page.html
    page = await owner.press("Continue", addresses="jane@example.com")
    assert page.alert
    twins = await house.core.db.read.all("SELECT 1 FROM twins")
    assert twins == []


async def test_no_secret_is_in_the_flow_in_clear_text(house: House) -> None:
    async with await start_units(accounts=[Account("jane", "S3cret-Pass")]) as running:
        owner = await house.owner()
        await owner.press("Continue", addresses=f"{running.urls[0]} 127.0.0.1:9")
        await owner.press("Continue")
        await owner.press("Skip this device for now")
        await owner.press("Log in to the skipped device")
        page = await owner.log_in("S3cret-Pas")
        assert "S3cret" not in page.html
        row = await reread(house.core, owner.row)
        assert "S3cret" not in msgspec.json.encode(row).decode()


# ---------------------------------------------------------------- through a gateway


async def test_an_intercom_behind_a_gateway_is_connected_by_its_id(tmp_path: Path) -> None:
    async with open_scene("4711") as scene:
        tunnel = Tunnel(f"{scene.gateway.url}/raa/{{device}}", HEADER, KEY)
        async with open_house(tmp_path, tunnel=tunnel) as house:
            owner = await house.owner()
            page = await owner.press("Continue", addresses="my2n:9999")
            assert page.alert
            page = await owner.press("Continue", addresses="my2n:4711")
            assert scene.unit.serial in page.text and "Through My2N" in page.text
            await owner.log_in()
            assert "Your devices are connected" in owner.page.text
            assert [online for _, online, _ in await devices(house.core)] == [1]
            secret = await house.secret(scene.unit.serial)
            assert secret["my2n"] == "4711" and "url" not in secret
            assert KEY not in str(secret)


async def test_without_a_gateway_its_ids_are_refused(house: House) -> None:
    owner = await house.owner()
    page = await owner.press("Continue", addresses="my2n:4711")
    assert "DOORWARD_MY2N_RAA_URL" in page.text
