"""Workspaces, the keys to them, and how they are shown."""

import itertools
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from doorward.core import actions, webhooks
from doorward.core.accounts import LINKS
from doorward.core.context import Core
from doorward.errors import WorkspaceNotSandbox
from doorward.ids import Token, derived_api_key, new_api_key, new_id, new_personal_access_token, new_publishable_key
from doorward.providers.base import HasTwins
from doorward.store import devices as device_store
from doorward.store import workspaces as store
from doorward.store.action_attempts import AttemptRow
from doorward.store.db import Tx
from doorward.store.workspaces import KeyRow, TokenRow, WorkspaceRow
from doorward.wire.workspace import Workspace

SANDBOX = "Sandbox"
MOST_NAME = 255
"""Characters of a name; one at least."""
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that say in which direction text runs, beyond their own place."""


async def create(
    tx: Tx,
    now: int,
    name: str,
    *,
    is_sandbox: bool,
    partner_name: str | None = None,
    customization: Mapping[str, str | None] = {},
) -> WorkspaceRow:
    """A new workspace."""
    row = WorkspaceRow(
        workspace_id=new_id(),
        name=name,
        is_sandbox=int(is_sandbox),
        connect_partner_name=partner_name,
        customization_json=_merged("{}", customization),
        created_at=now,
    )
    await store.add(tx, row)
    return row


def _merged(customization_json: str, given: Mapping[str, str | None]) -> str:
    """How webviews look, with what is given; null takes a member away."""
    members = {**msgspec.json.decode(customization_json), **given}
    return msgspec.json.encode({name: value for name, value in members.items() if value is not None}).decode()


async def change(
    tx: Tx,
    core: Core,
    workspace_id: str,
    *,
    name: str | None = None,
    partner_name: str | None = None,
    customization: Mapping[str, str | None] = {},
    takes_publishable_keys: bool | None = None,
) -> None:
    """Other names, another look of the webviews, other credentials; what is not given stays."""
    await tx.lock("workspace", workspace_id)
    row = await store.get(tx, workspace_id)
    assert row is not None
    values: dict[str, Any] = {"customization_json": _merged(row.customization_json, customization)}
    if name is not None:
        values["name"] = name
    if partner_name is not None:
        values["connect_partner_name"] = partner_name
    if takes_publishable_keys is not None:
        values["is_publishable_key_auth_enabled"] = int(takes_publishable_keys)
        values["publishable_key"] = row.publishable_key or (new_publishable_key() if takes_publishable_keys else None)
    await store.change(tx, row, **values)
    tx.after_commit(core.callers.forget)


async def begin_reset(tx: Tx, core: Core, workspace: WorkspaceRow) -> AttemptRow:
    """The attempt to reset a sandbox. Raises WorkspaceNotSandbox."""
    if not workspace.is_sandbox:
        raise WorkspaceNotSandbox(data={"workspace_id": workspace.workspace_id})
    return await actions.start_of_workspace(tx, core, workspace, "RESET_SANDBOX_WORKSPACE")


async def reset(core: Core, attempt: AttemptRow) -> AttemptRow:
    """Bring a sandbox back to its beginning: no accounts, no devices, no events, its virtual devices as new.

    Its name, keys and webhooks stay. If the process dies half way, the attempt ends as an error, the virtual devices
    may still be as they were, and resetting again does the rest.
    """
    await core.db.write(_clear, core, attempt)
    for provider in core.providers.values():
        if isinstance(provider, HasTwins):  # after the rows: nobody is told that they went away
            await provider.forget_twins(attempt.workspace_id)
    return await core.db.write(_end_reset, core, attempt)


async def _clear(tx: Tx, core: Core, attempt: AttemptRow) -> None:
    await tx.lock("workspace", attempt.workspace_id)  # several that reset it take turns
    for device_id in await device_store.ids_of_workspace(tx, attempt.workspace_id):
        await tx.lock("device", attempt.workspace_id, device_id)  # whatever is being written down about it ends first
    await tx.lock(webhooks.LOCK)
    await store.clear(tx, attempt.workspace_id, but_attempts=attempt.action_type)
    tx.after_commit(core.callers.forget)
    tx.after_commit(core.sending.forget)
    tx.after_commit(lambda: core.wake.ring(LINKS))


async def _end_reset(tx: Tx, core: Core, attempt: AttemptRow) -> AttemptRow:
    await actions.finish(tx, core, attempt)
    return await actions.get(tx, attempt.workspace_id, attempt.action_attempt_id)


async def first_sandbox(tx: Tx, now: int) -> WorkspaceRow:
    """The oldest sandbox workspace, made when there is none."""
    await tx.lock("first_sandbox")
    for row in await store.list_all(tx):
        if row.is_sandbox:
            return row
    return await create(tx, now, SANDBOX, is_sandbox=True)


async def find(tx: Tx, name_or_id: str) -> list[WorkspaceRow]:
    """The one with this id, else all with this name."""
    rows = await store.list_all(tx)
    return [r for r in rows if r.workspace_id == name_or_id] or [r for r in rows if r.name == name_or_id]


async def add_key(tx: Tx, now: int, workspace: WorkspaceRow, name: str) -> Token:
    """A new API key. Its text cannot be had again."""
    token = new_api_key(is_sandbox=bool(workspace.is_sandbox))
    await store.add_key(
        tx,
        KeyRow(
            workspace_id=workspace.workspace_id,
            api_key_id=new_id(),
            short=token.short,
            hash=token.hash,
            name=name,
            created_at=now,
        ),
    )
    return token


async def starter_key(tx: Tx, core: Core) -> str:
    """The key that a newcomer is shown at every start: the same one each time, though only its hash is stored.

    It is made from the master key, so whoever has the data directory can make it again, and nobody else. When one was
    revoked the next one takes its place.
    """
    workspace = await first_sandbox(tx, core.clock.now())
    for number in itertools.count(1):
        parts = (workspace.workspace_id, *([str(number)] if number > 1 else []))
        token = derived_api_key(core.vault.digest("starter key", *parts))
        found = await store.find_key(tx, token.short)
        if found is None:
            row = KeyRow(workspace.workspace_id, new_id(), token.short, token.hash, "starter key", core.clock.now())
            await store.add_key(tx, row)
        if found is None or found[0].revoked_at is None:
            return token.text
    raise AssertionError


async def add_personal_access_token(tx: Tx, now: int, name: str) -> Token:
    """A new token that reaches every workspace of this server."""
    token = new_personal_access_token()
    await store.add_token(
        tx, TokenRow(token_id=new_id(), short=token.short, hash=token.hash, name=name, created_at=now)
    )
    return token


def partner_name(row: WorkspaceRow) -> str:
    """The name for end users."""
    return row.connect_partner_name or row.name


def partner_shown(row: WorkspaceRow) -> str:
    """That name as pages show it: nothing in it turns the text around that follows."""
    return _DIRECTIONS.sub("", partner_name(row)).strip() or "This application"


def wire(core: Core, row: WorkspaceRow) -> Workspace:
    """A workspace as Seam shows it."""
    return Workspace(
        workspace_id=row.workspace_id,
        name=row.name,
        is_sandbox=bool(row.is_sandbox),
        is_suspended=False,
        is_publishable_key_auth_enabled=bool(row.is_publishable_key_auth_enabled),
        publishable_key=row.publishable_key if row.publishable_key is not None else UNSET,
        connect_partner_name=partner_name(row),
        company_name=partner_name(row),
        connect_webview_customization=msgspec.json.decode(row.customization_json),
    )
