"""Devices: how they are shown, and how what they say of themselves becomes state. For what happens: `happened`."""

import dataclasses
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET

from doorward.core import problems
from doorward.core.context import Core
from doorward.core.events import about_device, emit
from doorward.crypto import VaultError
from doorward.errors import DeviceIsUnmanaged, DeviceNotFound, DeviceTypeNotSupported, InvalidInput
from doorward.providers.base import HasTwins
from doorward.providers.errors import ProviderError
from doorward.providers.reports import DeviceReport, Issue
from doorward.store import connected_accounts, devices, due
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow, SeenDevice, Version
from doorward.wire import device as wire_types
from doorward.wire.events import device as event
from doorward.wire.time import iso

MANUFACTURERS = {"two_n": "2N"}
ACCOUNT_ERRORS = ("account_disconnected",)
LOGIN = "a device's login"
"""What a device's sealed login is bound to."""
LASTING = ("switch",)
"""Members of a device's login that outlive a new login: what its owner chose (`core/switches.py`)."""
RECONCILE = "codes"
"""The kind of due row that says: make this device hold what it should."""

LOOK_AGAIN_MS = 2_000
REMOVED = "device_removed"
UNREACHED = ("device_disconnected", "missing_device_credentials", REMOVED)
"""Errors that a device's answer puts an end to."""

_decode_report = msgspec.json.Decoder(DeviceReport).decode


def report_of(row: DeviceRow) -> DeviceReport:
    """What the device last said of itself, less what callers know that it does not take."""
    report = _decode_report(row.report_json)
    if row.constraints_json == "{}":
        return report
    lengths = msgspec.json.decode(row.constraints_json)["code_lengths"]
    return dataclasses.replace(report, code_lengths=tuple(n for n in report.code_lengths if n in lengths))


async def narrow(tx: Tx, core: Core, workspace_id: str, device_id: str, lengths: Collection[int]) -> None:
    """A caller knows that the device takes PINs of these lengths only; it replaces what was said of it before."""
    await tx.lock("device", workspace_id, device_id)
    row = await get(tx, workspace_id, device_id)
    own = _decode_report(row.report_json).code_lengths
    if not own:
        raise DeviceTypeNotSupported("This device takes no access codes.", data={"device_id": device_id})
    if not set(own) & set(lengths):
        known = ", ".join(str(n) for n in own)
        raise InvalidInput(f"This device takes codes of {known} digits, so no length would be left")
    constraints = {} if set(own) <= set(lengths) else {"code_lengths": sorted(lengths)}
    text = msgspec.json.encode(constraints).decode()
    if text != row.constraints_json:
        await devices.change(tx, row, constraints_json=text)
        await wake(tx, core, workspace_id, device_id)  # some may wait for it to take codes of their length


async def get(read: Reader, workspace_id: str, device_id: str) -> DeviceRow:
    """A managed device. Raises DeviceNotFound, DeviceIsUnmanaged."""
    row = await devices.get(read, workspace_id, device_id)
    if row is None:
        raise DeviceNotFound(data={"device_id": device_id})
    if not row.is_managed:
        raise DeviceIsUnmanaged(data={"device_id": device_id})
    return row


def sealed_login(core: Core, row: DeviceRow | None, login: Mapping[str, Any]) -> str:
    """A device's new login, to be stored, with what was chosen under the old one."""
    chosen: dict[str, Any] = {}
    if row is not None and row.secret_sealed is not None:
        with suppress(VaultError):  # sealed under a lost key: a new login is the way out
            old = core.vault.open_json(row.secret_sealed, LOGIN)
            chosen = {name: old[name] for name in LASTING if name in old}
    return core.vault.seal_json({**chosen, **login}, LOGIN)


async def wake(tx: Tx, core: Core, workspace_id: str, device_id: str, at: int | None = None) -> None:
    """Have the device looked at: now, or at that time."""
    await due.put(tx, workspace_id, RECONCILE, device_id, core.clock.now() if at is None else at)
    tx.after_commit(lambda: core.wake.ring(RECONCILE))


# ---------------------------------------------------------------- shown


