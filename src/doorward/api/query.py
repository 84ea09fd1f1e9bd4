"""Query strings, in the two dialects that Seam's clients speak.

**Strict** (marked by `_strict=true`, sent by current SDKs): lists as repeated keys, an empty list or null as an empty
value (these SDKs never send an empty text), objects with dotted keys, `true`/`false`, commas kept.
**Generous** (older clients, curl, browsers): also `key[]`, comma-joined lists, `yes`/`1`, surrounding blanks. What a
value should become is read from the route's parameters; text that does not fit is handed on as text, so that validation
names the problem.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from doorward.errors import InvalidQueryParams

TRUE = {"true", "True", "yes", "1"}
FALSE = {"false", "False", "no", "0"}
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{1,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?", re.ASCII)


class Shape:
    """What a parameter wants: `list` (of `item`), `object`, `bool`, `number` or `string`; `nullable`: null means
    something of its own."""

    __slots__ = ("item", "kind", "members", "nullable")

    def __init__(
        self,
        kind: str,
        *,
        item: "Shape | None" = None,
        members: "Mapping[str, Shape] | None" = None,
        nullable: bool = False,
    ) -> None:
        self.kind = kind
        self.item = item
        self.members = members
        self.nullable = nullable


TEXT = Shape("string")
MEMBER = Shape("string", nullable=True)
"""Of an object whose members are not known: null takes one away, or asks for those without it."""


def _fail(name: str, why: str) -> InvalidQueryParams:
    return InvalidQueryParams(f"Could not parse parameter: '{name}' {why}")


def parse_query(text: str, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """The parameters of a query string. Raises InvalidQueryParams when it cannot be decided what was meant."""
    pairs: list[tuple[str, str]] = []
    strict = False
    for part in text.split("&"):
        if not part:
            continue
        raw, _, value = part.partition("=")
        name, value = unquote_plus(raw), unquote_plus(value)
        if name == "_strict":
            strict = value.strip() == "true"
        else:
            pairs.append((name, value))

    plain: dict[str, list[str]] = {}
    bracketed: dict[str, list[str]] = {}
    for name, value in pairs:
        # In the strict dialect brackets are part of a name: a member of an object may have such a one.
        if name.endswith("[]") and not strict:
            bracketed.setdefault(name[:-2], []).append(value)
        else:
            plain.setdefault(name, []).append(value)
    for name in bracketed:
        if name in plain and name in shapes:
            raise _fail(name, "is given both with and without brackets")

    result: dict[str, Any] = {}
    for name, values in bracketed.items():
        shape = shapes.get(name)
        if shape is None:
            continue
        if shape.kind != "list":
            raise _fail(name, "takes one value, not a list")
        result[name] = [_scalar(v, shape.item or TEXT, strict=False) for v in values]
    for name, values in plain.items():
        shape = shapes.get(name)
        if shape is not None:
            result[name] = _value(name, values, shape, strict)
            continue
        head, dot, member = name.partition(".")
        parent = shapes.get(head)
        if dot and parent is not None and parent.kind == "object":
            held = result.setdefault(head, {})
            if not isinstance(held, dict):
                raise _fail(head, "is given both as a whole and by member")
            held[member] = _value(name, values, (parent.members or {}).get(member, MEMBER), strict)
    return result


def _value(name: str, values: list[str], shape: Shape, strict: bool) -> Any:
    if shape.kind == "list":
        item = shape.item or TEXT
        if len(values) == 1:
            only = values[0]
            if only == "" or (not strict and not only.strip()):
                return []
            if not strict and "," in only:
                return [_scalar(v, item, strict=False) for v in only.split(",")]
        return [_scalar(v, item, strict) for v in values]
    if len(values) > 1:
        raise _fail(name, "is given more than once")
    if shape.kind == "object":
        return None if values[0] == "" and (strict or shape.nullable) else values[0]
    return _scalar(values[0], shape, strict)


def _scalar(text: str, shape: Shape, strict: bool) -> Any:
    if not strict:
        text = text.strip()
    if text == "" and (strict or shape.nullable or shape.kind != "string"):
        return None
    if shape.kind == "bool":
        if text in (TRUE if not strict else {"true"}):
            return True
        if text in (FALSE if not strict else {"false"}):
            return False
    elif shape.kind == "number" and _NUMBER.fullmatch(text):
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return text
