"""What the API asks of whoever carries out commands (`work/commands.py`): handlers never talk to devices."""

from typing import Protocol

from doorward.store.action_attempts import AttemptRow
from doorward.store.devices import DeviceRow


class Commands(Protocol):
    """Carries out locks and unlocks."""

    async def run(self, device: DeviceRow, action_type: str) -> AttemptRow:
        """Start one, wait for it a while, and return it as it then stands."""
