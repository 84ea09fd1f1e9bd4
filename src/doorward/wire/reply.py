"""Parts of every reply."""

import msgspec


class Pagination(msgspec.Struct, kw_only=True):
    """Beside a list: whether there is more, and how to get it."""

    has_next_page: bool
    """There are further items."""
    next_page_cursor: str | None
    """Send it as `page_cursor` with the same parameters; null on the last page."""
    next_page_url: str | None
    """The next page as an address; null on the last page."""


class ServiceHealth(msgspec.Struct, kw_only=True):
    """How a part of the server is."""

    service: str
    """Which part."""
    status: str
    """`healthy`; when the part is not, there is no answer but an error."""
    description: str
    """How it is, for people."""


class Issue(msgspec.Struct, kw_only=True):
    """A standing error or warning as it is stored: `code`, a sentence, and since when."""

    code: str
    message: str
    created_at: int
    data: dict[str, object] = {}
