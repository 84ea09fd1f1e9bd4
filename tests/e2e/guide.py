"""What the guide "Get started with 2N intercoms" shows, as assertions. Clients of every age leave the same trace."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from doorward.demo import Browser, clean_environment

Trace = dict[str, Any]
"""Step → what came back, as JSON. The steps are those of `check`."""

ONGOING = {"name": "Personal Access Code", "code": "123456"}
TIMED = {
    "name": "My Temporary Access Code",
    "starts_at": "2028-08-12T19:23:42+0000",
    "ends_at": "2028-08-13T19:23:42+0000",
    "code": "888888",
}


def follow(command: Sequence[str], env: Mapping[str, str], timeout: float = 90) -> Trace:
    """Run a program that walks the guide and writes a line of JSON per step.

    On `{"open": url}` we are the owner who opens the page; the program goes on when the API says that it worked.
    """
    trace: Trace = {}
    with subprocess.Popen(
        [*command], env=clean_environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        try:
            for line in program.stdout:
                step = json.loads(line)
                if "open" in step:
                    Browser().walk(step["open"])
                trace |= step
            _, errors = program.communicate(timeout=timeout)
        finally:
            program.kill()
    assert program.returncode == 0, errors
    return trace


def check(trace: Trace, *, dates: Sequence[str] = ("2028-08-12T19:24:00.000Z", "2028-08-13T19:24:00.000Z")) -> None:
    """Every assertion of the guide."""
    created = trace["webview_created"]
    assert created["login_successful"] is False
    assert created["status"] == "pending"
    assert created["accepted_providers"] == ["my_2n"]

    done = trace["webview"]
    assert done["connect_webview_id"] == created["connect_webview_id"]
    assert done["login_successful"] is True
    assert done["status"] == "authorized"
    assert done["connected_account_id"]

    names = [lock["properties"]["name"] for lock in trace["locks"]]
    assert names == ["Device 0", "Device 1", "Device 2"]
    first = trace["locks"][0]
    assert first["device_type"] == "two_n_intercom"
    assert first["capabilities_supported"] == ["access_code", "lock"]
    assert first["errors"] == []
    assert first["connected_account_id"] == done["connected_account_id"]
    shown = first["properties"]
    assert shown["online"] is True
    assert shown["locked"] is True
    assert shown["manufacturer"] == "two_n"
    assert shown["supported_code_lengths"] == [4, 5, 6, 7, 8]
    assert shown["two_n_metadata"].items() >= {"device_id": 1, "device_name": "Device 0"}.items()

    # What the attempt says, and what the lock says right after: no waiting in between.
    for step, locked in (("lock", True), ("unlock", False)):
        assert trace[step]["attempt"] == "success", step
        assert trace[step]["locked"] is locked, step

    ongoing = trace["ongoing"]
    assert ongoing["type"] == "ongoing"
    assert ongoing["code"] == "123456"
    assert ongoing["name"] == "Personal Access Code"
    assert ongoing["device_id"] == first["device_id"]
    assert ongoing["status"] in ("setting", "set")
    assert ongoing["errors"] == []

    timed = trace["timed"]
    assert timed["type"] == "time_bound"
    assert timed["code"] == "888888"
    assert (timed["starts_at"], timed["ends_at"]) == tuple(dates)
    assert timed["status"] == "unset"

    assert {code["access_code_id"]: code["code"] for code in trace["codes"]} == {
        ongoing["access_code_id"]: "123456",
        timed["access_code_id"]: "888888",
    }
    assert trace["became"] == "set"
    in_order(
        trace["events"],
        "connect_webview.login_succeeded",
        "connected_account.created",
        "connected_account.connected",
        "device.added",
        "device.connected",
        "connected_account.completed_first_sync",
        "lock.unlocked",
        "access_code.created",
        "access_code.set_on_device",
    )
    # The lock was locked already: unlocking is the one move there was.
    assert trace["events"].count("lock.unlocked") == 1


def in_order(events: Sequence[str], *chain: str) -> None:
    """The chain's events occur, one after the other, whatever else lies between."""
    rest = iter(events)
    missing = [kind for kind in chain if kind not in rest]
    assert not missing, f"{missing[0]} does not follow in {list(events)}"


PROGRAMS = Path(__file__).parent
NPM = Path(__file__).parents[1] / "npm"
