"""The whole way through the pages, without script."""

import asyncio
from pathlib import Path

import httpx
import pytest

from doorward.core import webviews
from doorward.core.context import Core
from doorward.core.webviews import Order

from .brand import PASSWORD, WRONG_ACCOUNT, WRONG_DEVICE, Brand, away
from .conftest import MakeOwner
from .owner import Owner, Page, visitor
from .server import devices, event_types, make_webview, open_core, reread


async def test_three_devices_are_connected_one_after_the_other(owner: Owner, core: Core, brand: Brand) -> None:
    assert owner.page.title == "Connect your devices – Jane's intercoms"
    page = await owner.to_account()
    assert page.title == "Log in to My2N – Jane's intercoms"
    assert "Step 1 of 3" in page.text and "jane@example.com and the password 1234" in page.text
    page = await owner.press("Log in and continue", email=" jane@example.com ", password=PASSWORD)
    assert page.title == "Choose your devices – Jane's intercoms"
    assert "Step 2 of 3" in page.text and "Each device needs its own login" in page.text
    assert "Device 0" in page.text and "2N IP Verso, 192.0.2.0" in page.text
    refs = [value for _, value in page.forms[0].choices]
    page = await owner.press("Continue", device=refs)
    for number in (1, 2, 3):
        assert f"Device {number} of 3" in page.text and "Step 3 of 3" in page.text
        assert page.title == f"Log in to Device {number - 1} – Jane's intercoms"
        page = await owner.log_in()
    assert "Your devices are connected" in page.text

    row = await reread(core, owner.row)
    assert (row.status, row.login_successful, row.selected_provider) == ("authorized", 1, "my_2n")
    assert row.flow_sealed is None
    assert [online for _, online, _ in await devices(core)] == [1, 1, 1]
    assert brand.asked[0] == ("account", {"email": "jane@example.com", "password": PASSWORD})
    assert "connect_webview.login_succeeded" in await event_types(core)


async def test_the_page_may_be_left_and_opened_again_at_every_step(owner: Owner) -> None:
    before = await owner.to_logins(0, 1)
    assert (await owner.open()).title == before.title == "Log in to Device 0 – Jane's intercoms"
    await owner.log_in()
    assert (await owner.open()).title == "Log in to Device 1 – Jane's intercoms"
    await owner.log_in()
    assert "Your devices are connected" in (await owner.open()).text


async def test_a_wrong_account_stays_on_the_page_and_says_why(owner: Owner, core: Core) -> None:
    await owner.to_account()
    page = await owner.press("Log in and continue", email="jane@elsewhere.test", password="not-this-one")
    assert owner.reply.status_code == 422
    assert page.alert and WRONG_ACCOUNT in page.text
    assert page.title.startswith("Please check: ")
    email, password = page.find("input", name="email"), page.find("input", name="password")
    assert email["value"] == "jane@elsewhere.test"
    assert email["aria-invalid"] == password["aria-invalid"] == "true"
    assert "problem" in (password["aria-describedby"] or "").split()
    assert "autofocus" in password and "autofocus" not in email
    assert "not-this-one" not in page.html
    assert (await reread(core, owner.row)).status == "pending"


async def test_empty_fields_are_named_and_nobody_is_asked(owner: Owner, brand: Brand) -> None:
    await owner.to_account()
    page = await owner.press("Log in and continue", email="  ", password="")
    assert owner.reply.status_code == 422
    assert "Type the e-mail." in page.text and "Type the password." in page.text
    email = page.find("input", name="email")
    assert "problem-email" in (email["aria-describedby"] or "").split()
    assert "autofocus" in email
    assert brand.asked == []


async def test_a_field_that_is_too_long_is_refused_and_nobody_is_asked(owner: Owner, brand: Brand) -> None:
    await owner.to_account()
    page = await owner.press("Log in and continue", email="jane@example.com", password="x" * 257)
    assert owner.reply.status_code == 422
    assert "The password is too long." in page.text
    assert brand.asked == []


async def test_no_device_chosen_is_a_friendly_error(owner: Owner) -> None:
    await owner.to_devices()
    page = await owner.press("Continue")
    assert owner.reply.status_code == 422
    assert page.alert and "Choose at least one device to continue." in page.text


async def test_a_device_of_somebody_else_cannot_be_chosen(owner: Owner, core: Core) -> None:
    await owner.to_devices()
    page = await owner.press("Continue", device=["54-9999-9999"])
    assert "Choose at least one device to continue." in page.text


