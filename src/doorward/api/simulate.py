"""What happens to virtual devices of a sandbox workspace, on order (`/devices/simulate/*`, `/locks/simulate/*`,
`/connected_accounts/simulate/*`), and finding out how devices stand (`/connected_accounts/sync`).

A virtual device really loses its power: nothing answers, and the server finds that out as it would at a real one. A
code is really typed there. If the process dies half way, the attempt ends as one whose outcome is unknown (`commands`).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from doorward.api.params import Form, Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import accounts, actions, devices, problems
from doorward.crypto import VaultError
from doorward.errors import DeviceTypeNotSupported
from doorward.providers.base import HasTwins
from doorward.providers.errors import Offline, ProviderError
from doorward.store import connected_accounts
from doorward.store import devices as device_store
from doorward.store.devices import DeviceRow
from doorward.wire.action_attempt import ActionAttempt

WAIT_S = 10.0
"""For a device."""
AT_ONCE = 8
"""Devices of an account that are asked at the same time."""
KEYPAD = "SIMULATE_KEYPAD_CODE_ENTRY"
NOT_LET_IN = {"type": "access_denied", "message": "The device did not let in whoever typed this code."}


class OneDevice(Params):
    """A virtual device."""

    device_id: Id
    """The device."""


class OneAccount(Params):
    """An account."""

    connected_account_id: Id
    """The account."""


async def _look(req: Request, device: DeviceRow) -> None:
    """Ask a device how it stands, and write that down."""
    try:
        report = await req.commands.ask(device, lambda link: link.read_device(device.ref), WAIT_S)
    except ProviderError as error:
        await req.write(devices.trouble, req.core, req.workspace_id, device.device_id, error)
    else:
        await req.write(devices.report, req.core, req.workspace_id, device.device_id, report)


@dataclass(frozen=True)
class Virtual:
    """A virtual device, and where it is."""

    device: DeviceRow
    brand: HasTwins
    account: Mapping[str, Any]
    """Its account's secret."""


async def _virtual(req: Request, device_id: str) -> Virtual:
    """Raises DeviceNotFound, DeviceIsUnmanaged, WorkspaceNotSandbox, DeviceTypeNotSupported."""
    device = await devices.get(req.db, req.workspace_id, device_id)
    req.must_be_sandbox()
    provider: Any = req.core.providers.get(device.provider)
    account = await connected_accounts.get(req.db, req.workspace_id, device.connected_account_id)
    if not isinstance(provider, HasTwins) or account is None or device.secret_sealed is None:
        raise DeviceTypeNotSupported("This is no virtual device.", data={"device_id": device_id})
    return Virtual(device, provider, req.core.vault.open_json(account.secret_sealed, accounts.SECRET))


async def _plug(req: Request, device_id: str, *, is_in: bool) -> DeviceRow:
    at = await _virtual(req, device_id)
    try:
        await at.brand.plug_twin(req.workspace_id, at.account, at.device.ref, is_in=is_in)
    except Offline as error:
        raise DeviceTypeNotSupported(error.message, data={"device_id": device_id}) from error
    return at.device


async def plug_in_all(req: Request, connected_account_id: str) -> None:
    """An account is about to be forgotten: whoever connects it anew finds its virtual devices on."""
    account = await connected_accounts.get(req.db, req.workspace_id, connected_account_id)
    brand: Any = req.core.providers.get(account.provider) if account is not None else None
    if account is None or not req.workspace.is_sandbox or not isinstance(brand, HasTwins):
        return
    with suppress(VaultError):  # sealed under a lost key: then nobody knows which they are
        secret = req.core.vault.open_json(account.secret_sealed, accounts.SECRET)
        for device in await device_store.of_account(req.db, req.workspace_id, connected_account_id):
            if not device.online:
                with suppress(Offline):  # it is no virtual one
                    await brand.plug_twin(req.workspace_id, secret, device.ref, is_in=True)


@route("/devices/simulate/disconnect", auth="AK")
async def disconnect(req: Request, p: OneDevice) -> None:
    """Cut a virtual device off. It stays so until `connect`, over restarts of the server, too."""
    await _look(req, await _plug(req, p.device_id, is_in=False))


@route("/devices/simulate/connect", auth="AK")
async def connect(req: Request, p: OneDevice) -> None:
    """Let a virtual device that was cut off or removed answer again."""
    await _look(req, await _plug(req, p.device_id, is_in=True))


