"""The API's description, made from the table of routes: OpenAPI 3.0, in our own words.

Texts are the docstrings of handlers, parameter classes and wire types, so there is one place for each. Only what is
served is in it. The `x-…` members are what Seam's CLI reads from a remote schema: which key of a reply holds the
answer, what kind of action attempt a route makes, which route shows a resource. It refuses a documented reply whose
content is not a named resource, so each has a name here.
"""

import ast
import functools
import inspect
import itertools
import sys
import types
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UnsetType

from doorward import __version__
from doorward.api.params import Params
from doorward.api.route import ROUTES, Route
from doorward.wire.absent import ABSENT
from doorward.wire.access_code import AccessCode, GeneratedCode, UnmanagedAccessCode
from doorward.wire.access_grant import AccessGrant, AccessMethod
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.client_session import ClientSession
from doorward.wire.connect_webview import ConnectWebview
from doorward.wire.connected_account import ConnectedAccount
from doorward.wire.customer_portal import CustomerPortal, MagicLink
from doorward.wire.device import Device, DeviceProvider, UnmanagedDevice
from doorward.wire.events import TYPES, Event
from doorward.wire.reply import Pagination
from doorward.wire.space import Space
from doorward.wire.user_identity import UserIdentity
from doorward.wire.webhook import Webhook
from doorward.wire.workspace import Workspace

RESOURCES: dict[type[msgspec.Struct], tuple[str, str | None]] = {
    # Wire type → its name in the description, and the routes that are about it.
    AccessCode: ("access_code", "/access_codes"),
    ActionAttempt: ("action_attempt", "/action_attempts"),
    ClientSession: ("client_session", "/client_sessions"),
    ConnectWebview: ("connect_webview", "/connect_webviews"),
    ConnectedAccount: ("connected_account", "/connected_accounts"),
    CustomerPortal: ("customer_portal", "/customers"),
    Device: ("device", "/devices"),
    DeviceProvider: ("device_provider", "/devices"),
    UnmanagedAccessCode: ("unmanaged_access_code", "/access_codes/unmanaged"),
    Webhook: ("webhook", "/webhooks"),
    UnmanagedDevice: ("unmanaged_device", "/devices/unmanaged"),
    Event: ("event", "/events"),
    GeneratedCode: ("generated_code", "/access_codes"),
    MagicLink: ("magic_link", "/customers"),
    Pagination: ("pagination", None),
    Space: ("space", "/spaces"),
    AccessGrant: ("access_grant", "/access_grants"),
    AccessMethod: ("access_method", "/access_methods"),
    UserIdentity: ("user_identity", "/user_identities"),
    Workspace: ("workspace", "/workspaces"),
    **ABSENT,
}
SECURITY = {
    "A": ("api_key", "pat_with_workspace"),
    "C": ("client_session",),
    "K": ("client_session_with_customer",),
    "R": ("client_session_with_customer_ro",),
    "P": ("publishable_key",),
    "N": ("pat_without_workspace",),
}
SECURITY_SCHEMES: dict[str, Any] = {
    "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "API key"},
    "pat_with_workspace": {"type": "http", "scheme": "bearer", "bearerFormat": "Personal access token"},
    "pat_without_workspace": {"type": "http", "scheme": "bearer", "bearerFormat": "Personal access token"},
    "client_session": {"type": "http", "scheme": "bearer", "bearerFormat": "Client session token"},
    "client_session_with_customer": {"type": "http", "scheme": "bearer", "bearerFormat": "Client session token"},
    "client_session_with_customer_ro": {"type": "http", "scheme": "bearer", "bearerFormat": "Client session token"},
    "publishable_key": {"type": "apiKey", "in": "header", "name": "seam-publishable-key"},
    "seam_workspace": {"type": "apiKey", "in": "header", "name": "seam-workspace"},
}
FOR_OLDER_CLIENTS = {
    "/access_codes/delete",
    "/access_codes/unmanaged/delete",
    "/access_codes/update",
    "/acs/credentials/assign",
    "/acs/credentials/unassign",
    "/acs/credentials/update",
    "/client_sessions/grant_access",
    "/connected_accounts/update",
    "/noise_sensors/noise_thresholds/delete",
    "/noise_sensors/noise_thresholds/update",
}
"""Routes that answer something which only older clients read: to current ones they answer nothing."""
THREE_VERBS = {"/access_codes/update", "/noise_sensors/noise_thresholds/update"}
"""Seam's CLI refuses a description with three verbs on any other path: the PUT of other updates is taken, not told."""
NOT_TOLD = {
    "/client_sessions/get_or_create": ("PUT",),
    "/thermostats/update_weekly_program": ("PATCH", "PUT"),
    "/webhooks/update": ("PATCH",),
}
"""Verbs that are taken, too, which nothing tells of."""
ONE_OF_SEVERAL = {
    "/access_methods/delete",
    "/connected_accounts/get",
    "/spaces/get",
    "/access_grants/get",
    "/user_identities/get",
}
"""Routes that need one of several parameters: none of them alone is required, yet a call without any is wrong."""
MARKS = {
    "access_code": ("is_access_code_error", "is_device_error", "is_connected_account_error"),
    "connected_account": ("is_connected_account_error",),
    "device": ("is_device_error", "is_connected_account_error"),
    "unmanaged_access_code": ("is_device_error", "is_connected_account_error"),
    "unmanaged_device": ("is_device_error", "is_connected_account_error"),
}
"""Resource → the members of its errors that say what is wrong: itself, or what it depends on."""

