"""Emulated intercoms and a server that watches them: processes of the bench, ended when it ends.

They are ended after errors, Ctrl-C and SIGTERM too; only a bench that is killed outright leaves them running.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from bench import nofile, seed
from bench.run import Line
from doorward.demo import Server, clean_environment

HERE = Path(__file__).parent
PER_PROCESS = 2_500
"""Emulated intercoms in one process: each needs a listening socket and two connections."""
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """The bench cannot go on."""


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used, in all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kb(pid: int) -> int:
    """Resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Units:
    """Emulated intercoms."""

    def __init__(self, count: int, *, use_tls: bool = False, users: int = 0) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        self.devices: list[dict[str, Any]] = []
        self.controls: list[str] = []
        self._where: dict[str, str] = {}
        self._lines: dict[str, Line] = {}
        options = ["--users", str(users), *(["--tls"] if use_tls else [])]
        try:
            for block, at in enumerate(range(0, count, PER_PROCESS)):
                self._start(min(PER_PROCESS, count - at), ["--block", str(block), *options])
            for process in self.processes:
                self._ready(process)
        except BaseException:
            self.close()
            raise

    def _start(self, count: int, options: list[str]) -> None:
        self.processes.append(
            subprocess.Popen(
                [sys.executable, str(HERE / "units.py"), str(count), *options],
                env=clean_environment(),
                stdout=subprocess.PIPE,
                text=True,
            )
        )

    def _ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Failed("the emulated intercoms did not start")
        ready = json.loads(line)
        self.devices += ready["devices"]
        self.controls.append(ready["control"])
        self._where |= {device["serial"]: ready["control"] for device in ready["devices"]}

    def _line(self, control: str) -> Line:
        if control not in self._lines:
            self._lines[control] = Line(control)
        return self._lines[control]

    def control(self, serial: str, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Do something to an intercom from outside its API."""
        target = f"/devices/{serial}{path}"
        headers = {"Content-Type": "application/json"}
        status, _, answer = self._line(self._where[serial]).send(method, target, headers, json.dumps(body))
        if status != 200:
            raise Failed(f"the emulated intercom answered {status} to {method} {target}: {answer!r}")
        done: dict[str, Any] = json.loads(answer)
        return done

    @property
    def watched(self) -> int:
        """Intercoms with a channel of their log that was opened after the last mark."""
        return sum(json.loads(self._line(one).send("GET", "/watched", {})[2])["watched"] for one in self.controls)

    @property
    def held(self) -> dict[str, float]:
        """When each user that was created was first in an intercom's directory, by the intercoms' own word."""
        found: dict[str, float] = {}
        for one in self.controls:
            found |= json.loads(self._line(one).send("GET", "/held", {})[2])
        return found

    def mark(self) -> None:
        """What is open now was left behind."""
        for one in self.controls:
            self._line(one).send("POST", "/mark", {})

    def close(self) -> None:
        """End them."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        end(*self.processes)


def end(*processes: subprocess.Popen[Any]) -> None:
    """Terminate, wait, and kill what does not listen."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Site:
    """A server with a production workspace for intercoms. Not started by itself."""

    def __init__(self, folder: Path, units: Units) -> None:
        self.units = units
        self.server = Server(folder / "site", env={"DOORWARD_RATE_LIMITS": "off", "DOORWARD_LOG_LEVEL": "error"})
        data = ("--data-dir", str(self.server.data_dir))
        made = self.server.run("workspace", "create", "Bench", "--production", *data)
        if made.returncode != 0:
            raise Failed(f"no workspace could be made: {made.stderr}")
        self.workspace_id = made.stdout.strip()
        self.key = self.server.api_key("--workspace", self.workspace_id)
        self.headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.ids: list[str] = []
        self._line: Line | None = None
        self._db: sqlite3.Connection | None = None

    def connect(self, per_account: int = 10) -> None:
        """Put the intercoms into the stopped server's workspace; their device ids are in `ids` then."""
        self.ids = seed.connect(self.server.data_dir, self.workspace_id, self.units.devices, per_account=per_account)

    def start(self) -> float:
        """Start the server; seconds until it answers."""
        began = time.perf_counter()
        self.server.start()
        return time.perf_counter() - began

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """One call, on the one connection."""
        if self._line is None:
            self._line = Line(self.server.url)
        status, _, answer = self._line.send("POST", path, self.headers, json.dumps(body))
        if status != 200:
            raise Failed(f"{path} with {body}: {status} {answer!r}")
        done: dict[str, Any] = json.loads(answer)
        return done

    def count(self, sql: str, *args: Any) -> int:
        """A figure of the server's own file, read beside it: no load on the server."""
        if self._db is None:
            path = urlsplit(str(self.server.data_dir / "doorward.db")).path
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        found: int = self._db.execute(sql, args).fetchone()[0]
        return found

    @property
    def online(self) -> int:
        """Intercoms that have told how they stand."""
        return self.count("SELECT count(*) FROM devices WHERE workspace_id = ? AND online = 1", self.workspace_id)

    @property
    def is_settled(self) -> bool:
        """Nothing is left to do at any device right now."""
        now = round(time.time() * 1000)
        looked_at = self.count("SELECT count(*) FROM due WHERE lease_until = 0 AND due_at > ?", now + 2_000)
        return looked_at == len(self.ids)

    def stop(self) -> float:
        """Stop the server; seconds until it has ended."""
        if self._line is not None:
            self._line.close()
            self._line = None
        began = time.perf_counter()
        if self.server.process is not None and self.server.process.poll() is None:
            self.server.stop(60)
        took = time.perf_counter() - began
        self.units.mark()
        return took

    def __enter__(self) -> "Site":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            self._db.close()
        try:
            self.stop()
        except Exception:
            self.server.kill()


@contextlib.contextmanager
def site_of(count: int, *, use_tls: bool = False, users: int = 0) -> Iterator[Site]:
    """Intercoms and a server, not started yet, that does not know them yet. Nothing is left behind."""
    nofile.raise_limit()
    folder = Path(tempfile.mkdtemp(prefix="doorward-bench-"))
    units: Units | None = None
    try:
        units = Units(count, use_tls=use_tls, users=users)
        with Site(folder, units) as made:
            yield made
    finally:
        if units is not None:
            units.close()
        shutil.rmtree(folder, ignore_errors=True)
