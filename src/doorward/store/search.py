"""The index of texts and metadata: what leads to rows by a part of a text, however many rows there are.

Rows are put into it where they are written; `store.finding` asks it. It may name a row too many, and must never lack
one. Every text is broken into runs of six bytes, of which a few lead to the rows that contain a longer text: a long run
is rare in any number of rows, so looking it up costs the same in a large store as in a small one. In SQLite they are
words of an FTS5 table without content, and so are runs of three bytes, for shorter texts, and the pairs of metadata. On
PostgreSQL they are numbers in an array, pairs are texts in another, and shorter texts are `pg_trgm`'s; where that
extension is missing, everything works and a search for a short text reads all texts.

`search_rows` has what the words are made of, and decides what fits: a row's text is its id and all values in which it
is searched, each between separators and in small letters, and its pairs are those of its metadata, written so that
equal values read alike.

If the process dies half way, row and index are as before: both are written in one transaction.
"""

import functools
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from zlib import crc32

import msgspec

from doorward.store.db import Reader, Tx


@dataclass(frozen=True)
class Searched:
    """What of a table is searched."""

    id: str
    columns: tuple[str, ...]
    """Those in whose values it is searched, beside the id. A nickname stands for the name."""
    alias: str = ""
    """Of the table in the queries of its list, with a dot."""
    finds_id: Literal["anywhere", "by its beginning", "never"] = "anywhere"
    """How it is found by its id."""
    person: tuple[str, ...] = ()
    """Columns of its user identity in whose values it is searched."""

    @cached_property
    def shown(self) -> frozenset[str]:
        """Columns whose values are searched, the person's among them."""
        return frozenset((*self.columns, *self.person))

    @cached_property
    def source(self) -> str:
        """What all columns are selected from, beside the table, which is `t`; the person is `u`."""
        if not self.person:
            return ""
        same = " AND ".join(f"u.{name} = t.{name}" for name in ("workspace_id", "user_identity_id"))
        return f"LEFT JOIN user_identities u ON {same}"

    @cached_property
    def selected(self) -> str:
        """The columns, of which `workspace_id` is first."""
        own = dict.fromkeys(("workspace_id", self.id, *self.columns))
        return ", ".join([*(f"t.{name}" for name in own), *(f"u.{name}" for name in self.person)])

    @cached_property
    def names(self) -> list[str]:
        """Of what is selected."""
        return [*dict.fromkeys(("workspace_id", self.id, *self.columns)), *self.person]


TABLES = {
    "connect_webviews": Searched(
        "connect_webview_id", ("accepted_providers_json", "custom_metadata_json", "customer_key")
    ),
    "connected_accounts": Searched(
        "connected_account_id", ("provider", "customer_key", "custom_metadata_json", "user_identifier_json")
    ),
    "devices": Searched(
        "device_id",
        ("connected_account_id", "nickname", "name", "custom_metadata_json"),
        alias="d.",
        finds_id="by its beginning",
    ),
    "spaces": Searched("space_id", ("name", "space_key", "customer_key"), alias="s.", finds_id="never"),
    "user_identities": Searched(
        "user_identity_id", ("full_name", "email_address", "phone_number", "user_identity_key")
    ),
    "access_grants": Searched(
        "access_grant_id",
        ("name", "access_grant_key", "reservation_key", "user_identity_id"),
        alias="g.",
        person=("full_name", "email_address", "phone_number"),
    ),
}
METADATA = "custom_metadata_json"
SHORT, LONG = 3, 6
"""Bytes in a run."""
MOST_RUNS = 16
MERGED_PAGES = 200
"""At a time: some milliseconds."""
LONGEST_PAIR = 100
"""Characters. Of a longer pair the beginning is written, and a digest of it all."""
BETWEEN = "\x1e"
"""Separates the values of a text, so that no search fits two of them together."""
TOGETHER = 1_000
"""Rows put into the index at once."""
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def is_postgresql(read: Reader) -> bool:
    return read.dialect.name == "postgresql"


# ---------------------------------------------------------------- texts


def folded(text: str) -> str:
    """In small letters, and those that have several forms in one of them."""
    return text.lower().replace("\u03c2", "\u03c3").replace("i\u0307", "i")  # a final sigma, an i with its dot


