"""What an intercom was asked for, in numbers: for assertions such as "never more than three requests at once".

Counts only, no addresses, no names, no contents. They are not kept over a restart of the process.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

POLL: Final = "/api/log/pull"
_CHANGES: Final = frozenset(
    {
        "/api/system/restart",
        "/api/switch/ctrl",
        "/api/io/ctrl",
        "/api/call/dial",
        "/api/call/answer",
        "/api/call/hangup",
        "/api/dir/create",
        "/api/dir/update",
        "/api/dir/delete",
        "/api/accesspoint/blocking/ctrl",
        "/api/accesspoint/grantaccess",
    }
)
_CHANGES_BY_PUT: Final = frozenset({"/api/system/time", "/api/system/timezone"})


@dataclass(slots=True)
class AtOnce:
    """How many there are now, and the most there have been."""

    now: int = 0
    most: int = 0

    def enter(self) -> None:
        """One more."""
        self.now += 1
        self.most = max(self.most, self.now)

    def leave(self) -> None:
        """One less."""
        self.now -= 1

    def shown(self) -> dict[str, int]:
        """As the control plane has it."""
        return {"now": self.now, "most": self.most}


@dataclass(slots=True)
class Counters:
    """The counts of one intercom."""

    requests: int = 0
    by_path: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    """`none` are those whose answer never left."""
    by_code: Counter[str] = field(default_factory=Counter)
    """Error codes of the envelope."""
    writes: Counter[str] = field(default_factory=Counter)
    """Requests that changed something, by path: carried out, whether the reply arrived or not."""
    nonces: int = 0
    """Digest challenges handed out."""
    connections: int = 0
    ordinary: AtOnce = field(default_factory=AtOnce)
    """Requests under way, long polls left out."""
    polls: AtOnce = field(default_factory=AtOnce)
    open: AtOnce = field(default_factory=AtOnce)
    """Connections."""

    def enter(self, path: str) -> AtOnce:
        """A request begins; `leave` what this returns when it ends."""
        at_once = self.polls if path == POLL else self.ordinary
        at_once.enter()
        return at_once

    def count(self, path: str, status: int | None, code: int | None) -> None:
        """A request ended. `path` must be one of the API's or `other`: clients must not make this grow."""
        self.requests += 1
        self.by_path[path] += 1
        self.by_status["none" if status is None else str(status)] += 1
        if code is not None:
            self.by_code[str(code)] += 1

    def acted(self, method: str, path: str) -> None:
        """A request was carried out."""
        if path in _CHANGES or (path in _CHANGES_BY_PUT and method == "PUT"):
            self.writes[path] += 1

    def connected(self) -> None:
        """A connection was made."""
        self.connections += 1
        self.open.enter()

    def reset(self) -> None:
        """From zero; what is under way stays counted as that."""
        self.requests = self.nonces = self.connections = 0
        for counts in (self.by_path, self.by_status, self.by_code, self.writes):
            counts.clear()
        for at_once in (self.ordinary, self.polls, self.open):
            at_once.most = at_once.now

    def shown(self) -> dict[str, Any]:
        """As `GET /devices/{serial}/counters` has it."""
        return {
            "requests": self.requests,
            "by_path": dict(sorted(self.by_path.items())),
            "by_status": dict(sorted(self.by_status.items())),
            "by_code": dict(sorted(self.by_code.items())),
            "unauthorized": self.by_status["401"],
            "nonces": self.nonces,
            "writes": dict(sorted(self.writes.items())),
            "ordinary_at_once": self.ordinary.shown(),
            "polls_at_once": self.polls.shown(),
            "connections": {"opened": self.connections, "open": self.open.now, "most": self.open.most},
        }
