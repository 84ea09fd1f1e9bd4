"""`/access_codes/unmanaged/*`: codes that were found on devices, or are not managed any more."""

import asyncio
from typing import Annotated, Any

from annotated_types import Gt

from doorward.api import action_attempts, page
from doorward.api.access_codes.shared import Get, device_of, one, search_for, settled
from doorward.api.params import Cursor, Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import found_codes
from doorward.errors import InvalidInput
from doorward.store import access_codes as store
from doorward.store import client_sessions
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Where
from doorward.wire.access_code import UnmanagedAccessCode
from doorward.wire.action_attempt import ActionAttempt
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
    page_cursor: Cursor | None = None
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
        req.narrow(where, account="d.connected_account_id")
        if p.user_identifier_key is not None:
            client_sessions.of_users(
                where, "d.connected_account_id", "connected_account_id", req.workspace_id, p.user_identifier_key
            )
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


class TakeOver(Params):
    """What convert_to_managed and unmanaged/update have in common."""

    access_code_id: Id
    """The code."""
    allow_external_modification: bool | None = None
    """Older name of `is_external_modification_allowed`."""
    force: bool = False
    """Take it over even from another integration or workspace."""
    is_external_modification_allowed: bool | None = None
    """Leave changes made at the device as they are."""


async def _take_over(req: Request, p: TakeOver) -> AttemptRow:
    allowed = p.is_external_modification_allowed
    with req.counted("access_code_update", *await device_of(req, p.access_code_id)):
        return await req.write(
            found_codes.take_over,
            req.core,
            req.workspace,
            p.access_code_id,
            force=p.force,
            is_external_modification_allowed=p.allow_external_modification if allowed is None else allowed,
        )


class Convert(TakeOver):
    """Parameters of convert_to_managed."""

    UNDOCUMENTED = frozenset({"sync"})

    sync: bool = False
    """Answer when the device has confirmed it, or after a while."""


@route(
    "/access_codes/unmanaged/convert_to_managed",
    auth="ACK",
    methods=("POST", "PATCH"),
    action_type="CONVERT_ACCESS_CODE_TO_MANAGED",
)
async def convert_to_managed(req: Request, p: Convert) -> dict[str, Any]:
    """Manage an access code that was found on a device from now on.

    Beside what is documented the answer has the action attempt, which ends when the device has our tag.
    """
    attempt = await settled(req, await _take_over(req, p), p.sync)
    return {"action_attempt": await action_attempts.shown(req, attempt)}


class UpdateUnmanaged(TakeOver):
    """Parameters of unmanaged/update."""

    is_managed: bool
    """True: manage it. Nothing else can be changed of a code that is not managed."""


@route("/access_codes/unmanaged/update", auth="ACK")
async def update_unmanaged(req: Request, p: UpdateUnmanaged) -> None:
    """Manage an access code that was found on a device from now on."""
    if not p.is_managed:
        raise InvalidInput.of("is_managed", "Must be true: the access code is not managed already")
    await _take_over(req, p)


class DeleteUnmanaged(Params):
    """Parameters of unmanaged/delete."""

    UNDOCUMENTED = frozenset({"sync"})

    access_code_id: Id
    """The code."""
    sync: bool = False
    """Answer when the device has let go of it, or after a while."""


@route(
    "/access_codes/unmanaged/delete",
    auth="ACK",
    returns={"action_attempt": ActionAttempt},
    action_type="DELETE_ACCESS_CODE",
)
async def delete_unmanaged(req: Request, p: DeleteUnmanaged) -> dict[str, Any]:
    """Remove an access code that is not managed from its device.

    A user who has more than a PIN there (a card, a number to call) keeps all the rest.
    """
    with req.counted("access_code_delete", *await device_of(req, p.access_code_id)):
        attempt = await req.write(found_codes.remove, req.core, req.workspace, p.access_code_id)
    attempt = await settled(req, attempt, p.sync)
    return {"action_attempt": await action_attempts.shown(req, attempt)}
