"""`doorward emulator …`: a program that runs intercoms, and programs that do things to them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from doorward.cli import app

PROGRAM = [sys.executable, "-c", "from doorward.cli import app; app()", "emulator", "2n", "--port", "0"]


class Emulator:
    """A running `doorward emulator 2n`."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "--control-port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.ready: dict[str, Any] = json.loads(line)
        self.serials: list[str] = [device["serial"] for device in self.ready["devices"]]

    def run(self, *words: str, env: dict[str, str] | None = None) -> Result:
        """One command about it."""
        control = {"DOORWARD_EMULATOR_CONTROL": self.ready["control"]} if env is None else env
        return CliRunner().invoke(app, ["emulator", *words], env=control)

    def __call__(self, *words: str) -> Any:
        """What a command that works prints, as JSON; None for nothing."""
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if result.stdout else None

    def stop(self) -> None:
        """Stop it as a service manager does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=20)
        assert (self.process.returncode, out, err) == (0, b"", b"")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    running = Emulator("--model", "verso,style", "--model", "uni", "--serial", "54-1111-0001", "--name", "Gate")
    yield running
    running.stop()


def test_models_and_serials_follow_each_other(emulator: Emulator) -> None:
    assert [device["model"] for device in emulator.ready["devices"]] == ["verso", "style", "uni"]
    assert emulator.serials == ["54-1111-0001", "54-1111-0002", "54-1111-0003"]
    assert {device["name"] for device in emulator.ready["devices"]} == {"Gate"}
    assert emulator.run("devices").stdout.count("\n") == 3
    assert emulator("show", "--device", "54-1111-0003")["model"] == "uni"


def test_people_come_and_go(emulator: Emulator) -> None:
    assert emulator("fill", "3", "--owner", "ACOM")["users"] == 3
    emulator("pin", "98765432")
    emulator("keys", "12#")
    assert emulator("card", "4BC5D8F1") == {"opened": False}
    assert emulator("mobile-key", "ABCD", "--ap", "1") == {"opened": False}
    assert emulator("finger") == {"opened": False}
    assert emulator("plate", "1AB2345") == {"opened": False}
    emulator("ring", "2")
    assert emulator("answer") == {"session": 1}
    assert emulator("hang-up") == {"session": 1}
    emulator("exit-button")
    emulator("door", "open")
    assert emulator("show")["door"] == "open"
    emulator("door", "close")
    emulator("input", "tamper", "1")
    shown = emulator("show")
    assert shown["door"] == "closed" and {"port": "tamper", "state": 1} in shown["ports"]


def test_settings_change(emulator: Emulator) -> None:
    emulator("account", "bob", "--password", "s3cret", "--privilege", "none")
    emulator("account", "bob", "--disable")
    emulator("service", "switch", "--authentication", "basic", "--disable")
    emulator("switch", "2", "--enable", "--mode", "bistable", "--duration", "9")
    emulator("clock", "--offset", "-3600", "--zone", "Europe/Prague")
    before = emulator("show")["directory"]["series"]
    emulator("new-series")
    shown = emulator("show")
    assert shown["accounts"][-1] == {"name": "bob", "enabled": False, "privileges": []}
    assert shown["services"]["switch"] == {"enabled": False, "connection": "tcp", "authentication": "basic"}
    assert (shown["switches"][1]["mode"], shown["switches"][1]["duration"]) == ("bistable", 9)
    assert (shown["clock"]["offset"], shown["clock"]["zone"]) == (-3600, "Europe/Prague")
    assert shown["directory"]["series"] != before
    assert "s3cret" not in json.dumps(shown)


def test_troubles_are_armed_and_cleared(emulator: Emulator) -> None:
    emulator("fault", "late-poll", "--times", "2", "--seconds", "7")
    emulator("nonces", "age")
    emulator("nonces", "forget")
    emulator("drop", "--path", "dir/")
    emulator("delay", "0.5")
    emulator("deny", "--times", "1")
    assert [fault["kind"] for fault in emulator("faults")] == [
        "late-poll",
        "stale-nonce",
        "forget-nonces",
        "truncate",
        "slow",
        "no-privilege",
    ]
    emulator("clear", "slow")
    assert len(emulator("faults")) == 5
    emulator("clear")
    assert emulator("faults") is None


def test_requests_and_counters_are_shown(emulator: Emulator) -> None:
    address = emulator.run("address", "--device", emulator.serials[1]).stdout.strip()
    assert address.startswith("http://127.0.0.1:") and address != emulator.ready["devices"][1]["url"]
    chosen = ("--device", emulator.serials[1])
    emulator("counters", "--reset", *chosen)
    url = f"{address}/api/switch/ctrl?switch=1&action=on"
    subprocess.run([sys.executable, "-c", f"import requests; requests.get('{url}')"], check=True)
    assert emulator.run("requests", "--clear", *chosen).stdout == (
        "GET /api/switch/ctrl?switch=1&action=on 401 (code 9)\n"
    )
    assert emulator.run("requests", *chosen).stdout == ""
    assert emulator("counters", *chosen)["by_path"] == {"/api/switch/ctrl": 1}


def test_the_power_goes(emulator: Emulator) -> None:
    chosen = ("--device", emulator.serials[2])
    boot = emulator("show", *chosen)["boot_uuid"]
    for command in ("reboot", "power-cut", "factory-reset"):
        emulator(command, "--outage", "3600", *chosen)
        assert emulator("show", *chosen)["online"] is False
        assert emulator.run("keys", "1", *chosen).exit_code == 1
        emulator(command, "--outage", "0", *chosen)
    assert emulator("show", *chosen)["boot_uuid"] != boot


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fault", "flood"], "There is no fault 'flood'"),
        (["keys", "hello"], "A key is a digit"),
        (["keys", "1", "--device", "00-0000-0000"], "There is no device"),
        (["certificate"], "--tls"),
        (["door", "ajar"], "ajar"),
    ],
)
def test_a_refusal_is_a_sentence(emulator: Emulator, words: list[str], sentence: str) -> None:
    result = emulator.run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr


def test_no_control_plane_is_a_sentence(emulator: Emulator) -> None:
    result = emulator.run("show", "--control", "http://127.0.0.1:9", env={})
    assert result.exit_code == 2 and "no control plane" in result.stderr
    assert "Traceback" not in result.output
    device = emulator.ready["devices"][0]["url"]
    assert emulator.run("show", "--control", device, env={}).exit_code != 0


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "toaster"],
        ["--firmware", "3.1"],
        ["--serial", "12"],
        ["--quirk", "speed=1"],
        ["--quirk", "strict_uri=perhaps"],
        ["--zone", "Moon/Sea"],
        ["--count", "0"],
    ],
)
def test_senseless_options_are_a_sentence(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["emulator", "2n", "--port", "0", *options])
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr and "Traceback" not in result.stderr


def test_state_and_certificate_survive_the_program(tmp_path: Path) -> None:
    options = ("--state", str(tmp_path), "--tls", "--firmware", "new", "--quirk", "strict_uri=true", "--unlicensed")
    first = Emulator(*options)
    first("fill", "20")
    first.process.kill()  # a power cut for the program: nothing is written on the way out
    first.process.wait()
    for stream in (first.process.stdout, first.process.stderr):
        assert stream is not None
        stream.close()
    second = Emulator(*options)
    assert second.ready["devices"] == [{**first.ready["devices"][0], "url": second.ready["devices"][0]["url"]}]
    swapped = second.run("certificate").stdout.strip()
    assert swapped != first.ready["devices"][0]["certificate"]
    shown = second("show")
    assert (shown["directory"]["users"], shown["certificate"]) == (20, swapped)
    assert shown["faults"][0]["kind"] == "unlicensed"
    second.stop()
