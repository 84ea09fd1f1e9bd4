"""The one way to the database, whichever it is.

SQL is written once, in the subset that SQLite and PostgreSQL share, with `$1`, `$2` … for values, integers for booleans
and instants (milliseconds), and `= ANY($1)` for one of a list, which is one value. What differs is in `Dialect`. Rows
come back as tuples in the order asked for; the query modules beside this one turn them into frozen structs. The limit
of a page stands in the SQL itself: where PostgreSQL does not know it, it plans for a tenth of all rows.

**Reads** go straight to the database and never wait for a writer. **Writes** are functions: a transaction is
`await db.write(fn, …)`, where `async def fn(tx, …)` awaits nothing but its `tx`. On SQLite such a function runs, start
to end, in the one writer thread, in a savepoint of a commit it shares with its neighbours; awaiting anything else
raises. So no transaction can hold a lock while a device answers.

If the process dies half way, nothing of an uncommitted group is there, and nothing of it was answered.
"""

import functools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

P = ParamSpec("P")
T = TypeVar("T")
Row = Sequence[Any]


class StoreError(Exception):
    """The database cannot be used."""


class StoreBusy(StoreError):
    """Another process owns this data directory, or the schema is newer than this program."""


class StoreUnavailable(StoreError):
    """The database did not take the write: disk full, server gone. Nothing of it was kept."""


class Dialect:
    """What SQLite and PostgreSQL say differently."""

    name: str

    def json_text(self, column: str, key: str) -> str:
        """The member named by parameter `key` of a JSON object column, as text; NULL when absent or null."""
        raise NotImplementedError

    def folded(self, column: str) -> str:
        """A column in small letters, as `search.folded` makes them."""
        raise NotImplementedError


class Reader(Protocol):
    """Reads what is committed (or, inside a transaction, what it has written)."""

    dialect: Dialect

    async def all(self, sql: str, *args: Any) -> list[Row]: ...

    async def one(self, sql: str, *args: Any) -> Row | None: ...


class Tx(Reader, Protocol):
    """One transaction."""

    async def run(self, sql: str, *args: Any) -> int:
        """Change rows; how many were changed."""

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None: ...

    async def lock(self, *names: str) -> None:
        """Wait for the turn of everything that locks the same names, until the transaction ends.

        SQLite has one writer, so there it is already our turn.
        """

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this, on the event loop, once the transaction is durable; never when it failed."""


class Database(Protocol):
    """An open store."""

    dialect: Dialect

    @property
    def read(self) -> Reader: ...

    async def write(self, fn: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` as one transaction and return its result once it is durable. `fn` may be run again."""

    async def close(self) -> None: ...


@functools.lru_cache(10_000)
def numbered(sql: str) -> str:
    """`$1` → `?1`, SQLite's spelling of the same thing, and a list as the text that `listed` makes of it."""
    return re.sub(r"\$(\d+)", r"?\1", re.sub(r"= ANY\((\$\d+)\)", r"IN (SELECT value FROM json_each(\1))", sql))


def listed(args: Sequence[Any]) -> Sequence[Any]:
    """Values for SQLite, which knows no lists."""
    if list not in map(type, args):
        return args
    return [msgspec.json.encode(one).decode() if type(one) is list else one for one in args]


class Where:
    """Builds a WHERE clause: `where.add("device_id = {}", device_id)`."""

    def __init__(self) -> None:
        self.args: list[Any] = []
        self._clauses: list[str] = []
        self.lead = ""
        """What stands before the table in FROM: a query that leads to its rows, in an order of its own."""
        self._order = ""

    def add(self, clause: str, *values: Any) -> None:
        """Another condition; each `{}` stands for one value."""
        self._clauses.append(clause.format(*(self.bind(v) for v in values)))

    def bind(self, value: Any) -> str:
        """The placeholder of a value."""
        self.args.append(value)
        return f"${len(self.args)}"

    def either(self, build: "Callable[[Where], None]") -> None:
        """One of the conditions that `build` adds is enough; none: nothing is selected."""
        inner = Where()
        inner.args = self.args  # its values are ours
        build(inner)
        self._clauses.append(f"({' OR '.join(inner._clauses)})" if inner._clauses else "1 = 0")

    def any_of(self, column: str, values: Sequence[Any]) -> None:
        """The column is one of these; an empty list selects nothing."""
        if len(values) == 1:  # PostgreSQL takes a list for ten values, and would plan this anew each time
            self.add(f"{column} = {{}}", values[0])
        elif values:
            self.add(f"{column} = ANY({{}})", list(values))
        else:
            self._clauses.append("1 = 0")

    @property
    def count(self) -> int:
        """Of conditions."""
        return len(self._clauses)

    def led_by(self, query: str, *values: Any, order: str) -> None:
        """Find rows by this query first, and keep its order; each `{}` stands for one value."""
        self.lead = f"{query.format(*(self.bind(v) for v in values))} CROSS JOIN "
        self._order = order

    def order(self, usual: str) -> str:
        """What to order by."""
        return self._order or usual

    def __str__(self) -> str:
        return " AND ".join(self._clauses) or "1 = 1"


@functools.cache
def columns(struct: Any, prefix: str = "") -> str:
    """The columns of a row struct, in its order."""
    return ", ".join(prefix + name for name in struct.__struct_fields__)


@functools.cache
def insert(table: str, struct: Any) -> str:
    """An INSERT that takes the fields of a row struct, in its order."""
    names = struct.__struct_fields__
    marks = ", ".join(f"${i + 1}" for i in range(len(names)))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"


async def update(tx: Tx, table: str, row: Any, keys: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    """Set columns of a row, found by its keys, and return the struct as the row then is.

    Rows with a `version` count it up in the database: two writers at once never make two states of one version.
    """
    where = Where()
    sets = [f"{name} = {where.bind(value)}" for name, value in values.items()]
    counted = {}
    if "version" in row.__struct_fields__:
        sets.append("version = version + 1")
        counted["version"] = row.version + 1
    for key in keys:
        where.add(f"{key} = {{}}", getattr(row, key))
    await tx.run(f"UPDATE {table} SET {', '.join(sets)} WHERE {where}", *where.args)
    return msgspec.structs.replace(row, **values, **counted)


def like(text: str) -> str:
    """A pattern for `LIKE … ESCAPE '\\'` that finds `text` anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
