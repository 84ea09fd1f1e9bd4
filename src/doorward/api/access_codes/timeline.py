"""`/access_codes/get_timeline`, and the same for all codes of a device."""

from typing import Annotated, Any

from annotated_types import Gt, Le

from doorward.api import page
from doorward.api.params import Cursor, Id, Instant, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import devices, timeline
from doorward.core.timeline import Question
from doorward.errors import AccessCodeNotFound
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.wire import time
from doorward.wire.reply import Pagination
from doorward.wire.timeline import ComesNext, TimelineEvent

PAGE = 50


class Which(Params):
    """Which entries."""

    after: Instant | None = None
    """Only what happened after this."""
    before: Instant | None = None
    """Only what happened before this."""
    event_types: list[str] | None = None
    """Only these types."""
    limit: Annotated[int, Gt(0), Le(200)] = PAGE
    """Entries at most."""
    page_cursor: Cursor | None = None
    """Where to go on: `next_page_cursor` of the page before."""


async def _answer(req: Request, p: Which, **of: str) -> dict[str, Any]:
    question = Question(
        workspace_id=req.workspace_id,
        since=None if p.after is None else time.parse(p.after),
        until=None if p.before is None else time.parse(p.before),
        position=page.start(req, p.page_cursor),
        types=p.event_types,
        **of,
    )
    found = await timeline.entries(req.db, question, p.limit + 1)
    shown, pagination = page.cut(req, found, p.limit, lambda one: one[0])
    return {"timeline_events": [entry for _, entry in shown], "pagination": pagination}


class Get(Which):
    """Parameters of get_timeline."""

    access_code_id: Id
    """The code; it may be gone already."""


@route(
    "/access_codes/get_timeline",
    auth="ACKR",
    returns={"timeline_events": list[TimelineEvent], "next": ComesNext | None, "pagination": Pagination},
    pages=PAGE,
    undocumented=True,
)
async def get_timeline(req: Request, p: Get) -> dict[str, Any]:
    """Get what happened to an access code, the newest first: events, tries at the device, and what it said.

    `next` (of this server's own) says what comes next; null when the code is gone. Tries are kept for 90 days.
    """
    reply = await _answer(req, p, access_code_id=p.access_code_id)
    row = await store.get(req.db, req.workspace_id, p.access_code_id)
    if row is None:
        any_of_it = Question(req.workspace_id, access_code_id=p.access_code_id)
        if not await timeline.entries(req.db, any_of_it, 1):
            raise AccessCodeNotFound(data={"access_code_id": p.access_code_id})
    device = await device_store.get(req.db, req.workspace_id, row.device_id) if row else None
    return {**reply, "next": timeline.comes_next(req.core, row, device) if row and device else None}


class GetOfDevice(Which):
    """Parameters of the device's get_timeline."""

    device_id: Id
    """The device."""


@route(
    "/devices/doorward/get_access_code_timeline",
    auth="ACKR",
    returns={"timeline_events": list[TimelineEvent], "pagination": Pagination},
    pages=PAGE,
    undocumented=True,
)
async def get_timeline_of_device(req: Request, p: GetOfDevice) -> dict[str, Any]:
    """Get what happened to the access codes of a device, the newest first. An extension of this server."""
    await devices.get(req.db, req.workspace_id, p.device_id)
    return await _answer(req, p, device_id=p.device_id)