@route("/devices/simulate/remove", auth="AK")
async def remove(req: Request, p: OneDevice) -> None:
    """Have a virtual device removed from its account. It answers no more, until `connect`."""
    await _virtual(req, p.device_id)
    # Before it falls silent, so that nobody takes its silence for a failure; and after, in case it spoke in between.
    await req.write(devices.removed, req.core, req.workspace_id, p.device_id)
    await _plug(req, p.device_id, is_in=False)
    await req.write(devices.removed, req.core, req.workspace_id, p.device_id)


async def _unknown_to(req: Request, device_id: str, what: str) -> NoReturn:
    await devices.get(req.db, req.workspace_id, device_id)
    raise DeviceTypeNotSupported(f"This device has no {what}.", data={"device_id": device_id})


@route("/devices/simulate/connect_to_hub", auth="AK", has_none=True)
async def connect_to_hub(req: Request, p: OneDevice) -> None:
    """Let a hub be reached again: no device here has one."""
    await _unknown_to(req, p.device_id, "hub")


@route("/devices/simulate/disconnect_from_hub", auth="AK", has_none=True)
async def disconnect_from_hub(req: Request, p: OneDevice) -> None:
    """Cut a device off from its hub: no device here has one."""
    await _unknown_to(req, p.device_id, "hub")


class Subscription(OneDevice):
    """Parameters of paid_subscription."""

    is_expired: bool
    """Whether it has run out."""


@route("/devices/simulate/paid_subscription", auth="AK", has_none=True)
async def paid_subscription(req: Request, p: Subscription) -> None:
    """Let a device's subscription run out: no device here has one."""
    await _unknown_to(req, p.device_id, "subscription")


# ---------------------------------------------------------------- keypads


class CodeEntry(OneDevice):
    """Parameters of keypad_code_entry."""

    code: Annotated[str, Form(r"^[0-9]{1,12}$", "Must be 1 to 12 digits")]
    """What is typed."""


@route(
    "/locks/simulate/keypad_code_entry",
    auth="A",
    returns={"action_attempt": ActionAttempt},
    action_type=KEYPAD,
)
async def keypad_code_entry(req: Request, p: CodeEntry) -> dict[str, Any]:
    """Have somebody type a code at a virtual device's keypad. What follows at the door, the device tells by itself."""
    at = await _virtual(req, p.device_id)
    attempt = await req.write(actions.start_command, req.core, at.device, KEYPAD, sending=True)
    error = None
    try:
        if not await at.brand.enter_code_at_twin(req.workspace_id, at.account, at.device.ref, p.code):
            error = NOT_LET_IN
    except ProviderError as exc:
        error = problems.attempt_error(exc)
    await req.write(actions.finish, req.core, attempt, error=error)
    return {"action_attempt": actions.wire(await actions.get(req.db, req.workspace_id, attempt.action_attempt_id))}


@route(
    "/locks/simulate/manual_lock_via_keypad",
    auth="A",
    returns={"action_attempt": ActionAttempt},
    action_type="SIMULATE_MANUAL_LOCK_VIA_KEYPAD",
    has_none=True,
)
async def manual_lock_via_keypad(req: Request, p: OneDevice) -> dict[str, Any]:
    """Have somebody lock a door by its keypad: no device here has one that can."""
    return await _unknown_to(req, p.device_id, "keypad that locks")


# ---------------------------------------------------------------- accounts


@route("/connected_accounts/simulate/disconnect", auth="AK")
async def disconnect_account(req: Request, p: OneAccount) -> None:
    """Let an account's login stop working. Logging in again through a connect webview mends it."""
    await accounts.get(req.db, req.workspace_id, p.connected_account_id)
    req.must_be_sandbox()
    await req.write(accounts.disconnect, req.core, req.workspace_id, p.connected_account_id)


@route("/connected_accounts/sync", auth="A")
async def sync(req: Request, p: OneAccount) -> None:
    """Ask all devices of an account how they stand, now."""
    await accounts.get(req.db, req.workspace_id, p.connected_account_id)
    rows = await device_store.of_account(req.db, req.workspace_id, p.connected_account_id)
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(row: DeviceRow) -> None:
        async with turn:
            await _look(req, row)

    await asyncio.gather(*(look(row) for row in rows if row.secret_sealed is not None))
