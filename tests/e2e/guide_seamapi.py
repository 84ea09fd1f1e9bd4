"""The guide as it was printed in 2023, with the package of its day (its Device objects, its own polling).

Run as a program, with the old package on PYTHONPATH. Writes a line of JSON per step; the caller opens the page of
`{"open": …}`.
"""

import dataclasses
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from seamapi import Seam
from seamapi.types import SeamApiException


def plain(value: Any) -> Any:
    """An SDK's object as JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return vars(value)
    return str(value)


def say(**step: Any) -> None:
    """Tell a step."""
    print(json.dumps(step, default=plain), flush=True)


def until(read: Callable[[], Any], is_done: Callable[[Any], bool], patience: float = 15) -> Any:
    """Read until it is so."""
    deadline = time.monotonic() + patience
    while True:
        value = read()
        if is_done(value) or time.monotonic() > deadline:
            return value
        time.sleep(0.05)


def main() -> None:
    """The guide."""
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    seam = Seam(api_key=os.environ["SEAM_API_KEY"], api_url=os.environ["SEAM_ENDPOINT"])

    webview = seam.connect_webviews.create(accepted_providers=["my_2n"])
    assert webview.login_successful is False
    say(webview_created=webview)
    say(open=webview.url)
    webview = until(lambda: seam.connect_webviews.get(webview.connect_webview_id), lambda it: it.login_successful)
    say(webview=webview)

    locks = seam.locks.list()
    say(locks=locks)
    some_lock = locks[0]

    attempt = seam.locks.lock_door(some_lock)
    say(lock={"attempt": attempt.status, "locked": seam.locks.get(some_lock.device_id).properties["locked"]})
    attempt = seam.locks.unlock_door(some_lock)
    say(unlock={"attempt": attempt.status, "locked": seam.locks.get(some_lock.device_id).properties["locked"]})

    ongoing = seam.access_codes.create(device=some_lock.device_id, code="123456", name="Personal Access Code")
    say(ongoing=ongoing)
    timed = seam.access_codes.create(
        device=some_lock.device_id,
        name="My Temporary Access Code",
        starts_at="2028-08-12T19:23:42+0000",
        ends_at="2028-08-13T19:23:42+0000",
        code="888888",
    )
    say(timed=timed)
    say(codes=seam.access_codes.list(device=some_lock.device_id))
    code = until(lambda: seam.access_codes.get(ongoing.access_code_id), lambda it: it.status == "set")
    say(became=code.status)
    say(events=[event["event_type"] for event in seam.events.list(since=since)])

    try:
        seam.devices.get("00000000-0000-4000-8000-000000000000")
    except SeamApiException as refused:
        say(error={"status": refused.status_code, "request": refused.request_id, "metadata": refused.metadata})


if __name__ == "__main__":
    main()
