"""The one door by which events leave: `emit`, inside the transaction that makes them true."""

from collections.abc import Sequence
from typing import Any

import msgspec

from doorward.core import problems
from doorward.core.context import Core
from doorward.ids import new_id
from doorward.store import connected_accounts, deliveries
from doorward.store import events as store
from doorward.store.connected_accounts import AccountRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.wire.events.base import AboutDevice, DeviceTrouble, Event
from doorward.wire.time import iso

OUTBOX = "outbox"
"""The bell of whoever sorts events into deliveries."""
SEALED = "an event's PIN"


async def emit(
    tx: Tx,
    core: Core,
    workspace_id: str,
    event: Event,
    *,
    occurred_at: int | None = None,
    customer_key: str | None = None,
    user_identity_id: str | None = None,
) -> None:
    """Store an event. `occurred_at`: when it happened, if that was not now. The customer and the person whose it is,
    where it does not say so itself: their sessions see it, and lists find it by them."""
    if isinstance(event, AboutDevice):
        event = await _with_account(tx, workspace_id, event)
    row = _row(core, workspace_id, event, occurred_at)
    row = msgspec.structs.replace(
        row,
        customer_key=row.customer_key or customer_key,
        user_identity_id=row.user_identity_id or user_identity_id,
    )
    await _store(tx, core, workspace_id, [row])


async def emit_all(tx: Tx, core: Core, workspace_id: str, told: Sequence[AboutDevice]) -> None:
    """As `emit`, in one go: events of one device, however many."""
    if told:
        first = await _with_account(tx, workspace_id, told[0])
        metadata = first.connected_account_custom_metadata
        of_account = {"connected_account_custom_metadata": metadata}
        rows = [_row(core, workspace_id, msgspec.structs.replace(one, **of_account), None) for one in told]
        await _store(tx, core, workspace_id, rows)


async def _store(tx: Tx, core: Core, workspace_id: str, rows: Sequence[store.EventRow]) -> None:
    await store.add(tx, rows)
    if workspace_id in core.listened_to:
        await deliveries.put_out(tx, [deliveries.OutboxRow(workspace_id, row.event_id, row.event_type) for row in rows])
        tx.after_commit(lambda: core.wake.ring(OUTBOX))


def _row(core: Core, workspace_id: str, event: Event, occurred_at: int | None) -> store.EventRow:
    now = core.clock.now()
    event_id, cls = new_id(), type(event)
    body: dict[str, Any] = {
        "event_id": event_id,
        "event_type": cls.__event_type__,
        "event_description": (cls.__doc__ or "").partition("\n")[0],
        "workspace_id": workspace_id,
        "created_at": iso(now),
        "occurred_at": iso(now if occurred_at is None else occurred_at),
        **msgspec.to_builtins(event),
    }
    secret = {name: body.pop(name) for name in cls.__secret__ if name in body}
    return store.EventRow(
        workspace_id=workspace_id,
        event_id=event_id,
        event_type=cls.__event_type__,
        connected_account_id=body.get("connected_account_id"),
        device_id=body.get("device_id"),
        access_code_id=body.get("access_code_id"),
        connect_webview_id=body.get("connect_webview_id"),
        action_attempt_id=body.get("action_attempt_id"),
        customer_key=body.get("customer_key"),
        body_json=msgspec.json.encode(body).decode(),
        secret_sealed=core.vault.seal_json(secret, SEALED) if secret else None,
        created_at=now,
        actor=core.actor,
        space_id=body.get("space_id"),
        access_grant_id=body.get("access_grant_id") or next(iter(body.get("access_grant_ids", ())), None),
        access_method_id=body.get("access_method_id"),
        user_identity_id=body.get("user_identity_id"),
    )


async def _with_account(tx: Tx, workspace_id: str, event: AboutDevice) -> AboutDevice:
    """A device's event, with what its account has to say."""
    account = await connected_accounts.note(tx, workspace_id, event.connected_account_id)
    if account is None:
        return event
    members: dict[str, Any] = {}
    if account.custom_metadata_json != "{}":
        members["connected_account_custom_metadata"] = msgspec.json.decode(account.custom_metadata_json)
    if isinstance(event, DeviceTrouble):
        members["connected_account_errors"] = problems.wire(
            account.errors_json, "error", is_connected_account_error=True
        )
        members["connected_account_warnings"] = problems.wire(account.warnings_json, "warning")
    return msgspec.structs.replace(event, **members) if members else event


def wire(core: Core, body: store.Body) -> msgspec.Raw:
    """The event as it is served."""
    if body.secret_sealed is None:
        return msgspec.Raw(body.body_json.encode())
    secret = core.vault.open(body.secret_sealed, SEALED)
    return msgspec.Raw(f"{body.body_json[:-1]},{secret[1:]}".encode())


def about_account(account: AccountRow) -> dict[str, Any]:
    """Members that every event of an account carries."""
    members: dict[str, Any] = {"connected_account_id": account.connected_account_id}
    if account.custom_metadata_json != "{}":
        members["connected_account_custom_metadata"] = msgspec.json.decode(account.custom_metadata_json)
    if account.customer_key is not None:
        members["customer_key"] = account.customer_key
    return members


def about_device(device: DeviceRow) -> dict[str, Any]:
    """Members that every event of a device carries, less those of its account."""
    members: dict[str, Any] = {"device_id": device.device_id, "connected_account_id": device.connected_account_id}
    if device.custom_metadata_json != "{}":
        members["device_custom_metadata"] = msgspec.json.decode(device.custom_metadata_json)
    if device.customer_key is not None:
        members["customer_key"] = device.customer_key
    return members