async def test_a_wrong_device_password_stays_there_and_keeps_what_worked(owner: Owner, brand: Brand) -> None:
    await owner.to_logins(0, 1)
    await owner.log_in()
    page = await owner.log_in("wrong-one")
    assert owner.reply.status_code == 422
    assert WRONG_DEVICE in page.text and "Device 2 of 2" in page.text
    assert page.find("input", name="username")["value"] == "jane"
    assert "wrong-one" not in page.html
    assert "Your devices are connected" in (await owner.log_in()).text
    assert [what for what, _ in brand.asked] == ["account", "54-0000-0000", "54-0000-0001", "54-0000-0001"]


async def test_one_login_for_all_remaining_devices(owner: Owner, core: Core, brand: Brand) -> None:
    await owner.to_logins()
    assert "remaining 2 devices" in owner.page.text
    page = await owner.log_in(same_login="yes")
    assert "Your devices are connected" in page.text
    assert [online for _, online, _ in await devices(core)] == [1, 1, 1]


async def test_one_login_for_all_keeps_what_worked_and_asks_for_the_rest(owner: Owner, brand: Brand) -> None:
    brand.passwords["54-0000-0001"] = "another"
    await owner.to_logins()
    page = await owner.log_in(same_login="yes")
    assert owner.reply.status_code == 422
    assert f"The same login did not work for Device 1. {WRONG_DEVICE}" in page.text
    assert "Device 2 of 3" in page.text
    assert "Your devices are connected" in (await owner.log_in("another")).text


async def test_a_skipped_device_can_be_retried_before_the_end(owner: Owner, core: Core) -> None:
    await owner.to_logins()
    await owner.press("Skip this device for now")
    await owner.log_in()
    page = await owner.log_in()
    assert "2 connected, 1 skipped." in page.text
    page = await owner.press("Log in to the skipped device")
    assert "Device 1 of 3" in page.text and "remaining" not in page.text
    assert "Your devices are connected" in (await owner.log_in()).text
    assert [online for _, online, _ in await devices(core)] == [1, 1, 1]


async def test_a_skipped_device_arrives_without_login_and_says_so(owner: Owner, core: Core) -> None:
    await owner.to_logins(0, 1)
    await owner.log_in()
    await owner.press("Skip this device for now")
    assert "1 connected, 1 skipped." in owner.page.text
    assert "Your devices are connected" in (await owner.press("Finish")).text
    found = await devices(core)
    assert [online for _, online, _ in found] == [1, 0]
    assert "still needs its own login" in found[1][2]


async def test_everything_may_be_skipped(owner: Owner, core: Core) -> None:
    await owner.to_logins(0)
    page = await owner.press("Skip this device for now")
    assert "0 connected, 1 skipped." in page.text
    assert page.forms[0].buttons[0][0] == "Log in to the skipped device"
    await owner.press("Finish without a device login")
    assert (await reread(core, owner.row)).status == "authorized"


async def test_a_device_that_does_not_answer_can_be_tried_again(owner: Owner, brand: Brand) -> None:
    await owner.to_logins(0)
    brand.troubles["54-0000-0000"] = away()
    page = await owner.log_in()
    assert "The device did not answer." in page.text
    assert "aria-invalid" not in page.find("input", name="password")  # the login may well be right
    brand.troubles.clear()
    assert "Your devices are connected" in (await owner.log_in()).text


async def test_going_back_to_choose_other_devices_keeps_logins_that_worked(owner: Owner, brand: Brand) -> None:
    await owner.to_logins(0, 1)
    await owner.log_in()
    page = await owner.press("Choose other devices")
    assert "checked" in page.find("input", value="54-0000-0000")
    page = await owner.press("Continue", device=["54-0000-0000", "54-0000-0002"])
    assert page.title.startswith("Log in to Device 2")
    assert "Your devices are connected" in (await owner.log_in()).text
    assert [what for what, _ in brand.asked] == ["account", "54-0000-0000", "54-0000-0002"]


async def test_going_back_to_another_account(owner: Owner) -> None:
    await owner.to_devices()
    page = await owner.press("Use another account")
    assert page.title == "Log in to My2N – Jane's intercoms"


async def test_canceling_fails_the_webview_for_good(owner: Owner, core: Core) -> None:
    await owner.to_devices()
    page = await owner.press("Cancel and go back")
    assert "Nothing was connected" in page.text
    row = await reread(core, owner.row)
    assert (row.status, row.login_successful, row.flow_sealed) == ("failed", 0, None)
    assert await event_types(core) == ["connect_webview.login_failed"]


async def test_no_step_moves_an_ended_webview(owner: Owner, core: Core, brand: Brand) -> None:
    await owner.to_logins(0)
    old = owner.page
    await owner.log_in()
    for button in ("Cancel and go back", "Skip this device for now", "Choose other devices"):
        assert (await owner.send(old.data(button, {}))).status_code == 303
    row = await reread(core, owner.row)
    assert row.status == "authorized"
    assert (await event_types(core)).count("connect_webview.login_succeeded") == 1


