"""Parameters, refused in the words that Seam's SDKs show."""

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt
from hypothesis import given
from hypothesis import strategies as st

from doorward.api.params import MOST_ITEMS, NULL, Checker, Form, Id, Instant, Metadata, Params
from doorward.errors import InvalidInput


class Example(Params):
    """Parameters of these tests."""

    device_id: Id
    """A device."""
    code: Annotated[str, Form(r"^[0-9]{4}$", "Must be 4 digits")] | None = None
    """A PIN."""
    device_ids: list[Id] | None = None
    """Devices."""
    limit: Annotated[int, Gt(0)] = 500
    """How many."""
    mode: Literal["none", "single"] | None = None
    """Which."""
    starts_at: Instant | None = None
    """When."""
    ends_at: Annotated[Instant, NULL] | None = None
    """Until when; null: for ever."""
    sync: bool = False
    """Whether."""
    custom_metadata: Metadata | None = None
    """Pairs."""


check = Checker(Example)


def refused(values: dict[str, object]) -> InvalidInput:
    with pytest.raises(InvalidInput) as info:
        check(values)
    return info.value


def test_a_missing_parameter_is_named() -> None:
    error = refused({})
    assert error.message == "device_id is required"
    assert error.problems == {"_errors": [], "device_id": {"_errors": ["Required"]}}


def test_a_wrong_type_is_named_with_what_was_received() -> None:
    error = refused({"device_id": "x", "device_ids": 7})
    assert error.message == 'Expected array, received number for "device_ids"'
    assert error.problems["device_ids"] == {"_errors": ["Expected array, received number"]}


def test_every_problem_is_told() -> None:
    error = refused({"limit": "many", "sync": "perhaps"})
    assert error.message.startswith("3 Input Errors: ")
    assert set(error.problems) == {"_errors", "device_id", "limit", "sync"}


def test_a_wrong_member_of_a_list_is_found_by_its_place() -> None:
    assert refused({"device_id": "x", "device_ids": ["a", 5]}).problems["device_ids"] == {
        "_errors": [],
        "1": {"_errors": ["Expected string, received number"]},
    }


def test_null_counts_as_absent_where_it_has_no_meaning() -> None:
    found = check({"device_id": "x", "limit": None, "sync": None})
    assert isinstance(found, Example)
    assert found.limit == 500
    assert not found.given("limit")


def test_null_for_a_required_parameter_is_refused() -> None:
    assert refused({"device_id": None}).message == 'Expected string, received null for "device_id"'


def test_unknown_parameters_are_ignored() -> None:
    assert check({"device_id": "x", "colour": "blue"}).model_dump()["device_id"] == "x"


@pytest.mark.parametrize("value", ["soon", "2028-13-01", "2028-01-01T25:00:00Z", ""])
def test_nonsense_for_an_instant_is_refused(value: str) -> None:
    assert refused({"device_id": "x", "starts_at": value}).message == 'Invalid date for "starts_at"'


@pytest.mark.parametrize(
    "pairs",
    [{f"k{i}": 1 for i in range(51)}, {"a.b": 1}, {"k" * 41: 1}, {"k": "v" * 501}, {"k": [1]}, {"k": {"a": 1}}],
)
def test_metadata_beyond_its_bounds_is_refused(pairs: dict[str, object]) -> None:
    assert "custom_metadata" in refused({"device_id": "x", "custom_metadata": pairs}).problems


def test_values_never_stand_in_the_answer() -> None:
    error = refused({"device_id": "x", "mode": "very-secret", "limit": "very-secret"})
    assert "very-secret" not in repr(error.body())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"limit": 0}, 'Number must be greater than 0 for "limit"'),
        ({"limit": 2.5}, 'Expected integer, received float for "limit"'),
        ({"limit": True}, 'Expected number, received boolean for "limit"'),
        ({"limit": "5"}, 'Expected number, received string for "limit"'),
        ({"sync": 1}, 'Expected boolean, received number for "sync"'),
        ({"mode": "both"}, "Invalid value. Expected 'none' or 'single' for \"mode\""),
        ({"device_id": ""}, 'String must contain at least 1 character(s) for "device_id"'),
        ({"device_id": "x" * 129}, 'String must contain at most 128 character(s) for "device_id"'),
        ({"device_id": {}}, 'Expected string, received object for "device_id"'),
        ({"device_ids": ["x", None]}, 'Expected string, received null for "device_ids.1"'),
        (
            {"device_ids": ["x"] * (MOST_ITEMS + 1)},
            f'Array must contain at most {MOST_ITEMS} element(s) for "device_ids"',
        ),
        ({"custom_metadata": []}, 'Expected object, received array for "custom_metadata"'),
        ({"code": "12"}, 'Must be 4 digits for "code"'),
        ({"code": "1234\n"}, 'Must be 4 digits for "code"'),
        ({"code": 1234}, 'Expected string, received number for "code"'),
        ({"starts_at": 5}, 'Expected string, received number for "starts_at"'),
        ({"starts_at": "9999-12-31T23:59:59-01:00"}, 'Invalid date for "starts_at"'),
    ],
)
def test_a_problem_is_told_in_the_words_of_seams_server(values: dict[str, object], message: str) -> None:
    assert refused({"device_id": "x", **values}).message == message


def test_a_whole_number_may_be_written_with_a_point() -> None:
    found = check({"device_id": "x", "limit": 2.0})
    assert isinstance(found, Example)
    assert (found.limit, type(found.limit)) == (2, int)


def test_null_is_told_from_absent_where_it_has_a_meaning() -> None:
    assert check({"device_id": "x", "starts_at": None}).given("starts_at")
    assert not check({"device_id": "x"}).given("starts_at")


def test_null_is_kept_only_where_it_means_something() -> None:
    values = {"device_id": "x", "starts_at": None, "ends_at": None, "limit": None, "colour": "blue"}
    assert check.meant(values) == {"device_id": "x", "ends_at": None}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("_errors"), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(Example.model_fields)) | st.text(max_size=8), JSON, max_size=8))
def test_no_values_raise_anything_but_a_refusal_with_a_whole_tree(values: dict[str, Any]) -> None:
    problem = None
    try:
        assert isinstance(check(values), Example)
    except InvalidInput as exc:
        problem = exc
    assert problem is None or (problem.message and _texts(problem.problems))


def _texts(node: Any) -> list[str]:
    """All texts of a tree; every node of it has the list that Seam's SDKs look for."""
    assert isinstance(node["_errors"], list)
    below = [text for name, child in node.items() if name != "_errors" for text in _texts(child)]
    return [*node["_errors"], *below]
