"""Seam's published schema, read from the npm package that `make test` installs. Nothing of it is kept in the tree."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "npm" / "node_modules" / "@seamapi" / "types"
LETTERS = {
    "api_key": "A",
    "client_session": "C",
    "client_session_with_customer": "K",
    "client_session_with_customer_ro": "R",
    "publishable_key": "P",
    "pat_without_workspace": "N",
}


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document of the package."""
    if not PACKAGE.exists():
        raise RuntimeError("The published schema is not installed. Run: make test (it installs tests/npm)")
    script = f"import {{ openapi }} from {json.dumps(str(PACKAGE / 'dist' / 'connect.cjs'))};"
    script += "process.stdout.write(JSON.stringify(openapi))"
    done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@functools.cache
def documented() -> dict[str, dict[str, Any]]:
    """Path → verb → operation, of the documented paths."""
    return {
        path: verbs
        for path, verbs in document()["paths"].items()
        if not any("x-undocumented" in operation for operation in verbs.values())
    }


def letters(path: str) -> set[str]:
    """Who may call it."""
    return {
        LETTERS[scheme]
        for operation in documented()[path].values()
        for option in operation.get("security", [])
        for scheme in option
        if scheme in LETTERS
    }


def parameters(path: str) -> list[dict[str, Any]]:
    """The shapes its body may have: each an object schema."""
    operation = documented()[path]["post"]
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    found: list[dict[str, Any]] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return found


def response(path: str) -> dict[str, Any]:
    """The members of its reply."""
    schema = documented()[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = schema["properties"]
    return found


def resource(name: str) -> dict[str, Any]:
    """A named schema."""
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def kinds(schema: dict[str, Any]) -> set[str]:
    """The JSON types a schema admits; empty when it says nothing."""
    found: set[str] = set()
    for option in schema.get("oneOf", []) + schema.get("anyOf", []):
        found |= kinds(option)
    if "allOf" in schema:
        for option in schema["allOf"]:
            found |= kinds(option)
    if "type" in schema:
        found.add("number" if schema["type"] == "integer" else schema["type"])
    if "$ref" in schema:
        found.add("object")
    return found