async def test_an_account_without_devices_says_what_to_do(core: Core, owner: Owner, brand: Brand) -> None:
    brand.names = ()
    page = await owner.to_devices()
    assert "jane@example.com has no devices yet" in page.text
    assert [text for form in page.forms for text, _ in form.buttons] == ["Use another account", "Cancel and go back"]


async def test_a_form_of_an_earlier_step_does_nothing(owner: Owner, brand: Brand) -> None:
    await owner.to_account()
    old = owner.page.data("Log in and continue", {"email": "john@example.com", "password": "1234"})
    await owner.press("Log in and continue", email="jane@example.com", password="1234")
    assert (await owner.send(old)).status_code == 303
    assert "belong to jane@example.com" in (await owner.open()).text
    assert len(brand.asked) == 1


async def test_a_login_sent_twice_at_once_asks_once(owner: Owner, core: Core, brand: Brand) -> None:
    await owner.to_logins(0)
    data = owner.page.data("Submit and continue", {"username": "jane", "password": "1234"})
    brand.gate = asyncio.Event()
    both = [asyncio.ensure_future(owner.send(data)) for _ in range(2)]
    await brand.reached.wait()
    brand.gate.set()
    assert [reply.status_code for reply in await asyncio.gather(*both)] == [303, 303]
    assert len(brand.asked) == 2
    assert (await event_types(core)).count("device.added") == 1


async def test_canceling_while_a_login_is_checked_wins(owner: Owner, core: Core, brand: Brand) -> None:
    await owner.to_logins(0)
    data = owner.page.data("Submit and continue", {"username": "jane", "password": "1234"})
    brand.gate = asyncio.Event()
    login = asyncio.ensure_future(owner.send(data))
    await brand.reached.wait()
    assert "Nothing was connected" in (await owner.press("Cancel and go back")).text
    brand.gate.set()
    assert (await login).status_code == 303
    assert (await reread(core, owner.row)).status == "failed"
    assert await devices(core) == []


# ---------------------------------------------------------------- what a caller can order


async def test_a_single_device_is_chosen_by_radio_buttons(make_owner: MakeOwner, core: Core) -> None:
    owner = await make_owner(Order(device_selection_mode="single"))
    page = await owner.to_devices()
    assert page.find("input", value="54-0000-0001")["type"] == "radio"
    page = await owner.press("Continue", device="54-0000-0001")
    assert "Device 1 of" not in page.text
    await owner.log_in()
    assert len(await devices(core)) == 1


async def test_without_selection_all_devices_are_taken(make_owner: MakeOwner) -> None:
    owner = await make_owner(Order(device_selection_mode="none"))
    page = await owner.to_devices()
    assert "Device 1 of 3" in page.text and "Step 2 of 2" in page.text
    page = await owner.press("Use another account")
    assert page.title.startswith("Log in to My2N")


async def test_the_success_message_and_colours_of_the_workspace(make_owner: MakeOwner) -> None:
    owner = await make_owner(
        Order(),
        name="Casa <Azul>",
        primary_button_color="#FC0",
        primary_button_text_color="#fff",  # cannot be read on yellow
        success_message="Welcome <b>home</b>.",
        logo_shape="square",
    )
    assert "../assets/webview/theme/ffcc00-000000.css" in owner.page.html
    assert "avatar square" in owner.page.html
    await owner.to_logins(0)
    page = await owner.log_in()
    assert "Welcome <b>home</b>." in page.text
    assert "<b>" not in page.html and "<Azul>" not in page.html


async def test_production_says_nothing_of_sandbox_logins(make_owner: MakeOwner) -> None:
    owner = await make_owner(Order(), is_sandbox=False)
    assert "Sandbox" not in owner.page.text
    assert "1234" not in (await owner.to_account()).text


@pytest.mark.parametrize("went_well", [True, False])
async def test_the_end_redirects_to_the_callers_page(make_owner: MakeOwner, *, went_well: bool) -> None:
    owner = await make_owner(Order(custom_redirect_url="https://app.test/done?x=1#part"))
    webview_id = owner.row.connect_webview_id
    await owner.to_logins(0)
    if went_well:
        await owner.log_in()
        expected = f"https://app.test/done?x=1&connect_webview_id={webview_id}#part"
    else:
        await owner.press("Cancel and go back")
        expected = (
            f"https://app.test/done?x=1&connect_webview_id={webview_id}&error_code=login_canceled"
            "&error_message=The+login+was+canceled+before+it+was+complete.#part"
        )
    assert owner.reply.status_code == 303
    assert owner.reply.headers["location"] == expected
    page = await owner.open()  # again: the end state, with the way back
    assert owner.reply.status_code == 200
    assert page.find("a", **{"class": "primary"})["href"] == expected


