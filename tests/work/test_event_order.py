"""Exactly what is told, and in which order: accounts, devices and doors, spaces, sessions.

Each story begins where the one before it ended. A line is an event type and what it is about: see `tests.support.told`.
"""

import asyncio
from pathlib import Path

import pytest
from tests.support.server import World, new_workspace, serving
from tests.support.told import Told
from tests.work.test_codes import create, reaches

from doorward.core import webviews
from doorward.core.webviews import Order
from doorward.providers.errors import NotAuthorized

KEYPAD = "/locks/simulate/keypad_code_entry"


async def account_of(world: World) -> str:
    (account,) = (await world.call("/connected_accounts/list"))["connected_accounts"]
    return str(account["connected_account_id"])


# ---------------------------------------------------------------- accounts


@pytest.mark.parametrize("waits", [False, True])
async def test_connecting_an_account(tmp_path: Path, database_url: str | None, waits: bool) -> None:
    async with serving(tmp_path, database_url) as world:
        told = await Told.begin(world)
        order = Order(
            accepted_providers=["my_2n"],
            wait_for_device_creation=waits,
            customer_key="hotel",
            custom_metadata={"house": "7"},
        )
        webview = await world.connect(count=2, skip=1, order=order)
        told.name(webview=webview, account=await account_of(world))
        told.name(**{f"door-{number}": one for number, one in enumerate(world.devices, 1)})
        await told.are(
            "connect_webview.login_succeeded webview account",
            "connected_account.created webview account",
            "connected_account.connected webview account",
            "connected_account.successful_login webview account",
            "device.added door-1",
            "device.connected door-1",
            "device.added door-2",
            "device.connected door-2",
            "device.added door-3",  # skipped: it has no login yet
            "connected_account.completed_first_sync account",
        )
        for one in await told.events():
            assert (one["customer_key"], one["connected_account_custom_metadata"]) == ("hotel", {"house": "7"})
        await world.call("/devices/update", device_id=world.devices[0], custom_metadata={"floor": "2"})
        await create(world, code="4711")
        (made,) = await world.events(event_type="access_code.created")
        assert made["device_custom_metadata"] == {"floor": "2"}
        assert made["connected_account_custom_metadata"] == {"house": "7"}


async def test_logging_in_again(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=1, skip=1)
        told = await Told.begin(world)
        told.name(webview=await world.connect(count=3))
        told.name(**{"door-3": world.devices[2]})
        again = (
            "connect_webview.login_succeeded webview account",
            "connected_account.connected webview account",
            "connected_account.successful_login webview account",
        )
        # The second door gets its login, the third one is new; the first one was online all the time.
        await told.are(
            *again,
            "device.connected door-2",
            "device.added door-3",
            "device.connected door-3",
            "connected_account.completed_first_sync_after_reconnection account",
        )
        told = await Told.begin(world)
        await world.call("/connected_accounts/simulate/disconnect", connected_account_id=await account_of(world))
        lost = "connected_account:account_disconnected"
        await told.are(
            f"connected_account.disconnected account {lost}",
            f"device.disconnected door-1 account_disconnected {lost}",
            f"device.disconnected door-2 account_disconnected {lost}",
            f"device.disconnected door-3 account_disconnected {lost}",
        )
        told = await Told.begin(world)
        told.name(webview=await world.connect(count=3))
        await told.are(
            *again,
            *(f"device.connected door-{number}" for number in (1, 2, 3)),
            "connected_account.completed_first_sync_after_reconnection account",
        )


