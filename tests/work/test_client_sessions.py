"""Client sessions: who gets one, what it sees, and when it ends."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.server import World, new_workspace, serving
from tests.work.test_codes import create, reaches

from doorward.core.webviews import Order
from doorward.wire.time import iso

CREATE, GET_OR_CREATE, GET = "/client_sessions/create", "/client_sessions/get_or_create", "/client_sessions/get"
PUBLISHABLE = "seam-publishable-key"
USER = "seam-user-identifier-key"


async def made(world: World, **body: Any) -> Any:
    return (await world.call(CREATE, **body))["client_session"]


async def seen(world: World, session: Any, path: str, key: str, **body: Any) -> list[str]:
    """Ids of what a list answers to a session."""
    reply = await world.raw(path, body, key=session["token"])
    assert reply.status == 200, (path, reply)
    found = reply.json[key]
    return [one[next(name for name in one if name.endswith("_id"))] for one in found]


async def refused(world: World, token: str, status: int, kind: str, path: str = "/devices/list", **body: Any) -> None:
    reply = await world.raw(path, body, key=token)
    assert (reply.status, reply.error["type"]) == (status, kind), reply


async def publishable(world: World) -> str:
    await world.call("/workspaces/update", is_publishable_key_auth_enabled=True)
    key = (await world.call("/workspaces/get"))["workspace"]["publishable_key"]
    assert key.startswith("seam_pk1")
    return str(key)


async def test_a_session_sees_its_accounts_and_what_is_below(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(email="john@example.com")
        theirs = world.devices
        webview_id = await world.connect(count=2)
        mine = world.devices
        account_id = (await world.device())["connected_account_id"]
        session = await made(world, connected_account_ids=[account_id], user_identifier_key="jane")
        assert session["token"].startswith("seam_cst1")
        assert (session["device_count"], session["connected_account_ids"]) == (2, [account_id])
        assert session["connect_webview_ids"] == []
        assert await seen(world, session, "/devices/list", "devices") == mine
        assert await seen(world, session, "/locks/list", "devices") == mine
        assert await seen(world, session, "/devices/list", "devices", device_ids=theirs) == []
        assert await seen(world, session, "/connect_webviews/list", "connect_webviews") == []
        key = session["token"]
        await refused(world, key, 404, "device_not_found", "/devices/get", device_id=theirs[0])
        await refused(world, key, 404, "device_not_found", "/locks/unlock_door", device_id=theirs[0])
        await refused(
            world, key, 404, "connect_webview_not_found", "/connect_webviews/get", connect_webview_id=webview_id
        )
        # It works with what is its own.
        code = await create(world)
        await reaches(world, code, "set")
        assert await seen(world, session, "/access_codes/list", "access_codes", device_id=mine[0]) == [code]
        assert (await world.raw("/locks/unlock_door", {"device_id": mine[0]}, key=key)).status == 200
        events = (await world.raw("/events/list", {"since": "2000-01-01T00:00:00Z"}, key=key)).json["events"]
        assert {e["connected_account_id"] for e in events} == {account_id}
        # By the application's own name of its user.
        listed = (await world.call("/devices/list", user_identifier_key="jane"))["devices"]
        assert [one["device_id"] for one in listed] == mine
        assert (await world.call("/devices/list", user_identifier_key="john"))["devices"] == []
        own = (await world.raw(GET, {}, key=key)).json["client_session"]
        assert own == session
        headers = {"seam-client-session-token": key, "client-session-token": ""}
        assert (await world.raw("/devices/list", {}, key="", headers=headers)).status == 200


async def test_what_a_session_connects_is_its_own(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        first, second = await made(world), await made(world)
        reply = await world.raw("/connect_webviews/create", {"accepted_providers": ["my_2n"]}, key=first["token"])
        webview_id = reply.json["connect_webview"]["connect_webview_id"]
        assert await seen(world, first, "/connect_webviews/list", "connect_webviews") == [webview_id]
        await world.connect(webview_id=webview_id)
        assert await seen(world, first, "/devices/list", "devices") == world.devices
        assert await seen(world, second, "/devices/list", "devices") == []
        assert await seen(world, second, "/connect_webviews/list", "connect_webviews") == []
        # Given to the other one as well; and what is gone is gone for both.
        path = "/client_sessions/grant_access"
        given = await world.call(path, client_session_id=second["client_session_id"], connect_webview_ids=[webview_id])
        assert given["client_session"]["connect_webview_ids"] == [webview_id]
        assert await seen(world, second, "/devices/list", "devices") == world.devices
        account_id = (await world.device())["connected_account_id"]
        await world.call("/connected_accounts/delete", connected_account_id=account_id)
        await world.call("/connect_webviews/delete", connect_webview_id=webview_id)
        shown = (await world.call(GET, client_session_id=first["client_session_id"]))["client_session"]
        assert (shown["connected_account_ids"], shown["connect_webview_ids"], shown["device_count"]) == ([], [], 0)


async def test_a_customers_session_sees_what_is_the_customers(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(email="john@example.com")
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        session = await made(world, customer_key="hotel")
        assert session["customer_key"] == "hotel"
        assert await seen(world, session, "/devices/list", "devices") == []
        await world.call("/connected_accounts/update", connected_account_id=account_id, customer_key="hotel")
        assert await seen(world, session, "/devices/list", "devices") == world.devices
        # What it makes is the customer's, and it cannot name another.
        body: dict[str, Any] = {"accepted_providers": ["my_2n"]}
        view = (await world.raw("/connect_webviews/create", body, key=session["token"])).json["connect_webview"]
        assert view["customer_key"] == "hotel"
        await refused(
            world, session["token"], 403, "forbidden", "/connect_webviews/create", **body, customer_key="other"
        )
        await refused(
            world,
            (await made(world))["token"],
            403,
            "forbidden",
            "/connect_webviews/create",
            **body,
            customer_key="hotel",
        )


async def test_a_common_key_does_not_give_a_strangers_pin_away(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(email="john@example.com")
        await world.call("/access_codes/create", device_id=world.devices[0], code="582937", common_code_key="club")
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        session = await made(world, connected_account_ids=[account_id])
        path, key = "/access_codes/create", session["token"]
        asked = {"device_id": world.devices[0], "common_code_key": "club"}
        await refused(world, key, 404, "access_code_not_found", path, **asked)
        own = await world.raw(path, {**asked, "common_code_key": "own"}, key=key)
        assert own.json["access_code"]["code"] != "582937"
        assert (await world.raw(path, {**asked, "common_code_key": "own"}, key=key)).status in (200, 409)


async def test_sessions_end(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        session = await made(world, user_identifier_key="jane")
        key, about = session["token"], {"client_session_id": session["client_session_id"]}
        assert (await world.raw("/devices/list", {}, key=key)).status == 200
        await world.call("/client_sessions/revoke", **about)
        await refused(world, key, 401, "client_session_revoked")
        assert (await world.call(GET, **about))["client_session"]["token"] == key
        # The user begins anew, with nothing.
        await world.connect()
        anew = (await world.call(GET_OR_CREATE, user_identifier_key="jane"))["client_session"]
        assert anew["client_session_id"] != session["client_session_id"]
        await world.call("/client_sessions/delete", **about)
        await refused(world, key, 401, "client_session_not_found")
        await world.fail(GET, 404, "client_session_not_found", **about)
        assert (await world.events(event_type="client_session.deleted"))[0] | about == (
            await world.events(event_type="client_session.deleted")
        )[0]
        short = await made(world, expires_at=iso(world.clock.now() + 60_000))
        assert (await world.raw("/devices/list", {}, key=short["token"])).status == 200
        await world.clock.advance(60)
        await refused(world, short["token"], 401, "client_session_expired")
        await world.fail(CREATE, 400, "invalid_input", expires_at=iso(world.clock.now() - 1))
        for wrong in ("seam_cst1nobodyyy_" + "x" * 24, key[:-1] + ("x" if key[-1] != "x" else "y")):
            await refused(world, wrong, 401, "client_session_not_found")
        reply = await world.raw("/devices/list", {}, key="", headers={"seam-client-session-token": "nonsense"})
        assert (reply.status, reply.error["type"]) == (400, "invalid_client_session_token")


async def test_a_user_has_one_session(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        first = await made(world, user_identifier_key="jane", expires_at=iso(world.clock.now() + 60_000))
        await world.fail(CREATE, 400, "client_session_token_already_exists", user_identifier_key="jane")
        put = (await world.raw(CREATE, {"user_identifier_key": "jane"}, method="PUT")).json["client_session"]
        assert put == first
        body = {"user_identifier_key": "jane", "connected_account_ids": [account_id]}
        again = (await world.call(GET_OR_CREATE, **body))["client_session"]
        assert (again["token"], again["connected_account_ids"]) == (first["token"], [account_id])
        assert (await world.call("/client_sessions/list", user_identifier_key="jane"))["client_sessions"] == [again]
        assert (await world.call("/client_sessions/list", without_user_identifier_key=True))["client_sessions"] == []
        # It has run out: what the user has connected is there again, under another token.
        await world.clock.advance(60)
        later = (await world.call(GET_OR_CREATE, user_identifier_key="jane"))["client_session"]
        assert later["client_session_id"] == first["client_session_id"]
        assert later["connected_account_ids"] == [account_id]
        assert later["token"] != first["token"]
        await refused(world, first["token"], 401, "client_session_not_found")
        assert (await world.raw("/devices/list", {}, key=later["token"])).status == 200
        await world.fail(CREATE, 404, "connected_account_not_found", connected_account_ids=["nobody"])
        await world.fail(CREATE, 404, "connect_webview_not_found", connect_webview_ids=["nobody"])


async def test_a_publishable_key_makes_empty_sessions(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        key = await publishable(world)

        async def ask(path: str = GET_OR_CREATE, headers: dict[str, str] | None = None, **body: Any) -> Any:
            sent = {PUBLISHABLE: key, USER: "jane"} if headers is None else headers
            return await world.raw(path, body, key="", headers=sent)

        session = (await ask()).json["client_session"]
        assert (session["user_identifier_key"], session["device_count"]) == ("jane", 0)
        assert (await ask()).json["client_session"] == session
        assert await seen(world, session, "/devices/list", "devices") == []
        by_body = await ask(headers={PUBLISHABLE: key}, user_identifier_key="jane")
        assert by_body.json["client_session"] == session
        for status, kind, reply in (
            (403, "publishable_keys_must_create_empty_client_sessions", await ask(connected_account_ids=[account_id])),
            (400, "publishable_key_requires_user_identifier_key", await ask(headers={PUBLISHABLE: key})),
            (400, "invalid_input", await ask(headers={PUBLISHABLE: key, USER: "j" * 129})),
            (400, "publishable_key_header_required", await ask(headers={USER: "jane"})),
            (401, "unauthorized", await ask(headers={})),
            (401, "invalid_publishable_key", await ask(headers={PUBLISHABLE: world.key, USER: "jane"})),
            (400, "workspace_not_found", await ask(headers={PUBLISHABLE: f"seam_pk1{'x' * 8}_{'y' * 24}", USER: "j"})),
            (401, "unauthorized", await ask("/devices/list")),
            (401, "unauthorized", await ask("/client_sessions/list")),
        ):
            assert (reply.status, reply.error["type"]) == (status, kind)
        await world.call("/workspaces/update", is_publishable_key_auth_enabled=False)
        assert (await ask()).status == 401
        await world.call("/workspaces/update", is_publishable_key_auth_enabled=True)
        assert (await world.call("/workspaces/get"))["workspace"]["publishable_key"] == key


@pytest.mark.parametrize("count", [1, 3])
async def test_another_workspaces_sessions_do_not_exist(tmp_path: Path, database_url: str | None, count: int) -> None:
    async with serving(tmp_path, database_url) as world:
        other = await new_workspace(world, "Other")
        sessions = [await made(other, user_identifier_key=f"user {n}") for n in range(count)]
        assert (await world.call("/client_sessions/list"))["client_sessions"] == []
        for session in sessions:
            about = {"client_session_id": session["client_session_id"]}
            for path in (GET, "/client_sessions/revoke", "/client_sessions/delete", "/client_sessions/grant_access"):
                await world.fail(path, 404, "client_session_not_found", **about)
            await world.fail(GET, 404, "client_session_not_found", user_identifier_key=session["user_identifier_key"])
        assert len((await other.call("/client_sessions/list"))["client_sessions"]) == count


async def test_lists_of_a_user_have_what_the_user_sees(tmp_path: Path, database_url: str | None) -> None:
    """Be it given to a session, or its customer's."""
    async with serving(tmp_path, database_url) as world:
        await world.connect(email="john@example.com")
        await world.connect(order=Order(accepted_providers=["my_2n"], customer_key="hotel"))
        john, _ = (await world.call("/connected_accounts/list"))["connected_accounts"]
        about = {"connected_account_ids": [john["connected_account_id"]]}
        sessions = {
            "jane": await made(world, user_identifier_key="jane", customer_key="hotel"),
            "john": await made(world, user_identifier_key="john", **about),
            "both": await made(world, user_identifier_key="both", customer_key="hotel", **about),
            "none": await made(world, user_identifier_key="none", customer_key="inn"),
        }
        lists = ("devices", "connected_accounts", "connect_webviews")
        for user, session in sessions.items():
            for key in lists:
                listed = (await world.call(f"/{key}/list", user_identifier_key=user))[key]
                if key != "connected_accounts":  # that list is not for sessions without a customer
                    seen = (await world.raw(f"/{key}/list", {}, key=session["token"])).json[key]
                    assert listed == seen, (user, key)
                count = {"jane": 1, "john": 1, "both": 2, "none": 0}[user]
                if key == "connect_webviews":
                    count -= user in ("john", "both")  # John's was not given to anybody
                assert len(listed) == count, (user, key)
        codes = await world.call("/access_codes/list", device_id=world.devices[0], user_identifier_key="jane")
        assert codes["access_codes"] == []


