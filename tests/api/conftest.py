"""One server for a test, with three intercoms connected."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.server import World, serving


@pytest.fixture
async def world(tmp_path: Path, database_url: str | None) -> AsyncIterator[World]:
    async with serving(tmp_path, database_url) as made:
        await made.connect(count=3)
        yield made
