"""Who is asking.

A token's form tells what it is; its hash is looked up, and what was found is remembered for a few seconds, by the
token's hash and never by the token. A header with an empty value counts as absent: Seam's Go SDK sends such headers.
"""

import hashlib
from collections.abc import Mapping

from doorward.api.request import Caller
from doorward.core.context import Core
from doorward.errors import ClientSessionNotFound, Unauthorized, WorkspaceOfHeaderNotFound
from doorward.ids import hash_long, same_hash, split_token
from doorward.store import workspaces

REMEMBER_S = 5.0
MOST = 10_000


class Authenticator:
    """Finds the caller of a request."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[bytes, tuple[float, Caller]] = {}

    async def __call__(self, headers: Mapping[bytes, bytes], accepts: str) -> Caller:
        """Raises Unauthorized when nobody valid asks, or this credential may not call a route that takes `accepts`."""
        token = self._token(headers)
        workspace_id = headers.get(b"seam-workspace", b"").decode("latin-1").strip()
        key = hashlib.sha256(f"{token}\0{workspace_id}".encode()).digest()
        now = self._core.clock.monotonic()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            caller = known[1]
        else:
            caller = await self._find(token, workspace_id)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (now + REMEMBER_S, caller)
        if caller.letter == "N" and "N" not in accepts:
            raise Unauthorized("A personal access token needs the seam-workspace header on this route.")
        if caller.letter not in accepts:
            raise Unauthorized("This kind of credential may not call this route.")
        return caller

    @staticmethod
    def _token(headers: Mapping[bytes, bytes]) -> str:
        value = headers.get(b"authorization", b"").decode("latin-1").strip()
        if value:
            scheme, _, token = value.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Unauthorized("The Authorization header must be of the form: Bearer <token>")
            return token.strip()
        for name in (b"client-session-token", b"seam-client-session-token", b"seam-api-key"):
            token = headers.get(name, b"").decode("latin-1").strip()
            if token:
                return token
        raise Unauthorized("No Authorization header was given.")

    async def _find(self, token: str, workspace_id: str) -> Caller:
        parts = split_token(token)
        if parts is None:
            raise Unauthorized("The token is not one of Doorward's. Is SEAM_API_KEY the key of this server?")
        short, long = parts
        if short.startswith("at1"):
            return await self._find_personal(short, long, workspace_id)
        if short.startswith("cst1"):
            raise ClientSessionNotFound
        found = await workspaces.find_key(self._core.db.read, short)
        if found is None or not same_hash(found[0], hash_long(long)):
            raise Unauthorized("API key not found.")
        return Caller("A", found[2], f"api_key:{found[1]}")

    async def _find_personal(self, short: str, long: str, workspace_id: str) -> Caller:
        found = await workspaces.find_token(self._core.db.read, short)
        if found is None or not same_hash(found[0], hash_long(long)):
            raise Unauthorized("Access token not found.")
        if not workspace_id:
            return Caller("N", None)
        workspace = await workspaces.get(self._core.db.read, workspace_id)
        if workspace is None:
            raise WorkspaceOfHeaderNotFound(data={"workspace_id": workspace_id[:64]})
        return Caller("A", workspace, f"token:{found[1]}")
