"""Seam's published schema, read from the npm package that `make test` installs. Nothing of it is kept in the tree."""

import functools
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "tests" / "npm" / "node_modules" / "@seamapi"
CACHE = ROOT / ".cache" / "published"
LETTERS = {
    "api_key": "A",
    "client_session": "C",
    "client_session_with_customer": "K",
    "client_session_with_customer_ro": "R",
    "publishable_key": "P",
    "pat_without_workspace": "N",
}


def version(package: str) -> str:
    """The installed version of one of Seam's packages."""
    manifest = PACKAGES / package / "package.json"
    if not manifest.exists():
        raise RuntimeError(f"@seamapi/{package} is not installed. Run: make test (it installs tests/npm)")
    return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])


def node(script: str, given: str = "") -> Any:
    """What a module prints as JSON; `given` is its standard input."""
    command = ["node", "--input-type=module", "-e", script]
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False, encoding="utf-8")
    except FileNotFoundError:
        raise RuntimeError("Node.js is not installed. Run: make test (it installs what tests need)") from None
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def kept(name: str, script: str) -> Any:
    """What a module prints, kept for the next run under a name that says what it was made from."""
    file = CACHE / f"{name}-{hashlib.sha256(script.encode()).hexdigest()[:12]}.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    found = node(script)
    CACHE.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(found), encoding="utf-8")
    draft.replace(file)
    return found


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document of the package."""
    name = f"types-{version('types')}"
    module = (PACKAGES / "types" / "lib" / "seam" / "connect" / "openapi.js").as_uri()
    script = f"import openapi from {json.dumps(module)}; process.stdout.write(JSON.stringify(openapi))"
    found: dict[str, Any] = kept(name, script)
    return found


@functools.cache
def documented() -> dict[str, dict[str, Any]]:
    """Path → verb → operation, of the documented paths."""
    return {
        path: verbs
        for path, verbs in document()["paths"].items()
        if not any("x-undocumented" in operation for operation in verbs.values())
    }


def letters(path: str) -> str:
    """Who may call it, in the order of the reference: A N C K R P."""
    found = {
        LETTERS[scheme]
        for operation in documented()[path].values()
        for option in operation.get("security", [])
        for scheme in option
        if scheme in LETTERS
    }
    return "".join(letter for letter in "ANCKRP" if letter in found)


def verbs(path: str) -> list[str]:
    """The verbs it takes, in the order of route.py."""
    return [verb for verb in ("GET", "POST", "PUT", "PATCH", "DELETE") if verb.lower() in documented()[path]]


def body(operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of an operation's body."""
    found: dict[str, Any] = (
        operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
    return found


def reply(operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of an operation's answer; of one that says nothing, that of the bare envelope."""
    content = operation["responses"]["200"].get("content", {})
    found: dict[str, Any] = content.get("application/json", {}).get("schema", {"properties": {"ok": {}}})
    return found


def resource(name: str) -> dict[str, Any]:
    """A named schema."""
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def events() -> dict[str, dict[str, Any]]:
    """Event type → its schema."""
    return variants(resource("event"), "event_type")


def variants(schema: dict[str, Any], *by: str) -> dict[str, dict[str, Any]]:
    """The alternatives of a schema, by the one value that each allows in these members, joined by blanks."""
    return {" ".join(option["properties"][name]["enum"][0] for name in by): option for option in schema["oneOf"]}
