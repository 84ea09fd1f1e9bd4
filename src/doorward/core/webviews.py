"""Connect webviews: one login of an owner, step by step.

    consent → (brand) → account → choose devices → each chosen device's own login → done

What was typed right is kept in `flow_sealed`, encrypted, until the login ends; what was typed wrong is forgotten. The
page may be left and opened again at the step where it was. Devices are asked outside of any transaction; the account
and its devices are then written in one, so a crash half way leaves a webview that can be finished.
"""

import asyncio
import dataclasses
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from msgspec import UNSET

from doorward.core import accounts, devices, metadata
from doorward.core.accounts import ChosenDevice, Terms
from doorward.core.context import Core
from doorward.core.events import emit
from doorward.errors import ConnectWebviewNotFound, NotImplementedYet
from doorward.ids import base58, new_id
from doorward.providers.base import (
    AccountAccess,
    AccountLogin,
    DeviceLogin,
    Discovers,
    Known,
    OfferedDevice,
    Place,
    Provider,
)
from doorward.providers.errors import ProviderError, Refused
from doorward.providers.reports import DeviceReport
from doorward.store import client_sessions, workspaces
from doorward.store import connect_webviews as store
from doorward.store import devices as device_store
from doorward.store.client_sessions import SessionRow
from doorward.store.connect_webviews import WebviewRow
from doorward.store.db import Reader, Tx
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.connect_webview import ConnectWebview, Selection, Status
from doorward.wire.events import account as event
from doorward.wire.time import iso, iso_or_none

TOKEN = "a connect webview's token"  # noqa: S105 - what a sealed token is bound to
FLOW = "a connect webview's login"
AT_ONCE = 8
"""Devices that are asked at the same time."""


@dataclass(frozen=True)
class Order:
    """What a caller asks of a new webview."""

    accepted_providers: list[str] | None = None
    excluded_providers: list[str] = field(default_factory=list)
    provider_category: str | None = None
    accepted_capabilities: list[str] | None = None
    device_selection_mode: str | None = None
    automatically_manage_new_devices: bool | None = None
    """None: not said; new accounts do."""
    wait_for_device_creation: bool = False
    custom_redirect_url: str | None = None
    custom_redirect_failure_url: str | None = None
    custom_metadata: Mapping[str, Any] = field(default_factory=dict)
    customer_key: str | None = None


@dataclass(frozen=True)
class Flow:
    """Where a login stands."""

    provider: str | None = None
    consented: bool = False
    account: AccountLogin | None = None
    chosen: tuple[str, ...] = ()
    logins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Device ref → its own login, checked."""
    skipped: tuple[str, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Device ref → what its owner should know of it."""
    typed: Mapping[str, str] = field(default_factory=dict)
    """The account form as it was last sent, without what is secret: shown again when its owner goes back."""
    found: tuple[OfferedDevice, ...] | None = None
    """What was found on the network; None: nobody looked."""

    def offered(self, ref: str) -> OfferedDevice | None:
        """A device of the account."""
        devices = self.account.devices if self.account else ()
        return next((d for d in devices if d.ref == ref), None)

    @property
    def waiting(self) -> list[OfferedDevice]:
        """Chosen devices that have neither logged in nor been skipped."""
        found = (self.offered(ref) for ref in self.chosen if ref not in self.logins and ref not in self.skipped)
        return [device for device in found if device]


@dataclass(frozen=True)
class Visit:
    """An open page: whose it is and where it stands."""

    row: WebviewRow
    workspace: WorkspaceRow
    flow: Flow

    @property
    def place(self) -> Place:
        return Place(self.workspace.workspace_id, bool(self.workspace.is_sandbox))


# ---------------------------------------------------------------- for the API


