"""The pages in Chromium: the whole way on phone and desktop, without script, by keyboard alone, embedded."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from doorward.core.context import Core
from doorward.core.webviews import Order

from .brand import WRONG_ACCOUNT, WRONG_DEVICE, Brand
from .live import DESKTOP, FLAWS, PHONE, chromium, serve
from .server import devices, event_types, make_webview, make_workspace, open_core, reread, site

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as ready:
        yield ready


@pytest_asyncio.fixture(loop_scope="module")
async def core(tmp_path: Path, brand: Brand) -> AsyncIterator[Core]:
    async with open_core(tmp_path, brand) as ready:
        yield ready


@pytest_asyncio.fixture(loop_scope="module")
async def base(core: Core) -> AsyncIterator[str]:
    """The pages' own server."""
    async with serve(site(core)) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def caller() -> AsyncIterator[str]:
    """Another site: it embeds webviews, and takes their redirects."""
    async with serve(CALLER) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, base: str, caller: str) -> AsyncIterator[Page]:
    """A phone without memories. It is closed before the servers are."""
    context = await browser.new_context(viewport=PHONE)
    context.set_default_timeout(10_000)
    yield await context.new_page()
    await context.close()


async def _done(request: Request) -> Response:
    return HTMLResponse(f"<!doctype html><title>Back</title><h1>Back at the app</h1><p>{request.url.query}</p>")


async def _hop(request: Request) -> Response:
    """Sends its visitors on to a third origin."""
    return RedirectResponse(f"http://localhost:{request.url.port}/done?{request.url.query}")


async def _embed(request: Request) -> Response:
    return HTMLResponse(
        "<!doctype html><title>Embedding</title><script>"
        "addEventListener('message', (e) => { document.title = JSON.stringify([e.origin, e.data]) })"
        f"</script><iframe src='{request.query_params['url']}' width=400 height=900></iframe>"
    )


CALLER = Starlette(routes=[Route("/done", _done), Route("/hop", _hop), Route("/embed", _embed)])


async def press(page: Any, name: str) -> None:
    """Press a button of a page or frame."""
    await page.get_by_role("button", name=name, exact=True).click()


async def to_devices(page: Any) -> None:
    """From the first step to choosing devices."""
    await press(page, "Continue")
    await page.get_by_label("E-mail").fill("jane@example.com")
    await page.get_by_label("Password").fill("1234")
    await press(page, "Log in and continue")
    await expect(page.get_by_role("heading", name="Choose your devices")).to_be_visible()


async def log_in(page: Any, password: str = "1234") -> None:
    """Log in to the device that is asked for."""
    await page.get_by_label("User name").fill("jane")
    await page.get_by_label("Password").fill(password)
    await press(page, "Submit and continue")


async def to_the_end(page: Any) -> None:
    """One device, from the first step to the last."""
    await to_devices(page)
    await page.get_by_label("Device 0").check()
    await press(page, "Continue")
    await log_in(page)


# ---------------------------------------------------------------- the whole way


