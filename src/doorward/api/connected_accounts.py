"""`/connected_accounts/*`."""

from typing import Annotated, Any

import msgspec
from annotated_types import Gt
from pydantic import StringConstraints

from doorward.api import page, simulate
from doorward.api.params import Cursor, Id, Metadata, Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import accounts, joining, metadata
from doorward.errors import ConnectedAccountNotFound
from doorward.store import client_sessions, spaces
from doorward.store import connected_accounts as store
from doorward.store.db import Tx, Where
from doorward.store.search import folded
from doorward.wire.connect_webview import Capability
from doorward.wire.connected_account import ConnectedAccount
from doorward.wire.reply import Pagination

PAGE = 11_000


class Get(Params):
    """Parameters of get."""

    connected_account_id: Id | None = None
    """The account."""
    email: str | None = None
    """The e-mail address that logged in."""


@route("/connected_accounts/get", auth="ACKR", returns={"connected_account": ConnectedAccount})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get a connected account, by id or by the e-mail address that logged in."""
    one_of(connected_account_id=p.connected_account_id, email=p.email)
    if p.connected_account_id is not None:
        row = await accounts.get(req.db, req.workspace_id, p.connected_account_id)
    else:
        where = Where()
        where.add("workspace_id = {}", req.workspace_id)
        email = req.db.dialect.json_text("user_identifier_json", where.bind("email"))
        where.add(f"{req.db.dialect.folded(email)} = {{}}", folded((p.email or "").strip()))
        req.narrow(where, account="connected_account_id")
        rows = await store.list_page(req.db, where, 1)
        if not rows:
            raise ConnectedAccountNotFound
        row = rows[0]
    return {"connected_account": accounts.wire(req.core, row)}


class List(Params):
    """Parameters of list."""

    custom_metadata_has: Metadata | None = None
    """Only those with all of these pairs."""
    customer_key: Id | None = None
    """Only those of this customer."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in id, type, customer key, metadata or user identifier."""
    space_id: Id | None = None
    """Only those that are in this space, or have a device there."""
    user_identifier_key: str | None = None
    """Only those of this user's client sessions."""


@route(
    "/connected_accounts/list",
    auth="AKR",
    returns={"connected_accounts": list[ConnectedAccount], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List connected accounts, oldest first."""
    where = Where()
    where.add("workspace_id = {}", req.workspace_id)
    req.narrow(where, account="connected_account_id")
    if p.customer_key is not None:
        where.add("customer_key = {}", p.customer_key)
    if p.space_id is not None:
        spaces.accounts_in(where, "connected_account_id", req.workspace_id, p.space_id)
    if p.user_identifier_key is not None:
        client_sessions.of_users(
            where, "connected_account_id", "connected_account_id", req.workspace_id, p.user_identifier_key
        )
    pairs = p.custom_metadata_has
    await page.begin(req, where, "connected_accounts", p.page_cursor, search=p.search, metadata=pairs)
    limit = min(p.limit, PAGE)
    rows = await store.list_page(req.db, where, limit + 1)
    shown, pagination = page.cut(req, rows, limit, lambda r: (r.created_at, r.connected_account_id))
    return {
        "connected_accounts": [accounts.wire(req.core, row) for row in shown],
        "pagination": pagination,
    }


class Update(Params):
    """Parameters of update."""

    connected_account_id: Id
    """The account."""
    accepted_capabilities: list[Capability] | None = None
    """Kinds of devices to import from now on."""
    automatically_manage_new_devices: bool | None = None
    """New devices arrive managed."""
    custom_metadata: Metadata | None = None
    """Replaces the stored pairs."""
    customer_key: Id | None = None
    """The customer that it and its devices will belong to. One that belongs to another customer is refused."""
    display_name: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """Its name, for people."""


@route("/connected_accounts/update", auth="A", returns={"connected_account": ConnectedAccount})
async def update(req: Request, p: Update) -> dict[str, Any]:
    """Change a connected account."""

    async def change(tx: Tx) -> store.AccountRow:
        row = await accounts.get(tx, req.workspace_id, p.connected_account_id)
        if p.customer_key is not None:
            row = await joining.give_to(tx, row, p.customer_key)
        values: dict[str, Any] = {}
        if p.accepted_capabilities is not None:
            values["accepted_capabilities_json"] = msgspec.json.encode(p.accepted_capabilities).decode()
        if p.automatically_manage_new_devices is not None:
            values["automatically_manage_new_devices"] = int(p.automatically_manage_new_devices)
        if p.custom_metadata is not None:
            values["custom_metadata_json"] = metadata.kept(p.custom_metadata)
        if p.display_name is not None:
            values["display_name"] = p.display_name
        return await store.change(tx, row, **values) if values else row

    return {"connected_account": accounts.wire(req.core, await req.write(change))}


class ById(Params):
    """Parameters of delete."""

    UNDOCUMENTED = frozenset({"sync"})

    connected_account_id: Id
    """The account."""
    sync: bool = False
    """Without effect: it is gone when the reply arrives."""


@route("/connected_accounts/delete", auth="AK")
async def delete(req: Request, p: ById) -> None:
    """Forget an account with its devices and codes; their events stay. Nothing is changed on the devices themselves."""
    await simulate.plug_in_all(req, p.connected_account_id)
    await req.write(accounts.delete, req.core, req.workspace_id, p.connected_account_id)
