"""Seam's own command line against a server: it reads from the server what it can do, and asks nobody else."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from doorward.demo import Browser, Server, clean_environment

from .guide import NPM

SEAM = NPM / "node_modules" / ".bin" / "seam"


class Cli:
    """The program, with the key of a server."""

    def __init__(self, server: Server, key: str, home: Path) -> None:
        folders = {name: str(home) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
        self._home = home
        self._env = {
            **clean_environment(),
            **folders,
            "SEAM_CLI_ENDPOINT": server.url,
            "SEAM_CLI_TOKEN": key,
        }

    def run(self, words: str, **options: str) -> "subprocess.CompletedProcess[str]":
        """`seam devices list --limit 1` is `run("devices list", limit="1")`."""
        given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
        return subprocess.run(
            [str(SEAM), *words.split(), *given, "--remote-schema", "--non-interactive"],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, words: str, **options: str) -> Any:
        """What a command that must succeed answers."""
        done = self.run(words, **options)
        assert done.returncode == 0, (words, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    @property
    def schemas(self) -> list[Path]:
        """What it has fetched from elsewhere."""
        return list(self._home.rglob("types-*"))


@pytest.fixture
def seam(node: str, server: Server, key: str, tmp_path: Path) -> Cli:
    return Cli(server, key, tmp_path / "home")


def test_a_door_is_connected_opened_and_given_a_code(seam: Cli) -> None:
    view = seam("connect-webviews create", accepted_providers="my_2n")["connect_webview"]
    Browser(email="jane@example.com").walk(view["url"])
    [lock, *_] = seam("locks list")["devices"]
    about = {"device_id": lock["device_id"]}
    assert seam("locks unlock-door", **about)["action_attempt"]["action_type"] == "UNLOCK_DOOR"
    code = seam("access-codes create", **about, code="482937", name="Guest")["access_code"]
    listed = seam("access-codes list", **about)["access_codes"]
    assert [one["access_code_id"] for one in listed] == [code["access_code_id"]]
    assert seam("devices get", **about)["device"]["properties"]["locked"] is False
    page = seam("devices list", limit="1")
    assert page["pagination"]["has_next_page"] is True
    space = seam("spaces create", name="House", space_key="house")["space"]
    seam("spaces add-devices", space_id=space["space_id"], device_ids=lock["device_id"])
    assert seam("spaces get", space_key="house")["space"]["device_count"] == 1
    session = seam("client-sessions create", user_identifier_key="jane")["client_session"]
    assert session["token"].startswith("seam_cst1")
    assert seam.schemas == []


def test_what_is_wrong_is_told(seam: Cli) -> None:
    missing = seam.run("locks unlock-door")
    assert missing.returncode == 1
    assert "--device-id" in missing.stderr
    unknown = seam.run("devices get", device_id="nobody")
    assert unknown.returncode == 1
    assert "device_not_found" in unknown.stdout + unknown.stderr
    wrong = seam.run("devices list", limitt="1")
    assert wrong.returncode == 1
    assert "limitt" in wrong.stderr
