"""`/client_sessions/*`."""

from typing import Any

from doorward.api.params import Id, Instant, Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import client_sessions as rules
from doorward.core import user_identities
from doorward.core.client_sessions import Wish
from doorward.errors import InvalidInput, MustCreateEmptySessions, PublishableKeyNeedsUser
from doorward.store import client_sessions as store
from doorward.store.client_sessions import SessionRow
from doorward.store.db import Where
from doorward.wire import time
from doorward.wire.client_session import ClientSession


class Grant(Params):
    """What a session is given."""

    connect_webview_ids: list[Id] = []
    """Webviews that it sees, with the accounts that they connect."""
    connected_account_ids: list[Id] = []
    """Accounts that it sees."""
    user_identifier_key: Id | None = None
    """The application's own name of the user."""
    user_identity_id: Id | None = None
    """The user identity that it acts for."""
    user_identity_ids: list[Id] | None = None
    """Older form of `user_identity_id`: one of them."""


class GetOrCreate(Grant):
    """Parameters of get_or_create."""

    expires_at: Instant | None = None
    """From then on its token is refused; without it, in 30 days. With a publishable key not later than that."""


class Create(GetOrCreate):
    """Parameters of create."""

    customer_id: Id | None = None
    """Older name of `customer_key`."""
    customer_key: Id | None = None
    """The customer whose accounts it sees."""


async def _wish(req: Request, p: Grant) -> Wish:
    """Raises ApiError where the caller may not ask for it."""
    identities = [p.user_identity_id] if p.user_identity_id is not None else p.user_identity_ids or []
    if len(identities) > 1:
        raise InvalidInput.of("user_identity_ids", "A session acts for one user identity")
    wish = Wish(
        user_identifier_key=p.user_identifier_key,
        user_identity_id=identities[0] if identities else None,
        connected_account_ids=p.connected_account_ids,
        connect_webview_ids=p.connect_webview_ids,
        customer_key=(p.customer_key or p.customer_id) if isinstance(p, Create) else None,
        expires_at=time.parse(p.expires_at) if isinstance(p, GetOrCreate) and p.expires_at else None,
        is_public=req.caller.letters == "P",
    )
    if wish.is_public:
        if wish.user_identifier_key is None:
            raise PublishableKeyNeedsUser
        if identities or wish.connected_account_ids or wish.connect_webview_ids or wish.customer_key is not None:
            raise MustCreateEmptySessions
    return wish


async def _shown(req: Request, row: SessionRow) -> dict[str, Any]:
    return {"client_session": await rules.wire(req.core, req.db, row)}


@route(
    "/client_sessions/create",
    auth="AP",
    returns={"client_session": ClientSession},
    methods=("POST", "PUT"),
)
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Create a client session. With PUT the user's own is answered, if there is one."""
    wish = await _wish(req, p)
    row = await req.write(rules.create, req.core, req.workspace_id, wish, is_again=req.verb == "PUT")
    return await _shown(req, row)


@route(
    "/client_sessions/get_or_create",
    auth="AP",
    returns={"client_session": ClientSession},
    methods=("POST", "PUT"),
)
async def get_or_create(req: Request, p: GetOrCreate) -> dict[str, Any]:
    """Get the client session of a user or user identity, or create it; what is named is given to it."""
    return await _shown(req, await req.write(rules.get_or_create, req.core, req.workspace_id, await _wish(req, p)))


class Get(Params):
    """Parameters of get."""

    client_session_id: Id | None = None
    """The session; a session that asks for itself needs no id."""
    user_identifier_key: Id | None = None
    """The newest session of this user."""


@route("/client_sessions/get", auth="AC", returns={"client_session": ClientSession})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get a client session, by id or by user. A session gets itself."""
    if req.session is not None:
        return await _shown(req, await rules.get(req.db, req.workspace_id, req.session.client_session_id))
    one_of(client_session_id=p.client_session_id, user_identifier_key=p.user_identifier_key)
    if p.client_session_id is not None:
        return await _shown(req, await rules.get(req.db, req.workspace_id, p.client_session_id))
    return await _shown(req, await rules.of_user(req.db, req.workspace_id, p.user_identifier_key or ""))


class GrantAccess(Grant):
    """Parameters of grant_access."""

    client_session_id: Id | None = None
    """The session; or name its user."""


@route(
    "/client_sessions/grant_access",
    auth="A",
    returns={"client_session": ClientSession},
    methods=("POST", "PATCH"),
)
async def grant_access(req: Request, p: GrantAccess) -> dict[str, Any]:
    """Let a client session see more webviews and accounts, or act for a user identity."""
    one_of(client_session_id=p.client_session_id, user_identifier_key=p.user_identifier_key)
    wish = await _wish(req, p)
    if p.client_session_id is not None:
        row = await rules.get(req.db, req.workspace_id, p.client_session_id)
    else:
        row = await rules.of_user(req.db, req.workspace_id, p.user_identifier_key or "")
    return await _shown(req, await req.write(rules.grant_access, req.core, row, wish))


class List(Params):
    """Parameters of list."""

    client_session_id: Id | None = None
    """Only this one."""
    connect_webview_id: Id | None = None
    """Only those that see this webview."""
    user_identifier_key: Id | None = None
    """Only those of this user."""
    user_identity_id: Id | None = None
    """Only those of this user identity."""
    without_user_identifier_key: bool = False
    """Only those of no user."""


@route("/client_sessions/list", auth="A", returns={"client_sessions": list[ClientSession]})
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List client sessions, oldest first, those of customer portals among them."""
    where = Where()
    where.add("s.workspace_id = {}", req.workspace_id)
    for name in ("client_session_id", "user_identifier_key"):
        if (value := getattr(p, name)) is not None:
            where.add(f"s.{name} = {{}}", value)
    if p.user_identity_id is not None:
        person = await user_identities.survivor(req.db, req.workspace_id, p.user_identity_id)
        where.add("s.user_identity_id = {}", person)
    if p.without_user_identifier_key:
        where.add("s.user_identifier_key IS NULL")
    if p.connect_webview_id is not None:
        where.add(
            "s.client_session_id IN (SELECT client_session_id FROM client_session_webviews "
            "WHERE workspace_id = {} AND connect_webview_id = {})",
            req.workspace_id,
            p.connect_webview_id,
        )
    rows = await store.list_all(req.db, where)
    return {"client_sessions": [await rules.wire(req.core, req.db, row) for row in rows]}


class ById(Params):
    """Parameters of revoke and delete."""

    client_session_id: Id
    """The session."""


@route("/client_sessions/revoke", auth="A")
async def revoke(req: Request, p: ById) -> None:
    """Revoke a client session: its token is refused from now on."""
    await req.write(rules.revoke, req.core, req.workspace_id, p.client_session_id)


@route("/client_sessions/delete", auth="A")
async def delete(req: Request, p: ById) -> None:
    """Delete a client session. What it has connected stays."""
    await req.write(rules.delete, req.core, req.workspace_id, p.client_session_id)
