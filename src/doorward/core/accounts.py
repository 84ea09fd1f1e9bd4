"""Connected accounts: connecting, changing, letting go, and how they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET

from doorward.core import devices, grant_progress, joining, pins, problems, spaces
from doorward.core.context import Core
from doorward.core.events import about_account, about_device, emit, emit_all
from doorward.errors import ConnectedAccountNotFound, InvalidInput
from doorward.ids import new_id
from doorward.providers.base import AccountLogin, OfferedDevice, Provider
from doorward.providers.errors import (
    AccountDisconnected,
    NotAuthorized,
    Offline,
    Refused,
)
from doorward.providers.reports import DeviceReport
from doorward.store import access_codes, action_attempts, client_sessions, due, user_identities
from doorward.store import connected_accounts as store
from doorward.store import devices as device_store
from doorward.store.connected_accounts import AccountRow
from doorward.store.db import Reader, Tx
from doorward.store.devices import DeviceRow
from doorward.wire.connected_account import ConnectedAccount
from doorward.wire.events import access_code as code_event
from doorward.wire.events import account as event
from doorward.wire.events import device as device_event
from doorward.wire.time import iso

SECRET = "an account's login"  # noqa: S105 - what a sealed login is bound to
LINKS = "links"
"""Bell: accounts or their logins changed, so open links are stale and watchers must be looked over."""
DISCONNECTED: Final = "account_disconnected"
NOT_LOGGED_IN = "This device still needs its own login. Connect its account again, and log in to the device."


@dataclass(frozen=True)
class ChosenDevice:
    """A device that its owner chose in the webview."""

    offered: OfferedDevice
    secret: Mapping[str, Any] | None
    """Its own login; None: it was skipped, or did not work."""
    report: DeviceReport | None
    """What it said when it was asked; None: it was not."""


def identity_key(identity: Mapping[str, str]) -> str:
    """Names a login for good, whatever the spelling."""
    return ",".join(f"{k}={v.strip().lower()}" for k, v in sorted(identity.items()))


async def get(read: Reader, workspace_id: str, connected_account_id: str) -> AccountRow:
    """Raises ConnectedAccountNotFound."""
    row = await store.get(read, workspace_id, connected_account_id)
    if row is None:
        raise ConnectedAccountNotFound(data={"connected_account_id": connected_account_id})
    return row


# ---------------------------------------------------------------- connecting


@dataclass(frozen=True)
class Terms:
    """What the webview says about accounts it connects."""

    automatically_manage_new_devices: bool
    is_management_said: bool
    """That was asked for; else an account that is there keeps its own."""
    accepted_capabilities_json: str
    custom_metadata_json: str
    customer_key: str | None


async def connect(
    tx: Tx,
    core: Core,
    workspace_id: str,
    provider: Provider,
    login: AccountLogin,
    offered: Sequence[OfferedDevice],
    terms: Terms,
    connect_webview_id: str,
) -> tuple[AccountRow, bool]:
    """The account of a login that worked, made or renewed; and whether it is new. `offered`: what was logged in to.

    Raises Refused where it is somebody else's.
    """
    identity = login.identity or {"username": offered[0].ref}
    key = identity_key(identity)
    await tx.lock("account", workspace_id, provider.key, *(() if login.is_direct else (key,)))
    if login.is_direct:
        owner = await joining.owner_of(tx, workspace_id, connect_webview_id, terms.customer_key)
        row = await joining.by_devices(tx, workspace_id, provider, offered, owner)
        if row is None:
            row, key = await joining.by_name(tx, workspace_id, provider, key, owner)
    else:
        row = await store.find(tx, workspace_id, provider.key, key)
    secret = core.vault.seal_json(login.secret, SECRET)
    is_new = row is None
    if row is None:
        row = AccountRow(
            workspace_id=workspace_id,
            connected_account_id=new_id(),
            provider=provider.key,
            identity_key=key,
            user_identifier_json=msgspec.json.encode(identity).decode(),
            display_name=login.display_name or offered[0].name,
            secret_sealed=secret,
            automatically_manage_new_devices=int(terms.automatically_manage_new_devices),
            accepted_capabilities_json=terms.accepted_capabilities_json,
            custom_metadata_json=terms.custom_metadata_json,
            customer_key=terms.customer_key,
            errors_json="[]",
            warnings_json="[]",
            created_at=core.clock.now(),
        )
        await store.add(tx, row)
    else:
        if terms.customer_key is not None:
            try:
                row = await joining.give_to(tx, row, terms.customer_key)
            except InvalidInput:
                raise Refused(joining.CUSTOMER) from None
        said: dict[str, Any] = {}
        if terms.custom_metadata_json != "{}":
            said["custom_metadata_json"] = terms.custom_metadata_json
        if terms.is_management_said:
            said["automatically_manage_new_devices"] = int(terms.automatically_manage_new_devices)
        row = await store.change(tx, row, secret_sealed=secret, errors_json="[]", **said)
    about = about_account(row)
    succeeded = event.ConnectWebviewLoginSucceeded(connect_webview_id=connect_webview_id, **about)
    await emit(tx, core, workspace_id, succeeded)
    if is_new:
        created = event.ConnectedAccountCreated(connect_webview_id=connect_webview_id, **about)
        await emit(tx, core, workspace_id, created)
    for cls in (event.ConnectedAccountConnected, event.ConnectedAccountSuccessfulLogin):
        await emit(tx, core, workspace_id, cls(connect_webview_id=connect_webview_id, **about))
    return row, is_new


async def add_devices(
    tx: Tx,
    core: Core,
    account: AccountRow,
    provider: Provider,
    chosen: list[ChosenDevice],
    *,
    is_new: bool,
    is_direct: bool = False,
) -> list[DeviceRow]:
    """Make or renew the chosen devices. The account's other devices stay as they are."""
    rows = [await _add_device(tx, core, account, provider, one, is_direct=is_direct) for one in chosen]
    cls = (
        event.ConnectedAccountCompletedFirstSync
        if is_new
        else event.ConnectedAccountCompletedFirstSyncAfterReconnection
    )
    await emit(tx, core, account.workspace_id, cls(**about_account(account)))
    tx.after_commit(lambda: core.wake.ring(LINKS))
    tx.after_commit(lambda: core.wake.ring(devices.RECONCILE))
    return rows


