"""Reads devices' directories, and stores what they show.

Which state: the bookmark `directory` (how far it was read, in the driver's words) and `directory_checked_at` (when all
of it was read). Both are written after everything that was read is stored, so if this dies half way the same is read
again, and what is stored already is no news. Looks at one device take turns (`work.reconcile`).

Mostly only what changed is read: after a start, after a word of the device, after our own writes. About once an hour
everything is, in case something was missed. What is cut short or older than what is known is not believed. A whole
read in which too much has vanished is believed when a second one says the same: see docs/decisions/0008.
"""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from doorward.core import changed_codes, code_state, devices, found_codes, plan, problems
from doorward.core.context import Core
from doorward.providers.base import ProgramsCodes
from doorward.providers.errors import DoubtfulAnswer, ProviderError
from doorward.providers.reports import CodesRead, FoundCode
from doorward.store import access_codes as store
from doorward.store import bookmarks
from doorward.store import devices as device_store
from doorward.store.access_codes import CodeRow
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow

T = TypeVar("T")
log = structlog.get_logger()

PLACE = "directory"
CHECKED_AT = "directory_checked_at"
CHECK_MS = 3_600_000
"""All of a directory is read about so often, whatever the device says of it."""
JITTER_MS = 600_000
"""By how much devices differ in that, so that they do not all come at once."""
PART = 250
"""Codes compared, or stored in one transaction, before others have their turn."""
CONFIRM_MS = 60_000
"""A read in which too much has vanished is repeated after this time."""
PATIENCE_MS = 900_000
"""A device whose answers are doubtful for so long has another history than we think: it is read anew."""
PAUSES_MS = (2_000, 5_000, 15_000, 60_000)
"""Before reading again what could not be read."""
WARNING = "provider_issue"
NEVER = 2**62


@dataclass
class _Device:
    """What this process knows of a device's directory; nothing that may not be lost."""

    read_at: int = 0
    """When to read what is new."""
    failures: int = 0
    doubtful_since: int | None = None
    is_known: bool = False
    """It was read in this process."""
    missing: frozenset[str] = frozenset()
    """Refs that were not there in a whole read that is not believed yet."""
    confirm_at: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    """What the device's reader should be told."""


@dataclass
class _Comparison:
    """What a read shows that is news."""

    differences: list[plan.Difference] = field(default_factory=list)
    """Of codes of ours."""
    found: list[FoundCode] = field(default_factory=list)
    """Codes that are not ours, new or changed."""
    gone: list[CodeRow] = field(default_factory=list)
    """Codes that are not ours."""
    known: int = 0
    """Codes that should be there."""
    claims: list[tuple[str, bool]] = field(default_factory=list)
    """Ids of codes of ours on which another integration has put its tag, or taken it off again."""
    ours: int = 0
    missing: set[str] = field(default_factory=set)
    """Refs of those that are not."""
    ours_missing: int = 0


