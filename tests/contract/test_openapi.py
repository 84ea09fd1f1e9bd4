"""The description we serve."""

import inspect

import pytest
from openapi_spec_validator import validate

from doorward.api.openapi import document, field_docs
from doorward.api.route import ROUTES


def test_it_is_valid_openapi() -> None:
    validate(document("http://127.0.0.1:8080"))


def test_it_names_this_server() -> None:
    assert document("http://door.example")["servers"] == [{"url": "http://door.example"}]


def test_a_path_has_at_most_two_verbs_but_for_updates() -> None:
    for path, verbs in document("http://x")["paths"].items():
        assert len(verbs) <= (3 if path.endswith("/update") else 2), path


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_route_says_what_its_sdk_needs(path: str) -> None:
    for operation in document("http://x")["paths"][path].values():
        assert "x-response-key" in operation
        assert operation["x-response-key"] == ROUTES[path].response_key
        if ROUTES[path].action_type:
            assert operation["x-action-attempt-type"] == ROUTES[path].action_type


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_route_and_each_of_its_parameters_is_described(path: str) -> None:
    route = ROUTES[path]
    assert route.handler is not None
    assert (inspect.getdoc(route.handler) or "").strip()
    for name, field in route.params.model_fields.items():
        assert field.description, name


def test_resources_stand_under_references_with_described_members() -> None:
    from doorward.api.openapi import RESOURCES
    from doorward.wire.events import Event

    for struct, (name, _) in RESOURCES.items():
        if struct is Event:
            continue
        missing = set(struct.__struct_fields__) - field_docs(struct).keys()
        assert not missing, name
    listed = document("http://x")["paths"]["/devices/list"]["get"]["responses"]["200"]
    schema = listed["content"]["application/json"]["schema"]["properties"]["devices"]
    assert schema["items"] == {"$ref": "#/components/schemas/device"}
