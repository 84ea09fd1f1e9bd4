"""Intercoms kept in a directory, so that they survive a restart of the process.

One file per intercom, `1.json`, `2.json`, …, replaced as a whole: the new one is written beside it, synced and renamed,
so whoever dies half way leaves the old one. What `dir/*` acknowledges was written before; anything else follows within
`SAVE_S`, and when the emulator stops. The files hold passwords, PINs, the certificate's key and the log in clear text;
they are readable by their owner alone.

One process at a time may use a directory; the second is told so.
"""

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from .listener import Listener
from .unit import Unit

SAVE_S: Final = 0.2
SAVE_AGAIN_S: Final = 5.0
FORMAT: Final = 1
_LOG: Final = logging.getLogger("doorward.emulator")


class Kept(msgspec.Struct):
    """One file."""

    unit: msgspec.Raw
    """A snapshot."""
    certificate: str | None = None
    key: str | None = None
    format: int = FORMAT

    @property
    def pair(self) -> tuple[bytes, bytes] | None:
        """Certificate and key, PEM; None when it never spoke TLS."""
        if self.certificate is None or self.key is None:
            return None
        return self.certificate.encode(), self.key.encode()


class Keeper:
    """A directory of intercoms, numbered from 1."""

    def __init__(self, folder: Path) -> None:
        """Makes the directory when it is not there.

        Raises: ValueError when another process uses it; OSError when it cannot be used at all.
        """
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder / ".lock")
        self._savers: list[_Saver] = []

    def load(self, number: int) -> Kept | None:
        """What was kept of an intercom; None when nothing was.

        Raises: ValueError for a file that is none of ours; it stays untouched.
        """
        path = self._path(number)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            kept = msgspec.json.decode(data, type=Kept)
        except msgspec.DecodeError:
            kept = None
        if kept is None or kept.format != FORMAT:
            raise ValueError(f"{path} is no intercom that this version can read.")
        return kept

    async def keep(self, number: int, listener: Listener) -> None:
        """Write an intercom now, and from now on whenever it changes."""
        saver = _Saver(self._path(number), listener)
        self._savers.append(saver)
        listener.unit.persist = saver.persist
        listener.unit.on_change = saver.changed
        await saver.save()

    async def close(self) -> None:
        """Write what is not yet written, and let others use the directory."""
        for saver in self._savers:
            await saver.close()
        self._savers.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.json"


class _Saver:
    """Writes one intercom."""

    def __init__(self, path: Path, listener: Listener) -> None:
        self._path = path
        self._listener = listener
        self._turn = asyncio.Lock()
        self._is_dirty = False
        self._task: asyncio.Task[None] | None = None

    async def persist(self, _unit: Unit) -> None:
        """The directory changed."""
        await self.save()

    def changed(self) -> None:
        """Anything else changed: write it soon."""
        self._is_dirty = True
        if self._task is None or self._task.done():
            with contextlib.suppress(RuntimeError):  # outside a loop: the next change or the end writes it
                self._task = asyncio.get_running_loop().create_task(self._soon())

    async def _soon(self) -> None:
        wait = SAVE_S
        while self._is_dirty:
            await asyncio.sleep(wait)
            wait = SAVE_S
            try:
                await self.save()
            except OSError as exc:
                _LOG.error("An intercom cannot be written: %s", exc.strerror)
                wait = SAVE_AGAIN_S

    async def save(self) -> None:
        """Write it as it is now. Saves follow one another, so the newest is the last.

        Raises: OSError when it cannot be written; it is tried again.
        """
        # Whoever is cancelled meanwhile leaves a write that still holds its turn.
        await asyncio.shield(asyncio.ensure_future(self._save()))

    async def _save(self) -> None:
        async with self._turn:
            self._is_dirty = False
            pair = self._listener.certificate
            kept = Kept(
                msgspec.Raw(self._listener.unit.snapshot()),
                certificate=pair[0].decode() if pair else None,
                key=pair[1].decode() if pair else None,
            )
            try:
                await asyncio.to_thread(_replace, self._path, msgspec.json.encode(kept))
            except OSError:
                self.changed()
                raise

    async def close(self) -> None:
        """Write what is not yet written."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._listener.unit.persist = None
        self._listener.unit.on_change = None
        await self.save()


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _locked(path: Path) -> IO[Any] | None:
    try:
        import fcntl
    except ImportError:  # Windows: nothing keeps a second process away
        return None
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(handle, "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ValueError(f"Another emulator uses {path.parent}.") from None
    return file
