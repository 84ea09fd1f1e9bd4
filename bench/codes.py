"""`make bench`, third part: access codes that arrive steadily, and a store that is full of them.

usage: python bench/codes.py [--quick] [--rate N] [--codes N] [--json FILE]

Loopback only. Prints a table against the wanted figures and writes all numbers as JSON; ends with 0 whatever they are,
and with 1 when something did not work at all.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import load, seed  # noqa: E402 - run as a file
from bench.run import Line, Row, post, say, table  # noqa: E402
from bench.scale import Figures, percentile, wait_until  # noqa: E402
from bench.site import Failed, Site, site_of  # noqa: E402
from doorward.demo import Browser, Server  # noqa: E402

FEW = 1_000
A_DEVICE = 10
"""Codes that each device has. Half of the devices are given more, the codes of the others are listed."""
LINES = 32
SET_AT = (
    "SELECT access_code_id, MIN(created_at) FROM events "
    "WHERE event_type = 'access_code.set_on_device' GROUP BY access_code_id"
)


# ---------------------------------------------------------------- a steady stream


def steady(figures: Figures, rate: int, seconds: int) -> None:
    """So many codes a second for one door, each at its planned moment whatever became of those before: how long from
    sending the request until the intercom has confirmed that it holds the code."""
    with site_of(1) as site:
        site.connect()
        site.start()
        wait_until(lambda: site.online == 1, "reaching the intercom")
        time.sleep(2)  # its directory is read
        count = rate * seconds
        sent: dict[str, float] = {}
        refused: list[Any] = []
        with ThreadPoolExecutor(LINES) as pool:
            lines = [Line(site.server.url) for _ in range(LINES)]
            began = time.time() + 0.2
            turns = [
                pool.submit(_send, site, line, n, began, rate, count, sent, refused) for n, line in enumerate(lines)
            ]
            for turn in turns:
                turn.result()
        set_now = "SELECT count(*) FROM access_codes WHERE workspace_id = ? AND is_managed = 1 AND status = 'set'"
        wait_until(lambda: site.count(set_now, site.workspace_id) >= len(sent), "setting the codes")
        with sqlite3.connect(f"file:{site.server.data_dir / 'doorward.db'}?mode=ro", uri=True) as db:
            set_at = dict(db.execute(SET_AT).fetchall())
        took = sorted(set_at[code_id] - at * 1000 for code_id, at in sent.items() if code_id in set_at)
        figures |= {
            "p50_ms": percentile(took, 0.5),
            "p99_ms": percentile(took, 0.99),
            "most_ms": took[-1],
            "asked": count,
            "refused": len(refused),
            "lost": len(sent) - len(took),
        }


def _send(
    site: Site, line: Line, first: int, began: float, rate: int, count: int, sent: dict[str, float], refused: list[Any]
) -> None:
    for n in range(first, count, LINES):
        time.sleep(max(0.0, began + n / rate - time.time()))
        body = json.dumps({"device_id": site.ids[0], "code": f"{30_000_000 + n}", "name": f"Guest {n}"})
        at = time.time()
        status, _, answer = line.send("POST", "/access_codes/create", site.headers, body)
        if status == 200:
            sent[json.loads(answer)["access_code"]["access_code_id"]] = at
        else:
            refused.append(answer)
    line.close()


def steady_rows(rate: int, f: Figures) -> list[Row]:
    name, how = f"{rate} codes a second for one door", f"p50 {f['p50_ms']:.0f}, most {f['most_ms']:.0f}"
    return [
        Row(f"{name}: sent to set, p99", f["p99_ms"], "ms", 1_000, True, how),
        Row(f"{name}: refused or lost", f["refused"] + f["lost"], "", 0, True, f"of {f['asked']:.0f}"),
    ]


# ---------------------------------------------------------------- a full store


@contextmanager
def full(folder: Path, count: int) -> Iterator[tuple[str, str, list[str]]]:
    """A server with so many codes in store: its address, a key, and its devices, which nobody is connected to."""
    server = Server(folder / str(count), env={"DOORWARD_RATE_LIMITS": "off"})
    with server:
        key = server.api_key()
        view = post(server.url, key, "/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]
        Browser(email="jane@example.com").walk(view["url"])
        device = post(server.url, key, "/devices/list")["devices"][0]
    about = (server.data_dir, device["connected_account_id"], device["workspace_id"])
    seed.fill(*about, n_devices=count // A_DEVICE, n_events=0)
    began = time.monotonic()
    ids = seed.fill_codes(server.data_dir, device["workspace_id"], count)
    say(f"  seeded {count:,} codes on {len(ids):,} devices in {time.monotonic() - began:.0f} s")
    server.start()
    try:
        yield server.url, key, ids
    finally:
        server.stop()


def store(figures: Figures, many: int, rounds: int, seconds: float) -> None:
    """Creating and listing codes with few and with many in store, in turns."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-bench-"))
    try:
        with full(folder, FEW) as few, full(folder, many) as lots:
            found: dict[str, list[float]] = {}
            for _ in range(rounds):
                for size, (url, key, ids) in (("few", few), ("many", lots)):
                    create = [json.dumps({"device_id": i, "code": "@PIN@", "name": "Guest"}) for i in ids[::2]]
                    listed = [json.dumps({"device_id": i}) for i in ids[1::2]]
                    for what, path, bodies in (("create", "create", create), ("list", "list", listed)):
                        done = load.run(f"{url}/access_codes/{path}", key, bodies, connections=16, seconds=seconds)
                        if done.refused > done.requests / 100:
                            raise Failed(f"{done.refused} of {done.requests} calls of {path} were refused")
                        found.setdefault(f"{what}_{size}_per_s", []).append(done.per_second)
            figures |= {name: statistics.median(values) for name, values in found.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def store_rows(many: int, f: Figures) -> list[Row]:
    return [
        Row(
            f"access_codes/{what}: {many:,} in store : {FEW:,}",
            f[f"{what}_many_per_s"] / f[f"{what}_few_per_s"],
            "×",
            0.9,
            False,
            f"{f[f'{what}_many_per_s']:,.0f}/s, {f[f'{what}_few_per_s']:,.0f}/s",
        )
        for what in ("create", "list")
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
    seconds, rounds, load_s = 20, 5, 3.0
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
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\nOne process on SQLite, its clients and the emulated intercom beside it on the same {machine}\n")
    print(table(rows))
    with suppress(OSError):
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(
            json.dumps({"machine": machine, "rows": [vars(row) for row in rows], "numbers": numbers}, indent=1)
        )
    say(f"\n{time.monotonic() - began:.0f} s; all numbers are in {os.path.relpath(given.json)}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
