"""Strangers, forged and broken forms, guessing, and what headers and pages may hold."""

import asyncio
import itertools
import re
from typing import Any

import httpx
import pytest
import structlog

from doorward.clock import ManualClock
from doorward.core import webviews
from doorward.core.context import Core
from doorward.core.workspaces import partner_shown
from doorward.providers.errors import NotAuthorized
from doorward.store import workspaces
from doorward.store.db import StoreUnavailable

from .brand import Brand
from .conftest import MakeOwner
from .owner import Owner, visitor
from .server import BASE, make_webview, make_workspace, reread

FORM = {"content-type": "application/x-www-form-urlencoded"}


# ---------------------------------------------------------------- who may open it


async def test_a_wrong_token_and_an_unknown_id_look_the_same(core: Core, owner: Owner) -> None:
    right = httpx.URL(owner.url)
    strangers = [
        right.copy_set_param("auth_token", "x" * 33),
        right.copy_set_param("auth_token", ""),
        right.copy_set_param("auth_token", "žluťoučký"),
        right.copy_set_param("connect_webview_id", "00000000-0000-7000-8000-000000000000"),
        right.copy_set_param("connect_webview_id", "no\0body"),
        right.copy_remove_param("auth_token"),
        right.copy_with(query=None),
        httpx.URL(owner.url + "%FF"),
    ]
    answers = set()
    for url in strangers:
        for method in ("GET", "POST"):
            reply = await owner.client.request(method, url)
            assert reply.status_code == 404
            answers.add((reply.text, tuple(sorted(reply.headers.items()))))
    assert len(answers) == 1
    assert "This link does not work" in answers.pop()[0]


async def test_a_name_does_not_turn_the_page_around(core: Core, make_owner: MakeOwner) -> None:
    owner = await make_owner(name="Evil\u202e\u2067 Ltd")
    assert "Evil Ltd would like to connect" in owner.page.text
    assert "Evil Ltd" in owner.page.title
    assert partner_shown(await make_workspace(core, "\u202e ")) == "This application"
    assert partner_shown(await make_workspace(core, "\u05d3\u05dc\u05ea")) == "\u05d3\u05dc\u05ea"


async def test_a_deleted_webview_is_gone(core: Core, owner: Owner) -> None:
    await core.db.write(webviews.delete, core, owner.row.workspace_id, owner.row.connect_webview_id)
    await owner.open()
    assert owner.reply.status_code == 404


async def test_headers_of_every_page(owner: Owner) -> None:
    expected = {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "content-security-policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors *"
        ),
    }
    replies = [
        owner.reply,
        await owner.send(owner.page.data("Continue", {})),
        await owner.send([("x", "1")]),
        await owner.client.get("/connect_webviews/view"),
    ]
    assert [reply.status_code for reply in replies] == [200, 303, 403, 404]
    for reply in replies:
        assert expected.items() <= dict(reply.headers).items()
        assert "set-cookie" not in reply.headers


async def test_other_verbs_are_refused(owner: Owner) -> None:
    assert (await owner.client.put(owner.url)).status_code == 405
    assert (await owner.client.head(owner.url)).status_code == 200


# ---------------------------------------------------------------- whose form it is


@pytest.mark.parametrize("token", ["", "wrong", "ž" * 24])
async def test_a_form_without_its_hidden_value_does_nothing(core: Core, owner: Owner, token: str) -> None:
    reply = await owner.send([("csrf", token), ("step", "cancel")])
    assert reply.status_code == 403
    assert "nothing was done" in reply.text
    assert (await reread(core, owner.row)).status == "pending"


async def test_the_hidden_value_of_another_webview_does_not_fit(make_owner: MakeOwner, owner: Owner) -> None:
    other = await make_owner()
    assert (await owner.send(other.page.data("Continue", {}))).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"origin": BASE, "sec-fetch-site": "same-origin"}, 303),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 303),
        ({"origin": "null"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"origin": "http://elsewhere.test"}, 403),
        ({"origin": f"{BASE}:8081"}, 403),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
async def test_what_browsers_say_about_the_sender_must_fit(owner: Owner, headers: dict[str, str], status: int) -> None:
    data = dict(owner.page.data("Continue", {}))
    assert (await owner.client.post(owner.url, data=data, headers=headers)).status_code == status


# ---------------------------------------------------------------- broken forms


def body(owner: Owner, more: bytes) -> bytes:
    data = dict(owner.page.forms[0].fields)
    return str(httpx.QueryParams(data)).encode() + more


