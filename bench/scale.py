"""`make bench`, second part, and `make bench-scale`: one process with much to do.

Many watched intercoms, a large directory, and many codes at once.

usage: python bench/scale.py [--quick] [--watched N…] [--tls N] [--users N] [--codes N] [--json FILE]

Loopback only. The intercoms are emulated, in other processes on the same machine, whose cores they share with the
server. Prints a table against the wanted figures and writes all numbers as JSON; ends with 0 whatever they are, and
with 1 when something did not work at all.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import units as emulated  # noqa: E402 - run as a file
from bench.run import Line, Row, say, table  # noqa: E402
from bench.site import Failed, Site, cpu_s, memory_kb, site_of  # noqa: E402
from doorward.clock import Clock  # noqa: E402
from doorward.providers.my_2n.client import TwoNClient  # noqa: E402
from doorward.providers.my_2n.driver import TwoNLink  # noqa: E402
from doorward.providers.reports import WantedCode, Written  # noqa: E402

PULL_S = 20
"""A long poll of the driver: idle times are measured over whole ones."""
PATIENCE_S = 120
START_S = 0.06
"""More of it for each intercom that is to be reached."""
PRESSES = 200
SEEN_S = 30
STORM = 500
AT_ONCE = 16
"""Connections that create codes."""

Figures = dict[str, float]


def wait_until(is_done: Callable[[], bool], what: str, *, every: float = 0.02, patience: float = PATIENCE_S) -> float:
    """Seconds until it is so."""
    began = time.perf_counter()
    while not is_done():
        if time.perf_counter() - began > patience:
            raise Failed(f"{what} took longer than {patience:g} s")
        time.sleep(every)
    return time.perf_counter() - began


def percentile(took: list[float], share: float) -> float:
    """Of sorted figures."""
    return took[min(len(took) - 1, int(len(took) * share))]


# ---------------------------------------------------------------- watching


def watching(figures: Figures, count: int, *, use_tls: bool = False) -> None:
    """Many intercoms on one process: start, memory, idle work, and how soon what happens is known."""
    patience = PATIENCE_S + count * START_S
    with site_of(count, use_tls=use_tls) as site:
        site.start()
        time.sleep(1)
        empty_kb = memory_kb(site.pid)
        site.stop()
        site.connect()
        site.start()
        began, used = time.perf_counter(), cpu_s(site.pid)
        wait_until(lambda: site.online == count, "reaching every intercom", every=0.1, patience=patience)
        figures |= {"first_start_s": time.perf_counter() - began, "first_start_cpu_s": cpu_s(site.pid) - used}
        wait_until(lambda: site.is_settled, "reading every directory", every=0.25, patience=patience)
        figures |= {"first_sync_s": time.perf_counter() - began, "first_sync_cpu_s": cpu_s(site.pid) - used}
        figures["stop_s"] = site.stop()

        # Again, as after an update: everything is known, and only has to be followed.
        site.start()
        began, used = time.perf_counter(), cpu_s(site.pid)
        wait_until(lambda: site.units.watched == count, "watching every intercom", every=0.1, patience=patience)
        figures |= {"restart_s": time.perf_counter() - began, "restart_cpu_s": cpu_s(site.pid) - used}
        wait_until(lambda: site.is_settled, "coming to rest", every=0.25, patience=patience)
        figures["restart_sync_s"] = time.perf_counter() - began
        time.sleep(8)  # kept-alive connections end
        used, began = cpu_s(site.pid), time.perf_counter()
        time.sleep(PULL_S)
        figures["idle_cpu"] = (cpu_s(site.pid) - used) / (time.perf_counter() - began)
        figures |= {"memory_mb": memory_kb(site.pid) / 1024, "kb_each": (memory_kb(site.pid) - empty_kb) / count}

        took = sorted(press(site, n) for n in random.sample(range(count), min(PRESSES, count)))
        figures |= {"event_p50_ms": percentile(took, 0.5) * 1000, "event_p99_ms": percentile(took, 0.99) * 1000}
        figures["event_most_ms"] = took[-1] * 1000
        figures |= storm(site, random.sample(range(count), min(STORM, count)))
        figures["loaded_mb"] = memory_kb(site.pid) / 1024
        if site.units.watched != count or site.online != count:
            raise Failed("some intercoms were lost on the way")


def press(site: Site, n: int) -> float:
    """Type a PIN at an intercom; seconds until the API shows the door unlocked."""
    device_id = site.ids[n]

    def is_locked() -> bool:
        locked: bool = site.post("/locks/get", device_id=device_id)["lock"]["properties"]["locked"]
        return locked

    if not is_locked():
        raise Failed("a door was open before anybody typed")
    began = time.perf_counter()
    site.units.control(site.units.devices[n]["serial"], "POST", "/keys", keys=f"{emulated.PIN}*")
    while is_locked():
        if time.perf_counter() - began > SEEN_S:
            raise Failed(f"an event was not seen within {SEEN_S} s")
        time.sleep(0.000_5)
    return time.perf_counter() - began


def storm(site: Site, chosen: list[int]) -> Figures:
    """Somebody types a PIN at many intercoms as fast as it goes; until the last of them is in the list of events."""
    time.sleep(emulated.PULSE_S + 1)  # all doors are locked again
    seen = "SELECT count(*) FROM events WHERE workspace_id = ? AND event_type = 'lock.unlocked'"
    before = site.count(seen, site.workspace_id)
    began = time.perf_counter()
    for n in chosen:
        site.units.control(site.units.devices[n]["serial"], "POST", "/keys", keys=f"{emulated.PIN}*")
    typed = time.perf_counter() - began
    wait_until(lambda: site.count(seen, site.workspace_id) - before >= len(chosen), "a storm of events", every=0.005)
    return {"storm_typed_s": typed, "storm_s": time.perf_counter() - began}


# ---------------------------------------------------------------- a large directory


def link_to(unit: dict[str, Any], workspace_id: str) -> TwoNLink:
    """The driver, on one intercom."""
    secret = {"url": unit["url"], "pin": unit["pin"], "username": "jane", "password": "1234", "switch": 1}

    async def connect(_ref: str, _secret: Any) -> TwoNClient:
        return TwoNClient(unit["url"], "jane", "1234", pin=unit["pin"])

    return TwoNLink(workspace_id, {unit["serial"]: secret}, connect, Clock())


def directory(figures: Figures, users: int) -> None:
    """Many users on one intercom: the first read and the read of one change, by the driver and through the server."""
    with site_of(1, users=users) as site:
        unit = site.units.devices[0]
        figures |= asyncio.run(_driver_reads(site, unit, users))
        site.connect()
        known = "SELECT count(*) FROM access_codes WHERE workspace_id = ? AND is_managed = 0"
        site.start()
        began = time.perf_counter()
        wait_until(lambda: site.count(known, site.workspace_id) >= users, "the first read of a large directory")
        figures["first_sync_s"] = time.perf_counter() - began
        figures["first_sync_mb"] = memory_kb(site.pid) / 1024

        took = []
        for n in range(5):
            time.sleep(1.5)  # edits come in groups: this one is to be a group of its own
            before = site.count(known, site.workspace_id)
            began = time.perf_counter()
            add_user(site, unit, f"{90_000_000 + n}")
            wait_until(lambda before=before: site.count(known, site.workspace_id) > before, "a change", every=0.005)  # type: ignore[misc]
            took.append(time.perf_counter() - began)
        figures["change_s"] = statistics.median(took)


def add_user(site: Site, unit: dict[str, Any], pin: str) -> None:
    """Somebody adds a user at the intercom."""
    site.units.control(unit["serial"], "PUT", f"/users/{uuid.uuid4()}", name="New", access={"pin": pin})


async def _driver_reads(site: Site, unit: dict[str, Any], users: int) -> Figures:
    link = link_to(unit, site.workspace_id)
    try:
        await link.read_device(unit["serial"])  # the login, and what is asked once
        began = time.perf_counter()
        read = await link.read_codes(unit["serial"])
        whole = time.perf_counter() - began
        if len(read.codes) < users or not read.is_whole:
            raise Failed(f"the driver read {len(read.codes)} of {users} users")
        took = []
        for n in range(5):
            add_user(site, unit, f"{80_000_000 + n}")
            began = time.perf_counter()
            read = await link.read_codes(unit["serial"], read.place)
            took.append(time.perf_counter() - began)
            if len(read.codes) != 1 or read.is_whole:
                raise Failed(f"the driver read {len(read.codes)} users instead of one")
        return {"driver_whole_s": whole, "driver_change_ms": statistics.median(took) * 1000}
    finally:
        await link.close()


# ---------------------------------------------------------------- many codes


def codes(figures: Figures, count: int, rounds: int) -> None:
    """Many codes on one intercom until all are `set`, against bare writes of as many users over the same wire."""
    with site_of(1) as site:
        unit = site.units.devices[0]
        site.connect()
        site.start()
        wait_until(lambda: site.online == 1, "reaching the intercom")
        time.sleep(2)  # its directory is read
        took: dict[str, list[float]] = {"api": [], "single": [], "batch": [], "driver": []}
        for number in range(rounds):
            took["api"].append(_through_the_api(site, count, number))
            for name, seconds in asyncio.run(_bare_writes(site, unit, count, number)).items():
                took[name].append(seconds)
        figures |= {f"{name}_s": statistics.median(found) for name, found in took.items()}


def _through_the_api(site: Site, count: int, number: int) -> float:
    set_now = "SELECT count(*) FROM access_codes WHERE workspace_id = ? AND is_managed = 1 AND status = 'set'"
    before = site.count(set_now, site.workspace_id)

    bodies = [
        json.dumps({"device_id": site.ids[0], "code": f"{10_000_000 + number * 100_000 + n}", "name": f"Guest {n}"})
        for n in range(count)
    ]

    def create(line: Line) -> None:
        while bodies:
            status, _, answer = line.send("POST", "/access_codes/create", site.headers, bodies.pop())
            if status != 200:
                raise Failed(f"a code was refused: {status} {answer!r}")

    lines = [Line(site.server.url) for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.perf_counter()
        list(pool.map(create, lines))
        wait_until(lambda: site.count(set_now, site.workspace_id) - before >= count, "setting the codes", every=0.002)
        took = time.perf_counter() - began
    for line in lines:
        line.close()
    return took


async def _bare_writes(site: Site, unit: dict[str, Any], count: int, number: int) -> Figures:
    """The same users by the same client: `dir/create` one by one, in batches, and by the driver's own batches."""

    def users(kind: int) -> list[dict[str, Any]]:
        base = 20_000_000 + number * 100_000 + kind * 10_000_000
        return [
            {
                "uuid": str(uuid.uuid4()),
                "name": f"Guest {n}",
                "owner": "bench",
                "access": {"pin": f"{base + n}", "validFrom": "0", "validTo": "0"},
            }
            for n in range(count)
        ]

    client = TwoNClient(unit["url"], "jane", "1234", pin=unit["pin"])
    link = link_to(unit, str(uuid.uuid4()))
    try:
        await client.dir_template()  # the login
        made = users(0)
        began = time.perf_counter()
        for user in made:
            if "errors" in await client.dir_create(user):
                raise Failed("a bare write was refused")
        single = time.perf_counter() - began

        made = users(1)
        began = time.perf_counter()
        for at in range(0, count, 40):
            if any("errors" in one for one in await client.dir_create_all(made[at : at + 40])):
                raise Failed("a bare write was refused")
        batch = time.perf_counter() - began

        await link.read_device(unit["serial"])
        wanted = [
            WantedCode(str(uuid.uuid4()), user["uuid"], user["name"], user["access"]["pin"], None, None)
            for user in users(2)
        ]
        began = time.perf_counter()
        outcomes = await link.set_codes(unit["serial"], wanted)
        driver = time.perf_counter() - began
        if not all(isinstance(one, Written) for one in outcomes):
            raise Failed("the driver did not set a code")
        return {"single": single, "batch": batch, "driver": driver}
    finally:
        await link.close()
        await client.close()