async def test_a_login_that_fails(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        told = await Told.begin(world)
        core = world.core
        made = (await world.call("/connect_webviews/create", accepted_providers=["my_2n"]))["connect_webview"]
        told.name(webview=made["connect_webview_id"])
        row = await webviews.get(core.db.read, world.workspace.workspace_id, made["connect_webview_id"])
        visit = await webviews.visit(core, row.connect_webview_id, core.vault.open(row.token_sealed, webviews.TOKEN))
        assert visit is not None
        provider = webviews.provider_of(core, visit)
        assert provider is not None
        with pytest.raises(NotAuthorized):
            await webviews.log_in(core, visit, provider, {"email": "jane@example.com", "password": "wrong"})
        await told.are()  # a wrong password can be corrected
        await webviews.fail(core, visit)
        await webviews.fail(core, visit)
        await told.are("connect_webview.login_failed webview")


async def test_deleting_a_webview_and_an_account(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        webview = await world.connect(count=2)
        account = await account_of(world)
        code = await create(world, code="4711")
        await reaches(world, code, "set")
        space = (await world.call("/spaces/create", name="Flat", device_ids=world.devices[:1]))["space"]
        told = await Told.begin(world)
        told.name(code=code, space=space["space_id"])
        await world.call("/connect_webviews/delete", connect_webview_id=webview)
        await told.are()
        # Asked for twice at the same time, it is done and told once.
        path = "/connected_accounts/delete"
        replies = await asyncio.gather(*[world.raw(path, {"connected_account_id": account}) for _ in range(3)])
        assert sorted(one.status for one in replies) == [200, 404, 404]
        await told.are(
            "access_code.deleted door-1 code 4711",
            "space.device_membership_changed nothing space",
            "device.deleted door-1 Device 0",
            "device.deleted door-2 Device 1",
            "connected_account.deleted account my_2n",
        )


async def test_a_sandbox_is_reset(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        code = await create(world, code="4711")
        await reaches(world, code, "set")
        await world.call("/workspaces/reset_sandbox")
        told = Told(world, 0)
        await told.are()  # what was told before is gone too, and nobody tells that it went
        webview = await world.connect()
        told.name(webview=webview, account=await account_of(world), door=world.devices[0])
        await told.are(
            "connect_webview.login_succeeded webview account",
            "connected_account.created webview account",
            "connected_account.connected webview account",
            "connected_account.successful_login webview account",
            "device.added door",
            "device.connected door",
            "connected_account.completed_first_sync account",
        )


# ---------------------------------------------------------------- devices


async def test_devices_that_go_and_come(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await world.watched()
        about = {"device_id": world.devices[0]}
        told = await Told.begin(world)
        for what in ("disconnect", "connect", "remove", "remove", "connect"):
            await world.call(f"/devices/simulate/{what}", **about)
            await world.pass_time(20)
        await told.are(
            "device.disconnected door-1 device_disconnected device:device_disconnected",
            "device.connected door-1",
            "device.removed door-1",
            "device.connected door-1",
        )
        told = await Told.begin(world)
        await world.call("/devices/update", name="Front", **about)
        await world.call("/devices/update", name="Front", **about)
        await world.call("/devices/update", name=None, **about)
        await told.are("device.name_changed door-1 Front", "device.name_changed door-1 Device 0")


async def test_a_device_that_is_not_managed_any_more(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        code = await create(world, code="4711")
        await reaches(world, code, "set")
        unit = await world.watched()
        about = {"device_id": world.devices[0]}
        told = await Told.begin(world)
        told.name(guest=code)
        await world.call("/devices/update", is_managed=False, **about)
        unit.pull_plug()
        await world.pass_time(60, step=5)
        unit.plug_in()
        await world.pass_time(120, step=5)
        await world.call("/devices/unmanaged/update", is_managed=True, **about)
        await told.are(
            "device.converted_to_unmanaged door-1",
            "access_code.unmanaged.created door-1 guest",
            "device.unmanaged.disconnected door-1 device_disconnected device:device_disconnected",
            "device.unmanaged.connected door-1",
            "device.unmanaged.converted_to_managed door-1",
        )


async def test_devices_that_arrive_unmanaged(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        told = await Told.begin(world)
        order = Order(accepted_providers=["my_2n"], automatically_manage_new_devices=False)
        webview = await world.connect(order=order)
        told.name(webview=webview, account=await account_of(world), door=world.devices[0])
        assert (await told.lines())[4:] == [
            "device.added door",
            "device.unmanaged.connected door",
            "connected_account.completed_first_sync account",
        ]


# ---------------------------------------------------------------- doors


async def test_locking_and_unlocking(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code = await create(world, code="482937")
        await reaches(world, code, "set")
        await world.pass_time(6)
        about = {"device_id": world.devices[0]}
        told = await Told.begin(world)
        told.name(code=code)

        async def doing(path: str, **more: str) -> None:
            attempt = (await world.call(path, **about, **more))["action_attempt"]
            told.name(attempt=attempt["action_attempt_id"])

        await doing("/locks/lock_door")
        await told.are("lock.locked door-1 attempt remote", "action_attempt.lock_door.succeeded door-1 attempt success")
        told = await Told.begin(world)
        await doing("/locks/unlock_door")
        await told.are(
            "lock.unlocked door-1 attempt remote", "action_attempt.unlock_door.succeeded door-1 attempt success"
        )
        await world.call("/locks/lock_door", **about)
        await world.pass_time(6)
        told = await Told.begin(world)
        told.name(code=code)
        unit.press_keys("482937*")
        await told.are("lock.unlocked door-1 code keycode")
        assert [one["access_code_is_managed"] for one in await told.events()] == [True]
        told = await Told.begin(world)
        unit.press_keys("593841*")
        await told.are("lock.access_denied door-1 unknown_code")
        await world.call("/locks/lock_door", **about)
        await world.pass_time(6)
        # On order: the attempt ends when the code is typed, and the door tells by itself what follows.
        told = await Told.begin(world)
        told.name(code=code)
        await doing(KEYPAD, code="482937")
        await told.are_in_any_order(
            "action_attempt.simulate_keypad_code_entry.succeeded door-1 attempt success",
            "lock.unlocked door-1 code keycode",
        )
        told = await Told.begin(world)
        await doing(KEYPAD, code="593841")
        await told.are_in_any_order(
            "action_attempt.simulate_keypad_code_entry.failed door-1 attempt error",
            "lock.access_denied door-1 unknown_code",
        )
        # A door that is away.
        unit.pull_plug()
        await world.pass_time(20)
        for path, kind in (("/locks/unlock_door", "unlock_door"), ("/locks/lock_door", "lock_door")):
            told = await Told.begin(world)
            await doing(path)
            await told.are(f"action_attempt.{kind}.failed door-1 attempt error")


async def test_what_visitors_and_burglars_do(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        told = await Told.begin(world)
        unit.ring()
        await told.are("device.doorbell_rang door-1")
        told = await Told.begin(world)
        unit.set_input("tamper", True)
        await told.are("device.tampered door-1")
        # A door that is forced or held open stands as a warning: Seam has no event for it.
        told = await Told.begin(world)
        contact = unit.door.config.contact or ""
        unit.set_input(contact, True)
        await world.pass_time(unit.door.config.open_too_long_s + 5, step=5)
        warned = [one["warning_code"] for one in (await world.device())["warnings"]]
        assert {"doorward_door_forced_open", "doorward_door_held_open"} <= set(warned)
        unit.set_input(contact, False)
        await told.are()


# ---------------------------------------------------------------- spaces, people, sessions


async def test_spaces(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        told = await Told.begin(world)
        first, second = world.devices
        made = await world.call("/spaces/create", name="Flat", space_key="flat", device_ids=[first])
        space = {"space_id": made["space"]["space_id"]}
        told.name(space=space["space_id"])
        for _ in range(2):
            await world.call("/spaces/add_devices", device_ids=[second], **space)
        await world.call("/spaces/update", name="House", **space)
        for _ in range(2):
            await world.call("/spaces/remove_devices", device_ids=[first], **space)
        await world.call("/spaces/update", device_ids=[first], **space)
        await world.call("/spaces/add_connected_account", connected_account_id=await account_of(world), **space)
        await world.call("/spaces/delete", **space)
        await told.are(
            "space.created door-1 space",
            "space.device_membership_changed door-1+door-2 space",
            "space.device_membership_changed door-2 space",
            "space.device_membership_changed door-1 space",
            "space.deleted door-1 space",
        )
        assert {one["space_key"] for one in await told.events()} == {"flat"}


async def test_client_sessions(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        told = await Told.begin(world)
        person = (await world.call("/user_identities/create", full_name="Jane Doe"))["user_identity"]
        sessions = []
        for about in ({}, {}, {"user_identity_id": person["user_identity_id"]}):
            made = (await world.call("/client_sessions/create", **about))["client_session"]
            sessions.append(made["client_session_id"])
        told.name(first=sessions[0], second=sessions[1], third=sessions[2])
        await world.call("/client_sessions/revoke", client_session_id=sessions[0])
        await told.are()  # one that was revoked is still there
        await world.call("/client_sessions/delete", client_session_id=sessions[0])
        again = {"client_session_id": sessions[1]}
        replies = await asyncio.gather(*[world.raw("/client_sessions/delete", again) for _ in range(3)])
        assert {one.status for one in replies} <= {200, 404}
        await world.call("/user_identities/delete", user_identity_id=person["user_identity_id"])
        await told.are("client_session.deleted first", "client_session.deleted second", "client_session.deleted third")


async def test_nobody_hears_of_others(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        other = await new_workspace(world, "Other")
        await world.connect()
        assert await world.types()
        assert await other.events() == []