class Directory:
    """Reads the directories of all devices."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._devices: defaultdict[str, _Device] = defaultdict(_Device)

    # ------------------------------------------------------------ when

    def ask(self, device_id: str, at: int) -> None:
        """Read what is new by then."""
        state = self._devices[device_id]
        state.read_at = min(state.read_at, at)

    def forget(self, device_id: str) -> None:
        """Keep nothing of this device."""
        self._devices.pop(device_id, None)

    def next_at(self, device_id: str, check_at: int) -> int:
        """When to read next."""
        state = self._devices[device_id]
        if state.failures:
            return state.read_at
        return min(state.read_at, state.confirm_at if state.missing else check_at)

    async def look(self, device: DeviceRow, link: ProgramsCodes) -> int:
        """Read the directory if it is time to; when all of it is to be read next.

        Raises ProviderError for what is the device's own state. Whatever else goes wrong is tried again later.
        """
        core, state, about = self._core, self._devices[device.device_id], (device.workspace_id, device.device_id)
        now = core.clock.now()
        place = await bookmarks.get(core.db.read, *about, PLACE)
        checked = await bookmarks.get(core.db.read, *about, CHECKED_AT)
        period = CHECK_MS - JITTER_MS // 2 + zlib.crc32(device.device_id.encode()) % JITTER_MS
        check_at = int(checked) + period if checked is not None else 0
        is_whole = (state.confirm_at if state.missing else check_at) <= now
        if state.read_at > now and (not is_whole or state.failures):
            return check_at
        try:
            read = await self._read(device, link, state, place, is_whole=is_whole)
        except ProviderError as trouble:
            if problems.device_code(trouble):
                raise
            state.read_at = now + PAUSES_MS[min(state.failures, len(PAUSES_MS) - 1)]
            state.failures += 1
            log.warning("a directory could not be read", device_id=device.device_id, reason=trouble.message)
            return check_at
        state.failures, state.doubtful_since, state.read_at = 0, None, NEVER
        if not await self._store(device, state, read, is_first=place is None):
            return check_at
        state.is_known = True
        await core.db.write(self._remember, device, read, core.clock.now() if read.is_whole else None)
        return core.clock.now() + period if read.is_whole else check_at

    async def _read(
        self, device: DeviceRow, link: ProgramsCodes, state: _Device, place: str | None, *, is_whole: bool
    ) -> CodesRead:
        now = self._core.clock.now()
        if state.doubtful_since is not None and state.doubtful_since + PATIENCE_MS <= now:
            place = None
        try:
            return await link.read_codes(device.ref, place, whole=is_whole)
        except DoubtfulAnswer:
            state.doubtful_since = state.doubtful_since or now
            raise

    async def _remember(self, tx: Tx, device: DeviceRow, read: CodesRead, checked_at: int | None) -> None:
        await tx.lock("device", device.workspace_id, device.device_id)
        if await device_store.get(tx, device.workspace_id, device.device_id) is None:
            return
        await bookmarks.put(tx, device.workspace_id, device.device_id, PLACE, read.place or "")
        if checked_at is not None:
            await bookmarks.put(tx, device.workspace_id, device.device_id, CHECKED_AT, str(checked_at))

    # ------------------------------------------------------------ what it shows

    async def _store(self, device: DeviceRow, state: _Device, read: CodesRead, *, is_first: bool) -> bool:
        """Store what was read; false: it is not believed yet."""
        seen = await self._compare(device, read)
        if read.is_whole and not self._believes(device, state, read, seen):
            return False
        write = self._core.db.write
        for differences in _parts(seen.differences):
            await write(changed_codes.store_differences, self._core, device, differences, is_first=not state.is_known)
        for claims in _parts(seen.claims):
            await write(changed_codes.store_claims, self._core, device, claims)
        for found in _parts(seen.found):
            await write(found_codes.store_found, self._core, device, found, is_first=is_first)
        for gone in _parts(seen.gone):
            await write(found_codes.forget_gone, self._core, device, gone)
        if seen.gone or seen.found or seen.differences:
            await write(changed_codes.release, self._core, device)
        return True

    async def _compare(self, device: DeviceRow, read: CodesRead) -> _Comparison:
        """What was read against what is known, in parts, so that others have their turn in between."""
        read_db, about = self._core.db.read, (device.workspace_id, device.device_id)
        found = {one.ref.lower(): one for one in read.codes}
        result, refs = _Comparison(), set(found)
        if read.is_whole:
            last: CodeRow | None = None
            while rows := await store.part_of_device(read_db, *about, last, PART):
                last = rows[-1]
                await self._compare_rows(device, rows, found, result)
                refs.difference_update(row.ref for row in rows)
        else:
            for part in _parts([*found, *(ref.lower() for ref in read.gone)]):
                rows = await store.of_refs(read_db, *about, part)
                await self._compare_rows(device, rows, found, result)
                refs.difference_update(row.ref for row in rows)
        # An entry of ours without a PIN is no code.
        result.found += [one for ref, one in found.items() if ref in refs and one.pin != ""]
        return result

    async def _compare_rows(
        self, device: DeviceRow, rows: Sequence[CodeRow], found: dict[str, FoundCode], result: _Comparison
    ) -> None:
        core, now = self._core, self._core.clock.now()
        keeps = devices.report_of(device).keeps_schedules
        await asyncio.sleep(0)
        for row in rows:
            there = found.get(row.ref)
            is_there = there is not None and (row.is_managed or there.pin != "")
            is_over = row.ends_at is not None and row.ends_at <= now
            counts = not is_over and (row.is_wanted and row.held_sealed is not None if row.is_managed else True)
            if counts:
                result.known += 1
                result.ours += row.is_managed
                if not is_there:
                    result.missing.add(row.ref)
                    result.ours_missing += row.is_managed
            if row.is_managed:
                difference = plan.difference(code_state.planned(core, row), there, keeps_schedules=keeps)
                if difference is not None:
                    result.differences.append(difference)
                if there is not None and row.held_sealed and not row.takes_over and row.is_claimed != there.is_claimed:
                    result.claims.append((row.access_code_id, there.is_claimed))
            elif not is_there:
                result.gone.append(row)
            elif there is not None and found_codes.is_news(core, device, row, there):
                result.found.append(there)

    def _believes(self, device: DeviceRow, state: _Device, read: CodesRead, seen: _Comparison) -> bool:
        """Whether what has vanished may have: little, or a second read says the same, or it is another directory."""
        guard, now = self._core.config.mass_removal_guard, self._core.clock.now()
        fresh = seen.missing - state.missing
        is_much = (
            len(seen.missing) > plan.most(guard, seen.known) or seen.ours_missing > plan.most(guard, seen.ours)
        ) and len(fresh) > plan.most(guard, len(seen.missing))
        if state.missing and now < state.confirm_at and not read.is_reset and seen.missing:
            return False  # too soon to confirm anything
        if read.is_reset or not is_much:
            state.missing = frozenset()
            self.note(device.device_id, "vanished", "")
            return True
        state.missing, state.confirm_at = frozenset(seen.missing), now + CONFIRM_MS
        text = (
            f"{len(seen.missing)} of {seen.known} access codes were missing when the device's directory was read. "
            "It is read once more before anything is done about it."
        )
        self.note(device.device_id, "vanished", text)
        log.warning("many codes are missing", device_id=device.device_id, missing=len(seen.missing), of=seen.known)
        return False

    # ------------------------------------------------------------ what is said

    def note(self, device_id: str, subject: str, text: str) -> None:
        """A sentence for the device's warnings; empty: it is no longer so."""
        self._devices[device_id].notes[subject] = text

    async def say(self, device: DeviceRow) -> None:
        """Make the device's warning what the notes say."""
        text = " ".join(note for note in self._devices[device.device_id].notes.values() if note)
        known = {issue.code: issue.message for issue in problems.read(device.warnings_json)}
        if known.get(WARNING, "") != text:
            await self._core.db.write(devices.warn, self._core, device, WARNING, text)


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + PART] for start in range(0, len(items), PART)]