async def create(
    tx: Tx, core: Core, workspace: WorkspaceRow, order: Order, session: SessionRow | None = None
) -> WebviewRow:
    """A new webview; the client session that asks for it sees it. Raises NotImplementedYet when no brand that it asks
    for can be connected."""
    wanted = order.accepted_providers
    category = order.provider_category
    served = [
        p.key
        for p in core.providers.values()
        if p.key not in order.excluded_providers
        and (wanted is None or p.key in wanted or (category is not None and category in p.categories))
        and (category is None or category in p.categories or (wanted is not None and p.key in wanted))
    ]
    if wanted is not None:
        wanted = [key for key in wanted if key not in order.excluded_providers]
    if not served:
        asked = ", ".join(wanted) if wanted else category or "this choice"
        can = ", ".join(core.providers)
        raise NotImplementedYet(f"Doorward cannot connect {asked} yet. It can connect: {can}.")
    row = WebviewRow(
        workspace_id=workspace.workspace_id,
        connect_webview_id=new_id(),
        token_sealed=core.vault.seal(base58(33), TOKEN),
        accepted_providers_json=msgspec.json.encode(wanted if wanted is not None else served).decode(),
        any_provider_allowed=0,
        accepted_capabilities_json=msgspec.json.encode(order.accepted_capabilities or []).decode(),
        device_selection_mode=order.device_selection_mode or "multiple",
        automatically_manage_new_devices=int(order.automatically_manage_new_devices is not False),
        is_management_said=int(order.automatically_manage_new_devices is not None),
        wait_for_device_creation=int(order.wait_for_device_creation),
        custom_redirect_url=order.custom_redirect_url,
        custom_redirect_failure_url=order.custom_redirect_failure_url,
        custom_metadata_json=metadata.kept(order.custom_metadata),
        customer_key=order.customer_key,
        status="pending",
        login_successful=0,
        selected_provider=None,
        connected_account_id=None,
        authorized_at=None,
        flow_sealed=None,
        created_at=core.clock.now(),
    )
    await store.add(tx, row)
    if session is not None:
        await client_sessions.grant(tx, session, [], [row.connect_webview_id])
    return row


async def get(read: Reader, workspace_id: str, connect_webview_id: str) -> WebviewRow:
    """Raises ConnectWebviewNotFound."""
    row = await store.get(read, workspace_id, connect_webview_id)
    if row is None:
        raise ConnectWebviewNotFound(data={"connect_webview_id": connect_webview_id})
    return row


async def delete(tx: Tx, core: Core, workspace_id: str, connect_webview_id: str) -> None:
    """The account it connected stays."""
    await tx.lock("webview", connect_webview_id)
    if not await store.delete(tx, workspace_id, connect_webview_id):
        raise ConnectWebviewNotFound(data={"connect_webview_id": connect_webview_id})
    await client_sessions.forget_webview(tx, workspace_id, connect_webview_id)


def wire(core: Core, row: WebviewRow, base_url: str) -> ConnectWebview:
    """A webview as Seam shows it."""
    providers = msgspec.json.decode(row.accepted_providers_json)
    token = core.vault.open(row.token_sealed, TOKEN)
    return ConnectWebview(
        connect_webview_id=row.connect_webview_id,
        workspace_id=row.workspace_id,
        created_at=iso(row.created_at),
        url=f"{base_url}/connect_webviews/view?connect_webview_id={row.connect_webview_id}&auth_token={token}",
        status=cast("Status", row.status),
        login_successful=bool(row.login_successful),
        authorized_at=iso_or_none(row.authorized_at),
        connected_account_id=row.connected_account_id,
        selected_provider=row.selected_provider,
        accepted_providers=providers,
        accepted_devices=providers,
        any_provider_allowed=bool(row.any_provider_allowed),
        any_device_allowed=bool(row.any_provider_allowed),
        accepted_capabilities=msgspec.json.decode(row.accepted_capabilities_json),
        device_selection_mode=cast("Selection", row.device_selection_mode),
        automatically_manage_new_devices=bool(row.automatically_manage_new_devices),
        wait_for_device_creation=bool(row.wait_for_device_creation),
        custom_redirect_url=row.custom_redirect_url,
        custom_redirect_failure_url=row.custom_redirect_failure_url,
        custom_metadata=msgspec.json.decode(row.custom_metadata_json),
        customer_key=row.customer_key if row.customer_key is not None else UNSET,
    )


# ---------------------------------------------------------------- for the page


async def visit(core: Core, connect_webview_id: str, token: str) -> Visit | None:
    """The page that this token opens; None: there is none, or the token is wrong."""
    row = await store.find_anywhere(core.db.read, connect_webview_id)
    if row is None or not hmac.compare_digest(core.vault.open(row.token_sealed, TOKEN).encode(), token.encode()):
        return None
    workspace = await workspaces.get(core.db.read, row.workspace_id)
    assert workspace is not None
    return Visit(row, workspace, _flow_of(core, row))


def _flow_of(core: Core, row: WebviewRow) -> Flow:
    return msgspec.convert(core.vault.open_json(row.flow_sealed, FLOW), Flow) if row.flow_sealed else Flow()


def offered(core: Core, visit: Visit) -> list[Provider]:
    """Brands that the page offers."""
    accepted = msgspec.json.decode(visit.row.accepted_providers_json)
    return [core.providers[key] for key in accepted if key in core.providers]


