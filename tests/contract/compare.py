"""Where two schemas differ: ours, and the published one of the same thing.

What we take must be at least what is published, what we answer at most that. A difference is one line of text, so that
a list of the intended ones reads as prose: `/locks/list device_type: lacks the values x_lock`.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


class Comparison:
    """Compares with the published components at hand, for references."""

    def __init__(self, ours: dict[str, Schema], theirs: dict[str, Schema]) -> None:
        self._ours = ours
        self._theirs = theirs

    # ------------------------------------------------------------ what we take

    def taken(self, ours: Schema, theirs: Schema) -> Iterator[str]:
        """Differences of two objects of parameters."""
        here, there = members(ours), members(theirs)
        for name in sorted(there.keys() - here.keys()):
            yield f"{name}: is not taken"
        for name in sorted(here.keys() - there.keys()):
            yield f"{name}: is not published"
        for name in sorted(here.keys() & there.keys()):
            if (name in ours.get("required", [])) != (name in always(theirs)):
                yield f"{name}: is {'' if name in always(theirs) else 'not '}required"
            if ("x-undocumented" in here[name]) != ("x-undocumented" in there[name]):
                yield f"{name}: is {'' if 'x-undocumented' in there[name] else 'not '}undocumented"
            yield from self._value_taken(name, here[name], there[name])

    def _value_taken(self, name: str, ours: Schema, theirs: Schema) -> Iterator[str]:
        if lacking := kinds(theirs) - kinds(ours):
            if kinds(ours):
                yield f"{name}: does not take {words(lacking)}"
            return
        if nullable(theirs) and not nullable(ours):
            yield f"{name}: does not take null"
        if values(ours) and (values_lacking := values(theirs) - values(ours)):
            yield f"{name}: lacks the values {words(values_lacking)}"
        if values(ours) and not values(theirs):
            yield f"{name}: takes some values only"
        if "default" in theirs and theirs["default"] is not None and theirs["default"] != ours.get("default"):
            yield f"{name}: has the default {theirs['default']!r}"
        if "items" in ours and "items" in theirs:
            yield from self._value_taken(f"{name}[]", ours["items"], theirs["items"])
        if members(ours) and members(theirs):
            for line in self.taken(ours, theirs):
                yield f"{name}.{line}"

    # ------------------------------------------------------------ what we answer

    def answered(self, ours: Schema, theirs: Schema) -> Iterator[str]:
        """Differences of two objects in answers."""
        here, there = members(ours), members(theirs)
        for name in sorted(there.keys() - here.keys()):
            if "x-undocumented" not in there[name]:
                yield f"{name}: is never answered" + (", though required" if name in always(theirs) else "")
        for name in sorted(here.keys() - there.keys()):
            yield f"{name}: is not published"
        for name in sorted(here.keys() & there.keys()):
            if name in always(theirs) and name not in ours.get("required", []):
                yield f"{name}: is not always answered"
            yield from self._value_answered(name, here[name], there[name])

    def _value_answered(self, name: str, ours: Schema, theirs: Schema) -> Iterator[str]:
        if (here := reference(ours)) and (there := reference(theirs)):
            if here != there:
                yield f"{name}: is a {there}"
            return
        ours, theirs = self._open(ours, self._ours), self._open(theirs, self._theirs)
        if kinds(theirs) and (more := kinds(ours) - kinds(theirs)):
            yield f"{name}: may be {words(more)}"
            return
        if nullable(ours) and not nullable(theirs):
            yield f"{name}: may be null"
        if kinds(theirs) == {"string"} and (texts := values(theirs)):
            if not values(ours):
                yield f"{name}: may be any text"
            elif others := values(ours) - texts:
                yield f"{name}: may be {words(others)}"
        if "items" in ours and "items" in theirs:
            yield from self._value_answered(f"{name}[]", ours["items"], theirs["items"])
        if members(ours) and members(theirs):
            for line in self.answered(ours, theirs):
                yield f"{name}.{line}"

    @staticmethod
    def _open(schema: Schema, components: dict[str, Schema]) -> Schema:
        name = reference(schema)
        return {**components[name], "nullable": nullable(schema)} if name else schema


def reference(schema: Schema) -> str | None:
    """The component that a schema refers to, also through the `allOf` that `nullable` asks for."""
    if len(options := schema.get("allOf", [])) == 1:
        return reference(options[0])
    found = schema.get("$ref")
    return str(found).rsplit("/", 1)[-1] if found else None


def alternatives(schema: Schema) -> list[Schema]:
    """The schemas of which one must fit; itself when there is only one."""
    options = schema.get("oneOf") or schema.get("anyOf")
    return [part for option in options for part in alternatives(option)] if options else [schema]


def merged(schema: Schema) -> list[Schema]:
    """The schemas that must all fit."""
    return [part for option in schema.get("allOf", []) for part in merged(option)] + [schema]


def members(schema: Schema) -> dict[str, Schema]:
    """Name → schema, over all alternatives."""
    return {
        name: member
        for option in alternatives(schema)
        for part in merged(option)
        for name, member in part.get("properties", {}).items()
    }


def always(schema: Schema) -> set[str]:
    """The members that every alternative requires."""
    return set.intersection(
        *({n for part in merged(option) for n in part.get("required", [])} for option in alternatives(schema))
    )


def kinds(schema: Schema) -> set[str]:
    """The JSON types a schema admits; empty when it does not say."""
    found: set[str] = set()
    for option in alternatives(schema):
        for part in merged(option):
            if "$ref" in part or "properties" in part:
                found.add("object")
            if "type" in part:
                found.add("number" if part["type"] == "integer" else part["type"])
            for deeper in part.get("oneOf", []) if part is not schema else []:
                found |= kinds(deeper)
    return found


def nullable(schema: Schema) -> bool:
    """Null fits."""
    return any(part.get("nullable", False) for option in [*alternatives(schema), schema] for part in merged(option))


def values(schema: Schema) -> set[str]:
    """The texts that fit, where not every one does."""
    listed = [set(map(str, part["enum"])) for o in alternatives(schema) for part in merged(o) if "enum" in part]
    free = any("enum" not in part for o in alternatives(schema) for part in merged(o) if part.get("type") == "string")
    return set() if free or not listed else set.union(*listed) - {"None"}


def words(names: set[str]) -> str:
    """A list for people."""
    return ", ".join(sorted(names))
