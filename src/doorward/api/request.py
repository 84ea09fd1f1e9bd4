"""What a handler gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from doorward.api.commands import Commands
from doorward.core.context import Core
from doorward.errors import InvalidInput
from doorward.store.db import Reader, Tx
from doorward.store.workspaces import WorkspaceRow

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """Who is asking."""

    letter: str
    """The credential's letter (see api/route.py)."""
    workspace: WorkspaceRow | None
    """None: a personal access token without a workspace, or nobody."""
    actor: str | None = None
    """As `core.context` names whoever asks."""


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

    async def write(self, fn: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule as one transaction; its result is durable."""
        return await self.core.db.write(fn, *args, **kwargs)


def one_of(**values: Any) -> str:
    """Which of the alternatives was given. Raises InvalidInput when none was."""
    for name, value in values.items():
        if value is not None:
            return name
    raise InvalidInput(f"Must provide {' or '.join(values)}")
