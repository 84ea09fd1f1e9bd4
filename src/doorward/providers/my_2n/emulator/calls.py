"""Telephone calls, as far as a door needs them: ring, answer, hang up.

No telephony happens; a session is a line in `call/status` and the events that go with it.
Source: HTTP API manual, api/call and the call events of api/log/pull.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .quirks import Quirks

Report = Callable[[str, dict[str, Any], int], None]


@dataclass(slots=True)
class Session:
    """One call."""

    number: int
    direction: Literal["incoming", "outgoing"]
    state: Literal["connecting", "ringing", "connected"]
    peers: tuple[str, ...]
    ends_at: int | None
    """Steady milliseconds at which nobody has answered."""


class Calls:
    """The calls of one intercom."""

    def __init__(self, quirks: Quirks, report: Report) -> None:
        self.sessions: dict[int, Session] = {}
        self._next = 1
        self._quirks = quirks
        self._report = report

    def dial(self, peers: tuple[str, ...], now: int) -> Session:
        """An outgoing call that rings at once."""
        session = Session(self._next, "outgoing", "connecting", peers, now + round(self._quirks.ring_s * 1000))
        self._next += 1
        self.sessions[session.number] = session
        self._tell(session, "connecting", now)
        session.state = "ringing"
        self._tell(session, "ringing", now)
        return session

    def answer(self, number: int, now: int) -> None:
        """Connect a session.

        Raises: KeyError when there is none.
        """
        session = self.sessions[number]
        session.state, session.ends_at = "connected", None
        self._tell(session, "connected", now)

    def hang_up(self, number: int, reason: str, now: int) -> None:
        """End a session.

        Raises: KeyError when there is none.
        """
        self._tell(self.sessions.pop(number), "terminated", now, reason=reason)

    def _tell(self, session: Session, state: str, now: int, **more: Any) -> None:
        self._report("CallSessionStateChanged", {"session": session.number, "state": state}, now)
        for call, peer in enumerate(session.peers, start=1):
            params = {"direction": session.direction, "state": state, "peer": peer, "session": session.number}
            self._report("CallStateChanged", {**params, "call": call, **more}, now)

    def status(self) -> list[dict[str, Any]]:
        """The list of `call/status`."""
        return [
            {
                "session": s.number,
                "direction": s.direction,
                "state": s.state,
                "calls": [{"id": n, "peer": peer, "state": s.state} for n, peer in enumerate(s.peers, start=1)],
            }
            for s in self.sessions.values()
        ]

    def due_at(self) -> int | None:
        """When the next unanswered call ends."""
        return min((s.ends_at for s in self.sessions.values() if s.ends_at is not None), default=None)

    def wake(self, at: int) -> None:
        """End calls that nobody answered."""
        for session in [s for s in self.sessions.values() if s.ends_at is not None and s.ends_at <= at]:
            self.hang_up(session.number, "noanswer", at)

    def lose_power(self) -> None:
        """All calls are gone."""
        self.sessions.clear()
        self._next = 1
