"""A private PostgreSQL: a cluster of its own on a Unix socket, gone when the tests end."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from doorward.clock import Clock
from doorward.store.migrate import migrations
from doorward.store.open import open_store

MISSING = (
    "PostgreSQL's server programs are not installed: `apt-get install postgresql` provides them. The tests of both "
    "databases need them."
)
_FAST = "fsync=off synchronous_commit=off full_page_writes=off shared_buffers=32MB max_connections=200 autovacuum=off"
LENT = 30
"""How often a database is lent: what its tests deleted stays in its files."""
_EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$ DECLARE name TEXT; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' LOOP
    EXECUTE format('DELETE FROM %I', name);
  END LOOP;
END $$;
"""


def find_programs() -> Path:
    """The directory of `initdb` and `pg_ctl`. Raises RuntimeError with the package to install."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("pg_ctl"):
        places.append(Path(found).resolve().parent)
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    raise RuntimeError(MISSING)


def _run(*command: str) -> None:
    # PostgreSQL refuses to run as root; Debian's package brings a user for it.
    as_user: Sequence[str] = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*as_user, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/"
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout.decode(errors='replace')}")


class Cluster:
    """A running server. Databases are copies of one that is migrated already."""

    def __init__(self, folder: Path, control: Sequence[str], options: str) -> None:
        """`control`: `pg_ctl` and the place of the data."""
        self.folder = folder
        self._control = control
        self._options = options
        self._numbers = itertools.count(1)
        self._has_template = False
        self._clean: list[str] = []
        self._lent: Counter[str] = Counter()

    def start(self) -> None:
        _run(*self._control, "-l", str(self.folder / "log"), "-w", "-o", self._options, "start")

    def stop(self) -> None:
        """At once, as in a crash."""
        _run(*self._control, "-m", "immediate", "-w", "stop")

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    async def _command(self, sql: str) -> None:
        con = await asyncpg.connect(self.url("postgres"))
        try:
            await con.execute(sql)
        finally:
            await con.close()

    async def empty(self) -> str:
        """The address of a new database without any table."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        await self._command(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    async def migrated(self) -> str:
        """The address of a new database with our tables."""
        if not self._has_template:
            await self._command("CREATE DATABASE doorward TEMPLATE template0")
            db = await open_store(self.folder, self.url("doorward"), clock=Clock())
            await db.close()
            self._has_template = True
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        await self._command(f"CREATE DATABASE {name} TEMPLATE doorward")
        return self.url(name)

    async def lent(self) -> str:
        """The address of a database with our tables, all empty: one that was used before, where there is one. It is
        for tests that change no table."""
        url = self._clean.pop() if self._clean else await self.migrated()
        self._lent[url] += 1
        return url

    async def take_back(self, url: str) -> None:
        """The database can be lent again, or is dropped when it is worn out: nothing tidies it up."""
        con = await asyncpg.connect(url)
        try:
            await con.execute(_EMPTY)
            newest = await con.fetchval("SELECT MAX(version) FROM schema_migrations")
        finally:
            await con.close()
        if self._lent[url] < LENT and newest == migrations("postgresql")[-1][0]:
            self._clean.append(url)
        else:
            await self.drop(url)

    async def drop(self, url: str) -> None:
        """End a database, whoever is still connected."""
        name = url.partition("?")[0].rpartition("/")[2]
        await self._command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def cluster(settings: str = _FAST) -> Iterator[Cluster]:
    """A cluster that runs; `name=value` of settings, with spaces between."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="doorward-pg-"))
    folder.chmod(0o777)
    data = folder / "data"
    try:
        _run(
            str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8",
            "--locale=C.UTF-8",
        )  # fmt: skip
        given = " ".join(f"-c {one}" for one in settings.split())
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} {given}"
        running = Cluster(folder, (str(programs / "pg_ctl"), "-D", str(data)), options)
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
