"""Access codes: the rules of what may be wanted, and how a code is shown.

Creating, changing and deleting only write what is wanted, with a due row for the device; `work/reconcile` makes it
true and writes what is held. So a device that is off, slow or wrong never stands between a caller and an answer.
"""

import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from doorward.core import actions, breaker, devices, plan, problems
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.core.plan import Code, Content
from doorward.errors import (
    AccessCodeBeingRemoved,
    AccessCodeNotFound,
    DeviceIsOffline,
    DeviceTypeNotSupported,
    DuplicateAccessCode,
    InvalidInput,
    NotImplementedYet,
    Unavailable,
)
from doorward.ids import new_id
from doorward.providers.base import DeviceReport
from doorward.store import access_codes as store
from doorward.store import devices as device_store
from doorward.store import due
from doorward.store.access_codes import CodeRow, SeenCode
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.access_code import AccessCode
from doorward.wire.events import access_code as event
from doorward.wire.time import iso, iso_or_none, parse, to_minute

PIN = "an access code's PIN"
HELD = "what a device holds"
EXTERNAL = "what others made of a code"
CONFLICT = "conflicting_external_modification"
IN_EFFECT = "external_modification_in_effect"
IN_DOUBT = -1
"""In place of the held revision: an answer to a write of ours was lost, so the device may hold more than we know."""
INTERFERENCE = "third_party_integration_detected"
BOTH_DATES = "Both starts_at and ends_at must be provided if one is"


@dataclass(frozen=True)
class Wish:
    """What a caller asks of a new code; None: not said."""

    device_id: str
    code: str | None = None
    name: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    preferred_code_length: float | None = None
    is_external_modification_allowed: bool = False
    common_code_key: str | None = None
    attempt_for_offline_device: bool = True
    use_backup_access_code_pool: bool = False
    is_offline_access_code: bool = False
    is_one_time_use: bool = False


@dataclass(frozen=True)
class Change:
    """What a caller asks of an existing code; None: as it is."""

    access_code_id: str
    device_id: str | None = None
    code: str | None = None
    name: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    type: str | None = None
    is_managed: bool | None = None
    is_external_modification_allowed: bool | None = None
    attempt_for_offline_device: bool = True


# ---------------------------------------------------------------- rules


def times(starts_at: str | None, ends_at: str | None, now: int) -> tuple[int | None, int | None]:
    """Both or neither, in whole minutes, ending later than they start and than now."""
    if (starts_at is None) != (ends_at is None):
        raise InvalidInput(BOTH_DATES)
    if starts_at is None or ends_at is None:
        return None, None
    start, end = _minute("starts_at", starts_at), _minute("ends_at", ends_at)
    if end <= start:
        raise InvalidInput.of("ends_at", "Must be later than starts_at")
    if end <= now:
        raise InvalidInput.of("ends_at", "Must be in the future")
    return start, end


def _minute(name: str, text: str) -> int:
    at = to_minute(parse(text))
    try:
        iso(at)
    except OverflowError:  # an offset or the rounding led out of the calendar
        raise InvalidInput.of(name, "Invalid date") from None
    return at


def check_pin(pin: str, report: DeviceReport) -> None:
    """Digits, of a length the device takes."""
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
        raise InvalidInput.of("code", "Must be 4 to 12 digits")
    if len(pin) not in report.code_lengths:
        lengths = ", ".join(str(n) for n in report.code_lengths)
        raise InvalidInput.of("code", f"This device takes codes of {lengths} digits")


def is_guessable(pin: str) -> bool:
    """What a stranger tries first: one digit, a run, a repeated pair."""
    gaps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    return len(gaps) == 1 or len(set(pin)) < 3


async def random_pin(
    read: Reader, core: Core, device: DeviceRow, report: DeviceReport, length: float | None
) -> tuple[str, str]:
    """A PIN that nobody has on this device, and its hash. `length` if the device takes it, else its shortest."""
    digits = int(length) if length is not None and length in report.code_lengths else min(report.code_lengths)
    for _ in range(500):
        pin = f"{secrets.randbelow(10**digits):0{digits}d}"
        digest = pin_hash(core, device, pin)
        if not is_guessable(pin) and not await store.has_hash(read, device.workspace_id, device.device_id, digest):
            return pin, digest
    raise Unavailable("No free PIN was found on this device. Ask for a longer one with preferred_code_length.")


