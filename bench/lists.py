"""`make bench`, fourth part: every list and its filters, with few and with many rows in store.

usage: python bench/lists.py [--database sqlite|postgresql] [--quick] [--rows N] [--rounds N] [--only TEXT ...]
                             [--json FILE]

Each question finds the same rows in both stores, so what differs is the size alone. Medians of some short rounds count;
what stands below the wanted figure is asked again in more of them. Loopback only. Prints a table against the wanted
figures and writes all numbers as JSON; ends with 0 whatever they are, and with 1 when something did not work at all.
PostgreSQL is a private cluster on a Unix socket, with its default settings but for what only fills it faster.
"""

import argparse
import asyncio
import base64
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.postgres import cluster  # noqa: E402

from bench import load  # noqa: E402 - run as a file
from bench.full import TABLES, full, row_id  # noqa: E402
from bench.run import Row, post, say  # noqa: E402
from bench.scale import Figures, report  # noqa: E402
from bench.site import Failed  # noqa: E402

FEW = 1_000
ASKED = 50
"""Customers and so on that are asked for in turn."""
PAGE = 20
WANTED = 0.9
"""Of the speed with few rows."""
SECONDS, ROUNDS, AGAIN = 0.4, 5, 15
"""Of each question in a round; rounds of all questions; and of those that stand below what is wanted. Many short rounds
differ less than few long ones."""


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class Question:
    """A list, and what of it is asked for."""

    path: str
    about: str
    body: dict[str, Any]
    """`#` in a text stands for a number that both stores have; `@table` for the id of such a row."""

    @property
    def is_far(self) -> bool:
        """Whether pages in the last quarter of the list are asked for."""
        return self.about.startswith("far")

    def bodies(self) -> list[str]:
        """Different ones, each a JSON object."""
        found = []
        for i in range(ASKED):
            text = json.dumps(self.body).replace("#", str(i))
            for table in TABLES:
                text = text.replace(f"@{table}", row_id(table, i))
            found.append(text)
        return found

    def far_bodies(self, first: Any, count: int) -> list[str]:
        """Of pages that begin behind rows in the last quarter; `first` is what the first page said."""
        shown, created_at, last = json.loads(base64.urlsafe_b64decode(first["pagination"]["next_page_cursor"] + "=="))
        number = int(last[-12:], 16)
        found = []
        for i in range(count * 3 // 4, count * 3 // 4 + ASKED):
            place = [shown, created_at + i - number, row_id(self.path.split("/")[1], i)]
            cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
            found.append(json.dumps({**self.body, "page_cursor": cursor}))
        return found


def ask(path: str, **filters: dict[str, Any]) -> list[Question]:
    """The list with each of these filters."""
    return [Question(path, name.replace("_", " "), {"limit": PAGE, **body}) for name, body in filters.items()]


WHOLE: dict[str, Any] = {"beginning": {}, "far_page": {}}
CUSTOMER: dict[str, Any] = {"of_a_customer": {"customer_key": "customer-#"}}
METADATA: dict[str, Any] = {
    "one_by_metadata": {"custom_metadata_has": {"room": "room-#7"}},
    "all_by_metadata": {"custom_metadata_has": {"wing": "north"}},
    "far_page_by_metadata": {"custom_metadata_has": {"wing": "north"}},
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
        far_page_by_search={"search": "of the house"},
        none_by_search={"search": "castle #"},
        of_a_customer_by_search={"customer_key": "customer-#", "search": "of the house"},
        of_a_maker={"manufacturer": "two_n"},
        far_page_of_a_maker={"manufacturer": "two_n"},
        that_unlock={"include_if": ["can_program_online_access_codes"]},
    ),
    *ask("/locks/list", **CUSTOMER, one_by_search={"search": "number #7 of"}),
    *ask("/devices/unmanaged/list", beginning={}, **CUSTOMER),
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
        far_page_by_search={"search": "of the house"},
    ),
    *ask(
        "/user_identities/list",
        **WHOLE,
        one_by_search={"search": "guest-#7@"},
        all_by_search={"search": "of the house"},
        far_page_by_search={"search": "of the house"},
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
        all_by_search={"search": "of the house"},
        far_page_by_search={"search": "of the house"},
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


@contextmanager
def databases(name: str) -> Iterator[tuple[str | None, str | None]]:
    """Addresses of two empty databases; None: each server makes its own file."""
    if name == "sqlite":
        yield None, None
        return
    with cluster("max_wal_size=8GB maintenance_work_mem=8GB") as running:
        yield asyncio.run(running.empty()), asyncio.run(running.empty())


def measure(
    figures: Figures, asked: list[Question], database: str, many: int, rounds: int, again: int, seconds: float
) -> None:
    """Every question to both stores, in turns; those that stand below what is wanted once more in so many rounds, which
    count instead: a few rounds differ by more than what is looked for."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as name, databases(database) as (one_url, other_url):
        folder = Path(name)
        with full(folder / "few", one_url, FEW) as few, full(folder / "many", other_url, many) as full_one:
            stores = {"few": few, "many": full_one}
            counts = {"few": FEW, "many": many}

            def ask_all(questions: list[Question], rounds: int) -> None:
                for number in range(rounds):
                    for one in questions:
                        for where in stores if number % 2 == 0 else reversed(stores):
                            speed = _speed(one, *stores[where], counts[where], seconds)
                            found.setdefault(f"{one.path} {one.about}:{where}", []).append(speed)

            ask_all(asked, rounds)
            low = [one for one in asked if again and _ratio(found, f"{one.path} {one.about}") < WANTED]
            if low:
                say(f"  asking {len(low)} of {len(asked)} again that stood below {WANTED}")
                for one in low:
                    for where in stores:
                        del found[f"{one.path} {one.about}:{where}"]
                ask_all(low, again)
    figures |= {name: statistics.median(values) for name, values in found.items()}


def _speed(one: Question, url: str, key: str, count: int, seconds: float) -> float:
    """Answers a second from a store with so many rows."""
    bodies = one.far_bodies(post(url, key, one.path, **one.body), count) if one.is_far else one.bodies()
    for body in bodies:  # unmeasured: what is asked for again is in memory
        post(url, key, one.path, **json.loads(body))
    done = load.run(f"{url}{one.path}", key, bodies, connections=4, seconds=seconds)
    if done.refused:
        raise Failed(f"{one.path} {one.about}: {done.refused} of {done.requests} were refused")
    return done.per_second


def _ratio(found: dict[str, list[float]], name: str) -> float:
    return statistics.median(found[f"{name}:many"]) / statistics.median(found[f"{name}:few"])


def rows(many: int, f: Figures) -> list[Row]:
    """The table, the worst first."""
    names = {name.rpartition(":")[0] for name in f}
    shown = [
        Row(
            name,
            f[f"{name}:many"] / f[f"{name}:few"],
            "×",
            WANTED,
            False,
            f"{f[f'{name}:many']:,.0f}/s, {f[f'{name}:few']:,.0f}/s",
        )
        for name in names
    ]
    return sorted(shown, key=lambda row: row.value)


def main() -> int:
    """The whole run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options.add_argument("--quick", action="store_true", help="a look, no figures")
    options.add_argument("--rows", type=int, default=1_000_000, help="of each kind")
    options.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is asked")
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
    seconds, again = SECONDS, AGAIN
    if given.quick:
        seconds, again, given.rounds, given.rows = 0.3, 0, 1, min(given.rows, 20_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    began = time.monotonic()
    numbers: Figures = {}
    say(f"Measuring lists with {given.rows:,} rows of each kind, and with {FEW:,}")
    try:
        measure(numbers, asked, given.database, given.rows, given.rounds, again, seconds)
    except Failed as exc:
        say(f"  it did not work: {exc}")
        return 1
    where = f"{given.rows:,} rows of each kind against {FEW:,}; one process on {given.database}"
    report(rows(given.rows, numbers), numbers, where, given.json, began)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
