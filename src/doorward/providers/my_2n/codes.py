"""PINs in an intercom's directory: one entry for each access code, under a UUID of our choice and with our owner tag.

Entries of others are read, never written. Every write is read back. If a write dies half way, the entry is there or it
is not: the UUID is ours, so the same call again finds out and finishes. Writes to one directory take turns, so that the
search for a PIN that somebody else has and the write after it belong together.

`success` of a reply only says that it was understood: each entry has an outcome of its own (manual, api/dir).
Source: HTTP API manual, api/dir/template … api/dir/query.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorward.providers.base import (
    CodeRejected,
    DuplicateCode,
    FoundCode,
    NoRoom,
    NotAuthorized,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unsupported,
    WantedCode,
    Written,
)

from .client import TwoNClient
from .intercom import Intercom, Template
from .troubles import DeviceTrouble, NoAnswer, NotTheApi, Refusal, outward

NAME_LENGTH: Final = 63
"""Characters; the device's own limit is not public (clients use 63)."""
BATCH: Final = 40
"""Entries in one write at most; the device's own limit is not public (clients send up to 100)."""
_FIELDS: Final = ("name", "owner", "access.pin", "access.validFrom", "access.validTo")
_PAGES: Final = 1_000
_FOREVER: Final = 2**32 - 1
"""The latest second that a device can name."""
_EXISTS: Final = "EDIR_UUID_ALREADY_EXISTS"
_UNKNOWN: Final = "EDIR_UUID_DOES_NOT_EXIST"
_VALUE_ERROR: Final = "EDIR_FIELD_VALUE_ERROR"
_NOT_AVAILABLE: Final = ("EDIR_FIELD_NOT_AVAILABLE", "EDIR_FIELD_NAME_UNKNOWN")
_FULL: Final = re.compile(r"FULL|LIMIT|CAPACITY|SPACE|ROOM|MAX|TOO_MANY|QUOTA")
"""The name of the error of a full directory is not public."""
_ERROR_CODE: Final = re.compile(r"E[A-Z0-9_]{1,60}")


def owner_tag(workspace_id: str) -> str:
    """The mark on entries that are this workspace's: `doorward-` and 12 hex digits of its id."""
    digits = re.sub(r"[^0-9a-f]", "", workspace_id.lower())
    return f"doorward-{digits[:12]}"


def clean_name(name: str) -> str:
    """A name as a device takes it: without `<`, `>`, `/` and control characters, at most 63 characters."""
    kept = "".join(" " if c in "<>/" or not c.isprintable() else c for c in name)
    return " ".join(kept.split())[:NAME_LENGTH].rstrip() or "Access code"


@dataclass(frozen=True)
class _Entry:
    """What we read of a directory entry; defaults filled in."""

    uuid: str
    name: str
    owner: str
    pin: str
    valid_from: int
    """Unix seconds, 0: unlimited."""
    valid_to: int

    def __repr__(self) -> str:
        return f"_Entry(uuid={self.uuid!r}, …)"


