"""Instants at the border."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.wire.time import iso, parse, to_minute


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2028-08-12T19:23:42+0000", "2028-08-12T19:23:42.000Z"),
        ("2028-08-12T19:23:42Z", "2028-08-12T19:23:42.000Z"),
        ("2028-08-12T19:23:42+02:00", "2028-08-12T17:23:42.000Z"),
        ("2028-08-12T19:23:42-0930", "2028-08-13T04:53:42.000Z"),
        ("2028-08-12T19:23:42.123456789Z", "2028-08-12T19:23:42.123Z"),
        ("2028-08-12T19:23:42.5Z", "2028-08-12T19:23:42.500Z"),
        ("2028-08-12 19:23", "2028-08-12T19:23:00.000Z"),
        ("2028-08-12", "2028-08-12T00:00:00.000Z"),
        ("2028-02-29T23:59:60Z", "2028-03-01T00:00:00.000Z"),
        ("2028-08-12T19:23:42+02", "2028-08-12T17:23:42.000Z"),
        ("2028-08-12t19:23:42z", "2028-08-12T19:23:42.000Z"),
        (" 2028-08-12T19:23:42,25Z ", "2028-08-12T19:23:42.250Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_forms_that_clients_send_are_read(text: str, expected: str) -> None:
    assert iso(parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2028",
        "2027-02-29",
        "12:00",
        "1e9",
        "2028-08-12T19:23:42+99:00",
        "2028-08-12T24:00:00Z",
        "2028-08-12T19:60:00Z",
        "2028-08-12T19:23:61Z",
        "2028-08-12T",
        "2028-08-12T19:23:42Z and more",
        "0000-01-01",
        "２０２８-08-12",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


@given(st.integers(0, 253_402_300_799_999))
def test_what_is_written_can_be_read(at: int) -> None:
    assert parse(iso(at)) == at
    assert len(iso(at)) == 24


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    try:
        at = parse(text)
    except ValueError:
        return
    assert parse(iso(at)) == at


@given(st.datetimes(), st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)))
def test_whatever_is_read_can_be_written(moment: datetime, away: timedelta) -> None:
    minutes = away // timedelta(minutes=1)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    try:
        at = parse(moment.isoformat(timespec="milliseconds") + zone)
    except ValueError:
        assert moment.year in (1, 9999)
        return
    assert parse(iso(at)) == at
    assert to_minute(at) % 60_000 == 0
    assert abs(to_minute(at) - at) <= 30_000


def test_code_times_go_to_the_nearest_minute_as_the_guides_print() -> None:
    assert iso(to_minute(parse("2028-08-12T19:23:42Z"))) == "2028-08-12T19:24:00.000Z"
    assert iso(to_minute(parse("2028-08-12T19:23:29.999Z"))) == "2028-08-12T19:23:00.000Z"
    assert iso(to_minute(parse("2028-08-12T19:23:30Z"))) == "2028-08-12T19:24:00.000Z"


def test_it_agrees_with_the_standard_library() -> None:
    moment = datetime(2031, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert iso(round(moment.timestamp() * 1000)) == "2031-01-02T03:04:05.678Z"