# ---------------------------------------------------------------- the report


def watching_rows(count: int, f: Figures, *, use_tls: bool = False) -> list[Row]:
    """The part of the table about `count` watched intercoms."""
    who = f"{count:,} intercoms{', TLS' if use_tls else ''}"
    cpu = f"{f['first_start_cpu_s']:.1f} s of one core"
    return [
        Row(f"{who}: first start until all are reached", f["first_start_s"], "s", None, True, cpu),
        Row(f"{who}: first start until all directories are read", f["first_sync_s"], "s", None, True, ""),
        Row(
            f"{who}: restart until all are watched",
            f["restart_s"],
            "s",
            None,
            True,
            f"{f['restart_cpu_s']:.1f} s of one core",
        ),
        Row(f"{who}: memory of the process", f["memory_mb"], "MB", None, True, f"{f['kb_each']:.0f} kB each"),
        Row(f"{who}: one core, idle", f["idle_cpu"] * 100, "%", None, True, f"a long poll of {PULL_S} s each"),
        Row(f"{who}: PIN typed until the API tells, p50", f["event_p50_ms"], "ms", None, True, ""),
        Row(f"{who}: PIN typed until the API tells, p99", f["event_p99_ms"], "ms", None, True, ""),
        Row(
            f"{who}: {min(STORM, count)} PINs at once until all are told",
            f["storm_s"],
            "s",
            None,
            True,
            f"typed in {f['storm_typed_s']:.2f} s",
        ),
    ]


