"""Client sessions: what a part of an application that runs at an end user's may see.

A session sees the webviews and accounts that were given to it, or that it has made and connected itself, and all that
is below those accounts; one with a customer key also sees all that is that customer's. Nothing else exists for it.

The token is shown whenever the session is, as Seam does; it is stored sealed, and found by its first part. What is
given to a session is rows, not a part of the token: it holds from the next request on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import UNSET

from doorward.core import accounts, user_identities, webviews
from doorward.core.context import Core
from doorward.core.events import emit
from doorward.errors import (
    ClientSessionAlreadyExists,
    ClientSessionExpired,
    InvalidInput,
    NoSuchClientSession,
    SessionsUserIdentityNotFound,
    UserIdentityNotFound,
)
from doorward.ids import Token, new_client_session_token, new_id
from doorward.store import client_sessions as store
from doorward.store.client_sessions import SessionRow
from doorward.store.db import Reader, Tx
from doorward.wire.client_session import ClientSession
from doorward.wire.events.client_session import ClientSessionDeleted
from doorward.wire.time import iso

TOKEN = "a client session's token"  # noqa: S105 - what it is for, not what it is
LIFETIME_MS = 30 * 24 * 3_600_000
"""Of a session that was not given an end."""


@dataclass(frozen=True)
class Wish:
    """What a session is to be; None: not said."""

    user_identifier_key: str | None = None
    customer_key: str | None = None
    user_identity_id: str | None = None
    connected_account_ids: Sequence[str] = ()
    connect_webview_ids: Sequence[str] = ()
    expires_at: int | None = None
    portal_json: str | None = None
    """What its portal shows, if it is one."""
    is_read_only: bool = False
    is_public: bool = False
    """It is asked for with a publishable key, which is no secret."""

    @property
    def binds(self) -> bool:
        """The application gives something."""
        named = (self.customer_key, self.user_identity_id, self.expires_at)
        is_anything = self.connected_account_ids or self.connect_webview_ids or any(one is not None for one in named)
        return bool(is_anything) and not self.is_public


async def create(tx: Tx, core: Core, workspace_id: str, wish: Wish, *, is_again: bool) -> SessionRow:
    """A new session; of a user whose session has run out, that one. One that lives is the answer when it `is_again`;
    else raises ClientSessionAlreadyExists."""
    wish = await _of_somebody(tx, workspace_id, wish)
    if wish.user_identifier_key is not None:
        await tx.lock("client_session", workspace_id, wish.user_identifier_key)
        row = await store.of_user(tx, workspace_id, wish.user_identifier_key)
        if row is not None and (is_again or row.expires_at <= core.clock.now()):
            return await _renew(tx, core, row, wish)
        if row is not None:
            raise ClientSessionAlreadyExists(data={"client_session_id": row.client_session_id})
    return await _make(tx, core, workspace_id, wish)


async def get_or_create(tx: Tx, core: Core, workspace_id: str, wish: Wish) -> SessionRow:
    """The session of a user, or of a user identity, with what is given to it now; else a new one."""
    if wish.user_identifier_key is not None:
        return await create(tx, core, workspace_id, wish, is_again=True)
    wish = await _of_somebody(tx, workspace_id, wish)
    if wish.user_identity_id is not None:
        await tx.lock("client_session_of_identity", workspace_id, wish.user_identity_id)
        row = await store.of_identity(tx, workspace_id, wish.user_identity_id)
        if row is not None:
            return await _renew(tx, core, row, wish)
    return await _make(tx, core, workspace_id, wish)


async def _of_somebody(tx: Tx, workspace_id: str, wish: Wish) -> Wish:
    """The wish, with the person that a merged user identity is now. Raises SessionsUserIdentityNotFound."""
    if wish.user_identity_id is None:
        return wish
    try:
        person = await user_identities.get(tx, workspace_id, wish.user_identity_id)
    except UserIdentityNotFound as exc:
        raise SessionsUserIdentityNotFound(data=exc.data) from None
    return replace(wish, user_identity_id=person.user_identity_id)


async def _make(tx: Tx, core: Core, workspace_id: str, wish: Wish) -> SessionRow:
    now, token = core.clock.now(), new_client_session_token()
    row = SessionRow(
        workspace_id=workspace_id,
        client_session_id=new_id(),
        short=token.short,
        hash=token.hash,
        token_sealed=core.vault.seal(token.text, TOKEN),
        user_identifier_key=wish.user_identifier_key,
        customer_key=wish.customer_key,
        user_identity_id=wish.user_identity_id,
        portal_json=wish.portal_json,
        is_read_only=int(wish.is_read_only),
        expires_at=_end(core, wish),
        revoked_at=None,
        created_at=now,
        is_bound=int(wish.binds),
    )
    await store.add(tx, row)
    await _grant(tx, row, wish)
    return row


async def _renew(tx: Tx, core: Core, row: SessionRow, wish: Wish) -> SessionRow:
    """An existing session, with what is given to it now. One that has run out gets a new token: the old one stays as
    dead as it is, and what the user has connected is there again. Raises ClientSessionExpired where only an API key may
    renew it, InvalidInput where it is another customer's or acts for somebody else: whoever holds its token would see
    what is theirs, too."""
    for name, whose in (("customer_key", "is another customer's"), ("user_identity_id", "acts for another identity")):
        if getattr(row, name) is not None and getattr(wish, name) not in (None, getattr(row, name)):
            raise InvalidInput.of(
                name, f"This user's client session {whose}: delete it, or use another user_identifier_key"
            )
    values: dict[str, object] = {"is_bound": 1} if wish.binds else {}
    is_over, keeps_its_end = row.expires_at <= core.clock.now(), wish.is_public and row.is_bound
    if is_over and keeps_its_end:
        raise ClientSessionExpired("This user's client session has expired. Only an API key can renew it.")
    if is_over:
        token: Token = new_client_session_token()
        values |= {"short": token.short, "hash": token.hash, "token_sealed": core.vault.seal(token.text, TOKEN)}
    if is_over or (wish.expires_at is not None and not keeps_its_end):
        values["expires_at"] = _end(core, wish)
    if wish.user_identity_id is not None:
        values["user_identity_id"] = wish.user_identity_id
    if wish.customer_key is not None:
        values["customer_key"] = wish.customer_key
    if values:
        row = await store.change(tx, row, **values)
        tx.after_commit(core.callers.forget)
    await _grant(tx, row, wish)
    return row


def _end(core: Core, wish: Wish) -> int:
    now = core.clock.now()
    usual = now + LIFETIME_MS
    if wish.expires_at is None:
        return usual
    if wish.expires_at <= now:
        raise InvalidInput.of("expires_at", "Must be in the future")
    if wish.is_public and wish.expires_at > usual:
        raise InvalidInput.of("expires_at", "Must be within 30 days with a publishable key")
    return wish.expires_at


async def _grant(tx: Tx, row: SessionRow, wish: Wish) -> None:
    """Raises ConnectedAccountNotFound, ConnectWebviewNotFound."""
    account_ids = list(wish.connected_account_ids)
    for account_id in account_ids:
        await accounts.get(tx, row.workspace_id, account_id)
    for webview_id in wish.connect_webview_ids:
        webview = await webviews.get(tx, row.workspace_id, webview_id)
        if webview.connected_account_id is not None:
            account_ids.append(webview.connected_account_id)
    await store.grant(tx, row, account_ids, wish.connect_webview_ids)


async def get(read: Reader, workspace_id: str, client_session_id: str) -> SessionRow:
    """Raises NoSuchClientSession."""
    row = await store.get(read, workspace_id, client_session_id)
    if row is None:
        raise NoSuchClientSession(data={"client_session_id": client_session_id})
    return row


async def of_user(read: Reader, workspace_id: str, user_identifier_key: str) -> SessionRow:
    """The newest session of a user. Raises NoSuchClientSession."""
    row = await store.of_user(read, workspace_id, user_identifier_key)
    if row is None:
        raise NoSuchClientSession
    return row


async def grant_access(tx: Tx, core: Core, row: SessionRow, wish: Wish) -> SessionRow:
    """Let a session see more."""
    wish = await _of_somebody(tx, row.workspace_id, wish)
    values: dict[str, object] = {"is_bound": 1} if wish.binds else {}
    if wish.user_identity_id is not None:
        values["user_identity_id"] = wish.user_identity_id
    if values:
        row = await store.change(tx, row, **values)
        tx.after_commit(core.callers.forget)
    await _grant(tx, row, wish)
    return row


async def revoke(tx: Tx, core: Core, workspace_id: str, client_session_id: str) -> None:
    """Its token is refused from now on; the session is kept."""
    row = await get(tx, workspace_id, client_session_id)
    if row.revoked_at is None:
        await store.change(tx, row, revoked_at=core.clock.now())
    tx.after_commit(core.callers.forget)


async def delete(tx: Tx, core: Core, workspace_id: str, client_session_id: str) -> None:
    """What it has connected stays."""
    row = await get(tx, workspace_id, client_session_id)
    if await store.delete(tx, row):  # else somebody else has just done it
        await emit(tx, core, workspace_id, ClientSessionDeleted(client_session_id=client_session_id))
    tx.after_commit(core.callers.forget)


async def wire(core: Core, read: Reader, row: SessionRow) -> ClientSession:
    """A session as Seam shows it."""
    return ClientSession(
        client_session_id=row.client_session_id,
        workspace_id=row.workspace_id,
        token=core.vault.open(row.token_sealed, TOKEN),
        user_identifier_key=row.user_identifier_key,
        customer_key=row.customer_key if row.customer_key is not None else UNSET,
        user_identity_id=row.user_identity_id if row.user_identity_id is not None else UNSET,
        user_identity_ids=[row.user_identity_id] if row.user_identity_id is not None else [],
        connect_webview_ids=await store.seen_webviews(read, row),
        connected_account_ids=await store.seen_accounts(read, row),
        device_count=await store.count_devices(read, row),
        expires_at=iso(row.expires_at),
        created_at=iso(row.created_at),
    )
