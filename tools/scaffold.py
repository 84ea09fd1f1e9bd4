"""Prints a first draft of a route from the published schema: `python tools/scaffold.py /webhooks/get`.

Names and types only; the descriptions are for you to write.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.contract import published

TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "dict[str, Any]"}


def kind(name: str, schema: dict[str, Any]) -> str:
    """The annotation of a parameter."""
    if schema.get("type") == "array":
        return f"list[{kind(name.removesuffix('s'), schema.get('items', {}))}]"
    if "enum" in schema:
        return "Literal[" + ", ".join(repr(v) for v in schema["enum"]) + "]"
    return "Id" if name.endswith("_id") else TYPES.get(schema.get("type", "string"), "Any")


def draft(path: str) -> str:
    """The class of parameters and the handler."""
    words = path.strip("/").split("/")
    shape = published.parameters(path)[0]
    required = shape.get("required", [])
    lines = [f"class {words[-1].title().replace('_', '')}(Params):", f'    """Parameters of {words[-1]}."""', ""]
    for name, schema in sorted(shape.get("properties", {}).items(), key=lambda p: (p[0] not in required, p[0])):
        lines.append(f"    {name}: {kind(name, schema)}" + ("" if name in required else " | None = None"))
        lines.append('    """…"""')
    keys = [key for key in published.response(path) if key != "ok"]
    returns = ", ".join(f'"{key}": …' for key in keys)
    lines += [
        "",
        "",
        f'@route("{path}", auth="{"".join(sorted(published.letters(path)))}", returns={{{returns}}})',
        f"async def {words[-1]}(req: Request, p: {words[-1].title().replace('_', '')}) -> dict[str, Any]:",
        '    """…"""',
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(draft(sys.argv[1]) + "\n")
