"""What was tried at devices for their access codes."""

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert


class EntryRow(msgspec.Struct, frozen=True):
    """One try. `data_json`: operation, outcome, what the device said, when the next try is."""

    workspace_id: str
    access_code_id: str
    device_id: str
    began_at: int
    ended_at: int
    start_id: str
    """Names its beginning."""
    entry_id: str
    """Names its end."""
    data_json: str


async def add(tx: Tx, row: EntryRow) -> None:
    await tx.run(insert("code_log", EntryRow), *msgspec.structs.astuple(row))


async def newest(read: Reader, where: Where, limit: int, *, by: tuple[str, str]) -> list[EntryRow]:
    """The newest first, `by` their beginning or their end: instant and id."""
    at, entry_id = by
    rows = await read.all(
        f"SELECT {columns(EntryRow)} FROM code_log WHERE {where} ORDER BY {at} DESC, {entry_id} DESC LIMIT {limit:d}",
        *where.args,
    )
    return [EntryRow(*row) for row in rows]


async def forget(tx: Tx, before: int) -> int:
    """Drop what is older than this."""
    return await tx.run("DELETE FROM code_log WHERE ended_at < $1", before)
