"""What the routes of access codes have in common."""

from typing import Annotated

from pydantic import StringConstraints

from doorward.api.params import Form, Id, Params
from doorward.api.request import Request
from doorward.core import actions, pins
from doorward.errors import AccessCodeNotFound, InvalidInput
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Where, like
from doorward.store.finding import LONGEST
from doorward.store.search import folded

Pin = Annotated[str, Form(r"^[0-9]{4,12}$", "Must be 4 to 12 digits")]
Name = Annotated[str, StringConstraints(max_length=255)]


async def device_of(req: Request, access_code_id: str) -> list[str]:
    """The id of a code's device, if there is such a code."""
    row = await store.get(req.db, req.workspace_id, access_code_id)
    return [row.device_id] if row is not None else []


async def settled(req: Request, attempt: AttemptRow, sync: bool) -> AttemptRow:
    """The attempt; with `sync`, once it has ended or the wait is over."""
    if not sync or attempt.status != "pending":
        return attempt
    wake, attempt_id = req.core.wake, attempt.action_attempt_id
    ending = wake.expect(attempt_id)
    current = await actions.get(req.db, req.workspace_id, attempt_id)
    await wake.wait(attempt_id, ending, req.core.config.command_wait if current.status == "pending" else 0)
    return await actions.get(req.db, req.workspace_id, attempt_id)


class Get(Params):
    """Parameters of get."""

    access_code_id: Id | None = None
    """The code."""
    code: str | None = None
    """Its PIN, with `device_id`."""
    device_id: Id | None = None
    """Its device."""


async def one(req: Request, p: Get, *, is_managed: bool) -> store.SeenCode:
    """The code by id, or by device and PIN. Raises AccessCodeNotFound."""
    if p.access_code_id is not None:
        seen = await store.see(req.db, req.workspace_id, p.access_code_id)
    elif p.device_id is not None and p.code is not None:
        seen = None
        device = await device_store.get(req.db, req.workspace_id, p.device_id)
        digest = pins.pin_hash(req.core, device, p.code) if device else ""
        for row in await store.find_by_hash(req.db, req.workspace_id, p.device_id, digest):
            if bool(row.is_managed) == is_managed and (not row.is_backup or row.pulled_for):
                seen = await store.see(req.db, req.workspace_id, row.access_code_id)
    else:
        raise InvalidInput("Must provide access_code_id or both device_id and code")
    if seen is None or bool(seen.row.is_managed) != is_managed or p.device_id not in (None, seen.row.device_id):
        raise AccessCodeNotFound(data={"access_code_id": p.access_code_id} if p.access_code_id else None)
    return seen


async def search_for(req: Request, where: Where, search: str | None, device_id: str | None) -> None:
    """Only codes with this text in name or id, or with this PIN on this device."""
    if not search:
        return
    if len(search) > LONGEST:
        where.any_of("c.access_code_id", [])
        return
    text, digest = like(folded(search)), ""
    if device_id is not None and search.isdigit():
        device = await device_store.get(req.db, req.workspace_id, device_id)
        digest = pins.pin_hash(req.core, device, search) if device else ""
    name = req.db.dialect.folded("c.name")
    where.add(
        f"({name} LIKE {{}} ESCAPE '\\' OR c.access_code_id LIKE {{}} ESCAPE '\\' OR c.code_hash = {{}})",
        text,
        text,
        digest,
    )
