"""The backup pool: reserve codes that a device holds already, for a guest whose own code does not work.

A pool is kept on a device while its switch `backup_access_code_pool_enabled` is on, or a time-bound code asks for one.
A reserve is an ordinary row with `is_backup = 1`, ongoing, under a PIN that nobody was told; the reconciler sets it as
it sets any other. Pulling gives it the name and the times of the code that it stands for, at once for the caller; the
device learns of it when it can, and until then knows it as ongoing: that is what lets a guest in while the device
cannot be reached. A pulled code lives by itself from then on; for a code of an access grant it is the grant's, too.

Filling up and pulling are one transaction each; if the process dies in between, the next look at the device fills up.
"""

import structlog

from doorward.core import access_codes as rules
from doorward.core import code_state, devices, grant_progress, pins, problems
from doorward.core.access_codes import Wish
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.errors import (
    AccessCodeBeingRemoved,
    AccessCodeNotTimeBound,
    BackupAccessCodeNotFound,
    InvalidInput,
    Unavailable,
)
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store.access_codes import CodeRow, Pool
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.events import access_code as event

log = structlog.get_logger()

EMPTY = "empty_backup_access_code_pool"
PARTIAL = "partial_backup_access_code_pool"
MANY = "many_active_backup_codes"
WARNING = "using_backup_access_code"


# ---------------------------------------------------------------- keeping it filled


async def tend(core: Core, device: DeviceRow) -> bool:
    """Bring a device's pool to its size, or take it down. False: it has none, and nothing is said of one."""
    pool = await _pool(core, core.db.read, device)
    if _wanting(core, device, pool):
        await core.db.write(_fill, core, device)
    is_said = any(code in device.errors_json + device.warnings_json for code in (EMPTY, PARTIAL, MANY))
    return is_said or _is_kept(device, pool) or bool(pool.reserve or pool.pulled)


async def _pool(core: Core, read: Reader, device: DeviceRow) -> Pool:
    return await store.pool(read, device.workspace_id, device.device_id, core.clock.now())


def _wanting(core: Core, device: DeviceRow, pool: Pool) -> int:
    """How many reserve codes are wanted beside those that there are (negative: too many)."""
    return (core.config.backup_pool_size if _is_kept(device, pool) else 0) - pool.reserve


def _is_kept(device: DeviceRow, pool: Pool) -> bool:
    return bool(device.is_managed and (device.backup_pool_enabled or pool.users))


async def _fill(tx: Tx, core: Core, before: DeviceRow) -> None:
    workspace_id, device_id = before.workspace_id, before.device_id
    await tx.lock("device", workspace_id, device_id)
    device = await device_store.get(tx, workspace_id, device_id)
    if device is None:
        return
    wanting = _wanting(core, device, await _pool(core, tx, device))
    report = devices.report_of(device)
    for _ in range(wanting if report.code_lengths else 0):
        try:
            pin, digest = await pins.random_pin(tx, core, device, report, None)
        except Unavailable:
            log.warning("no PIN is free for a reserve code", device_id=device_id)
            return
        row = rules.new_row(core, device, Wish(device_id), pin, digest, None, None, is_backup=True)
        await store.add(tx, row)
        await emit(
            tx, core, workspace_id, event.AccessCodeCreated(access_code_id=row.access_code_id, **about_device(device))
        )
    if wanting < 0:
        # Those that the device does not hold yet go first.
        reserve = await store.reserve(tx, workspace_id, device_id)
        for row in sorted(reserve, key=lambda one: one.held_sealed is not None)[:-wanting]:
            await rules.let_go(tx, core, row)


async def tell(core: Core, device: DeviceRow) -> None:
    """After a look at a device: say on it how its pool stands."""
    pool = await _pool(core, core.db.read, device)
    size, is_kept = core.config.backup_pool_size, _is_kept(device, pool)
    texts = {
        EMPTY: "The device holds no reserve code, so none can be pulled." if is_kept and not pool.ready else "",
        PARTIAL: f"The device holds {pool.ready} of {size} reserve codes." if is_kept and 0 < pool.ready < size else "",
        MANY: f"{pool.pulled} reserve codes are in use." if pool.pulled > size else "",
    }
    known = {
        one.code: one.message for one in (*problems.read(device.errors_json), *problems.read(device.warnings_json))
    }
    if any(known.get(code, "") != text for code, text in texts.items()):
        await core.db.write(_say, core, device, texts)


async def _say(tx: Tx, core: Core, before: DeviceRow, texts: dict[str, str]) -> None:
    await tx.lock("device", before.workspace_id, before.device_id)
    row = await device_store.get(tx, before.workspace_id, before.device_id)
    if row is None:
        return
    errors, warnings, now = problems.without(row.errors_json, EMPTY), row.warnings_json, core.clock.now()
    if texts[EMPTY]:
        errors = problems.with_issue(row.errors_json, EMPTY, texts[EMPTY], now)
    for code in (PARTIAL, MANY):
        warnings = (
            problems.with_issue(warnings, code, texts[code], now) if texts[code] else problems.without(warnings, code)
        )
    if (errors, warnings) != (row.errors_json, row.warnings_json):
        await device_store.change(tx, row, errors_json=errors, warnings_json=warnings)


# ---------------------------------------------------------------- pulling


async def pull(tx: Tx, core: Core, workspace: WorkspaceRow, access_code_id: str) -> CodeRow:
    """A reserve code in place of this one; the same one when it is asked for again. Raises ApiError."""
    workspace_id, about = workspace.workspace_id, {"access_code_id": access_code_id}
    row = await rules.get(tx, workspace_id, access_code_id)
    if row.access_method_id is not None:
        await grant_progress.lock(tx, workspace_id)
    await tx.lock("device", workspace_id, row.device_id)
    row = await rules.get(tx, workspace_id, access_code_id)
    device = await devices.get(tx, workspace_id, row.device_id)
    now = core.clock.now()
    if row.is_backup:
        raise InvalidInput("A backup access code has none of its own")
    if row.ends_at is None:
        raise AccessCodeNotTimeBound(data=about)
    if not row.is_wanted or row.ends_at <= now:
        raise AccessCodeBeingRemoved(data=about)
    if row.pulled_backup_access_code_id is not None:
        pulled = await store.get(tx, workspace_id, row.pulled_backup_access_code_id)
        if pulled is not None and pulled.is_managed and pulled.is_wanted:
            return pulled
    ready = [one for one in await store.reserve(tx, workspace_id, row.device_id) if one.held_revision == one.revision]
    if not ready:
        raise BackupAccessCodeNotFound(data=about)
    pulled = await store.change(
        tx,
        ready[0],
        name=row.name,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        pulled_for=access_code_id,
        access_method_id=row.access_method_id,
        revision=ready[0].revision + 1,
        requested_at=now,
        status="unset" if row.starts_at is not None and row.starts_at > now else ready[0].status,
    )
    text = "A backup access code stands for this one."
    await store.change(
        tx,
        row,
        pulled_backup_access_code_id=pulled.access_code_id,
        warnings_json=problems.with_issue(row.warnings_json, WARNING, text, now),
    )
    told = event.AccessCodeBackupAccessCodePulled(
        access_code_id=access_code_id, backup_access_code_id=pulled.access_code_id, **about_device(device)
    )
    await emit(tx, core, workspace_id, told)
    asked = event.AccessCodeMutationsRequested(
        access_code_id=pulled.access_code_id,
        requested_mutations=code_state.mutations(core, pulled),
        **about_device(device),
    )
    await emit(tx, core, workspace_id, asked)
    await devices.wake(tx, core, workspace_id, device.device_id)
    return pulled