def plain(text: str) -> str:
    """A value, or what is searched for in it."""
    return folded(text).replace(BETWEEN, " ")


def text_of(table: str, row: Mapping[str, Any]) -> str:
    """All that a row is searched in."""
    return BETWEEN.join([row[TABLES[table].id], *(plain(one) for one in _values(table, row))])


def _values(table: str, row: Mapping[str, Any]) -> Iterator[str]:
    about = TABLES[table]
    for column in (*about.columns, *about.person):
        value = row[column]
        if value is None or (column == "name" and row.get("nickname") is not None):
            continue
        if not column.endswith("_json"):
            yield value
            continue
        inside = msgspec.json.decode(value)
        if column == METADATA:
            yield from inside
        for one in inside.values() if isinstance(inside, dict) else inside:
            if one is not None:
                yield one if isinstance(one, str) else msgspec.json.encode(one).decode()


# ---------------------------------------------------------------- words


@functools.lru_cache(1_000)
def scope(workspace_id: str, table: str) -> str:
    """What all words of a table's rows in a workspace begin with: so none of the others' rows are in their way."""
    return hashlib.blake2b(f"{workspace_id} {table}".encode(), digest_size=3).hexdigest()


def words(scope: str, text: str, pairs: str) -> set[str]:
    """All that a row is found by in SQLite: runs of its text, in hexadecimal, and its pairs."""
    found = {scope + run.hex() for run in _runs(text.encode())}
    return found.union(word(scope, pair) for pair in _list(pairs))


def changes(scope: str, old: tuple[str, str], new: tuple[str, str]) -> tuple[set[str], set[str]]:
    """Words that a row has no more, and those that it has besides: of its text and pairs as they were and as they are.
    Only what lies around the difference is looked at."""
    was, now = old[0].encode(), new[0].encode()
    start = _alike(was, now)
    same_end = _alike(was[start:][::-1], now[start:][::-1])
    around = [_runs(text[max(0, start - LONG + 1) : len(text) - same_end + LONG - 1]) for text in (was, now)]
    gone = {scope + run.hex() for run in around[0] - around[1] if run not in now}
    come = {scope + run.hex() for run in around[1] - around[0] if run not in was}
    if old[1] != new[1]:
        pairs_were, pairs_are = set(_list(old[1])), set(_list(new[1]))
        gone.update(word(scope, pair) for pair in pairs_were - pairs_are)
        come.update(word(scope, pair) for pair in pairs_are - pairs_were)
    return gone, come


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes are the same at the beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _runs(text: bytes) -> set[bytes]:
    found = {text[at : at + SHORT] for at in range(len(text) - SHORT + 1)}
    found.update(long_runs(text))
    return found


def numbers(scope: str, runs: Iterable[bytes]) -> list[int]:
    """Runs as PostgreSQL has them, in 32 bits with a sign: two that fall on one number only lead to a row too many."""
    seed = crc32(scope.encode())
    return sorted({crc32(run, seed) - 2**31 for run in runs})


def long_runs(text: bytes) -> Iterator[bytes]:
    return (text[at : at + LONG] for at in range(len(text) - LONG + 1))


def _list(pairs: str) -> list[str]:
    return [] if pairs == "[]" else msgspec.json.decode(pairs, type=list[str])


def word(scope: str, pair: str) -> str:
    """The word of a pair."""
    return f"{scope}p{pair.encode().hex()}"


def cover(text: str) -> list[bytes]:
    """Runs that cover a text: rows that contain it have them all. None is long where the text is not."""
    whole = text.encode()
    size = LONG if len(whole) >= LONG else SHORT
    starts = {*range(0, len(whole) - size, size), len(whole) - size}
    return list(dict.fromkeys(whole[at : at + size] for at in sorted(starts)))[-MOST_RUNS:]


def telling(text: str) -> str:
    """The part of a text that few others have, by the look of it: around its digits. Runs that all rows have, as those
    of `number 12 of the house`, would have to be read for all of them."""
    places = [at for at, sign in enumerate(text) if sign.isdigit()]
    if not places:
        return text
    start, end = max(0, places[0] - 1), min(len(text), places[-1] + 2)
    start = max(0, min(start, end - LONG))
    return text[start : max(end, start + LONG)]


