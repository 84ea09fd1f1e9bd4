"""Workspaces, the keys to them, and how they are shown."""

from doorward.core.context import Core
from doorward.ids import Token, derived_api_key, new_api_key, new_id, new_personal_access_token
from doorward.store import workspaces as store
from doorward.store.db import Tx
from doorward.store.workspaces import KeyRow, TokenRow, WorkspaceRow
from doorward.wire.workspace import Workspace

SANDBOX = "Sandbox"


async def create(tx: Tx, now: int, name: str, *, is_sandbox: bool) -> WorkspaceRow:
    """A new workspace."""
    row = WorkspaceRow(
        workspace_id=new_id(),
        name=name,
        is_sandbox=int(is_sandbox),
        connect_partner_name=None,
        customization_json="{}",
        created_at=now,
    )
    await store.add(tx, row)
    return row


async def first_sandbox(tx: Tx, now: int) -> WorkspaceRow:
    """The oldest sandbox workspace, made when there is none."""
    await tx.lock("first_sandbox")
    for row in await store.list_all(tx):
        if row.is_sandbox:
            return row
    return await create(tx, now, SANDBOX, is_sandbox=True)


async def find(tx: Tx, name_or_id: str) -> WorkspaceRow | None:
    """By id, else by name (the oldest)."""
    rows = await store.list_all(tx)
    return next((r for r in rows if r.workspace_id == name_or_id), None) or next(
        (r for r in rows if r.name == name_or_id), None
    )


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

    It is made from the master key, so whoever has the data directory can make it again, and nobody else.
    """
    workspace = await first_sandbox(tx, core.clock.now())
    token = derived_api_key(core.vault.digest("starter key", workspace.workspace_id))
    if await store.find_key(tx, token.short) is None:
        row = KeyRow(workspace.workspace_id, new_id(), token.short, token.hash, "starter key", core.clock.now())
        await store.add_key(tx, row)
    return token.text


async def add_personal_access_token(tx: Tx, now: int, name: str) -> Token:
    """A new token that reaches every workspace of this server."""
    token = new_personal_access_token()
    await store.add_token(
        tx, TokenRow(token_id=new_id(), short=token.short, hash=token.hash, name=name, created_at=now)
    )
    return token


def partner_name(row: WorkspaceRow) -> str:
    """The name that end users see."""
    return row.connect_partner_name or row.name


def wire(core: Core, row: WorkspaceRow) -> Workspace:
    """A workspace as Seam shows it."""
    return Workspace(
        workspace_id=row.workspace_id,
        name=row.name,
        is_sandbox=bool(row.is_sandbox),
        is_suspended=False,
        is_publishable_key_auth_enabled=False,
        connect_partner_name=row.connect_partner_name,
        company_name=partner_name(row),
        connect_webview_customization={},
    )
