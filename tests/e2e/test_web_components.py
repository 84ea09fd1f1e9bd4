"""Seam's prebuilt web components (`npm i @seamapi/react`) in Chromium, on a page of another site, with no Internet."""

import functools
import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Response, expect

from doorward.demo import Server

from .guide import NPM
from .test_restart import Caller
from .test_webview_browser import Owner, chromium

__all__ = ["chromium"]

COMPONENTS = NPM / "node_modules" / "@seamapi" / "react" / "dist"
Show = Callable[..., Page]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def call(server: Server, key: str) -> Caller:
    """Calls on a new, empty sandbox workspace."""
    made = Caller(server)
    made.key = key
    return made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """An application's own site: its folder, and its address."""
    for name in ("elements.js", "index.css"):
        shutil.copy(COMPONENTS / name, tmp_path / name)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def show(chromium: Chromium, server: Server, site: tuple[Path, str]) -> Iterator[Show]:
    """Opens a page with one component on it. In the end nothing may have gone wrong there."""
    folder, address = site
    context = chromium.new_context(viewport={"width": 900, "height": 900}, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(10_000)
    wrong: list[str] = []
    known: set[str] = set()
    numbers = itertools.count(1)

    def reply(response: Response) -> None:
        if response.status >= 400 and urlsplit(response.url).path not in known:
            wrong.append(f"{response.status} {response.url}")

    def said(line: ConsoleMessage) -> None:
        if line.type == "error" and "Failed to load resource" not in line.text:
            wrong.append(line.text)

    def make(element: str, *, forgiven: tuple[str, ...] = (), **attributes: str) -> Page:
        known.update(forgiven)
        given = {
            "endpoint": server.url,
            "disable-css-injection": "true",
            "disable-font-injection": "true",
            **{name.replace("_", "-"): value for name, value in attributes.items()},
        }
        listed = " ".join(f'{name}="{value}"' for name, value in given.items())
        name = f"{next(numbers)}.html"  # a browser keeps pages
        (folder / name).write_text(
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>App</title><link rel=icon href='data:,'>"
            f"<link rel=stylesheet href=index.css></head><body><{element} {listed}></{element}>"
            "<script type=module src=elements.js></script></body></html>"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", said)
        page.on("response", reply)
        page.on(
            "request",
            lambda request: (
                wrong.append(f"left the machine: {request.url}")
                if urlsplit(request.url).scheme in ("http", "https") and urlsplit(request.url).hostname != "127.0.0.1"
                else None
            ),
        )
        page.goto(f"{address}/{name}")
        return page

    yield make
    context.close()
    assert wrong == []


@pytest.fixture
def token(call: Caller) -> str:
    """Of a client session that sees three virtual intercoms."""
    call.connect()
    accounts = [one["connected_account_id"] for one in call("/connected_accounts/list")["connected_accounts"]]
    return str(call("/client_sessions/create", connected_account_ids=accounts)["client_session"]["token"])


def test_devices_stand_in_a_table_with_their_pictures(show: Show, token: str) -> None:
    page = show("seam-device-table", client_session_token=token)
    expect(page.get_by_text("Device 2")).to_be_visible()
    assert [one.inner_text() for one in page.get_by_text("Locked").all()] == ["Locked"] * 3
    assert {one.inner_text() for one in page.locator(".seam-device-model").all()} == {"2N IP Verso"}
    picture = page.locator("img").first
    page.wait_for_function("document.querySelector('img').complete")
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.get_by_placeholder("Search").fill("device 1")  # in small letters: the component asks for that
    expect(page.get_by_text("Device 2")).to_have_count(0)
    page.get_by_text("Device 1").click()
    expect(page.get_by_text("Lock status", exact=True)).to_be_visible()


def test_a_door_is_unlocked_and_renamed(show: Show, call: Caller, token: str) -> None:
    device_id = call("/devices/list")["devices"][0]["device_id"]
    page = show("seam-device-details", client_session_token=token, device_id=device_id)

    def is_locked() -> bool:
        return bool(call("/devices/get", device_id=device_id)["device"]["properties"]["locked"])

    assert is_locked()
    page.get_by_role("button", name="Unlock", exact=True).click()
    call.until(lambda: not is_locked())
    expect(page.get_by_text("Unlocked").first).to_be_visible()
    page.get_by_role("button", name="Lock", exact=True).click()
    call.until(is_locked)
    attempts = call("/action_attempts/list", device_id=device_id)["action_attempts"]
    assert [(one["action_type"], one["status"]) for one in attempts] == [
        ("UNLOCK_DOOR", "success"),
        ("LOCK_DOOR", "success"),
    ]


def test_a_code_is_made_changed_and_deleted(show: Show, call: Caller, token: str) -> None:
    device_id = call("/devices/list")["devices"][0]["device_id"]

    def codes() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = call("/access_codes/list", device_id=device_id)["access_codes"]
        return found

    page = show("seam-create-access-code-form", client_session_token=token, device_id=device_id)
    page.locator("input[name=name]").fill("Jane")
    page.get_by_role("button", name="Generate code").click()
    pin = page.locator("input[name=code]")
    expect(pin).not_to_have_value("")
    generated = pin.input_value()
    page.get_by_role("button", name="Save").click()
    call.until(lambda: len(codes()) == 1)
    [code] = codes()
    assert (code["name"], code["code"], code["type"]) == ("Jane", generated, "ongoing")
    call.until(lambda: call.status(code["access_code_id"]) == "set")
    page.close()

    page = show("seam-edit-access-code-form", client_session_token=token, access_code_id=code["access_code_id"])
    expect(page.locator("input[name=name]")).to_have_value("Jane")
    page.locator("input[name=name]").fill("Jane Doe")
    page.get_by_role("button", name="Save").click()
    call.until(lambda: codes()[0]["name"] == "Jane Doe")
    page.close()

    # The component asks for a device before it knows which: it does so at Seam, too.
    page = show(
        "seam-access-code-details",
        forgiven=("/devices/get",),
        client_session_token=token,
        access_code_id=code["access_code_id"],
    )
    expect(page.get_by_text("Jane Doe")).to_be_visible()
    page.close()

    page = show("seam-access-code-table", client_session_token=token, device_id=device_id)
    expect(page.get_by_text(generated).first).to_be_visible()
    page.locator(".seam-table-row button.seam-icon-btn, .seam-table-body button.seam-icon-btn").first.click()
    page.get_by_text("Delete code").last.click()
    page.locator(".seam-delete-confirmation").last.get_by_text("Delete", exact=True).click()
    call.until(lambda: codes() == [])


def test_an_account_is_connected_and_the_browser_is_back(
    show: Show, chromium: Chromium, server: Server, call: Caller
) -> None:
    call("/workspaces/update", is_publishable_key_auth_enabled=True)
    key = call("/workspaces/get")["workspace"]["publishable_key"]
    page = show("seam-connect-account-button", publishable_key=key, user_identifier_key="jane")
    here = page.url
    page.wait_for_load_state("networkidle")  # the button does nothing until its client session is there
    with page.expect_navigation(url=f"{server.url}/connect_webviews/view**"):
        page.get_by_role("button", name="Connect Account").click()
    owner = Owner.on(page, server.url)
    owner.through(page.url)
    assert page.url.startswith(here)
    [session] = call("/client_sessions/list", user_identifier_key="jane")["client_sessions"]
    assert session["device_count"] == 3
    page = show("seam-device-table", publishable_key=key, user_identifier_key="jane")
    expect(page.get_by_text("Device 2")).to_be_visible()


def test_what_can_be_connected_is_listed(show: Show, token: str) -> None:
    page = show("seam-supported-device-table", client_session_token=token)
    expect(page.get_by_text("2N IP Verso", exact=True)).to_be_visible()
    page.get_by_placeholder("Search").fill("access unit m")
    expect(page.get_by_text("2N Access Unit M", exact=True)).to_be_visible()
    expect(page.get_by_text("2N IP Verso", exact=True)).to_have_count(0)