def wire(core: Core, seen: SeenDevice, base_url: str) -> wire_types.UnmanagedDevice:
    """A device as Seam shows it, old and new shapes side by side."""
    row, report = seen.row, report_of(seen.row)
    provider = core.providers.get(row.provider)
    online = bool(row.online)
    name = row.nickname or row.name
    maker = MANUFACTURERS.get(row.manufacturer, row.manufacturer)
    takes_codes = bool(report.code_lengths)
    common: dict[str, Any] = {
        "device_id": row.device_id,
        "workspace_id": row.workspace_id,
        "connected_account_id": row.connected_account_id,
        "created_at": iso(row.created_at),
        "device_type": row.device_type,
        "display_name": name,
        "capabilities_supported": ["access_code", "lock"] if takes_codes else ["lock"],
        "can_remotely_unlock": online if row.is_lock else UNSET,
        "can_remotely_lock": online if row.is_lock else UNSET,
        "can_program_online_access_codes": True if takes_codes else UNSET,
        "can_unlock_with_code": True if takes_codes else UNSET,
        **(_simulations(row) if seen.is_sandbox and isinstance(provider, HasTwins) else {}),
        "custom_metadata": msgspec.Raw(row.custom_metadata_json.encode()),
        "location": wire_types.Location(time_zone=report.time_zone, timezone=report.time_zone)
        if report.time_zone
        else None,
        "errors": _errors(seen),
        "warnings": problems.wire(row.warnings_json, "warning"),
    }
    properties: dict[str, Any] = {
        "online": online,
        "name": name,
        "appearance": {"name": row.name},
        "manufacturer": row.manufacturer,
        "model": {
            "display_name": report.model.removeprefix(f"{maker} "),  # who shows it writes the maker before it
            "manufacturer_display_name": maker,
            "online_access_codes_supported": takes_codes,
            "offline_access_codes_supported": False,
            "accessory_keypad_supported": False,
        },
        "image_url": f"{base_url}/assets/images/devices/intercom.png",
        "image_alt_text": f"{maker} intercom",
    }
    if report.serial_number:
        properties["serial_number"] = report.serial_number
    if not row.is_managed:
        return wire_types.UnmanagedDevice(properties=properties, **common)
    properties["has_direct_power"] = True
    properties["has_native_entry_events"] = report.has_entry_events
    if takes_codes:
        properties["supported_code_lengths"] = list(report.code_lengths)
        properties["code_constraints"] = [dict(one) for one in report.code_constraints]
        properties["online_access_codes_enabled"] = True
        properties["offline_access_codes_enabled"] = False
        properties["supports_offline_access_codes"] = False
        properties["supports_accessory_keypad"] = False
        properties["supports_backup_access_code_pool"] = True
        properties["backup_access_code_pool_enabled"] = bool(row.backup_pool_enabled)
        if report.max_codes is not None:
            properties["max_active_codes_supported"] = report.max_codes
    if row.locked is not None and online:
        properties["locked"] = bool(row.locked)
    if row.door_open is not None and online:
        properties["door_open"] = bool(row.door_open)
    block = {k: v for k, v in report.metadata.items() if not k.startswith("_")}
    properties[f"{row.manufacturer}_metadata"] = {**block, "device_name": row.name}
    return wire_types.Device(
        space_ids=msgspec.json.decode(row.space_ids_json),
        properties=properties,
        nickname=row.nickname if row.nickname is not None else UNSET,
        device_manufacturer=wire_types.Manufacturer(manufacturer=row.manufacturer, display_name=maker),
        device_provider=wire_types.ProviderOfDevice(
            device_provider_name=row.provider,
            display_name=provider.display_name if provider else row.provider,
            provider_category=provider.categories[0] if provider else "stable",
        ),
        **common,
    )


class Shown:
    """Devices as JSON, made once for each of their states.

    A device is shown far more often than it changes. Its row carries a version that every change counts up, those of
    its account's errors among them, so what was made for a version stays right; what is old is never asked for again.
    """

    MOST = 20_000

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, str], bytes] = {}

    async def __call__(self, core: Core, workspace_id: str, versions: list[Version], base_url: str) -> list[bytes]:
        """The JSON of these devices, in their order. One that was deleted meanwhile is left out."""
        made = self._made
        keys = [(v.device_id, v.version, base_url) for v in versions]
        missing = [key[0] for key in keys if key not in made]
        current: dict[str, bytes] = {}
        if missing:
            if len(made) + len(missing) > self.MOST:
                made.clear()
            for seen in await devices.see_many(core.db.read, workspace_id, missing):
                row, text = seen.row, msgspec.json.encode(wire(core, seen, base_url))
                current[row.device_id] = made[row.device_id, row.version, base_url] = text
        found = ((current.get(key[0]) or made.get(key)) for key in keys)
        return [text for text in found if text is not None]