@pytest.mark.parametrize(
    ("size", "scheme", "script"),
    [
        pytest.param(PHONE, "light", True, id="phone"),
        pytest.param(DESKTOP, "dark", True, id="desktop"),
        pytest.param(PHONE, "dark", False, id="phone-no-script"),
        pytest.param(DESKTOP, "light", False, id="desktop-no-script"),
    ],
)
async def test_the_guide(
    browser: Browser, core: Core, base: str, size: ViewportSize, scheme: Any, script: bool
) -> None:
    row, url = await make_webview(core, Order(accepted_providers=["my_2n"]), base=base)
    context = await browser.new_context(viewport=size, java_script_enabled=script, color_scheme=scheme)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" and "status of 4" not in m.text else None)

    async def check() -> None:
        if script:
            assert await page.evaluate(FLAWS) == []

    await page.goto(url)
    await check()
    await press(page, "Continue")
    await page.get_by_label("E-mail").fill("jane@example.com")
    await page.get_by_label("Password").fill("wrong")
    await press(page, "Log in and continue")
    await expect(page.get_by_role("alert")).to_have_text(WRONG_ACCOUNT)
    await expect(page.get_by_label("E-mail")).to_have_value("jane@example.com")
    await expect(page.get_by_label("Password")).to_have_value("")
    await expect(page.get_by_label("Password")).to_be_focused()
    await expect(page.get_by_label("Password")).to_have_accessible_description(re.compile(WRONG_ACCOUNT))
    await check()
    await page.get_by_label("Password").fill("1234")
    await press(page, "Log in and continue")

    go_on = page.get_by_role("button", name="Continue", exact=True)
    if script:
        await expect(go_on).to_be_disabled()
        await check()
        await page.get_by_label("Search devices").fill("device 1")
        await expect(page.get_by_label("Device 0")).to_be_hidden()
        await page.get_by_label("Search devices").fill("verso")
        await page.get_by_label("Select all").check()
        await expect(page.get_by_text("3 of 3 chosen.")).to_be_visible()
        await page.get_by_label("Device 2").uncheck()
        await expect(page.get_by_label("Select all")).to_be_checked(indeterminate=True)
        await page.get_by_label("Device 2").check()
    else:
        await expect(page.get_by_text("Select all")).to_be_hidden()
        await go_on.click()
        await expect(page.get_by_role("alert")).to_have_text("Choose at least one device to continue.")
        for number in range(3):
            await page.get_by_label(f"Device {number}").check()
    await check()
    await go_on.click()

    for number in range(3):
        await expect(page.get_by_text(f"Device {number + 1} of 3")).to_be_visible()
        await expect(page).to_have_title(f"Log in to Device {number} – Jane's intercoms")
        await check()
        if number == 1:
            await log_in(page, "wrong")
            await expect(page.get_by_role("alert")).to_have_text(WRONG_DEVICE)
            await check()
        await log_in(page)
    await expect(page.get_by_role("heading", name="Your devices are connected")).to_be_visible()
    await check()
    await page.reload()
    await expect(page.get_by_role("heading", name="Your devices are connected")).to_be_visible()

    assert errors == []
    assert (await reread(core, row)).status == "authorized"
    assert [online for _, online, _ in await devices(core)] == [1, 1, 1]
    await context.close()


async def test_by_keyboard_alone(page: Page, core: Core, base: str) -> None:
    row, url = await make_webview(core, base=base)
    keyboard = page.keyboard
    await page.goto(url)
    await keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Continue", exact=True)).to_be_focused()
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await keyboard.press("Enter")
    await expect(page.get_by_label("E-mail")).to_be_visible()
    await keyboard.press("Tab")
    await keyboard.type("jane@example.com")
    await keyboard.press("Tab")
    await keyboard.type("1234")
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Choose your devices")).to_be_visible()
    order = ["Search devices", "Select all", "Device 0", "Device 1"]
    for name in order:
        await keyboard.press("Tab")
        await expect(page.get_by_label(name)).to_be_focused()
    await keyboard.press("Shift+Tab")
    await keyboard.press("Space")
    for name in ("Device 1", "Device 2"):
        await keyboard.press("Tab")
        await expect(page.get_by_label(name)).to_be_focused()
    await keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Continue", exact=True)).to_be_focused()
    await keyboard.press("Enter")
    await expect(page.get_by_label("User name")).to_be_visible()
    await keyboard.press("Tab")
    await keyboard.type("jane")
    await keyboard.press("Tab")
    await keyboard.type("1234")
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Your devices are connected")).to_be_visible()
    assert (await reread(core, row)).status == "authorized"


async def test_skipping_and_coming_back(page: Page, core: Core, base: str) -> None:
    _, url = await make_webview(core, base=base)
    await page.goto(url)
    await to_devices(page)
    await page.get_by_label("Select all").check()
    await press(page, "Continue")
    await press(page, "Skip this device for now")
    await page.get_by_label("Use the same login for the remaining device").check()
    await log_in(page)
    await expect(page.get_by_text("2 connected, 1 skipped.")).to_be_visible()
    assert await page.evaluate(FLAWS) == []
    await press(page, "Log in to the skipped device")
    await log_in(page)
    await expect(page.get_by_role("heading", name="Your devices are connected")).to_be_visible()


async def test_nothing_is_wider_than_a_small_phone(page: Page, core: Core, base: str, brand: Brand) -> None:
    brand.names = ("Donaudampfschifffahrtsgesellschaftskapitänskajütentür am Hinterausgang", "B")
    workspace = await make_workspace(core, "A" * 60)
    _, url = await make_webview(core, workspace=workspace, base=base)
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.goto(url)
    await to_devices(page)
    assert await page.evaluate(FLAWS) == []
    await page.get_by_label("Select all").check()
    await press(page, "Continue")
    await expect(page.get_by_label("User name")).to_be_visible()
    assert await page.evaluate(FLAWS) == []


