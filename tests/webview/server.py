"""A core on a store of its own, and what a test wants of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette

from doorward.clock import Clock, ManualClock
from doorward.config import Config
from doorward.core import webviews
from doorward.core.context import Core
from doorward.core.limits import Limits
from doorward.core.wake import Wake
from doorward.core.webviews import Order
from doorward.core.workspaces import create
from doorward.crypto import Vault
from doorward.providers.base import Provider
from doorward.store import connect_webviews as store
from doorward.store import workspaces
from doorward.store.client_sessions import SessionRow
from doorward.store.connect_webviews import WebviewRow
from doorward.store.db import Database, Tx
from doorward.store.open import open_store
from doorward.store.workspaces import WorkspaceRow
from doorward.webview.pages import routes

from .brand import Brand

BASE = "http://door.test"


@asynccontextmanager
async def open_database(folder: Path, clock: Clock) -> AsyncIterator[Database]:
    """A new store."""
    db = await open_store(folder, None, clock=clock)
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def open_core(
    folder: Path, *brands: Provider, clock: Clock | None = None, db: Database | None = None
) -> AsyncIterator[Core]:
    """A server's parts, on a new store unless told otherwise."""
    options: dict[str, Any] = {"data_dir": folder}
    clock = clock or ManualClock()
    async with AsyncExitStack() as stack:
        if db is None:
            db = await stack.enter_async_context(open_database(folder, clock))
        yield Core(
            config=Config(**options),
            clock=clock,
            db=db,
            vault=Vault(b"a key that is for tests only"),
            wake=Wake(clock),
            limits=Limits(clock, "off"),
            providers={brand.key: brand for brand in brands or (Brand(),)},
            process_id="test",
        )


def site(core: Core) -> Starlette:
    """The pages, as the server mounts them."""
    return Starlette(routes=routes(core))


async def make_workspace(
    core: Core, name: str = "Jane's intercoms", *, is_sandbox: bool = True, **customization: str
) -> WorkspaceRow:
    """A workspace with its own look."""
    row = await core.db.write(create, core.clock.now(), name, is_sandbox=is_sandbox)
    if customization:
        text = msgspec.json.encode(customization).decode()
        sql = "UPDATE workspaces SET customization_json = $1 WHERE workspace_id = $2"

        async def write(tx: Tx) -> int:
            return await tx.run(sql, text, row.workspace_id)

        await core.db.write(write)
        found = await workspaces.get(core.db.read, row.workspace_id)
        assert found is not None
        row = found
    return row


async def make_webview(
    core: Core,
    order: Order | None = None,
    workspace: WorkspaceRow | None = None,
    base: str = BASE,
    session: SessionRow | None = None,
) -> tuple[WebviewRow, str]:
    """A webview, and the address of its page."""
    workspace = workspace or await make_workspace(core)
    row = await core.db.write(webviews.create, core, workspace, order or Order(), session)
    return row, webviews.wire(core, row, base).url


async def reread(core: Core, row: WebviewRow) -> WebviewRow:
    """The webview as it is stored now."""
    found = await store.find_anywhere(core.db.read, row.connect_webview_id)
    assert found is not None
    return found


async def devices(core: Core) -> list[tuple[str, int, str]]:
    """Every connected device: name, online, errors."""
    rows = await core.db.read.all("SELECT name, online, errors_json FROM devices ORDER BY created_at, device_id")
    return [(name, online, errors) for name, online, errors in rows]


async def event_types(core: Core) -> list[str]:
    """Types of all events, oldest first."""
    return [t for (t,) in await core.db.read.all("SELECT event_type FROM events ORDER BY created_at, event_id")]