def _simulations(row: DeviceRow) -> dict[str, bool]:
    """Which of `/devices/simulate/*` would work now, of a virtual device."""
    can = bool(row.is_managed) and row.secret_sealed is not None
    is_away = any(code in row.errors_json for code in ("device_disconnected", REMOVED))
    return {
        "can_simulate_connection": can and is_away,
        "can_simulate_disconnection": can and bool(row.online),
        "can_simulate_removal": can and REMOVED not in row.errors_json,
    }


def _errors(seen: SeenDevice) -> list[dict[str, Any]]:
    errors = problems.wire(seen.row.errors_json, "error", is_device_error=True)
    if seen.account_errors_json != "[]":
        errors += problems.wire(
            seen.account_errors_json, "error", is_connected_account_error=True, is_device_error=False
        )
    return errors


# ---------------------------------------------------------------- what they report


def fields_of(report: DeviceReport, warnings_json: str, now: int) -> dict[str, Any]:
    """The columns that a report decides."""
    gone = set(_ISSUE_TEXTS) - {issue.value for issue in report.issues}
    warnings = problems.without(warnings_json, *gone)
    for issue in report.issues:
        warnings = problems.with_issue(warnings, issue.value, _sentence(issue, report), now)
    return {
        "device_type": report.device_type,
        "manufacturer": report.manufacturer,
        "name": report.name,
        "locked": None if report.locked is None else int(report.locked),
        "door_open": None if report.door_open is None else int(report.door_open),
        "report_json": msgspec.json.encode(report).decode(),
        "warnings_json": warnings,
        "online": 1,
    }


_ISSUE_TEXTS = {
    Issue.TWO_N_MISSING_TIME_ZONE: "The intercom has no time zone. Set one on it before using time-bound codes.",
    Issue.CLOCK_WRONG: (
        "The device's clock is {skew}. Codes with a start and an end open by the device's own clock, not by this "
        "server's. Have it set its clock by a time server (NTP)."
    ),
    Issue.TWO_N_DIRECTORY_UNAVAILABLE: (
        "The intercom does not let this server into its directory, so it takes no access codes. Enable the System "
        "service on it under Services / HTTP API, and tick the privilege System – Control for our account."
    ),
    Issue.TWO_N_FIRMWARE_OUTDATED: (
        "The intercom's firmware is old: before 2.35 it wants licences for most functions, and without the directory "
        "service it takes no access codes. Update it, best to 2.50 or newer."
    ),
    Issue.TWO_N_SWITCH_UNAVAILABLE: (
        "The switch that stands for the door is disabled on the intercom, or it has none of this number, so the door "
        "cannot be unlocked. Enable it there under Hardware / Switches, or choose another one as door_switch."
    ),
}


_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def _sentence(issue: Issue, report: DeviceReport) -> str:
    """What a reader is told of a device's standing condition."""
    return _ISSUE_TEXTS[issue].format(skew=_skew(report.clock_skew_s or 0))


def _skew(seconds: int) -> str:
    """A clock's error in words: `about 3 hours ahead`."""
    size = abs(seconds)
    # From two of a kind on: "about 1 hour" might be nearly two.
    unit, name = next(((u, n) for u, n in _UNITS if size >= 2 * u), (1, "second"))
    return f"about {round(size / unit)} {name}s {'ahead' if seconds > 0 else 'behind'}"


async def report(tx: Tx, core: Core, workspace_id: str, device_id: str, fresh: DeviceReport) -> None:
    """A device answered and says how it stands."""
    await tx.lock("device", workspace_id, device_id)
    row = await devices.get(tx, workspace_id, device_id)
    if row is not None:
        await take_report(tx, core, row, fresh, of_watch=False)


async def take_report(tx: Tx, core: Core, row: DeviceRow, fresh: DeviceReport, *, of_watch: bool) -> None:
    """A device, whose row is locked, says how it stands.

    Only a report `of_watch`, which comes after what the device's log told, says how the door stands: beside it, a
    movement would be told of twice, and once without its author.
    """
    workspace_id, device_id, now = row.workspace_id, row.device_id, core.clock.now()
    errors = problems.without(row.errors_json, *UNREACHED)
    values = {**fields_of(fresh, row.warnings_json, now), "errors_json": errors}
    if not of_watch:
        values |= {name: getattr(row, name) for name in ("locked", "door_open") if getattr(row, name) is not None}
    if all(getattr(row, name) == value for name, value in values.items()):
        return
    account = await connected_accounts.get(tx, workspace_id, row.connected_account_id)
    if account is None or any(code in account.errors_json for code in ACCOUNT_ERRORS):
        return  # it was under way when the account was disconnected: nothing of it can be reached now
    was_online, was_locked = row.online, row.locked
    if _decode_report(row.report_json).code_lengths != fresh.code_lengths:
        await wake(tx, core, workspace_id, device_id)  # some may wait for it to take codes
    row = await devices.change(tx, row, **values)
    if not was_online:
        cls = event.DeviceConnected if row.is_managed else event.DeviceUnmanagedConnected
        await emit(tx, core, workspace_id, cls(**about_device(row)))
        await wake(tx, core, workspace_id, device_id)
    if was_locked is not None and row.locked is not None and was_locked != row.locked:
        # It moved while nobody was watching; who did it is not known.
        await tell_moved(tx, core, row, locked=bool(row.locked), method="unknown", occurred_at=now)


