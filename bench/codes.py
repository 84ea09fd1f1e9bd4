"""`make bench`, third part: access codes that arrive steadily, and a store that is full of them.

usage: python bench/codes.py [--quick] [--rate N] [--codes N] [--json FILE]

Loopback only. Prints a table against the wanted figures and writes all numbers as JSON; ends with 0 whatever they are,
and with 1 when something did not work at all.
"""

import argparse
import json
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import load, seed  # noqa: E402 - run as a file
from bench.run import Line, Row, post, say  # noqa: E402
from bench.scale import Figures, percentile, report, wait_until  # noqa: E402
from bench.site import Failed, Site, site_of  # noqa: E402
from doorward.demo import Browser, Server  # noqa: E402

FEW = 1_000
A_DEVICE = 10
"""Codes that each device has. Half of the devices are given more, the codes of the others are listed."""
SAME = 50
"""Devices that are asked for in a store of either size: what differs then is the size alone."""
LINES = 32
"""Connections that create codes, and as many that delete them: none of them waits for the one before."""
KEEP = 200
"""Codes that stay on the intercom: each older one is deleted."""
LOST_S = 30
"""A code that is not on the intercom by then is lost."""
SET_AT = (
    "SELECT access_code_id, MIN(created_at) FROM events "
    "WHERE event_type = 'access_code.set_on_device' GROUP BY access_code_id"
)


# ---------------------------------------------------------------- a steady stream


class Stream:
    """Codes for one door at planned moments, whatever became of those before, and the end of those that are old."""

    def __init__(self, site: Site, rate: int, count: int) -> None:
        self.site, self.rate, self.count = site, rate, count
        self.began = time.time() + 0.5
        self.made: dict[int, str] = {}
        """Number of the code → its id."""
        self.refused: list[Any] = []
        self.late_s = 0.0
        """The latest start after its planned moment."""

    def planned(self, n: int) -> float:
        """When the code of this number is asked for."""
        return self.began + n / self.rate

    def run(self) -> None:
        """All of it."""
        with ThreadPoolExecutor(2 * LINES) as pool:
            turns = [pool.submit(act, first) for first in range(LINES) for act in (self._create, self._delete)]
            for turn in turns:
                turn.result()

    def _send(self, line: Line, path: str, **body: Any) -> tuple[Line, dict[str, Any] | None]:
        try:
            status, _, answer = line.send("POST", path, self.site.headers, json.dumps(body))
        except (OSError, IndexError) as exc:  # the connection broke off
            self.refused.append(repr(exc))
            return Line(self.site.server.url), None
        if status == 200:
            return line, json.loads(answer)
        self.refused.append(answer)
        return line, None

    def _create(self, first: int) -> None:
        line = Line(self.site.server.url)
        for n in range(first, self.count, LINES):
            time.sleep(max(0.0, self.planned(n) - time.time()))
            self.late_s = max(self.late_s, time.time() - self.planned(n))
            body = {"device_id": self.site.ids[0], "code": f"{30_000_000 + n}", "name": f"Guest {n}"}
            line, answer = self._send(line, "/access_codes/create", **body)
            if answer is not None:
                self.made[n] = answer["access_code"]["access_code_id"]
        line.close()

    def _delete(self, first: int) -> None:
        line = Line(self.site.server.url)
        for n in range(first, self.count - KEEP, LINES):
            time.sleep(max(0.0, self.planned(n + KEEP) - time.time()))
            if n in self.made:
                line, _ = self._send(line, "/access_codes/delete", access_code_id=self.made[n])
        line.close()


def steady(figures: Figures, rate: int, seconds: int) -> None:
    """So many codes a second for one door: how long from the planned moment of the request until the entry is in the
    intercom's directory, by the intercom's own clock (the same machine's), and until the server has confirmed it."""
    with site_of(1) as site:
        site.connect()
        site.start()
        wait_until(lambda: site.online == 1, "reaching the intercom")
        time.sleep(2)  # its directory is read
        stream = Stream(site, rate, rate * seconds)
        stream.run()
        wanted = set(stream.made.values())
        with suppress(Failed):  # what is missing then is lost, and counted
            wait_until(lambda: wanted <= site.units.held.keys(), "setting the codes", every=0.2, patience=LOST_S)
        time.sleep(1)  # the last are confirmed
        held = site.units.held
        with sqlite3.connect(f"file:{site.server.data_dir / 'doorward.db'}?mode=ro", uri=True) as db:
            confirmed = {code_id: at / 1000 for code_id, at in db.execute(SET_AT)}
        planned = {code_id: stream.planned(n) for n, code_id in stream.made.items()}
        took = sorted((held[code_id] - at) * 1000 for code_id, at in planned.items() if code_id in held)
        told = sorted((confirmed[code_id] - at) * 1000 for code_id, at in planned.items() if code_id in confirmed)
        if not took or not told:
            raise Failed(f"no code was set; the first refusal: {stream.refused[:1]}")
        left = site.units.control(site.units.devices[0]["serial"], "GET", "")["directory"]["users"]
        figures |= {
            "p50_ms": percentile(took, 0.5),
            "p99_ms": percentile(took, 0.99),
            "most_ms": took[-1],
            "confirmed_p50_ms": percentile(told, 0.5),
            "confirmed_p99_ms": percentile(told, 0.99),
            "latest_start_ms": stream.late_s * 1000,
            "asked": stream.count,
            "refused": len(stream.refused),
            "lost": len(planned) - len(took),
            "unconfirmed": len(planned) - len(told),
            "users_left": left,
        }


