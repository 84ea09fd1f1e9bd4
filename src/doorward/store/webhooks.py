"""Webhooks."""

from collections.abc import Collection
from typing import Any, cast

import msgspec

from doorward.store.db import Reader, Tx, Where, columns, insert, update


class WebhookRow(msgspec.Struct, frozen=True):
    """Where events of a workspace go."""

    workspace_id: str
    webhook_id: str
    url: str
    event_types_json: str
    secret_sealed: str
    old_secrets_json: str
    failing_since: int | None
    disabled_at: int | None
    created_at: int


_SELECT = f"SELECT {columns(WebhookRow)} FROM webhooks"


async def get(read: Reader, workspace_id: str, webhook_id: str) -> WebhookRow | None:
    row = await read.one(f"{_SELECT} WHERE workspace_id = $1 AND webhook_id = $2", workspace_id, webhook_id)
    return WebhookRow(*row) if row else None


async def of_workspace(read: Reader, workspace_id: str) -> list[WebhookRow]:
    rows = await read.all(f"{_SELECT} WHERE workspace_id = $1 ORDER BY created_at, webhook_id", workspace_id)
    return [WebhookRow(*row) for row in rows]


async def of_workspaces(read: Reader, workspace_ids: Collection[str]) -> list[WebhookRow]:
    where = Where()
    where.any_of("workspace_id", sorted(workspace_ids))
    return [WebhookRow(*row) for row in await read.all(f"{_SELECT} WHERE {where}", *where.args)]


async def every_one(read: Reader) -> list[WebhookRow]:
    return [WebhookRow(*row) for row in await read.all(_SELECT)]


async def workspaces(read: Reader) -> set[str]:
    """Workspaces that have any."""
    return {str(row[0]) for row in await read.all("SELECT DISTINCT workspace_id FROM webhooks")}


async def add(tx: Tx, row: WebhookRow) -> None:
    await tx.run(insert("webhooks", WebhookRow), *msgspec.structs.astuple(row))


async def change(tx: Tx, row: WebhookRow, **values: Any) -> WebhookRow:
    """Set columns, and return the row as it then is."""
    return cast("WebhookRow", await update(tx, "webhooks", row, ("workspace_id", "webhook_id"), values))


async def delete(tx: Tx, workspace_id: str, webhook_id: str) -> int:
    """With its deliveries."""
    await tx.run("DELETE FROM deliveries WHERE workspace_id = $1 AND webhook_id = $2", workspace_id, webhook_id)
    return await tx.run("DELETE FROM webhooks WHERE workspace_id = $1 AND webhook_id = $2", workspace_id, webhook_id)
