"""`make bench`: Doorward, the official fake and a bare ASGI app, measured in turns in one run.

Loopback only. Every case is measured for a few seconds, a few rounds, the servers taking turns; medians count. Prints
a table against the wanted figures and writes all numbers as JSON; ends with 0 whatever they are.
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import platform
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import load, seed  # noqa: E402 - run as a file
from doorward.demo import Browser, Server, clean_environment, command, free_port, is_healthy  # noqa: E402
from doorward.wire.time import iso  # noqa: E402

FAKE_PACKAGE = HERE.parent / "tests" / "npm" / "node_modules" / "@seamapi" / "fake-seam-connect"
START = "2026-01-01T00:00:00.000Z"
LOGINS = 6
"""Each brings three virtual intercoms."""


def post(url: str, key: str, path: str, **body: Any) -> dict[str, Any]:
    """One call."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.HTTPError as refused:
        with refused:
            raise RuntimeError(f"{url}{path} with {body}: {refused.status} {refused.read()!r}") from None


def body(**members: Any) -> str:
    """A request's body."""
    return json.dumps(members, separators=(",", ":"))


@dataclass
class Target:
    """A server under load."""

    name: str
    url: str
    key: str
    process: subprocess.Popen[bytes]
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process and its children."""
        return sum(_rss(pid) for pid in _family(self.process.pid)) / 1024


def _rss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return int(done.stdout.strip() or 0)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(word) for word in children.read_text().split()] if children.exists() else []
    return [pid, *(one for child in found for one in _family(child))]


# ---------------------------------------------------------------- the servers


class Field:
    """All servers of a run, and where their data lies."""

    def __init__(self, folder: Path, sizes: "Sizes") -> None:
        self.folder = folder
        self.sizes = sizes
        self.processes: list[subprocess.Popen[bytes]] = []
        self.targets: dict[str, Target] = {}
        self.started_s: dict[str, float] = {}

    def doorward(self, name: str, n_devices: int, n_events: int, *, intercom: dict[str, Any] | None = None) -> Target:
        """A Doorward with six logins' virtual intercoms, and seeded devices and events; in a production workspace,
        an intercom at an address of its own."""
        server = Server(self.folder / name, env={"DOORWARD_RATE_LIMITS": "off"})
        with server:
            key = server.api_key()
            for number in range(LOGINS):
                url = post(server.url, key, "/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]
                Browser(email=f"jane{number}@example.com").walk(url["url"])
            listed = post(server.url, key, "/devices/list")["devices"]
            intercoms = [device["device_id"] for device in listed]
        first = listed[0]
        began = time.monotonic()
        filled = seed.fill(
            server.data_dir,
            first["connected_account_id"],
            first["workspace_id"],
            n_devices=n_devices,
            n_events=n_events,
        )
        say(f"  seeded {n_devices:,} devices and {n_events:,} events in {time.monotonic() - began:.1f} s")
        real: dict[str, Any] = {}
        if intercom is not None:
            workspace = server.run("workspace", "create", "Bench", "--production", "--data-dir", str(server.data_dir))
            real["intercom_key"] = server.api_key("--workspace", workspace.stdout.strip())
            real["intercom"] = seed.connect(server.data_dir, workspace.stdout.strip(), [intercom])[0]
        times = []
        for _ in range(self.sizes.starts):
            began = time.monotonic()
            server.start()
            times.append(time.monotonic() - began)
            if len(times) < self.sizes.starts:
                server.stop()
        self.started_s[name] = statistics.median(times)
        assert server.process is not None
        self.processes.append(server.process)
        everything = post(server.url, key, "/devices/list", limit=1000)["devices"]
        seeded = [d for d in everything if d["device_id"] not in intercoms]
        # Right in the middle: as many events before the page as after it.
        since = iso(filled.first_event_at + (n_events // 2) * seed.STEP_MS)
        page = post(server.url, key, "/events/list", since=since, limit=100)["events"]
        assert len(page) == 100, f"{len(page)} events instead of 100"
        data = {
            "intercoms": intercoms,
            "devices": [d["device_id"] for d in seeded] or intercoms,
            "device": (seeded or everything)[0],
            "event": page[0],
            "since": since,
            **real,
        }
        target = self.targets[name] = Target(name, server.url, key, server.process, data)
        return target

    def fake(self, name: str, like: Target, n_devices: int, n_events: int) -> Target | None:
        """The official fake, holding copies of our devices and events."""
        node = shutil.which("node")
        if node is None or not FAKE_PACKAGE.exists():
            say("  the fake is left out: it needs Node.js and the packages of tests/npm (run `make bench`)")
            return None
        port = free_port()
        plan = self.folder / f"{name}.json"
        event = like.data["event"]
        plan.write_text(
            json.dumps(
                {
                    "device": like.data["device"],
                    "devices": n_devices,
                    "event": event,
                    "events": n_events,
                    "start": START,
                }
            )
        )
        began = time.monotonic()
        process = subprocess.Popen(
            [node, str(HERE / "fake.mjs"), str(port), str(plan)],
            env=clean_environment(NODE_ENV="production"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        self.started_s[name] = time.monotonic() - began
        # Its list of events has no limit: start where 100 are left.
        since = f"2026-01-01T00:00:{(n_events - 101) / 1000:06.3f}Z" if n_events > 101 else START
        data = {"devices": ready["devices"], "since": since}
        target = self.targets[name] = Target(name, f"http://127.0.0.1:{port}", ready["key"], process, data)
        return target

    def bare(self, name: str, like: Target) -> Target:
        """A bare ASGI application that has Doorward's own answers stored."""
        path = self.folder / f"{name}.db"
        con = sqlite3.connect(path)
        con.execute("CREATE TABLE stored (id TEXT PRIMARY KEY, body BLOB NOT NULL)")
        for device_id in like.data["devices"]:
            answer = post(like.url, like.key, "/locks/get", device_id=device_id)
            con.execute(
                "INSERT INTO stored VALUES (?, ?)", (device_id, json.dumps(answer, separators=(",", ":")).encode())
            )
        con.commit()
        con.close()
        port = free_port()
        process = subprocess.Popen([sys.executable, str(HERE / "bare.py"), str(port), str(path)])
        self.processes.append(process)
        deadline = time.monotonic() + 20
        while not is_healthy(f"http://127.0.0.1:{port}"):
            assert time.monotonic() < deadline, "the bare application does not answer"
            time.sleep(0.02)
        target = self.targets[name] = Target(name, f"http://127.0.0.1:{port}", "none", process, like.data)
        return target

    def emulator(self) -> dict[str, Any]:
        """An emulated intercom in a process of its own: its address and serial number."""
        process = subprocess.Popen(
            [*command(), "emulator", "2n", "--port", "0"], env=clean_environment(), stdout=subprocess.PIPE
        )
        self.processes.append(process)
        assert process.stdout is not None
        unit: dict[str, Any] = json.loads(process.stdout.readline())["devices"][0]
        return {**unit, "pin": None}

    def close(self) -> None:
        """End what was started."""
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextlib.contextmanager
def field_of(sizes: "Sizes") -> Iterator[Field]:
    """Servers that leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as folder:
        made = Field(Path(folder), sizes)
        try:
            yield made
        finally:
            made.close()


# ---------------------------------------------------------------- what is measured


@dataclass(frozen=True)
class Sizes:
    """How long, how often, how much."""

    rounds: int = 3
    seconds: float = 2
    few: int = 1_000
    many: int = 10_000
    few_events: int = 1_000
    many_events: int = 1_000_000
    starts: int = 3


QUICK = Sizes(rounds=1, seconds=1, many_events=50_000, starts=1)


@dataclass(frozen=True)
class Case:
    """A route, and the bodies sent to it at random."""

    name: str
    path: str
    target: str
    bodies: Callable[[Target], list[str]]


def cases() -> list[Case]:
    """In the order of the table. Same work for each server that has it."""

    def get(t: Target) -> list[str]:
        return [body(device_id=i) for i in t.data["devices"]]

    def first_page(_: Target) -> list[str]:
        return [body(limit=20)]

    def create(t: Target) -> list[str]:
        return [body(device_id=i, code="@PIN@", name="Personal Access Code") for i in t.data["devices"]]

    def unlock(t: Target) -> list[str]:
        return [body(device_id=i) for i in t.data.get("intercoms", t.data["devices"])]

    def events(t: Target) -> list[str]:
        return [body(since=t.data["since"], limit=100)]

    return [
        Case("locks/get", "/locks/get", "few", get),
        Case("locks/get", "/locks/get", "fake few", get),
        Case("locks/get", "/locks/get", "bare", get),
        Case("devices/list few", "/devices/list", "few", first_page),
        Case("devices/list few", "/devices/list", "fake few", first_page),
        Case("devices/list many", "/devices/list", "many", first_page),
        Case("devices/list many", "/devices/list", "fake many", first_page),
        Case("events/list few", "/events/list", "few", events),
        Case("events/list few", "/events/list", "fake few", events),
        Case("events/list many", "/events/list", "many", events),
        Case("access_codes/create", "/access_codes/create", "few", create),
        Case("access_codes/create", "/access_codes/create", "fake few", create),
        Case("locks/unlock_door", "/locks/unlock_door", "few", unlock),
        Case("locks/unlock_door", "/locks/unlock_door", "fake few", unlock),
    ]


Measured = dict[tuple[str, str, int], list[load.Result]]
"""(case, target, connections) → one result per round."""


def measure(made: Field, sizes: Sizes, tool: str) -> Measured:
    """All cases, round by round, every other round backwards."""
    results: Measured = {}
    todo = [case for case in cases() if case.target in made.targets]
    # Unmeasured first: caches, compiled code, connections.
    for case in todo:
        target = made.targets[case.target]
        for text in random.sample(bodies := case.bodies(target), min(len(bodies), 20)):
            pin = f"{random.randrange(10**8):08d}"
            post(target.url, target.key, case.path, **json.loads(text.replace("@PIN@", pin)))
    for number in range(sizes.rounds):
        for case in todo if number % 2 == 0 else reversed(todo):
            target = made.targets[case.target]
            bodies = case.bodies(target)
            for connections in (16, 1):
                seconds = sizes.seconds if connections > 1 else max(1.0, sizes.seconds / 2)
                result = load.run(
                    target.url + case.path, target.key, bodies, connections=connections, seconds=seconds, tool=tool
                )
                results.setdefault((case.name, case.target, connections), []).append(result)
        say(f"  round {number + 1} of {sizes.rounds} done")
    return results


# ---------------------------------------------------------------- one call at a time


class Line:
    """One kept-alive connection, one call after the other: no client library in the way."""

    def __init__(self, url: str) -> None:
        self.where = urlsplit(url)
        assert self.where.hostname is not None
        self.socket = socket.create_connection((self.where.hostname, self.where.port or 80))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(
        self, method: str, path: str, headers: dict[str, str], text: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.where.netloc}", f"Content-Length: {len(text)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n" + text).encode())
        status = int(self.file.readline().split()[1])
        answer = http.client.parse_headers(self.file)
        return status, dict(answer.items()), self.file.read(int(answer.get("Content-Length", "0")))

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Digest:
    """A 2N call with Digest authentication and nonce reuse, as little code as that takes."""

    def __init__(self, url: str, user: str = "jane", password: str = "1234") -> None:
        self.line = Line(url)
        self.user, self.password = user, password
        self.count = 0
        self.challenge: dict[str, str] = {}
        self.make = hashlib.md5

    def call(self, path: str) -> None:
        status, headers, answer = self.line.send("GET", path, self._header(path))
        if status == 401:
            offered = headers.get("WWW-Authenticate", headers.get("www-authenticate", ""))
            words = offered.partition(" ")[2].split(",")
            self.challenge = {w.partition("=")[0].strip(): w.partition("=")[2].strip().strip('"') for w in words}
            self.make = hashlib.sha256 if self.challenge.get("algorithm") == "SHA-256" else hashlib.md5
            self.count = 0
            status, headers, answer = self.line.send("GET", path, self._header(path))
        if status != 200 or not json.loads(answer).get("success"):
            raise RuntimeError(f"the intercom answered {status}: {answer!r}")

    def _header(self, path: str) -> dict[str, str]:
        if not self.challenge:
            return {}
        self.count += 1
        nc, cnonce = f"{self.count:08x}", f"{self.count:016x}"
        realm, nonce = self.challenge["realm"], self.challenge["nonce"]
        ha1 = self._hash(f"{self.user}:{realm}:{self.password}")
        response = self._hash(f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{self._hash(f'GET:{path}')}")
        parts = [
            f'username="{self.user}"',
            f'realm="{realm}"',
            f'nonce="{nonce}"',
            f'uri="{path}"',
            f"qop=auth, nc={nc}",
            f'cnonce="{cnonce}"',
            f'response="{response}"',
        ]
        if "algorithm" in self.challenge:
            parts.append(f"algorithm={self.challenge['algorithm']}")
        if "opaque" in self.challenge:
            parts.append(f'opaque="{self.challenge["opaque"]}"')
        return {"Authorization": "Digest " + ", ".join(parts)}

    def _hash(self, text: str) -> str:
        return self.make(text.encode()).hexdigest()


def timed(call: Callable[[], None], seconds: float) -> float:
    """Median milliseconds of a call."""
    took = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        call()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def unlock_against_digest(made: Field, sizes: Sizes, emulator_url: str) -> dict[str, float]:
    """One unlock after the other: through Doorward, and by the bare call that it makes to the same intercom."""
    target = made.targets["few"]
    line = Line(target.url)
    digest = Digest(emulator_url)

    def unlocks(device_id: str, key: str) -> Callable[[], None]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        text = body(device_id=device_id)

        def unlock() -> None:
            status, _, answer = line.send("POST", "/locks/unlock_door", headers, text)
            if status != 200 or json.loads(answer)["action_attempt"]["status"] != "success":
                raise RuntimeError(f"the unlock ended with {status}: {answer!r}")

        return unlock

    con = sqlite3.connect(made.folder / "plain.db", isolation_level=None)
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = FULL")
    con.execute("CREATE TABLE plain (text TEXT)")

    def insert() -> None:
        con.execute("INSERT INTO plain VALUES (?)", ("x" * 500,))

    calls = {
        "intercom": unlocks(target.data["intercom"], target.data["intercom_key"]),
        "digest": lambda: digest.call("/api/switch/ctrl?switch=1&action=trigger"),
        "virtual": unlocks(target.data["intercoms"][0], target.key),
        "insert": insert,
    }
    took: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        timed(call, 0.2)
    for _ in range(sizes.rounds):
        for name, call in calls.items():
            took[name].append(timed(call, sizes.seconds / 2))
    line.close()
    digest.line.close()
    con.close()
    return {f"{name}_ms": statistics.median(found) for name, found in took.items()}


# ---------------------------------------------------------------- the report


def say(text: str) -> None:
    """Progress goes to stderr, the table to stdout."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Row:
    """A figure against what is wanted of it."""

    name: str
    value: float
    unit: str
    wanted: float | None
    at_most: bool
    how: str

    @property
    def verdict(self) -> str:
        if self.wanted is None:
            return "–"
        return "ok" if (self.value <= self.wanted if self.at_most else self.value >= self.wanted) else "SHORT"