MONTH_MS = 30 * 86_400_000


async def by_key(world: World, key: str, path: str = GET_OR_CREATE, method: str = "POST", **body: Any) -> Any:
    """What a browser with the publishable key is answered."""
    headers = {PUBLISHABLE: key, USER: "jane"}
    return await world.raw(path, body, method=method, key="", headers=headers)


@pytest.mark.parametrize("gift", ["an end", "an account", "a webview", "a customer", "a person", "an account later"])
async def test_a_publishable_key_gives_no_more_time_to_what_an_api_key_gave(
    tmp_path: Path, database_url: str | None, gift: str
) -> None:
    async with serving(tmp_path, database_url) as world:
        webview_id = await world.connect()
        account: dict[str, Any] = {"connected_account_ids": [(await world.device())["connected_account_id"]]}
        person = (await world.call("/user_identities/create", full_name="Jane"))["user_identity"]
        given: dict[str, Any] = {
            "an end": {},
            "an account": account,
            "a webview": {"connect_webview_ids": [webview_id]},
            "a customer": {"customer_key": "hotel"},
            "a person": {"user_identity_id": person["user_identity_id"]},
            "an account later": {},
        }[gift]
        key = await publishable(world)
        if gift == "an account later":
            session = (await by_key(world, key, expires_at=iso(world.clock.now() + 60_000))).json["client_session"]
            about = {"client_session_id": session["client_session_id"]}
            session = (await world.call("/client_sessions/grant_access", **about, **account))["client_session"]
        else:
            end = iso(world.clock.now() + 60_000)
            session = await made(world, user_identifier_key="jane", expires_at=end, **given)
        for path, method in ((GET_OR_CREATE, "POST"), (CREATE, "PUT")):
            for later in (3_600_000, 1_000):
                reply = await by_key(world, key, path, method, expires_at=iso(world.clock.now() + later))
                assert reply.json["client_session"] == session
        await world.clock.advance(60)
        for path, method in ((GET_OR_CREATE, "POST"), (CREATE, "PUT"), (CREATE, "POST")):
            for body in ({}, {"expires_at": iso(world.clock.now() + 3_600_000)}):
                reply = await by_key(world, key, path, method, **body)
                assert (reply.status, reply.error["type"]) == (401, "client_session_expired")
        await refused(world, session["token"], 401, "client_session_expired")
        assert len((await world.call("/client_sessions/list"))["client_sessions"]) == 1
        # The application renews it, and the browser gets it again.
        again = (await world.call(GET_OR_CREATE, user_identifier_key="jane"))["client_session"]
        assert again["client_session_id"] == session["client_session_id"]
        assert (await by_key(world, key)).json["client_session"] == again


