"""Two servers, one PostgreSQL: one has the devices, the other stands by. What was answered survives every change."""

import asyncio
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.postgres import Cluster, cluster

from doorward.crypto import Vault, load_master
from doorward.demo import Server, ServerError
from doorward.store.open import LOST_S
from doorward.store.postgres import PostgresDatabase, make_pool
from doorward.store.twins import Twins

from .test_restart import Caller

SECRET = "both servers know this key"
TAKE_OVER_S = 10.0
START_S = 30.0
KILLS = 5
CUTS = 2
CUT_LOCK = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = 17495 AND objid = 1 AND granted"
"""Breaks the connection that holds the lock of the server with the devices, which lives on for some seconds."""
SEED = int(os.environ.get("DOORWARD_STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)

Answer = tuple[int, dict[str, str], bytes]


def ask(server: Server, path: str, method: str = "GET") -> Answer:
    """One request; status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path)
        with connection.getresponse() as reply:  # its socket is its own, also when it breaks off
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def readiness(server: Server) -> tuple[int, str]:
    """What `/readyz` says; 0 while nobody listens."""
    try:
        status, _, body = ask(server, "/readyz")
    except (OSError, http.client.HTTPException):
        return 0, ""
    return status, body.decode().strip()


def until(what: Callable[[], Any], patience: float, *servers: Server) -> float:
    """Wait for it; how long it took, in seconds."""
    began = time.monotonic()
    while not what():
        said = "\n".join(server.log[-3000:] for server in servers)
        assert time.monotonic() - began < patience, f"not within {patience} s; the servers say:\n{said}"
        time.sleep(0.02)
    return time.monotonic() - began


def stands_by(server: Server) -> bool:
    return readiness(server) == (503, "standing by")


def is_ready(server: Server) -> bool:
    return readiness(server) == (200, "ready")


def ready(server: Server, patience: float = START_S) -> float:
    return until(lambda: is_ready(server), patience, server)


class Pair:
    """Two places for servers of one database. As on two machines, each has a data directory of its own."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self.url = url
        self.servers = [self._make(folder / name, *options) for name in ("one", "two")]

    def _make(self, folder: Path, *options: str) -> Server:
        env = {"DOORWARD_DATABASE_URL": self.url, "DOORWARD_SECRET_KEY": SECRET}
        return Server(folder, options=["--standby", *options], env=env)

    def start(self) -> tuple[Server, Server]:
        """The one that has the devices, and the one that stands by."""
        first, second = self.servers
        first.launch()
        ready(first)
        second.launch()
        until(lambda: stands_by(second), START_S, second)
        return first, second

    def end(self) -> None:
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                with contextlib.suppress(ServerError):
                    server.stop()


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    """A database of the test's own."""
    url = asyncio.run(postgres.migrated())
    yield url
    asyncio.run(postgres.drop(url))


@pytest.fixture
def pair(tmp_path: Path, url: str) -> Iterator[Pair]:
    pair = Pair(tmp_path, url)
    yield pair
    pair.end()
    for server in pair.servers:
        assert "Traceback" not in server.log, server.log[-8000:]


def all_of(server: Server) -> list[int]:
    """The server's process and its children's."""
    assert server.process is not None
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def cut_power(server: Server) -> None:
    """Kill all its processes, as when a machine goes down."""
    for pid in all_of(server):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()


def test_a_second_server_says_that_it_stands_by(pair: Pair) -> None:
    first, second = pair.start()
    assert ask(second, "/livez")[::2] == (200, b"alive\n")
    status, headers, body = ask(second, "/readyz")
    assert (status, body) == (503, b"standing by\n")
    assert headers["content-type"].startswith("text/plain")
    for path in ("/devices/list", "/health", "/access_codes/create", "/nowhere"):
        status, headers, body = ask(second, path, "POST")
        error = json.loads(body)["error"]
        assert (status, headers["retry-after"]) == (503, "1")
        assert error["type"] == "service_unavailable"
        assert "Another server has the devices" in error["message"]
        assert error["request_id"] == headers["seam-request-id"]
    assert ask(second, "/devices/list", "OPTIONS")[0] == 200
    assert is_ready(first)


@pytest.mark.parametrize("workers", [1, 3])
def test_sigterm_ends_the_standing_by(tmp_path: Path, url: str, workers: int) -> None:
    pair = Pair(tmp_path, url, "--workers", str(workers))
    try:
        first, second = pair.start()
        assert second.stop() == 0
        assert "Traceback" not in second.log
        assert is_ready(first)
    finally:
        pair.end()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_server_that_is_killed_is_replaced(tmp_path: Path, url: str, workers: int) -> None:
    pair = Pair(tmp_path, url, "--workers", str(workers))
    try:
        first, second = pair.start()
        call = Caller(first)
        devices = call.connect()
        codes = [
            call("/access_codes/create", device_id=devices[n % 3])["access_code"]["access_code_id"] for n in range(9)
        ]
        cut_power(first)
        took = ready(second, TAKE_OVER_S)
        print(f"taken over after {took:.2f} s")
        call.server = second
        assert [device["device_id"] for device in call("/devices/list")["devices"]] == devices
        for code in codes:
            call.until(lambda code=code: call.status(code) == "set")  # type: ignore[misc]
        assert call("/locks/unlock_door", device_id=devices[0])["action_attempt"]["status"] == "success"
        # The one that was killed comes back, and is the second now.
        first.launch()
        until(lambda: stands_by(first), START_S, first)
        assert second.stop() == 0
        ready(first, TAKE_OVER_S)
        call.server = first
        assert {call.status(code) for code in codes} == {"set"}
        assert "Traceback" not in first.log + second.log
    finally:
        pair.end()


def test_a_device_process_that_is_killed_gives_its_turn_away(tmp_path: Path, url: str) -> None:
    """All processes of its server stand by together, and have their turn again when the other server ends."""
    pair = Pair(tmp_path, url, "--workers", "3")
    try:
        first, second = pair.start()
        key = first.api_key()
        owners = asyncio.run(rows(url, "SELECT pid FROM pg_stat_activity WHERE application_name = 'doorward owner'"))
        assert len(owners) == 2
        os.kill(all_of(first)[1], signal.SIGKILL)
        ready(second, TAKE_OVER_S)
        until(lambda: stands_by(first), TAKE_OVER_S, first)
        assert {readiness(first)[1] for _ in range(30)} == {"standing by"}
        assert second.stop() == 0
        until(lambda: {readiness(first)[1] for _ in range(10)} == {"ready"}, TAKE_OVER_S, first)
        call = Caller(first)
        call.key = key
        assert call("/devices/list")["devices"] == []
    finally:
        pair.end()


def test_a_server_that_loses_its_lock_ends(tmp_path: Path, url: str) -> None:
    pair = Pair(tmp_path, url)
    try:
        first, second = pair.start()
        asyncio.run(rows(pair.url, CUT_LOCK))
        assert first.process is not None
        assert first.process.wait(TAKE_OVER_S) in (0, 1)
        assert "broke; ending" in first.log
        ready(second, TAKE_OVER_S)
        assert "Traceback" not in second.log
    finally:
        pair.end()


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with cluster() as postgres:
        pair = Pair(tmp_path, asyncio.run(postgres.migrated()))
        try:
            first, second = pair.start()
            postgres.stop()
            assert first.process is not None
            assert first.process.wait(TAKE_OVER_S) in (0, 1)
            until(lambda: "does not answer" in second.log, TAKE_OVER_S, second)
            assert stands_by(second)
            postgres.start()
            ready(second, TAKE_OVER_S)
        finally:
            pair.end()
        assert "Traceback" not in second.log, second.log[-8000:]


def test_standing_by_needs_postgresql(stopped: Server) -> None:
    done = stopped.run("serve", "--standby", "--port", str(stopped.port), "--data-dir", str(stopped.data_dir))
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr


def test_standing_by_needs_the_same_key(tmp_path: Path, pair: Pair) -> None:
    pair.start()
    other = Server(tmp_path / "three", env={"DOORWARD_DATABASE_URL": pair.url})
    done = other.run("serve", "--standby", "--port", str(other.port), "--data-dir", str(other.data_dir))
    assert done.returncode == 2
    assert "DOORWARD_SECRET_KEY" in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- a storm


class Client:
    """Creates codes, at whichever server takes them, until told to stop."""

    def __init__(self, pair: Pair, key: str, devices: list[str], seed: int, first_pin: int) -> None:
        self._pair, self._key, self._devices = pair, key, devices
        self._random = random.Random(seed)
        self._pin = first_pin
        self.answered: dict[str, str] = {}
        """PIN by access code id, of those that were answered 200."""
        self.doubtful: set[str] = set()
        """PINs that a server may have taken without our hearing of it."""
        self.problems: list[Any] = []
        self.enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.enough.wait(self._random.uniform(0.0, 0.1)):
            self._pin += 1
            self._create(str(self._pin), self._random.choice(self._devices))

    def _create(self, pin: str, device_id: str) -> None:
        """One code, by as many tries as it takes."""
        while not self.enough.is_set():
            for server in list(self._pair.servers):
                call = Caller.__new__(Caller)
                call.server, call.key = server, self._key
                try:
                    reply = call.raw("/access_codes/create", {"device_id": device_id, "code": pin}, timeout=10)
                except ConnectionRefusedError:
                    continue
                except (OSError, http.client.HTTPException, ValueError):
                    self.doubtful.add(pin)
                    continue
                if reply["ok"]:
                    self.answered[reply["access_code"]["access_code_id"]] = pin
                    return
                kind = reply["error"]["type"]
                if kind == "duplicate_access_code" and pin in self.doubtful:
                    return  # an earlier try was taken
                if kind != "service_unavailable":
                    self.problems.append((pin, reply))
                    return
            self.enough.wait(0.05)


def cut_lock(pair: Pair, active: Server, key: str) -> float:
    """Take its lock away from a server that has a request it cannot end; how long until its successor was ready."""
    half = f"POST /devices/list HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 100\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", active.port)) as held_up:
        held_up.sendall(half.encode())
        asyncio.run(rows(pair.url, CUT_LOCK))
        others = [server for server in pair.servers if server is not active]
        took = until(lambda: is_ready(others[0]), START_S, *others)
        assert active.process is not None
        assert active.process.wait(LOST_S + 5) in (0, 1)
        return took


