"""Fixtures of the rings that run on both databases."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that rings can import `tests.support`

from tests.support.postgres import cluster

# Files of tests lie in memory where there is room: a disk that is slow or shared would take longer than the tests.
MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * 2**30:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A busy machine is no fault of what is tested.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if TYPE_CHECKING:
    from tests.support.postgres import Cluster


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Cluster]":
    """A PostgreSQL of the tests' own. Without the package the tests fail, and say its name."""
    with cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest) -> AsyncIterator[str | None]:
    """Both databases, one after the other: None is SQLite in the data directory."""
    if request.param == "sqlite":
        yield None
        return
    running: Cluster = request.getfixturevalue("postgres")
    url = await running.lent()
    yield url
    await running.take_back(url)
