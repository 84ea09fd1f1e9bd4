"""What a server does until it has the devices: it says that another one has them.

The process that is to have the devices listens from its start, and waits for the database's lock (`store.ownership`);
`Front` answers until there is something to answer with. The others of a server with several processes wait for that
one, and do not listen before. Nothing is read or written meanwhile, so dying half way leaves nothing behind.
"""

import asyncio
import mmap
from typing import TYPE_CHECKING, Any

from doorward.api.dispatch import failure, respond
from doorward.config import Config
from doorward.errors import StandingBy
from doorward.ids import request_id
from doorward.store.db import StoreBusy
from doorward.store.open import wait_to_own

if TYPE_CHECKING:
    from doorward.store.ownership import Ownership

LOOK_S = 0.05
PLAIN = "text/plain; charset=utf-8"


class Turn:
    """Whether it is this server's turn: a byte that its processes share, since they are forks of one."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    @property
    def has_come(self) -> bool:
        return self._byte[0] == 1

    def begin(self) -> None:
        """Said by the process that has the devices, once it serves."""
        self._byte[0] = 1

    def end(self) -> None:
        """Said by the parent when that process has died: another server may have the devices now."""
        self._byte[0] = 0

    async def wait(self) -> None:
        while not self.has_come:  # noqa: ASYNC110 - another process says it
            await asyncio.sleep(LOOK_S)


class Front:
    """The ASGI application of a server that may have to wait: passes requests on to `app` while it is its turn."""

    def __init__(self, turn: Turn, app: Any = None) -> None:
        self._turn = turn
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._turn.has_come:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _stand_by(scope, send)


async def _stand_by(scope: Any, send: Any) -> None:
    error, name = StandingBy(), request_id()
    origin = dict(scope["headers"]).get(b"origin")
    if scope["path"] == "/livez":
        await respond(send, scope, 200, b"alive\n", origin, name, {}, PLAIN)
    elif scope["path"] == "/readyz":
        await respond(send, scope, error.status, b"standing by\n", origin, name, error.headers, PLAIN)
    elif scope["method"] == "OPTIONS":  # a browser's question whether it may ask
        await respond(send, scope, 200, b"", origin, name, {})
    else:
        await respond(send, scope, error.status, failure(error, name), origin, name, error.headers)


async def wait_for_devices(config: Config) -> "Ownership":
    """Wait until no other server has the devices. Raises StoreError when that will not help."""
    assert config.database_url is not None

    def has_key() -> None:
        if not config.secret_key and not (config.data_dir / "secret.key").exists():
            raise StoreBusy(
                "Another Doorward works on this PostgreSQL database, and this one has no secret key to open its logins "
                "and PINs with. Give both the same DOORWARD_SECRET_KEY, or a copy of secret.key in the data directory."
            )

    return await wait_to_own(config.database_url, has_key)
