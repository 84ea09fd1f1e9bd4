"""Intercoms at an address: the emulator in its own process, a production workspace, Seam's own SDK."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from seam import Seam, SeamActionAttemptFailedError, SeamHttpApiError  # type: ignore[attr-defined]

from doorward.demo import Browser, Server, clean_environment, command, free_port


@dataclass
class Emulator:
    """`doorward emulator 2n` in a process of its own."""

    process: subprocess.Popen[str]
    urls: list[str]
    serials: list[str]
    control: str

    @classmethod
    def start(cls, port: int, *options: str) -> "Emulator":
        words = [*command(), "emulator", "2n", "--port", str(port), "--control-port", "0", *options]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=clean_environment())
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        devices = ready["devices"]
        return cls(process, [d["url"] for d in devices], [d["serial"] for d in devices], ready["control"])

    def do(self, method: str, path: str, body: Any = None, device: int = 0) -> Any:
        """Ask its control plane."""
        url = f"{self.control}/devices/{self.serials[device]}{path}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=20) as reply:
            return json.load(reply)

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    one = Emulator.start(free_port(), "--tls", "--count", "1")
    yield one
    one.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """The SDK on a new production workspace."""
    name = f"Production {time.monotonic_ns()}"
    made = server.run("workspace", "create", name, "--production", "--data-dir", str(server.data_dir))
    assert made.returncode == 0, made.stderr
    seam = Seam(api_key=server.api_key("--workspace", made.stdout.strip()), endpoint=server.url)
    yield seam
    seam.client.close()


def eventually(what: Callable[[], Any], patience: float = 20) -> Any:
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def test_a_real_door_from_its_address_to_its_events(client: Any, emulator: Emulator) -> None:
    created = client.connect_webviews.create(accepted_providers=["my_2n"])
    Browser(addresses=emulator.urls).walk(created.url)
    (door,) = client.locks.list()
    assert door.properties.serial_number == emulator.serials[0]
    assert door.properties.online and door.properties.locked
    assert client.locks.unlock_door(device_id=door.device_id).status == "success"
    assert emulator.do("GET", "")["switches"][0]["active"]
    code = client.access_codes.create(device_id=door.device_id, name="Guest 12", code="40718")
    eventually(lambda: client.access_codes.get(access_code_id=code.access_code_id).status == "set")

    def events(kind: str) -> list[Any]:
        return list(client.events.list(event_type=kind, since="2020-01-01T00:00:00Z"))

    # The pulse of the unlock above ends by itself; then somebody types the PIN.
    eventually(lambda: not emulator.do("GET", "")["switches"][0]["active"])
    emulator.do("POST", "/keys", {"keys": "40718*"})
    typed = eventually(lambda: [e for e in events("lock.unlocked") if e.access_code_id])
    assert [(e.access_code_id, e.method) for e in typed] == [(code.access_code_id, "keycode")]
    emulator.do("POST", "/keys", {"keys": "99999*"})
    assert eventually(lambda: events("lock.access_denied"))
    emulator.do("POST", "/keys", {"keys": ["%1"]})
    assert eventually(lambda: events("device.doorbell_rang"))
    emulator.do("POST", "/power-cut", {"outage": 2})
    assert eventually(lambda: events("device.disconnected"))
    eventually(lambda: client.devices.get(device_id=door.device_id).properties.online)
    client.access_codes.delete(access_code_id=code.access_code_id)
    eventually(lambda: emulator.do("GET", "")["directory"]["users"] == 0)


def test_nothing_is_simulated_at_a_real_door(client: Any, emulator: Emulator) -> None:
    Browser(addresses=emulator.urls).walk(client.connect_webviews.create(accepted_providers=["my_2n"]).url)
    (door,) = client.locks.list()
    assert door.can_simulate_disconnection is None
    about = {"device_id": door.device_id}
    simulations: tuple[Callable[[], Any], ...] = (
        lambda: client.devices.simulate.disconnect(**about),
        lambda: client.devices.simulate.remove(**about),
        lambda: client.locks.simulate.keypad_code_entry(**about, code="40718"),
        lambda: client.connected_accounts.simulate.disconnect(connected_account_id=door.connected_account_id),
    )
    for simulate in simulations:
        with pytest.raises(SeamHttpApiError) as refused:
            simulate()
        assert refused.value.code == "workspace_not_sandbox"
    assert client.action_attempts.list() == []
    assert client.locks.get(device_id=door.device_id).properties.online


def test_another_certificate_takes_it_offline_until_a_person_confirms(client: Any, emulator: Emulator) -> None:
    Browser(addresses=emulator.urls).walk(client.connect_webviews.create(accepted_providers=["my_2n"]).url)
    (door,) = client.locks.list()
    code = client.access_codes.create(device_id=door.device_id, name="Guest", code="40718")
    eventually(lambda: client.access_codes.get(access_code_id=code.access_code_id).status == "set")
    emulator.do("POST", "/certificate", {})

    def error() -> str | None:
        errors = client.devices.get(device_id=door.device_id).errors
        return errors[0].message if errors else None

    assert "another certificate" in eventually(error)
    with pytest.raises(SeamActionAttemptFailedError, match="another certificate"):
        client.locks.unlock_door(device_id=door.device_id)
    assert not emulator.do("GET", "")["switches"][0]["active"]
    browser = Browser(addresses=emulator.urls)
    page = browser.open(client.connect_webviews.create(accepted_providers=["my_2n"]).url)
    while not page.alerts:
        form = browser.main_form(page)
        assert form is not None
        page = browser.submit(page, form)
    assert "another certificate" in page.alerts[0]
    form = browser.main_form(page)
    assert form is not None
    browser.submit(page, form)  # ticks the box that the page now shows
    eventually(lambda: error() is None)
    (same,) = client.locks.list()
    assert same.device_id == door.device_id
    assert client.access_codes.get(access_code_id=code.access_code_id).status == "set"


def test_a_sandbox_has_no_field_for_an_address(server: Server, key: str) -> None:
    seam = Seam(api_key=key, endpoint=server.url)
    pages = Browser(addresses=["http://127.0.0.1:9"]).walk(
        seam.connect_webviews.create(accepted_providers=["my_2n"]).url
    )
    fields = {field.name for page in pages for form in page.forms for field in form.fields}
    assert "addresses" not in fields and "email" in fields
    seam.client.close()
