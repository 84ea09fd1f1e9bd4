"""Action attempts."""

from typing import Any

import msgspec


class ActionAttempt(msgspec.Struct, kw_only=True):
    """One command and its outcome."""

    action_attempt_id: str
    """Id of the attempt."""
    action_type: str
    """What was asked, e.g. `UNLOCK_DOOR`."""
    status: str
    """`pending`, `success` or `error`."""
    result: Any
    """What came of it; null unless it succeeded."""
    error: Any
    """`type` and `message`; null unless it failed."""