def provider_of(core: Core, visit: Visit) -> Provider | None:
    """The brand that was chosen, or the only one there is."""
    brands = offered(core, visit)
    chosen = next((p for p in brands if p.key == visit.flow.provider), None)
    return chosen or (brands[0] if len(brands) == 1 else None)


async def save(core: Core, visit: Visit, **changes: Any) -> Visit:
    """Move the login on. Nothing moves once it has ended, or when another tab has moved it meanwhile."""
    flow = dataclasses.replace(visit.flow, **changes)

    async def write(tx: Tx) -> WebviewRow:
        await tx.lock("webview", visit.row.connect_webview_id)
        row = await get(tx, visit.row.workspace_id, visit.row.connect_webview_id)
        if row.status != "pending" or row.flow_sealed != visit.row.flow_sealed:
            return row
        sealed = core.vault.seal_json(flow, FLOW)
        return await store.change(tx, row, flow_sealed=sealed, selected_provider=flow.provider)

    row = await core.db.write(write)
    return Visit(row, visit.workspace, _flow_of(core, row))


async def log_in(core: Core, visit: Visit, provider: Provider, values: Mapping[str, str]) -> Visit:
    """Check the account's login. Raises ProviderError with a sentence for the page."""
    login = await provider.log_in(visit.place, values)
    secret = {f.name for f in provider.account_form(visit.place).fields if f.kind == "password"}
    typed = {name: value for name, value in values.items() if name not in secret}
    offered = {device.ref for device in login.devices}
    kept = {ref: one for ref, one in visit.flow.logins.items() if login.is_direct and ref in offered}
    return await save(
        core, visit, provider=provider.key, account=login, chosen=(), logins=kept, skipped=(), typed=typed
    )


async def discover(core: Core, visit: Visit, provider: Provider) -> Visit:
    """Look for devices on the network, where the brand can."""
    if not isinstance(provider, Discovers):
        return visit
    return await save(
        core, visit, found=tuple(await provider.discover(visit.place, await _known(core, visit, provider)))
    )


async def choose(core: Core, visit: Visit, refs: list[str]) -> Visit:
    """Keep the devices that were chosen; unknown ones are passed over."""
    chosen = tuple(dict.fromkeys(ref for ref in refs if visit.flow.offered(ref)))
    if visit.row.device_selection_mode == "single":
        chosen = chosen[:1]
    kept = {ref: login for ref, login in visit.flow.logins.items() if ref in chosen}
    return await save(core, visit, chosen=chosen, logins=kept, skipped=())


async def log_in_devices(
    core: Core, visit: Visit, provider: Provider, refs: list[str], values: Mapping[str, str]
) -> tuple[Visit, dict[str, ProviderError]]:
    """Check one login on some devices and keep what worked; the rest by ref, with a sentence for the page."""
    account = visit.flow.account
    assert account is not None
    known = await _known(core, visit, provider)
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(ref: str) -> DeviceLogin | ProviderError:
        async with room:
            try:
                return await provider.log_in_device(visit.place, account, ref, values, known)
            except ProviderError as exc:
                return exc

    answers = await asyncio.gather(*(ask(ref) for ref in refs))
    flow, troubles = visit.flow, {}
    for ref, answer in zip(refs, answers, strict=True):
        if isinstance(answer, ProviderError):
            troubles[ref] = answer
            continue
        kept = _logged_in(flow, ref, answer)
        if isinstance(kept, ProviderError):
            troubles[ref] = kept
        else:
            flow = kept
    if flow is visit.flow:
        return visit, troubles
    changed = {name: getattr(flow, name) for name in ("account", "chosen", "logins", "skipped", "notes")}
    return await save(core, visit, **changed), troubles


async def _known(core: Core, visit: Visit, provider: Provider) -> Known:
    rows = await device_store.of_provider(core.db.read, visit.workspace.workspace_id, provider.key)
    return {row.ref: core.vault.open_json(row.secret_sealed, devices.LOGIN) for row in rows if row.secret_sealed}


async def remembered(core: Core, visit: Visit, provider: Provider) -> dict[str, str]:
    """What was chosen when the device whose turn it is was connected before: values of the form's lists, no more."""
    form, waiting = provider.device_form(visit.place), visit.flow.waiting
    if form is None or not waiting:
        return {}
    row = await device_store.find_anywhere(core.db.read, visit.workspace.workspace_id, provider.key, waiting[0].ref)
    if row is None or row.secret_sealed is None:
        return {}
    secret = core.vault.open_json(row.secret_sealed, devices.LOGIN)
    return {
        field.name: str(secret[field.name]) for field in form.fields if field.kind == "select" and field.name in secret
    }


