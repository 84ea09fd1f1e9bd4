"""The guide as it was printed, with the SDKs of its day: PyPI and npm `seamapi`, last released in 2023."""

import os
import sys
from pathlib import Path

import pytest

from doorward.demo import Server

from .guide import NPM, PROGRAMS, check, follow

OLD_SDK = Path(__file__).parents[2] / ".cache" / "seamapi-python"


def test_python(server: Server, key: str) -> None:
    if not OLD_SDK.exists():
        message = "needs the old Python SDK: run `make e2e`"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    trace = follow(
        [sys.executable, "-W", "ignore", str(PROGRAMS / "guide_seamapi.py")],
        {"SEAM_API_KEY": key, "SEAM_ENDPOINT": server.url, "PYTHONPATH": str(OLD_SDK)},
    )
    check(trace)
    assert trace["error"]["status"] == 404
    assert trace["error"]["metadata"]["type"] == "device_not_found"
    assert trace["error"]["request"].startswith("request")


def test_javascript(node: str, server: Server, key: str) -> None:
    trace = follow([node, str(NPM / "guide_seamapi.mjs")], {"SEAM_API_KEY": key, "SEAM_ENDPOINT": server.url})
    check(trace)
    assert trace["error"]["status"] == 404
    assert trace["error"]["type"] == "device_not_found"
