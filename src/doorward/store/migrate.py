"""Brings the schema up to date when the store is opened.

Migrations are the numbered files beside this one, run in order, each once, all in one transaction behind a lock: if
the process dies half way, none of them happened. A schema newer than this program is refused, not guessed at. What the
two databases say too differently stands in two files: `0012_search.sqlite.sql`, `0012_search.postgresql.sql`. One that
empties the index of texts has it filled anew when all have run, by what writes it every day.
"""

import re
from importlib.resources import files

from doorward.store import search
from doorward.store.db import Database, StoreBusy, Tx

CREATE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL
)
"""


_STATEMENT = re.compile(r"(?:\$\$.*?\$\$|[^;$])+", re.DOTALL)
"""Up to a semicolon that is not in a body in dollars."""


def migrations(database: str) -> list[tuple[int, str, list[str]]]:
    """Number, name and statements of every migration for `sqlite` or `postgresql`, in order."""
    found = []
    for file in files("doorward.store.migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)(?:\.(\w+))?\.sql", file.name)
        if match and match[3] in (None, database):
            sql = re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8"))
            statements = [part.strip() for part in _STATEMENT.findall(sql) if part.strip()]
            found.append((int(match[1]), match[2], statements))
    return sorted(found)


async def migrate(db: Database, now: int) -> None:
    """Apply what is missing. Raises StoreBusy when the schema is from a newer program."""
    known = migrations(db.dialect.name)

    async def apply(tx: Tx) -> None:
        await tx.lock("schema_migrations")
        await tx.run(CREATE)
        row = await tx.one("SELECT COALESCE(MAX(version), 0) FROM schema_migrations")
        assert row is not None
        current = row[0]
        if current > known[-1][0]:
            raise StoreBusy(
                f"The database's schema is version {current}, newer than this Doorward knows ({known[-1][0]}). "
                "Upgrade Doorward, or restore a backup from before the upgrade."
            )
        for version, name, statements in known:
            if version > current:
                for statement in statements:
                    await tx.run(statement)
                await tx.run("INSERT INTO schema_migrations VALUES ($1, $2, $3)", version, name, now)
        if current < known[-1][0] and await tx.one("SELECT 1 FROM search_rows LIMIT 1") is None:
            await search.fill(tx)

    await db.write(apply)
