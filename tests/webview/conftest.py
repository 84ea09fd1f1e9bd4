"""Fixtures: a core with a brand in memory, and owners without a browser."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from doorward.clock import ManualClock
from doorward.core.context import Core
from doorward.core.webviews import Order

from .brand import Brand
from .owner import Owner, visitor
from .server import make_webview, make_workspace, open_core

MakeOwner = Callable[..., Awaitable[Owner]]


@pytest.fixture
def brand() -> Brand:
    """The only brand of `core`."""
    return Brand()


@pytest.fixture
async def core(tmp_path: Path, brand: Brand) -> AsyncIterator[Core]:
    """A server's parts, on a store of their own and a driven clock."""
    async with open_core(tmp_path, brand) as ready:
        yield ready


@pytest.fixture
async def make_owner(core: Core) -> AsyncIterator[MakeOwner]:
    """Makes a person without script, at the first step of a webview of that order, in a workspace of that kind."""
    async with AsyncExitStack() as stack:

        async def make(order: Order | None = None, **workspace: Any) -> Owner:
            row, url = await make_webview(core, order, await make_workspace(core, **workspace))
            owner = Owner(await stack.enter_async_context(visitor(core)), url, row)
            await owner.open()
            return owner

        yield make


@pytest.fixture
async def owner(make_owner: MakeOwner) -> Owner:
    """A person without script, at the first step of a plain webview."""
    return await make_owner()


@pytest.fixture
def clock(core: Core) -> ManualClock:
    """The core's clock."""
    assert isinstance(core.clock, ManualClock)
    return core.clock
