"""A server with a full store: one row of each table, copied as often as wanted, on either database.

If it dies half way, nothing is left: the folder and the cluster are temporary.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.run import post, say
from doorward.clock import Clock
from doorward.demo import Browser, Server
from doorward.store import search
from doorward.store.db import Database, Tx
from doorward.store.open import open_store
from doorward.store.sqlite import SqliteDatabase

EACH = 10
"""Rows of one customer, one account, one person: as many in any store."""
TABLES = {
    # Each table, and its id; those of an account come after accounts, and so on.
    **{table: about.id for table, about in search.TABLES.items()},
    "access_grants": "access_grant_id",
    "access_methods": "access_method_id",
    "access_codes": "access_code_id",
    "action_attempts": "action_attempt_id",
    "events": "event_id",
}
LINKS = {
    # Table of pairs → its columns, and the tables they are of.
    "space_devices": ("space_id", "spaces", "device_id", "devices"),
    "access_grant_devices": ("access_grant_id", "access_grants", "device_id", "devices"),
    "access_grant_spaces": ("access_grant_id", "access_grants", "space_id", "spaces"),
}


def row_id(table: str, number: int) -> str:
    """The id of such a row of a table."""
    return f"{_start(table)}{number:012x}"


def _start(table: str) -> str:
    return f"01800000-0000-7000-8{list(TABLES).index(table):03x}-"


class Copies:
    """SQL for row `i` of so many."""

    def __init__(self, database: str, count: int) -> None:
        self._hex = "lpad(to_hex({}), 12, '0')" if database == "postgresql" else "printf('%012x', {})"
        self.count = count
        self.some = max(1, count // EACH)

    def id(self, table: str, number: str = "i") -> str:
        """Ids are in the order of rows."""
        return f"'{_start(table)}' || {self._hex.format(number)}"

    def shared_id(self, table: str) -> str:
        """Of a row that ten have: neighbours by number have different ones."""
        return self.id(table, f"i % {self.some}")

    def shared(self, text: str) -> str:
        """A key that ten rows have."""
        return f"'{text}-' || (i % {self.some})"

    def columns(self, table: str) -> dict[str, str]:
        """Of a table, those that are not as in the row that is copied."""
        customer = self.shared("customer")
        metadata = """'{"room":"room-' || i || '","wing":"north","note":"Key ' || i || '."}'"""
        found = {
            "connect_webviews": {"customer_key": customer, "custom_metadata_json": metadata},
            "connected_accounts": {
                "customer_key": customer,
                "identity_key": "'bench-' || i",
                "custom_metadata_json": metadata,
                "user_identifier_json": """'{"email":"owner-' || i || '@example.com"}'""",
            },
            "devices": {
                "connected_account_id": self.shared_id("connected_accounts"),
                "customer_key": customer,
                "ref": "'bench-' || i",
                "name": "'Door number ' || i || ' of the house'",
                "custom_metadata_json": metadata,
                "secret_sealed": "NULL",
            },
            "spaces": {
                "customer_key": customer,
                "name": "'Room number ' || i || ' of the house'",
                "space_key": "'space-' || i",
                "parent_space_id": self.shared_id("spaces"),
            },
            "user_identities": {
                "customer_key": customer,
                "user_identity_key": "'person-' || i",
                "email_address": "'guest-' || i || '@example.com'",
                "phone_number": "'+1' || (2000000000 + i)",
                "full_name": "'Guest number ' || i || ' of the house'",
            },
            "access_grants": {
                "customer_key": customer,
                "access_grant_key": "'grant-' || i",
                "reservation_key": self.shared("reservation"),
                "user_identity_id": self.shared_id("user_identities"),
            },
            "access_methods": {"access_grant_id": self.id("access_grants")},
            "access_codes": {
                "device_id": self.shared_id("devices"),
                "ref": "'bench-' || i",
                "code_hash": "'bench-' || i",
                "access_method_id": self.id("access_methods"),
            },
            "action_attempts": {"device_id": self.shared_id("devices"), "phase": "'done'"},
            "events": {
                **{TABLES[of]: self.shared_id(of) for of in TABLES if of not in ("user_identities", "events")},
                "customer_key": customer,
                "event_type": f"CASE WHEN i < {EACH} THEN 'device.removed' ELSE event_type END",
            },
        }[table]
        return {**found, TABLES[table]: self.id(table), "created_at": "created_at + 1000 + i"}


async def _names(tx: Tx, table: str) -> list[str]:
    """Columns of a table."""
    of = {
        "sqlite": "SELECT name FROM pragma_table_info($1)",
        "postgresql": "SELECT column_name FROM information_schema.columns WHERE table_name = $1",
    }
    return [str(row[0]) for row in await tx.all(of[tx.dialect.name], table)]


async def fill(db: Database, workspace_id: str, count: int) -> None:
    """Copy one row of each table of a workspace so many times."""
    sql = Copies(db.dialect.name, count)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"

    async def copy(tx: Tx, table: str) -> None:
        given, names = sql.columns(table), await _names(tx, table)
        picked = ", ".join(given.get(name, f"t.{name}") for name in names)
        await tx.run(
            f"{numbers} INSERT INTO {table} ({', '.join(names)}) SELECT {picked} FROM n, "
            f"(SELECT * FROM {table} WHERE workspace_id = $1 LIMIT 1) t",
            workspace_id,
        )
        if table in search.TABLES:
            await search.fill_with(tx, table)

    async def link(tx: Tx, table: str) -> None:
        one, of_one, other, of_other = LINKS[table]
        given = {"workspace_id": f"'{workspace_id}'", one: sql.id(of_one), other: sql.shared_id(of_other)}
        await tx.run(f"{numbers} INSERT INTO {table} ({', '.join(given)}) SELECT {', '.join(given.values())} FROM n")

    await db.write(search.drop_workspace, workspace_id)
    indexes = await db.write(_without_indexes)
    for table in TABLES:
        await db.write(copy, table)
    for table in LINKS:
        await db.write(link, table)
    for index in indexes:
        await db.write(lambda tx, index: tx.run(index), index)
    if isinstance(db, SqliteDatabase):
        await db.use_statistics()  # they went with the indexes
    while await db.write(search.merge):  # as the server does every hour
        pass


async def _without_indexes(tx: Tx) -> list[str]:
    """Drop all but keys, which are made anew sooner than they are kept up: what makes them."""
    if not search.is_postgresql(tx):
        of = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = $1"
    else:
        of = (
            "SELECT CAST(CAST(indexrelid AS REGCLASS) AS TEXT), pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = to_regclass($1) AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)"
        )
    found = [row for table in (*TABLES, *LINKS, "search_rows") for row in await tx.all(of, table)]
    for name, _ in found:
        await tx.run(f"DROP INDEX {name}")
    return [str(row[1]) for row in found]


async def _fill(data_dir: Path, database_url: str | None, workspace_id: str, count: int) -> None:
    """The store of a server that does not run."""
    db = await open_store(data_dir, database_url, clock=Clock())
    try:
        await fill(db, workspace_id, count)
    finally:
        await db.close()
    if database_url:
        await vacuum(database_url)


async def vacuum(database_url: str) -> None:
    """What PostgreSQL does in the background, at its leisure."""
    import asyncpg

    con = await asyncpg.connect(database_url)
    try:
        await con.execute("VACUUM ANALYZE")
    finally:
        await con.close()


@contextmanager
def full(folder: Path, database_url: str | None, count: int) -> Iterator[tuple[str, str]]:
    """A server with so many rows of everything: its address, and a key."""
    env = {"DOORWARD_RATE_LIMITS": "off"}
    if database_url:
        env["DOORWARD_DATABASE_URL"] = database_url
    server = Server(folder, env=env)
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
    asyncio.run(_fill(server.data_dir, database_url, device["workspace_id"], count))
    say(f"  {count:,} rows of each of {len(TABLES)} kinds in {time.monotonic() - began:.0f} s")
    server.start(timeout=120)
    try:
        yield server.url, key
    finally:
        server.stop()
