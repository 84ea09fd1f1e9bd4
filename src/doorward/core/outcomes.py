"""What became of a step at a device, written down: rows, events, attempts, and the code's log.

Each function is one transaction about one code, called after the device has answered. It is written by revision: what
was asked for meanwhile stands, and the next look does it. If the process dies before one of them, the device has what
the row does not know yet; the same step then finds it there already, and nothing is announced twice.
"""

import random
from typing import Any

from doorward.core import (
    actions,
    breaker,
    changed_codes,
    code_log,
    code_state,
    events,
    found_codes,
    grant_progress,
    pins,
    plan,
    problems,
)
from doorward.core.context import Core
from doorward.providers.errors import (
    DuplicateCode,
    NotOurs,
    OutcomeUnknown,
    ProviderError,
)
from doorward.store import access_codes as store
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.wire.events import access_code as event
from doorward.wire.time import iso, iso_or_none

SHORTEST_S = 0.5
BACKOFF_S = (2, 5, 15, 60, 300, 900)
"""The widest pauses after a failed step, or a look that failed; drawn at random (full jitter), so that what failed
together is not tried again together."""
LATE_MS = 300_000
"""What is not done so long after it should be is told to be late."""
LATE_SET, LATE_REMOVED = code_state.LATE, "delay_in_removing_from_device"
RARELY_S = 3_600
"""Where trying again cannot help, as the device says: its licence or its firmware may change all the same."""


async def _locked(tx: Tx, before: CodeRow) -> CodeRow | None:
    """The code as it is now, and stays until the transaction ends."""
    if before.access_method_id is not None:
        await grant_progress.lock(tx, before.workspace_id)
    await tx.lock("device", before.workspace_id, before.device_id)
    return await store.get(tx, before.workspace_id, before.access_code_id)


async def are_set(
    tx: Tx, core: Core, device: DeviceRow, done: list[tuple[CodeRow, plan.Content]], began_at: int
) -> None:
    """The device holds these revisions now."""
    if any(row.access_method_id is not None for row, _ in done):
        await grant_progress.lock(tx, device.workspace_id)  # before the device, which the first of them locks
    for row, content in done:
        await is_set(tx, core, device, row, content, began_at)


async def is_set(tx: Tx, core: Core, device: DeviceRow, before: CodeRow, content: plan.Content, began_at: int) -> None:
    """The device holds this revision now."""
    row = await _locked(tx, before)
    if row is None:
        return
    now = core.clock.now()
    current = row.revision == before.revision
    future = content.starts_at is not None and content.starts_at > now
    held = code_state.held_of(core, row)
    values: dict[str, Any] = {"held_sealed": code_state.seal_held(core, content), "held_revision": before.revision}
    if current:
        values |= {
            "status": "unset" if future else "set",
            "errors_json": "[]",
            "warnings_json": problems.without(
                row.warnings_json, LATE_SET, code_state.IN_EFFECT, code_state.INTERFERENCE
            ),
            "external_sealed": None,
            "failures": 0,
            "retry_at": 0,
        }
    elif row.status == "setting" and not future:
        values["status"] = "set"  # as is told below; what was asked for meanwhile changes it
    about = {"access_code_id": row.access_code_id, **events.about_device(device)}
    if row.takes_over:
        values |= {"takes_over": 0, "is_claimed": 0}
        await events.emit(tx, core, row.workspace_id, event.AccessCodeUnmanagedConvertedToManaged(**about))
    row = await store.change(tx, row, **values)
    await code_log.add(tx, core, row, "set", began_at)
    if held is None and row.is_wanted:
        cls = event.AccessCodeScheduledOnDevice if future else event.AccessCodeSetOnDevice
        await events.emit(tx, core, row.workspace_id, cls(code=content.pin, **about))
    elif held is not None:
        await _tell_changes(tx, core, row, held, content, about)
        was_closed = held.starts_at is not None and before.status != "set"
        if was_closed and not future:
            await events.emit(tx, core, row.workspace_id, event.AccessCodeSetOnDevice(code=content.pin, **about))
    if current:
        await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
        await grant_progress.code_changed(tx, core, row, held)