async def trouble(tx: Tx, core: Core, workspace_id: str, device_id: str, error: ProviderError) -> None:
    """A device could not be reached, or refused our login. Said once."""
    await tx.lock("device", workspace_id, device_id)
    row = await devices.get(tx, workspace_id, device_id)
    code = problems.device_code(error)
    if row is None or code is None or REMOVED in row.errors_json:
        return
    now = core.clock.now()
    others = problems.without(row.errors_json, *UNREACHED)
    known = {issue.code: issue for issue in problems.read(row.errors_json)}
    errors = problems.with_issue(others, code, error.message, known[code].created_at if code in known else now)
    if errors == row.errors_json and not row.online:
        return
    was_online = row.online
    row = await devices.change(tx, row, online=0, errors_json=errors)
    if was_online:
        # Whoever noticed, somebody looks again soon: a passing trouble must not leave it offline.
        await wake(tx, core, workspace_id, device_id, now + LOOK_AGAIN_MS)
        cls = event.DeviceDisconnected if row.is_managed else event.DeviceUnmanagedDisconnected
        await emit(
            tx,
            core,
            workspace_id,
            cls(error_code="device_disconnected", **issues_of(row), **about_device(row)),
        )


async def removed(tx: Tx, core: Core, workspace_id: str, device_id: str) -> None:
    """A device is no longer in its account, until it answers again. Said once."""
    await tx.lock("device", workspace_id, device_id)
    row = await devices.get(tx, workspace_id, device_id)
    if row is None or REMOVED in row.errors_json:
        return
    others = problems.without(row.errors_json, *UNREACHED)
    errors = problems.with_issue(others, REMOVED, "The device was removed from its account.", core.clock.now())
    row = await devices.change(tx, row, online=0, errors_json=errors)
    await emit(tx, core, workspace_id, event.DeviceRemoved(**about_device(row)))


async def warn(tx: Tx, core: Core, device: DeviceRow, code: str, text: str) -> None:
    """Give a device a warning, or another sentence of it; an empty text takes it away."""
    await tx.lock("device", device.workspace_id, device.device_id)
    row = await devices.get(tx, device.workspace_id, device.device_id)
    if row is None:
        return
    warnings = problems.without(row.warnings_json, code)
    if text:
        warnings = problems.with_issue(row.warnings_json, code, text, core.clock.now())
    if warnings != row.warnings_json:
        await devices.change(tx, row, warnings_json=warnings)


def issues_of(row: DeviceRow) -> dict[str, Any]:
    """What is wrong with a device, as its events carry it."""
    return {
        "device_errors": problems.wire(row.errors_json, "error", is_device_error=True),
        "device_warnings": problems.wire(row.warnings_json, "warning"),
    }


async def tell_moved(
    tx: Tx, core: Core, row: DeviceRow, *, locked: bool, method: event.Method, occurred_at: int, **members: Any
) -> None:
    """Somebody locked or unlocked the door; `members` are those of its event."""
    cls = event.LockLocked if locked else event.LockUnlocked
    await emit(
        tx,
        core,
        row.workspace_id,
        cls(method=method, **members, **about_device(row)),
        occurred_at=occurred_at,
    )


async def moved_by_command(
    tx: Tx, core: Core, workspace_id: str, device_id: str, locked: bool | None, action_attempt_id: str
) -> DeviceRow | None:
    """A lock or unlock of ours was carried out."""
    await tx.lock("device", workspace_id, device_id)
    row = await devices.get(tx, workspace_id, device_id)
    if row is None or locked is None:
        return row
    row = await devices.change(tx, row, locked=int(locked))
    now = core.clock.now()
    await tell_moved(
        tx, core, row, locked=locked, method="remote", occurred_at=now, action_attempt_id=action_attempt_id
    )
    return row
