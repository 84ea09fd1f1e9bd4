"""Parameters: declared as classes, checked whole, refused in Seam's words.

Every problem of a request is reported, not only the first one; that is what Pydantic is for here. The texts are those
Seam's SDKs show their users.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from annotated_types import MinLen
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from doorward.api.query import TEXT, Shape
from doorward.core.metadata import MOST_PAIRS
from doorward.errors import InvalidInput
from doorward.wire import time


class _Null:
    __slots__ = ()


NULL = _Null()
"""In an annotation: null means something of its own here. Elsewhere it is as good as nothing. SDKs write it as an empty
value of a query string; of other clients that is null only here, and an empty text elsewhere."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""An id. Any short text: an unknown one is answered with 404, not with a lesson on UUIDs."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=255)]
"""A caller's own name of a person."""
Cursor = Annotated[str, NULL]
"""Where a page ended; null: at the beginning."""


@dataclass(frozen=True)
class Form:
    """What a text looks like."""

    pattern: str
    told: str
    """Said of a text that looks otherwise: an expression means nothing to most people."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise PydanticCustomError("form", "{told}", {"told": self.told})
        return text


NOT_BLANK = Form(r"\s*\S[\s\S]*", "Must not be blank")


def _instant(text: str) -> str:
    try:
        time.parse(text)
    except ValueError:
        raise PydanticCustomError("instant", "Invalid date") from None
    return text


Instant = Annotated[str, StringConstraints(max_length=64), AfterValidator(_instant)]
"""A moment as text, in any of the forms `wire.time.parse` takes."""


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > MOST_PAIRS:
        raise PydanticCustomError("metadata", f"At most {MOST_PAIRS} pairs are allowed")
    for key, item in value.items():
        if len(key) > 40:
            raise PydanticCustomError("metadata", "Keys may have up to 40 characters")
        if "." in key:
            raise PydanticCustomError("metadata", "Keys may not contain a dot")
        if not isinstance(item, str | int | float | bool | NoneType):
            raise PydanticCustomError("metadata", "Values must be text, numbers, booleans or null")
        if isinstance(item, str) and len(item) > 500:
            raise PydanticCustomError("metadata", "Values may have up to 500 characters")
    return value


MOST_ITEMS = 5_000
"""Elements of a list: so many are looked up for one request."""
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
"""The caller's own key-value pairs: up to 50, keys up to 40 characters, values scalars."""


class Params(BaseModel):
    """Base of every route's parameters. Attribute docstrings become the served schema's descriptions."""

    # The docstrings are read when the schema is asked for (`openapi`), not in each class's making: that is a tenth of
    # a start.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False, defer_build=True)

    UNDOCUMENTED: ClassVar[frozenset[str]] = frozenset()
    """Names that the published schema hides but clients send."""

    def given(self, name: str) -> bool:
        """The caller sent this parameter (null counts, where null means something)."""
        return name in self.model_fields_set


