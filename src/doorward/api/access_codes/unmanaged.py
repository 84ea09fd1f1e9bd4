"""`/access_codes/unmanaged/*`: codes that were found on devices, or are not managed any more."""

import asyncio
from typing import Annotated, Any

from annotated_types import Gt

from doorward.api import page
from doorward.api.access_codes.shared import Get, one, search_for
from doorward.api.params import Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import found_codes
from doorward.store import access_codes as store
from doorward.store.db import Where
from doorward.wire.access_code import UnmanagedAccessCode
from doorward.wire.reply import Pagination

UNMANAGED_PAGE = 300_000
PART = 500
"""Codes read and shown before others have their turn."""


@route("/access_codes/unmanaged/get", auth="ACKR", returns={"access_code": UnmanagedAccessCode})
async def get_unmanaged(req: Request, p: Get) -> dict[str, Any]:
    """Get an access code that is not managed, by id or by device and PIN."""
    return {"access_code": found_codes.wire(req.core, await one(req, p, is_managed=False))}


class ListUnmanaged(Params):
    """Parameters of unmanaged/list."""

    device_id: Id
    """The device."""
    limit: Annotated[int, Gt(0)] = UNMANAGED_PAGE
    """Items in a page."""
    page_cursor: str | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in name or id, or have it as their PIN."""
    user_identifier_key: str | None = None
    """Only those of this user's client sessions."""


@route(
    "/access_codes/unmanaged/list",
    auth="ACKR",
    returns={"access_codes": list[UnmanagedAccessCode], "pagination": Pagination},
    pages=UNMANAGED_PAGE,
)
async def list_unmanaged(req: Request, p: ListUnmanaged) -> dict[str, Any]:
    """List access codes of a device that are not managed: found there, or made by others."""
    limit, position = min(p.limit, UNMANAGED_PAGE), page.start(req, p.page_cursor)
    shown: list[UnmanagedAccessCode] = []
    last: page.Position | None = None
    while True:
        where = Where()
        where.add("c.workspace_id = {} AND c.is_managed = 0", req.workspace_id)
        where.add("c.device_id = {}", p.device_id)
        if p.user_identifier_key is not None:
            where.any_of("c.access_code_id", [])
        await search_for(req, where, p.search, p.device_id)
        page.after(where, position, "c.created_at", "c.access_code_id")
        part = min(PART, limit - len(shown))
        rows = await store.see_page(req.db, where, part + 1)
        shown += [found_codes.wire(req.core, one) for one in rows[:part]]
        if rows:
            last = position = (rows[:part][-1].row.created_at, rows[:part][-1].row.access_code_id)
        if len(rows) <= part or len(shown) >= limit:
            return {"access_codes": shown, "pagination": page.page(req, len(rows) > part, last)}
        await asyncio.sleep(0)