async def _add_device(
    tx: Tx, core: Core, account: AccountRow, provider: Provider, chosen: ChosenDevice, *, is_direct: bool
) -> DeviceRow:
    now, workspace_id = core.clock.now(), account.workspace_id
    ref = chosen.offered.ref
    row = await device_store.find(tx, workspace_id, account.connected_account_id, ref)
    if row is None and is_direct:
        row = await device_store.find_anywhere(tx, workspace_id, provider.key, ref)
    if chosen.report is None:
        if row is not None and chosen.secret is None:
            return row  # skipped this time: the login it has stays
        report = DeviceReport(
            ref=chosen.offered.ref,
            device_type=provider.device_type,
            name=chosen.offered.name,
            manufacturer=provider.manufacturer,
            model="",
            serial_number=None,
            locked=None,
        )
        why = NotAuthorized(NOT_LOGGED_IN) if chosen.secret is None else Offline()
        errors = problems.with_issue("[]", problems.device_code(why) or "", why.message, now)
    else:
        report, errors = chosen.report, "[]"
    fields = devices.fields_of(report, row.warnings_json if row else "[]", now) | {
        "errors_json": errors,
        "online": int(chosen.report is not None),
        "secret_sealed": devices.sealed_login(core, row, chosen.secret) if chosen.secret is not None else None,
    }
    was_online = bool(row and row.online)
    if row is None:
        row = DeviceRow(
            workspace_id=workspace_id,
            device_id=new_id(),
            connected_account_id=account.connected_account_id,
            provider=provider.key,
            ref=report.ref,
            nickname=None,
            is_managed=account.automatically_manage_new_devices,
            is_lock=1,
            custom_metadata_json="{}",
            customer_key=account.customer_key,
            backup_pool_enabled=0,
            version=1,
            created_at=now,
            **fields,
        )
        await device_store.add(tx, row)
        await emit(tx, core, workspace_id, device_event.DeviceAdded(**about_device(row)))
    else:
        row = await device_store.change(tx, row, **fields)
    if row.online:
        if not was_online:
            cls = device_event.DeviceConnected if row.is_managed else device_event.DeviceUnmanagedConnected
            await emit(tx, core, workspace_id, cls(**about_device(row)))
        await due.put(tx, workspace_id, devices.RECONCILE, row.device_id, now)
    return row


# ---------------------------------------------------------------- its connection


def is_disconnected(row: AccountRow) -> bool:
    """Nothing is sent to its devices until somebody has logged in again."""
    return DISCONNECTED in row.errors_json


