"""Fixtures: a real server, and workspaces of one's own on it."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doorward.demo import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is `e2e`."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def need(*names: str, package: str) -> str:
    """The path of a program of the system. Without it the test is skipped; in CI it fails."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    message = f"needs {names[0]} (Debian, Ubuntu: sudo apt-get install {package})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not stop it."""
    server = Server(tmp_path_factory.mktemp("server") / "data").start()
    yield server
    assert server.stop() == 0, server.log[-4000:]
    assert "Traceback" not in server.log, server.log[-8000:]


@pytest.fixture(scope="session")
def new_key(server: Server) -> Callable[[], str]:
    """Makes an API key of a new, empty sandbox workspace."""
    numbers = itertools.count(1)

    def make() -> str:
        done = server.run("workspace", "create", f"Guide {next(numbers)}", "--data-dir", str(server.data_dir))
        assert done.returncode == 0, done.stderr
        return server.api_key("--workspace", done.stdout.strip())

    return make


@pytest.fixture
def key(new_key: Callable[[], str]) -> str:
    """An API key of a new, empty sandbox workspace."""
    return new_key()


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, not started yet."""
    server = Server(tmp_path / "data")
    yield server
    if server.process is not None and server.process.poll() is None:
        server.kill()


@pytest.fixture
def node() -> str:
    """Node.js, with the packages of tests/npm."""
    found = need("node", package="nodejs npm")
    packages = HERE.parent / "npm" / "node_modules"
    if not packages.exists():
        message = "needs the packages of tests/npm: run `make e2e`, or `npm ci` there"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