class Part(BaseModel):
    """Base of an object among the parameters."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True, frozen=True)


class NoParams(Params):
    """A route without parameters."""


def _parts(annotation: Any) -> tuple[Any, bool]:
    """The annotation without `Annotated` and None, and whether null means something."""
    nullable = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            nullable = nullable or NULL in get_args(annotation)
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            members = [a for a in get_args(annotation) if a is not NoneType]
            if len(members) != 1:
                return annotation, nullable
            annotation = members[0]
        else:
            return annotation, nullable


def shape_of(annotation: Any) -> Shape:
    """What the query string reader must make of it."""
    core, nullable = _parts(annotation)
    origin = get_origin(core)
    if origin is list:
        return Shape("list", item=shape_of(get_args(core)[0]), nullable=nullable)
    if origin is dict or core is dict:
        return Shape("object", nullable=nullable)
    if isinstance(core, type) and issubclass(core, BaseModel):
        members = {n: shape_of(f.annotation) for n, f in core.model_fields.items()}
        return Shape("object", members=members, nullable=nullable)
    if origin is Literal:
        return Shape("bool" if all(isinstance(a, bool) for a in get_args(core)) else "string", nullable=nullable)
    if core is bool:
        return Shape("bool", nullable=nullable)
    if core in (int, float):
        return Shape("number", nullable=nullable)
    return Shape("string", nullable=nullable)


class Checker:
    """Checks one route's parameters."""

    def __init__(self, model: type[Params]) -> None:
        self.model = model

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        return {name: shape_of(field.annotation) for name, field in self.model.model_fields.items()}

    @cached_property
    def _null_means_absent(self) -> frozenset[str]:
        fields = self.model.model_fields.items()
        return frozenset(n for n, f in fields if NoneType not in get_args(f.annotation) and not f.is_required())

    def meant(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those that the route knows, without null where it means nothing."""
        shapes = self.shapes
        return {n: v for n, v in values.items() if n in shapes and (v is not None or shapes[n].nullable)}

    def __call__(self, values: Mapping[str, Any]) -> Params:
        """Raises InvalidInput with every problem there is."""
        whole: dict[str, int] = {}
        for name, value in values.items():
            if isinstance(value, list) and len(value) > MOST_ITEMS and name in self.shapes:
                raise InvalidInput.of(name, f"Array must contain at most {MOST_ITEMS} element(s)")
            if type(value) is float and value.is_integer():
                # JSON knows no integers: some languages write 2 as 2.0.
                whole[name] = int(value)
        if whole:
            values = {**values, **whole}
        if None in values.values():
            values = {n: v for n, v in values.items() if v is not None or n not in self._null_means_absent}
        try:
            return self.model.model_validate(values)
        except ValidationError as exc:
            raise _refusal(exc) from None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


_EXPECTED = {
    "string_type": "string",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "int_type": "number",
    "int_parsing": "number",
    "float_type": "number",
    "float_parsing": "number",
}


def _text(problem: Any) -> str:
    kind, context, value = problem["type"], problem.get("ctx") or {}, problem.get("input")
    if kind == "missing":
        return "Required"
    if kind == "int_type" and isinstance(value, float):
        return "Expected integer, received float"
    if kind in _EXPECTED:
        return f"Expected {_EXPECTED[kind]}, received {_kind(value)}"
    if kind == "literal_error":
        return f"Invalid value. Expected {context['expected']}"
    if kind == "string_too_short":
        return f"String must contain at least {context['min_length']} character(s)"
    if kind == "string_too_long":
        return f"String must contain at most {context['max_length']} character(s)"
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"Must hold at {'least' if kind == 'too_short' else 'most'} {bound} item(s)"
    if kind in ("greater_than", "greater_than_equal"):
        bound = context.get("gt", context.get("ge"))
        return f"Number must be greater than {'' if kind == 'greater_than' else 'or equal to '}{bound}"
    if kind in ("less_than", "less_than_equal"):
        bound = context.get("lt", context.get("le"))
        return f"Number must be less than {'' if kind == 'less_than' else 'or equal to '}{bound}"
    # Our own validators' texts, and Pydantic's for the rest; neither repeats the value.
    return str(problem["msg"]).removeprefix("Value error, ")


def _refusal(exc: ValidationError) -> InvalidInput:
    tree: dict[str, Any] = {"_errors": []}
    texts: list[str] = []
    for problem in exc.errors(include_url=False):
        node, path = tree, [str(part) for part in problem["loc"]]
        text = _text(problem)
        for part in path:
            node = node.setdefault(part, {"_errors": []})
        node["_errors"].append(text)
        name = ".".join(path)
        if not name:
            texts.append(text)
        elif text == "Required":
            texts.append(f"{name} is required")
        else:
            texts.append(f'{text} for "{name}"')
    message = texts[0] if len(texts) == 1 else f"{len(texts)} Input Errors: {', '.join(texts)}"
    return InvalidInput(message, problems=tree)


NON_EMPTY = MinLen(1)
__all__ = [
    "NON_EMPTY", "NOT_BLANK", "NULL", "TEXT", "Checker", "Cursor", "Id", "Instant", "Key", "Metadata", "NoParams",
    "Params",
]  # fmt: skip