async def disconnect(tx: Tx, core: Core, workspace_id: str, connected_account_id: str) -> None:
    """Its login works no more, and its devices cannot be reached. Said once."""
    row = await get(tx, workspace_id, connected_account_id)
    if is_disconnected(row):
        return
    why = AccountDisconnected()
    errors = problems.with_issue(row.errors_json, DISCONNECTED, why.message, core.clock.now())
    row = await store.change(tx, row, errors_json=errors)
    shown = problems.wire(errors, "error", is_connected_account_error=True)
    lost = event.ConnectedAccountDisconnected(connected_account_errors=shown, **about_account(row))
    await emit(tx, core, workspace_id, lost)
    for device in await device_store.of_account(tx, workspace_id, connected_account_id):
        await tx.lock("device", workspace_id, device.device_id)
        current = await device_store.get(tx, workspace_id, device.device_id)
        if current is None or not current.online:
            continue
        device = await device_store.change(tx, current, online=0)
        cls = device_event.DeviceDisconnected if device.is_managed else device_event.DeviceUnmanagedDisconnected
        gone = cls(
            error_code=DISCONNECTED,
            **devices.issues_of(device),
            **about_device(device),
        )
        await emit(tx, core, workspace_id, gone)
    tx.after_commit(lambda: core.wake.ring(LINKS))


# ---------------------------------------------------------------- letting go


async def delete(tx: Tx, core: Core, workspace_id: str, connected_account_id: str) -> None:
    """Forget an account and everything below it here. Nothing is changed at the provider or on a device."""
    await tx.lock("connected_account", workspace_id, connected_account_id)
    account = await get(tx, workspace_id, connected_account_id)
    for device in await device_store.of_account(tx, workspace_id, connected_account_id):
        await delete_device(tx, core, device)
    await store.delete(tx, workspace_id, connected_account_id)
    await client_sessions.forget_account(tx, workspace_id, connected_account_id)
    await spaces.forget_member(tx, core, workspace_id, "accounts", connected_account_id)
    gone = event.ConnectedAccountDeleted(connected_account_type=account.provider, **about_account(account))
    await emit(tx, core, workspace_id, gone)
    tx.after_commit(lambda: core.wake.ring(LINKS))


async def delete_device(tx: Tx, core: Core, device: DeviceRow) -> None:
    """Forget a device with its codes."""
    about = about_device(device)
    await grant_progress.lock(tx, device.workspace_id)
    await tx.lock("device", device.workspace_id, device.device_id)
    granted = await access_codes.granted_on_device(tx, device.workspace_id, device.device_id)
    for code in await access_codes.managed_of_device(tx, device.workspace_id, device.device_id):
        pin = pins.pin_of(core, code)
        deleted = code_event.AccessCodeDeleted(access_code_id=code.access_code_id, code=pin, **about)
        await emit(tx, core, device.workspace_id, deleted)
    others = await access_codes.unmanaged_ids(tx, device.workspace_id, device.device_id)
    gone = [code_event.AccessCodeUnmanagedRemoved(access_code_id=one, **about) for one in others]
    await emit_all(tx, core, device.workspace_id, gone)
    await access_codes.delete_of_device(tx, device.workspace_id, device.device_id)
    await action_attempts.delete_of_device(tx, device.workspace_id, device.device_id)
    await due.drop(tx, device.workspace_id, devices.RECONCILE, device.device_id)
    await spaces.forget_member(tx, core, device.workspace_id, "devices", device.device_id)
    await grant_progress.device_gone(tx, core, device.workspace_id, device.device_id, granted)
    await user_identities.forget_device(tx, device.workspace_id, device.device_id)
    await device_store.delete(tx, device.workspace_id, device.device_id)
    name = device.nickname or device.name
    await emit(tx, core, device.workspace_id, device_event.DeviceDeleted(device_name=name, **about))


# ---------------------------------------------------------------- shown


def wire(core: Core, row: AccountRow) -> ConnectedAccount:
    """An account as Seam shows it."""
    provider = core.providers.get(row.provider)
    return ConnectedAccount(
        connected_account_id=row.connected_account_id,
        workspace_id=row.workspace_id,
        created_at=iso(row.created_at),
        account_type=row.provider,
        account_type_display_name=provider.display_name if provider else row.provider,
        display_name=row.display_name,
        user_identifier=msgspec.json.decode(row.user_identifier_json),
        automatically_manage_new_devices=bool(row.automatically_manage_new_devices),
        accepted_capabilities=msgspec.json.decode(row.accepted_capabilities_json),
        custom_metadata=msgspec.json.decode(row.custom_metadata_json),
        customer_key=row.customer_key if row.customer_key is not None else UNSET,
        errors=problems.wire(row.errors_json, "error", is_connected_account_error=True),
        warnings=problems.wire(row.warnings_json, "warning"),
    )
