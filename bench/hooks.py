"""`make bench`, fifth part: webhooks.

usage: python bench/hooks.py [--quick] [--json FILE]

Loopback only. Prints a table against the wanted figures and writes all numbers as JSON; ends with 0 whatever they are,
and with 1 when something did not work at all.
"""

import argparse
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import load  # noqa: E402 - run as a file
from bench.run import Row, say  # noqa: E402
from bench.scale import Figures, percentile, report  # noqa: E402
from bench.site import Failed, cpu_s  # noqa: E402
from doorward.demo import Browser, Server, clean_environment  # noqa: E402
from doorward.ids import new_id  # noqa: E402

RENAMED = "device.name_changed"
WELL, FAILING = 7, 3
CALLERS = 32
PATIENCE_S = 120
ENV = {"DOORWARD_WEBHOOK_ALLOW": "127.0.0.0/8", "DOORWARD_RATE_LIMITS": "off", "DOORWARD_WEBHOOK_TIMEOUT": "5"}


class Receivers:
    """Ports that take events."""

    def __init__(self, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "receiver.py"), str(count)],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.ports: list[int] = json.loads(self._process.stdout.readline())

    def taken(self) -> dict[str, list[tuple[str, float]]]:
        """Since the last time."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}/", timeout=30) as reply:
            found: dict[str, list[tuple[str, float]]] = json.load(reply)
            return found

    def close(self) -> None:
        self._process.communicate(timeout=10)


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as sock:
        yield sock.getsockname()[1]


def measure(figures: Figures, seconds: float) -> None:
    """One webhook and a steady trickle; then as many events as the API makes, for ten webhooks of which three fail."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-bench-"))
    receivers = Receivers(WELL)
    try:
        with Server(folder / "hooks", env=ENV) as server, silent() as deaf:
            key = server.api_key()
            call = _caller(server, key)
            device_id = _connect(call)

            def hook(port: int) -> None:
                call("/webhooks/create", url=f"http://127.0.0.1:{port}/", event_types=[RENAMED])

            hook(receivers.ports[0])
            took = []
            for number in range(round(seconds * 50)):
                began = time.time()
                call("/devices/update", device_id=device_id, name=f"Steady {number}")
                time.sleep(max(0.0, began + 0.02 - time.time()))
            time.sleep(1)
            told = _told(call, device_id)
            for event_id, at in receivers.taken()[str(receivers.ports[0])]:
                took.append((at - told[event_id]) * 1000)
            took.sort()
            if len(took) != len(told):
                raise Failed(f"{len(took)} of {len(told)} events arrived")
            figures |= {"steady_p50_ms": percentile(took, 0.5), "steady_p99_ms": percentile(took, 0.99)}

            for port in receivers.ports[1:]:
                hook(port)
            for port in (deaf, 1, 9):  # one that never answers, two where nothing listens
                hook(port)
            assert server.process is not None
            used, began = cpu_s(server.process.pid), time.time()
            bodies = [json.dumps({"device_id": device_id, "name": "@PIN@"})]
            result: list[load.Result] = []
            path = f"{server.url}/devices/update"
            work = threading.Thread(
                target=lambda: result.append(load.run(path, key, bodies, connections=CALLERS, seconds=seconds))
            )
            work.start()
            work.join()
            loaded_s = time.time() - began
            made = len(_told(call, device_id)) - len(told)
            last, quiet_since = began, time.time()
            seen: dict[str, set[str]] = {}
            arrived = 0
            while arrived < made * WELL and time.time() - quiet_since < 10 and time.time() - began < PATIENCE_S:
                time.sleep(0.25)
                for name, events in receivers.taken().items():
                    seen.setdefault(name, set()).update(event_id for event_id, _ in events)
                    if events:
                        last, quiet_since = max(last, *(at for _, at in events)), time.time()
                arrived = sum(map(len, seen.values()))
            figures |= {
                "made_per_s": made / loaded_s,
                "arrived": arrived,
                "wanted": made * WELL,
                "arrived_per_s": arrived / (last - began),
                "delivered_per_s": arrived / WELL / (last - began),
                "behind_s": max(0.0, last - began - loaded_s),
                "cpu": (cpu_s(server.process.pid) - used) / (time.time() - began),
            }
    finally:
        receivers.close()
        shutil.rmtree(folder, ignore_errors=True)


