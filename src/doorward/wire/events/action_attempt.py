"""Events of action attempts."""

from doorward.wire.events.base import AboutDevice, event


class AboutAttempt(AboutDevice, kw_only=True):
    """An action attempt has ended."""

    action_attempt_id: str
    action_type: str
    status: str


@event("action_attempt.lock_door.succeeded")
class LockDoorSucceeded(AboutAttempt, kw_only=True):
    """A door was locked as asked."""


@event("action_attempt.lock_door.failed")
class LockDoorFailed(AboutAttempt, kw_only=True):
    """A door was not locked as asked."""


@event("action_attempt.unlock_door.succeeded")
class UnlockDoorSucceeded(AboutAttempt, kw_only=True):
    """A door was unlocked as asked."""


@event("action_attempt.unlock_door.failed")
class UnlockDoorFailed(AboutAttempt, kw_only=True):
    """A door was not unlocked as asked."""


@event("action_attempt.simulate_keypad_code_entry.succeeded")
class SimulateKeypadCodeEntrySucceeded(AboutAttempt, kw_only=True):
    """A code was typed at a virtual device as asked, and let in."""


@event("action_attempt.simulate_keypad_code_entry.failed")
class SimulateKeypadCodeEntryFailed(AboutAttempt, kw_only=True):
    """A code was typed at a virtual device as asked, and did not let in; or nobody could type it."""
