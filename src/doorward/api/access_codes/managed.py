"""`/access_codes/*`: codes that are managed here, one at a time."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from doorward.api import action_attempts, page
from doorward.api.access_codes.shared import Get, Name, Pin, device_of, one, search_for, settled
from doorward.api.access_grants import ids_of_key
from doorward.api.params import Cursor, Id, Instant, Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import access_codes as rules
from doorward.core import backup_pool, code_state, devices, grant_progress, pins
from doorward.core.access_codes import Change, Wish
from doorward.errors import InvalidInput
from doorward.store import access_codes as store
from doorward.store import access_grants as grant_store
from doorward.store import client_sessions
from doorward.store.access_codes import SeenCode
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Tx, Where
from doorward.wire.access_code import AccessCode, GeneratedCode
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.reply import Pagination

PAGE = 55_000


class Create(Params):
    """Parameters of create."""

    UNDOCUMENTED = frozenset({"sync"})

    device_id: Id
    """The device."""
    allow_external_modification: bool | None = None
    """Older name of `is_external_modification_allowed`."""
    attempt_for_offline_device: bool = True
    """False: refuse when the device is offline."""
    code: Pin | None = None
    """The PIN; a good one is chosen when there is none."""
    common_code_key: Id | None = None
    """Codes with the same key belong together."""
    ends_at: Instant | None = None
    """Until when it opens; with `starts_at`, rounded to the minute."""
    is_external_modification_allowed: bool | None = None
    """Leave changes made at the device as they are."""
    is_offline_access_code: bool | None = None
    """Computed without contact to the device (not on intercoms)."""
    is_one_time_use: bool | None = None
    """Good for one entry (not on intercoms)."""
    max_time_rounding: Literal["1hour", "1day", "1h", "1d"] | None = None
    """How far offline codes' times may be rounded."""
    name: Name | None = None
    """Its name."""
    prefer_native_scheduling: bool | None = None
    """False: have it set on the device when it begins, not ahead of time."""
    preferred_code_length: float | None = None
    """Digits of a chosen PIN."""
    starts_at: Instant | None = None
    """From when it opens; with `ends_at`, rounded to the minute."""
    sync: bool = False
    """Answer when the device holds it, or after a while."""
    use_backup_access_code_pool: bool | None = None
    """Keep a reserve code ready."""
    use_offline_access_code: bool | None = None
    """Older name of `is_offline_access_code`."""


@route(
    "/access_codes/create",
    auth="ACK",
    returns={"access_code": AccessCode, "action_attempt": ActionAttempt},
    action_type="CREATE_ACCESS_CODE",
)
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Create an access code on a device."""
    wish = Wish(
        device_id=p.device_id,
        code=p.code,
        name=p.name,
        starts_at=p.starts_at,
        ends_at=p.ends_at,
        preferred_code_length=p.preferred_code_length,
        is_external_modification_allowed=bool(p.is_external_modification_allowed or p.allow_external_modification),
        common_code_key=p.common_code_key,
        attempt_for_offline_device=p.attempt_for_offline_device,
        use_backup_access_code_pool=bool(p.use_backup_access_code_pool),
        prefer_native_scheduling=p.prefer_native_scheduling is not False,
        is_offline_access_code=bool(p.is_offline_access_code or p.use_offline_access_code),
        is_one_time_use=bool(p.is_one_time_use),
    )
    with req.counted("access_code_create", p.device_id):
        row, attempt = await req.write(rules.create, req.core, req.workspace, wish)
    attempt = await settled(req, attempt, p.sync)
    seen = SeenCode(row)
    if p.sync:
        seen = await store.see(req.db, req.workspace_id, row.access_code_id) or seen
    return {
        "access_code": code_state.wire(req.core, seen),
        "action_attempt": await action_attempts.shown(req, attempt),
    }


@route("/access_codes/get", auth="ACKR", returns={"access_code": AccessCode})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get an access code, by id or by device and PIN."""
    seen = await one(req, p, is_managed=True)
    return {"access_code": code_state.wire(req.core, seen)}


class List(Params):
    """Parameters of list."""

    access_code_ids: list[Id] | None = None
    """Only these."""
    access_grant_id: Id | None = None
    """Only those of this access grant."""
    access_grant_key: Id | None = None
    """Only those of this access grant."""
    access_method_id: Id | None = None
    """Only those of this access method."""
    customer_key: Id | None = None
    """Only those of this customer's devices."""
    device_id: Id | None = None
    """Only those of this device."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in name or id, or have it as their PIN."""
    user_identifier_key: str | None = None
    """Only those of this user's client sessions."""