def rows_of(results: Measured, digest: dict[str, float], made: Field, idle: dict[str, float]) -> list[Row]:
    """The table."""
    rows: list[Row] = []

    def rate(case: str, target: str) -> float | None:
        found = results.get((case, target, 16))
        return statistics.median(r.per_second for r in found) if found else None

    def ratio(name: str, case: tuple[str, str], peer: tuple[str, str], wanted: float | None) -> None:
        ours, theirs = rate(*case), rate(*peer)
        if ours is not None and theirs:
            rows.append(Row(name, ours / theirs, "×", wanted, False, f"{ours:,.0f}/s, {theirs:,.0f}/s"))

    few, many = f"{made.sizes.few:,}", f"{made.sizes.many:,}"
    ratio("locks/get : fake", ("locks/get", "few"), ("locks/get", "fake few"), 5)
    ratio(f"devices/list 20 of {few} : fake", ("devices/list few", "few"), ("devices/list few", "fake few"), 2.5)
    ratio(f"devices/list 20 of {many} : fake", ("devices/list many", "many"), ("devices/list many", "fake many"), 20)
    ratio("events/list 100 : fake", ("events/list few", "few"), ("events/list few", "fake few"), 2.5)
    create = "access_codes/create"
    ratio(f"{create}, durable : fake, in memory", (create, "few"), (create, "fake few"), 3)
    unlock = "locks/unlock_door"
    ratio(f"{unlock}, durable : fake, in memory", (unlock, "few"), (unlock, "fake few"), None)
    ratio("locks/get : bare ASGI", ("locks/get", "few"), ("locks/get", "bare"), 0.5)
    ratio(f"devices/list, {many} : {few} devices", ("devices/list many", "many"), ("devices/list few", "few"), 0.9)
    events = f"events/list, {made.sizes.many_events:,} : {made.sizes.few_events:,} events"
    ratio(events, ("events/list many", "many"), ("events/list few", "few"), 0.9)
    theirs = digest["digest_ms"]
    for what, wanted in (("intercom", 1.5), ("virtual", None)):
        ours = digest[f"{what}_ms"]
        name = f"unlock of {'an' if what == 'intercom' else 'a virtual'} intercom : bare Digest call"
        rows.append(Row(name, ours / theirs, "×", wanted, True, f"{ours:.2f} ms, {theirs:.2f} ms"))
    rows.append(Row("start to healthy", made.started_s["few"], "s", 1, True, f"with {few} devices stored"))
    rows.append(
        Row("start to healthy, large store", made.started_s["many"], "s", 1, True, f"with {many} devices stored")
    )
    rows.append(Row("idle memory", idle["few"], "MB", 120, True, f"with {few} devices stored"))
    rows.append(Row("idle memory, large store", idle["many"], "MB", None, True, f"with {many} devices stored"))
    if "fake few" in idle:
        rows.append(Row("idle memory of the fake", idle["fake few"], "MB", None, True, f"with {few} devices in memory"))
    return rows