def _logged_in(flow: Flow, ref: str, login: DeviceLogin) -> Flow | ProviderError:
    """With one more device logged in, under the name it turned out to have."""
    assert flow.account is not None
    before = flow.offered(ref)
    device = login.device or before
    assert device is not None
    twin = flow.offered(device.ref) if device.ref != ref else None
    if twin is not None:
        return Refused(f"This is the same device as {twin.name}: it answers at both addresses. Skip one of them.")

    def renamed(refs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(device.ref if one == ref else one for one in refs)

    account = dataclasses.replace(
        flow.account, devices=tuple(device if one.ref == ref else one for one in flow.account.devices)
    )
    return dataclasses.replace(
        flow,
        account=account,
        chosen=renamed(flow.chosen),
        logins={**flow.logins, device.ref: dict(login.secret)},
        skipped=tuple(one for one in flow.skipped if one != ref),
        notes={**flow.notes, device.ref: login.notes},
    )


async def skip_device(core: Core, visit: Visit, ref: str) -> Visit:
    """Leave a device without login for now; it will say so."""
    return await save(core, visit, skipped=(*visit.flow.skipped, ref))


async def finish(core: Core, visit: Visit, provider: Provider) -> Visit:
    """Ask the devices how they stand, then write the account and all of them at once."""
    flow = visit.flow
    assert flow.account is not None
    # Where devices have no login of their own, the account's is enough.
    logins = flow.logins if provider.device_form(visit.place) else {ref: {} for ref in flow.chosen}
    wanted = [device for ref in flow.chosen if (device := flow.offered(ref))]
    wanted = [device for device in wanted if device.ref in logins or device.is_kept_without_login]
    if not wanted:
        raise Refused("None of these devices has a login yet. Log in to one of them, or cancel.")
    reports = await _ask(visit, provider, logins)
    chosen = [ChosenDevice(device, logins.get(device.ref), reports.get(device.ref)) for device in wanted]

    async def write(tx: Tx) -> WebviewRow:
        await tx.lock("webview", visit.row.connect_webview_id)
        row = await get(tx, visit.row.workspace_id, visit.row.connect_webview_id)
        if row.status != "pending":
            return row  # sent twice: the first one counts
        assert flow.account is not None
        terms = Terms(
            automatically_manage_new_devices=bool(row.automatically_manage_new_devices),
            is_management_said=bool(row.is_management_said),
            accepted_capabilities_json=row.accepted_capabilities_json,
            custom_metadata_json=row.custom_metadata_json,
            customer_key=row.customer_key,
        )
        account, is_new = await accounts.connect(
            tx, core, row.workspace_id, provider, flow.account, wanted, terms, row.connect_webview_id
        )
        await client_sessions.pass_on(tx, row.workspace_id, row.connect_webview_id, account.connected_account_id)
        is_direct = flow.account.is_direct
        await accounts.add_devices(tx, core, account, provider, chosen, is_new=is_new, is_direct=is_direct)
        return await store.change(
            tx,
            row,
            status="authorized",
            login_successful=1,
            authorized_at=core.clock.now(),
            connected_account_id=account.connected_account_id,
            selected_provider=provider.key,
            flow_sealed=None,
        )

    return Visit(await core.db.write(write), visit.workspace, flow)


async def _ask(visit: Visit, provider: Provider, logins: Mapping[str, Mapping[str, Any]]) -> dict[str, DeviceReport]:
    """Reports of the devices that logged in. One that fails now is kept, and reached later."""
    flow = visit.flow
    assert flow.account is not None
    link = await provider.open(AccountAccess(visit.place, flow.account.secret, dict(logins)))
    reports = {}
    try:
        for ref in logins:
            try:
                reports[ref] = await link.read_device(ref)
            except ProviderError:
                continue
    finally:
        await link.close()
    return reports


async def fail(core: Core, visit: Visit) -> Visit:
    """The owner gave up: the login has failed for good."""

    async def write(tx: Tx) -> WebviewRow:
        await tx.lock("webview", visit.row.connect_webview_id)
        row = await get(tx, visit.row.workspace_id, visit.row.connect_webview_id)
        if row.status != "pending":
            return row
        row = await store.change(tx, row, status="failed", flow_sealed=None)
        failed = event.ConnectWebviewLoginFailed(connect_webview_id=row.connect_webview_id)
        await emit(tx, core, row.workspace_id, failed)
        return row

    return Visit(await core.db.write(write), visit.workspace, visit.flow)