async def _tell_changes(
    tx: Tx, core: Core, row: CodeRow, old: plan.Content, new: plan.Content, about: dict[str, Any]
) -> None:
    told: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = []
    if old.name != new.name:
        told.append(("name", event.AccessCodeNameChanged, {"name": old.name}, {"name": new.name}))
    if old.pin != new.pin:
        told.append(("code", event.AccessCodeCodeChanged, {"code": old.pin}, {"code": new.pin}))
    if (old.starts_at, old.ends_at) != (new.starts_at, new.ends_at):
        before, after = ({"starts_at": iso_or_none(c.starts_at), "ends_at": iso_or_none(c.ends_at)} for c in (old, new))
        told.append(("time frame", event.AccessCodeTimeFrameChanged, before, after))
    if not told:
        return
    reason = "The device holds the change that was asked for."
    await events.emit(tx, core, row.workspace_id, event.AccessCodeChanged(change_reason=reason, **about))
    for what, cls, before, after in told:
        changed = cls(description=f"The access code's {what} was changed.", from_=before, to=after, **about)
        await events.emit(tx, core, row.workspace_id, changed)


async def begins(tx: Tx, core: Core, device: DeviceRow, before: CodeRow) -> None:
    """A scheduled code opens the door from now on."""
    row = await _locked(tx, before)
    if row is None or row.status == "set" or row.revision != before.revision:
        return
    row = await store.change(tx, row, status="set")
    about = events.about_device(device)
    pin = pins.pin_of(core, row) or ""
    begun = event.AccessCodeSetOnDevice(access_code_id=row.access_code_id, code=pin, **about)
    await events.emit(tx, core, row.workspace_id, begun)


async def is_withdrawn(tx: Tx, core: Core, device: DeviceRow, before: CodeRow, began_at: int) -> None:
    """The device has let go of it until it begins."""
    row = await _locked(tx, before)
    if row is None:
        return
    await code_log.add(tx, core, row, "withdraw", began_at)
    values: dict[str, Any] = {"held_sealed": None, "held_revision": None, "external_sealed": None}
    if row.is_wanted:
        future = row.starts_at is not None and row.starts_at > core.clock.now()
        values |= {"status": "unset" if future else "setting", "errors_json": "[]", "failures": 0, "retry_at": 0}
    row = await store.change(tx, row, **values)
    about = {"access_code_id": row.access_code_id, **events.about_device(device)}
    await events.emit(tx, core, row.workspace_id, event.AccessCodeRemovedFromDevice(**about))
    if row.is_wanted and row.revision == before.revision:
        await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)


async def is_removed(tx: Tx, core: Core, device: DeviceRow, before: CodeRow, began_at: int) -> None:
    """The device has let go of it: its life is over."""
    row = await _locked(tx, before)
    if row is None:
        return
    await code_log.add(tx, core, row, "remove", began_at)
    if row.is_wanted and row.revision != before.revision:
        # It was given more time while we removed it: the next look sets it again.
        await store.change(tx, row, held_sealed=None, held_revision=None, external_sealed=None, status="setting")
        return
    if not row.is_managed:
        await found_codes.forget_gone(tx, core, device, [row])
        return
    about = {"access_code_id": row.access_code_id, **events.about_device(device)}
    if row.held_sealed is not None and not row.is_claimed:
        await events.emit(tx, core, row.workspace_id, event.AccessCodeRemovedFromDevice(**about))
    await actions.finish_level(tx, core, row.workspace_id, row.access_code_id)
    await store.delete(tx, row.workspace_id, row.access_code_id)
    await changed_codes.release(tx, core, device)
    pin = pins.pin_of(core, row)
    await events.emit(tx, core, row.workspace_id, event.AccessCodeDeleted(code=pin, **about))
    await grant_progress.code_changed(tx, core, row)


