"""`/action_attempts/*`."""

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Gt

from doorward.api import page
from doorward.api.params import Cursor, Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import actions, code_state
from doorward.store import access_codes as code_store
from doorward.store import action_attempts as store
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Where
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.reply import Pagination

PAGE = 500


class Get(Params):
    """Parameters of get."""

    action_attempt_id: Id
    """The attempt."""


async def shown(req: Request, row: AttemptRow) -> ActionAttempt:
    """An attempt with its result."""
    [found] = await all_shown(req, [row])
    return found


async def all_shown(req: Request, rows: Sequence[AttemptRow]) -> list[ActionAttempt]:
    """Attempts with their results; older SDKs read the access code from them."""
    ids = {row.action_attempt_id: row.access_code_id for row in rows if row.access_code_id and _is_code(row)}
    where = Where()
    where.add("c.workspace_id = {}", req.workspace_id)
    where.any_of("c.access_code_id", list(dict.fromkeys(ids.values())))
    codes = (
        {code.row.access_code_id: code for code in await code_store.see_page(req.db, where, len(ids))} if ids else {}
    )

    def result(row: AttemptRow) -> dict[str, Any] | None:
        if row.action_attempt_id not in ids:
            return None
        seen = codes.get(ids[row.action_attempt_id])
        return {"access_code": code_state.wire(req.core, seen) if seen else None}

    return [actions.wire(row, result(row)) for row in rows]


def _is_code(row: AttemptRow) -> bool:
    """Whether a code came of it."""
    return row.status == "success" and row.action_type != "DELETE_ACCESS_CODE"


@route("/action_attempts/get", auth="ACKR", returns={"action_attempt": ActionAttempt})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get an action attempt: how a command ended."""
    return {"action_attempt": await shown(req, await actions.get(req.db, req.workspace_id, p.action_attempt_id))}


class List(Params):
    """Parameters of list."""

    action_attempt_ids: list[Id] | None = None
    """Only these."""
    device_id: Id | None = None
    """Only those of this device."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""


@route(
    "/action_attempts/list",
    auth="A",
    returns={"action_attempts": list[ActionAttempt], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List action attempts, oldest first."""
    where = Where()
    where.add("workspace_id = {}", req.workspace_id)
    if p.action_attempt_ids is not None:
        where.any_of("action_attempt_id", p.action_attempt_ids)
    if p.device_id is not None:
        where.add("device_id = {}", p.device_id)
    page.after(where, page.start(req, p.page_cursor), "created_at", "action_attempt_id")
    limit = min(p.limit, PAGE)
    rows = await store.list_page(req.db, where, limit + 1)
    found, pagination = page.cut(req, rows, limit, lambda r: (r.created_at, r.action_attempt_id))
    return {"action_attempts": await all_shown(req, found), "pagination": pagination}
