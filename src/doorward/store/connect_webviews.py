"""Connect webviews."""

from typing import Any, cast

import msgspec

from doorward.store import search
from doorward.store.db import Reader, Tx, Where, columns, insert, update


class WebviewRow(msgspec.Struct, frozen=True):
    """A connect webview. `flow_sealed` holds the steps of a login that is under way."""

    workspace_id: str
    connect_webview_id: str
    token_sealed: str
    accepted_providers_json: str
    any_provider_allowed: int
    accepted_capabilities_json: str
    device_selection_mode: str
    automatically_manage_new_devices: int
    wait_for_device_creation: int
    custom_redirect_url: str | None
    custom_redirect_failure_url: str | None
    custom_metadata_json: str
    customer_key: str | None
    status: str
    login_successful: int
    selected_provider: str | None
    connected_account_id: str | None
    authorized_at: int | None
    flow_sealed: str | None
    created_at: int
    is_management_said: int = 0
    """Whether the caller asked for new devices to be managed, or not to be."""


_SELECT = f"SELECT {columns(WebviewRow)} FROM connect_webviews"


async def get(read: Reader, workspace_id: str, connect_webview_id: str) -> WebviewRow | None:
    row = await read.one(
        f"{_SELECT} WHERE workspace_id = $1 AND connect_webview_id = $2", workspace_id, connect_webview_id
    )
    return WebviewRow(*row) if row else None


async def find_anywhere(read: Reader, connect_webview_id: str) -> WebviewRow | None:
    """For the page itself, whose visitor has no workspace, only the token."""
    row = await read.one(f"{_SELECT} WHERE connect_webview_id = $1", connect_webview_id)
    return WebviewRow(*row) if row else None


async def list_page(read: Reader, where: Where, limit: int) -> list[WebviewRow]:
    rows = await read.all(
        f"SELECT {columns(WebviewRow)} FROM {where.lead}connect_webviews WHERE {where} "
        f"ORDER BY {where.order('created_at, connect_webview_id')} LIMIT {limit:d}",
        *where.args,
    )
    return [WebviewRow(*row) for row in rows]


async def add(tx: Tx, row: WebviewRow) -> None:
    await tx.run(insert("connect_webviews", WebviewRow), *msgspec.structs.astuple(row))
    await search.put(tx, "connect_webviews", row)


async def change(tx: Tx, row: WebviewRow, **values: Any) -> WebviewRow:
    """Set columns, and return the row as it then is."""
    changed = cast(
        "WebviewRow", await update(tx, "connect_webviews", row, ("workspace_id", "connect_webview_id"), values)
    )
    await search.changed(tx, "connect_webviews", changed, values)
    return changed


async def delete(tx: Tx, workspace_id: str, connect_webview_id: str) -> int:
    await search.drop(tx, "connect_webviews", workspace_id, connect_webview_id)
    return await tx.run(
        "DELETE FROM connect_webviews WHERE workspace_id = $1 AND connect_webview_id = $2",
        workspace_id,
        connect_webview_id,
    )
