"""The directory: entries, tombstones, the change counter and the series.

Entries are kept in the order of their last change, so that an incremental query reads only what is new. Nothing here
knows HTTP; requests and replies are the decoded JSON of `dir/*`. Source: HTTP API manual, api/dir.
"""

import secrets
import uuid as uuids
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from .fields import NAME_UNKNOWN, UUID, VALUE_ERROR, FieldProblem, Schema, Selection
from .quirks import Quirks

EXISTS: Final = "EDIR_UUID_ALREADY_EXISTS"
UNKNOWN: Final = "EDIR_UUID_DOES_NOT_EXIST"
MALFORMED: Final = "EDIR_UUID_INVALID_FORMAT"
MISSING: Final = "EDIR_UUID_IS_MISSING"

PinRule = Literal["accept", "refuse", "unique"]


class Obstacles(Protocol):
    """Faults armed against writing entries; asked once per entry."""

    def is_full(self, function: str) -> bool:
        """Is there no room for one more? `function` is `create` or `update`."""
        ...

    def pin_rule(self, function: str) -> PinRule:
        """What becomes of an entry whose PIN is being set."""
        ...


class NoObstacles:
    """Nothing is armed."""

    def is_full(self, function: str) -> bool:
        """Never."""
        return False

    def pin_rule(self, function: str) -> PinRule:
        """Accept."""
        return "accept"


@dataclass(slots=True)
class Entry:
    """One user, or what is left of one."""

    uuid: str
    timestamp: int
    values: dict[str, Any] = field(default_factory=dict)
    """Leaf path → value, defaults left out."""
    deleted: bool = False

    def get(self, path: str, default: Any = "") -> Any:
        """A leaf's value."""
        return self.values.get(path, default)

    def shown(self, selection: Selection) -> dict[str, Any]:
        """The entry as a reply has it."""
        own: dict[str, Any] = {"uuid": self.uuid, "timestamp": self.timestamp}
        if self.deleted:
            return {"uuid": self.uuid, "deleted": True, "timestamp": self.timestamp}
        return selection.show({**self.values, **own})


class EntryProblem(Exception):
    """An entry was not stored."""

    def __init__(self, code: str, field_path: str | None = None) -> None:
        self.code = code
        self.field = field_path
        super().__init__(code)

    def result(self) -> dict[str, Any]:
        """The entry's place in `result.users`."""
        error = {"code": self.code}
        if self.field is not None:
            error["field"] = self.field
        return {"errors": [error]}


