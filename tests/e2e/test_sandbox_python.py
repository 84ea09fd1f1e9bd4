"""What an application tests in a sandbox, with today's Python SDK: outages, codes typed, and what is not there."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from seam import Seam, SeamActionAttemptFailedError, SeamHttpApiError  # type: ignore[attr-defined]

from doorward.demo import Browser, Server

from .test_real_intercom import eventually

SINCE = "2000-01-01T00:00:00Z"


@pytest.fixture
def client(server: Server, key: str) -> Iterator[Any]:
    """The SDK on a sandbox workspace with the three virtual intercoms."""
    made: Any = Seam(api_key=key, endpoint=server.url)
    Browser().walk(made.connect_webviews.create(accepted_providers=["my_2n"]).url)
    yield made
    made.client.close()


def is_set(client: Any, access_code_id: str) -> bool:
    return bool(client.access_codes.get(access_code_id=access_code_id).status == "set")


def test_a_device_is_cut_off_removed_and_connected_again(client: Any) -> None:
    device_id = client.devices.list()[0].device_id
    for outage, error in (("disconnect", "device_disconnected"), ("remove", "device_removed")):
        getattr(client.devices.simulate, outage)(device_id=device_id)
        device = client.devices.get(device_id=device_id)
        assert (device.properties.online, [one.error_code for one in device.errors]) == (False, [error])
        assert device.can_simulate_connection and not device.can_simulate_disconnection
        code = client.access_codes.create(device_id=device_id)
        client.devices.simulate.connect(device_id=device_id)
        assert client.devices.get(device_id=device_id).properties.online
        eventually(functools.partial(is_set, client, code.access_code_id))
    assert client.events.list(device_id=device_id, event_type="device.removed", since=SINCE)


def test_a_code_is_typed_at_the_keypad(client: Any) -> None:
    device_id = client.devices.list()[0].device_id
    code = client.access_codes.create(device_id=device_id, code="482937")
    eventually(functools.partial(is_set, client, code.access_code_id))
    attempt = client.locks.simulate.keypad_code_entry(device_id=device_id, code="482937")
    assert (attempt.action_type, attempt.status) == ("SIMULATE_KEYPAD_CODE_ENTRY", "success")
    about = {"device_id": device_id, "event_type": "lock.unlocked", "since": SINCE}
    told = eventually(lambda: client.events.list(**about))
    assert (told[0].method, told[0].access_code_id) == ("keycode", code.access_code_id)
    with pytest.raises(SeamActionAttemptFailedError):
        client.locks.simulate.keypad_code_entry(device_id=device_id, code="593841")


def test_what_is_not_there_is_an_empty_list(client: Any) -> None:
    device_id = client.devices.list()[0].device_id
    for found in (
        client.acs.systems.list(),
        client.acs.entrances.list(),
        client.acs.users.list(),
        client.acs.access_groups.list(),
        client.thermostats.list(),
        client.noise_sensors.list(),
        client.phones.list(),
        client.instant_keys.list(),
    ):
        assert found == []
    refusals: tuple[tuple[Callable[[], Any], str], ...] = (
        (lambda: client.acs.systems.get(acs_system_id="x"), "acs_system_not_found"),
        (lambda: client.thermostats.off(device_id=device_id), "device_type_not_supported"),
        (lambda: client.noise_sensors.noise_thresholds.list(device_id=device_id), "device_type_not_supported"),
        (lambda: client.phones.deactivate(device_id=device_id), "phone_not_found"),
    )
    for call, kind in refusals:
        with pytest.raises(SeamHttpApiError) as refused:
            call()
        assert refused.value.code == kind