@pytest.mark.parametrize("more", [b"&email=%FF", b"&email=a%00b", b"&e%00=1", "&email=ž".encode(), b"&x=1" * 4000])
async def test_what_cannot_be_read_is_a_friendly_400(owner: Owner, brand: Brand, more: bytes) -> None:
    await owner.to_account()
    reply = await owner.client.post(owner.url, content=body(owner, more), headers=FORM)
    assert reply.status_code == 400
    assert "could not be read" in reply.text
    assert brand.asked == []


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_other_kinds_of_bodies_are_refused(owner: Owner, kind: str) -> None:
    reply = await owner.client.post(owner.url, content=body(owner, b""), headers={"content-type": kind})
    assert reply.status_code == 400


async def test_a_body_is_bounded(owner: Owner) -> None:
    reply = await owner.client.post(owner.url, content=body(owner, b"&x=" + b"x" * 65536), headers=FORM)
    assert reply.status_code == 413


@pytest.mark.parametrize("more", [b"", b"&step=", b"&step=nothing", b"&step=device&device=x", b"&step=back&from=x"])
async def test_forms_of_no_step_do_nothing(core: Core, owner: Owner, more: bytes) -> None:
    await owner.to_devices()
    before = owner.page.text
    reply = await owner.client.post(owner.url, content=body(owner, more), headers=FORM)
    assert reply.status_code in (303, 422)
    assert (await owner.open()).text == before


# ---------------------------------------------------------------- guessing


async def test_guessing_has_to_wait(owner: Owner, brand: Brand, clock: ManualClock) -> None:
    await owner.to_account()
    for _ in range(10):
        await owner.press("Log in and continue", email="jane@example.com", password="guess")
        assert owner.reply.status_code == 422
    page = await owner.press("Log in and continue", email="jane@example.com", password="1234")
    assert owner.reply.status_code == 429
    assert owner.reply.headers["retry-after"] == "300"
    assert page.alert and "Wait 5 minutes, then try again." in page.text
    assert len(brand.asked) == 10
    await clock.advance(299)
    page = await owner.press("Log in and continue", email="jane@example.com", password="1234")
    assert "Wait 1 minute, then try again." in page.text
    await clock.advance(1)
    await owner.press("Log in and continue", email="jane@example.com", password="1234")
    assert "Choose your devices" in owner.page.title


async def another(core: Core, owner: Owner) -> Owner:
    """The same person at a new webview of the same workspace."""
    workspace = await workspaces.get(core.db.read, owner.row.workspace_id)
    row, url = await make_webview(core, None, workspace)
    made = Owner(owner.client, url, row)
    await made.open()
    return made


async def test_an_account_is_guessed_at_ten_times_whatever_the_webview(
    core: Core, owner: Owner, make_owner: MakeOwner, brand: Brand, clock: ManualClock
) -> None:
    for n in range(12):
        one = await another(core, owner)
        await one.to_account()
        email = ("jane@example.com", " Jane@Example.COM ")[n % 2]
        await one.press("Log in and continue", email=email, password="guess")
        assert one.reply.status_code == (422 if n < 10 else 429)
    assert len(brand.asked) == 10
    assert "Wait 5 minutes, then try again." in one.page.text
    # Neither another account nor another workspace waits for it.
    await one.press("Log in and continue", email="joe@example.com", password="1234")
    assert "Choose your devices" in one.page.title
    elsewhere = await make_owner()
    await elsewhere.to_devices()
    assert "Choose your devices" in elsewhere.page.title
    await clock.advance(300)
    one = await another(core, owner)
    await one.to_devices()
    assert "Choose your devices" in one.page.title


async def test_a_device_is_guessed_at_ten_times_whatever_the_webview(core: Core, owner: Owner, brand: Brand) -> None:
    for n in range(4):
        one = await another(core, owner)
        await one.to_logins(1)
        for guess in range(3):
            await one.log_in(f"guess {guess}")
            assert one.reply.status_code == (422 if n < 3 or guess < 1 else 429)
    assert len([ref for ref, _ in brand.asked if ref != "account"]) == 10
    # A login that is right for another device is no way around.
    one = await another(core, owner)
    await one.to_logins(0, 1, 2)
    await one.log_in(same_login="yes")
    assert len([ref for ref, _ in brand.asked if ref == "54-0000-0001"]) == 10
    assert "Log in to Device 1" in one.page.title
    await one.log_in()
    assert one.reply.status_code == 429
    await one.press("Skip this device for now")
    assert "Almost done" in one.page.title


async def test_guessing_many_times_at_once_is_counted_too(core: Core, owner: Owner, brand: Brand) -> None:
    guessers = [await another(core, owner) for _ in range(15)]
    for one in guessers:
        await one.to_account()
    brand.gate = asyncio.Event()
    typed: dict[str, str | list[str]] = {"email": "jane@example.com", "password": "guess"}
    sent = [asyncio.create_task(one.send(one.page.data("Log in and continue", typed))) for one in guessers]
    refused = [await ready for ready in itertools.islice(asyncio.as_completed(sent), 5)]
    brand.gate.set()
    assert [reply.status_code for reply in refused] == [429] * 5
    assert sorted(reply.status_code for reply in await asyncio.gather(*sent)) == [422] * 10 + [429] * 5


