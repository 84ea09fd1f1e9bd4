"""`make demo`: Seam's guide "Get started with 2N intercoms", walked with Seam's own Python SDK.

Starts a server on a temporary data directory and a free port, fills in the connect webview as a browser without script
would, prints every call with what came back, and stops the server again. The tests use the same server process and
the same form filler, so only the standard library is needed to import this module.
"""
# ruff: noqa: S107, S310, S603 - it runs our own command, opens our own server, with the sandbox's public logins

import contextlib
import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

# ---------------------------------------------------------------- a server of one's own


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command() -> list[str]:
    """The `doorward` command that belongs to this interpreter."""
    beside = Path(sys.executable).with_name("doorward")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "doorward.cli"]


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what would configure Doorward or an SDK."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOORWARD_", "SEAM_"))}
    return kept | more


class ServerError(Exception):
    """The server did not do what it should. The text holds what it said."""


class Server:
    """`doorward serve` in a process of its own, on 127.0.0.1."""

    def __init__(
        self, data_dir: Path, *, port: int | None = None, options: Sequence[str] = (), env: Mapping[str, str] = {}
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.options = list(options)
        self.env = clean_environment(**env)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        """What the server wrote."""
        return self.data_dir.with_name(self.data_dir.name + ".log")

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def run(self, *words: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Another `doorward` command, to its end."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [*command(), *words],
            cwd=self.data_dir,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def api_key(self, *options: str) -> str:
        """A new API key, of the sandbox workspace unless options say otherwise."""
        done = self.run("api-key", "create", *options, "--data-dir", str(self.data_dir))
        if done.returncode != 0:
            raise ServerError(f"doorward api-key create ended with {done.returncode}:\n{done.stderr}")
        return done.stdout.strip()

    def launch(self) -> None:
        """Start the process, and do not wait for it."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *command(),
                    "serve",
                    *("--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.data_dir)),
                    *self.options,
                ],
                cwd=self.data_dir,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self, timeout: float = 20) -> "Server":
        """Start the process and wait until it answers."""
        self.launch()
        self.wait_until_healthy(timeout)
        return self

    def wait_until_healthy(self, timeout: float = 20) -> None:
        """Raises ServerError when it ends, or takes longer."""
        process = self._running()
        deadline = time.monotonic() + timeout
        while not is_healthy(self.url):
            if process.poll() is not None:
                raise ServerError(f"doorward serve ended with {process.returncode}:\n{self.log[-4000:]}")
            if time.monotonic() > deadline:
                raise ServerError(f"doorward serve did not answer within {timeout} s:\n{self.log[-4000:]}")
            time.sleep(0.01)

    def stop(self, timeout: float = 20) -> int:
        """SIGTERM, and the exit code. Raises ServerError when it does not end."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(
                f"doorward serve did not end within {timeout} s of SIGTERM:\n{self.log[-4000:]}"
            ) from None

    def kill(self) -> None:
        """SIGKILL: as a power cut, for the process."""
        process = self._running()
        process.kill()
        process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise ServerError("doorward serve was not started")
        return self.process

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ServerError):
                self.stop()


