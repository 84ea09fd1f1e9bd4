"""Query strings in both dialects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.api.query import Shape, parse_query
from doorward.errors import InvalidQueryParams

TEXT = Shape("string")
SHAPES = {
    "device_ids": Shape("list", item=TEXT),
    "limits": Shape("list", item=Shape("number")),
    "name": TEXT,
    "search": Shape("string", nullable=True),
    "limit": Shape("number"),
    "is_managed": Shape("bool"),
    "custom_metadata_has": Shape("object"),
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
        ("_strict=true&is_managed=true", {"is_managed": True}),
        ("_strict=true&is_managed=yes", {"is_managed": "yes"}),
        ("_strict=true&name=a%20b+c", {"name": "a b c"}),
        ("_strict=true&limit=20", {"limit": 20}),
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
        ("unknown=1&name=x", {"name": "x"}),
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
    ],
)
def test_what_cannot_be_decided_is_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(InvalidQueryParams, match=f"Could not parse parameter: '{name}'"):
        parse_query(text, SHAPES)


@given(st.text(alphabet=st.sampled_from("abdeimnst_[].=&%,0123456789+ -é\x00"), max_size=80))
def test_no_text_raises_anything_else(text: str) -> None:
    for prefix in ("", "_strict=true&"):
        try:
            found = parse_query(prefix + text, SHAPES)
        except InvalidQueryParams:
            continue
        assert set(found) <= set(SHAPES)