async def test_a_form_is_sent_once_and_visibly(page: Page, core: Core, base: str) -> None:
    _, url = await make_webview(core, base=base)
    await page.goto(url)
    await press(page, "Continue")
    await page.get_by_label("E-mail").fill("jane@example.com")
    await page.get_by_label("Password").fill("1234")
    # The form's own sending is held back, so that the page can be looked at meanwhile.
    await page.evaluate(
        "window.sent = []; document.addEventListener('submit', (e) => {"
        " sent.push(e.defaultPrevented); e.preventDefault() })"
    )
    button = page.locator("button.primary")
    await button.click()
    await expect(button).to_have_text("Checking your login…")
    await expect(button).to_have_attribute("aria-busy", "true")
    await button.click()
    assert await page.evaluate("sent") == [False, True]


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_the_end_leads_to_another_origin(
    browser: Browser, core: Core, base: str, caller: str, script: bool
) -> None:
    row, url = await make_webview(core, Order(custom_redirect_url=f"{caller}/done?a=b#there"), base=base)
    context = await browser.new_context(viewport=PHONE, java_script_enabled=script)
    page = await context.new_page()
    await page.goto(url)
    await to_the_end(page)
    await page.wait_for_url(f"{caller}/done?a=b&connect_webview_id={row.connect_webview_id}#there")
    await expect(page.get_by_role("heading", name="Back at the app")).to_be_visible()
    await context.close()


async def test_canceling_leads_to_the_failure_page(page: Page, core: Core, base: str, caller: str) -> None:
    order = Order(custom_redirect_url=f"{base}/x", custom_redirect_failure_url=f"{caller}/done")
    row, url = await make_webview(core, order, base=base)
    await page.goto(url)
    await press(page, "Cancel and go back")
    await page.wait_for_url(re.compile(rf"{caller}/done\?connect_webview_id={row.connect_webview_id}&error_code="))
    assert await event_types(core) == ["connect_webview.login_failed"]


async def test_a_callers_page_that_redirects_once_more_leaves_a_way_on(
    page: Page, core: Core, base: str, caller: str
) -> None:
    """Chromium stops the second redirect after a form; the owner must not be stuck on a dead page."""
    _, url = await make_webview(core, Order(custom_redirect_url=f"{caller}/hop"), base=base)
    await page.goto(url)
    await to_the_end(page)
    await expect(page.get_by_role("heading", name="Your devices are connected")).to_be_visible()
    await page.get_by_role("link", name="Go back to Jane's intercoms").click()
    await page.wait_for_url(re.compile(r"http://localhost:\d+/done\?"))


async def test_an_apps_own_scheme_is_let_through(page: Page, core: Core, base: str) -> None:
    row, url = await make_webview(core, Order(custom_redirect_url="myapp://connected"), base=base)
    violations: list[str] = []
    page.on("console", lambda m: violations.append(m.text) if "Content Security Policy" in m.text else None)
    async with page.expect_event("requestfailed", lambda r: "myapp:" in r.url or "view" in r.url, timeout=10_000):
        await page.goto(url)
        await to_the_end(page)
    assert violations == []
    assert (await reread(core, row)).status == "authorized"


@pytest.mark.parametrize("went_well", [True, False], ids=["success", "failure"])
async def test_the_embedding_page_is_told(page: Page, core: Core, base: str, caller: str, went_well: bool) -> None:
    row, url = await make_webview(core, base=base)
    # `localhost` is another site than 127.0.0.1: the frame gets no cookies, and says so when it posts.
    embedding = caller.replace("127.0.0.1", "localhost")
    await page.goto(f"{embedding}/embed?url={url.replace('&', '%26')}")
    frame = page.frame_locator("iframe")
    if went_well:
        await to_the_end(frame)
        await expect(frame.get_by_role("heading", name="Your devices are connected")).to_be_visible()
    else:
        await press(frame, "Cancel and go back")
        await expect(frame.get_by_role("heading", name="Nothing was connected")).to_be_visible()
    account = (await reread(core, row)).connected_account_id
    await expect(page).to_have_title(re.compile("connect_webview"))
    assert await page.evaluate("JSON.parse(document.title)") == [
        base,
        {
            "event": {"event_type": f"connect_webview.login_{'succeeded' if went_well else 'failed'}"},
            "connect_webview_id": row.connect_webview_id,
            "connected_account_id": account,
        },
    ]