def is_healthy(url: str) -> bool:
    """Whether a server answers `GET /health` with `"ok": true`."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:
            return bool(json.load(reply).get("ok"))
    except (OSError, ValueError, http.client.HTTPException):
        return False


# ---------------------------------------------------------------- a browser without script


@dataclass
class Field:
    """An input, select or button of a form."""

    tag: str
    kind: str
    name: str
    value: str
    attributes: Mapping[str, str]
    options: list[str] = field(default_factory=list)
    text: str = ""
    """What a button says."""

    def looks_like(self, *words: str) -> bool:
        """Whether its name or what it says of itself holds one of the words."""
        of_itself = " ".join(
            (self.name, *(self.attributes.get(key, "") for key in ("id", "autocomplete", "placeholder")))
        )
        return any(word in of_itself.lower() for word in words)


@dataclass
class Form:
    """A form of a page."""

    method: str
    action: str
    fields: list[Field] = field(default_factory=list)

    @property
    def buttons(self) -> list[Field]:
        return [f for f in self.fields if f.kind == "submit"]


@dataclass
class Page:
    """A page that was opened, and what was submitted from it."""

    url: str
    status: int
    title: str
    forms: list[Form]
    alerts: list[str]
    sent: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Forms, the heading and the alerts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.alerts: list[str] = []
        self.heading = ""
        self._form: Form | None = None
        self._select: Field | None = None
        self._button: Field | None = None
        self._open: list[tuple[str, str]] = []  # (tag, "heading" | "alert") whose text is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "h1" and not self.heading:
            self._open.append((tag, "heading"))
        elif given.get("role") == "alert":
            self._open.append((tag, "alert"))
            self.alerts.append("")
        if tag == "form":
            self._form = Form(given.get("method", "get").lower(), given.get("action", ""))
            self.forms.append(self._form)
        elif self._form is not None:
            self._field(self._form, tag, given)

    def _field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        if tag == "option" and self._select is not None:
            self._select.options.append(given.get("value", ""))
            if "selected" in given:
                self._select.value = given.get("value", "")
            return
        if tag not in ("input", "select", "button", "textarea"):
            return
        kind = given.get("type", {"input": "text", "button": "submit"}.get(tag, tag)).lower()
        default = "on" if kind in ("checkbox", "radio") else ""
        made = Field(tag, kind, given.get("name", ""), given.get("value", default), given)
        form.fields.append(made)
        if tag == "select":
            self._select = made
        elif tag == "button":
            self._button = made
        elif kind == "submit":
            made.text = made.value

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if not words:
            return
        if self._button is not None:
            self._button.text = f"{self._button.text} {words}".strip()
        if self._open and self._open[-1][1] == "heading":
            self.heading = f"{self.heading} {words}".strip()
        elif self._open:
            self.alerts[-1] = f"{self.alerts[-1]} {words}".strip()


def read_page(url: str, status: int, html: str) -> Page:
    """What a browser without script sees of it."""
    reader = _Reader()
    reader.feed(html)
    return Page(url, status, reader.heading, reader.forms, reader.alerts)


class WebviewError(Exception):
    """A connect webview did not get to its end."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows redirects on the same server only: where an application sends its users is not for us to open."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.left_for: str | None = None

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith(self.origin + "/"):
            self.left_for = newurl
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Browser:
    """Opens pages, keeps cookies, and fills in forms as a person with this login would.

    E-mail addresses, user names and passwords are recognised by the type and name of their fields, all check boxes are
    ticked, and the main button is pressed.
    """

    def __init__(
        self,
        *,
        email: str = "jane@example.com",
        user: str = "jane",
        password: str = "1234",
        brand: str = "my_2n",
        addresses: Sequence[str] = (),
    ) -> None:
        self.email = email
        self.user = user
        self.password = password
        self.brand = brand
        self.addresses = addresses
        self.left_for: str | None = None
        """The address outside of the server that it was sent to."""
        self._cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())

    def open(self, url: str, form: Mapping[str, Sequence[str]] | None = None) -> Page:
        """GET, or POST of a form; redirects followed."""
        where = urllib.parse.urlsplit(url)
        stay = _Stay(f"{where.scheme}://{where.netloc}")
        opener = urllib.request.build_opener(self._cookies, stay)
        data = urllib.parse.urlencode(form, doseq=True).encode() if form is not None else None
        request = urllib.request.Request(
            url, data, headers={"Accept": "text/html", "Referer": url, "Origin": stay.origin}
        )
        try:
            reply = opener.open(request, timeout=30)
        except urllib.error.HTTPError as refused:
            reply = refused
        with reply:
            if stay.left_for is not None:
                self.left_for = stay.left_for
                return Page(stay.left_for, reply.status, "", [], [])
            return read_page(reply.url, reply.status, reply.read().decode())

    def walk(self, url: str, *, pages: int = 25) -> list[Page]:
        """From a webview's address to its end: the page without a form. Raises WebviewError when it gets stuck."""
        seen: list[Page] = []
        page = self.open(url)
        for _ in range(pages):
            seen.append(page)
            if page.status >= 500 or (page.status >= 400 and not page.forms):
                raise WebviewError(f"{page.url} answered {page.status}: {page.title}")
            if page.alerts:
                raise WebviewError(f"The page says: {'; '.join(page.alerts)}")
            form = self.main_form(page)
            if form is None:
                return seen
            page = self.submit(page, form)
        raise WebviewError(f"No end after {pages} pages; the last is {page.title!r}")

    def submit(self, page: Page, form: Form) -> Page:
        """Fill in a form of a page and send it. The page that follows."""
        page.sent = self.fill(form)
        return self.open(urllib.parse.urljoin(page.url, form.action) if form.action else page.url, page.sent)

    def main_form(self, page: Page) -> Form | None:
        """The form with most to fill in."""
        posts = [f for f in page.forms if f.method == "post" and f.buttons]
        return max(posts, key=lambda f: sum(x.kind != "hidden" for x in f.fields), default=None)

    def fill(self, form: Form) -> dict[str, list[str]]:
        """What submitting it sends."""
        sent: dict[str, list[str]] = {}
        for entry in form.fields:
            if not entry.name or entry.kind in ("submit", "button", "reset", "image", "file"):
                continue
            if "disabled" in entry.attributes:
                continue
            if entry.kind == "radio" and entry.name in sent:
                continue
            sent.setdefault(entry.name, []).append(self.value_of(entry))
        button = self.main_button(form)
        if button.name:
            sent.setdefault(button.name, []).append(button.value)
        return sent

    def value_of(self, entry: Field) -> str:
        """What this person enters."""
        if entry.kind in ("hidden", "checkbox", "radio", "search"):
            return entry.value
        if entry.kind == "password":
            return self.password
        if entry.kind == "email" or entry.looks_like("email", "e-mail"):
            return self.email
        if entry.looks_like("user", "login"):
            return self.user
        if entry.tag == "textarea":
            return "\n".join(self.addresses)
        if entry.tag == "select":
            return entry.value or next(filter(None, entry.options), "")
        return entry.value

    def main_button(self, form: Form) -> Field:
        """The brand wanted, else the one marked as primary, else the first that does not lead away."""

        def rank(button: Field) -> tuple[bool, ...]:
            leads_away = re.search(r"\b(back|cancel|skip|another|later|retry)\b", button.text, re.IGNORECASE)
            return (
                button.value != self.brand,
                leads_away is not None,
                "primary" not in button.attributes.get("class", ""),
            )

        return min(form.buttons, key=rank)


