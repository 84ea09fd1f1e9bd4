"""A customer's portal in a real browser: accounts, devices, places and bookings, and the doors behind them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, ViewportSize, expect

from doorward.demo import Server

from .test_restart import Caller
from .test_webview_browser import Owner, chromium

__all__ = ["chromium"]

PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def call(server: Server, key: str) -> Caller:
    """Calls on a new, empty sandbox workspace."""
    made = Caller(server)
    made.key = key
    return made


@pytest.fixture(params=["with script", "without script"])
def owner(request: pytest.FixtureRequest, chromium: Chromium, server: Server) -> Iterator[Owner]:
    """Somebody at a phone."""
    context = chromium.new_context(
        viewport=PHONE, java_script_enabled=request.param == "with script", locale="en-GB", timezone_id="UTC"
    )
    yield Owner(context, server.url)
    context.close()


def press(page: Page, name: str) -> None:
    with page.expect_navigation(wait_until="load"):
        page.get_by_role("button", name=name, exact=True).click()


def unfold(page: Page, name: str) -> None:
    page.locator("summary", has_text=name).first.click()


def go_to(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def portal(call: Caller, **wanted: Any) -> str:
    data = {"customer_key": "hotel", "spaces": [{"space_key": "101", "name": "Room 101"}], **wanted.pop("data", {})}
    return str(call("/customers/create_portal", customer_data=data, **wanted)["customer_portal"]["url"])


def test_a_customer_arranges_what_is_theirs(owner: Owner, call: Caller) -> None:
    page = owner.page
    page.goto(portal(call))
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")
    assert "There are no devices yet." in page.inner_text("main")
    # ------------------------------------------------------------ an account
    go_to(page, "Accounts")
    press(page, "Connect an account")
    owner.through(page.url)
    expect(page.get_by_role("status")).to_have_text("The account is connected.")
    accounts = call("/connected_accounts/list", customer_key="hotel")["connected_accounts"]
    assert [one["account_type"] for one in accounts] == ["my_2n"]
    # ------------------------------------------------------------ a door
    go_to(page, "Devices")
    devices = {one["display_name"]: one["device_id"] for one in call("/devices/list")["devices"]}
    names = page.locator(".rows .device-name").all_inner_texts()
    assert sorted(names) == sorted(devices)
    page.get_by_role("link", name=names[0]).click()
    press(page, "Unlock")
    expect(page.get_by_role("status")).to_have_text("The door is unlocked.")
    device = call("/devices/get", device_id=devices[names[0]])["device"]
    assert device["properties"]["locked"] is False
    press(page, "Lock")
    expect(page.get_by_role("status")).to_have_text("The door is locked.")
    # ------------------------------------------------------------ a code
    unfold(page, "Make a code")
    page.get_by_label("Name", exact=False).first.fill("Cleaner")
    page.get_by_label("Code").fill("739152")
    press(page, "Make the code")
    [code] = call("/access_codes/list", device_id=devices[names[0]])["access_codes"]
    assert (code["name"], code["code"], code["type"]) == ("Cleaner", "739152", "ongoing")
    call.until(lambda: call.status(code["access_code_id"]) == "set")
    # ------------------------------------------------------------ a place, and a booking for it
    go_to(page, "Places")
    page.get_by_role("link", name="Room 101").click()
    page.get_by_label(names[0]).check()
    page.get_by_label(names[1]).check()
    press(page, "Add")
    place = call("/spaces/get", space_key="101")["space"]
    assert place["device_count"] == 2
    unfold(page, "Make a booking")
    page.get_by_label("Guest").fill("Jane Doe")
    page.get_by_label("Until").fill("2090-05-01T11:00")
    press(page, "Make the booking")
    expect(page.get_by_role("heading", level=1)).to_have_text("Jane Doe")
    [grant] = call("/access_grants/list", customer_key="hotel")["access_grants"]
    assert (grant["name"], grant["space_ids"]) == ("Jane Doe", [place["space_id"]])
    assert grant["ends_at"].startswith("2090-05-01T")
    pin = page.locator("dd.pin").inner_text()
    codes = call("/access_codes/list", access_grant_id=grant["access_grant_id"])["access_codes"]
    assert [one["code"] for one in codes] == [pin, pin]
    unfold(page, "Cancel this booking")
    press(page, "Cancel the booking")
    expect(page.get_by_role("status")).to_contain_text("The booking was canceled.")
    call.until(lambda: call("/access_grants/list")["access_grants"] == [])
    assert owner.complaints == []


def test_what_was_typed_wrong_is_said_on_the_page(owner: Owner, call: Caller) -> None:
    call.connect()
    for account in call("/connected_accounts/list")["connected_accounts"]:
        about = {"connected_account_id": account["connected_account_id"], "customer_key": "hotel"}
        call("/connected_accounts/update", **about)
    page = owner.page
    page.goto(portal(call))
    page.locator(".rows a").first.click()
    unfold(page, "Make a code")
    page.get_by_label("Name", exact=False).first.fill("Cleaner")
    page.get_by_label("Code").fill("12")
    press(page, "Make the code")
    expect(page.get_by_role("alert")).to_contain_text("code")
    assert call("/access_codes/list", customer_key="hotel")["access_codes"] == []


def test_a_portal_for_looking_has_no_forms(owner: Owner, call: Caller) -> None:
    call.connect()
    for account in call("/connected_accounts/list")["connected_accounts"]:
        about = {"connected_account_id": account["connected_account_id"], "customer_key": "hotel"}
        call("/connected_accounts/update", **about)
    page = owner.page
    page.goto(portal(call, read_only=True))
    page.locator(".rows a").first.click()
    for name in ("Devices", "Bookings", "Places", "Accounts"):
        go_to(page, name)
        assert page.locator("form[method=post]").count() == 0
    assert owner.complaints == []
