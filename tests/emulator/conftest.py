"""Fixtures: an intercom that is ready, and its control plane."""

from collections.abc import AsyncIterator

import pytest

from .client import Device, device


@pytest.fixture
async def intercom() -> AsyncIterator[Device]:
    """A Verso with account jane, switch 1 monostable for 5 s, on a driven clock."""
    async with device() as ready:
        yield ready
