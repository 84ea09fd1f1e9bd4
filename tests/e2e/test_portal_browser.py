"""A customer's portal in a real browser: accounts, devices, places and bookings, and the doors behind them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, ViewportSize, expect
from tests.webview import live

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


def press_link(page: Page, name: str) -> None:
    with page.expect_navigation(wait_until="load"):
        page.get_by_role("link", name=name, exact=True).click()


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


def belongs_to_hotel(call: Caller) -> None:
    call.connect()
    for account in call("/connected_accounts/list")["connected_accounts"]:
        about = {"connected_account_id": account["connected_account_id"], "customer_key": "hotel"}
        call("/connected_accounts/update", **about)


def test_what_was_typed_wrong_is_said_on_the_page(owner: Owner, call: Caller) -> None:
    belongs_to_hotel(call)
    page = owner.page
    page.goto(portal(call))
    page.locator(".rows a").first.click()
    device_id = page.locator("input[name=device_id]").first.input_value()
    unfold(page, "Make a code")
    page.get_by_label("Name", exact=False).first.fill("Cleaner")
    page.get_by_label("Code").fill("12")
    page.get_by_label("Until").fill("2090-05-01T11:00")
    press(page, "Make the code")
    expect(page).to_have_title(re.compile("^Please check: "))
    expect(page.get_by_role("alert")).to_contain_text("Something is missing or cannot be right.")
    expect(page.get_by_label("Code")).to_be_focused()
    expect(page.get_by_label("Code")).to_have_accessible_description(re.compile("takes codes of 4 to 8 digits"))
    expect(page.get_by_label("Name").first).to_have_value("Cleaner")
    expect(page.get_by_label("Until")).to_have_value("2090-05-01T11:00")
    assert call("/access_codes/list", device_id=device_id)["access_codes"] == []
    page.get_by_label("Code").fill("739152")
    press(page, "Make the code")
    expect(page.get_by_role("status")).to_contain_text("The code was made.")
    [code] = call("/access_codes/list", device_id=device_id)["access_codes"]
    assert (code["name"], code["code"], code["ends_at"]) == ("Cleaner", "739152", "2090-05-01T11:00:00.000Z")
    page.goto(page.url.partition("&at=")[0] + "&at=device")
    press_link(page, "Go to the first page")
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")


@pytest.mark.parametrize("size", [live.PHONE, live.DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_and_reached(
    chromium: Chromium, server: Server, call: Caller, size: ViewportSize, scheme: Any
) -> None:
    """Names without a space, in every place that has one."""
    belongs_to_hotel(call)
    long = "Donaudampfschifffahrtsgesellschaft_" * 7
    devices = [one["device_id"] for one in call("/devices/list")["devices"]]
    for device_id in devices:
        call("/devices/update", device_id=device_id, name=long)
    call("/access_codes/create", device_id=devices[0], name=long, code="73915284")
    data = {"spaces": [{"space_key": "101", "name": long}, {"space_key": "102", "name": long}]}
    link = portal(call, data=data)
    space_id = call("/spaces/get", space_key="101")["space"]["space_id"]
    call("/spaces/add_devices", space_id=space_id, device_ids=devices[:1])
    stay = {"reservation_key": "r", "name": long, "space_keys": ["101", "102"], "ends_at": "2090-05-01T11:00:00Z"}
    call("/customers/push_data", customer_key="hotel", reservations=[stay])
    context = chromium.new_context(viewport=size, color_scheme=scheme, locale="en-GB")
    page = Owner(context, server.url).page
    for at in (
        "devices",
        f"device&device_id={devices[0]}",
        "bookings",
        "booking&access_grant_key=r",
        "places",
        "place&space_key=101",
        "place&space_key=102",
        "accounts",
        "nothing",
    ):
        page.goto(f"{link}&at={at}")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate(live.FLAWS) == [], at
    context.close()


def test_a_portal_for_looking_has_no_forms(owner: Owner, call: Caller) -> None:
    belongs_to_hotel(call)
    page = owner.page
    page.goto(portal(call, read_only=True))
    page.locator(".rows a").first.click()
    for name in ("Devices", "Bookings", "Places", "Accounts"):
        go_to(page, name)
        assert page.locator("form[method=post]").count() == 0
    assert owner.complaints == []
