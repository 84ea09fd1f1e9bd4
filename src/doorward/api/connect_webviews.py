"""`/connect_webviews/*`, but for the page itself (webview/)."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from annotated_types import Gt
from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from doorward.api import page
from doorward.api.params import Cursor, Form, Id, Metadata, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import webviews
from doorward.core.webviews import Order
from doorward.errors import ConnectWebviewNotFound
from doorward.store import client_sessions
from doorward.store import connect_webviews as store
from doorward.store.db import Where
from doorward.wire.connect_webview import Capability, ConnectWebview, Selection
from doorward.wire.reply import Pagination

Category = Literal[
    "stable",
    "consumer_smartlocks",
    "beta",
    "thermostats",
    "noise_sensors",
    "access_control_systems",
    "cameras",
    "connectors",
    "internal_beta",
]
PAGE = 500


def _redirect(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # Web addresses and apps' own schemes; nothing that a browser would run.
    if not parts.scheme or parts.scheme in ("javascript", "data", "vbscript", "blob", "file", "about"):
        raise PydanticCustomError("url", "Invalid url")
    if parts.scheme in ("http", "https") and not parts.netloc:
        raise PydanticCustomError("url", "Invalid url")
    if any(c.isspace() or ord(c) < 32 for c in url):
        raise PydanticCustomError("url", "Invalid url")
    return url


Redirect = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_redirect)]
ProviderKey = Annotated[
    str, StringConstraints(min_length=1, max_length=64), Form(r"^[a-z0-9_]*$", "Must be small letters, digits and _")
]


class Create(Params):
    """Parameters of create."""

    UNDOCUMENTED = frozenset({"device_selection_mode"})

    accepted_capabilities: list[Capability] | None = None
    """Kinds of devices to import; others of the account are left out."""
    accepted_providers: list[ProviderKey] | None = None
    """Brands on offer. With one, the brand list is skipped."""
    automatically_manage_new_devices: bool = True
    """False: devices arrive unmanaged."""
    custom_metadata: Metadata | None = None
    """The caller's own key-value pairs; copied to the account."""
    custom_redirect_failure_url: Redirect | None = None
    """Where the owner goes after a failure."""
    custom_redirect_url: Redirect | None = None
    """Where the owner goes after success."""
    customer_key: Id | None = None
    """The customer that the account will belong to."""
    device_selection_mode: Selection | None = None
    """How many devices may be chosen."""
    excluded_providers: list[ProviderKey] = []
    """Brands taken off the list."""
    provider_category: Category | None = None
    """A preset of brands."""
    wait_for_device_creation: bool = False
    """Say `authorized` only once the devices exist (they always do here)."""


@route("/connect_webviews/create", auth="ACK", returns={"connect_webview": ConnectWebview})
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Make a page where an owner logs in to a device account."""
    order = Order(
        accepted_providers=list(p.accepted_providers) if p.accepted_providers else None,
        excluded_providers=list(p.excluded_providers),
        provider_category=p.provider_category,
        accepted_capabilities=list(p.accepted_capabilities) if p.accepted_capabilities else None,
        device_selection_mode=p.device_selection_mode,
        automatically_manage_new_devices=(
            p.automatically_manage_new_devices if p.given("automatically_manage_new_devices") else None
        ),
        wait_for_device_creation=p.wait_for_device_creation,
        custom_redirect_url=p.custom_redirect_url,
        custom_redirect_failure_url=p.custom_redirect_failure_url,
        custom_metadata=p.custom_metadata or {},
        customer_key=p.customer_key or (req.session.customer_key if req.session else None),
    )
    row = await req.write(webviews.create, req.core, req.workspace, order, req.session)
    return {"connect_webview": webviews.wire(req.core, row, req.base_url)}


def _only_looks(req: Request) -> bool:
    """Whoever has the link of a pending webview can connect an account, which is more than looking."""
    return req.session is not None and bool(req.session.is_read_only)


class ById(Params):
    """Parameters of get and delete."""

    connect_webview_id: Id
    """The webview."""


@route("/connect_webviews/get", auth="ACKR", returns={"connect_webview": ConnectWebview})
async def get(req: Request, p: ById) -> dict[str, Any]:
    """Get a connect webview: whether the login worked, and which account it made."""
    row = await webviews.get(req.db, req.workspace_id, p.connect_webview_id)
    if _only_looks(req) and row.status == "pending":
        raise ConnectWebviewNotFound(data={"connect_webview_id": p.connect_webview_id})
    return {"connect_webview": webviews.wire(req.core, row, req.base_url)}


@route("/connect_webviews/delete", auth="A")
async def delete(req: Request, p: ById) -> None:
    """Delete a connect webview. The account it connected stays."""
    await req.write(webviews.delete, req.core, req.workspace_id, p.connect_webview_id)


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
    """Only those that contain this text in id, providers, metadata or customer key."""
    user_identifier_key: str | None = None
    """Only those of this user's client sessions."""


@route(
    "/connect_webviews/list",
    auth="ACKR",
    returns={"connect_webviews": list[ConnectWebview], "pagination": Pagination},
    pages=PAGE,
)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List connect webviews, oldest first."""
    where = Where()
    where.add("workspace_id = {}", req.workspace_id)
    req.narrow(where, webview="connect_webview_id")
    if p.customer_key is not None:
        where.add("customer_key = {}", p.customer_key)
    if _only_looks(req):
        where.add("status <> 'pending'")
    if p.user_identifier_key is not None:
        client_sessions.of_users(
            where, "connect_webview_id", "connect_webview_id", req.workspace_id, p.user_identifier_key
        )
    pairs = p.custom_metadata_has
    await page.begin(req, where, "connect_webviews", p.page_cursor, search=p.search, metadata=pairs)
    limit = min(p.limit, PAGE)
    rows = await store.list_page(req.db, where, limit + 1)
    shown, pagination = page.cut(req, rows, limit, lambda r: (r.created_at, r.connect_webview_id))
    return {
        "connect_webviews": [webviews.wire(req.core, row, req.base_url) for row in shown],
        "pagination": pagination,
    }
