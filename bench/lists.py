"""`make bench`, fourth part: every list and its filters, with few and with many rows in store.

usage: python bench/lists.py [--quick] [--rows N] [--rounds N] [--only TEXT ...] [--json FILE]

Each question finds the same rows in both stores, so what differs is the size alone. Loopback only. Prints a table
against the wanted figures and writes all numbers as JSON; ends with 0 whatever they are, and with 1 when something did
not work at all.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench import load  # noqa: E402 - run as a file
from bench.run import Row, post, say  # noqa: E402
from bench.scale import Figures, report  # noqa: E402
from bench.site import Failed  # noqa: E402
from doorward.demo import Browser, Server  # noqa: E402

FEW = 1_000
EACH = 10
"""Rows of one customer, one account, one person: as many in either store."""
ASKED = 50
"""Customers and so on that are asked for in turn."""
PAGE = 20


# ---------------------------------------------------------------- a full store


def uid(table: str) -> str:
    """SQL for the id of row `i` of a table, in the order of its rows."""
    return f"printf('01800000-0000-7000-8{TABLES.index(table):03x}-%012x', i)"


def group(text: str, count: int) -> str:
    """SQL for a key that ten rows share: neighbours by number are in different groups."""
    return f"'{text}-' || (i % {max(1, count // EACH)})"


TABLES = [
    *("connect_webviews", "connected_accounts", "devices", "spaces", "user_identities", "access_grants"),
    *("access_methods", "access_codes", "action_attempts", "events"),
]


def columns_of(count: int) -> dict[str, dict[str, str]]:
    """Table → column → SQL for row `i`; other columns are those of the row that is copied."""
    some = max(1, count // EACH)
    metadata = "json_object('room', 'room-' || i, 'wing', 'north', 'note', 'Key ' || i || '.')"
    return {
        "connect_webviews": {"customer_key": group("customer", count), "custom_metadata_json": metadata},
        "connected_accounts": {
            "customer_key": group("customer", count),
            "identity_key": "'bench-' || i",
            "custom_metadata_json": metadata,
            "user_identifier_json": "json_object('email', 'owner-' || i || '@example.com')",
        },
        "devices": {
            "connected_account_id": uid("connected_accounts").replace("i)", f"i % {some})"),
            "customer_key": group("customer", count),
            "ref": "'bench-' || i",
            "name": "'Door number ' || i || ' of the house'",
            "custom_metadata_json": metadata,
            "secret_sealed": "NULL",
        },
        "spaces": {
            "customer_key": group("customer", count),
            "name": "'Room number ' || i || ' of the house'",
            "space_key": "'space-' || i",
            "parent_space_id": uid("spaces").replace("i)", f"i % {some})"),
        },
        "user_identities": {
            "customer_key": group("customer", count),
            "user_identity_key": "'person-' || i",
            "email_address": "'guest-' || i || '@example.com'",
            "phone_number": "'+1' || (2000000000 + i)",
            "full_name": "'Guest number ' || i || ' of the house'",
        },
        "access_grants": {
            "customer_key": group("customer", count),
            "access_grant_key": "'grant-' || i",
            "reservation_key": group("reservation", count),
            "user_identity_id": uid("user_identities").replace("i)", f"i % {some})"),
        },
        "access_methods": {"access_grant_id": uid("access_grants")},
        "access_codes": {
            "device_id": uid("devices").replace("i)", f"i % {some})"),
            "ref": "'bench-' || i",
            "code_hash": "'bench-' || i",
            "access_method_id": uid("access_methods"),
        },
        "action_attempts": {"device_id": uid("devices").replace("i)", f"i % {some})"), "phase": "'done'"},
        "events": {
            "device_id": uid("devices").replace("i)", f"i % {some})"),
            "connected_account_id": uid("connected_accounts").replace("i)", f"i % {some})"),
            "connect_webview_id": uid("connect_webviews").replace("i)", f"i % {some})"),
            "access_code_id": uid("access_codes").replace("i)", f"i % {some})"),
            "space_id": uid("spaces").replace("i)", f"i % {some})"),
            "access_grant_id": uid("access_grants").replace("i)", f"i % {some})"),
            "access_method_id": uid("access_methods").replace("i)", f"i % {some})"),
            "customer_key": group("customer", count),
            "event_type": f"CASE WHEN i < {EACH} THEN 'device.removed' ELSE event_type END",
        },
    }


LINKS = {
    # Table of pairs → its columns, and the tables they are of.
    "space_devices": ("space_id", "spaces", "device_id", "devices"),
    "access_grant_devices": ("access_grant_id", "access_grants", "device_id", "devices"),
    "access_grant_spaces": ("access_grant_id", "access_grants", "space_id", "spaces"),
}


def fill(path: Path, workspace_id: str, count: int) -> None:
    """Copy one row of each table so many times."""
    from doorward.store.search import TABLES as SEARCHED
    from doorward.store.search import fill_with, merge
    from doorward.store.sqlite import SqliteTx, connect, drive

    ids = {
        **{table: about.id for table, about in SEARCHED.items()},
        "access_grants": "access_grant_id",
        "access_methods": "access_method_id",
        "access_codes": "access_code_id",
        "action_attempts": "action_attempt_id",
        "events": "event_id",
    }
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
    with closing(connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.execute("INSERT INTO search_index (search_index) VALUES ('delete-all')")
        db.execute("DELETE FROM search_rows")
        for table in TABLES:
            known = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            given = {**columns_of(count)[table], ids[table]: uid(table), "created_at": "created_at + 1000 + i"}
            picked = ", ".join(given.get(name, f"t.{name}") for name in known)
            db.execute(
                f"{numbers} INSERT INTO {table} SELECT {picked} FROM n, (SELECT * FROM {table} "
                "WHERE workspace_id = ? LIMIT 1) t",
                (workspace_id,),
            )
            if table in SEARCHED:
                drive(fill_with(SqliteTx(db), table))
            db.execute("COMMIT")
            db.execute("BEGIN")
        for table, (one, of_one, other, of_other) in LINKS.items():
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            by_name = {
                "workspace_id": f"'{workspace_id}'",
                one: uid(of_one),
                other: uid(of_other).replace("i)", f"i % {max(1, count // EACH)})"),
            }
            picked = ", ".join(by_name[name] for name in names)
            db.execute(f"{numbers} INSERT INTO {table} SELECT {picked} FROM n")
        db.execute("COMMIT")
        while drive(merge(SqliteTx(db))):  # as the server does every hour
            pass
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def full(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """A server with so many rows of everything: its address, and a key."""
    server = Server(folder, env={"DOORWARD_RATE_LIMITS": "off"})
    with server:
        key = server.api_key()

        def call(path: str, **body: Any) -> Any:
            return post(server.url, key, path, **body)

        view = call("/connect_webviews/create", accepted_providers=["my_2n"])["connect_webview"]
        Browser(email="jane@example.com").walk(view["url"])
        device = call("/devices/list")["devices"][0]
        space = call("/spaces/create", name="Room", device_ids=[device["device_id"]])["space"]
        call(
            "/access_grants/create",
            user_identity={"full_name": "Jane"},
            space_ids=[space["space_id"]],
            requested_access_methods=[{"mode": "code"}],
        )
        call("/locks/unlock_door", device_id=device["device_id"])
        time.sleep(1)  # the code is set, and told of
    began = time.monotonic()
    fill(server.data_dir / "doorward.db", device["workspace_id"], count)
    if count > FEW:
        say(f"  {count:,} rows of each of {len(TABLES)} kinds in {time.monotonic() - began:.0f} s")
    server.start(timeout=120)
    try:
        yield server.url, key
    finally:
        server.stop()


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class Question:
    """A list, and what of it is asked for."""

    path: str
    about: str
    body: dict[str, Any]
    """`#` in a text stands for a number that both stores have; `@table` for the id of such a row."""

    def bodies(self) -> list[str]:
        """Different ones, each a JSON object."""
        found = []
        for i in range(ASKED):
            text = json.dumps(self.body).replace("#", str(i))
            for number, table in enumerate(TABLES):
                text = text.replace(f"@{table}", f"01800000-0000-7000-8{number:03x}-{i:012x}")
            found.append(text)
        return found


def ask(path: str, **filters: dict[str, Any]) -> list[Question]:
    """The list as it begins, and with each of these filters."""
    return [Question(path, name.replace("_", " "), {"limit": PAGE, **body}) for name, body in filters.items()]


WHOLE: dict[str, Any] = {"beginning": {}}
CUSTOMER: dict[str, Any] = {"of_a_customer": {"customer_key": "customer-#"}}
METADATA: dict[str, Any] = {
    "one_by_metadata": {"custom_metadata_has": {"room": "room-#7"}},
    "all_by_metadata": {"custom_metadata_has": {"wing": "north"}},
}
OLD = {"since": "2020-01-01T00:00:00Z"}
QUESTIONS = [
    *ask(
        "/devices/list",
        **WHOLE,
        **CUSTOMER,
        **METADATA,
        of_an_account={"connected_account_id": "@connected_accounts"},
        of_a_space={"space_id": "@spaces"},
        by_ids={"device_ids": ["@devices"]},
        one_by_search={"search": "number #7 of"},
        all_by_search={"search": "of the house"},
        none_by_search={"search": "castle #"},
        of_a_customer_by_search={"customer_key": "customer-#", "search": "of the house"},
        of_a_maker={"manufacturer": "two_n"},
        that_unlock={"include_if": ["can_program_online_access_codes"]},
    ),
    *ask("/locks/list", **CUSTOMER, one_by_search={"search": "number #7 of"}),
    *ask("/devices/unmanaged/list", **WHOLE, **CUSTOMER),
    *ask(
        "/connected_accounts/list",
        **WHOLE,
        **CUSTOMER,
        **METADATA,
        of_a_space={"space_id": "@spaces"},
        one_by_search={"search": "owner-#7@"},
    ),
    *ask("/connect_webviews/list", **WHOLE, **CUSTOMER, **METADATA, one_by_search={"search": "key #7."}),
    *ask(
        "/spaces/list",
        **WHOLE,
        **CUSTOMER,
        by_key={"space_key": "space-#"},
        in_a_space={"parent_space_id": "@spaces"},
        with_an_account={"connected_account_id": "@connected_accounts"},
        one_by_search={"search": "number #7 of"},
        all_by_search={"search": "of the house"},
    ),
    *ask(
        "/user_identities/list",
        **WHOLE,
        one_by_search={"search": "guest-#7@"},
        all_by_search={"search": "of the house"},
        by_ids={"user_identity_ids": ["@user_identities"]},
    ),
    *ask(
        "/access_grants/list",
        **WHOLE,
        **CUSTOMER,
        by_key={"access_grant_key": "grant-#"},
        without_a_key={"access_grant_key": None},
        of_a_reservation={"reservation_key": "reservation-#"},
        of_a_person={"user_identity_id": "@user_identities"},
        of_a_device={"device_id": "@devices"},
        of_a_space={"space_id": "@spaces"},
        of_a_code={"access_code_id": "@access_codes"},
    ),
    *ask(
        "/access_methods/list",
        of_a_grant={"access_grant_id": "@access_grants"},
        of_a_device={"device_id": "@devices"},
        of_a_space={"space_id": "@spaces"},
        of_a_code={"access_code_id": "@access_codes"},
    ),
    *ask(
        "/access_codes/list",
        of_a_device={"device_id": "@devices"},
        by_ids={"access_code_ids": ["@access_codes"]},
        of_a_grant={"access_grant_id": "@access_grants"},
        of_a_customer={"customer_key": "customer-#"},
        by_name={"device_id": "@devices", "search": "jane"},
    ),
    *ask("/action_attempts/list", **WHOLE, of_a_device={"device_id": "@devices"}),
    *ask(
        "/events/list",
        beginning=OLD,
        of_a_device={**OLD, "device_id": "@devices"},
        of_an_account={**OLD, "connected_account_id": "@connected_accounts"},
        of_a_webview={**OLD, "connect_webview_id": "@connect_webviews"},
        of_a_code={**OLD, "access_code_id": "@access_codes"},
        of_a_space={**OLD, "space_id": "@spaces"},
        of_a_grant={**OLD, "access_grant_id": "@access_grants"},
        of_a_customer={**OLD, "customer_key": "customer-#"},
        of_a_rare_type={**OLD, "event_type": "device.removed"},
        of_a_type_of_a_device={**OLD, "device_id": "@devices", "event_types": ["device.connected"]},
    ),
]


def measure(figures: Figures, asked: list[Question], many: int, rounds: int, seconds: float) -> None:
    """Every question to both stores, in turns."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as name:
        folder = Path(name)
        with full(folder / "few", FEW) as few, full(folder / "many", many) as full_one:
            for number in range(rounds):
                for one in asked:
                    stores = {"few": few, "many": full_one}
                    for where in stores if number % 2 == 0 else reversed(stores):
                        url, key = stores[where]
                        bodies = one.bodies()
                        for body in bodies:  # unmeasured: what is asked for again is in memory
                            post(url, key, one.path, **json.loads(body))
                        done = load.run(f"{url}{one.path}", key, bodies, connections=4, seconds=seconds)
                        if done.refused:
                            raise Failed(f"{one.path} {one.about}: {done.refused} of {done.requests} were refused")
                        found.setdefault(f"{one.path} {one.about}:{where}", []).append(done.per_second)
    figures |= {name: statistics.median(values) for name, values in found.items()}


