"""The guide with today's Python SDK (`pip install seam`), unchanged but for its endpoint."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from seam import (  # type: ignore[attr-defined]
    AsyncSeam,
    Seam,
    SeamHttpApiError,
    SeamHttpInvalidInputError,
    SeamHttpUnauthorizedError,
)

from doorward.demo import Browser, Server, WebviewError

from .guide import ONGOING, TIMED, Trace, check

Client = Any
"""A `Seam`. Its declared types are stricter than people are."""
NOWHERE = "00000000-0000-4000-8000-000000000000"


def plain(value: Any) -> Any:
    """An SDK's object as JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list) else value


def minute_ago() -> str:
    return (datetime.now(UTC) - timedelta(minutes=1)).isoformat()


@pytest.fixture
def client(server: Server, key: str) -> Iterator[Client]:
    """The SDK on a new, empty sandbox workspace."""
    made = Seam(api_key=key, endpoint=server.url)
    yield made
    made.client.close()


@pytest.fixture
def connected(client: Client) -> Client:
    """The SDK on a workspace with the three virtual intercoms."""
    Browser().walk(client.connect_webviews.create(accepted_providers=["my_2n"]).url)
    return client


def becomes_set(client: Client, access_code_id: str, patience: float = 15) -> str:
    """The status, as soon as it is `set` or patience ends."""
    deadline = time.monotonic() + patience
    while True:
        status: str = client.access_codes.get(access_code_id=access_code_id).status
        if status == "set" or time.monotonic() > deadline:
            return status
        time.sleep(0.05)


def test_the_guide(client: Client) -> None:
    since = minute_ago()
    trace: Trace = {}
    created = client.connect_webviews.create(accepted_providers=["my_2n"])
    trace["webview_created"] = plain(created)
    Browser().walk(created.url)
    trace["webview"] = plain(client.connect_webviews.get(connect_webview_id=created.connect_webview_id))

    locks = client.locks.list()
    trace["locks"] = plain(locks)
    device_id = locks[0].device_id
    for step, move in (("lock", client.locks.lock_door), ("unlock", client.locks.unlock_door)):
        attempt = move(device_id=device_id)
        trace[step] = {
            "attempt": attempt.status,
            "locked": client.locks.get(device_id=device_id).properties.locked,
        }

    ongoing = client.access_codes.create(device_id=device_id, **ONGOING)
    trace["ongoing"] = plain(ongoing)
    trace["timed"] = plain(client.access_codes.create(device_id=device_id, **TIMED))
    trace["codes"] = plain(client.access_codes.list(device_id=device_id))
    trace["became"] = becomes_set(client, ongoing.access_code_id)
    trace["events"] = [event.event_type for event in client.events.list(since=since)]
    check(trace)


async def test_the_guide_in_an_event_loop(server: Server, key: str) -> None:
    since = minute_ago()
    trace: Trace = {}
    client: Client
    async with AsyncSeam(api_key=key, endpoint=server.url) as client:
        created = await client.connect_webviews.create(accepted_providers=["my_2n"])
        trace["webview_created"] = plain(created)
        await asyncio.to_thread(Browser().walk, created.url)
        trace["webview"] = plain(await client.connect_webviews.get(connect_webview_id=created.connect_webview_id))

        locks = await client.locks.list()
        trace["locks"] = plain(locks)
        device_id = locks[0].device_id
        for step, move in (("lock", client.locks.lock_door), ("unlock", client.locks.unlock_door)):
            attempt = await move(device_id=device_id)
            seen = await client.locks.get(device_id=device_id)
            trace[step] = {"attempt": attempt.status, "locked": seen.properties.locked}

        ongoing = await client.access_codes.create(device_id=device_id, **ONGOING)
        trace["ongoing"] = plain(ongoing)
        trace["timed"] = plain(await client.access_codes.create(device_id=device_id, **TIMED))
        trace["codes"] = plain(await client.access_codes.list(device_id=device_id))

        async def status() -> str:
            return str((await client.access_codes.get(access_code_id=ongoing.access_code_id)).status)

        trace["became"] = await _until(status, "set")
        trace["events"] = [event.event_type for event in await client.events.list(since=since)]

        pages = client.create_paginator(client.devices.list, {"limit": 2})
        assert [d.properties.name async for d in pages.flatten()] == ["Device 0", "Device 1", "Device 2"]
        with pytest.raises(SeamHttpApiError) as caught:
            await client.devices.get(device_id=NOWHERE)
        assert caught.value.code == "device_not_found"
    check(trace)


async def _until(read: Callable[[], Awaitable[str]], wanted: str, patience: float = 15) -> str:
    deadline = time.monotonic() + patience
    while True:
        value = await read()
        if value == wanted or time.monotonic() > deadline:
            return value
        await asyncio.sleep(0.05)


