"""The commands as a person types them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from doorward.demo import Server, clean_environment, command

from .conftest import need


@pytest.fixture
def emulator() -> Iterator[dict[str, Any]]:
    """`doorward emulator 2n`: its ready line."""
    with subprocess.Popen(
        [*command(), "emulator", "2n", "--port", "0", "--count", "2", "--control-port", "0"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        yield ready
        process.terminate()
        assert process.wait(10) == 0


def curl(*words: str) -> dict[str, Any]:
    """The reply's JSON."""
    program = need("curl", package="curl")
    done = subprocess.run(
        [program, "--silent", "--show-error", "--max-time", "10", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reply: dict[str, Any] = json.loads(done.stdout)
    return reply


def test_the_emulator_answers_curl(emulator: dict[str, Any]) -> None:
    first, second = emulator["devices"]
    assert first["serial"] != second["serial"]
    assert curl(f"{first['url']}/api/switch/status")["success"] is False
    opened = curl("--digest", "--user", "jane:1234", f"{first['url']}/api/switch/ctrl?switch=1&action=trigger")
    assert opened["success"] is True
    info = curl("--digest", "--user", "jane:1234", f"{first['url']}/api/system/info")
    assert info["success"] is True
    assert info["result"]["serialNumber"] == first["serial"]

    # A person at the keypad: what the control plane is for.
    assert [device["serial"] for device in curl(f"{emulator['control']}/devices")["devices"]] == [
        first["serial"],
        second["serial"],
    ]


def test_the_server_says_how_to_use_it(stopped: Server) -> None:
    """The block that a newcomer pastes works as it stands."""
    stopped.start()
    exports = dict(
        line.strip().removeprefix("export ").split("=", 1) for line in stopped.log.splitlines() if "export SEAM" in line
    )
    assert exports["SEAM_ENDPOINT"] == stopped.url
    program = "from seam import Seam; print(Seam().devices.list())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=clean_environment(**exports),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_free_port_is_taken_and_told(stopped: Server) -> None:
    stopped.port = 0
    stopped.launch()
    deadline = time.monotonic() + 20
    while "SEAM_ENDPOINT=" not in stopped.log:
        assert time.monotonic() < deadline, stopped.log
        time.sleep(0.05)
    stopped.port = int(stopped.log.partition("SEAM_ENDPOINT=")[2].split()[0].rpartition(":")[2])
    stopped.wait_until_healthy()


def test_options_come_from_the_environment(stopped: Server) -> None:
    stopped.env |= {"DOORWARD_LOG_FORMAT": "json", "DOORWARD_LOG_LEVEL": "debug"}
    stopped.start()
    assert stopped.stop() == 0


def test_workspaces_and_tokens_are_printed_alone(stopped: Server) -> None:
    """Output that a script can take as it is."""
    data = ("--data-dir", str(stopped.data_dir))
    made = stopped.run("workspace", "create", "Hotel", *data)
    workspace_id = made.stdout.strip()
    assert len(workspace_id) == 36
    assert made.stdout == workspace_id + "\n"
    for options in (("--workspace", "Hotel"), ("--workspace", workspace_id), ()):
        assert stopped.api_key(*options).startswith("seam_test")
    real = stopped.run("workspace", "create", "House", "--production", *data).stdout.strip()
    assert not stopped.api_key("--workspace", real).startswith("seam_test")
    for wrong in ("", "x" * 256, " ", "a\nb", "\x1b[31mred"):
        for words in (("workspace", "create", wrong), ("api-key", "create", "--name", wrong)):
            done = stopped.run(*words, *data)
            assert (done.returncode, done.stdout) == (2, ""), words
            assert "1 to 255 characters" in " ".join(done.stderr.split())
    # A variable that is not set is no sandbox; of two workspaces with a name neither is meant.
    stopped.run("workspace", "create", "Hotel", *data)
    for workspace in ("", "Hotel"):
        done = stopped.run("api-key", "create", "--workspace", workspace, *data)
        assert (done.returncode, done.stdout) == (2, ""), workspace
    token = stopped.run("pat", "create", *data).stdout
    assert token.startswith("seam_at1")
    assert token.count("\n") == 1


def test_a_wrong_option_is_a_sentence(stopped: Server) -> None:
    done = stopped.run("serve", "--port", "70000")
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    done = stopped.run("api-key", "create", "--workspace", "nowhere", "--data-dir", str(stopped.data_dir))
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert done.stdout == ""
    done = stopped.run("serve", "--workers", "2", "--data-dir", str(stopped.data_dir))
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr


def test_keys_are_listed_and_revoked_beside_the_running_server(tmp_path: Path) -> None:
    with Server(tmp_path) as server:

        def told(*words: str) -> subprocess.CompletedProcess[str]:
            return server.run(*words, "--data-dir", str(server.data_dir))

        def status(key: str) -> int:
            reply = requests.post(f"{server.url}/devices/list", headers={"authorization": f"Bearer {key}"}, timeout=5)
            return reply.status_code

        key = server.api_key("--name", "front desk")
        [line] = [line for line in told("api-key", "list").stdout.splitlines() if "front desk" in line]
        assert "never used" in line
        assert "[Sandbox]" in line
        assert key not in line
        assert status(key) == 200
        deadline = time.monotonic() + 5
        while "last used" not in line and time.monotonic() < deadline:
            [line] = [line for line in told("api-key", "list").stdout.splitlines() if "front desk" in line]
        assert "last used 20" in line
        assert told("api-key", "revoke", line.split("_…")[0]).returncode == 0
        deadline = time.monotonic() + 8
        while (found := status(key)) == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found == 401
        assert told("api-key", "revoke", key).returncode == 2
        assert "revoked" in told("api-key", "list").stdout
        pat = told("pat", "create").stdout.strip()
        assert told("pat", "revoke", pat).returncode == 0
        assert status(pat) == 401
        assert "Sandbox" in told("workspace", "list").stdout
