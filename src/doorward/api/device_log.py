"""`/devices/doorward/*`: what this server knows of a device and Seam's API has no place for. An extension of ours."""

from typing import Annotated, Any

import msgspec
from annotated_types import Gt, Le

from doorward.api import page
from doorward.api.params import Cursor, Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import devices as rules
from doorward.store import device_log as store
from doorward.store.db import Where
from doorward.wire.device_log import DeviceLogEntry
from doorward.wire.reply import Pagination
from doorward.wire.time import iso

PAGE = 100


class List(Params):
    """Parameters of list_device_log."""

    device_id: Id
    """The device."""
    limit: Annotated[int, Gt(0), Le(1000)] = PAGE
    """Items at most."""
    page_cursor: Cursor | None = None
    """Where to go on: `next_page_cursor` of the page before."""


@route(
    "/devices/doorward/list_device_log",
    auth="ACKR",
    returns={"device_log": list[DeviceLogEntry], "pagination": Pagination},
    pages=PAGE,
    undocumented=True,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List what a device reported in words of its own, the newest first.

    An extension of this server, not a part of Seam's API: blocked access, calls, inputs, the door's movements and
    alarms. Kept for a week, 1,000 entries a device at most; PINs, cards and pressed keys are never kept.
    """
    await rules.get(req.db, req.workspace_id, p.device_id)
    where = Where()
    where.add("workspace_id = {} AND device_id = {}", req.workspace_id, p.device_id)
    if (position := page.start(req, p.page_cursor)) is not None:
        where.add("(occurred_at, event_key) < ({}, {})", *position)
    rows = await store.newest(req.db, where, p.limit + 1)
    shown, pagination = page.cut(req, rows, p.limit, lambda row: (row.occurred_at, row.event_key))
    entries = [
        DeviceLogEntry(
            device_id=row.device_id,
            workspace_id=row.workspace_id,
            name=row.name,
            occurred_at=iso(row.occurred_at),
            data=msgspec.json.decode(row.data_json),
        )
        for row in shown
    ]
    return {"device_log": entries, "pagination": pagination}