def table(rows: list[Row]) -> str:
    """For people."""
    width = max(46, *(len(row.name) for row in rows)) if rows else 46
    lines = [f"{'':{width}} {'figure':>9}  {'wanted':>8}  {'':5}  ours, theirs"]
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        wanted = f"{sign} {row.wanted:g} {row.unit}" if row.wanted is not None else ""
        digits = {"×": 2, "s": 2, "ms": 1, "%": 1}.get(row.unit, 0)
        value = f"{row.value:.{digits}f} {row.unit}"
        lines.append(f"{row.name:{width}} {value:>9}  {wanted:>8}  {row.verdict:5}  {row.how}".rstrip())
    return "\n".join(lines)


def details(results: Measured) -> str:
    """Every case: requests a second, and how long they took."""
    lines = [
        f"{'':22} {'':10} {'c=16 req/s':>11} {'p50 ms':>8} {'p99 ms':>8}   {'c=1 req/s':>9} {'p50 ms':>8} {'p99 ms':>8}"
    ]
    for name, target, connections in results:
        if connections != 16:
            continue
        figures = []
        for c in (16, 1):
            found = results[name, target, c]
            median = {
                key: statistics.median(getattr(r, key) for r in found) for key in ("per_second", "p50_ms", "p99_ms")
            }
            figures.append(f"{median['per_second']:>10,.0f} {median['p50_ms']:>8.2f} {median['p99_ms']:>8.2f}")
        who = {"few": "Doorward", "many": "Doorward", "bare": "bare ASGI"}.get(target, "fake")
        lines.append(f"{name:22} {who:10} {'   '.join(figures)}")
    refused = sum(r.refused for found in results.values() for r in found)
    if refused:
        lines.append(f"\n{refused:,} answers were not 200: the figures above do not hold.")
        for (name, target, c), found in results.items():
            if bad := sum(r.refused for r in found):
                lines.append(f"  {name}, {target}, c={c}: {bad:,} of {sum(r.requests for r in found):,}")
    return "\n".join(lines)


