"""The directory's field catalogue: names, defaults, limits, and the shapes they are read and written in.

An entry is kept **flat**: leaf path (`access.code[0]`) → value, defaults left out. This module turns what a client
sends into assignments of leaves, and leaves back into nested objects. It knows no entries and no timestamps.
Source: HTTP API manual, api/dir; field lists per family after the vendor's published tests.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from .model import MODELS, Model
from .quirks import Quirks

NAME_UNKNOWN: Final = "EDIR_FIELD_NAME_UNKNOWN"
NOT_AVAILABLE: Final = "EDIR_FIELD_NOT_AVAILABLE"
VALUE_ERROR: Final = "EDIR_FIELD_VALUE_ERROR"

Token = str | int
Check = Callable[[Any, Quirks], bool]

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN: Final = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,4})\]")


class FieldProblem(Exception):
    """One field of an entry was refused."""

    def __init__(self, code: str, field: str) -> None:
        self.code = code
        self.field = field
        """Leaf path; an empty array index (`code[]`) never occurs."""
        super().__init__(f"{code} {field}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar of an entry, at a fixed place."""

    path: str
    tokens: tuple[Token, ...]
    default: Any
    check: Check


def _text(limit: int, *, pattern: str | None = None) -> Check:
    regex = re.compile(pattern) if pattern else None

    def check(value: Any, _quirks: Quirks) -> bool:
        return (
            isinstance(value, str) and len(value) <= limit and (not value or not regex or bool(regex.fullmatch(value)))
        )

    return check


def _flag(value: Any, _quirks: Quirks) -> bool:
    return isinstance(value, bool)


def _number(value: Any, _quirks: Quirks) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFFFFFF


def _instant(value: Any, _quirks: Quirks) -> bool:
    return (
        isinstance(value, str) and len(value) <= 10 and value.isascii() and value.isdigit() and int(value) <= 0xFFFFFFFF
    )


def _name(value: Any, quirks: Quirks) -> bool:
    return isinstance(value, str) and len(value) <= quirks.name_max_length and not set(value) & set("<>/")


def _digits(value: Any, longest: int, quirks: Quirks) -> bool:
    if quirks.pin_may_be_number and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return isinstance(value, str) and (
        not value or (value.isascii() and value.isdigit() and 2 <= len(value) <= longest)
    )


def _pin(value: Any, quirks: Quirks) -> bool:
    return _digits(value, quirks.pin_max_length, quirks)


def _code(value: Any, quirks: Quirks) -> bool:
    return _digits(value, quirks.code_max_length, quirks)


_CATALOGUE: Final[tuple[tuple[str, Any, Check], ...]] = (
    ("uuid", "", _text(36)),
    ("deleted", False, _flag),
    ("owner", "", _text(63)),
    ("name", "", _name),
    ("photo", "", _text(1_000_000)),
    ("email", "", _text(255)),
    ("treepath", "/", _text(255, pattern=r"/(.*/)?")),
    ("virtNumber", "", _text(7, pattern=r"[0-9]{1,7}")),
    ("deputy", "", _text(36, pattern=UUID.pattern)),
    ("buttons", "", _text(255, pattern=r"[0-9]{1,3}(,[0-9]{1,3})*")),
    ("callPos[].peer", "", _text(255)),
    ("callPos[].profiles", "", _text(63)),
    ("callPos[].grouped", False, _flag),
    ("callPos[].ipEye", "", _text(255)),
    ("access.validFrom", "0", _instant),
    ("access.validTo", "0", _instant),
    ("access.accessPoints[].enabled", True, _flag),
    ("access.accessPoints[].profiles", "", _text(63)),
    ("access.pairingExpired", False, _flag),
    ("access.virtCard", "", _text(32, pattern=r"[0-9A-Fa-f]{6,32}")),
    ("access.card[]", "", _text(32, pattern=r"[0-9A-Fa-f]{6,32}")),
    ("access.mobkey", "", _text(64, pattern=r"[0-9A-Fa-f]+")),
    ("access.fpt", "", _text(100_000)),
    ("access.pin", "", _pin),
    ("access.accessException", False, _flag),
    ("access.code[]", "", _code),
    ("access.licensePlates", "", _text(255)),
    ("access.liftFloors", "", _text(255)),
    ("recordType", 0, _number),
    ("highlighting", False, _flag),
    ("timestamp", 0, _number),
)

READ_ONLY: Final = frozenset({"uuid", "deleted", "timestamp"})