@route(
    "/access_codes/list",
    auth="ACKR",
    returns={"access_codes": list[AccessCode], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List access codes, oldest first. Backup codes that nobody has pulled are left out."""
    one_of(
        device_id=p.device_id,
        access_code_ids=p.access_code_ids,
        access_method_id=p.access_method_id,
        access_grant_id=p.access_grant_id,
        access_grant_key=p.access_grant_key,
        customer_key=p.customer_key,
    )
    where = Where()
    where.add("c.workspace_id = {}", req.workspace_id)
    req.narrow(where, account="d.connected_account_id")
    where.add("c.is_managed = 1 AND (c.is_backup = 0 OR c.pulled_for IS NOT NULL)")
    if p.device_id is not None:
        where.add("c.device_id = {}", p.device_id)
    if p.access_code_ids is not None:
        where.any_of("c.access_code_id", p.access_code_ids)
    if p.customer_key is not None:
        where.add(
            "c.device_id IN (SELECT device_id FROM devices WHERE workspace_id = {} AND customer_key = {})",
            req.workspace_id,
            p.customer_key,
        )
    if p.access_method_id is not None:
        where.add("c.access_method_id = {}", p.access_method_id)
    if p.access_grant_id is not None:
        await _of_grants(req, where, [p.access_grant_id])
    if p.access_grant_key is not None:
        await _of_grants(req, where, await ids_of_key(req, p.access_grant_key))
    if p.user_identifier_key is not None:
        client_sessions.of_users(
            where, "d.connected_account_id", "connected_account_id", req.workspace_id, p.user_identifier_key
        )
    await search_for(req, where, p.search, p.device_id)
    page.after(where, page.start(req, p.page_cursor), "c.created_at", "c.access_code_id")
    limit = min(p.limit, PAGE)
    rows = await store.see_page(req.db, where, limit + 1)
    shown, pagination = page.cut(req, rows, limit, lambda r: (r.row.created_at, r.row.access_code_id))
    return {
        "access_codes": [code_state.wire(req.core, seen) for seen in shown],
        "pagination": pagination,
    }


async def _of_grants(req: Request, where: Where, access_grant_ids: list[str]) -> None:
    methods = await grant_store.methods_of(req.db, req.workspace_id, access_grant_ids)
    where.any_of("c.access_method_id", [method.access_method_id for method in methods])


class Update(Params):
    """Parameters of update."""

    UNDOCUMENTED = frozenset({"sync"})

    access_code_id: Id
    """The code."""
    allow_external_modification: bool | None = None
    """Older name of `is_external_modification_allowed`."""
    attempt_for_offline_device: bool = True
    """False: refuse when the device is offline."""
    code: Pin | None = None
    """Its new PIN."""
    device_id: Id | None = None
    """Its device; must be the right one when given."""
    ends_at: Instant | None = None
    """Until when it opens, rounded to the minute."""
    is_external_modification_allowed: bool | None = None
    """Leave changes made at the device as they are."""
    is_managed: bool | None = None
    """False: stop managing it. It stays on the device."""
    is_offline_access_code: bool | None = None
    """Without effect: what kind of code it is does not change."""
    is_one_time_use: bool | None = None
    """Without effect: what kind of code it is does not change."""
    max_time_rounding: Literal["1hour", "1day", "1h", "1d"] | None = None
    """How far offline codes' times may be rounded."""
    name: Name | None = None
    """Its new name."""
    prefer_native_scheduling: bool | None = None
    """False: have it set on the device when it begins, not ahead of time."""
    preferred_code_length: float | None = None
    """Without effect: give the new PIN itself."""
    starts_at: Instant | None = None
    """From when it opens, rounded to the minute."""
    sync: bool = False
    """Answer when the device holds it, or after a while."""
    type: Literal["ongoing", "time_bound"] | None = None
    """`ongoing` drops the times."""
    use_backup_access_code_pool: bool | None = None
    """Keep a reserve code ready."""
    use_offline_access_code: bool | None = None
    """Older name of `is_offline_access_code`."""


@route(
    "/access_codes/update",
    auth="ACK",
    returns={"action_attempt": ActionAttempt},
    action_type="UPDATE_ACCESS_CODE",
)
async def update(req: Request, p: Update) -> dict[str, Any]:
    """Change an access code."""
    allowed = p.is_external_modification_allowed
    wish = Change(
        access_code_id=p.access_code_id,
        device_id=p.device_id,
        code=p.code,
        name=p.name,
        starts_at=p.starts_at,
        ends_at=p.ends_at,
        type=p.type,
        is_managed=p.is_managed,
        is_external_modification_allowed=p.allow_external_modification if allowed is None else allowed,
        attempt_for_offline_device=p.attempt_for_offline_device,
        use_backup_access_code_pool=p.use_backup_access_code_pool,
        prefer_native_scheduling=p.prefer_native_scheduling,
    )

    async def write(tx: Tx) -> AttemptRow:
        if p.is_managed is False:
            await grant_progress.lock(tx, req.workspace_id)
        row, attempt = await rules.change(tx, req.core, req.workspace, wish)
        if p.is_managed is False:
            await grant_progress.code_changed(tx, req.core, row)
        return attempt

    with req.counted("access_code_update", *await device_of(req, p.access_code_id)):
        attempt = await req.write(write)
    attempt = await settled(req, attempt, p.sync)
    return {"action_attempt": await action_attempts.shown(req, attempt)}


class Delete(Params):
    """Parameters of delete."""

    UNDOCUMENTED = frozenset({"sync"})

    access_code_id: Id
    """The code."""
    device_id: Id | None = None
    """Its device; must be the right one when given."""
    sync: bool = False
    """Answer when the device has let go of it, or after a while."""


@route(
    "/access_codes/delete",
    auth="ACK",
    returns={"action_attempt": ActionAttempt},
    action_type="DELETE_ACCESS_CODE",
)
async def delete(req: Request, p: Delete) -> dict[str, Any]:
    """Delete an access code: it stays visible as `removing` until the device has let go of it."""
    with req.counted("access_code_delete", *await device_of(req, p.access_code_id)):
        attempt = await req.write(rules.delete, req.core, req.workspace, p.access_code_id, p.device_id)
    attempt = await settled(req, attempt, p.sync)
    return {"action_attempt": await action_attempts.shown(req, attempt)}


class Pull(Params):
    """Parameters of pull_backup_access_code."""

    access_code_id: Id
    """The code that is to be replaced."""


@route(
    "/access_codes/pull_backup_access_code",
    auth="ACK",
    returns={"access_code": AccessCode, "backup_access_code": AccessCode},
)
async def pull_backup_access_code(req: Request, p: Pull) -> dict[str, Any]:
    """Get a code in place of a time-bound one: the device holds it already.

    It gets the name and the times of the other. Asked again, the answer is the same code.
    """
    with req.counted("access_code_update", *await device_of(req, p.access_code_id)):
        row = await req.write(backup_pool.pull, req.core, req.workspace, p.access_code_id)
    shown = code_state.wire(req.core, await store.see(req.db, req.workspace_id, row.access_code_id) or SeenCode(row))
    return {"access_code": shown, "backup_access_code": shown}


CodeLength = Annotated[int, Ge(4), Le(20)]


class ReportConstraints(Params):
    """Parameters of report_device_constraints."""

    device_id: Id
    """The device."""
    max_code_length: CodeLength | None = None
    """Digits that its PINs have at most."""
    min_code_length: CodeLength | None = None
    """Digits that its PINs have at least."""
    supported_code_lengths: list[CodeLength] | None = None
    """Digits that its PINs may have."""


@route("/access_codes/report_device_constraints", auth="AC")
async def report_device_constraints(req: Request, p: ReportConstraints) -> None:
    """Say which lengths of PINs a device takes, where it does not tell by itself. A later report replaces this one."""
    if p.max_code_length is None and p.min_code_length is None and p.supported_code_lengths is None:
        raise InvalidInput("Must provide supported_code_lengths, min_code_length or max_code_length")
    least, most = p.min_code_length or 4, p.max_code_length or 20
    lengths = p.supported_code_lengths if p.supported_code_lengths is not None else range(4, 21)
    kept = [n for n in lengths if least <= n <= most]
    await req.write(devices.narrow, req.core, req.workspace_id, p.device_id, kept)


class Generate(Params):
    """Parameters of generate_code."""

    device_id: Id
    """The device."""


@route("/access_codes/generate_code", auth="AC", methods=("GET", "POST"), returns={"generated_code": GeneratedCode})
async def generate_code(req: Request, p: Generate) -> dict[str, Any]:
    """Get a PIN that is free on a device. It is not reserved."""
    code = await pins.generate(req.db, req.core, req.workspace_id, p.device_id)
    return {"generated_code": GeneratedCode(device_id=p.device_id, code=code)}
