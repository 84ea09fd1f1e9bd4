"""The API's description, made from the table of routes: OpenAPI 3.0, in our own words.

Texts are the docstrings of handlers, parameter classes and wire types, so there is one place for each. Only what is
served is in it. The `x-…` members are what Seam's CLI reads from a remote schema: which key of a reply holds the
answer, what kind of action attempt a route makes, which route shows a resource.
"""

import ast
import functools
import inspect
import itertools
import types
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import UnsetType

from doorward import __version__
from doorward.api.params import Params
from doorward.api.route import ROUTES, Route
from doorward.wire.access_code import AccessCode
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.connect_webview import ConnectWebview
from doorward.wire.connected_account import ConnectedAccount
from doorward.wire.device import Device, DeviceProvider, UnmanagedDevice
from doorward.wire.events import Event
from doorward.wire.reply import Pagination
from doorward.wire.workspace import Workspace

RESOURCES: dict[type[msgspec.Struct], tuple[str, str | None]] = {
    # Wire type → its name in the description, and the routes that are about it.
    AccessCode: ("access_code", "/access_codes"),
    ActionAttempt: ("action_attempt", "/action_attempts"),
    ConnectWebview: ("connect_webview", "/connect_webviews"),
    ConnectedAccount: ("connected_account", "/connected_accounts"),
    Device: ("device", "/devices"),
    DeviceProvider: ("device_provider", "/devices"),
    UnmanagedDevice: ("unmanaged_device", "/devices/unmanaged"),
    Event: ("event", "/events"),
    Pagination: ("pagination", None),
    Workspace: ("workspace", "/workspaces"),
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
BATCH_KEYS: dict[str, list[str]] = {}
"""Route → the lists that its `batch` holds."""


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
        "components": {"schemas": _components(), "securitySchemes": SECURITY_SCHEMES},
    }


def _family(path: str) -> str:
    return path.rsplit("/", 1)[0] or path


# ---------------------------------------------------------------- paths


def _path(route: Route) -> dict[str, Any]:
    verbs = [v for v in ("GET", "POST", "PUT", "PATCH", "DELETE") if v in route.verbs]
    return {verb.lower(): _operation(route, verb) for verb in verbs}


def _operation(route: Route, verb: str) -> dict[str, Any]:
    words = [w for w in route.path.split("/") if w]
    name = words[0] + "".join(w.title().replace("_", "") for w in words[1:])
    description = inspect.getdoc(route.handler) if route.handler else ""
    operation: dict[str, Any] = {
        "operationId": name + verb.title(),
        "summary": route.path,
        "description": description,
        "tags": [_family(route.path)],
        "security": [{scheme: []} for letter in route.auth for scheme in SECURITY[letter]],
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": _envelope(route)}}},
            "400": {"description": "Bad Request", "content": _failure()},
            "401": {"description": "Unauthorized", "content": _failure()},
        },
        "x-title": route.summary,
        "x-response-key": route.response_key,
        "x-fern-sdk-group-name": words[:-1],
        "x-fern-sdk-method-name": words[-1],
    }
    if route.response_key:
        operation["x-fern-sdk-return-value"] = route.response_key
    if route.action_type:
        operation["x-action-attempt-type"] = route.action_type
    if route.path in BATCH_KEYS:
        operation["x-batch-keys"] = BATCH_KEYS[route.path]
    if route.undocumented:
        operation["x-undocumented"] = "Not part of Seam's documented API."
    fields, required = _parameters(route.params)
    if verb == "GET":
        operation["parameters"] = [
            {"in": "query", "name": n, "schema": schema, **({"required": True} if n in required else {})}
            for n, schema in fields.items()
        ]
    elif fields:
        schema = {"type": "object", "properties": fields, **({"required": required} if required else {})}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _failure() -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": "#/components/schemas/error_response"}}}


def _envelope(route: Route) -> dict[str, Any]:
    properties = {key: _schema(kind) for key, kind in route.returns.items()}
    properties["ok"] = {"type": "boolean"}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _parameters(params: type[Params]) -> tuple[dict[str, Any], list[str]]:
    schema = params.model_json_schema()
    definitions = schema.get("$defs", {})
    fields = {}
    for name, field in schema.get("properties", {}).items():
        described = _plain(field, definitions)
        described.pop("title", None)
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
        real = [o for o in options if o.get("type") != "null"]
        found |= {k: v for k, v in _plain(real[0], definitions).items() if k not in found}
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
            if issues := schemas[name]["properties"].get(f"{kind}s"):
                issues["items"] = _issue(kind, name)
    schemas["error_response"] = {
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
    return schemas


def _issue(kind: str, resource: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"What is {'wrong' if kind == 'error' else 'unusual'}, and since when.",
        "properties": {
            f"{kind}_code": {"type": "string", "description": "What kind it is."},
            "message": {"type": "string", "description": "What happened, for people."},
            "created_at": {"type": "string", "description": "Since when."},
        },
        "required": ["created_at", f"{kind}_code", "message"],
        "additionalProperties": True,
        "x-resource-type": resource,
    }


def _struct(struct: type[msgspec.Struct]) -> dict[str, Any]:
    if struct is Event:
        return _event()
    texts = field_docs(struct)
    properties, required = {}, []
    for field in msgspec.structs.fields(struct):
        if _is_optional(field.type):
            pass
        elif field.required or field.default is not msgspec.UNSET:
            required.append(field.encode_name)
        schema = _schema(field.type)
        if "$ref" not in schema and field.name in texts:
            schema["description"] = texts[field.name]
        properties[field.encode_name] = schema
    return {
        "type": "object",
        "description": inspect.getdoc(struct),
        "properties": properties,
        "required": sorted(required),
    }


def _event() -> dict[str, Any]:
    from doorward.wire.events import TYPES

    common = ("event_id", "event_type", "event_description", "workspace_id", "created_at", "occurred_at")
    return {
        "type": "object",
        "description": "Something that became true. Which further members it has follows from its type.",
        "properties": {
            **{name: {"type": "string"} for name in common},
            "event_type": {
                "type": "string",
                "enum": sorted(TYPES),
                "description": "\n".join(f"`{n}`: {inspect.getdoc(cls)}" for n, cls in sorted(TYPES.items())),
            },
        },
        "required": list(common),
        "additionalProperties": True,
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
def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The docstrings under a struct's attributes, inherited ones included."""
    texts: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if not issubclass(cls, msgspec.Struct) or cls is msgspec.Struct:
            continue
        tree = ast.parse(inspect.getsource(cls).lstrip())
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for here, below in itertools.pairwise(body):
            if (
                isinstance(here, ast.AnnAssign)
                and isinstance(here.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                texts[here.target.id] = inspect.cleandoc(below.value.value)
    return texts