def pin_hash(core: Core, device: DeviceRow, pin: str) -> str:
    return core.vault.digest("pin", device.workspace_id, device.device_id, pin)


def takes_codes(device: DeviceRow) -> DeviceReport:
    """The device's report. Raises DeviceTypeNotSupported when it has no keypad directory."""
    report = devices.report_of(device)
    if not report.code_lengths:
        text = "This device takes no access codes."
        if device.secret_sealed is None:
            text = "What this device can do is known once it is logged in to. Open a connect webview for its account."
        raise DeviceTypeNotSupported(text, data={"device_id": device.device_id})
    return report


async def _refuse_duplicate(
    tx: Tx, device: DeviceRow, digest: str, starts_at: int | None, ends_at: int | None, but: str = ""
) -> None:
    """Two codes with one PIN may follow each other on a device, not overlap."""
    for other in await store.find_by_hash(tx, device.workspace_id, device.device_id, digest):
        if other.access_code_id == but or (other.is_managed and not other.is_wanted):
            continue
        apart = (ends_at is not None and other.starts_at is not None and ends_at <= other.starts_at) or (
            starts_at is not None and other.ends_at is not None and other.ends_at <= starts_at
        )
        if not apart:
            period = f"{iso(other.starts_at or 0)} to {iso(other.ends_at)}" if other.ends_at else "ongoing"
            raise DuplicateAccessCode(
                f'The code "{other.name or other.access_code_id}" ({period}) has the same PIN on this device.',
                data={"device_id": device.device_id, "access_code_id": other.access_code_id},
            )


async def wake_device(tx: Tx, core: Core, workspace_id: str, device_id: str, at: int | None = None) -> None:
    """Have the device looked at: now, or at that time."""
    now = core.clock.now()
    await due.put(tx, workspace_id, devices.RECONCILE, device_id, now if at is None else at)
    tx.after_commit(lambda: core.wake.ring(devices.RECONCILE))


# ---------------------------------------------------------------- create, change, delete


async def create(tx: Tx, core: Core, workspace: WorkspaceRow, wish: Wish) -> tuple[CodeRow, AttemptRow]:
    """Want a new code on a device."""
    workspace_id, now = workspace.workspace_id, core.clock.now()
    await tx.lock("device", workspace_id, wish.device_id)
    device = await devices.get(tx, workspace_id, wish.device_id)
    report = takes_codes(device)
    if wish.is_offline_access_code or wish.is_one_time_use:
        raise DeviceTypeNotSupported("This device has no offline or one-time access codes.")
    starts_at, ends_at = times(wish.starts_at, wish.ends_at, now)
    if wish.use_backup_access_code_pool:
        if ends_at is None:
            raise InvalidInput("Cannot use the backup pool for ongoing codes")
        raise NotImplementedYet("Doorward has no backup access code pool yet.")
    if not (device.online or wish.attempt_for_offline_device):
        raise DeviceIsOffline(data={"device_id": device.device_id})
    if wish.code is not None:
        check_pin(wish.code, report)
        pin, digest = wish.code, pin_hash(core, device, wish.code)
        await _refuse_duplicate(tx, device, digest, starts_at, ends_at)
    else:
        pin, digest = await random_pin(tx, core, device, report, wish.preferred_code_length)
    core.limits.check("access_code_create", device.device_id, is_sandbox=bool(workspace.is_sandbox))
    access_code_id = new_id()
    row = CodeRow(
        workspace_id=workspace_id,
        access_code_id=access_code_id,
        device_id=device.device_id,
        ref=access_code_id,
        name=wish.name,
        code_sealed=core.vault.seal(pin, PIN),
        code_hash=digest,
        starts_at=starts_at,
        ends_at=ends_at,
        is_managed=1,
        is_backup=0,
        is_offline=0,
        is_one_time_use=0,
        is_external_modification_allowed=int(wish.is_external_modification_allowed),
        common_code_key=wish.common_code_key,
        pulled_backup_access_code_id=None,
        is_wanted=1,
        revision=1,
        requested_at=now,
        held_revision=None,
        held_sealed=None,
        status="unset" if starts_at is not None and starts_at > now else "setting",
        errors_json="[]",
        warnings_json="[]",
        failures=0,
        retry_at=0,
        created_at=now,
    )
    await store.add(tx, row)
    await emit(tx, core, workspace_id, event.AccessCodeCreated(access_code_id=access_code_id, **about_device(device)))
    attempt = await actions.start_level(tx, core, device, "CREATE_ACCESS_CODE", access_code_id)
    await wake_device(tx, core, workspace_id, device.device_id)
    return row, attempt


