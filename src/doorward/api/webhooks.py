"""`/webhooks/*`, and what this server adds to them: a log of deliveries, replay, and new secrets."""

from typing import Annotated, Any, Literal

from annotated_types import Gt, Le
from pydantic import StringConstraints

from doorward.api import page
from doorward.api.params import Cursor, Id, NoParams, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import webhooks as rules
from doorward.store import deliveries, webhooks
from doorward.store.db import Where
from doorward.wire.reply import Pagination
from doorward.wire.webhook import Delivery, Webhook, WebhookHealth

PAGE = 100


class Create(Params):
    """Parameters of create."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    """The address that events are posted to."""
    event_types: list[str] = ["*"]
    """Which events; `*` stands for all."""


@route("/webhooks/create", auth="A", returns={"webhook": Webhook})
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Have events posted to an address, signed."""
    url = rules.check_url(req.core, p.url)
    row = await req.write(rules.create, req.core, req.workspace_id, url, p.event_types)
    return {"webhook": rules.wire(req.core, row)}


class One(Params):
    """Parameters of get and delete."""

    webhook_id: Id
    """The webhook."""


@route("/webhooks/get", auth="A", returns={"webhook": Webhook})
async def get(req: Request, p: One) -> dict[str, Any]:
    """Get a webhook."""
    return {"webhook": rules.wire(req.core, await rules.get(req.db, req.workspace_id, p.webhook_id))}


@route("/webhooks/list", auth="A", returns={"webhooks": list[Webhook]})
async def list_(req: Request, _p: NoParams) -> dict[str, Any]:
    """List the workspace's webhooks, oldest first."""
    rows = await webhooks.of_workspace(req.db, req.workspace_id)
    return {"webhooks": [rules.wire(req.core, row) for row in rows]}


class Update(Params):
    """Parameters of update."""

    webhook_id: Id
    """The webhook."""
    event_types: list[str]
    """Which events; `*` stands for all."""


@route("/webhooks/update", auth="A")
async def update(req: Request, p: Update) -> None:
    """Change which events a webhook gets, those that wait included. One that was disabled is tried again."""
    await req.write(rules.change, req.core, req.workspace_id, p.webhook_id, p.event_types)


@route("/webhooks/delete", auth="A")
async def delete(req: Request, p: One) -> None:
    """Delete a webhook, with everything that waits for it."""
    await req.write(rules.delete, req.core, req.workspace_id, p.webhook_id)


# ---------------------------------------------------------------- extensions


@route("/webhooks/doorward/rotate_secret", auth="A", returns={"webhook": Webhook}, undocumented=True)
async def rotate_secret(req: Request, p: One) -> dict[str, Any]:
    """Give a webhook a new secret. For 24 hours events are signed with the one before, too; five are kept at most."""
    row = await req.write(rules.rotate, req.core, req.workspace_id, p.webhook_id)
    return {"webhook": rules.wire(req.core, row)}


class ListDeliveries(Params):
    """Parameters of list_deliveries."""

    webhook_id: Id
    """The webhook."""
    limit: Annotated[int, Gt(0), Le(1000)] = PAGE
    """Items at most."""
    page_cursor: Cursor | None = None
    """Where to go on: `next_page_cursor` of the page before."""
    state: Literal["due", "done", "given_up"] | None = None
    """Only those that stand so."""


@route(
    "/webhooks/doorward/list_deliveries",
    auth="A",
    returns={"deliveries": list[Delivery], "health": WebhookHealth, "pagination": Pagination},
    pages=PAGE,
    undocumented=True,
)
async def list_deliveries(req: Request, p: ListDeliveries) -> dict[str, Any]:
    """List what was sent to a webhook, or is to be, the newest first, with each try. Kept for a week."""
    webhook = await rules.get(req.db, req.workspace_id, p.webhook_id)
    where = Where()
    where.add("workspace_id = {} AND webhook_id = {}", req.workspace_id, p.webhook_id)
    if p.state is not None:
        where.add(f"state = '{p.state}'")  # spelled out: it is what leads to an index of these only
    if (position := page.start(req, p.page_cursor)) is not None:
        where.add("delivery_id < {}", position[1])
    rows = await deliveries.newest(req.db, where, p.limit + 1)
    shown, pagination = page.cut(req, rows, p.limit, lambda row: (row.created_at, row.delivery_id))
    is_disabled = webhook.disabled_at is not None
    return {
        "deliveries": [rules.wire_delivery(row, is_disabled=is_disabled) for row in shown],
        "health": rules.wire_health(webhook),
        "pagination": pagination,
    }


class Replay(Params):
    """Parameters of replay."""

    delivery_id: Id
    """The delivery."""


@route("/webhooks/doorward/replay", auth="A", returns={"delivery": Delivery}, undocumented=True)
async def replay(req: Request, p: Replay) -> dict[str, Any]:
    """Have an event sent to its webhook again, whatever became of it, and tried as often as a new one."""
    row = await req.write(rules.replay, req.core, req.workspace_id, p.delivery_id)
    return {"delivery": rules.wire_delivery(row)}
