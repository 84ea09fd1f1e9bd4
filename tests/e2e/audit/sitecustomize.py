"""Writes down where a Python process goes on the network: put this folder on its PYTHONPATH.

Each line of the file $AUDIT_TO is JSON: `[event, address]`, as the interpreter's audit events tell it. uvloop makes
its connections below the interpreter, where nothing is told, so it is hidden and asyncio's own loop does the same work.
"""

import json
import os
import sys
from typing import Any

_WHERE = {"socket.connect": 1, "socket.sendto": 1, "socket.bind": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}
"""Event → which of its arguments is the address."""


def _install(path: str) -> None:
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        at = _WHERE.get(event)
        if at is not None:
            os.write(out, json.dumps([event, args[at]], default=repr).encode() + b"\n")

    sys.addaudithook(hook)
    sys.modules["uvloop"] = None  # type: ignore[assignment]


if "AUDIT_TO" in os.environ:
    _install(os.environ["AUDIT_TO"])