def main() -> None:
    """The whole run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one short round and a smaller store: a look, no figures")
    options.add_argument("--rounds", type=int, help="rounds (default 3)")
    options.add_argument("--seconds", type=float, help="seconds per measurement (default 2)")
    options.add_argument("--tool", choices=("auto", "wrk", "own"), default="auto", help="what makes the load")
    options.add_argument(
        "--json", type=Path, default=HERE.parent / ".cache" / "bench.json", help="where the numbers go"
    )
    given = options.parse_args()
    base = QUICK if given.quick else Sizes()
    sizes = Sizes(**{**vars(base), **{k: v for k in ("rounds", "seconds") if (v := getattr(given, k)) is not None}})
    tool = given.tool if given.tool != "auto" else "wrk" if shutil.which("wrk") else "own"
    began = time.monotonic()
    with field_of(sizes) as made:
        say("Starting the servers")
        intercom = made.emulator()
        few = made.doorward("few", sizes.few, sizes.few_events, intercom=intercom)
        made.doorward("many", sizes.many, sizes.many_events)
        made.fake("fake few", few, sizes.few, sizes.few_events)
        made.fake("fake many", few, sizes.many, 0)
        made.bare("bare", few)
        idle = {name: target.memory_mb for name, target in made.targets.items()}
        say(f"Measuring with {tool}: {sizes.rounds} rounds of {sizes.seconds:g} s each")
        results = measure(made, sizes, tool)
        digest = unlock_against_digest(made, sizes, intercom["url"])
        rows = rows_of(results, digest, made, idle)
        loaded = {name: target.memory_mb for name, target in made.targets.items()}
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\nOne process, 16 connections, loopback, {tool}; medians of {sizes.rounds} rounds in turns; {machine}\n")
    print(table(rows))
    print(f"\n{details(results)}")
    print(
        f"\nAn unlock is two commits (a plain SQLite insert takes {digest['insert_ms']:.2f} ms here) and the call"
        "\nto the intercom: an emulator in its own process, or a virtual one in the server. The bare"
        "\ncall is that same request alone, with Digest and a nonce in use, to the same emulator."
        "\nCodes are created on devices without a connection: what is measured is the API and the disk."
        "\nThe fake holds as many devices and events of the same size in memory; its page of events is as long as ours."
    )
    if given.quick:
        print("\nThis was a quick look on a smaller store: do not quote it.")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(
        json.dumps(
            {
                "machine": machine,
                "tool": tool,
                "sizes": vars(sizes),
                "rows": [vars(row) | {"verdict": row.verdict} for row in rows],
                "results": [
                    {"case": name, "target": target, "connections": c, "rounds": [vars(r) for r in found]}
                    for (name, target, c), found in results.items()
                ],
                "unlock": digest,
                "start_s": made.started_s,
                "idle_mb": idle,
                "loaded_mb": loaded,
            },
            indent=1,
        )
    )
    say(f"\n{time.monotonic() - began:.0f} s; all numbers are in {os.path.relpath(given.json)}")


if __name__ == "__main__":
    main()
