"""Fixtures: an intercom that is ready, and its control plane."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import start_units

from .client import Control, Device, device


@pytest.fixture
async def intercom() -> AsyncIterator[Device]:
    """A Verso with account jane, switch 1 monostable for 5 s, on a driven clock."""
    async with device() as ready:
        yield ready


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    clock = ManualClock()
    async with await start_units(2, clock=clock, control_port=0) as running, aiohttp.ClientSession() as session:
        yield Control(running, session, clock)


@pytest.fixture
async def client(control: Control) -> AsyncIterator[Device]:
    async with aiohttp.ClientSession(middlewares=[aiohttp.DigestAuthMiddleware("jane", "1234")]) as session:
        yield Device(control.running.listeners[0], session, control.clock)