def measure_backlog(figures: Figures, count: int) -> None:
    """What webhooks cost alone: events that waited while the server was away, for ten webhooks of which three fail."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-bench-"))
    receivers = Receivers(WELL)
    try:
        with silent() as deaf:
            with Server(folder / "hooks", env=ENV) as server:
                call = _caller(server, server.api_key())
                device_id = _connect(call)
                for port in (*receivers.ports, deaf, 1, 9):
                    call("/webhooks/create", url=f"http://127.0.0.1:{port}/", event_types=[RENAMED])
                call("/devices/update", device_id=device_id, name="Renamed")
                time.sleep(6)  # until the one that never answers has failed
            receivers.taken()
            _let_wait(folder / "hooks" / "doorward.db", count)
            with Server(folder / "hooks", env=ENV):
                times: list[float] = []
                quiet_since = time.time()
                while len(times) < count * WELL and time.time() - quiet_since < 10:
                    time.sleep(0.25)
                    new = [at for events in receivers.taken().values() for _, at in events]
                    if new:
                        quiet_since = time.time()
                    times += new
    finally:
        receivers.close()
        shutil.rmtree(folder, ignore_errors=True)
    if len(times) != count * WELL:
        raise Failed(f"{len(times)} of {count * WELL} arrived")
    figures["backlog_per_s"] = count / (max(times) - min(times))


def _let_wait(database: Path, count: int) -> None:
    """Put copies of the newest rename into the outbox of a server that does not run."""
    with closing(sqlite3.connect(database)) as con, con:
        con.row_factory = sqlite3.Row
        rows = con.execute("SELECT * FROM events WHERE event_type = ? ORDER BY event_id DESC LIMIT 1", (RENAMED,))
        event = dict(rows.fetchone())
        copies = []
        for _ in range(count):
            event_id = new_id()
            body = event["body_json"].replace(event["event_id"], event_id)
            copies.append({**event, "event_id": event_id, "body_json": body})
        marks = ", ".join(f":{name}" for name in event)
        con.executemany(f"INSERT INTO events ({', '.join(event)}) VALUES ({marks})", copies)
        columns = "workspace_id, event_id, event_type"
        con.executemany(f"INSERT INTO outbox ({columns}) VALUES (:workspace_id, :event_id, :event_type)", copies)


def _caller(server: Server, key: str) -> Any:
    """Calls the API."""

    def call(path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer

    return call


def _connect(call: Any) -> str:
    """A sandbox account. A device of it."""
    view = call("/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]
    Browser(email="jane@example.com").walk(view["url"])
    device_id: str = call("/devices/list")["devices"][0]["device_id"]
    return device_id


def _told(call: Any, device_id: str) -> dict[str, float]:
    """Event id → when it happened."""
    from datetime import datetime

    found: dict[str, float] = {}
    offset = 0
    while True:
        which = {"since": "2020-01-01", "device_id": device_id, "event_type": RENAMED}
        page = call("/events/list", **which, unstable_offset=offset, limit=500)["events"]
        found |= {one["event_id"]: datetime.fromisoformat(one["created_at"]).timestamp() for one in page}
        if len(page) < 500:
            return found
        offset += len(page)


def rows(f: Figures) -> list[Row]:
    how = f"p50 {f['steady_p50_ms']:.1f}"
    ten = f"{WELL + FAILING} webhooks, {FAILING} of them fail"
    storm = f"as many events as {CALLERS} callers make, {ten}"
    return [
        Row("50 events a second, one webhook: event to received, p99", f["steady_p99_ms"], "ms", 100, True, how),
        Row(f"{storm}: events delivered", f["delivered_per_s"], "/s", 1_000, False, f"{f['made_per_s']:,.0f} made/s"),
        Row("… behind when the last event was made", f["behind_s"], "s", None, True, f"{f['cpu']:.2f} of a core"),
        Row("… not arrived at those that are well", f["wanted"] - f["arrived"], "", 0, True, f"of {f['wanted']:,.0f}"),
        Row(
            f"events that waited while the server was away, {ten}",
            f["backlog_per_s"],
            "/s",
            1_000,
            False,
            "no caller beside",
        ),
    ]


def main() -> int:
    """The whole run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a look, no figures")
    options.add_argument(
        "--json", type=Path, default=HERE.parent / ".cache" / "bench-hooks.json", help="where the numbers go"
    )
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    began = time.monotonic()
    figures: Figures = {}
    say("Measuring webhooks")
    try:
        measure(figures, 2.0 if given.quick else 10.0)
        measure_backlog(figures, 3_000 if given.quick else 20_000)
    except Failed as exc:
        say(f"  it did not work: {exc}")
        return 1
    where = "One process on SQLite, callers and receivers beside it"
    report(rows(figures), figures, where, given.json, began)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