async def get(read: Reader, workspace_id: str, access_code_id: str, device_id: str | None = None) -> CodeRow:
    """A managed code. Raises AccessCodeNotFound."""
    row = await store.get(read, workspace_id, access_code_id)
    if row is None or not row.is_managed or (device_id is not None and row.device_id != device_id):
        data = {"access_code_id": access_code_id, **({"device_id": device_id} if device_id else {})}
        raise AccessCodeNotFound(data=data)
    return row


async def change(tx: Tx, core: Core, workspace: WorkspaceRow, wish: Change) -> tuple[CodeRow, AttemptRow]:
    """Want a code to be otherwise."""
    workspace_id, now = workspace.workspace_id, core.clock.now()
    row = await get(tx, workspace_id, wish.access_code_id, wish.device_id)
    await tx.lock("device", workspace_id, row.device_id)
    row = await get(tx, workspace_id, wish.access_code_id, wish.device_id)
    if not row.is_wanted:
        raise AccessCodeBeingRemoved(data={"access_code_id": row.access_code_id})
    device = await devices.get(tx, workspace_id, row.device_id)
    if not (device.online or wish.attempt_for_offline_device):
        raise DeviceIsOffline(data={"device_id": device.device_id})
    starts_at, ends_at = _changed_times(row, wish, now)
    values: dict[str, Any] = {"starts_at": starts_at, "ends_at": ends_at}
    if wish.name is not None:
        values["name"] = wish.name
    digest = row.code_hash or ""
    if wish.code is not None:
        check_pin(wish.code, takes_codes(device))
        digest = pin_hash(core, device, wish.code)
        if digest != row.code_hash:
            values |= {"code_sealed": core.vault.seal(wish.code, PIN), "code_hash": digest}
    await _refuse_duplicate(tx, device, digest, starts_at, ends_at, but=row.access_code_id)
    core.limits.check("access_code_update", device.device_id, is_sandbox=bool(workspace.is_sandbox))
    attempt = await actions.start_level(tx, core, device, "UPDATE_ACCESS_CODE", row.access_code_id)
    values = {name: value for name, value in values.items() if getattr(row, name) != value}
    if wish.is_external_modification_allowed is not None:
        row = await store.change(tx, row, is_external_modification_allowed=int(wish.is_external_modification_allowed))
    if wish.is_managed is False:
        if values:
            raise InvalidInput("Change a code first, and stop managing it then")
        row = await store.change(tx, row, is_managed=0)
        await actions.finish_level(tx, core, workspace_id, row.access_code_id)
        return row, await actions.get(tx, workspace_id, attempt.action_attempt_id)
    if not values:
        if row.held_revision == row.revision:
            await actions.finish_level(tx, core, workspace_id, row.access_code_id)
        return row, await actions.get(tx, workspace_id, attempt.action_attempt_id)
    future = starts_at is not None and starts_at > now
    row = await store.change(
        tx,
        row,
        **values,
        revision=row.revision + 1,
        requested_at=now,
        failures=0,
        retry_at=0,
        breaker_json=breaker.CLOSED,
        errors_json="[]",
        status="unset" if future else ("setting" if row.status != "set" else "set"),
    )
    await emit(
        tx,
        core,
        workspace_id,
        event.AccessCodeMutationsRequested(
            access_code_id=row.access_code_id,
            requested_mutations=mutations(core, row),
            **about_device(device),
        ),
    )
    await wake_device(tx, core, workspace_id, device.device_id)
    return row, attempt


