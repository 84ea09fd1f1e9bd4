"""Endings, colours and counting, on their own."""

import msgspec
import pytest

from doorward.clock import ManualClock
from doorward.store.connect_webviews import WebviewRow
from doorward.webview.ending import form_targets, with_query
from doorward.webview.theme import Theme, contrast, style_sheet, theme_of
from doorward.webview.throttle import MOST_KEYS, Throttle


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.test", "https://a.test?id=1"),
        ("https://a.test/x?y=2", "https://a.test/x?y=2&id=1"),
        ("https://a.test/x?", "https://a.test/x?id=1"),
        ("https://a.test/x?y=2&", "https://a.test/x?y=2&id=1"),
        ("https://a.test/#/route?z=1", "https://a.test/?id=1#/route?z=1"),
        ("myapp://", "myapp://?id=1"),
        ("myapp:///done", "myapp:///done?id=1"),
        ("myapp:done#x", "myapp:done?id=1#x"),
    ],
)
def test_the_query_grows_and_the_rest_stays_as_written(url: str, expected: str) -> None:
    assert with_query(url, {"id": "1"}) == expected


def test_values_are_encoded() -> None:
    assert with_query("https://a.test/", {"m": "a & b=c#d"}) == "https://a.test/?m=a+%26+b%3Dc%23d"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://App.test/x", "https://app.test"),
        ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000"),
        ("https://user:pass@a.test/", "https://a.test"),
        ("https://bücher.test/", "https://xn--bcher-kva.test"),
        ("http://[::1]:9000/", "http:"),
        ("https://a.test;script-src */", "https:"),
        ("https://a test/", "https:"),
        ("My-App.x+1://open", "my-app.x+1:"),
        ("no address", None),
    ],
)
def test_form_action_names_the_callers_page_and_nothing_else(url: str, source: str | None) -> None:
    assert form_targets(row(url)) == ([source] if source else [])


def row(url: str) -> WebviewRow:
    empty = dict.fromkeys(WebviewRow.__struct_fields__)
    return WebviewRow(**{**empty, "custom_redirect_url": url})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["{}", "[]", "null", "broken", '{"success_message": 5, "primary_button_color": {}}'])
def test_a_customization_that_is_not_one_changes_nothing(text: str) -> None:
    assert theme_of(text) == Theme()


@pytest.mark.parametrize(
    ("button", "text", "colours"),
    [
        ("#0055AA", "#ffffff", "0055aa-ffffff"),
        ("05a", None, "0055aa-ffffff"),
        ("#ffcc00", "#ffffff", "ffcc00-000000"),
        ("#767676", "#888", "767676-000000"),
        ("red; } body { display: none", "#fff", None),
        ("#12345", "#fff", None),
        (None, "#fff", None),
    ],
)
def test_colours_are_checked_and_readable(button: str | None, text: str | None, colours: str | None) -> None:
    given = {"primary_button_color": button, "primary_button_text_color": text}
    assert theme_of(msgspec.json.encode(given).decode()).colours == colours


def test_any_button_colour_has_a_text_that_can_be_read() -> None:
    for value in range(0, 256, 3):
        for colour in (f"{value:02x}" * 3, f"{value:02x}8000", f"00{value:02x}ff", f"ff00{value:02x}"):
            given = msgspec.json.encode({"primary_button_color": colour}).decode()
            colours = theme_of(given).colours
            assert colours is not None and style_sheet(colours) is not None
            assert contrast(*colours.split("-")) >= 4.5


async def test_failures_are_forgotten_one_by_one() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    a, b = ("webview", "a"), ("webview", "b")
    for _ in range(9):
        throttle.failed(a)
    await clock.advance(100)
    assert throttle.wait(a) == 0
    throttle.failed(a)
    assert throttle.wait(a) == throttle.wait(b, a) == 200
    assert throttle.wait(b) == 0
    await clock.advance(200)
    assert throttle.wait(a) == 0


async def test_what_worked_is_not_counted() -> None:
    throttle = Throttle(ManualClock())
    key = ("device", "a")
    for _ in range(30):
        throttle.failed(key)
        throttle.worked(key)
    assert (throttle.wait(key), throttle._failures) == (0, {})


async def test_counts_are_bounded() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(10):
        throttle.failed(("device", "guessed at"))
    for n in range(MOST_KEYS * 2):
        throttle.failed(("account", str(n)))
        assert len(throttle._failures) <= MOST_KEYS
    assert throttle.wait(("device", "guessed at")) == 300  # what is made up does not push it out
    await clock.advance(300)
    for n in range(MOST_KEYS):
        throttle.failed(("account", f"new {n}"))
    assert ("device", "guessed at") not in throttle._failures
