"""What a handler gets."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from doorward.api import scope
from doorward.api.commands import Commands
from doorward.core.context import Core
from doorward.errors import InvalidInput, WorkspaceNotSandbox
from doorward.store.client_sessions import SessionRow
from doorward.store.db import Reader, Tx, Where
from doorward.store.workspaces import WorkspaceRow

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """Who is asking."""

    letters: str
    """The credential's letters (see api/route.py)."""
    workspace: WorkspaceRow | None
    """None: a personal access token without a workspace, or nobody."""
    actor: str | None = None
    """As `core.context` names whoever asks."""
    session: SessionRow | None = None
    """The client session that asks."""


@dataclass(slots=True)
class Request:
    """One call of a route. Not frozen only because making a frozen one costs more."""

    core: Core
    commands: Commands
    caller: Caller
    base_url: str
    path: str
    values: dict[str, Any]
    """The parameters as they were sent."""
    verb: str = "POST"
    is_narrowed: bool = False
    """A list was cut down to what the client session may see."""

    @property
    def workspace(self) -> WorkspaceRow:
        assert self.caller.workspace is not None
        return self.caller.workspace

    @property
    def workspace_id(self) -> str:
        return self.workspace.workspace_id

    @property
    def db(self) -> Reader:
        """Reads. A handler that only shows rows needs no more."""
        return self.core.db.read

    @property
    def session(self) -> SessionRow | None:
        return self.caller.session

    def must_be_sandbox(self) -> None:
        """Raises WorkspaceNotSandbox."""
        if not self.workspace.is_sandbox:
            raise WorkspaceNotSandbox(data={"workspace_id": self.workspace_id})

    def narrow(self, where: Where, **columns: str) -> None:
        """Only rows that the caller may see; the columns are those of `scope.narrow`. Nothing for an API key."""
        if self.session is not None:
            scope.narrow(where, self.session, **columns)
        self.is_narrowed = True

    def counted(self, what: str, *device_ids: str) -> AbstractContextManager[None]:
        """As `Limits.counted`, for the caller's devices."""
        return self.core.limits.counted(what, self.workspace, device_ids)

    async def write(self, fn: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule as one transaction; its result is durable."""
        return await self.core.db.write(fn, *args, **kwargs)


def one_of(**values: Any) -> str:
    """Which of the alternatives was given. Raises InvalidInput when none was."""
    for name, value in values.items():
        if value is not None:
            return name
    raise InvalidInput(f"Must provide {' or '.join(values)}")


def only_one_of(**values: Any) -> str:
    """As `one_of`, where more than one could mean something else than is meant."""
    if sum(value is not None for value in values.values()) > 1:
        raise InvalidInput(f"Must provide only one of {', '.join(values)}")
    return one_of(**values)
