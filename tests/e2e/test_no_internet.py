"""With the Internet cable out: the guide, with SDKs of every age, where there is nothing but loopback."""

import ipaddress
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from seam import Seam  # type: ignore[attr-defined]

from doorward.demo import Browser, Server, clean_environment

from .conftest import need
from .guide import PROGRAMS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHOSEN = (
    "test_guide_python.py::test_the_guide",
    "test_guide_python.py::test_the_guide_in_an_event_loop",
    "test_guide_python.py::test_a_code_changes_and_goes",
    "test_guide_javascript.py::test_the_guide_and_beyond",
    "test_guide_of_its_day.py::test_python",
    "test_guide_of_its_day.py::test_javascript",
    "test_guide_curl.py::test_the_guide",
    "test_restart.py::test_a_code_survives_a_kill",
    "test_restart.py::test_a_virtual_intercom_remembers",
    "test_restart.py::test_a_half_filled_page_goes_on_after_a_restart",
    "test_real_intercom.py::test_a_real_door_from_its_address_to_its_events",
)
PATIENCE_S = 240
WAYS = (("--net",), ("--map-root-user", "--net"))
"""As root, and as anybody else where the system lets them."""


@pytest.fixture(scope="session")
def unshare() -> list[str]:
    """The command that runs another in a network namespace of its own. Skips where none may be made."""
    if not sys.platform.startswith("linux"):
        pytest.skip("network namespaces are Linux's")
    program = need("unshare", package="util-linux")
    said = []
    for way in WAYS:
        done = subprocess.run([program, *way, "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return [program, *way]
        said.append(f"unshare {' '.join(way)}: {done.stderr.strip()}")
    pytest.skip("this system lets nobody make a network namespace here: " + "; ".join(said))


def run_cut_off(unshare: list[str], tmp_path: Path, *command: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """A command without a network: how it ended, and the report of `cut_off.py`."""
    report = tmp_path / "report.json"
    # What was told to the tests around is not for those within.
    env = {name: value for name, value in clean_environment().items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*unshare, sys.executable, str(PROGRAMS / "cut_off.py"), str(report), *command],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done, json.loads(report.read_text()) if report.exists() else None


def test_the_guide_without_a_network(unshare: list[str], tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    done, report = run_cut_off(
        unshare,
        tmp_path,
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={results}"),
        *(str(HERE / name) for name in CHOSEN),
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
    assert report["interfaces"] == ["lo"]
    assert report["errors"]["192.0.2.1"] == "ENETUNREACH"

    # Each of them ran to its end: one that was skipped has not shown anything.
    cases = list(ET.parse(results).getroot().iter("testcase"))
    passed = [f"{c.attrib['classname'].rpartition('.')[2]}.py::{c.attrib['name']}" for c in cases if len(c) == 0]
    assert sorted(passed) == sorted(CHOSEN), done.stdout[-8000:]

    # Server, SDKs and curl together: the kernel was never asked for a way out.
    if report["attempts"] is None:
        assert report["proof"] == 0
    else:
        assert report["attempts"] == 0


def test_an_attempt_to_leave_is_seen(unshare: list[str], tmp_path: Path) -> None:
    """The kernel's count, which the test above relies on, rises by a connection or a question to a name server."""
    program = (
        "import socket\n"
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    try: socket.socket(socket.AF_INET, kind).connect(('198.51.100.1', 53))\n"
        "    except OSError: pass\n"
    )
    done, report = run_cut_off(unshare, tmp_path, sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    if report["attempts"] is None:
        pytest.skip("this kernel does not count refused routes in a network namespace")
    assert report["attempts"] == 2


def is_loopback(address: object) -> bool:
    """Whether a connection to it stays on this machine. A path or None is no network at all."""
    if address is None or isinstance(address, str):
        host = address or ""
        if not host or host.startswith(("/", "\0")):
            return True
    else:
        assert isinstance(address, list), address
        host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def test_the_server_goes_nowhere(tmp_path: Path) -> None:
    """Connecting, opening, codes, a restart: no connection and no question for a name leaves this machine."""
    went = tmp_path / "went"
    path = os.pathsep.join(filter(None, (str(PROGRAMS / "audit"), os.environ.get("PYTHONPATH"))))
    with Server(tmp_path / "data", env={"PYTHONPATH": path, "AUDIT_TO": str(went)}) as server:
        client: Any = Seam(api_key=server.api_key(), endpoint=server.url)
        Browser().walk(client.connect_webviews.create(accepted_providers=["my_2n"]).url)
        lock = client.locks.list()[0]
        client.locks.unlock_door(device_id=lock.device_id)
        client.access_codes.create(device_id=lock.device_id, code="123456", name="Personal Access Code")
        assert server.stop() == 0
        server.start()
        client.locks.lock_door(device_id=lock.device_id)
        assert client.locks.get(device_id=lock.device_id).properties.locked is True
        client.client.close()

    events = [json.loads(line) for line in went.read_text().splitlines()]
    # The hook was there, before and after the restart.
    assert [event for event in events if event[0] == "socket.bind"].count(
        ["socket.bind", ["127.0.0.1", server.port]]
    ) == 2
    assert [event for event in events if not is_loopback(event[1])] == []