class Codes:
    """The codes of one intercom, for the workspace whose tag is `owner`."""

    def __init__(self, intercom: Intercom, owner: str) -> None:
        self._intercom = intercom
        self._owner = owner
        self._turn = asyncio.Lock()
        self._pins = _Pins()

    @property
    def _client(self) -> TwoNClient:
        return self._intercom.client

    # ------------------------------------------------------------ reading

    async def read(self) -> list[FoundCode]:
        """All entries with a PIN, and all of ours. A read that breaks off raises: it never looks like an empty one.

        Raises: Refused, DeviceTrouble.
        """
        rows = (await _query(self._client, _FIELDS)).rows
        last = {str(row["uuid"]).lower(): row for row in rows}
        found = [_entry(row) for row in last.values() if row.get("deleted") is not True]
        return [
            FoundCode(
                ref=entry.uuid,
                is_ours=entry.owner == self._owner,
                name=entry.name,
                pin=entry.pin,
                starts_at=entry.valid_from * 1000 or None,
                ends_at=entry.valid_to * 1000 or None,
                owner=entry.owner,
            )
            for entry in found
            if entry.pin or entry.owner == self._owner
        ]

    async def _get(self, ref: str) -> _Entry | None:
        row = await self._client.dir_get(ref, _FIELDS)
        codes = _error_codes(row)
        if row.get("deleted") is True or _UNKNOWN in codes:
            return None
        if codes:
            raise Refused("The device does not show a directory entry.", code=_public(codes))
        entry = _entry(row)
        if entry.uuid.lower() != ref.lower():
            raise NotTheApi("dir/get")
        return entry

    # ------------------------------------------------------------ writing

    async def set(self, code: WantedCode) -> Written:
        """Make the device hold this code; as `ProgramsCodes.set_code`."""
        template = await self._intercom.template()
        self._must_fit(code, template)
        async with self._turn:
            return await self._set(self._wanted(code), template)

    @staticmethod
    def _must_fit(code: WantedCode, template: Template) -> None:
        if not template.has_pin:
            raise Unsupported("This model's directory has no PINs.")
        if not template.has_validity and (code.starts_at is not None or code.ends_at is not None):
            raise Unsupported("This model cannot limit a PIN to a time.")

    def _wanted(self, code: WantedCode) -> _Entry:
        return _Entry(
            uuid=code.ref,
            name=clean_name(code.name),
            owner=self._owner,
            pin=code.pin,
            valid_from=0 if code.starts_at is None else max(0, code.starts_at // 1000),
            # Up to the next whole second; never 0, which would mean for good.
            valid_to=0 if code.ends_at is None else max(1, -(-code.ends_at // 1000)),
        )

    async def _set(self, wanted: _Entry, template: Template) -> Written:
        there = await self._get(wanted.uuid)
        if there is not None:
            self._must_be_ours(there)
            if _same(there, wanted):
                return Written.UNCHANGED
        if there is None or there.pin != wanted.pin:
            other = await self._holder(wanted)
            if other is not None:
                raise DuplicateCode(ref=other)
        try:
            outcome = await self._write(wanted, template, is_new=there is None)
            codes = _error_codes(outcome)
            if there is None and _EXISTS in codes:
                # Made by a call whose answer was lost, or by somebody else: look again, it may not be ours.
                again = await self._get(wanted.uuid)
                if again is not None:
                    self._must_be_ours(again)
                outcome = await self._write(wanted, template, is_new=again is None)
                codes = _error_codes(outcome)
        except (NoAnswer, NotTheApi) as trouble:
            return await self._find_out(wanted, trouble)
        if codes:
            await self._refused(wanted, outcome, codes)
        try:
            written = await self._get(wanted.uuid)
        except (DeviceTrouble, Refused):
            return Written.ACCEPTED
        return Written.CONFIRMED if written is not None and _same(written, wanted) else Written.ACCEPTED

    async def set_all(self, codes: Sequence[WantedCode]) -> list[Written | ProviderError]:
        """Make the device hold codes that it does not have yet, in few writes; an outcome each, in their order.

        An entry that is there already, or is refused, is looked at by itself. Raises what stops all of them.
        """
        template = await self._intercom.template()
        found: list[Written | ProviderError] = []
        for start in range(0, len(codes), BATCH):
            async with self._turn:
                found += await self._set_batch(codes[start : start + BATCH], template)
        return found

    async def _set_batch(self, codes: Sequence[WantedCode], template: Template) -> list[Written | ProviderError]:
        wanted = [self._wanted(code) for code in codes]
        pins = [entry.pin for entry in wanted]
        simple = template.has_pin and template.has_validity and len(set(pins)) == len(pins)
        if simple:
            await self._pins.refresh(self._client)
            simple = not any(self._pins.holder(entry.pin, entry.uuid) for entry in wanted)
        if not simple:
            return [await self._alone(code) for code in codes]
        try:
            outcomes = await self._client.dir_create_all([self._user(entry, template) for entry in wanted])
            stored = await self._client.dir_get_all([entry.uuid for entry in wanted], _FIELDS)
        except (NoAnswer, NotTheApi, Refusal):
            # Some may be there and some not, or they were too many at once: each by itself finds out.
            return [await self._alone(code) for code in codes]
        return [
            await self._alone(code)
            if _error_codes(outcome)
            else Written.CONFIRMED
            if not _error_codes(row) and _same(_entry(row), entry)
            else Written.ACCEPTED
            for code, entry, outcome, row in zip(codes, wanted, outcomes, stored, strict=True)
        ]

    async def _alone(self, code: WantedCode) -> Written | ProviderError:
        """One code of a batch; only its own trouble becomes its outcome."""
        template = await self._intercom.template()
        try:
            self._must_fit(code, template)
            return await self._set(self._wanted(code), template)
        except (Refused, Unsupported, OutcomeUnknown) as trouble:
            return trouble
        except Refusal as refusal:
            meant = outward(refusal)
            if isinstance(meant, NotAuthorized):
                raise
            return meant

    @staticmethod
    def _user(wanted: _Entry, template: Template) -> dict[str, Any]:
        access: dict[str, Any] = {"pin": wanted.pin}
        if template.has_validity:
            access |= {"validFrom": str(wanted.valid_from), "validTo": str(wanted.valid_to)}
        return {"uuid": wanted.uuid, "name": wanted.name, "owner": wanted.owner, "access": access}

    async def _write(self, wanted: _Entry, template: Template, *, is_new: bool) -> dict[str, Any]:
        user = self._user(wanted, template)
        return await (self._client.dir_create(user) if is_new else self._client.dir_update(user))

    async def _find_out(self, wanted: _Entry, trouble: DeviceTrouble) -> Written:
        """The answer to a write was lost: read back before anything else."""
        try:
            there = await self._get(wanted.uuid)
        except (DeviceTrouble, Refused):
            there = None
        if there is not None and _same(there, wanted):
            return Written.CONFIRMED
        raise outward(trouble)

    async def _refused(self, wanted: _Entry, outcome: Mapping[str, Any], codes: tuple[str, ...]) -> None:
        """Raise what an entry's errors mean."""
        public = _public(codes)
        fields = {str(error.get("field", "")) for error in _errors(outcome)}
        if _VALUE_ERROR in codes and "access.pin" in fields:
            other = await self._holder(wanted)
            if other is not None:
                raise DuplicateCode(code=public, ref=other)
            raise CodeRejected("The device does not accept this PIN.", code=public)
        if _VALUE_ERROR in codes:
            if fields & {"access.validFrom", "access.validTo"}:
                raise CodeRejected("The device does not accept this time frame.", code=public)
            raise CodeRejected("The device does not accept a value of this access code.", code=public)
        if any(code in _NOT_AVAILABLE for code in codes):
            raise Unsupported("This model's directory lacks something that access codes need.", code=public)
        if any(_FULL.search(code) for code in codes):
            raise NoRoom("The device's directory is full. Remove users there, or other access codes.", code=public)
        raise Refused(f"The device did not store the access code ({public}).", code=public)

    async def remove(self, ref: str) -> None:
        """Remove a code; as `ProgramsCodes.remove_code`."""
        async with self._turn:
            there = await self._get(ref)
            if there is None:
                return
            self._must_be_ours(there)
            unknown: DeviceTrouble | None = None
            codes: tuple[str, ...] = ()
            try:
                codes = _error_codes(await self._client.dir_delete(there.uuid))
            except (NoAnswer, NotTheApi) as trouble:
                unknown = trouble
            try:
                left = await self._get(ref)
            except (DeviceTrouble, Refused) as exc:
                if unknown is None and not codes:
                    return  # the device said that it is done
                raise (outward(unknown) if unknown is not None else OutcomeUnknown()) from exc
            if left is None:
                return
            if unknown is not None:
                raise outward(unknown)
            public = _public(codes)
            raise Refused(
                "The device did not remove the access code" + (f" ({public})." if public else "."), code=public
            )

    def _must_be_ours(self, entry: _Entry) -> None:
        if entry.owner != self._owner:
            raise Refused("The directory entry of this access code belongs to somebody else now; it was left alone.")

    # ------------------------------------------------------------ PINs of others

    async def _holder(self, wanted: _Entry) -> str | None:
        """The UUID of another entry that has this PIN. Devices take the same PIN twice and let the first one in."""
        await self._pins.refresh(self._client)
        return self._pins.holder(wanted.pin, wanted.uuid)


class _Pins:
    """Who has which PIN, kept by the directory's own change counter so that a look costs only what is new."""

    def __init__(self) -> None:
        self._series: str | None = None
        self._timestamp = 0
        self._by_uuid: dict[str, tuple[str, str]] = {}

    async def refresh(self, client: TwoNClient) -> None:
        """Catch up with the directory."""
        changes = await _query(client, ("access.pin",), self._series, self._timestamp)
        if changes.is_whole:
            self._by_uuid.clear()
        self._series, self._timestamp = changes.series, changes.timestamp
        for row in changes.rows:
            entry = None if row.get("deleted") is True else _entry(row)
            key = str(row["uuid"]).lower()
            if entry is None or not entry.pin:
                self._by_uuid.pop(key, None)
            else:
                self._by_uuid[key] = (entry.uuid, entry.pin)

    def holder(self, pin: str, but: str) -> str | None:
        """Another entry's UUID that has this PIN."""
        return next((u for key, (u, p) in self._by_uuid.items() if p == pin and key != but.lower()), None)


# ---------------------------------------------------------------- replies


@dataclass(frozen=True)
class _Changes:
    """What a query showed, in the device's order; a later row of the same entry replaces an earlier one."""

    is_whole: bool
    """All entries, not only what changed."""
    series: str | None
    timestamp: int
    rows: list[dict[str, Any]]


async def _query(client: TwoNClient, fields: tuple[str, ...], series: str | None = None, since: int = 0) -> _Changes:
    """Entries changed after the counter `since` of `series`; all of them when there is no such place any more.

    Goes on until the device has nothing newer to show: the manual mentions no paging, one client in the field reads
    that way. Raises: Refused, DeviceTrouble.
    """
    for _ in range(3):
        is_whole = series is None or not since
        reply = (
            await client.dir_query(fields) if is_whole else await client.dir_query(fields, series=series, since=since)
        )
        named = reply.get("series")
        current = named if isinstance(named, str) else None
        if not is_whole and (current != series or _number(reply, "invalid") > since):
            series, since = None, 0
            continue
        rows = _users(reply, can_be_missing=not is_whole)
        found = list(rows)
        for _ in range(_PAGES):
            newest = max((_number(row, "timestamp") for row in rows), default=since)
            if newest <= since or newest >= _number(reply, "timestamp") or current is None:
                return _Changes(is_whole, current, max(newest, since), found)
            since = newest
            reply = await client.dir_query(fields, series=current, since=since)
            if reply.get("series") != current:
                break  # the directory was replaced meanwhile: start over
            rows = _users(reply, can_be_missing=True)
            found += rows
        series, since = None, 0
    raise Refused("The device's directory changes faster than it can be read.")


def _users(reply: Mapping[str, Any], *, can_be_missing: bool = False) -> list[dict[str, Any]]:
    users = reply.get("users", [] if can_be_missing else None)
    if not isinstance(users, list) or not all(isinstance(user, dict) and user.get("uuid") for user in users):
        raise NotTheApi("dir/query")
    return users


def _entry(row: Mapping[str, Any]) -> _Entry:
    """Devices leave out default values."""
    access = row.get("access")
    access = access if isinstance(access, Mapping) else {}
    uuid, name, owner, pin = row.get("uuid"), row.get("name", ""), row.get("owner", ""), access.get("pin", "")
    if not isinstance(uuid, str) or not uuid:
        raise NotTheApi("dir/get")
    return _Entry(
        uuid=uuid,
        name=name if isinstance(name, str) else "",
        owner=owner if isinstance(owner, str) else "",
        pin=str(pin) if isinstance(pin, (str, int)) and not isinstance(pin, bool) else "",
        valid_from=_seconds(access.get("validFrom", "0")),
        valid_to=_seconds(access.get("validTo", "0")),
    )


def _seconds(value: Any) -> int:
    """Validity: a decimal string of unix seconds."""
    try:
        return min(max(0, int(value)), _FOREVER) if isinstance(value, (str, int)) else 0
    except ValueError:
        return 0


def _number(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key, 0)
    return value if isinstance(value, int) else 0


def _same(there: _Entry, wanted: _Entry) -> bool:
    return (there.name, there.owner, there.pin, there.valid_from, there.valid_to) == (
        wanted.name,
        wanted.owner,
        wanted.pin,
        wanted.valid_from,
        wanted.valid_to,
    )


def _errors(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = row.get("errors")
    return [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []


def _error_codes(row: Mapping[str, Any]) -> tuple[str, ...]:
    """An entry's errors. Their presence is the sign of failure, not the absence of a UUID."""
    if not row.get("errors"):
        return ()
    return tuple(str(error.get("code", "")) for error in _errors(row)) or ("",)


def _public(codes: tuple[str, ...]) -> str:
    """The device's error names, verbatim where they are names."""
    return ", ".join(code if _ERROR_CODE.fullmatch(code) else "an unnamed error" for code in codes)
