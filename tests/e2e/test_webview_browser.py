"""The connect webview in a real browser: as an owner sees it, with the Internet cable out, with and without script."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Locator, Page, Request, sync_playwright
from seam import Seam  # type: ignore[attr-defined]

from doorward.demo import Browser, Server, read_page
from doorward.demo import Page as Shown

from .conftest import need

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The system's Chromium."""
    path = need("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def client(server: Server, key: str) -> Iterator[Any]:
    """The SDK on a new, empty sandbox workspace."""
    made = Seam(api_key=key, endpoint=server.url)
    yield made
    made.client.close()


class Owner(Browser):
    """Walks the pages in Chromium. What goes wrong on them is kept."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        super().__init__()
        self.complaints: list[str] = []
        self._use(context.new_page(), origin)

    @classmethod
    def on(cls, page: Page, origin: str) -> "Owner":
        """On a page that is open."""
        made = cls.__new__(cls)
        Browser.__init__(made)
        made.complaints = []
        made._use(page, origin)
        return made

    def _use(self, page: Page, origin: str) -> None:
        self.page = page
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on(
            "console",
            lambda line: self.complaints.append(f"console: {line.text}") if line.type in ("error", "warning") else None,
        )
        self.page.on("requestfailed", self._failed)
        self.page.on(
            "request",
            lambda request: (
                self.complaints.append(f"left the server: {request.url}")
                if request.url.startswith("http") and f"{urlsplit(request.url).netloc}" != urlsplit(origin).netloc
                else None
            ),
        )

    def _failed(self, request: Request) -> None:
        # What the browser itself gives up on its way to the next page (an icon, mostly) did not fail.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} ({request.failure})")

    def through(self, url: str, each: Callable[[], None] = lambda: None) -> list[str]:
        """From the address to the end, calling `each` on every page. The headings on the way."""
        self.page.goto(url)
        headings: list[str] = []
        for _ in range(25):
            if "/connect_webviews/" not in self.page.url:  # it has led away
                return headings
            shown = self.look()
            headings.append(shown.title)
            assert not shown.alerts, shown.alerts
            each()
            form = self.main_form(shown)
            if form is None:
                return headings
            index = shown.forms.index(form)
            at = self.page.locator("form").nth(index)
            self.enter(at)
            # Script may have changed the buttons: look again.
            button = self.main_button(self.look().forms[index])
            with self.page.expect_navigation():
                at.get_by_role("button", name=button.text, exact=True).first.click()
        raise AssertionError(f"no end: {headings}")

    def look(self) -> Shown:
        """What the page now holds."""
        return read_page(self.page.url, 200, self.page.content())

    def enter(self, form: Locator) -> None:
        """Type, and tick, what a person can see."""
        for box in form.locator("input[type=checkbox]:visible").all():
            if not box.is_disabled():
                box.check()
        for entry in form.locator("input:visible:not([type=checkbox]):not([type=submit])").all():
            kind = entry.get_attribute("type") or "text"
            named = " ".join(entry.get_attribute(name) or "" for name in ("name", "id", "autocomplete")).lower()
            if kind == "password":
                entry.fill(self.password)
            elif kind == "email" or "email" in named:
                entry.fill(self.email)
            elif kind == "text" and "user" in named:
                entry.fill(self.user)


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_the_owner_connects_the_intercoms(chromium: Chromium, server: Server, client: Any, script: bool) -> None:
    created = client.connect_webviews.create(accepted_providers=["my_2n"])
    context = chromium.new_context(java_script_enabled=script, viewport={"width": 390, "height": 844})
    try:
        owner = Owner(context, server.url)
        headings = owner.through(created.url)
        assert all(headings), headings
        assert len(headings) >= 4, headings
        assert owner.complaints == []
        # Nothing runs off a phone's screen.
        if script:
            assert owner.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        context.close()
    webview = client.connect_webviews.get(connect_webview_id=created.connect_webview_id)
    assert webview.status == "authorized"
    assert [lock.properties.name for lock in client.locks.list()] == ["Device 0", "Device 1", "Device 2"]


def test_a_page_says_what_it_is(chromium: Chromium, server: Server, client: Any) -> None:
    """Title, language, a label for every field: what a screen reader needs."""
    created = client.connect_webviews.create(accepted_providers=["my_2n"])
    context = chromium.new_context()
    try:
        owner = Owner(context, server.url)
        owner.through(created.url, lambda: well_made(owner.page))
    finally:
        context.close()


def well_made(page: Page) -> None:
    assert page.title()
    assert page.locator("html").get_attribute("lang")
    assert page.locator("h1").count() == 1
    for entry in page.locator("input:visible").all():
        assert entry.evaluate("it => it.labels.length > 0 || it.ariaLabel !== null"), entry.evaluate(
            "it => it.outerHTML"
        )