async def failed(
    tx: Tx, core: Core, device: DeviceRow, before: CodeRow, error: ProviderError, step: str, began_at: int
) -> int | None:
    """A step failed for a reason of the code's own. Said once; tried again later where that can help."""
    row = await _locked(tx, before)
    if row is None:
        return None
    removing = step != "set"
    if isinstance(error, OutcomeUnknown) and not removing and row.held_sealed is not None:
        row = await store.change(tx, row, held_revision=code_state.IN_DOUBT)
    if row.revision != before.revision:
        return None
    if isinstance(error, NotOurs) and (row.is_managed and row.takes_over if row.is_wanted else not row.is_managed):
        await code_log.add(
            tx, core, row, step, began_at, error=error, code=problems.code_error(error, removing=removing)
        )
        await found_codes.give_up(tx, core, device, row, error)
        return None
    now = core.clock.now()
    code = problems.code_error(error, removing=removing)
    known = problems.read(row.errors_json)
    is_news = code not in {issue.code for issue in known}
    was_refused = code_state.is_refused(row)
    # The failure before is old; that somebody else changed the code stands until it is repaired.
    errors = problems.write([one for one in known if one.code in (code, code_state.CONFLICT)])
    failures = row.failures + 1
    widest = BACKOFF_S[min(row.failures, len(BACKOFF_S) - 1)]
    pause = round((SHORTEST_S + random.uniform(0.0, widest)) * 1000)  # noqa: S311 - spreads tries, hides nothing
    if not (problems.can_retry(error) or removing):
        pause = round((RARELY_S + random.uniform(0.0, RARELY_S / 6)) * 1000)  # noqa: S311
    retry_at = now + pause
    text, data, struck = error.message, {}, breaker.read(row.breaker_json)
    if not removing:
        # What should be gone is tried on and on: it may still open the door.
        struck = breaker.strike(struck, now)
        if struck.is_open(now):
            retry_at = max(retry_at, struck.open_until)
        if struck.is_open(now) and problems.can_retry(error):
            text += f" It failed again and again; the next try is at {iso(retry_at)}, or when it is changed."
    if isinstance(error, DuplicateCode) and error.ref is not None:
        other = await store.find_by_ref(tx, row.workspace_id, row.device_id, error.ref.lower())
        if other is not None:
            data[f"{'managed' if other.is_managed else 'unmanaged'}_access_code_id"] = other.access_code_id
    retry_at = changed_codes.not_past_end(row, retry_at, now)
    await code_log.add(tx, core, row, step, began_at, error=error, code=code, next_try_at=retry_at)
    row = await store.change(
        tx,
        row,
        errors_json=problems.with_issue(errors, code, text, now, **data),
        failures=failures,
        breaker_json=breaker.write(struck),
        retry_at=retry_at,
    )
    if is_news:
        cls = event.AccessCodeFailedToRemoveFromDevice if removing else event.AccessCodeFailedToSetOnDevice
        about = events.about_device(device) | code_state.issues_of(row, device)
        await events.emit(tx, core, row.workspace_id, cls(access_code_id=row.access_code_id, **about))
    if not removing and not was_refused:
        await grant_progress.code_refused(tx, core, row)
    await actions.finish_level(tx, core, row.workspace_id, row.access_code_id, error=problems.attempt_error(error))
    return retry_at


async def tell_late(tx: Tx, core: Core, device: DeviceRow) -> None:
    """Say of codes of a device that they should have been set or removed for some time now; once each."""
    now = core.clock.now()
    await grant_progress.lock(tx, device.workspace_id)
    await tx.lock("device", device.workspace_id, device.device_id)
    for row in await store.needing_work(tx, device.workspace_id, device.device_id, now):
        if not is_late(row, now):
            continue
        ends = row.ends_at is not None and row.ends_at <= now
        code, cls, text = (
            (LATE_SET, event.AccessCodeDelayInSettingOnDevice, "Setting this code takes longer than it should.")
            if row.is_wanted and not ends
            else (
                LATE_REMOVED,
                event.AccessCodeDelayInRemovingFromDevice,
                "Removing this code takes longer than it should.",
            )
        )
        warnings = problems.without(row.warnings_json, LATE_SET, LATE_REMOVED)
        row = await store.change(tx, row, warnings_json=problems.with_issue(warnings, code, text, now))
        about = events.about_device(device) | code_state.issues_of(row, device)
        await events.emit(tx, core, row.workspace_id, cls(access_code_id=row.access_code_id, **about))
        if code == LATE_SET:
            await grant_progress.code_is_late(tx, core, row)


def is_late(row: CodeRow, now: int) -> bool:
    """It should have been done for some time, and nobody was told."""
    if not row.is_managed or (row.held_sealed is None and row.held_revision == row.revision):
        return False  # (somebody removed it at the device, and may)
    if row.is_wanted and (row.ends_at is None or row.ends_at > now):
        if row.held_revision == row.revision:
            return False
        due_at, code = max(row.requested_at, row.starts_at or 0), LATE_SET
    else:
        due_at, code = (row.requested_at if not row.is_wanted else row.ends_at or 0), LATE_REMOVED
    return due_at + LATE_MS <= now and code not in {issue.code for issue in problems.read(row.warnings_json)}