async def test_failure_has_its_own_address(make_owner: MakeOwner) -> None:
    owner = await make_owner(
        Order(custom_redirect_url="https://app.test/", custom_redirect_failure_url="myapp://canceled")
    )
    await owner.press("Cancel and go back")
    assert owner.reply.headers["location"].startswith("myapp://canceled?connect_webview_id=")
    assert "form-action 'self' https://app.test myapp:;" in owner.reply.headers["content-security-policy"]


async def test_the_end_page_carries_what_the_embedding_page_is_told(core: Core, owner: Owner) -> None:
    await owner.to_logins(0)
    page = await owner.log_in()
    main = page.find("main")
    row = await reread(core, owner.row)
    assert main["data-event"] == "connect_webview.login_succeeded"
    assert main["data-connect-webview-id"] == row.connect_webview_id
    assert main["data-connected-account-id"] == row.connected_account_id


async def test_every_page_is_whole(core: Core, owner: Owner) -> None:
    """One heading, one main landmark, every input labelled, the main button first, no inline script or style."""
    pages = [owner.page, await owner.to_account()]
    pages.append(await owner.press("Log in and continue", email="jane@example.com", password="no"))
    pages.append(await owner.press("Log in and continue", email="jane@example.com", password="1234"))
    pages.append(await owner.press("Continue", device=["54-0000-0000", "54-0000-0001"]))
    pages.append(await owner.log_in("no"))
    pages.append(await owner.log_in())
    pages.append(await owner.press("Skip this device for now"))
    pages.append(await owner.press("Finish"))
    for page in pages:
        check_page(page)


def check_page(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == tags.count("main") == tags.count("header") == tags.count("footer") == 1, page.title
    assert "style" not in tags and not any("style" in a or "onclick" in a for _, a in page.tags)
    assert all(a.get("src") for tag, a in page.tags if tag == "script")
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    labelled = {a.get("for") for tag, a in page.tags if tag == "label"}
    for _, a in page.tags:
        for name in (a.get("aria-describedby") or "").split():
            assert name in ids, name
    for tag, a in page.tags:
        if tag == "input" and a.get("type") in ("text", "email", "password", "search"):
            assert a["id"] in labelled
            assert a.get("autocomplete")
    assert all(a.get("alt") is not None for tag, a in page.tags if tag == "img")
    for form in page.forms:
        assert form.buttons[0][1].get("type") == "submit"
    if page.forms:
        assert "primary" in (page.forms[0].buttons[0][1].get("class") or "")


# ---------------------------------------------------------------- several brands


async def test_a_brand_is_chosen_first_when_there_are_several(tmp_path: Path) -> None:
    other = Brand("other", "Other Locks", names=("Front",))
    other.device = None
    async with open_core(tmp_path, Brand(), other) as core, visitor(core) as client:
        row, url = await make_webview(core)
        owner = Owner(client, url, row)
        await owner.open()
        page = await owner.press("Continue")
        assert page.title.startswith("Choose a brand")
        assert [text for text, _ in page.forms[0].buttons] == ["2N", "Other Locks"]
        page = await owner.press("Other Locks")
        page = await owner.press("Choose another brand")
        page = await owner.press("Other Locks")
        assert "Step 1 of 2" in page.text and "Sandbox" not in page.text  # no hint is known for this brand
        page = await owner.press("Log in and continue", email="jane@example.com", password="1234")
        await owner.press("Continue", device=["54-0000-0000"])
        stored = await reread(core, row)
        assert (stored.status, stored.selected_provider) == ("authorized", "other")


async def test_a_brand_that_is_not_offered_is_refused(tmp_path: Path) -> None:
    async with open_core(tmp_path, Brand(), Brand("other", "Other")) as core, visitor(core) as client:
        row, url = await make_webview(core)
        owner = Owner(client, url, row)
        await owner.open()
        page = await owner.press("Continue")
        data = [(n, "nobody" if n == "provider" else v) for n, v in page.data("2N", {})]
        reply = await owner.send(data)
        assert reply.status_code == 422
        assert "Choose the brand of your devices." in reply.text


async def test_what_failed_to_finish_can_be_finished_later(core: Core, owner: Owner) -> None:
    """A crash between the last login and the end leaves a page that can be finished."""
    await owner.to_logins(0)
    token = httpx.URL(owner.url).params["auth_token"]
    visit = await webviews.visit(core, owner.row.connect_webview_id, token)
    assert visit is not None
    await webviews.save(core, visit, logins={"54-0000-0000": {"username": "jane", "password": "1234"}})
    page = await owner.open()
    assert "Everything is ready." in page.text
    assert "Your devices are connected" in (await owner.press("Finish")).text