class Directory:
    """One intercom's directory."""

    def __init__(self, schema: Schema, quirks: Quirks, obstacles: Obstacles | None = None) -> None:
        self.schema = schema
        self.series = _new_series()
        self.timestamp = 0
        """Highest change counter."""
        self.invalid = 0
        """Changes up to this counter can no longer be told completely."""
        self._entries: dict[str, Entry] = {}
        self._live = 0
        self._obstacles: Obstacles = NoObstacles() if obstacles is None else obstacles
        self._quirks = quirks

    # ------------------------------------------------------------ reading

    def live(self) -> Iterator[Entry]:
        """Entries that exist, longest unchanged first."""
        return (entry for entry in self._entries.values() if not entry.deleted)

    def __len__(self) -> int:
        return self._live

    def find(self, uuid: str) -> Entry | None:
        """A live entry by its UUID, in either case."""
        entry = self._entries.get(uuid.lower())
        return entry if entry is not None and not entry.deleted else None

    def template(self) -> dict[str, Any]:
        """`dir/template`: one object of defaults."""
        return {"series": self.series, "users": [self.schema.select([]).show({})]}

    def get(self, wanted: list[Any], fields: list[str] | None) -> dict[str, Any]:
        """`dir/get`."""
        selection = self.schema.select(fields)
        users: list[dict[str, Any]] = []
        for item in wanted:
            try:
                uuid = _uuid_of(item)
                entry = self._entries.get(uuid.lower())
                if entry is None or (entry.deleted and not self._quirks.get_shows_tombstones):
                    raise EntryProblem(UNKNOWN)
                users.append(entry.shown(selection))
            except EntryProblem as problem:
                users.append(problem.result())
        return {"series": self.series, "users": users}

    def query(self, series: str | None, since: int, fields: list[str] | None) -> dict[str, Any]:
        """`dir/query`: entries changed after the counter `since`, deleted ones included."""
        reply: dict[str, Any] = {"series": self.series, "timestamp": self.timestamp, "invalid": self.invalid}
        if since and series is not None and series != self.series:
            return {**reply, "users": []}
        selection = self.schema.select(fields)
        changed: list[Entry] = []
        for entry in reversed(self._entries.values()):
            if entry.timestamp <= since:
                break
            if not entry.deleted or since or self._quirks.tombstones_in_full_query:
                changed.append(entry)
        return {**reply, "users": [entry.shown(selection) for entry in reversed(changed)]}

    # ------------------------------------------------------------ writing

    def create(self, users: list[Any], *, force: bool) -> dict[str, Any]:
        """`dir/create`, entry by entry."""
        return self._each(users, lambda item: self._create(item, force))

    def update(self, users: list[Any]) -> dict[str, Any]:
        """`dir/update`, entry by entry."""
        return self._each(users, self._update)

    def delete(self, users: list[Any]) -> dict[str, Any]:
        """`dir/delete` by UUID."""
        return self._each(users, self._delete)

    def delete_owner(self, owner: str) -> dict[str, Any]:
        """`dir/delete` of everything one owner keeps."""
        return self._each([{"uuid": entry.uuid} for entry in self.live() if entry.get("owner") == owner], self._delete)

    def _each(self, users: list[Any], act: Callable[[Any], Entry]) -> dict[str, Any]:
        results: list[dict[str, Any]] = []
        for item in users:
            try:
                entry = act(item)
                results.append({"uuid": entry.uuid, "timestamp": entry.timestamp})
            except EntryProblem as problem:
                results.append(problem.result())
            except FieldProblem as problem:
                results.append(EntryProblem(problem.code, problem.field).result())
        return {"series": self.series, "users": results}

    def _create(self, item: Any, force: bool) -> Entry:
        if not isinstance(item, dict):
            raise EntryProblem(VALUE_ERROR)
        uuid = _uuid_of(item) if item.get("uuid", "") != "" else str(uuids.uuid4())
        there = self._entries.get(uuid.lower())
        taken = there is not None and not (there.deleted and self._quirks.tombstone_uuid_is_free)
        if taken and not force:
            raise EntryProblem(EXISTS)
        values = self._written({}, item)
        is_new = there is None or there.deleted
        if is_new and (self._live >= self._quirks.directory_capacity or self._obstacles.is_full("create")):
            raise EntryProblem(self._quirks.directory_full_code)
        if "access.pin" in values:
            self._check_pin("create", uuid, values["access.pin"])
        return self._store(uuid, values)

    def _update(self, item: Any) -> Entry:
        entry = self._live_entry(item)
        values = self._written(entry.values, item)
        pin = values.get("access.pin")
        if pin is not None and pin != entry.get("access.pin"):
            self._check_pin("update", entry.uuid, pin)
        return self._store(entry.uuid, values)

    def _delete(self, item: Any) -> Entry:
        entry = self._live_entry(item)
        stored = self._store(entry.uuid, {}, deleted=True)
        self._purge()
        return stored

    def _live_entry(self, item: Any) -> Entry:
        if not isinstance(item, dict) or item.get("uuid", "") == "":
            raise EntryProblem(MISSING)
        entry = self.find(_uuid_of(item))
        if entry is None:
            raise EntryProblem(UNKNOWN)
        return entry

    def _written(self, before: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
        if "" in item:
            raise EntryProblem(NAME_UNKNOWN, "")
        after = {**before, **self.schema.assignments(item, self._quirks)}
        return {path: value for path, value in after.items() if value != self.schema.leaves[path].default}

    def _check_pin(self, function: str, uuid: str, pin: str) -> None:
        rule = self._obstacles.pin_rule(function)
        if rule == "accept" and not self._quirks.refuse_duplicate_pins:
            return
        if rule == "refuse" or any(
            entry.get("access.pin") == pin and entry.uuid.lower() != uuid.lower() for entry in self.live()
        ):
            raise EntryProblem(VALUE_ERROR, "access.pin")

    def _store(self, uuid: str, values: dict[str, Any], *, deleted: bool = False) -> Entry:
        before = self._entries.pop(uuid.lower(), None)
        self._live += (not deleted) - (before is not None and not before.deleted)
        self.timestamp += 1
        entry = Entry(uuid, self.timestamp, values, deleted)
        self._entries[uuid.lower()] = entry
        return entry

    def _purge(self) -> None:
        while len(self._entries) - self._live > self._quirks.max_tombstones:
            oldest = next(entry for entry in self._entries.values() if entry.deleted)
            self.invalid = max(self.invalid, oldest.timestamp)
            del self._entries[oldest.uuid.lower()]

    # ------------------------------------------------------------ a life of the directory

    def reset(self) -> None:
        """A factory reset: empty, under a new series."""
        self._entries.clear()
        self._live = self.timestamp = self.invalid = 0
        self.series = _new_series()

    def frozen(self) -> "Directory":
        """A copy that later writes do not reach. An entry is replaced, never changed, so entries are shared."""
        copy = Directory(self.schema, self._quirks)
        copy.series, copy.timestamp, copy.invalid = self.series, self.timestamp, self.invalid
        copy._entries, copy._live = dict(self._entries), self._live
        return copy

    def renew(self) -> None:
        """A new series over the same entries, as assumed for a restored backup."""
        self.series = _new_series()

    def save(self) -> dict[str, Any]:
        """Everything."""
        return {
            "series": self.series,
            "timestamp": self.timestamp,
            "invalid": self.invalid,
            "entries": [[e.uuid, e.timestamp, e.values, e.deleted] for e in self._entries.values()],
        }

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`."""
        self.series = saved["series"]
        self.timestamp = saved["timestamp"]
        self.invalid = saved["invalid"]
        self._entries = {row[0].lower(): Entry(*row) for row in saved["entries"]}
        self._live = sum(not entry.deleted for entry in self._entries.values())


def _uuid_of(item: Any) -> str:
    value = item.get("uuid", "") if isinstance(item, dict) else ""
    if value == "":
        raise EntryProblem(MISSING)
    if not isinstance(value, str) or not UUID.fullmatch(value) or not value.replace("-", "").strip("0"):
        raise EntryProblem(MALFORMED)
    return value


def _new_series() -> str:
    # Above 2^53, so that a client that reads it as a float is found out.
    return str(secrets.randbits(62) | 1 << 61)