class Schema:
    """The directory of one family: which leaves exist, in template order."""

    def __init__(self, model: Model) -> None:
        sizes = {"callPos": 3, "accessPoints": 2, "card": 2, "code": model.codes}
        self.leaves: dict[str, Leaf] = {}
        for pattern, default, check in _CATALOGUE:
            if pattern not in model.directory_fields:
                continue
            before, bracket, after = pattern.partition("[]")
            count = sizes[before.rpartition(".")[2]] if bracket else 1
            for index in range(count):
                path = f"{before}[{index}]{after}" if bracket else pattern
                self.leaves[path] = Leaf(path, parse_path(path), default, check)
        self._by_tokens = {leaf.tokens: leaf for leaf in self.leaves.values()}
        self._groups = {leaf.tokens[:n] for leaf in self.leaves.values() for n in range(1, len(leaf.tokens))}

    def assignments(self, entry: dict[str, Any], quirks: Quirks) -> dict[str, Any]:
        """What a create or update wants to set: leaf path → checked value. Read-only fields are checked, then
        dropped; an array is taken by position, and `[]` clears it whole.

        Raises: FieldProblem for the first field at fault.
        """
        wanted: dict[str, Any] = {}
        for key, value in entry.items():
            tokens = parse_path(key) if key else ()
            if not tokens or ("[" in key and not quirks.index_in_update_keys):
                raise FieldProblem(NAME_UNKNOWN, key)
            for leaf, item in self._walk(tokens, value, quirks):
                if leaf.path not in READ_ONLY:
                    wanted[leaf.path] = item
        return wanted

    def _walk(self, tokens: tuple[Token, ...], value: Any, quirks: Quirks) -> Iterator[tuple[Leaf, Any]]:
        leaf = self._by_tokens.get(tokens)
        if leaf is not None:
            if not leaf.check(value, quirks):
                raise FieldProblem(VALUE_ERROR, spell(tokens, quirks))
            yield leaf, (str(value) if isinstance(leaf.default, str) else value)
        elif tokens not in self._groups:
            raise FieldProblem(_why_absent(tokens), spell(tokens, quirks))
        elif isinstance(value, dict) and not self._is_array(tokens):
            for key, item in value.items():
                yield from self._walk((*tokens, *parse_path(key)), item, quirks)
        elif isinstance(value, list) and self._is_array(tokens):
            for index, item in enumerate(value):
                if (*tokens, index) not in self._groups and (*tokens, index) not in self._by_tokens:
                    raise FieldProblem(VALUE_ERROR, spell((*tokens, index), quirks))
                yield from self._walk((*tokens, index), item, quirks)
            if not value:
                for member in self.leaves.values():
                    if member.tokens[: len(tokens)] == tokens:
                        yield member, member.default
        else:
            raise FieldProblem(VALUE_ERROR, spell(tokens, quirks))

    def _is_array(self, tokens: tuple[Token, ...]) -> bool:
        return (*tokens, 0) in self._groups or (*tokens, 0) in self._by_tokens

    def select(self, fields: list[str] | None) -> "Selection":
        """Which leaves a read shows. None: those that are not default; empty: all; else the named leaves and groups,
        and always `uuid` and `timestamp`. Unknown names are ignored."""
        if fields is None:
            return Selection(tuple(self.leaves.values()), skip_defaults=True)
        if not fields:
            return Selection(tuple(self.leaves.values()), skip_defaults=False)
        wanted = [parse_path(name) for name in fields] + [("uuid",), ("timestamp",)]
        return Selection(
            tuple(leaf for leaf in self.leaves.values() if any(_covers(w, leaf.tokens) for w in wanted)),
            skip_defaults=False,
        )


@dataclass(frozen=True)
class Selection:
    """The leaves a reply shows."""

    leaves: tuple[Leaf, ...]
    skip_defaults: bool

    def show(self, values: dict[str, Any]) -> dict[str, Any]:
        """A nested object of one entry's flat values."""
        shown: Iterable[Leaf] = self.leaves
        if self.skip_defaults:
            # An array with one member set is shown whole, so that positions keep their meaning.
            heads = {path.partition("[")[0] for path in values if "[" in path}
            shown = [leaf for leaf in self.leaves if leaf.path in values or leaf.path.partition("[")[0] in heads]
        tree: dict[str, Any] = {}
        for leaf in shown:
            _put(tree, leaf.tokens, values.get(leaf.path, leaf.default))
        return tree


def _put(tree: dict[str, Any], tokens: tuple[Token, ...], value: Any) -> None:
    here: Any = tree
    last = len(tokens) - 1
    for position, token in enumerate(tokens):
        if isinstance(token, int):
            while len(here) <= token:
                here.append("" if position == last else {})
        if position == last:
            here[token] = value
        elif isinstance(token, int):
            here = here[token]
        else:
            here = here.setdefault(token, [] if isinstance(tokens[position + 1], int) else {})


def _covers(wanted: tuple[Token, ...], tokens: tuple[Token, ...]) -> bool:
    """Does `callPos.peer` or `callPos[1]` or `access` cover this leaf? A missing index covers all of them."""
    rest = list(tokens)
    for token in wanted:
        while rest and isinstance(rest[0], int) and not isinstance(token, int):
            rest.pop(0)
        if not rest or rest.pop(0) != token:
            return False
    return True


@lru_cache(maxsize=512)
def parse_path(path: str) -> tuple[Token, ...]:
    """`access.code[1]` → ("access", "code", 1). Anything that is not a path comes back as one name."""
    tokens: list[Token] = []
    position = 0
    while position < len(path):
        match = _TOKEN.match(path, position)
        if match is None:
            return (path,)
        tokens.append(match[1] if match[1] is not None else int(match[2]))
        position = match.end()
    return tuple(tokens)


def spell(tokens: Iterable[Token], quirks: Quirks) -> str:
    """A leaf's path as entry errors spell it."""
    text = ""
    for token in tokens:
        if isinstance(token, int):
            text += f"[{token}]" if quirks.index_in_error_field else ""
        else:
            text += f".{token}" if text else token
    return text


def _why_absent(tokens: tuple[Token, ...]) -> str:
    """Known on some model, or on none."""
    for schema in map(schema_of, MODELS.values()):
        if tokens in schema._by_tokens or tokens in schema._groups:
            return NOT_AVAILABLE
    return NAME_UNKNOWN


@lru_cache(maxsize=16)
def schema_of(model: Model) -> Schema:
    """The schema of a model; shared by all its intercoms."""
    return Schema(model)