def steady_rows(rate: int, f: Figures) -> list[Row]:
    """The part of the table about the stream."""
    name = f"{rate} codes a second for one door"
    how = f"p50 {f['p50_ms']:.0f} ms, most {f['most_ms']:.0f} ms"
    confirmed = f"p50 {f['confirmed_p50_ms']:.0f} ms"
    return [
        Row(f"{name}: asked until on the intercom, p99", f["p99_ms"], "ms", 1_000, True, how),
        Row(f"{name}: asked until confirmed, p99", f["confirmed_p99_ms"], "ms", None, True, confirmed),
        Row(f"{name}: refused or lost", f["refused"] + f["lost"], "", 0, True, f"of {f['asked']:.0f}"),
    ]


# ---------------------------------------------------------------- a full store


@contextmanager
def full(folder: Path, count: int, n_devices: int) -> Iterator[tuple[str, str, list[str]]]:
    """A server with so many codes in store: its address, a key, and its devices, which nobody is connected to."""
    server = Server(folder, env={"DOORWARD_RATE_LIMITS": "off"})
    with server:
        key = server.api_key()
        view = post(server.url, key, "/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]
        Browser(email="jane@example.com").walk(view["url"])
        device = post(server.url, key, "/devices/list")["devices"][0]
    about = (server.data_dir, device["connected_account_id"], device["workspace_id"])
    seed.fill(*about, n_devices=n_devices, n_events=0)
    began = time.monotonic()
    ids = seed.fill_codes(server.data_dir, device["workspace_id"], count)
    if count > FEW:
        say(f"  seeded {count:,} codes on {len(ids):,} devices in {time.monotonic() - began:.0f} s")
    server.start()
    try:
        yield server.url, key, ids
    finally:
        server.stop()


def store(figures: Figures, many: int, rounds: int, seconds: float) -> None:
    """Creating and listing codes with few and with many in store, in turns. The small store is a new one each round:
    it would not stay small. Where codes are created on all devices, the small one has as many devices."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-bench-"))
    found: dict[str, list[float]] = {}

    def measure(what: str, where: str, url: str, key: str, ids: list[str]) -> None:
        some = ids[1::2] if what == "list" else ids[::2]
        bodies = [json.dumps({"device_id": i, **({"code": "@PIN@"} if what == "create" else {})}) for i in some]
        if what == "list":  # unmeasured: what is asked for again and again is in memory
            load.run(f"{url}/access_codes/list", key, bodies, connections=16, seconds=1.0)
        done = load.run(f"{url}/access_codes/{what}", key, bodies, connections=16, seconds=seconds)
        if done.refused > done.requests / 100:
            raise Failed(f"{done.refused} of {done.requests} calls of {what} were refused")
        found.setdefault(f"{what}_{where}_per_s", []).append(done.per_second)

    def compare(number: int, whats: Sequence[str], wheres: dict[str, tuple[str, str, list[str]]]) -> None:
        for where in wheres if number % 2 == 0 else reversed(wheres):
            for what in whats:
                measure(what, where, *wheres[where])

    try:
        with full(folder / "many", many, many // A_DEVICE) as (url, key, ids):
            for number in range(rounds):
                at = 2 * SAME * number % (len(ids) - 2 * SAME)  # codes pile up on none of them
                with full(folder / f"few-{number}", FEW, FEW // A_DEVICE) as few:
                    same = {"few": few, "many": (url, key, ids[at : at + 2 * SAME])}
                    compare(number, ("list", "create"), same)
                with full(folder / f"sparse-{number}", FEW, many // A_DEVICE) as sparse:
                    compare(number, ("create",), {"sparse": sparse, "spread": (url, key, ids)})
        figures |= {name: statistics.median(values) for name, values in found.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def store_rows(many: int, f: Figures) -> list[Row]:
    """The part about the full store."""
    all_devices = f"{many // A_DEVICE:,} devices"
    pairs = (("create", f"{SAME} devices", "many", "few"), ("create", all_devices, "spread", "sparse"))
    return [
        Row(
            f"access_codes/{what}, {where}: {many:,} in store : {FEW:,}",
            f[f"{what}_{full}_per_s"] / f[f"{what}_{empty}_per_s"],
            "×",
            0.9,
            False,
            f"{f[f'{what}_{full}_per_s']:,.0f}/s, {f[f'{what}_{empty}_per_s']:,.0f}/s",
        )
        for what, where, full, empty in (*pairs, ("list", f"{SAME} devices", "many", "few"))
    ]


def main() -> int:
    """The whole run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a look, no figures")
    options.add_argument("--rate", type=int, default=50, help="codes a second; 0: none")
    options.add_argument("--codes", type=int, default=1_000_000, help="codes in store; 0: none")
    options.add_argument(
        "--json", type=Path, default=HERE.parent / ".cache" / "bench-codes.json", help="where the numbers go"
    )
    given = options.parse_args()
    seconds, rounds, load_s = 20, 5, 2.0
    if given.quick:
        seconds, rounds, load_s, given.codes = 5, 1, 1.0, min(given.codes, 50_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    began, rows, failed = time.monotonic(), [], False
    numbers: dict[str, Figures] = {}
    todo: list[tuple[str, Any, Any]] = []
    if given.rate:
        stream = partial(steady, rate=given.rate, seconds=seconds)
        todo.append(("a steady stream", stream, partial(steady_rows, given.rate)))
    if given.codes:
        filled = partial(store, many=given.codes, rounds=rounds, seconds=load_s)
        todo.append(("a full store", filled, partial(store_rows, given.codes)))
    for name, measured, shown in todo:
        say(f"Measuring {name}")
        try:
            measured(numbers.setdefault(name, {}))
        except Failed as exc:
            say(f"  it did not work: {exc}")
            failed = True
        else:
            rows += shown(numbers[name])
    where = "One process on SQLite, its clients and the emulated intercom beside it"
    report(rows, numbers, where, given.json, began)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
