"""Workspaces: made, changed, and brought back to their beginning."""

import asyncio
from pathlib import Path

import pytest
from tests.support import directory
from tests.support.receiver import receiver
from tests.support.server import World, alive, new_workspace, serving, until
from tests.work.test_codes import create, reaches

from doorward.core import webviews, workspaces
from doorward.core.webviews import Order
from doorward.store.db import Where
from doorward.webview.theme import theme_of

RESET = "/workspaces/reset_sandbox"


async def token(world: World) -> str:
    """A personal access token."""
    made = await world.core.db.write(workspaces.add_personal_access_token, world.clock.now(), "test")
    return made.text


async def test_a_token_makes_a_workspace(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        key = await token(world)
        look = {"logo_shape": "square", "primary_button_color": "#0055aa"}
        body = {"name": "Hotel", "company_name": "Hotel Ltd", "is_sandbox": True, "connect_webview_customization": look}
        made = (await world.raw("/workspaces/create", {**body, "webview_success_message": "Done!"}, key=key)).json
        shown = made["workspace"]
        assert (shown["name"], shown["connect_partner_name"], shown["is_sandbox"]) == ("Hotel", "Hotel Ltd", True)
        assert shown["connect_webview_customization"] == {**look, "success_message": "Done!"}
        listed = (await world.raw("/workspaces/list", {}, key=key)).json["workspaces"]
        assert shown in listed
        # With its id the token reaches it.
        headers = {"seam-workspace": shown["workspace_id"]}
        assert (await world.raw("/devices/list", {}, key=key, headers=headers)).json["devices"] == []
        assert (await world.raw("/workspaces/create", {"name": "No"})).status == 401
        bad = {"name": "Bad", "connect_webview_customization": {"primary_button_color": "red; }"}}
        refused = await world.raw("/workspaces/create", bad, key=key)
        assert (refused.status, refused.error["message"]) == (
            400,
            'Must be a colour such as #0055aa for "connect_webview_customization.primary_button_color"',
        )
        # Without a name for end users they see its own.
        plain = (await world.raw("/workspaces/create", {"name": "Plain"}, key=key)).json["workspace"]
        assert (plain["connect_partner_name"], plain["company_name"]) == ("Plain", "Plain")


async def test_a_workspace_is_changed_and_its_webviews_follow(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        look = {"primary_button_color": "#0055aa", "success_message": "Thank you!"}
        path = "/workspaces/update"
        assert await world.call(
            path, name="Flats", connect_partner_name="Flats Ltd", connect_webview_customization=look
        ) == {"ok": True}
        shown = (await world.call("/workspaces/get"))["workspace"]
        assert (shown["name"], shown["connect_partner_name"]) == ("Flats", "Flats Ltd")
        await world.call(path, connect_webview_customization={"primary_button_color": None})
        shown = (await world.call("/workspaces/get"))["workspace"]
        assert shown["connect_webview_customization"] == {"success_message": "Thank you!"}
        await world.fail(path, 501, "not_implemented", is_suspended=True)
        core = world.core
        row = await core.db.write(webviews.create, core, world.workspace, Order(accepted_providers=["my_2n"]))
        visit = await webviews.visit(core, row.connect_webview_id, core.vault.open(row.token_sealed, webviews.TOKEN))
        assert visit is not None
        assert theme_of(visit.workspace.customization_json).success_message == "Thank you!"


async def test_a_sandbox_begins_anew(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, webhook_allow="127.0.0.0/8") as world, receiver() as there:
        await world.connect()
        other = await new_workspace(world, "Other")
        await other.connect()
        kept = await create(other)
        code_id = await create(world)
        await reaches(world, code_id, "set")
        webhook = (await world.call("/webhooks/create", url=there.url))["webhook"]
        assert len(directory.codes(await world.unit())) == 1
        attempt = (await world.call(RESET))["action_attempt"]
        assert (attempt["action_type"], attempt["status"]) == ("RESET_SANDBOX_WORKSPACE", "success")
        assert await world.attempt(attempt["action_attempt_id"]) == attempt
        for path, key in (
            ("/devices/list", "devices"),
            ("/connected_accounts/list", "connected_accounts"),
            ("/connect_webviews/list", "connect_webviews"),
        ):
            assert (await world.call(path))[key] == []
        assert await world.events() == []
        await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code_id)
        assert (await world.call("/webhooks/list"))["webhooks"] == [webhook]
        for table in ("access_codes", "due", "devices", "twins", "events", "code_log", "deliveries", "outbox"):
            where = Where()
            where.add("workspace_id = {}", world.workspace.workspace_id)
            rows = await world.core.db.read.all(f"SELECT 1 FROM {table} WHERE {where}", *where.args)
            assert rows == [], table
        # Nobody else has noticed.
        await reaches(other, kept, "set")
        # The same login finds the same virtual devices, as new.
        await world.connect()
        assert (await world.device())["properties"]["online"] is True
        assert directory.codes(await world.unit()) == {}
        again = await create(world)
        await reaches(world, again, "set")
        await until(lambda: "access_code.set_on_device" in there.types)
        assert len([key for key in alive(world.core) if key[0] == world.workspace.workspace_id]) >= 1


async def test_a_reset_while_everything_is_under_way_leaves_nothing_behind(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        for _ in range(20):
            await create(world)
        assert (await world.call(RESET))["action_attempt"]["status"] == "success"
        await world.pass_time(120, step=5)
        assert await world.events() == []
        assert (await world.call("/access_codes/list", device_id=world.devices[0]))["access_codes"] == []


async def test_two_resets_at_once_both_end_well(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        replies = await asyncio.gather(*(world.raw(RESET, {}) for _ in range(3)))
        for reply in replies:
            assert (reply.status, reply.json["action_attempt"]["status"]) == (200, "success"), reply
        assert (await world.call("/devices/list"))["devices"] == []
        # The next one leaves nothing of them.
        last = (await world.call(RESET))["action_attempt"]
        assert (await world.call("/action_attempts/list"))["action_attempts"] == [last]


async def test_a_reset_ends_client_sessions_at_once(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        session = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]
        assert (await world.raw("/devices/list", {}, key=session["token"])).status == 200
        await world.call(RESET)
        reply = await world.raw("/devices/list", {}, key=session["token"])
        assert (reply.status, reply.error["type"]) == (401, "client_session_not_found")


@pytest.mark.parametrize("path", [RESET])
async def test_only_sandboxes_are_reset(tmp_path: Path, database_url: str | None, path: str) -> None:
    async with serving(tmp_path, database_url) as world:
        real = await new_workspace(world, "Real", is_sandbox=False)
        await real.fail(path, 400, "workspace_not_sandbox")
