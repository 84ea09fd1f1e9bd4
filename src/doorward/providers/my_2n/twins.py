"""Virtual intercoms of sandboxes, kept alive on demand.

A twin is loaded from the store at its first use and stays from then on; those nobody uses cost nothing. What the
directory acknowledges was saved before; a moved switch or the log is saved within `SAVE_S`, and at `close`. If the
process dies half way, at most those 0.2 seconds are lost, as by a power cut at a real intercom.

One process at a time may use a twin: two would each have their own idea of its state.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import structlog

from doorward.clock import Clock
from doorward.providers.base import TwinStore
from doorward.providers.errors import Offline

from .emulator import VERSO, Account, Emulated, Quirks, SwitchConfig, Unit, protocol_factory
from .transport import InProcess

log = structlog.get_logger()

BRAND: Final = "my_2n"
COUNT: Final = 3
USERNAME: Final = "jane"
PASSWORD: Final = "1234"  # noqa: S105 - what the sandbox guide tells everyone
SAVE_S: Final = 0.2
SAVE_AGAIN_S: Final = 5.0
_QUIRKS: Final = Quirks(history=500, entries_only_switch_on=True)
"""As much history as old firmware keeps: it is saved with every change. And a code that lets in never locks a door."""


@dataclass(eq=False)
class Twin:
    """One living virtual intercom."""

    workspace_id: str
    owner: str
    ref: str
    unit: Unit
    wire: Emulated
    is_dirty: bool = False
    is_gone: bool = False
    """Nobody reaches it any more: its sandbox was reset, or the server stops."""
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    def connector(self) -> aiohttp.BaseConnector:
        """The wire to it, for a client."""
        return InProcess(self.wire, is_up=lambda: not (self.is_gone or self.unit.is_off))


class Twins:
    """All virtual intercoms of this server."""

    def __init__(self, store: TwinStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._alive: dict[tuple[str, str], Twin] = {}
        self._turn = asyncio.Lock()
        self._savers: dict[Twin, asyncio.Task[None]] = {}

    async def of_login(self, workspace_id: str, owner: str) -> list[str]:
        """Refs of a login's twins, in their order; made at the first login. Which they are follows from workspace
        and login alone."""
        async with self._turn:
            found = [ref for ref, _ in await self._store.find(workspace_id, BRAND, owner)]
            for index in range(len(found), COUNT):
                ref = await self._free_serial(workspace_id, owner, index)
                unit = _new_unit(ref, f"Device {index}", self._clock)
                await self._store.save(workspace_id, BRAND, owner, ref, unit.snapshot())
                await unit.close()
                found.append(ref)
            return found

    async def _free_serial(self, workspace_id: str, owner: str, index: int) -> str:
        attempt = 0
        while True:
            seed = f"{workspace_id}\n{owner}\n{index}\n{attempt}".encode()
            digits = f"{int.from_bytes(hashlib.sha256(seed).digest()[:8]) % 10**8:08d}"
            ref = f"54-{digits[:4]}-{digits[4:]}"
            if await self._store.load(workspace_id, BRAND, ref) is None:
                return ref
            attempt += 1

    async def open(self, workspace_id: str, owner: str, ref: str) -> Twin:
        """A living twin. Raises: Offline when it is gone (its sandbox was reset) or cannot be read."""
        twin = self._alive.get((workspace_id, ref))
        if twin is not None:
            return twin
        async with self._turn:
            twin = self._alive.get((workspace_id, ref))
            if twin is not None:
                return twin
            state = await self._store.load(workspace_id, BRAND, ref)
            if state is None:
                raise Offline("This virtual device no longer exists: its sandbox was reset.")
            try:
                unit = Unit.restore(state, clock=self._clock, quirks=_QUIRKS)
            except ValueError as exc:
                raise Offline("This virtual device was kept by another version of this server.") from exc
            twin = Twin(workspace_id, owner, ref, unit, protocol_factory(unit, is_secure=True))
            unit.persist = self._persist(twin)
            unit.on_change = lambda: self._changed(twin)
            self._alive[workspace_id, ref] = twin
            return twin

    async def plug(self, workspace_id: str, owner: str, ref: str, *, is_in: bool) -> None:
        """Pull a twin's plug, or put it in again; it stays so over restarts. Raises: Offline as `open`."""
        twin = await self.open(workspace_id, owner, ref)
        if is_in:
            twin.unit.plug_in()
        else:
            twin.unit.pull_plug()
        await self._save(twin)

    async def enter_code(self, workspace_id: str, owner: str, ref: str, pin: str) -> bool:
        """Type a PIN at a twin's keypad; whether it lets in. Raises: Offline as `open`, and without power."""
        twin = await self.open(workspace_id, owner, ref)
        if twin.unit.is_off:
            raise Offline("The device has no power: nobody can type anything there.")
        return twin.unit.press_keys(f"#{pin}*")

    def find(self, workspace_id: str, ref: str) -> Twin | None:
        """The twin, if it is alive."""
        return self._alive.get((workspace_id, ref))

    async def forget(self, workspace_id: str) -> None:
        """A sandbox is reset: its twins end, and their state with them."""
        async with self._turn:  # a twin being opened meanwhile would write its state back later
            for key, twin in [item for item in self._alive.items() if item[0][0] == workspace_id]:
                del self._alive[key]
                await self._end(twin)
            await self._store.forget(workspace_id)

    async def close(self) -> None:
        """Save what is not saved yet, and end all twins. Never raises."""
        for twin in tuple(self._alive.values()):
            await self._end(twin)
            try:
                if twin.is_dirty:
                    await self._save(twin)
            except Exception:
                log.exception("saving a virtual intercom failed", ref=twin.ref)
        self._alive.clear()

    async def _end(self, twin: Twin) -> None:
        twin.is_gone = True
        await twin.wire.close()
        await twin.unit.close()
        twin.unit.on_change = None
        async with twin.saving:  # a save under way is finished, not cut off
            saver = self._savers.pop(twin, None)
            if saver is not None:
                saver.cancel()
        if saver is not None:
            await asyncio.gather(saver, return_exceptions=True)

    # ------------------------------------------------------------ saving

    def _persist(self, twin: Twin) -> "Callable[[Unit], asyncio.Future[None]]":
        async def save() -> None:
            try:
                await self._save(twin)
            except BaseException:
                # Its writer gets no acknowledgement, yet the entry is there: keep trying to keep it.
                self._changed(twin)
                raise

        return lambda _unit: asyncio.ensure_future(save())

    async def _save(self, twin: Twin) -> None:
        async with twin.saving:
            # The state of now, not of when it was asked for: saves that overlap never end with the older one.
            twin.is_dirty = False
            try:
                await self._store.save(twin.workspace_id, BRAND, twin.owner, twin.ref, twin.unit.snapshot())
            except BaseException:
                twin.is_dirty = True
                raise

    def _changed(self, twin: Twin) -> None:
        twin.is_dirty = True
        if twin not in self._savers and not twin.is_gone:
            self._savers[twin] = asyncio.get_running_loop().create_task(self._save_soon(twin))

    async def _save_soon(self, twin: Twin) -> None:
        pause = SAVE_S
        while True:
            await self._clock.sleep(pause)
            pause = SAVE_S
            try:
                if twin.is_dirty:
                    await self._save(twin)
            except Exception:
                log.exception("saving a virtual intercom failed; trying again", ref=twin.ref)
                pause = SAVE_AGAIN_S
            if not twin.is_dirty:
                del self._savers[twin]
                return


def _new_unit(serial: str, name: str, clock: Clock) -> Unit:
    """As a sandbox has them: a Verso at rest. Its access switch is bistable, so that a door somebody unlocked is still
    unlocked when they look."""
    return Unit(
        VERSO,
        serial=serial,
        name=name,
        clock=clock,
        accounts=[Account(USERNAME, PASSWORD)],
        quirks=_QUIRKS,
        switches=[SwitchConfig(mode="bistable")],
    )
