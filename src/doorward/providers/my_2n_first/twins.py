"""Virtual intercoms of sandbox workspaces: the emulator, kept in the server's store.

A twin is loaded when it is first used and lives until the server stops. Its directory is stored before the emulator
acknowledges a change, so an entry that was confirmed is never lost; switches and the event log are stored shortly
after they change. A crash in between loses at most that last moment of them, as a power cut would on hardware.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from doorward.clock import Clock
from doorward.providers.base import TwinStore
from doorward.providers.my_2n.emulator import (
    VERSO,
    Account,
    Emulated,
    Quirks,
    SwitchConfig,
    Unit,
    protocol_factory,
)

log = structlog.get_logger()

BRAND = "my_2n"
COUNT = 3
SAVE_AFTER_S = 0.2
QUIRKS = Quirks(history=300)
"""A shorter log than hardware's 10,000 events: it is stored with every change of the directory."""
DEVICE_USER, DEVICE_PASSWORD = "jane", "1234"


@dataclass
class Twin:
    """A live virtual intercom."""

    unit: Unit
    server: Emulated
    owner: str
    saving: asyncio.Task[None] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Twins:
    """Live twins by workspace and serial number."""

    def __init__(self, store: TwinStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._live: dict[tuple[str, str], Twin] = {}
        self._turn = asyncio.Lock()

    async def of_login(self, workspace_id: str, email: str) -> list[Unit]:
        """The three intercoms of a sandbox login, made at its first use."""
        async with self._turn:
            stored = await self._store.find(workspace_id, BRAND, email)
            if not stored:
                for position in range(COUNT):
                    unit = Unit(
                        VERSO,
                        serial=_serial(workspace_id, email, position),
                        name=f"Device {position}",
                        clock=self._clock,
                        accounts=[Account(DEVICE_USER, DEVICE_PASSWORD)],
                        quirks=QUIRKS,
                        switches=[SwitchConfig(mode="bistable")],
                    )
                    await self._store.save(workspace_id, BRAND, email, unit.serial, unit.snapshot())
                stored = await self._store.find(workspace_id, BRAND, email)
            return [self._alive(workspace_id, email, ref, state).unit for ref, state in stored]

    async def get(self, workspace_id: str, ref: str, owner: str) -> Twin | None:
        """The twin with this serial number; None when the workspace has none."""
        twin = self._live.get((workspace_id, ref))
        if twin is not None:
            return twin
        async with self._turn:
            state = await self._store.load(workspace_id, BRAND, ref)
            return self._alive(workspace_id, owner, ref, state) if state is not None else None

    def _alive(self, workspace_id: str, owner: str, ref: str, state: bytes) -> Twin:
        key = (workspace_id, ref)
        twin = self._live.get(key)
        if twin is None:
            unit = Unit.restore(state, clock=self._clock, quirks=QUIRKS)
            twin = self._live[key] = Twin(unit, protocol_factory(unit), owner)
            unit.persist = self._persist(workspace_id, twin)
            unit.on_change = self._soon(workspace_id, twin)
        return twin

    def _persist(self, workspace_id: str, twin: Twin) -> Callable[[Unit], Awaitable[None]]:
        async def persist(unit: Unit) -> None:
            async with twin.turn:
                await self._store.save(workspace_id, BRAND, twin.owner, unit.serial, unit.snapshot())

        return persist

    def _soon(self, workspace_id: str, twin: Twin) -> Callable[[], None]:
        persist = self._persist(workspace_id, twin)

        async def save() -> None:
            await self._clock.sleep(SAVE_AFTER_S)
            twin.saving = None
            try:
                await persist(twin.unit)
            except Exception:
                log.exception("a virtual intercom was not stored", serial=twin.unit.serial)

        def changed() -> None:
            if twin.saving is None:
                twin.saving = asyncio.ensure_future(save())

        return changed

    async def close(self) -> None:
        """Store everything and stop."""
        for (workspace_id, ref), twin in self._live.items():
            twin.unit.on_change = None
            if twin.saving is not None:
                twin.saving.cancel()
                await asyncio.gather(twin.saving, return_exceptions=True)
                await self._store.save(workspace_id, BRAND, twin.owner, ref, twin.unit.snapshot())
            await twin.server.close()
        self._live.clear()


def _serial(workspace_id: str, email: str, position: int) -> str:
    """A serial number in the vendor's form, the same for the same workspace, login and position."""
    number = int.from_bytes(hashlib.sha256(f"{workspace_id}/{email}/{position}".encode()).digest()[:8])
    return f"54-{number % 10_000:04d}-{number // 10_000 % 10_000:04d}"
