"""What the API asks of whoever carries out commands (`work/commands.py`): handlers never talk to devices."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from doorward.providers.base import Link
from doorward.store.action_attempts import AttemptRow
from doorward.store.devices import DeviceRow

T = TypeVar("T")


class Commands(Protocol):
    """Carries out locks and unlocks, and asks devices."""

    async def run(self, device: DeviceRow, action_type: str) -> AttemptRow:
        """Start one, wait for it a while, and return it as it then stands."""

    async def ask(self, device: DeviceRow, question: Callable[[Link], Awaitable[T]], seconds: float) -> T:
        """What the device answers within `seconds`. Never from within a transaction; never for what moves a door.

        Raises: ProviderError; Offline when it takes too long.
        """
