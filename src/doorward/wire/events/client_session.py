"""Events of client sessions."""

from doorward.wire.events.base import Event, event


@event("client_session.deleted")
class ClientSessionDeleted(Event, kw_only=True):
    """A client session was deleted."""

    client_session_id: str
