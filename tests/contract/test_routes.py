"""Our table of routes against the published schema, path by path."""

import re
from collections.abc import Iterator, Mapping

import pytest
from tests.contract import intended, published
from tests.contract.compare import Comparison, Schema, nullable

import doorward.api  # noqa: F401 - fills the table
from doorward.api.openapi import FOR_OLDER_CLIENTS, document
from doorward.api.query import Shape
from doorward.api.route import ROUTES, not_yet

MISSING = 0
"""Routes that were missing when this was written, or last lowered."""

NEWER = {"/user_identities/merge"}
"""Documented by Seam after the package's version."""

SERVED = sorted(path for path, route in ROUTES.items() if not route.undocumented and path not in NEWER)

NEWER_PAGES = {"/access_methods/list"}
"""Lists that came in pages after the package's version."""

NEWER_PARAMETERS = {"/access_grants/list": {"search"}, "/acs/entrances/list": {"access_method_id"}}
"""Parameters that came after the package's version."""

NONE_HERE = {
    f"/{family}/unmanaged/{word}"
    for family in ("access_grants", "access_methods", "user_identities")
    for word in ("get", "list")
}
"""They answer that there are none. What one would look like is not described."""

OURS = {
    # Test harnesses and Seam's CLI ask them.
    "/health",
    "/health/get_health",
    # Seam serves it, and leaves it out of its documentation.
    "/access_codes/get_timeline",
    # Seam's web components ask them.
    *(
        f"/internal/devicedb/v1/{kind}/{word}"
        for kind in ("device_models", "manufacturers")
        for word in ("get", "list")
    ),
}
"""Not part of the documented API."""

EXTENSIONS = {
    "/devices/doorward/get_access_code_timeline",
    "/devices/doorward/get_snapshot",
    "/devices/doorward/list_device_log",
    "/devices/doorward/list_snapshot_sizes",
    "/webhooks/doorward/list_deliveries",
    "/webhooks/doorward/replay",
    "/webhooks/doorward/rotate_secret",
}
"""Not part of Seam's API at all: ours, and named so."""

NEWER_CREDENTIALS = {"/customers/delete_data": {"K"}}
"""Who may call it, by what Seam has documented after the package's version."""

OLDER_VERBS = {path: {"PATCH", "PUT"} for path in SERVED if path.rpartition("/")[2].startswith("update")} | {
    "/client_sessions/get_or_create": {"PUT"},
}
"""Verbs that SDKs have used for it over the years, though the schema does not name them."""


def test_every_documented_path_is_served_or_listed_as_not_yet() -> None:
    assert set(SERVED) | NEWER | not_yet().keys() == published.documented().keys() | NEWER


def test_a_path_that_is_served_but_not_documented_says_so() -> None:
    assert {path for path, route in ROUTES.items() if route.undocumented} == OURS | EXTENSIONS


def test_an_extension_cannot_be_taken_for_a_part_of_seams_api() -> None:
    for path in EXTENSIONS:
        assert "doorward" in path.split("/")[1:-1]
        assert not [p for p in (*published.documented(), *not_yet()) if p.startswith(path.rpartition("/")[0] + "/")]


def test_no_path_is_both_served_and_not_yet() -> None:
    assert not ROUTES.keys() & not_yet().keys()


def test_the_list_of_what_is_missing_only_shrinks() -> None:
    assert len(not_yet()) <= MISSING


def test_the_list_of_what_is_missing_is_in_order() -> None:
    assert list(not_yet()) == sorted(not_yet())


def test_a_listed_path_has_the_published_verbs_and_credentials() -> None:
    for path, route in not_yet().items():
        if path not in NEWER:
            assert (sorted(route.verbs), route.auth) == (sorted(published.verbs(path)), published.letters(path)), path


@pytest.mark.parametrize("path", SERVED)
def test_a_route_takes_the_published_verbs_and_those_of_older_sdks(path: str) -> None:
    assert set(ROUTES[path].verbs) == set(published.verbs(path)) | OLDER_VERBS.get(path, set())


@pytest.mark.parametrize("path", SERVED)
def test_a_route_accepts_the_published_credentials(path: str) -> None:
    assert set(ROUTES[path].auth) == set(published.letters(path)) | NEWER_CREDENTIALS.get(path, set())