def test_a_personal_access_token_reaches_the_workspace(server: Server, connected: Client) -> None:
    done = server.run("pat", "create", "--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stderr
    workspace_id = connected.workspaces.get().workspace_id
    client: Client = Seam.from_personal_access_token(done.stdout.strip(), workspace_id, endpoint=server.url)
    try:
        assert [lock.properties.name for lock in client.locks.list()] == ["Device 0", "Device 1", "Device 2"]
    finally:
        client.client.close()


def test_another_workspace_sees_nothing(server: Server, connected: Client, new_key: Callable[[], str]) -> None:
    device_id = connected.locks.list()[0].device_id
    other: Client = Seam(api_key=new_key(), endpoint=server.url)
    try:
        assert other.devices.list() == []
        with pytest.raises(SeamHttpApiError) as caught:
            other.locks.unlock_door(device_id=device_id)
        assert caught.value.status_code == 404
    finally:
        other.client.close()


def test_the_events_of_a_code(connected: Client) -> None:
    """The chain in the order in which it happened, each once, with ids that lead on."""
    device_id = connected.locks.list()[0].device_id
    code = connected.access_codes.create(device_id=device_id, **ONGOING)
    assert becomes_set(connected, code.access_code_id) == "set"
    events = connected.events.list(since=minute_ago(), access_code_id=code.access_code_id)
    assert [event.event_type for event in events] == ["access_code.created", "access_code.set_on_device"]
    for event in events:
        assert event.device_id == device_id
        assert connected.events.get(event_id=event.event_id).event_type == event.event_type


def test_a_code_changes_and_goes(connected: Client) -> None:
    device_id = connected.locks.list()[0].device_id
    code = connected.access_codes.create(device_id=device_id, **ONGOING)
    connected.access_codes.update(access_code_id=code.access_code_id, code="654321", name="New name")
    assert becomes_set(connected, code.access_code_id) == "set"
    changed = connected.access_codes.get(access_code_id=code.access_code_id)
    assert (changed.code, changed.name) == ("654321", "New name")

    connected.access_codes.delete(access_code_id=code.access_code_id)
    deadline = time.monotonic() + 15
    while connected.access_codes.list(device_id=device_id):
        assert time.monotonic() < deadline, "the code is still there"
        time.sleep(0.05)
    with pytest.raises(SeamHttpApiError) as caught:
        connected.access_codes.get(access_code_id=code.access_code_id)
    assert caught.value.status_code == 404


def test_pages(connected: Client) -> None:
    paginator = connected.create_paginator(connected.devices.list, {"limit": 2})
    first, pagination = paginator.first_page()
    assert len(first) == 2
    assert pagination.has_next_page
    rest, last = paginator.next_page(pagination.next_page_cursor)
    assert len(rest) == 1
    assert not last.has_next_page
    assert [d.device_id for d in paginator.flatten_to_list()] == [d.device_id for d in connected.devices.list()]


# ---------------------------------------------------------------- what goes wrong


def test_an_unknown_key_is_unauthorized(server: Server) -> None:
    client: Client = Seam(api_key="seam_testnobody_111111111111111111111111", endpoint=server.url)
    try:
        with pytest.raises(SeamHttpUnauthorizedError) as caught:
            client.devices.list()
    finally:
        client.client.close()
    assert caught.value.code == "unauthorized"
    assert caught.value.request_id


def test_invalid_input_names_the_parameter(connected: Client) -> None:
    device_id = connected.locks.list()[0].device_id
    with pytest.raises(SeamHttpInvalidInputError) as caught:
        connected.access_codes.create(device_id=device_id, code="12ab")
    assert caught.value.status_code == 400
    assert caught.value.get_validation_error_messages("code")
    assert [error.parameter_name for error in caught.value.validation_errors] == ["code"]
    assert caught.value.request_id

    with pytest.raises(SeamHttpInvalidInputError) as caught:
        connected.locks.unlock_door(device_id=None)
    assert caught.value.get_validation_error_messages("device_id")


def test_half_a_time_frame_is_refused(connected: Client) -> None:
    device_id = connected.locks.list()[0].device_id
    with pytest.raises(SeamHttpInvalidInputError) as caught:
        connected.access_codes.create(device_id=device_id, starts_at=TIMED["starts_at"])
    assert "Both starts_at and ends_at must be provided if one is" in str(caught.value)


def test_what_is_not_there_says_so(connected: Client) -> None:
    with pytest.raises(SeamHttpApiError) as caught:
        connected.devices.get(device_id=NOWHERE)
    assert caught.value.code == "device_not_found"
    assert caught.value.status_code == 404
    assert str(caught.value.request_id).startswith("request")


def test_the_same_code_twice_is_a_conflict(connected: Client) -> None:
    device_id = connected.locks.list()[0].device_id
    connected.access_codes.create(device_id=device_id, **ONGOING)
    with pytest.raises(SeamHttpApiError) as caught:
        connected.access_codes.create(device_id=device_id, **ONGOING)
    assert caught.value.code == "duplicate_access_code"
    assert caught.value.status_code == 409


# ---------------------------------------------------------------- the page, wrongly used


def test_a_wrong_password_keeps_the_owner_on_the_page(client: Client) -> None:
    created = client.connect_webviews.create(accepted_providers=["my_2n"])
    with pytest.raises(WebviewError, match="The page says"):
        Browser(password="wrong").walk(created.url)
    webview = client.connect_webviews.get(connect_webview_id=created.connect_webview_id)
    assert webview.status == "pending"
    # The right one still works, on the same page.
    Browser().walk(created.url)
    assert client.connect_webviews.get(connect_webview_id=created.connect_webview_id).status == "authorized"


def test_the_owner_is_sent_on(client: Client) -> None:
    created = client.connect_webviews.create(
        accepted_providers=["my_2n"], custom_redirect_url="https://app.example.com/done?from=door"
    )
    browser = Browser()
    browser.walk(created.url)
    assert browser.left_for is not None
    assert browser.left_for.startswith("https://app.example.com/done?from=door&")
    assert f"connect_webview_id={created.connect_webview_id}" in browser.left_for


def test_logging_in_again_finds_the_same_account(connected: Client) -> None:
    before = connected.connected_accounts.list()
    Browser().walk(connected.connect_webviews.create(accepted_providers=["my_2n"]).url)
    assert [a.connected_account_id for a in connected.connected_accounts.list()] == [
        a.connected_account_id for a in before
    ]
    assert len(connected.devices.list()) == 3
