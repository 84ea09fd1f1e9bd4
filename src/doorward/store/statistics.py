"""What SQLite's planner is told of the tables: always that they are full.

SQLite chooses its indexes by statistics that it takes only when asked, and knows nothing without them; taken from a
young store, they would be wrong a year later. The shape of the tables does not change as they grow, so it is written
down here, and plans are those of a large store from the first row on. PostgreSQL keeps its own statistics.

If the process dies half way, none of it was written; the next start does it.
"""

from doorward.store.db import Tx

ROWS = 1_000_000
"""Of every table."""
SHARED = 10
"""Rows with the same value in a column, unless it stands below."""
COMMON = {
    "workspace_id": 500_000,
    # Words of which there are few.
    "brand": 500_000,
    "event_type": 20_000,
    "is_managed": 500_000,
    "kind": 200_000,
    "manufacturer": 400_000,
    "device_type": 400_000,
    "provider": 400_000,
    "webhook_id": 100_000,
}
FEW = {"deliveries_due": 1_000, "deliveries_given_up": 1_000}
"""Rows of an index that has only some."""


async def put(tx: Tx) -> None:
    """Write them, if they are not written yet."""
    wanted = await _wanted(tx)
    if await tx.one("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'") is not None:
        rows = await tx.all("SELECT tbl, idx, stat FROM sqlite_stat1")
        if {tuple(row) for row in rows} == wanted:
            return
    await tx.run("ANALYZE schema_migrations")  # makes the table
    await tx.run("DELETE FROM sqlite_stat1")
    await tx.many("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ($1, $2, $3)", sorted(wanted))
    await tx.run("ANALYZE sqlite_schema")  # reads it


async def _wanted(tx: Tx) -> set[tuple[str, str, str]]:
    """Table, index, and its numbers: all rows, then those that share the first column, the first two, and so on."""
    indexes = await tx.all(
        'SELECT m.name, l.name, l."unique" FROM sqlite_master m JOIN pragma_index_list(m.name) l '
        "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' "
        "AND m.name NOT LIKE 'search!_index%' ESCAPE '!'"
    )
    found = set()
    for table, index, is_unique in indexes:
        columns = [row[0] for row in await tx.all("SELECT name FROM pragma_index_info($1)", index)]
        share = FEW.get(index, ROWS)
        numbers = [share]
        for column in columns:
            share = min(share, COMMON.get(column, 1 if column == "created_at" else SHARED))
            numbers.append(share)
        if is_unique:
            numbers[-1] = 1
        found.add((table, index, " ".join(str(number) for number in numbers)))
    return found