@pytest.fixture
def stormy(tmp_path: Path, url: str) -> Iterator[Pair]:
    """A pair that may complain."""
    pair = Pair(tmp_path, url)
    yield pair
    pair.end()


def test_a_storm_loses_nothing(stormy: Pair) -> None:
    """Servers are killed or lose their lock, one after the other, while clients create codes."""
    pair = stormy
    print(f"DOORWARD_STORM_SEED={SEED}")
    dice = random.Random(SEED)
    first, _second = pair.start()
    call = Caller(first)
    devices = call.connect()
    clients = [Client(pair, call.key, devices, SEED + n, 100_000 * (n + 1)) for n in range(3)]
    for client in clients:
        client.start()
    deeds = ["kill"] * KILLS + ["cut"] * CUTS
    dice.shuffle(deeds)
    pauses = []
    try:
        for deed in deeds:
            clients[0].enough.wait(dice.uniform(0.5, 5.5))
            until(lambda: any(is_ready(server) for server in pair.servers), START_S, *pair.servers)
            active = next(server for server in pair.servers if is_ready(server))
            if deed == "kill":
                active.kill()
                active.launch()
                # Whichever is first: the other one may only just be starting itself.
                took = until(lambda: any(is_ready(server) for server in pair.servers), START_S, *pair.servers)
            else:
                took = cut_lock(pair, active, call.key)
                active.launch()
            pauses.append((deed, round(took, 2)))
        clients[0].enough.wait(dice.uniform(0.5, 3.0))
    finally:
        for client in clients:
            client.stop()
    assert [client.problems for client in clients] == [[], [], []]
    until(lambda: any(is_ready(server) for server in pair.servers), START_S, *pair.servers)
    call.server = next(server for server in pair.servers if is_ready(server))
    answered = {code: pin for client in clients for code, pin in client.answered.items()}
    doubtful = {pin for client in clients for pin in client.doubtful}
    print(f"{len(answered)} codes answered, {len(doubtful)} in doubt; ready again after: {pauses} s")
    assert len(answered) > 10 * KILLS

    def held() -> dict[str, dict[str, Any]]:
        listed = [c for device_id in devices for c in call("/access_codes/list", device_id=device_id)["access_codes"]]
        return {code["access_code_id"]: code for code in listed}

    call.until(lambda: {code["status"] for code in held().values()} == {"set"}, patience=60)
    codes = held()
    assert {code: codes[code]["code"] for code in answered} == answered
    extra = {code["code"] for key, code in codes.items() if key not in answered}
    assert extra <= doubtful
    wanted = Counter((code["device_id"], code["code"]) for code in codes.values())
    assert set(wanted.values()) == {1}
    pair.end()
    assert asyncio.run(directories(pair.url)) == Counter(pin for _, pin in wanted)


async def rows(url: str, sql: str) -> list[Any]:
    con = await asyncpg.connect(url)
    try:
        return list(await con.fetch(sql))
    finally:
        await con.close()


async def directories(url: str) -> Counter[str]:
    """The PINs in the virtual intercoms' directories, as they are in the database."""
    db = PostgresDatabase(await make_pool(url, 1))
    try:
        twins = Twins(db, Vault(load_master(Path(), SECRET)))
        found: Counter[str] = Counter()
        for workspace_id, ref in await db.read.all("SELECT workspace_id, ref FROM twins"):
            state = await twins.load(workspace_id, "my_2n", ref)
            assert state is not None
            entries = [entry for entry in json.loads(state)["directory"]["entries"] if not entry[3]]
            found.update(str(values["access.pin"]) for _, _, values, _ in entries)
        return found
    finally:
        await db.close()
