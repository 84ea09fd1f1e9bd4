"""Lists in pages. A cursor is bound to the parameters it came with: another list's cursor is refused, not misread."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import msgspec

from doorward.api.request import Request
from doorward.errors import InvalidInput, MismatchedPageParameters
from doorward.store.db import Where
from doorward.store.finding import Finding
from doorward.store.search import TABLES
from doorward.wire.reply import Pagination

T = TypeVar("T")
Position = tuple[int, str]
"""Where a page ended: the last row's `created_at` and id."""

_decode = msgspec.json.Decoder(tuple[str, Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)], str]).decode


def _fingerprint(request: Request) -> str:
    # As text, so that the next page may be asked for by body or by query string, whatever the first one was.
    data = msgspec.json.encode([request.path, request.workspace_id, _parameters(request)])
    return hashlib.sha256(data).hexdigest()[:16]


def _parameters(request: Request) -> list[tuple[str, str]]:
    """The parameters as pairs of a query string. An empty text says no more than leaving it out does."""
    given = sorted((n, v) for n, v in request.values.items() if n != "page_cursor" and v != "")
    return [pair for name, value in given for pair in _pairs(name, value)]


def start(request: Request, cursor: str | None) -> Position | None:
    """Where to go on from; None: at the beginning. Raises MismatchedPageParameters, InvalidInput."""
    if cursor is None:
        return None
    try:
        fingerprint, created_at, row_id = _decode(base64.urlsafe_b64decode(cursor.encode() + b"=="))
        if "\0" in row_id:
            raise ValueError("no id")
    except (ValueError, msgspec.MsgspecError):
        raise InvalidInput.of("page_cursor", "Invalid page cursor") from None
    if fingerprint != _fingerprint(request):
        raise MismatchedPageParameters
    return created_at, row_id


def after(where: Where, position: Position | None, created_at: str, row_id: str) -> None:
    """Only rows behind that position. Compared as a pair, so that an index leads there."""
    if position is not None:
        where.add(f"({created_at}, {row_id}) > ({{}}, {{}})", *position)


async def begin(
    request: Request,
    where: Where,
    table: str,
    cursor: str | None,
    *,
    search: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Only rows that a text and all pairs of metadata are found in, behind the cursor. Null fits a key that is not set;
    an empty text asks for nothing. Raises what `start` does."""
    position, finding = start(request, cursor), Finding(request.db, where, table, request.workspace_id)
    if search:
        finding.text(search)
    for key, value in (metadata or {}).items():
        if value is None:
            finding.without(key)
        elif value != "":
            finding.pair(key, text(value))
    if not await finding.narrow(position):
        about = TABLES[table]
        after(where, position, f"{about.alias}created_at", f"{about.alias}{about.id}")


def cut(request: Request, rows: list[T], limit: int, position: Callable[[T], Position]) -> tuple[list[T], Pagination]:
    """The page of `limit` rows, out of rows of which one more was asked for, and what stands beside it."""
    shown = rows[:limit]
    return shown, page(request, len(rows) > limit, position(shown[-1]) if shown else None)


def page(request: Request, more: bool, last: Position | None) -> Pagination:
    """What stands beside the list. `last` is the position of its last row."""
    if not more or last is None:
        return Pagination(has_next_page=False, next_page_cursor=None, next_page_url=None)
    data = msgspec.json.encode([_fingerprint(request), *last])
    cursor = base64.urlsafe_b64encode(data).decode().rstrip("=")
    pairs = [("_strict", "true"), *_parameters(request), ("page_cursor", cursor)]
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in pairs)
    return Pagination(
        has_next_page=True, next_page_cursor=cursor, next_page_url=f"{request.base_url}{request.path}?{query}"
    )


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, list):
        return [(name, text(item)) for item in value] or [(name, "")]
    if isinstance(value, dict):
        return [pair for key, item in sorted(value.items()) if item != "" for pair in _pairs(f"{name}.{key}", item)]
    return [(name, text(value))]


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # as it is read again
    return str(value)