def directory_rows(users: int, f: Figures) -> list[Row]:
    """The part about a large directory."""
    who = f"{users:,} users"
    return [
        Row(f"{who}: whole read, driver", f["driver_whole_s"], "s", None, True, ""),
        Row(f"{who}: read of one change, driver", f["driver_change_ms"], "ms", None, True, ""),
        Row(f"{who}: start until all are known", f["first_sync_s"], "s", None, True, f"{f['first_sync_mb']:.0f} MB"),
        Row(f"{who}: change until it is known", f["change_s"], "s", None, True, "1 s of it waits for more edits"),
    ]


def codes_rows(count: int, f: Figures) -> list[Row]:
    """The part about many codes at once."""
    name = f"{count} codes until set : bare writes"
    return [
        Row(
            f"{name}, one by one",
            f["api_s"] / f["single_s"],
            "×",
            1.3,
            True,
            f"{f['api_s']:.2f} s, {f['single_s']:.2f} s",
        ),
        Row(
            f"{name}, batches of 40",
            f["api_s"] / f["batch_s"],
            "×",
            None,
            True,
            f"{f['api_s']:.2f} s, {f['batch_s']:.2f} s",
        ),
        Row(
            f"{name}, the driver's",
            f["api_s"] / f["driver_s"],
            "×",
            None,
            True,
            f"{f['api_s']:.2f} s, {f['driver_s']:.2f} s",
        ),
    ]