def _changed_times(row: CodeRow, wish: Change, now: int) -> tuple[int | None, int | None]:
    if wish.type == "ongoing":
        if wish.starts_at is not None or wish.ends_at is not None:
            raise InvalidInput("An ongoing code has no starts_at and ends_at")
        return None, None
    if wish.starts_at is None and wish.ends_at is None:
        if wish.type == "time_bound" and row.ends_at is None:
            raise InvalidInput("A time_bound code needs starts_at and ends_at")
        return row.starts_at, row.ends_at
    return times(wish.starts_at or iso_or_none(row.starts_at), wish.ends_at or iso_or_none(row.ends_at), now)


async def delete(
    tx: Tx, core: Core, workspace: WorkspaceRow, access_code_id: str, device_id: str | None = None
) -> AttemptRow:
    """Want a code to be gone. Its row stays until the device has let go of it."""
    workspace_id = workspace.workspace_id
    row = await get(tx, workspace_id, access_code_id, device_id)
    await tx.lock("device", workspace_id, row.device_id)
    row = await get(tx, workspace_id, access_code_id, device_id)
    device = await device_store.get(tx, workspace_id, row.device_id)
    assert device is not None
    core.limits.check("access_code_delete", device.device_id, is_sandbox=bool(workspace.is_sandbox))
    attempt = await actions.start_level(tx, core, device, "DELETE_ACCESS_CODE", access_code_id)
    if row.is_wanted:
        await store.change(
            tx,
            row,
            is_wanted=0,
            status="removing",
            revision=row.revision + 1,
            requested_at=core.clock.now(),
            failures=0,
            retry_at=0,
            breaker_json=breaker.CLOSED,
            errors_json="[]",
        )
        await wake_device(tx, core, workspace_id, device.device_id)
    return attempt


async def generate(read: Reader, core: Core, workspace_id: str, device_id: str) -> str:
    """A PIN that is free on the device now. It is not reserved."""
    device = await devices.get(read, workspace_id, device_id)
    pin, _ = await random_pin(read, core, device, takes_codes(device), None)
    return pin


# ---------------------------------------------------------------- shown


def pin_of(core: Core, row: CodeRow) -> str | None:
    return core.vault.open(row.code_sealed, PIN) if row.code_sealed else None


def seal_held(core: Core, content: Content) -> str:
    return core.vault.seal_json([content.name, content.pin, content.starts_at, content.ends_at], HELD)


def held_of(core: Core, row: CodeRow) -> Content | None:
    """What the device is known to hold of it."""
    return Content(*core.vault.open_json(row.held_sealed, HELD)) if row.held_sealed else None


def seal_external(core: Core, before: Content, after: Content) -> str:
    contents = [[c.name, c.pin, c.starts_at, c.ends_at] for c in (before, after)]
    return core.vault.seal_json(contents, EXTERNAL)


def external_of(core: Core, row: CodeRow) -> tuple[Content, Content] | None:
    """What somebody else made of it at the device: before and after."""
    if row.external_sealed is None:
        return None
    before, after = core.vault.open_json(row.external_sealed, EXTERNAL)
    return Content(*before), Content(*after)


def planned(core: Core, row: CodeRow) -> Code:
    """A row as the plan sees it."""
    wanted = None
    if row.is_wanted:
        wanted = Content(row.name, pin_of(core, row) or "", row.starts_at, row.ends_at)
    return Code(
        code_id=row.access_code_id,
        ref=row.ref,
        wanted=wanted,
        held=held_of(core, row),
        is_current=row.held_revision == row.revision,
        retry_at=row.retry_at,
        seen=external[1] if (external := external_of(core, row)) else None,
    )


