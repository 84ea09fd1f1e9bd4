"""Action attempts: begun, and ended exactly once.

A command (lock, unlock) is an edge with a deadline: it is written before the device is touched, sent at most once,
never repeated. An attempt about an access code only reports on a level: it ends when the device holds what is wanted.
"""

from typing import Any

import msgspec

from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.errors import ActionAttemptNotFound
from doorward.ids import new_id
from doorward.store import action_attempts, devices
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.events import action_attempt as event

LEVEL_PATIENCE_MS = 60_000
"""How long an attempt about an access code stays pending while the device cannot be reached."""

_ENDED: dict[tuple[str, str], type[event.AboutAttempt]] = {
    ("LOCK_DOOR", "success"): event.LockDoorSucceeded,
    ("LOCK_DOOR", "error"): event.LockDoorFailed,
    ("UNLOCK_DOOR", "success"): event.UnlockDoorSucceeded,
    ("UNLOCK_DOOR", "error"): event.UnlockDoorFailed,
    ("SIMULATE_KEYPAD_CODE_ENTRY", "success"): event.SimulateKeypadCodeEntrySucceeded,
    ("SIMULATE_KEYPAD_CODE_ENTRY", "error"): event.SimulateKeypadCodeEntryFailed,
}


async def start_command(tx: Tx, core: Core, device: DeviceRow, action_type: str, *, sending: bool) -> AttemptRow:
    """A command, durable before the device is touched. `sending`: this process has the device's turn already."""
    deadline_ms = round(core.config.command_deadline * 1000)
    return await _start(tx, core, device, action_type, "sending" if sending else "queued", deadline_ms)


async def start_level(tx: Tx, core: Core, device: DeviceRow, action_type: str, access_code_id: str) -> AttemptRow:
    """An attempt that ends when the device holds what is wanted of an access code."""
    return await _start(tx, core, device, action_type, "level", LEVEL_PATIENCE_MS, access_code_id)


async def start_of_workspace(tx: Tx, core: Core, workspace: WorkspaceRow, action_type: str) -> AttemptRow:
    """An attempt about a whole workspace, which this process is carrying out already."""
    return await _start(tx, core, workspace, action_type, "sending", LEVEL_PATIENCE_MS)


async def _start(
    tx: Tx,
    core: Core,
    about: DeviceRow | WorkspaceRow,
    action_type: str,
    phase: str,
    patience_ms: int,
    access_code_id: str | None = None,
) -> AttemptRow:
    now = core.clock.now()
    device = about if isinstance(about, DeviceRow) else None
    row = AttemptRow(
        workspace_id=about.workspace_id,
        action_attempt_id=new_id(),
        action_type=action_type,
        device_id=device.device_id if device else None,
        connected_account_id=device.connected_account_id if device else None,
        access_code_id=access_code_id,
        status="pending",
        phase=phase,
        owner=core.process_id,
        deadline_at=now + patience_ms,
        result_json=None,
        error_json=None,
        created_at=now,
    )
    await action_attempts.add(tx, row)
    return row


async def finish(
    tx: Tx,
    core: Core,
    row: AttemptRow,
    *,
    result: dict[str, Any] | None = None,
    error: dict[str, str] | None = None,
) -> bool:
    """Write the outcome and say so; false when the attempt had ended already."""
    status = "error" if error else "success"
    written = await action_attempts.finish(
        tx,
        row,
        status=status,
        result_json=None if error else msgspec.json.encode(result or {}).decode(),
        error_json=msgspec.json.encode(error).decode() if error else None,
    )
    if not written:
        return False
    cls = _ENDED.get((row.action_type, status))
    device = await devices.get(tx, row.workspace_id, row.device_id) if cls and row.device_id else None
    if cls and device:
        await emit(
            tx,
            core,
            row.workspace_id,
            cls(
                action_attempt_id=row.action_attempt_id,
                action_type=row.action_type,
                status=status,
                **about_device(device),
            ),
        )
    tx.after_commit(lambda: core.wake.ended(row.action_attempt_id))
    return True


async def finish_level(
    tx: Tx, core: Core, workspace_id: str, access_code_id: str, *, error: dict[str, str] | None = None
) -> None:
    """The device holds what was wanted of a code (or never will): end what waited for it."""
    for row in await action_attempts.open_of_code(tx, workspace_id, access_code_id):
        await finish(tx, core, row, error=error)


async def get(read: Reader, workspace_id: str, action_attempt_id: str) -> AttemptRow:
    """Raises ActionAttemptNotFound."""
    row = await action_attempts.get(read, workspace_id, action_attempt_id)
    if row is None:
        raise ActionAttemptNotFound(data={"action_attempt_id": action_attempt_id})
    return row


def wire(row: AttemptRow, result: Any = None) -> ActionAttempt:
    """An attempt as Seam shows it. `result` stands in for the stored one (which never holds a PIN)."""
    shown = None
    if row.status == "success":
        shown = result if result is not None else msgspec.Raw((row.result_json or "{}").encode())
    return ActionAttempt(
        action_attempt_id=row.action_attempt_id,
        action_type=row.action_type,
        status=row.status,
        result=shown,
        error=msgspec.Raw(row.error_json.encode()) if row.error_json else None,
    )
