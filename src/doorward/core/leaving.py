"""People and sessions that go.

They also go with what they belonged to, so nothing here knows of access grants.
"""

from doorward.core.context import Core
from doorward.core.events import emit
from doorward.store import client_sessions as session_store
from doorward.store import user_identities as store
from doorward.store.db import Tx, Where
from doorward.wire.events.client_session import ClientSessionDeleted


async def end_sessions(tx: Tx, core: Core, where: Where) -> None:
    """Delete client sessions. Columns in `where` carry the prefix `s.`."""
    for session in await session_store.list_all(tx, where):
        if await session_store.delete(tx, session):  # else somebody else has just done it
            told = ClientSessionDeleted(client_session_id=session.client_session_id)
            await emit(tx, core, session.workspace_id, told)
    tx.after_commit(core.callers.forget)


async def forget_person(tx: Tx, core: Core, workspace_id: str, user_identity_id: str) -> None:
    """With their client sessions. Their access grants are for the caller to delete."""
    where = Where()
    where.add("s.workspace_id = {} AND s.user_identity_id = {}", workspace_id, user_identity_id)
    await end_sessions(tx, core, where)
    await store.delete(tx, workspace_id, user_identity_id)
