"""Accounts: whose they are, what is said of them, and what a second login changes."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.server import World, serving

from doorward.core import webviews
from doorward.core.webviews import Order

UPDATE = "/connected_accounts/update"


async def account_of(world: World) -> Any:
    [account] = (await world.call("/connected_accounts/list"))["connected_accounts"]
    return account


async def found(world: World, customer_key: str) -> list[str]:
    """What lists show of a customer: devices, locks, codes."""
    devices = (await world.call("/devices/list", customer_key=customer_key))["devices"]
    locks = (await world.call("/locks/list", customer_key=customer_key))["locks"]
    codes = await world.call("/access_codes/list", customer_key=customer_key, device_id=world.devices[0])
    return [
        *(one["device_id"] for one in devices),
        *(one["device_id"] for one in locks),
        *(one["access_code_id"] for one in codes["access_codes"]),
    ]


async def test_what_an_account_says_is_said_of_its_devices_at_once(tmp_path: Path, database_url: str | None) -> None:
    """Of those, too, that it changes nothing else of."""
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await world.call("/devices/simulate/disconnect", device_id=world.devices[0])

        async def errors() -> list[list[str]]:
            shown = (await world.call("/devices/list"))["devices"]
            assert [await world.device(number) for number in range(2)] == shown
            return [[error["error_code"] for error in one["errors"]] for one in shown]

        assert await errors() == [["device_disconnected"], []]
        account_id = (await account_of(world))["connected_account_id"]
        await world.call("/connected_accounts/simulate/disconnect", connected_account_id=account_id)
        assert await errors() == [["device_disconnected", "account_disconnected"], ["account_disconnected"]]
        await world.call("/devices/simulate/connect", device_id=world.devices[0])
        await world.connect(count=2)
        assert await errors() == [[], []]


async def test_devices_go_to_a_customer_with_their_account(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        code = (await world.call("/access_codes/create", device_id=world.devices[0], code="483759"))["access_code"]
        account_id = (await account_of(world))["connected_account_id"]
        before = await world.device()
        assert await found(world, "hotel") == []
        await world.call(UPDATE, connected_account_id=account_id, customer_key="hotel")
        assert await found(world, "hotel") == [world.devices[0], world.devices[0], code["access_code_id"]]
        assert await world.device() == before
        await world.call("/devices/update", device_id=world.devices[0], name="Front")
        renamed = [one for one in await world.events() if one["event_type"] == "device.name_changed"]
        assert [one["customer_key"] for one in renamed] == ["hotel"]
        await world.call(UPDATE, connected_account_id=account_id, customer_key="hotel", display_name="Hotel")
        error = await world.fail(
            UPDATE, 400, "invalid_input", connected_account_id=account_id, customer_key="villa", display_name="Villa"
        )
        assert "another customer" in str(error)
        account = await account_of(world)
        assert (account["customer_key"], account["display_name"]) == ("hotel", "Hotel")
        assert await found(world, "villa") == []


async def test_two_customers_do_not_get_one_account(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        account_id = (await account_of(world))["connected_account_id"]
        await asyncio.gather(
            *(
                world.call(UPDATE, connected_account_id=account_id, customer_key=key)
                for key in ("hotel", "villa", "hotel", "villa")
            ),
            return_exceptions=True,
        )
        key = (await account_of(world))["customer_key"]
        assert await found(world, key) == [world.devices[0]] * 2
        assert await found(world, {"hotel": "villa", "villa": "hotel"}[key]) == []


async def test_a_webview_gives_an_account_that_is_there_to_a_customer(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        assert "customer_key" not in await account_of(world)
        await world.connect(order=Order(accepted_providers=["my_2n"], customer_key="late"))
        assert (await account_of(world))["customer_key"] == "late"
        assert await found(world, "late") == [world.devices[0]] * 2


async def test_a_second_login_changes_only_what_its_webview_says(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        first = Order(
            accepted_providers=["my_2n"], custom_metadata={"house": "42"}, automatically_manage_new_devices=False
        )
        await world.connect(order=first)
        await world.connect()
        account = await account_of(world)
        assert account["custom_metadata"] == {"house": "42"}
        assert account["automatically_manage_new_devices"] is False
        webview = (await world.call("/connect_webviews/create", accepted_providers=["my_2n"]))["connect_webview"]
        assert webview["automatically_manage_new_devices"] is True
        await world.connect(webview_id=webview["connect_webview_id"])
        assert (await account_of(world))["automatically_manage_new_devices"] is False
        said = {"automatically_manage_new_devices": True, "custom_metadata": {"floor": 3}}
        webview = await world.call("/connect_webviews/create", accepted_providers=["my_2n"], **said)
        await world.connect(webview_id=webview["connect_webview"]["connect_webview_id"])
        account = await account_of(world)
        assert {name: account[name] for name in said} == said


async def test_a_login_is_cancelled_or_ends_well(tmp_path: Path, database_url: str | None) -> None:
    """Not both, whoever comes first."""
    async with serving(tmp_path, database_url) as world:
        core, workspace = world.core, world.workspace
        for _ in range(5):
            order = Order(accepted_providers=["my_2n"])
            row = await core.db.write(webviews.create, core, workspace, order)
            visit = await webviews.visit(
                core, row.connect_webview_id, core.vault.open(row.token_sealed, webviews.TOKEN)
            )
            assert visit is not None
            await asyncio.gather(
                world.connect(webview_id=row.connect_webview_id),
                webviews.fail(core, visit),
                return_exceptions=True,
            )
            about = {"connect_webview_id": row.connect_webview_id}
            view = (await world.call("/connect_webviews/get", **about))["connect_webview"]
            assert view["login_successful"] is (view["status"] == "authorized")
            assert (view["connected_account_id"] is None) is (view["status"] == "failed")
            ends = [
                one["event_type"]
                for one in await world.events()
                if one.get("connect_webview_id") == row.connect_webview_id
            ]
            assert ("connect_webview.login_failed" in ends) is (view["status"] == "failed")
            assert ("connect_webview.login_succeeded" in ends) is (view["status"] == "authorized")


async def test_no_value_is_no_metadata(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        pairs = {"n": 5, "z": None, "e": ""}
        webview = await world.call("/connect_webviews/create", accepted_providers=["my_2n"], custom_metadata=pairs)
        assert webview["connect_webview"]["custom_metadata"] == {"n": 5}


async def test_brands_that_are_excluded_are_not_accepted(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as world:
        webview = await world.call(
            "/connect_webviews/create", accepted_providers=["my_2n", "august"], excluded_providers=["august"]
        )
        assert webview["connect_webview"]["accepted_providers"] == ["my_2n"]
