"""Moves what was committed from SQLite's log into the file, beside the writer.

SQLite would do it in the commit that fills the log, and all who wait for that commit would wait for the disk. Here a
thread with a connection of its own does it while the writer goes on. If it dies half way: nothing; the log is kept
until all of it is in the file, and read first by everybody. If it falls behind, or fails (a full disk), the writer
does it itself once the log is `MOST_PAGES` long.
"""

import sqlite3
import threading

import structlog

log = structlog.get_logger()

CHANGES = 250
"""Changed rows until the next turn. Each changes a page of the table and one of each index: some 1,000 pages, which is
when SQLite itself would do it."""
MOST_PAGES = 16_384
"""Of the log, before the writer does it: 64 MB."""


class Checkpointer:
    """The thread. `con` is its own from now on."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con
        self._changes = 0
        self._bell = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="doorward-checkpoints", daemon=True)
        self._thread.start()

    def note(self, changes: int) -> None:
        """The writer has committed; `changes`: rows that its connection has changed since it was opened."""
        if changes - self._changes >= CHANGES:
            self._changes = changes
            self._bell.set()

    def close(self) -> None:
        """Wait for the turn that is under way."""
        self._closing = True
        self._bell.set()
        self._thread.join()
        self._con.close()

    def _run(self) -> None:
        while self._bell.wait() and not self._closing:
            self._bell.clear()
            try:
                self._con.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as exc:
                log.warning("moving the database's log into its file failed", error=str(exc))
