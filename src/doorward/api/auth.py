"""Who is asking.

A token's form tells what it is; its hash is looked up, and what was found is remembered for a few seconds, by the
token's hash and never by the token. A credential that is changed in this process is looked up at once; a change by
another one (the command line, the process that has the devices) counts when the seconds are over. A header with an
empty value counts as absent: Seam's Go SDK sends such headers.

When a key was used is written down afterwards, at most once a minute; what was not written when the process dies is
forgotten.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping

import structlog

from doorward.api.request import Caller
from doorward.core.context import Core
from doorward.errors import (
    ClientSessionExpired,
    ClientSessionNotFound,
    ClientSessionRevoked,
    InvalidClientSessionToken,
    InvalidPublishableKey,
    PublishableKeyHeaderRequired,
    Unauthorized,
    WorkspaceOfHeaderNotFound,
    WorkspaceOfKeyNotFound,
)
from doorward.ids import hash_long, same_hash, split_token
from doorward.store import client_sessions, workspaces
from doorward.store.client_sessions import SessionRow
from doorward.store.db import StoreError
from doorward.store.workspaces import WorkspaceRow

log = structlog.get_logger()

REMEMBER_S = 5.0
MOST = 10_000
USED_EVERY_MS = 60_000
Headers = Mapping[bytes, bytes]


def headers_of(sent: Iterable[tuple[bytes, bytes]]) -> Headers:
    """A request's headers, but those with an empty value: one of them takes nothing away from another of its name."""
    return {n: v for n, v in sent if v.strip() and (n != b"authorization" or v.strip().lower() != b"bearer")}


def header(headers: Headers, name: bytes) -> str:
    """A header's value; "" when there is none."""
    return headers.get(name, b"").decode("latin-1").strip()


def user_of(headers: Headers) -> str | None:
    """The application's own name of its user, as browsers send it."""
    return header(headers, b"seam-user-identifier-key") or header(headers, b"user-identifier-key") or None


class Authenticator:
    """Finds the caller of a request."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[bytes, tuple[float, int, Caller]] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def __call__(self, headers: Headers, accepts: str) -> Caller:
        """Raises Unauthorized when nobody valid asks, or this credential may not call a route that takes `accepts`."""
        token = self._token(headers, accepts)
        workspace_id = header(headers, b"seam-workspace")
        key = hashlib.sha256(f"{token}\0{workspace_id}".encode()).digest()
        now, era = self._core.clock.monotonic(), self._core.callers.era
        known = self._known.get(key)
        if known is not None and known[0] > now and known[1] == era:
            caller = known[2]
        else:
            caller = await self._find(token, workspace_id)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (now + REMEMBER_S, era, caller)
        if caller.session is not None and caller.session.expires_at <= self._core.clock.now():
            raise ClientSessionExpired
        if caller.letters == "N" and "N" not in accepts:
            raise Unauthorized("A personal access token needs the seam-workspace header on this route.")
        if caller.letters not in accepts and not any(letter in accepts for letter in caller.letters):
            raise Unauthorized("This kind of credential may not call this route.")
        return caller

    @staticmethod
    def _token(headers: Headers, accepts: str) -> str:
        if value := header(headers, b"authorization"):
            scheme, _, token = value.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthorized("The Authorization header must be of the form: Bearer <token>")
            return token.strip()
        for name in (b"client-session-token", b"seam-client-session-token"):
            if token := header(headers, name):
                parts = split_token(token)
                if parts is None or not parts[0].startswith("cst1"):
                    raise InvalidClientSessionToken
                return token
        if token := header(headers, b"seam-api-key"):
            return token
        if token := header(headers, b"seam-publishable-key"):
            parts = split_token(token)
            if parts is None or not parts[0].startswith("pk1"):
                raise InvalidPublishableKey
            return token
        if "P" in accepts and user_of(headers) is not None:
            raise PublishableKeyHeaderRequired
        raise Unauthorized("No Authorization header was given.")

    async def _find(self, token: str, workspace_id: str) -> Caller:
        parts = split_token(token)
        if parts is None:
            raise Unauthorized("The token is not one of Doorward's. Is SEAM_API_KEY the key of this server?")
        short, long = parts
        if short.startswith("at1"):
            return await self._find_personal(short, long, workspace_id)
        if short.startswith("cst1"):
            return await self._find_session(short, long)
        if short.startswith("pk1"):
            return await self._find_publishable(token)
        found = await workspaces.find_key(self._core.db.read, short)
        if found is None or not same_hash(found[0].hash, hash_long(long)):
            raise Unauthorized("API key not found.")
        key, workspace = found
        if key.revoked_at is not None:
            raise Unauthorized("This API key was revoked.")
        self._note("api_keys", "api_key_id", key.api_key_id, key.last_used_at)
        return Caller("A", workspace, f"api_key:{key.api_key_id}")

    async def _find_personal(self, short: str, long: str, workspace_id: str) -> Caller:
        found = await workspaces.find_token(self._core.db.read, short)
        if found is None or not same_hash(found.hash, hash_long(long)):
            raise Unauthorized("Access token not found.")
        if found.revoked_at is not None:
            raise Unauthorized("This access token was revoked.")
        self._note("personal_access_tokens", "token_id", found.token_id, found.last_used_at)
        if not workspace_id:
            return Caller("N", None)
        workspace = await workspaces.get(self._core.db.read, workspace_id)
        if workspace is None:
            raise WorkspaceOfHeaderNotFound(data={"workspace_id": workspace_id[:64]})
        return Caller("A", workspace, f"token:{found.token_id}")

    async def _find_session(self, short: str, long: str) -> Caller:
        found = await client_sessions.by_token(self._core.db.read, short)
        if found is None or not same_hash(found[0].hash, hash_long(long)):
            raise ClientSessionNotFound
        session, workspace = found
        if session.revoked_at is not None:
            raise ClientSessionRevoked
        return session_caller(session, workspace)

    async def _find_publishable(self, token: str) -> Caller:
        workspace = await workspaces.by_publishable_key(self._core.db.read, token)
        if workspace is None:
            raise WorkspaceOfKeyNotFound
        if not workspace.is_publishable_key_auth_enabled:
            raise Unauthorized("This workspace does not take publishable keys.")
        return Caller("P", workspace)

    def _note(self, table: str, column: str, key_id: str, last_used_at: int | None) -> None:
        """Write down, sooner or later, that a key was used."""
        now = self._core.clock.now()
        if last_used_at is None or last_used_at + USED_EVERY_MS <= now:
            task = asyncio.ensure_future(self._write_down(table, column, key_id, now))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)

    async def _write_down(self, table: str, column: str, key_id: str, now: int) -> None:
        try:
            await self._core.db.write(workspaces.used, table, column, key_id, now)
        except StoreError as exc:
            log.debug("when a key was used could not be written down", reason=str(exc))


def session_caller(session: SessionRow, workspace: WorkspaceRow) -> Caller:
    """A client session as a caller."""
    letters = "R" if session.is_read_only else "C" if session.customer_key is None else "CK"
    return Caller(letters, workspace, f"client_session:{session.client_session_id}", session)
