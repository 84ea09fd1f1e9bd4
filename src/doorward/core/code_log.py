"""What was tried at a device for a code, and what came of it: a row, and a line in the log. Neither has a PIN.

One row a try, in the transaction that writes down its outcome; `core.timeline` shows it as a beginning and an end. If
the process dies before that transaction, the try is not there, and the next one is.
"""

import msgspec
import structlog

from doorward.core.context import Core
from doorward.ids import new_id
from doorward.providers.errors import ProviderError
from doorward.store import code_log as store
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx
from doorward.wire.time import iso_or_none

log = structlog.get_logger()


async def add(
    tx: Tx,
    core: Core,
    row: CodeRow,
    step: str,
    began_at: int,
    *,
    error: ProviderError | None = None,
    code: str | None = None,
    next_try_at: int | None = None,
) -> None:
    """A try has ended. `step`: `set`, `remove` or `withdraw`; `code`: the standing error that it left on the code;
    `next_try_at`: None: none, before something changes."""
    now = core.clock.now()
    data: dict[str, object] = {"operation": step, "outcome": "error" if error else "success", "took_ms": now - began_at}
    if error is not None:
        more = {"error_code": code, "message": error.message, "vendor_code": error.code}
        data |= {name: value for name, value in more.items() if value is not None}
        data["next_try_at"] = iso_or_none(next_try_at)
    entry = store.EntryRow(
        workspace_id=row.workspace_id,
        access_code_id=row.access_code_id,
        device_id=row.device_id,
        began_at=began_at,
        ended_at=now,
        start_id=new_id(),
        entry_id=new_id(),
        data_json=msgspec.json.encode(data).decode(),
    )
    await store.add(tx, entry)
    about = {"access_code_id": row.access_code_id, "device_id": row.device_id, **data}
    say = log.info if error is None else log.warning
    tx.after_commit(lambda: say("an access code was programmed" if error is None else "programming failed", **about))