async def test_a_publishable_key_renews_what_its_user_has_connected(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        key = await publishable(world)
        for far in ("2099-01-01T00:00:00Z", iso(world.clock.now() + MONTH_MS + 1_000)):
            reply = await by_key(world, key, expires_at=far)
            assert (reply.status, reply.error["message"]) == (
                400,
                'Must be within 30 days with a publishable key for "expires_at"',
            )
        session = (await by_key(world, key, expires_at=iso(world.clock.now() + 60_000))).json["client_session"]
        body = {"accepted_providers": ["my_2n"]}
        view = (await world.raw("/connect_webviews/create", body, key=session["token"])).json["connect_webview"]
        await world.connect(webview_id=view["connect_webview_id"])
        longer = iso(world.clock.now() + 3_600_000)
        assert (await by_key(world, key, expires_at=longer)).json["client_session"]["expires_at"] == longer
        await world.clock.advance(3_600)
        again = (await by_key(world, key)).json["client_session"]
        assert (again["client_session_id"], again["device_count"]) == (session["client_session_id"], 1)
        assert again["token"] != session["token"]
        assert again["expires_at"] == iso(world.clock.now() + MONTH_MS)


async def test_a_session_that_has_run_out_is_renewed_by_post_too(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        account_id = (await world.device())["connected_account_id"]
        end = iso(world.clock.now() + 60_000)
        body = {"user_identifier_key": "jane", "connected_account_ids": [account_id]}
        first = await made(world, **body, expires_at=end)
        await world.fail(CREATE, 400, "client_session_token_already_exists", user_identifier_key="jane")
        await world.clock.advance(60)
        again = await made(world, user_identifier_key="jane")
        assert (again["client_session_id"], again["connected_account_ids"]) == (
            first["client_session_id"],
            [account_id],
        )
        assert again["token"] != first["token"]
        assert await seen(world, again, "/devices/list", "devices") == world.devices
        await world.fail(CREATE, 400, "client_session_token_already_exists", user_identifier_key="jane")
        assert (await world.call("/client_sessions/list"))["client_sessions"] == [again]


async def test_a_session_acts_for_a_person_of_its_workspace(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        other = await new_workspace(world, "Other")
        theirs = (await other.call("/user_identities/create", full_name="John"))["user_identity"]["user_identity_id"]
        session = await made(world, user_identifier_key="jane")
        about = {"client_session_id": session["client_session_id"]}
        for nobody in ("nobody", theirs):
            for named in ({"user_identity_id": nobody}, {"user_identity_ids": [nobody]}):
                for path, body in (
                    (CREATE, {}),
                    (CREATE, {"user_identifier_key": "john"}),
                    (GET_OR_CREATE, {}),
                    (GET_OR_CREATE, {"user_identifier_key": "jane"}),
                    ("/client_sessions/grant_access", about),
                ):
                    error = await world.fail(path, 400, "user_identity_not_found", **body, **named)
                    assert error["data"] == {"user_identity_id": nobody}
        assert (await world.call("/client_sessions/list"))["client_sessions"] == [session]
        # Of people who were merged, the one who is left.
        jane, jill = [
            (await world.call("/user_identities/create", full_name=name))["user_identity"]["user_identity_id"]
            for name in ("Jane", "Jill")
        ]
        await world.call("/user_identities/merge", user_identity_id=jane, merged_user_identity_ids=[jill])
        made_for = await made(world, user_identity_id=jill)
        assert made_for["user_identity_id"] == jane
        for named in ({"user_identity_id": jane}, {"user_identity_ids": [jill]}):
            assert (await world.call(GET_OR_CREATE, **named))["client_session"] == made_for
        for person in (jane, jill):
            found = await world.call("/client_sessions/list", user_identity_id=person)
            assert found["client_sessions"] == [made_for]


async def test_a_session_is_never_somebody_elses(tmp_path: Path, database_url: str | None) -> None:
    """Who holds its token would see what is theirs."""
    async with serving(tmp_path, database_url) as world:
        jane, john = [
            (await world.call("/user_identities/create", full_name=name))["user_identity"]["user_identity_id"]
            for name in ("Jane", "John")
        ]
        session = await made(world, user_identifier_key="desk", expires_at=iso(world.clock.now() + 60_000))
        for named in ({"customer_key": "hotel"}, {"user_identity_id": jane}):
            put = await world.raw(CREATE, {"user_identifier_key": "desk", **named}, method="PUT")
            session = put.json["client_session"]
            assert session.items() >= named.items()
        for wrong in ({"customer_key": "inn"}, {"user_identity_id": john}):
            reply = await world.raw(CREATE, {"user_identifier_key": "desk", **wrong}, method="PUT")
            assert (reply.status, reply.error["type"]) == (400, "invalid_input")
        await world.fail(GET_OR_CREATE, 400, "invalid_input", user_identifier_key="desk", user_identity_id=john)
        await world.clock.advance(61)  # also when it has run out
        await world.fail(CREATE, 400, "invalid_input", user_identifier_key="desk", customer_key="inn")
        shown = (await world.call(GET, user_identifier_key="desk"))["client_session"]
        assert {**shown, "token": session["token"]} == session


async def test_the_session_of_a_person_is_found_though_it_has_a_users_key(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        jane = (await world.call("/user_identities/create", full_name="Jane"))["user_identity"]["user_identity_id"]
        session = await made(world, user_identifier_key="desk", user_identity_id=jane)
        assert (await world.call(GET_OR_CREATE, user_identity_id=jane))["client_session"] == session


async def test_null_filters_leave_nothing_out(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        session = await made(world)
        for name in ("user_identity_id", "connect_webview_id"):
            assert (await world.call("/client_sessions/list", **{name: None}))["client_sessions"] == [session]
            reply = await world.raw("/client_sessions/list", method="GET", query=f"_strict=true&{name}=")
            assert (reply.status, reply.json.get("client_sessions")) == (200, [session])
