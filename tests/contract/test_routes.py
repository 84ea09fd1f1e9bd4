"""Our table of routes against the published schema, path by path."""

import pytest
from tests.contract import published

import doorward.api  # noqa: F401 - fills the table
from doorward.api.openapi import document
from doorward.api.route import ROUTES, not_yet

SERVED = sorted(path for path, route in ROUTES.items() if not route.undocumented)

NEWER = {"/user_identities/merge"}
"""Documented by Seam after the package's version."""

EXTRA_KEYS = {
    # Older SDKs read these keys, most of them beside a newer one with the same content.
    ("/locks/get", "lock"),
    ("/locks/list", "locks"),
    ("/locks/list", "pagination"),
    ("/access_codes/update", "action_attempt"),
    ("/access_codes/delete", "action_attempt"),
    ("/access_codes/create", "action_attempt"),
    ("/connected_accounts/update", "connected_account"),
    ("/events/get", "message"),
}


def test_every_documented_path_is_served_or_listed_as_not_yet() -> None:
    ours = set(SERVED) | not_yet().keys()
    assert ours - NEWER == set(published.documented()) - NEWER


def test_no_path_is_both_served_and_not_yet() -> None:
    assert not ROUTES.keys() & not_yet().keys()


def test_the_list_of_what_is_missing_only_shrinks() -> None:
    assert len(not_yet()) <= 171


@pytest.mark.parametrize("path", sorted(set(not_yet()) - NEWER))
def test_a_listed_path_has_the_published_verbs_and_credentials(path: str) -> None:
    route = not_yet()[path]
    assert {verb.upper() for verb in published.documented()[path]} <= set(route.verbs)
    assert set(route.auth) == published.letters(path)


@pytest.mark.parametrize("path", SERVED)
def test_a_route_takes_the_published_verbs(path: str) -> None:
    verbs = {verb.upper() for verb in published.documented()[path]}
    assert verbs <= set(ROUTES[path].verbs)
    more = set(ROUTES[path].verbs) - verbs
    assert more <= ({"PUT", "PATCH"} if path.endswith("/update") else set())


@pytest.mark.parametrize("path", SERVED)
def test_a_route_accepts_the_published_credentials(path: str) -> None:
    assert set(ROUTES[path].auth) == published.letters(path)


@pytest.mark.parametrize("path", SERVED)
def test_a_route_has_the_published_parameters(path: str) -> None:
    shapes = published.parameters(path)
    theirs = {name: schema for shape in shapes for name, schema in shape.get("properties", {}).items()}
    operation = document("http://x")["paths"][path]["post"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    ours = body.get("properties", {})
    assert theirs.keys() - ours.keys() == set()
    assert ours.keys() - theirs.keys() == set()
    for name in theirs.keys() & ours.keys():
        there = published.kinds(theirs[name])
        if there:
            assert published.kinds(ours[name]) <= there, name
    required = set.intersection(*(set(shape.get("required", [])) for shape in shapes))
    assert set(body.get("required", [])) == required


@pytest.mark.parametrize("path", SERVED)
def test_a_reply_has_the_published_keys(path: str) -> None:
    theirs = set(published.response(path)) - {"ok"}
    ours = set(ROUTES[path].returns)
    assert theirs - ours == set()
    assert ours - theirs <= {key for p, key in EXTRA_KEYS if p == path}


@pytest.mark.parametrize("path", SERVED)
def test_the_key_that_sdks_read_is_the_published_one(path: str) -> None:
    published_key = published.documented()[path]["post"].get("x-response-key")
    if published_key is not None:
        assert ROUTES[path].response_key == published_key
    assert ROUTES[path].action_type == published.documented()[path]["post"].get("x-action-attempt-type") or (
        ROUTES[path].action_type is not None and "action_attempt" in ROUTES[path].returns
    )


@pytest.mark.parametrize("path", [p for p in SERVED if ROUTES[p].pages])
def test_a_list_in_pages_has_the_published_default_length(path: str) -> None:
    limit = published.parameters(path)[0]["properties"]["limit"]
    if "default" in limit:
        assert ROUTES[path].pages == limit["default"]


def test_every_exception_is_still_needed() -> None:
    for path, key in EXTRA_KEYS:
        assert key in ROUTES[path].returns
    assert published.documented().keys() & NEWER == set()