@pytest.mark.parametrize("path", SERVED)
def test_a_route_takes_and_answers_what_is_published(path: str) -> None:
    ours = document("http://x")
    comparison = Comparison(ours["components"]["schemas"], published.document()["components"]["schemas"])
    here, there = ours["paths"][path]["post"], published.documented()[path]["post"]
    found = {*comparison.taken(published.body(here), published.body(there))}
    if path not in NONE_HERE:
        found |= {*comparison.answered(published.reply(here), published.reply(there))}
    wanted = intended.lines_for(path)
    assert found - wanted == set(), "not intended"
    assert wanted - found == set(), "no longer true: take it out of intended.py"


@pytest.mark.parametrize("path", SERVED)
def test_a_route_is_read_the_same_by_query_string(path: str) -> None:
    operations = document("http://x")["paths"][path]
    body = published.body(operations["post"])
    for verb in operations.keys() & {"get", "delete"}:
        given = {p["name"]: p for p in operations[verb].get("parameters", [])}
        assert {name: p["schema"] for name, p in given.items()} == body.get("properties", {})
        assert {name for name, p in given.items() if p.get("required")} == set(body.get("required", []))


def _where_null_means_something(schema: Schema, prefix: str = "") -> set[str]:
    """Published parameters, and members of objects among them."""
    found = set()
    for name, inner in schema.get("properties", {}).items():
        if nullable(inner):
            found.add(prefix + name)
        found |= _where_null_means_something(inner, f"{prefix}{name}.")
    for part in (*schema.get("allOf", []), *schema.get("oneOf", []), *schema.get("anyOf", [])):
        found |= _where_null_means_something(part, prefix)
    return found


def _where_an_empty_value_is_null(shapes: Mapping[str, Shape], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Our parameters that are texts or objects, and their members."""
    for name, shape in shapes.items():
        if shape.kind in ("string", "object"):
            yield prefix + name, shape.nullable
        yield from _where_an_empty_value_is_null(shape.members or {}, f"{prefix}{name}.")


@pytest.mark.parametrize("path", SERVED)
def test_an_empty_value_is_null_where_null_is_published_to_mean_something(path: str) -> None:
    here = dict(_where_an_empty_value_is_null(ROUTES[path].check.shapes))
    there = _where_null_means_something(published.body(published.documented()[path]["post"]))
    there |= {"page_cursor"} if path in NEWER_PAGES else set()
    assert {name for name, is_null in here.items() if is_null} == there & here.keys()


@pytest.mark.parametrize("path", SERVED)
def test_current_sdks_find_the_published_key_in_the_reply(path: str) -> None:
    there = published.documented()[path]["post"]
    here = document("http://x")["paths"][path]["post"]
    assert here["x-response-key"] == there["x-response-key"]
    assert here["x-response-key"] in (*ROUTES[path].returns, None)
    assert here.get("x-batch-keys") == there.get("x-batch-keys")


@pytest.mark.parametrize("path", SERVED)
def test_older_sdks_find_the_keys_they_read_in_the_reply(path: str) -> None:
    keys = published.reply(published.documented()[path]["post"])["properties"].keys() - {"ok"}
    assert keys <= ROUTES[path].returns.keys()


@pytest.mark.parametrize("path", SERVED)
def test_a_route_makes_the_published_kind_of_action_attempt(path: str) -> None:
    assert ROUTES[path].action_type == published.documented()[path]["post"].get("x-action-attempt-type")


@pytest.mark.parametrize("path", SERVED)
def test_a_list_comes_in_pages_where_the_published_one_does(path: str) -> None:
    there = published.documented()[path]["post"]
    assert bool(ROUTES[path].pages) == ("pagination" in published.reply(there)["properties"] or path in NEWER_PAGES)
    if limit := published.body(there).get("properties", {}).get("limit"):
        assert ROUTES[path].pages in (limit.get("default"), None)


def test_every_exception_is_still_needed() -> None:
    assert not published.documented().keys() & NEWER
    assert not any(set(published.letters(path)) & letters for path, letters in NEWER_CREDENTIALS.items())
    assert all(published.documented()[path]["post"]["x-response-key"] is None for path in FOR_OLDER_CLIENTS)


def test_what_is_intended_is_about_something_that_exists() -> None:
    attempts = published.variants(published.resource("action_attempt"), "action_type", "status")
    subjects = {*ROUTES, *published.document()["components"]["schemas"], *published.events(), *attempts}
    for one in intended.INTENDED:
        for place in one.where:
            assert place in subjects or any(s.startswith(place) for s in subjects if place.endswith(".")), place
        assert re.fullmatch(r"[A-Z].*\.", one.why), one.why
