"""The guide with curl: GET with a JSON body as the documentation prints it, POST, and both kinds of query string."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from doorward.demo import Browser, Server

from .conftest import need
from .guide import ONGOING, TIMED, Trace, check

Curl = Callable[..., dict[str, Any]]


@pytest.fixture
def curl(server: Server, key: str) -> Curl:
    """Runs curl; the reply's JSON."""
    program = need("curl", package="curl")

    def run(method: str, path: str, body: Any = None, *, status: int = 200, authorized: bool = True) -> dict[str, Any]:
        command = [program, "--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"]
        command += ["--request", method, server.url + path]
        if authorized:
            command += ["--header", f"Authorization: Bearer {key}"]
        if body is not None:
            command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        text, _, code = done.stdout.rpartition("\n")
        assert int(code) == status, text
        reply: dict[str, Any] = json.loads(text)
        assert reply["ok"] is (status == 200)
        return reply

    return run


def connect(curl: Curl) -> None:
    """The three virtual intercoms."""
    Browser().walk(
        curl("POST", "/connect_webviews/create", {"accepted_providers": ["my_2n"]})["connect_webview"]["url"]
    )


def test_the_guide(curl: Curl) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    created = curl("POST", "/connect_webviews/create", {"accepted_providers": ["my_2n"]})["connect_webview"]
    trace: Trace = {"webview_created": created}
    Browser().walk(created["url"])
    webview_id = created["connect_webview_id"]
    trace["webview"] = curl("GET", "/connect_webviews/get", {"connect_webview_id": webview_id})["connect_webview"]
    listed = curl("GET", "/locks/list")
    assert listed["locks"] == listed["devices"]
    trace["locks"] = listed["locks"]
    device = {"device_id": listed["locks"][0]["device_id"]}
    for step in ("lock", "unlock"):
        attempt = curl("POST", f"/locks/{step}_door", device)["action_attempt"]
        # No waiting, no polling: it has happened when the answer is there.
        lock = curl("GET", "/locks/get", device)
        assert lock["lock"] == lock["device"]
        trace[step] = {"attempt": attempt["status"], "locked": lock["lock"]["properties"]["locked"]}
    reply = curl("POST", "/access_codes/create", device | ONGOING)
    assert reply["action_attempt"]["action_type"] == "CREATE_ACCESS_CODE"
    trace["ongoing"] = reply["access_code"]
    trace["timed"] = curl("POST", "/access_codes/create", device | TIMED)["access_code"]
    trace["codes"] = curl("GET", "/access_codes/list", device)["access_codes"]
    deadline = time.monotonic() + 15
    while True:
        code = {"access_code_id": trace["ongoing"]["access_code_id"]}
        trace["became"] = curl("POST", "/access_codes/get", code)["access_code"]["status"]
        if trace["became"] == "set" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    trace["events"] = [event["event_type"] for event in curl("GET", "/events/list", {"since": since})["events"]]
    check(trace)


def test_every_way_to_ask(curl: Curl) -> None:
    """JSON with GET, JSON with POST, and the query string of the old clients and of today's."""
    connect(curl)
    ids = [device["device_id"] for device in curl("POST", "/devices/list", {})["devices"]]
    assert len(ids) == 3

    def listed(method: str, path: str, body: Any = None) -> list[str]:
        return [device["device_id"] for device in curl(method, path, body)["devices"]]

    two = ids[:2]
    assert listed("GET", "/devices/list", {"device_ids": two}) == two
    assert listed("POST", "/devices/list", {"device_ids": two}) == two
    generous = [
        f"device_ids={two[0]}&device_ids={two[1]}",
        f"device_ids[]={two[0]}&device_ids[]={two[1]}".replace("[", "%5B").replace("]", "%5D"),
        f"device_ids={two[0]},{two[1]}",
    ]
    for query in generous:
        assert listed("GET", f"/devices/list?{query}") == two, query
        assert listed("POST", f"/devices/list?{query}") == two, query
    strict = f"/devices/list?_strict=true&device_ids={two[0]}&device_ids={two[1]}"
    assert listed("GET", strict) == two
    assert listed("GET", "/devices/list?_strict=true&device_ids=") == []
    assert listed("GET", "/devices/list?_strict=true&limit=1&page_cursor=") == ids[:1]
    assert curl("GET", f"/locks/get?device_id=%20{ids[0]}%20")["device"]["device_id"] == ids[0]


def test_changes_by_verb(curl: Curl) -> None:
    """PATCH and DELETE as today's clients send them, DELETE with a body as the old ones did."""
    connect(curl)
    device_id = curl("GET", "/devices/list?limit=1")["devices"][0]["device_id"]
    curl("PATCH", "/devices/update", {"device_id": device_id, "name": "Front gate"})
    assert curl("GET", f"/devices/get?device_id={device_id}")["device"]["properties"]["name"] == "Front gate"
    for method, in_query in (("DELETE", True), ("DELETE", False), ("POST", False)):
        made = curl("POST", "/access_codes/create", {"device_id": device_id})["access_code"]
        which = {"access_code_id": made["access_code_id"]}
        if in_query:
            curl(method, f"/access_codes/delete?_strict=true&{urlencode(which)}")
        else:
            curl(method, "/access_codes/delete", which)
        deadline = time.monotonic() + 15
        while curl("GET", f"/access_codes/list?device_id={device_id}")["access_codes"]:
            assert time.monotonic() < deadline, "the code is still there"
            time.sleep(0.05)


def test_what_is_refused(curl: Curl) -> None:
    assert curl("GET", "/devices/list", status=401, authorized=False)["error"]["type"] == "unauthorized"
    assert curl("POST", "/locks/unlock_door", {}, status=400)["error"]["validation_errors"] == {
        "_errors": [],
        "device_id": {"_errors": ["Required"]},
    }
    assert curl("DELETE", "/locks/unlock_door", status=405)["error"]["type"] == "method_not_allowed"


def test_health_needs_no_key(curl: Curl) -> None:
    assert curl("GET", "/health", authorized=False)["ok"] is True
    assert curl("POST", "/health/get_health", {}, authorized=False)["service_health_statuses"]