async def test_logins_that_work_are_not_counted(core: Core, owner: Owner) -> None:
    for _ in range(12):
        one = await another(core, owner)
        await one.to_logins(0)
        await one.log_in()
        assert "Your devices are connected" in one.page.title


async def test_one_login_for_all_counts_as_one_failure(owner: Owner, brand: Brand) -> None:
    brand.names = tuple(f"Device {n}" for n in range(9))
    brand.passwords = {f"54-0000-000{n}": "another" for n in range(1, 9)}
    await owner.to_logins()
    await owner.log_in(same_login="yes")
    assert "Device 1, Device 2, Device 3 and 5 more" in owner.page.text
    await owner.log_in("another")
    assert "Device 3 of 9" in owner.page.text


# ---------------------------------------------------------------- secrets


async def test_passwords_are_in_no_page_and_no_log(core: Core, owner: Owner, brand: Brand) -> None:
    pages = []
    with structlog.testing.capture_logs() as logs:
        await owner.to_account()
        pages.append(await owner.press("Log in and continue", email="jane@example.com", password="sesame-1"))
        brand.troubles["account"] = NotAuthorized()
        pages.append(await owner.press("Log in and continue", email="jane@example.com", password="sesame-2"))
        brand.troubles = {"account": ValueError("a bug")}  # type: ignore[dict-item]
        pages.append(await owner.press("Log in and continue", email="jane@example.com", password="sesame-3"))
        assert owner.reply.status_code == 500
    assert "sesame" not in "".join(page.html for page in pages)
    assert [entry["event"] for entry in logs] == ["unexpected failure"]
    assert "sesame" not in str(logs)
    assert owner.url.partition("auth_token=")[2] not in str(logs)


async def test_the_stored_login_is_sealed_and_forgotten_at_the_end(core: Core, owner: Owner) -> None:
    await owner.to_logins(0)
    stored = (await reread(core, owner.row)).flow_sealed
    assert stored and "jane" not in stored
    await owner.log_in()
    assert (await reread(core, owner.row)).flow_sealed is None


async def test_a_store_that_fails_is_a_friendly_503(owner: Owner, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(core.db, "write", fail)
    page = await owner.press("Continue")
    assert owner.reply.status_code == 503
    assert "Please try again in a moment" in page.text


async def test_names_are_text_and_never_markup(make_owner: MakeOwner, brand: Brand) -> None:
    nasty = "<script>alert(1)</script>\"'&"
    brand.names = (nasty, "plain")
    owner = await make_owner(name=nasty)
    pages = [owner.page, await owner.to_devices()]
    pages.append(await owner.press("Continue", device=[v for _, v in owner.page.forms[0].choices]))
    pages.append(await owner.press("Skip this device for now"))
    pages.append(await owner.press("Skip this device for now"))
    for page in pages:
        assert nasty in page.text
        assert not re.search(r"<script(?! src=\"\.\./assets/)", page.html)


# ---------------------------------------------------------------- files


async def test_files_are_kept_for_good_by_their_content(core: Core, owner: Owner) -> None:
    links = [a.get("href") or a.get("src") or "" for tag, a in owner.page.tags if tag in ("link", "script", "img")]
    assert len(links) == 4
    for link in links:
        reply = await owner.client.get(httpx.URL(owner.url).join(link))
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_pictures_icon_and_what_is_not_there(core: Core) -> None:
    async with visitor(core) as client:
        pictures = [await client.get(f"/assets/images/devices/{name}.png") for name in ("2n_intercom", "whatever")]
        assert pictures[0].content == pictures[1].content
        assert pictures[0].content.startswith(b"\x89PNG") and pictures[0].headers["content-type"] == "image/png"
        icon = await client.get("/favicon.ico")
        assert icon.headers["content-type"] == "image/x-icon" and icon.content.startswith(b"\0\0\1\0")
        old = await client.get("/assets/webview/000000000000/webview.css")
        assert old.status_code == 200 and old.headers["cache-control"] == "no-cache"
        for path in ("x/base.html", "x/..%2Fpages.py", "theme/red-blue.css", "theme/ffffff.css", "webview.css"):
            assert (await client.get(f"/assets/webview/{path}")).status_code == 404
        theme = await client.get("/assets/webview/theme/ffcc00-000000.css")
        assert "--button: #ffcc00" in theme.text and theme.headers["content-type"] == "text/css; charset=utf-8"


async def test_the_token_is_in_no_page(core: Core) -> None:
    """It is in the address alone: whoever keeps a copy of the page cannot open it."""
    _, url = await make_webview(core)
    async with visitor(core) as client:
        assert httpx.URL(url).params["auth_token"] not in (await client.get(url)).text