# ---------------------------------------------------------------- the guide


class _Story:
    """Prints what is called, what came back, and whether it is what the guide shows."""

    def __init__(self) -> None:
        self.failed = 0

    def call(self, text: str) -> None:
        print(f"\n› {text}", flush=True)

    def says(self, text: str) -> None:
        print(f"  {text}", flush=True)

    def check(self, text: str, holds: bool) -> None:
        self.failed += not holds
        print(f"  {'✓' if holds else '✗'} {text}", flush=True)


def _until(what: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _webview(story: _Story, seam: Any) -> None:
    story.call('seam.connect_webviews.create(accepted_providers=["my_2n"])')
    webview = seam.connect_webviews.create(accepted_providers=["my_2n"])
    story.says(f"url: {webview.url.partition('&')[0]}&auth_token=…")
    story.check(f"status: {webview.status}", webview.status == "pending" and not webview.login_successful)

    story.call("the owner opens the page: jane@example.com / 1234, all devices, jane / 1234 for each")
    for page in Browser().walk(webview.url):
        filled = {entry.name for form in page.forms for entry in form.fields if entry.kind not in ("hidden", "submit")}
        story.says(" ← ".join(filter(None, (f"page: {page.title}", ", ".join(n for n in page.sent if n in filled)))))

    story.call("seam.connect_webviews.get(connect_webview_id)")
    webview = seam.connect_webviews.get(connect_webview_id=webview.connect_webview_id)
    story.check(
        f"login_successful: {webview.login_successful}, status: {webview.status}",
        webview.login_successful and webview.status == "authorized",
    )


def _locks(story: _Story, seam: Any) -> str:
    story.call("seam.locks.list()")
    locks = seam.locks.list()
    for lock in locks:
        shown = lock.properties
        story.says(f"{shown.name}: {lock.device_type}, online {shown.online}, locked {shown.locked}")
    story.check("Device 0, Device 1, Device 2", [x.properties.name for x in locks] == [f"Device {i}" for i in range(3)])
    device_id: str = locks[0].device_id

    for verb, locked in (("lock_door", True), ("unlock_door", False)):
        story.call(f"seam.locks.{verb}(device_id)")
        began = time.monotonic()
        attempt = getattr(seam.locks, verb)(device_id=device_id)
        took = (time.monotonic() - began) * 1000
        story.check(
            f"action attempt {attempt.action_type}: {attempt.status} ({took:.0f} ms)", attempt.status == "success"
        )
        now = seam.locks.get(device_id=device_id).properties.locked
        story.check(f"seam.locks.get(device_id).properties.locked: {now}", now is locked)
    return device_id


def _codes(story: _Story, seam: Any, device_id: str, since: str) -> None:
    story.call('seam.access_codes.create(device_id, code="123456", name="Personal Access Code")')
    ongoing = seam.access_codes.create(device_id=device_id, code="123456", name="Personal Access Code")
    story.check(f"type: {ongoing.type}, status: {ongoing.status}", ongoing.type == "ongoing")

    story.call('seam.access_codes.create(…, starts_at="2028-08-12T19:23:42+0000", ends_at="2028-08-13T19:23:42+0000")')
    timed = seam.access_codes.create(
        device_id=device_id,
        name="My Temporary Access Code",
        starts_at="2028-08-12T19:23:42+0000",
        ends_at="2028-08-13T19:23:42+0000",
        code="888888",
    )
    story.check(
        f"type: {timed.type}, from {timed.starts_at} to {timed.ends_at}, status: {timed.status}",
        (timed.starts_at, timed.ends_at) == ("2028-08-12T19:24:00.000Z", "2028-08-13T19:24:00.000Z"),
    )

    story.call("seam.access_codes.list(device_id)")
    codes = seam.access_codes.list(device_id=device_id)
    story.check(
        ", ".join(f"{code.code} {code.type}" for code in codes), {c.code for c in codes} == {"123456", "888888"}
    )

    def is_set() -> bool:
        return bool(seam.access_codes.get(access_code_id=ongoing.access_code_id).status == "set")

    story.check("the intercom holds the ongoing code (status: set)", _until(is_set, 10))

    story.call(f'seam.events.list(since="{since}")')
    for event in seam.events.list(since=since):
        story.says(event.event_type)


@contextlib.contextmanager
def throw_away_server() -> Iterator[Server]:
    """A server that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="doorward-demo-") as folder, Server(Path(folder) / "data") as server:
        yield server


def main() -> int:
    """The guide, step by step. The exit code: 0 when everything is as the guide shows it."""
    try:
        from seam import Seam  # type: ignore[attr-defined]
    except ImportError:
        print("The demo needs Seam's Python SDK: run `make demo`, or `pip install seam`.", file=sys.stderr)
        return 1
    began = time.monotonic()
    story = _Story()
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    story.call("doorward serve")
    with throw_away_server() as server:
        story.check(f"answers at {server.url} after {time.monotonic() - began:.1f} s", holds=True)
        story.call("doorward api-key create")
        key = server.api_key()
        story.check(f"{key[:11]}…  (a sandbox workspace)", key.startswith("seam_test"))
        story.call(f'seam = Seam(api_key, endpoint="{server.url}")')
        seam = Seam(api_key=key, endpoint=server.url)
        _webview(story, seam)
        device_id = _locks(story, seam)
        _codes(story, seam, device_id, since)
    took = time.monotonic() - began
    if story.failed:
        print(f"\n{story.failed} of the steps did not come out as the guide shows ({took:.1f} s).", flush=True)
        return 1
    print(f"\nThe whole guide, with Seam's own SDK and no account anywhere, in {took:.1f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
