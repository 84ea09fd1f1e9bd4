"""PINs in an intercom's directory: one entry for each access code, under a UUID of our choice and with our owner tag.

Entries of others are read, and written only when somebody asked to take them over. Every write is read back. If a write
dies half way, the entry is there or it is not: the UUID is known, so the same call again finds out and finishes. Writes
to one directory take turns, so that the search for a PIN that somebody else has and the write after it belong together.

`success` of a reply only says that it was understood: each entry has an outcome of its own (manual, api/dir).
Reading is in `directory`. Source: HTTP API manual, api/dir/template … api/dir/query.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from doorward.providers.errors import (
    CodeRejected,
    DuplicateCode,
    NoRoom,
    NotAuthorized,
    NotOurs,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unsupported,
)
from doorward.providers.reports import (
    CodesRead,
    TakeOver,
    WantedCode,
    Written,
)

from .client import TwoNClient
from .directory import FIELDS, Entry, Pins, entry_of, is_kept_elsewhere, read
from .intercom import Intercom, Template
from .troubles import DeviceTrouble, NoAnswer, NotTheApi, Refusal, outward

NAME_LENGTH: Final = 63
"""Characters; the device's own limit is not public (clients use 63)."""
BATCH: Final = 40
"""Entries in one write at most; the device's own limit is not public (clients send up to 100)."""
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