def pairs_of(metadata_json: str) -> list[str]:
    """Metadata as it is found: `key.=value`, and `key.#value` of a number. No key has a dot."""
    found = []
    for key, value in msgspec.json.decode(metadata_json).items():
        if isinstance(value, str):
            found.append(f"{key}.={value}")
        elif isinstance(value, bool):
            found.append(f"{key}.={str(value).lower()}")
        elif value is not None:
            found.append(f"{key}.#{_number(value)}")
    return [_short(pair) for pair in found]


def pairs_asked(key: str, text: str) -> list[str]:
    """How a pair whose value reads so may stand there: as a text, or as a number."""
    found = [f"{key}.={text}"]
    if _NUMBER.fullmatch(text):
        number = float(text)
        if text.removeprefix("-").isdigit():  # exactly, however large it is
            found.append(f"{key}.#{int(text)}")
        elif math.isfinite(number):
            found.append(f"{key}.#{_number(number)}")
    return [_short(pair) for pair in found]


def _number(value: float) -> str:
    """The same for equal numbers."""
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def _short(pair: str) -> str:
    if len(pair) <= LONGEST_PAIR:
        return pair
    digest = hashlib.blake2b(pair.encode(), digest_size=16).hexdigest()
    return f"{pair[: LONGEST_PAIR - len(digest)]}{digest}"


# ---------------------------------------------------------------- written


async def put(tx: Tx, table: str, row: Any) -> None:
    """Remember a row's texts and metadata, or that they are others now."""
    about = TABLES[table]
    await _put(tx, table, {name: getattr(row, name) for name in ("workspace_id", about.id, *about.columns)})


async def put_all(tx: Tx, table: str, column: str, workspace_id: str, value: str) -> None:
    """The same of all rows with this value in a column, read anew."""
    about = TABLES[table]
    rows = await tx.all(
        f"SELECT {about.selected} FROM {table} t {about.source} WHERE t.workspace_id = $1 AND t.{column} = $2",
        workspace_id,
        value,
    )
    for row in rows:
        await _put(tx, table, dict(zip(about.names, row, strict=True)))


async def _put(tx: Tx, table: str, values: Mapping[str, Any]) -> None:
    text, pairs = text_of(table, values), _pairs(values)
    which = (values["workspace_id"], table, values[TABLES[table].id])
    if is_postgresql(tx):
        await tx.run(
            "INSERT INTO search_rows (workspace_id, kind, id, text, pairs, runs) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (workspace_id, kind, id) "
            "DO UPDATE SET text = excluded.text, pairs = excluded.pairs, runs = excluded.runs",
            *which,
            text,
            pairs,
            _numbers(*which[:2], text),
        )
        return
    pairs = msgspec.json.encode(pairs).decode()
    old = await tx.one(
        "SELECT text_id, text, pairs FROM search_rows WHERE workspace_id = $1 AND kind = $2 AND id = $3", *which
    )
    if old is None:
        made = await tx.one(
            "INSERT INTO search_rows (workspace_id, kind, id, text, pairs) VALUES ($1, $2, $3, $4, $5) "
            "RETURNING text_id",
            *which,
            text,
            pairs,
        )
        assert made is not None
        await tx.run(_ADD, made[0], " ".join(words(scope(*which[:2]), text, pairs)))
    elif (text, pairs) != (old[1], old[2]):
        await tx.run("UPDATE search_rows SET text = $2, pairs = $3 WHERE text_id = $1", old[0], text, pairs)
        gone, come = changes(scope(*which[:2]), (old[1], old[2]), (text, pairs))
        # Both, also when there is nothing of one of them: the table counts its rows.
        await tx.run(_TAKE, old[0], " ".join(gone))
        await tx.run(_ADD, old[0], " ".join(come))


def _pairs(row: Mapping[str, Any]) -> Any:
    return pairs_of(row[METADATA]) if METADATA in row else []