def mutations(core: Core, row: CodeRow) -> list[dict[str, Any]]:
    """Seam's pending mutations: what is wanted and not held."""

    def one(code: str, message: str, **members: Any) -> dict[str, Any]:
        return {"mutation_code": code, "message": message, "created_at": iso(row.requested_at), **members}

    if not row.is_wanted:
        return [one("deleting", "The code is being removed from the device.")]
    if row.held_revision == row.revision:
        return []
    held = held_of(core, row)
    if held is None:
        return [one("creating", "The code is being set on the device.")]
    found = []
    if held.name != row.name:
        found.append(
            one(
                "updating_name", "The name is being changed.", **{"from": {"name": held.name}, "to": {"name": row.name}}
            )
        )
    pin = pin_of(core, row)
    if held.pin != pin:
        found.append(
            one("updating_code", "The PIN is being changed.", **{"from": {"code": held.pin}, "to": {"code": pin}})
        )
    if (held.starts_at, held.ends_at) != (row.starts_at, row.ends_at):
        frame = {
            "from": {"starts_at": iso_or_none(held.starts_at), "ends_at": iso_or_none(held.ends_at)},
            "to": {"starts_at": iso_or_none(row.starts_at), "ends_at": iso_or_none(row.ends_at)},
        }
        found.append(one("updating_time_frame", "The times are being changed.", **frame))
    return found


def wire(core: Core, seen: SeenCode) -> AccessCode:
    """A code as Seam shows it."""
    row = seen.row
    bound = row.ends_at is not None
    errors = problems.wire(row.errors_json, "error", is_access_code_error=True)
    errors += problems.wire(seen.device_errors_json, "error", is_device_error=True)
    account = {"is_connected_account_error": True, "is_device_error": False}
    errors += problems.wire(seen.account_errors_json, "error", **account)
    scheduled = row.held_sealed is not None and row.status == "unset"
    return AccessCode(
        access_code_id=row.access_code_id,
        workspace_id=row.workspace_id,
        device_id=row.device_id,
        name=row.name,
        appearance={"name": row.name, "first_name": None, "last_name": None} if row.held_sealed else None,
        code=pin_of(core, row),
        type="time_bound" if bound else "ongoing",
        status=row.status,
        starts_at=iso_or_none(row.starts_at) if bound else UNSET,
        ends_at=iso_or_none(row.ends_at) if bound else UNSET,
        created_at=iso(row.created_at),
        common_code_key=row.common_code_key,
        is_backup=True if row.is_backup else UNSET,
        is_backup_access_code_available=False,
        is_external_modification_allowed=bool(row.is_external_modification_allowed),
        is_offline_access_code=bool(row.is_offline),
        is_one_time_use=bool(row.is_one_time_use),
        is_scheduled_on_device=scheduled if bound else UNSET,
        pulled_backup_access_code_id=row.pulled_backup_access_code_id,
        pending_mutations=mutations(core, row),
        errors=_with_fields(core, row, errors),
        warnings=_with_fields(core, row, problems.wire(row.warnings_json, "warning")),
    )


def _with_fields(core: Core, row: CodeRow, issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The issues, those about changes at the device with what was changed: it may be the PIN, so it is sealed apart."""
    external = external_of(core, row)
    if external is not None:
        before, after = (
            {"name": c.name, "code": c.pin, "starts_at": iso_or_none(c.starts_at), "ends_at": iso_or_none(c.ends_at)}
            for c in external
        )
        for issue in issues:
            if CONFLICT in issue.values() or IN_EFFECT in issue.values():
                issue["modified_fields"] = [
                    {"field": name, "from": before[name], "to": after[name]}
                    for name in before
                    if before[name] != after[name]
                    and not (name == "name" and plan.same_name(before["name"], after["name"] or ""))
                ]
    return issues


def issues_of(row: CodeRow, device: DeviceRow) -> dict[str, Any]:
    """What is wrong, as a code's events carry it."""
    return {
        "access_code_errors": problems.wire(row.errors_json, "error", is_access_code_error=True),
        "access_code_warnings": problems.wire(row.warnings_json, "warning"),
        **devices.issues_of(device),
    }
