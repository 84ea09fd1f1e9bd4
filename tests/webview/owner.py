"""A person with the plainest of browsers: no script, no cookies, no style; forms are sent as they stand in the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

from doorward.core.context import Core
from doorward.store.connect_webviews import WebviewRow

from .server import BASE, site

VOID = ("br", "img", "input", "link", "meta")
Attributes = dict[str, str | None]


@dataclass
class Form:
    """A form of the page: what it sends by itself, and its buttons."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str]] = field(default_factory=list)
    """Boxes that are not ticked."""
    buttons: list[tuple[str, Attributes]] = field(default_factory=list)

    def set(self, name: str, value: str) -> None:
        """Give a field its only value."""
        self.fields = [pair for pair in self.fields if pair[0] != name] + [(name, value)]


class Page(HTMLParser):
    """What a page says, and what it can send."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.title = ""
        self.text = ""
        self.forms: list[Form] = []
        self.tags: list[tuple[str, Attributes]] = []
        self._open: list[str] = []
        self._list = ""
        """Name of the drop-down list we are in."""
        self._silent = 0
        """How deep we are in what only decorates."""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag not in VOID:
            self._open.append(tag)
            self._silent += bool(self._silent or values.get("aria-hidden"))
        if tag == "form":
            self.forms.append(Form())
        elif tag == "button":
            self.forms[-1].buttons.append(("", values))
        elif tag == "textarea":
            self.forms[-1].fields.append((values["name"] or "", ""))
        elif tag == "select":
            self._list = values["name"] or ""
        elif tag == "option":
            listed = [name for name, _ in self.forms[-1].fields]
            if self._list not in listed or "selected" in values:
                self.forms[-1].set(self._list, values["value"] or "")
        elif tag == "input" and self.forms and values.get("name"):
            pair = (values["name"] or "", values.get("value") or "")
            unset = values.get("type") in ("checkbox", "radio") and "checked" not in values
            (self.forms[-1].choices if unset else self.forms[-1].fields).append(pair)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> is out of place"
        self._silent = max(0, self._silent - 1)

    def handle_data(self, data: str) -> None:
        if "title" in self._open:
            self.title += data
        elif "body" in self._open:
            self.text += f" {data} "
        if self._open and self._open[-1] == "textarea":
            name, text = self.forms[-1].fields[-1]
            self.forms[-1].set(name, (text + data).removeprefix("\n"))
        if "button" in self._open and not self._silent:
            text, values = self.forms[-1].buttons[-1]
            self.forms[-1].buttons[-1] = (text + data, values)

    def find(self, tag: str, **attributes: str) -> Attributes:
        """The only element of this kind."""
        found = [a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in attributes.items())]
        assert len(found) == 1, f"{len(found)} × <{tag} {attributes}>"
        return found[0]

    @property
    def alert(self) -> bool:
        """Something is read out as wrong."""
        return any(a.get("role") == "alert" for _, a in self.tags)

    def data(self, button: str, typed: dict[str, str | list[str]]) -> list[tuple[str, str]]:
        """What the form of this button sends, with these fields filled in or ticked."""
        form, values = next((f, v) for f in self.forms for text, v in f.buttons if text.strip() == button)
        known = {name for name, _ in (*form.fields, *form.choices)}
        assert typed.keys() <= known, f"{typed.keys() - known} cannot be typed here"
        pairs = [(name, value) for name, value in form.fields if name not in typed]
        for name, value in typed.items():
            pairs += [(name, v) for v in (value if isinstance(value, list) else [value])]
        if values.get("name"):
            pairs.append((values["name"] or "", values.get("value") or ""))
        return pairs


@asynccontextmanager
async def visitor(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the pages."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site(core)), base_url=BASE) as client:
        yield client


class Owner:
    """Somebody who goes through a webview."""

    def __init__(self, client: httpx.AsyncClient, url: str, row: WebviewRow) -> None:
        self.client = client
        self.url = url
        self.row = row
        self.page = Page("")
        self.reply = httpx.Response(0)

    async def open(self) -> Page:
        """Load the page, anew."""
        self.reply = await self.client.get(self.url)
        self.page = Page(self.reply.text)
        return self.page

    async def send(self, data: list[tuple[str, str]]) -> httpx.Response:
        """Post, without following."""
        return await self.client.post(self.url, data=_grouped(data))

    async def press(self, button: str, **typed: str | list[str]) -> Page:
        """Fill in and press; follow our own redirects only."""
        self.reply = await self.send(self.page.data(button, typed))
        if self.reply.status_code == 303:
            target = httpx.URL(self.url).join(self.reply.headers["location"])
            if target.host != httpx.URL(self.url).host:
                return self.page
            assert target == httpx.URL(self.url)
            return await self.open()
        self.page = Page(self.reply.text)
        return self.page

    # ---- the way through

    async def to_account(self) -> Page:
        return await self.press("Continue")

    async def to_devices(self) -> Page:
        await self.to_account()
        return await self.press("Log in and continue", email="jane@example.com", password="1234")

    async def to_logins(self, *numbers: int) -> Page:
        """Choose devices by number; all of them when none is named."""
        page = await self.to_devices()
        refs = [value for name, value in page.forms[0].choices if name == "device"]
        return await self.press("Continue", device=[refs[n] for n in numbers] if numbers else refs)

    async def log_in(self, password: str = "1234", **more: str) -> Page:
        return await self.press("Submit and continue", username="jane", password=password, **more)


def _grouped(data: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in data:
        grouped.setdefault(name, []).append(value)
    return grouped
