"""Seam's own command line against a server: it reads from the server what it can do, and asks nobody else."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from doorward.demo import Browser, Server, clean_environment

from .guide import NPM

SEAM = NPM / "node_modules" / ".bin" / "seam"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "seam-cli.md"


def printed() -> list[str]:
    """The commands of the page, in their order, without the program's name."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("    seam ") for line in lines if line.startswith("    seam ")]


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
        return self._run([*words.split(), *given, "--remote-schema", "--non-interactive"])

    def as_printed(self, command: str, **variables: str) -> Any:
        """What a command of the page answers, with these for its variables."""
        for name, value in variables.items():
            command = command.replace(f"${name}", value)
        done = self._run(shlex.split(command))
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def _run(self, words: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(SEAM), *words],
            env=self._env,
            stdin=subprocess.DEVNULL,
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


def test_a_door_is_connected_opened_and_given_a_code_as_the_page_says(seam: Cli) -> None:
    connect, locks, unlock, create = printed()
    Browser(email="jane@example.com").walk(seam.as_printed(connect)["connect_webview"]["url"])
    [lock, *_] = seam.as_printed(locks)["devices"]
    about = {"device_id": lock["device_id"]}
    attempt = seam.as_printed(unlock, DOOR=lock["device_id"])["action_attempt"]
    assert attempt["action_type"] == "UNLOCK_DOOR"
    code = seam.as_printed(create, DOOR=lock["device_id"])["access_code"]
    assert (code["name"], code["code"]) == ("Guest", "482937")
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