_MODIFIED = {
    "change_type": {
        "type": "string",
        "enum": ["modified", "removed"],
        "description": "What somebody else did to the code at the device.",
    },
    "modified_fields": {
        "type": "array",
        "description": "What was changed there.",
        "items": {
            "type": "object",
            "properties": {
                "field": {"type": "string", "description": "`code`, `name`, `starts_at` or `ends_at`."},
                "from": {"type": "string", "nullable": True, "description": "What it was."},
                "to": {"type": "string", "nullable": True, "description": "What it became."},
            },
            "required": ["field", "from", "to"],
        },
    },
}
DETAILS: dict[tuple[str, str], dict[str, Any]] = {
    ("access_code", "error"): {
        **_MODIFIED,
        "managed_access_code_id": {"type": "string", "format": "uuid", "description": "The code that has the PIN."},
        "unmanaged_access_code_id": {"type": "string", "format": "uuid", "description": "The code that has the PIN."},
    },
    ("access_code", "warning"): _MODIFIED,
    ("access_grant", "warning"): {
        "device_id": {"type": "string", "format": "uuid", "description": "The door that it is about."},
        "original_code": {"type": "string", "description": "The PIN that was asked for."},
        "new_code": {"type": "string", "description": "The PIN that all doors got instead."},
    },
}
"""Resource and kind → members that only some of its issues have."""


def document(base_url: str) -> dict[str, Any]:
    """The description, for a server at this address."""
    return {**_document(), "servers": [{"url": base_url}]}