def report(rows: list[Row], numbers: Any, where: str, path: Path, began: float, *, after: str = "") -> None:
    """Print the table, and write all numbers as JSON."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\n{where} on the same {machine}\n")
    print(table(rows) + after)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "rows": [vars(row) for row in rows], "numbers": numbers}, indent=1))
    say(f"\n{time.monotonic() - began:.0f} s; all numbers are in {os.path.relpath(path)}")


def main() -> int:
    """The whole run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a tenth of everything, one round: a look, no figures")
    options.add_argument("--watched", type=int, nargs="*", default=[1_000], help="watched intercoms, plain HTTP")
    options.add_argument("--tls", type=int, default=1_000, help="watched intercoms over TLS; 0: none")
    options.add_argument("--users", type=int, default=10_000, help="users of the large directory; 0: none")
    options.add_argument("--codes", type=int, default=200, help="codes at once; 0: none")
    options.add_argument("--rounds", type=int, default=5, help="of the codes")
    options.add_argument(
        "--json", type=Path, default=HERE.parent / ".cache" / "bench-scale.json", help="where the numbers go"
    )
    given = options.parse_args()
    if given.quick:
        given.watched, given.tls, given.users, given.rounds = [100], 100, 1_000, 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    began = time.monotonic()
    rows: list[Row] = []
    numbers: dict[str, Figures] = {}
    todo: list[tuple[str, Callable[[Figures], None], Callable[[Figures], list[Row]]]] = []
    if given.codes:
        n = given.codes
        todo.append((f"{n} codes", partial(codes, count=n, rounds=given.rounds), partial(codes_rows, n)))
    if given.users:
        n = given.users
        todo.append((f"a directory of {n:,} users", partial(directory, users=n), partial(directory_rows, n)))
    for n, use_tls in [*((n, False) for n in given.watched), *([(given.tls, True)] if given.tls else [])]:
        measure = partial(watching, count=n, use_tls=use_tls)
        todo.append((f"{n:,} intercoms{', TLS' * use_tls}", measure, partial(watching_rows, n, use_tls=use_tls)))
    failed = False
    for name, measured, shown in todo:
        say(f"Measuring {name}")
        try:
            measured(numbers.setdefault(name, {}))
        except Failed as exc:
            say(f"  it did not work: {exc}; so far: {json.dumps(numbers[name])}")
            failed = True
        else:
            rows += shown(numbers[name])
    after = (
        "\n\nA bare write is a call of dir/create by the server's own client, logged in and warm, from this process,"
        "\nwith nothing stored and nothing read back. A code through the API is also two transactions on disk, events,"
        "\nand a read of the entry; its time runs from the first create call, 16 at a time, until the last is `set`."
    )
    where = "One process on SQLite; the emulated intercoms run beside it"
    report(rows, numbers, where, given.json, began, after=after)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
