"""Stops of every kind: a kill, a signal, a second server. What was answered stays; no command is repeated."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from doorward.demo import Browser, Server

Call = Callable[..., dict[str, Any]]


class Caller:
    """Plain calls: one connection each, no repeats."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.key = server.api_key()

    def __call__(self, path: str, **body: Any) -> dict[str, Any]:
        reply = self.raw(path, body)
        assert reply["ok"], reply
        return reply

    def raw(self, path: str, body: dict[str, Any], timeout: float = 30) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            with connection.getresponse() as response:  # its socket is its own, also when it breaks off
                reply: dict[str, Any] = json.loads(response.read())
            return reply
        finally:
            connection.close()

    def connect(self) -> list[str]:
        """The three virtual intercoms; their ids."""
        Browser().walk(self("/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]["url"])
        return [device["device_id"] for device in self("/devices/list")["devices"]]

    def until(self, what: Callable[[], bool], patience: float = 20) -> None:
        deadline = time.monotonic() + patience
        while not what():
            assert time.monotonic() < deadline, f"not within {patience} s; the server says:\n{self.server.log[-4000:]}"
            time.sleep(0.05)

    def status(self, access_code_id: str) -> str:
        return str(self("/access_codes/get", access_code_id=access_code_id)["access_code"]["status"])

    def events(self, **which: Any) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self("/events/list", since="2020-01-01T00:00:00Z", **which)["events"]
        return events


@pytest.fixture
def call(stopped: Server) -> Iterator[Caller]:
    """Calls to a server of the test's own."""
    stopped.start()
    yield Caller(stopped)
    assert "Traceback" not in stopped.log, stopped.log[-8000:]


def test_a_code_survives_a_kill(call: Caller) -> None:
    device_id = call.connect()[0]
    code = call("/access_codes/create", device_id=device_id, code="123456")["access_code"]
    call.server.kill()
    call.server.start()
    again = call("/access_codes/get", access_code_id=code["access_code_id"])["access_code"]
    assert (again["code"], again["created_at"]) == ("123456", code["created_at"])
    call.until(lambda: call.status(code["access_code_id"]) == "set")
    chain = [event["event_type"] for event in call.events(access_code_id=code["access_code_id"])]
    assert chain == ["access_code.created", "access_code.set_on_device"]


def test_every_answered_code_survives_a_kill_under_load(call: Caller) -> None:
    devices = call.connect()
    answered: list[str] = []
    enough = threading.Event()

    def create(number: int) -> None:
        try:
            reply = call.raw("/access_codes/create", {"device_id": devices[number % 3], "code": f"{1000 + number}"})
        except (OSError, http.client.HTTPException, ValueError):
            return  # the kill came first: nothing was promised
        assert reply["ok"], reply
        answered.append(reply["access_code"]["access_code_id"])
        if len(answered) >= 20:
            enough.set()

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(create, number) for number in range(200)]
        assert enough.wait(20)
        call.server.kill()
        for each in tries:
            each.result()
    call.server.start()
    for access_code_id in answered:
        assert call("/access_codes/get", access_code_id=access_code_id)["access_code"]["access_code_id"]
    last = answered[-1]
    call.until(lambda: call.status(last) == "set", patience=60)


def test_no_command_is_repeated_after_a_kill(call: Caller) -> None:
    """Unlocks that the kill interrupts end as errors or were done; none is sent later."""
    devices = call.connect()
    barrier = threading.Barrier(7)

    def unlock(number: int) -> None:
        barrier.wait()
        try:
            call.raw("/locks/unlock_door", {"device_id": devices[number % 3]})
        except (OSError, http.client.HTTPException, ValueError):
            pass

    with ThreadPoolExecutor(6) as pool:
        for number in range(6):
            pool.submit(unlock, number)
        barrier.wait()
        call.server.kill()
    call.server.start()

    def attempts() -> dict[str, str]:
        listed = call("/action_attempts/list")["action_attempts"]
        return {a["action_attempt_id"]: a["status"] for a in listed if a["action_type"] == "UNLOCK_DOOR"}

    call.until(lambda: "pending" not in attempts().values())
    before = attempts()
    # The owner locks up. A command sent late would open again.
    for device_id in devices:
        assert call("/locks/lock_door", device_id=device_id)["action_attempt"]["status"] == "success"
    moves = len(call.events(event_types=["lock.unlocked"]))
    call.server.kill()
    call.server.start()
    for device_id in devices:
        code = call("/access_codes/create", device_id=device_id)["access_code"]["access_code_id"]
        call.until(lambda code=code: call.status(code) == "set")  # type: ignore[misc]  # the device was talked to again
        assert call("/locks/get", device_id=device_id)["device"]["properties"]["locked"] is True
    assert attempts() == before
    assert len(call.events(event_types=["lock.unlocked"])) == moves
    by_attempt = [
        e["action_attempt_id"] for e in call.events(event_types=["lock.unlocked"]) if "action_attempt_id" in e
    ]
    assert len(by_attempt) == len(set(by_attempt))


def test_a_finished_unlock_stays_what_it_was(call: Caller) -> None:
    device_id = call.connect()[0]
    attempt = call("/locks/unlock_door", device_id=device_id)["action_attempt"]
    assert attempt["status"] == "success"
    call.server.kill()
    call.server.start()
    again = call("/action_attempts/get", action_attempt_id=attempt["action_attempt_id"])["action_attempt"]
    assert again == attempt
    ended = [event["event_type"] for event in call.events(event_types=["action_attempt.unlock_door.succeeded"])]
    assert len(ended) == 1


def test_a_virtual_intercom_remembers(call: Caller) -> None:
    """Its lock, its codes and its log are what they were before the restart: nothing happens twice."""
    device_id = call.connect()[0]
    code = call("/access_codes/create", device_id=device_id, code="123456")["access_code"]["access_code_id"]
    call.until(lambda: call.status(code) == "set")
    assert call("/locks/unlock_door", device_id=device_id)["action_attempt"]["status"] == "success"
    assert call.server.stop() == 0
    call.server.start()
    another = call("/access_codes/create", device_id=device_id)["access_code"]["access_code_id"]
    call.until(lambda: call.status(another) == "set")  # by now it was talked to again
    assert call("/locks/get", device_id=device_id)["device"]["properties"]["locked"] is False
    assert call.status(code) == "set"
    kinds = [event["event_type"] for event in call.events()]
    assert kinds.count("lock.unlocked") == 1
    assert kinds.count("access_code.set_on_device") == 2
    assert "lock.locked" not in kinds


def test_a_half_filled_page_goes_on_after_a_restart(call: Caller) -> None:
    webview = call("/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]
    owner = Browser()
    page = owner.open(webview["url"])
    for _ in range(2):
        form = owner.main_form(page)
        assert form is not None
        page = owner.submit(page, form)
    assert call.server.stop() == 0
    call.server.start()
    Browser().walk(webview["url"])
    assert call("/connect_webviews/get", connect_webview_id=webview["connect_webview_id"])["connect_webview"][
        "login_successful"
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_drains(call: Caller, number: signal.Signals) -> None:
    """Requests that were taken are answered whole; what was answered is kept; the exit code is 0."""
    device_id = call.connect()[0]
    answered: list[str] = []
    first = threading.Event()

    def create(number: int) -> None:
        try:
            reply = call.raw("/access_codes/create", {"device_id": device_id, "code": f"{1000 + number}"})
        except ConnectionError:
            return  # came too late to be taken
        if reply["ok"]:
            answered.append(reply["access_code"]["access_code_id"])
        first.set()

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(create, n) for n in range(60)]
        assert first.wait(20)
        process = call.server.process
        assert process is not None
        os.kill(process.pid, number)
        for each in tries:
            each.result()
    assert process.wait(20) == 0, call.server.log[-4000:]
    call.server.start()
    held = {code["access_code_id"] for code in call("/access_codes/list", device_id=device_id)["access_codes"]}
    assert set(answered) <= held


def test_a_second_server_is_refused(call: Caller) -> None:
    second = Server(call.server.data_dir)
    done = second.run("serve", "--port", str(second.port), "--data-dir", str(second.data_dir), timeout=20)
    assert done.returncode not in (0, None)
    assert "already running" in done.stderr
    assert str(call.server.data_dir) in done.stderr
    assert "Traceback" not in done.stderr
    # The first one goes on.
    assert call("/devices/list")["devices"] == []


def test_a_taken_port_is_named(call: Caller) -> None:
    other = Server(call.server.data_dir.with_name("other"))
    done = other.run("serve", "--port", str(call.server.port), "--data-dir", str(other.data_dir), timeout=20)
    assert done.returncode == 2
    assert f"{call.server.port}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_made_beside_the_server_works_at_once(call: Caller) -> None:
    call.key = call.server.api_key("--name", "second")
    assert call.key.startswith("seam_test")
    assert call("/devices/list")["devices"] == []