@functools.cache
def _document() -> dict[str, Any]:
    routes = [r for r in ROUTES.values() if r.handler is not None]
    return {
        "openapi": "3.0.0",
        "info": {
            "title": "Doorward",
            "version": __version__,
            "description": "The Seam API, as far as this server speaks it.",
        },
        "tags": [{"name": tag} for tag in sorted({_family(r.path) for r in routes})],
        "paths": {r.path: _path(r) for r in sorted(routes, key=lambda r: r.path)},
        "components": {
            "schemas": _components(),
            "responses": {"failure": _failure()},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _family(path: str) -> str:
    return "/" + path.split("/")[1]


# ---------------------------------------------------------------- paths


def _path(route: Route) -> dict[str, Any]:
    taken = set(route.verbs).difference(NOT_TOLD.get(route.path, ()))
    if len(taken) > 2 and route.path not in THREE_VERBS:
        taken.remove("PUT")
    verbs = [v for v in ("GET", "POST", "PUT", "PATCH", "DELETE") if v in taken]
    return {verb.lower(): _operation(route, verb) for verb in verbs}


def _operation(route: Route, verb: str) -> dict[str, Any]:
    words = [w for w in route.path.split("/") if w]
    name = words[0] + "".join(w.title().replace("_", "") for w in words[1:])
    description = inspect.getdoc(route.handler) if route.handler else ""
    response_key = None if route.path in FOR_OLDER_CLIENTS else route.response_key
    operation: dict[str, Any] = {
        "operationId": name + verb.title(),
        "summary": route.path,
        "description": description,
        "tags": [_family(route.path)],
        "security": [{scheme: []} for letter in route.auth for scheme in SECURITY[letter]],
        "responses": {
            "200": {"description": "OK", "content": _content(route)},
            "400": {"description": "Bad Request", "content": _FAILURE},
            "401": {"description": "Unauthorized", "content": _FAILURE},
        },
        "x-title": route.summary,
        "x-response-key": response_key,
        "x-fern-sdk-group-name": words[:-1],
        "x-fern-sdk-method-name": words[-1],
    }
    if response_key:
        operation["x-fern-sdk-return-value"] = response_key
    if route.action_type:
        operation["x-action-attempt-type"] = route.action_type
    if batch := route.returns.get("batch"):
        operation["x-batch-keys"] = list(batch.__struct_fields__)
    if route.path in ONE_OF_SEVERAL:
        operation["x-has-required-parameters"] = True
    if route.undocumented:
        operation["x-undocumented"] = "Not part of Seam's documented API."
    fields, required = _parameters(route.params)
    if verb in ("GET", "DELETE"):
        operation["parameters"] = [
            {"in": "query", "name": n, "schema": schema, **({"required": True} if n in required else {})}
            for n, schema in fields.items()
        ]
    elif fields:
        schema = {"type": "object", "properties": fields, **({"required": required} if required else {})}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _content(route: Route) -> dict[str, Any]:
    if route.media_type is not None:
        return {route.media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": _envelope(route)}}


def _envelope(route: Route) -> dict[str, Any]:
    properties = {key: _schema(kind) for key, kind in route.returns.items()}
    properties["ok"] = {"type": "boolean"}
    return {"type": "object", "properties": properties, "required": list(properties)}


@functools.cache
def _parameters(params: type[Params]) -> tuple[dict[str, Any], list[str]]:
    """Name → schema, and the names that are required. Made once for all verbs; nobody changes it."""
    schema = params.model_json_schema()
    definitions, texts = schema.get("$defs", {}), field_docs(params)
    fields = {}
    for name, field in schema.get("properties", {}).items():
        described = _plain(field, definitions)
        described.pop("title", None)
        if name in texts:
            described["description"] = texts[name]
        if described.get("default", ...) is None:
            described.pop("default")
        if name in params.UNDOCUMENTED:
            described["x-undocumented"] = "Sent by some clients, not part of Seam's documented API."
        fields[name] = described
    return fields, list(schema.get("required", []))


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of today → OpenAPI 3.0: `nullable` instead of a null type, no definitions of its own."""
    found = dict(schema)
    if reference := found.pop("$ref", None):
        target = definitions[reference.rsplit("/", 1)[-1]]
        found = {**_plain(target, definitions), **found}
        found.pop("title", None)
    options = found.pop("anyOf", None)
    if options:
        real = [_plain(o, definitions) for o in options if o.get("type") != "null"]
        if len(real) == 1:
            found |= {k: v for k, v in real[0].items() if k not in found}
        else:
            found["oneOf"] = [_without_title(one) for one in real]
        if len(real) < len(options):
            found["nullable"] = True
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if isinstance(exclusive := found.pop("exclusiveMinimum", None), int | float):
        found |= {"minimum": exclusive, "exclusiveMinimum": True}
    if isinstance(items := found.get("items"), dict):
        found["items"] = _plain(items, definitions)
    if isinstance(members := found.get("properties"), dict):
        found["properties"] = {k: _without_title(_plain(v, definitions)) for k, v in members.items()}
    return found


def _without_title(schema: dict[str, Any]) -> dict[str, Any]:
    schema.pop("title", None)
    return schema


# ---------------------------------------------------------------- resources


def _components() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for struct, (name, path) in RESOURCES.items():
        schemas[name] = _struct(struct) | ({"x-route-path": path} if path else {})
        for kind in ("error", "warning"):
            if issues := schemas[name].get("properties", {}).get(f"{kind}s"):
                issues["items"] = _issue(kind, name)
    return schemas


# Seam's CLI takes every named schema for a resource with a route, and wants a description on each response: so an error
# is a named response, and its content is what is referred to.
_FAILURE = {"application/json": {"schema": {"$ref": "#/components/responses/failure/content/application~1json/schema"}}}


def _failure() -> dict[str, Any]:
    """An answer that is an error."""
    schema = {
        "type": "object",
        "required": ["ok", "error"],
        "properties": {
            "ok": {"type": "boolean", "enum": [False]},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {
                    "type": {"type": "string", "description": "What kind of error it is."},
                    "message": {"type": "string", "description": "What happened, for people."},
                    "validation_errors": {
                        "type": "object",
                        "additionalProperties": True,
                        "description": "A node for each parameter that is wrong, its texts under `_errors`.",
                    },
                    "data": {"type": "object", "additionalProperties": True, "description": "What it is about."},
                    "request_id": {"type": "string", "description": "Names the request in the server's log."},
                },
            },
        },
    }
    return {"description": "An error.", "content": {"application/json": {"schema": schema}}}


def _issue(kind: str, resource: str) -> dict[str, Any]:
    marks = MARKS.get(resource, ()) if kind == "error" else ()
    return {
        "type": "object",
        "description": f"What is {'wrong' if kind == 'error' else 'unusual'}, and since when.",
        "properties": {
            f"{kind}_code": {"type": "string", "description": "What kind it is."},
            "message": {"type": "string", "description": "What happened, for people."},
            "created_at": {"type": "string", "format": "date-time", "description": "Since when."},
            **{mark: {"type": "boolean", "description": "Whose error it is."} for mark in marks},
            **DETAILS.get((resource, kind), {}),
        },
        "required": ["created_at", f"{kind}_code", "message"],
        "additionalProperties": True,
        "x-resource-type": resource,
    }


def _struct(struct: type[msgspec.Struct]) -> dict[str, Any]:
    if struct is Event:
        return {
            "oneOf": [_event(event_type, cls) for event_type, cls in sorted(TYPES.items())],
            **_choice("event_type"),
        }
    if struct is ActionAttempt:
        kinds = sorted({r.action_type for r in ROUTES.values() if r.action_type})
        return {"oneOf": [_attempt(kind, status) for kind in kinds for status in _ENDINGS]}
    properties, required = _members(struct)
    return {
        "type": "object",
        "description": inspect.getdoc(struct),
        "properties": properties,
        **({"required": sorted(required)} if required else {}),
    }


def _members(struct: type[msgspec.Struct]) -> tuple[dict[str, Any], list[str]]:
    """Name → schema, and the names that are always there."""
    texts = field_docs(struct)
    properties, required = {}, []
    for field in msgspec.structs.fields(struct):
        if not _is_optional(field.type):
            required.append(field.encode_name)
        schema = _schema(field.type)
        if "$ref" not in schema and field.name in texts:
            schema["description"] = texts[field.name]
        if field.type in (str, str | None) and field.name.endswith("_at"):
            schema["format"] = "date-time"
        properties[field.encode_name] = schema
    return properties, required


def _choice(member: str) -> dict[str, Any]:
    return {"discriminator": {"propertyName": member}}


_COMMON: dict[str, Any] = {
    "event_id": {"type": "string", "description": "Id of the event."},
    "event_description": {"type": "string", "description": "What happened, for people."},
    "workspace_id": {"type": "string", "description": "Workspace it happened in."},
    "created_at": {"type": "string", "format": "date-time", "description": "When it was noted."},
    "occurred_at": {"type": "string", "format": "date-time", "description": "When it happened."},
}


def _event(event_type: str, cls: type[Event]) -> dict[str, Any]:
    properties, required = _members(cls)
    kind = {"type": "string", "enum": [event_type], "description": inspect.getdoc(cls)}
    return {
        "type": "object",
        "description": inspect.getdoc(cls),
        "properties": {**_COMMON, "event_type": kind, **properties},
        "required": sorted([*_COMMON, "event_type", *required]),
        "x-route-path": _route_of(event_type),
    }


def _route_of(event_type: str) -> str:
    subject = event_type.split(".")
    return f"/{subject[0]}s/unmanaged" if subject[1] == "unmanaged" else f"/{subject[0]}s"


_ENDINGS = ("pending", "success", "error")


def _attempt(action_type: str, status: str) -> dict[str, Any]:
    """An attempt in one of its states: a result when it succeeded, an error when it failed."""
    properties, required = _members(ActionAttempt)
    nothing = {"type": "object", "nullable": True}
    free = {"type": "object", "additionalProperties": True}
    told = {"type": "object", "properties": {"type": {"type": "string"}, "message": {"type": "string"}}}
    narrowed: dict[str, dict[str, Any]] = {
        "action_type": {"type": "string", "enum": [action_type]},
        "status": {"type": "string", "enum": [status]},
        "result": free if status == "success" else nothing,
        "error": {**told, "required": ["type", "message"]} if status == "error" else nothing,
    }
    return {
        "type": "object",
        "description": f"{inspect.getdoc(ActionAttempt)} Here: {action_type}, {status}.",
        "properties": {name: {**schema, **narrowed.get(name, {})} for name, schema in properties.items()},
        "required": sorted(required),
    }


def _is_optional(kind: Any) -> bool:
    return UnsetType in get_args(kind)


def _schema(kind: Any) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        members = [a for a in get_args(kind) if a not in (types.NoneType, UnsetType)]
        schema = _schema(members[0])
        if types.NoneType in get_args(kind):
            schema = {"allOf": [schema], "nullable": True} if "$ref" in schema else {**schema, "nullable": True}
        return schema
    if origin is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if origin is list:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if origin is dict or kind is dict:
        return {"type": "object", "additionalProperties": True}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind in RESOURCES:
            return {"$ref": f"#/components/schemas/{RESOURCES[kind][0]}"}
        return _struct(kind)
    simple: dict[Any, dict[str, Any]] = {
        str: {"type": "string"},
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: {"type": "number"},
    }
    return dict(simple.get(kind, {}))


@functools.cache
def field_docs(kind: type[Any]) -> dict[str, str]:
    """The docstrings under the attributes of one of our classes, inherited ones included."""
    texts: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        if cls.__module__.startswith("doorward."):
            texts |= _docs_of_module(cls.__module__).get(cls.__name__, {})
    return texts


@functools.cache
def _docs_of_module(name: str) -> dict[str, dict[str, str]]:
    """Class → attribute → docstring. Empty where there is no source (an archive, a frozen program)."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except OSError:
        return {}
    return {
        cls.name: {
            here.target.id: inspect.cleandoc(below.value.value)
            for here, below in itertools.pairwise(cls.body)
            if isinstance(here, ast.AnnAssign)
            and isinstance(here.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        }
        for cls in tree.body
        if isinstance(cls, ast.ClassDef)
    }
