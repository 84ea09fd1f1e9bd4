"""What the rules work with. Made once, by `app.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorward.clock import Clock
from doorward.config import Config
from doorward.core.callers import Callers
from doorward.core.limits import Limits
from doorward.core.sending import Sending
from doorward.core.wake import Wake
from doorward.crypto import Vault
from doorward.providers.base import Provider
from doorward.store.db import Database


@dataclass(frozen=True)
class Core:
    """The server's parts, for the rules."""

    config: Config
    clock: Clock
    db: Database
    vault: Vault
    wake: Wake
    limits: Limits
    providers: Mapping[str, Provider]
    process_id: str
    """Names this process in leases; new at every start."""
    listened_to: set[str] = field(default_factory=set)
    """Workspaces that have webhooks: what happens in them goes to the outbox, too."""
    callers: Callers = field(default_factory=Callers)
    """What is remembered of callers."""
    sending: Sending = field(default_factory=Sending)
    """What is remembered of webhooks and deliveries."""
    actor: str | None = None
    """Who asked for what is done, as `api_key:<id>`, `token:<id>` or `client_session:<id>`; None: this server by
    itself."""
