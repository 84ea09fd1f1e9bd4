"""Query strings in both dialects."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.api.page import _pairs
from doorward.api.query import Shape, parse_query
from doorward.errors import InvalidQueryParams

TEXT = Shape("string")
SHAPES = {
    "device_ids": Shape("list", item=TEXT),
    "limits": Shape("list", item=Shape("number")),
    "name": TEXT,
    "search": TEXT,
    "page_cursor": Shape("string", nullable=True),
    "limit": Shape("number"),
    "is_managed": Shape("bool"),
    "custom_metadata_has": Shape("object"),
    "schedule": Shape("object", nullable=True),
    "place": Shape("object", members={"floor": Shape("number"), "is_inside": Shape("bool")}),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_strict=true&device_ids=a&device_ids=b", {"device_ids": ["a", "b"]}),
        ("_strict=true&device_ids=a", {"device_ids": ["a"]}),
        ("_strict=true&device_ids=", {"device_ids": []}),
        ("_strict=true&device_ids=a,b", {"device_ids": ["a,b"]}),
        ("_strict=true&custom_metadata_has.floor=2", {"custom_metadata_has": {"floor": "2"}}),
        ("_strict=true&search=", {"search": None}),
        ("_strict=true&page_cursor=", {"page_cursor": None}),
        ("_strict=true&schedule=", {"schedule": None}),
        ("_strict=true&is_managed=true", {"is_managed": True}),
        ("_strict=true&is_managed=yes", {"is_managed": "yes"}),
        ("_strict=true&name=a%20b+c", {"name": "a b c"}),
        ("_strict=true&limit=20", {"limit": 20}),
        ("limit=20&_strict=true&is_managed=yes", {"limit": 20, "is_managed": "yes"}),
        ("_strict=true&is_managed=", {"is_managed": None}),
        ("_strict=true&name=%20x%20", {"name": " x "}),
        ("_strict=true&device_ids%5B%5D=a", {}),
        ("_strict=true&custom_metadata_has.a.b%5B%5D=1", {"custom_metadata_has": {"a.b[]": "1"}}),
        ("_strict=true&custom_metadata_has=", {"custom_metadata_has": None}),
        ("_strict=true&custom_metadata_has.floor=", {"custom_metadata_has": {"floor": None}}),
        ("_strict=true&place.floor=2&place.is_inside=true", {"place": {"floor": 2, "is_inside": True}}),
    ],
)
def test_the_strict_dialect_is_read_as_current_sdks_write_it(text: str, expected: object) -> None:
    assert parse_query(text, SHAPES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("device_ids=a&device_ids=b", {"device_ids": ["a", "b"]}),
        ("device_ids[]=a&device_ids[]=b", {"device_ids": ["a", "b"]}),
        ("device_ids%5B%5D=a", {"device_ids": ["a"]}),
        ("device_ids=a,b", {"device_ids": ["a", "b"]}),
        ("limits=1,2.5", {"limits": [1, 2.5]}),
        ("is_managed=yes", {"is_managed": True}),
        ("is_managed=0", {"is_managed": False}),
        ("name=%20x%20", {"name": "x"}),
        ("limit=many", {"limit": "many"}),
        ("limit=%D9%A1%D9%A2", {"limit": "١٢"}),
        ("limit=1e3", {"limit": 1000}),
        ("limit=-2.50", {"limit": -2.5}),
        ("limit=0x10", {"limit": "0x10"}),
        ("limit=nan", {"limit": "nan"}),
        ("limit=", {"limit": None}),
        ("page_cursor=", {"page_cursor": None}),
        ("limit=" + "9" * 30, {"limit": 1e30}),
        ("is_managed=True", {"is_managed": True}),
        ("is_managed=maybe", {"is_managed": "maybe"}),
        ("device_ids=", {"device_ids": []}),
        ("device_ids[]=a,b", {"device_ids": ["a,b"]}),
        ("name=a=b", {"name": "a=b"}),
        ("name", {"name": ""}),
        ("name=%FF", {"name": "\ufffd"}),
        ("_strict=false&device_ids=a,b", {"device_ids": ["a", "b"]}),
        ("unknown=1&name=x", {"name": "x"}),
        ("unknown=1&unknown[]=2&name=x", {"name": "x"}),
        ("", {}),
        ("&&", {}),
    ],
)
def test_the_generous_dialect_is_read_as_older_clients_write_it(text: str, expected: object) -> None:
    assert parse_query(text, SHAPES) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("name=a&name=b", "name"),
        ("device_ids=a&device_ids[]=b", "device_ids"),
        ("name[]=a", "name"),
        ("custom_metadata_has=x&custom_metadata_has.y=1", "custom_metadata_has"),
        ("custom_metadata_has=&custom_metadata_has.y=1", "custom_metadata_has"),
        ("custom_metadata_has.y=1&custom_metadata_has.y=2", "custom_metadata_has.y"),
        ("_strict=true&limit=1&limit=1", "limit"),
    ],
)
def test_what_cannot_be_decided_is_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(InvalidQueryParams, match=f"Could not parse parameter: '{name}'"):
        parse_query(text, SHAPES)


NAMES = st.sampled_from([*SHAPES, "custom_metadata_has.a", "place.floor", "place.x", "_strict", "unknown", ""])
VALUES = st.sampled_from(["", "true", "yes", "1", "-1.5", "a,b", " ", "é", "\x00", "%"]) | st.text(max_size=8)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "[]"]), VALUES), max_size=8))
def test_no_parameters_raise_anything_else(pairs: list[tuple[str, str, str]]) -> None:
    _read(urlencode([(name + brackets, value) for name, brackets, value in pairs]))


@given(st.text(max_size=80) | st.text(alphabet="abdeimnst_[].=&%,0123456789+ -é\x00", max_size=80))
def test_no_text_raises_anything_else(text: str) -> None:
    _read(text)


def _read(text: str) -> None:
    for prefix in ("", "_strict=true&"):
        problem = None
        try:
            assert set(parse_query(prefix + text, SHAPES)) <= set(SHAPES)
        except InvalidQueryParams as exc:
            problem = exc.message
        assert problem is None or problem.startswith("Could not parse parameter: '")


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e20, 1e20).filter(lambda n: abs(n) > 1e-20)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "device_ids": st.lists(TEXTS, max_size=4),
        "name": TEXTS,
        "limit": NUMBERS,
        "is_managed": st.booleans(),
        "custom_metadata_has": st.dictionaries(TEXTS, TEXTS | NUMBERS | st.booleans() | st.none(), max_size=4),
    },
)


@given(PARAMETERS)
def test_the_address_of_a_next_page_says_what_the_first_request_said(values: dict[str, Any]) -> None:
    pairs = [pair for name, value in sorted(values.items()) for pair in _pairs(name, value)]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    found = parse_query(f"_strict=true&{query}&page_cursor=x", SHAPES)
    assert found.pop("page_cursor") == "x"
    assert [pair for name, value in sorted(found.items()) for pair in _pairs(name, value)] == pairs
    for name, value in found.items():
        if name != "custom_metadata_has":
            assert value == values[name]