class Codes:
    """The codes of one intercom, for the workspace whose tag is `owner`."""

    def __init__(self, intercom: Intercom, owner: str) -> None:
        self._intercom = intercom
        self._owner = owner
        self._turn = asyncio.Lock()
        self._pins = Pins()

    @property
    def _client(self) -> TwoNClient:
        return self._intercom.client

    # ------------------------------------------------------------ reading

    async def read(self, place: str | None = None, *, whole: bool = False) -> CodesRead:
        """As `ProgramsCodes.read_codes`. Raises: Refused, DoubtfulAnswer, DeviceTrouble."""
        return await read(self._client, self._owner, place, whole=whole)

    async def _get(self, ref: str) -> Entry | None:
        row = await self._client.dir_get(ref, FIELDS)
        codes = _error_codes(row)
        if row.get("deleted") is True or _UNKNOWN in codes:
            return None
        if codes:
            raise Refused("The device does not show a directory entry.", code=_public(codes))
        entry = entry_of(row)
        if entry.uuid.lower() != ref.lower():
            raise NotTheApi("dir/get")
        return entry

    # ------------------------------------------------------------ writing

    async def set(self, code: WantedCode) -> Written:
        """Make the device hold this code; as `ProgramsCodes.set_code`."""
        template = await self._intercom.template()
        self._must_fit(code, template)
        async with self._turn:
            return await self._set(self._wanted(code), template, code.takes_over)

    @staticmethod
    def _must_fit(code: WantedCode, template: Template) -> None:
        if not template.has_pin:
            raise Unsupported("This model's directory has no PINs.")
        if not template.has_validity and (code.starts_at is not None or code.ends_at is not None):
            raise Unsupported("This model cannot limit a PIN to a time.")

    def _wanted(self, code: WantedCode) -> Entry:
        return Entry(
            uuid=code.ref,
            name=clean_name(code.name),
            owner=self._owner,
            pin=code.pin,
            valid_from=0 if code.starts_at is None else max(0, code.starts_at // 1000),
            # Up to the next whole second; never 0, which would mean for good.
            valid_to=0 if code.ends_at is None else max(1, -(-code.ends_at // 1000)),
        )

    async def _set(self, wanted: Entry, template: Template, takes_over: TakeOver = TakeOver.NOTHING) -> Written:
        there = await self._get(wanted.uuid)
        if there is not None:
            self._must_be_ours(there, takes_over)
            wanted = replace(wanted, uuid=there.uuid)
            if _same(there, wanted):
                return Written.UNCHANGED
        elif takes_over:
            raise NotOurs("The access code is no longer on the device.")
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

    async def add_foreign(self, name: str, pin: str) -> Entry:
        """Add an entry as somebody else does: without our tag, under a UUID of the device's choice."""
        template = await self._intercom.template()
        wanted = Entry(uuid="", name=clean_name(name), owner="", pin=pin, valid_from=0, valid_to=0)
        async with self._turn:
            other = await self._holder(wanted)
            if other is not None:
                raise DuplicateCode(ref=other)
            user = self._user(wanted, template)
            try:
                outcome = await self._client.dir_create({key: user[key] for key in ("name", "access")})
            except (NoAnswer, NotTheApi) as trouble:
                raise outward(trouble) from trouble
            codes = _error_codes(outcome)
            if codes:
                await self._refused(wanted, outcome, codes)
            return replace(wanted, uuid=str(outcome.get("uuid", "")))

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
            stored = await self._client.dir_get_all([entry.uuid for entry in wanted], FIELDS)
        except (NoAnswer, NotTheApi, Refusal):
            # Some may be there and some not, or they were too many at once: each by itself finds out.
            return [await self._alone(code) for code in codes]
        return [
            await self._alone(code)
            if _error_codes(outcome)
            else Written.CONFIRMED
            if not _error_codes(row) and _same(entry_of(row), entry)
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
    def _user(wanted: Entry, template: Template) -> dict[str, Any]:
        access: dict[str, Any] = {"pin": wanted.pin}
        if template.has_validity:
            access |= {"validFrom": str(wanted.valid_from), "validTo": str(wanted.valid_to)}
        return {"uuid": wanted.uuid, "name": wanted.name, "owner": wanted.owner, "access": access}

    async def _write(self, wanted: Entry, template: Template, *, is_new: bool) -> dict[str, Any]:
        user = self._user(wanted, template)
        return await (self._client.dir_create(user) if is_new else self._client.dir_update(user))

    async def _find_out(self, wanted: Entry, trouble: DeviceTrouble) -> Written:
        """The answer to a write was lost: read back before anything else."""
        try:
            there = await self._get(wanted.uuid)
        except (DeviceTrouble, Refused):
            there = None
        if there is not None and _same(there, wanted):
            return Written.CONFIRMED
        raise outward(trouble)

    async def _refused(self, wanted: Entry, outcome: Mapping[str, Any], codes: tuple[str, ...]) -> None:
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

    async def remove(self, ref: str, *, takes_over: TakeOver = TakeOver.NOTHING, is_found: bool = False) -> None:
        """Remove a code; as `ProgramsCodes.remove_code`."""
        async with self._turn:
            there = await self._get(ref)
            if there is None:
                return
            self._must_be_ours(there, takes_over)
            if is_found and _has_more(await self._client.dir_get(there.uuid)):
                await self._take_pin(there)
                return
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

    async def _take_pin(self, there: Entry) -> None:
        """A person's entry loses its PIN and our tag, and keeps everything else: it serves for more.

        Its validity stays, too: a card that is over must not open again.
        """
        trouble: DeviceTrouble | None = None
        codes: tuple[str, ...] = ()
        try:
            outcome = await self._client.dir_update({"uuid": there.uuid, "owner": "", "access": {"pin": ""}})
            codes = _error_codes(outcome)
        except (NoAnswer, NotTheApi) as exc:
            trouble = exc
        left = await self._get(there.uuid)
        if left is None or not left.pin:
            return
        if trouble is not None:
            raise outward(trouble)
        raise Refused("The device did not remove the PIN of this access code.", code=_public(codes) or None)

    def _must_be_ours(self, entry: Entry, takes_over: TakeOver = TakeOver.NOTHING) -> None:
        """Raises Refused for an entry that may not be written."""
        is_open = not entry.owner or takes_over is TakeOver.CLAIMED
        if takes_over and is_open and not is_kept_elsewhere(entry.owner):
            return
        if entry.owner != self._owner:
            raise NotOurs("The directory entry of this access code belongs to somebody else now; it was left alone.")

    # ------------------------------------------------------------ PINs of others

    async def _holder(self, wanted: Entry) -> str | None:
        """The UUID of another entry that has this PIN. Devices take the same PIN twice and let the first one in."""
        await self._pins.refresh(self._client)
        return self._pins.holder(wanted.pin, wanted.uuid)


# ---------------------------------------------------------------- replies


def _same(there: Entry, wanted: Entry) -> bool:
    return (there.name, there.owner, there.pin, there.valid_from, there.valid_to) == (
        wanted.name,
        wanted.owner,
        wanted.pin,
        wanted.valid_from,
        wanted.valid_to,
    )


_OURS: Final = frozenset({"uuid", "timestamp", "owner", "name", "pin", "validFrom", "validTo", "treepath"})


def _has_more(row: Mapping[str, Any]) -> bool:
    """Whether an entry serves for something beside a PIN: it has another field that is not at its default."""

    def says(name: str, value: Any) -> bool:
        if name in _OURS:
            return False
        if isinstance(value, Mapping):
            return any(says(key, one) for key, one in value.items())
        if isinstance(value, list):
            return any(says(name, one) for one in value)
        return value not in ("", "0", 0, None) and not (name == "enabled" and value is True)

    return any(says(name, value) for name, value in row.items())


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
