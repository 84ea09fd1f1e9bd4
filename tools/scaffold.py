"""Prints a first draft of a route from the published schema: `python tools/scaffold.py /webhooks/get`.

Names and types only; the descriptions are for you to write, and so is what it does.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.contract import published
from tests.contract.compare import always, members, nullable, reference

TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "dict[str, Any]"}


def kind(name: str, schema: dict[str, Any]) -> str:
    """The annotation of a parameter."""
    if schema.get("type") == "array":
        return f"list[{kind(name.removesuffix('s'), schema.get('items', {}))}]"
    if "enum" in schema:
        return "Literal[" + ", ".join(repr(v) for v in schema["enum"]) + "]"
    if schema.get("format") == "date-time":
        return "Instant"
    return "Id" if name.endswith("_id") else TYPES.get(schema.get("type", ""), "Any")


def field(name: str, schema: dict[str, Any], required: bool) -> str:
    """The declaration of a parameter."""
    annotation = kind(name, schema)
    if required:
        return f"{name}: {annotation}" + (" | None" if nullable(schema) else "")
    default = schema.get("default")
    return f"{name}: {annotation} = {default!r}" if default is not None else f"{name}: {annotation} | None = None"


def answer(schema: dict[str, Any]) -> str:
    """The type of what stands under a key of the reply."""
    if (resource := reference(schema)) is not None:
        return "".join(word.title() for word in resource.split("_"))
    if schema.get("type") == "array":
        return f"list[{answer(schema.get('items', {}))}]"
    return TYPES.get(schema.get("type", ""), "Any")


def draft(path: str) -> str:
    """The class of parameters and the handler."""
    operation = published.documented()[path]["post"]
    word = path.rsplit("/", 1)[-1]
    name, function = word.title().replace("_", ""), word + ("_" if word == "list" else "")
    body, reply = published.body(operation), members(published.reply(operation))
    required = always(body)
    lines = [f"class {name}(Params):", f'    """Parameters of {word}."""', ""]
    for key, schema in sorted(members(body).items(), key=lambda pair: (pair[0] not in required, pair[0])):
        lines += [f"    {field(key, schema, key in required)}", '    """…"""']
    returns = ", ".join(f'"{key}": {answer(schema)}' for key, schema in reply.items() if key != "ok")
    options = [f'"{path}"', f'auth="{published.letters(path)}"']
    options += [f"returns={{{returns}}}"] if returns else []
    if action_type := operation.get("x-action-attempt-type"):
        options.append(f'action_type="{action_type}"')
    if "pagination" in reply:
        options.append("pages=PAGE")
    lines += [
        "",
        "",
        f"@route({', '.join(options)})",
        f"async def {function}(req: Request, p: {name}) -> {'dict[str, Any]' if returns else 'None'}:",
        '    """…"""',
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    paths = [argument for argument in sys.argv[1:] if argument in published.documented()]
    if not paths:
        raise SystemExit("Which route? Give the path of a documented one, e.g. /webhooks/get")
    sys.stdout.write("\n\n\n".join(map(draft, paths)) + "\n")