def rows(many: int, f: Figures) -> list[Row]:
    """The table, the worst first."""
    names = {name.rpartition(":")[0] for name in f}
    shown = [
        Row(
            name,
            f[f"{name}:many"] / f[f"{name}:few"],
            "×",
            0.9,
            False,
            f"{f[f'{name}:many']:,.0f}/s, {f[f'{name}:few']:,.0f}/s",
        )
        for name in names
    ]
    return sorted(shown, key=lambda row: row.value)


def main() -> int:
    """The whole run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a look, no figures")
    options.add_argument("--rows", type=int, default=1_000_000, help="of each kind")
    options.add_argument("--rounds", type=int, default=3, help="how often each is asked; the median counts")
    options.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="only lists and filters with one of these texts"
    )
    options.add_argument(
        "--json", type=Path, default=HERE.parent / ".cache" / "bench-lists.json", help="where the numbers go"
    )
    given = options.parse_args()
    asked = [one for one in QUESTIONS if any(text in f"{one.path} {one.about}" for text in given.only)]
    if not asked or given.rounds < 1:  # before a store is filled for a quarter of an hour
        options.error("there is nothing to measure: no list has such a text, or there are no rounds")
    seconds = 1.0
    if given.quick:
        seconds, given.rounds, given.rows = 0.3, 1, min(given.rows, 20_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    began = time.monotonic()
    numbers: Figures = {}
    say(f"Measuring lists with {given.rows:,} rows of each kind, and with {FEW:,}")
    try:
        measure(numbers, asked, given.rows, given.rounds, seconds)
    except Failed as exc:
        say(f"  it did not work: {exc}")
        return 1
    where = f"{given.rows:,} rows of each kind against {FEW:,}; one process on SQLite"
    report(rows(given.rows, numbers), numbers, where, given.json, began)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