def _numbers(workspace_id: str, table: str, text: str) -> list[int]:
    return numbers(scope(workspace_id, table), long_runs(text.encode()))


_ADD = "INSERT INTO search_index (rowid, words) VALUES ($1, $2)"
_TAKE = "INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', $1, $2)"


async def changed(tx: Tx, table: str, row: Any, values: Any) -> None:
    """Columns of a row were set; `row` is what it is now."""
    if not TABLES[table].shown.isdisjoint(values):
        await put(tx, table, row)


async def drop(tx: Tx, table: str, workspace_id: str, row_id: str) -> None:
    """The row is gone."""
    await _drop(tx, "workspace_id = $1 AND kind = $2 AND id = $3", workspace_id, table, row_id)


async def drop_workspace(tx: Tx, workspace_id: str) -> None:
    """All of a workspace is gone."""
    await _drop(tx, "workspace_id = $1", workspace_id)


async def merge(tx: Tx) -> bool:
    """Make SQLite's index of fewer parts, each of which is looked into; a little at a time. False: all is done."""
    if is_postgresql(tx):
        return False
    before = await tx.one("SELECT total_changes()")
    await tx.run("INSERT INTO search_index (search_index, rank) VALUES ('merge', $1)", MERGED_PAGES)
    after = await tx.one("SELECT total_changes()")
    assert before is not None
    assert after is not None
    return bool(after[0] - before[0] > 1)


async def _drop(tx: Tx, which: str, *args: Any) -> None:
    if not is_postgresql(tx):
        rows = await tx.all(f"SELECT text_id, workspace_id, kind, text, pairs FROM search_rows WHERE {which}", *args)
        await tx.many(_TAKE, [(row[0], " ".join(words(scope(row[1], row[2]), row[3], row[4]))) for row in rows])
    await tx.run(f"DELETE FROM search_rows WHERE {which}", *args)


# ---------------------------------------------------------------- filled anew


async def fill(tx: Tx) -> None:
    """Put all rows of all tables into the index, which is empty."""
    for table in TABLES:
        await fill_with(tx, table)


async def fill_with(tx: Tx, table: str) -> None:
    """Put all rows of a table into the index, which has none: in SQLite in the order in which they were made."""
    about = TABLES[table]
    key = ["t.workspace_id", f"t.{about.id}"] if is_postgresql(tx) else ["t.rowid"]
    last: tuple[Any, ...] = ("", "") if is_postgresql(tx) else (0,)
    marks = ", ".join(f"${number}" for number in range(1, len(key) + 1))
    while True:
        rows = await tx.all(
            f"SELECT {', '.join(key)}, {about.selected} FROM {table} t {about.source} "
            f"WHERE ({', '.join(key)}) > ({marks}) ORDER BY {', '.join(key)} LIMIT {TOGETHER}",
            *last,
        )
        if not rows:
            return
        last = tuple(rows[-1])[: len(key)]
        await _put_many(tx, table, [dict(zip(about.names, tuple(row)[len(key) :], strict=True)) for row in rows])


async def _put_many(tx: Tx, table: str, rows: list[dict[str, Any]]) -> None:
    """Rows that are not in the index."""
    found = [(row["workspace_id"], table, row[TABLES[table].id], text_of(table, row), _pairs(row)) for row in rows]
    if is_postgresql(tx):
        await tx.many(
            "INSERT INTO search_rows (workspace_id, kind, id, text, pairs, runs) VALUES ($1, $2, $3, $4, $5, $6)",
            [(*one, _numbers(*one[:2], one[3])) for one in found],
        )
        return
    [last] = await tx.one("SELECT COALESCE(MAX(text_id), 0) FROM search_rows") or [0]
    await tx.many(
        "INSERT INTO search_rows (workspace_id, kind, id, text, pairs) VALUES ($1, $2, $3, $4, $5)",
        [(*one, msgspec.json.encode(pairs).decode()) for *one, pairs in found],
    )
    written = await tx.all("SELECT text_id, workspace_id, kind, text, pairs FROM search_rows WHERE text_id > $1", last)
    await tx.many(_ADD, [(row[0], " ".join(words(scope(row[1], row[2]), row[3], row[4]))) for row in written])
