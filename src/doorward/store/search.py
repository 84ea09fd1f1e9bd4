"""Finds rows by a part of their texts, however many rows there are.

    search ──▶ few rows contain it:  their ids, from the index
           └─▶ many rows do:         nothing; a page of them is found soon by looking at row after row

What is said here only narrows a list down: the caller states the exact condition besides. So the index may name a row
too many, and must never lack one; rows are put into it where they are written. It holds runs of three characters, so
that shorter texts are looked for row by row. On a PostgreSQL that lacks its extension `pg_trgm`, everything works, and
a search reads all texts.
"""

import json
import re
from typing import Any

import msgspec

from doorward.store.db import Reader, Tx, Where, like

COLUMNS = {
    # Table → its id, and the columns that are searched.
    "connect_webviews": ("connect_webview_id", ("accepted_providers_json", "custom_metadata_json", "customer_key")),
    "connected_accounts": (
        "connected_account_id",
        ("provider", "customer_key", "custom_metadata_json", "user_identifier_json"),
    ),
    "devices": ("device_id", ("connected_account_id", "nickname", "name", "custom_metadata_json")),
    "spaces": ("space_id", ("name", "space_key")),
    "user_identities": ("user_identity_id", ("full_name", "email_address", "phone_number", "user_identity_key")),
}
MANY = 2_500
"""Rows that are looked up one by one. More of them stand close together in any list."""
_PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
SHORTEST = 3
"""Characters of a text that the index knows."""


def _is_postgresql(read: Reader) -> bool:
    return read.dialect.name == "postgresql"


# ---------------------------------------------------------------- written


async def put(tx: Tx, table: str, row: Any) -> None:
    """Remember a row's texts, or that they are others now."""
    column, others = COLUMNS[table]
    texts = [getattr(row, name) for name in (column, *others)]
    text = " ".join(one for one in texts if one is not None).lower()
    about = (row.workspace_id, table, getattr(row, column))
    if _is_postgresql(tx):
        await tx.run(
            "INSERT INTO search_rows (workspace_id, kind, id, text) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (workspace_id, kind, id) DO UPDATE SET text = excluded.text",
            *about,
            text,
        )
        return
    await tx.run("INSERT INTO search_rows (workspace_id, kind, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", *about)
    await tx.run(
        "INSERT OR REPLACE INTO search_index (rowid, text) SELECT text_id, $4 FROM search_rows "
        "WHERE workspace_id = $1 AND kind = $2 AND id = $3",
        *about,
        text,
    )


async def changed(tx: Tx, table: str, row: Any, values: Any) -> None:
    """Columns of a row were set; `row` is what it is now."""
    if any(name in values for name in COLUMNS[table][1]):
        await put(tx, table, row)


async def drop(tx: Tx, table: str, workspace_id: str, row_id: str) -> None:
    """The row is gone."""
    await _drop(tx, "workspace_id = $1 AND kind = $2 AND id = $3", workspace_id, table, row_id)


async def drop_workspace(tx: Tx, workspace_id: str) -> None:
    """All of a workspace is gone."""
    await _drop(tx, "workspace_id = $1", workspace_id)


async def _drop(tx: Tx, which: str, *args: Any) -> None:
    if not _is_postgresql(tx):
        await tx.run(f"DELETE FROM search_index WHERE rowid IN (SELECT text_id FROM search_rows WHERE {which})", *args)
    await tx.run(f"DELETE FROM search_rows WHERE {which}", *args)


# ---------------------------------------------------------------- asked


async def narrow(read: Reader, where: Where, table: str, workspace_id: str, column: str, *texts: str) -> None:
    """Only rows that contain one of these texts, and perhaps some others; `column` is their id's."""
    whole = [text.lower() for text in texts]
    if any(len(text) < SHORTEST for text in whole):
        return
    found = await _found(read, table, workspace_id, parts := [telling(text) for text in whole])
    if found is None and parts != whole:  # what looked telling is not
        found = await _found(read, table, workspace_id, whole)
    if found is None:
        return
    if _is_postgresql(read):
        where.add(f"{column} = ANY({{}})", found)
    else:
        where.add(f"{column} IN (SELECT value FROM json_each({{}}))", json.dumps(found))


def telling(text: str) -> str:
    """The part of a text that few others have, by the look of it: around its digits. Runs that all rows have, as those
    of `"room":"room-`, would have to be read for all of them."""
    digits = [i for i, sign in enumerate(text) if sign.isdigit()]
    if not digits:
        return text
    first, last = digits[0], digits[-1]
    return text[max(0, min(first - 1, len(text) - SHORTEST)) : max(last + 2, SHORTEST)]


async def _found(read: Reader, table: str, workspace_id: str, wanted: list[str]) -> list[str] | None:
    """Ids of the rows with one of these texts; None: there are many."""
    query = Where()
    if _is_postgresql(read):
        query.add("workspace_id = {} AND kind = {}", workspace_id, table)
        query.either(lambda each: _any(each, wanted))
        rows = await read.all(f"SELECT id FROM search_rows WHERE {query} LIMIT {query.bind(MANY + 1)}", *query.args)
        return None if len(rows) > MANY else [str(row[0]) for row in rows]
    quoted = [text.replace('"', '""') for text in wanted]
    query.add("search_index MATCH {}", " OR ".join(f'"{text}"' for text in quoted))
    rows = await read.all(f"SELECT rowid FROM search_index WHERE {query} LIMIT {query.bind(MANY + 1)}", *query.args)
    if len(rows) > MANY:
        return None
    rows = await read.all(
        "SELECT id FROM search_rows WHERE text_id IN (SELECT value FROM json_each($1)) "
        "AND workspace_id = $2 AND kind = $3",
        json.dumps([row[0] for row in rows]),
        workspace_id,
        table,
    )
    return [str(row[0]) for row in rows]


def _any(where: Where, wanted: list[str]) -> None:
    for text in wanted:
        where.add("text LIKE {}", like(text))


def pair(key: str, value: str) -> list[str]:
    """How a member of a JSON object may be written whose value reads so: as text, as a number, as true or false."""
    written = [msgspec.json.encode({key: value})[1:-1].decode()]
    name = f"{msgspec.json.encode(key).decode()}:"
    if value in ("true", "false") or _PLAIN.fullmatch(value):
        written.append(name + value)
    elif _is_number(value):  # of which there are many spellings
        return [name]
    return written


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
