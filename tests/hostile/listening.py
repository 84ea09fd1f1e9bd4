"""Everything that is logged while a world lives: no PIN may be in it, and no surprise."""

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


class Said(logging.Handler):
    """What was logged. `lines` is all of it; `surprises` what a server in order never says."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.surprises: list[str] = []
        self.is_dying = False
        """The process is being killed: what it cries meanwhile is no news."""

    def emit(self, record: logging.LogRecord) -> None:
        """A line of the standard library's loggers."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        # The world's time runs fast: to a database in another process it seems that everything takes minutes.
        self._take(text, is_surprise=not record.name.startswith("asyncpg"))

    def structured(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        """A line of ours."""
        self._take(repr(dict(event)).replace("\\n", "\n"), is_surprise=method in ("error", "exception", "critical"))
        raise structlog.DropEvent

    def loop_trouble(self, _loop: Any, context: dict[str, Any]) -> None:
        """What the event loop found nobody to tell."""
        self._take(f"{context.get('message')}: {context.get('exception')!r} in {context.get('future')!r}", True)

    def _take(self, text: str, is_surprise: bool) -> None:
        self.lines.append(text)
        if is_surprise and not self.is_dying:
            self.surprises.append(text)


@contextmanager
def listening() -> Iterator[Said]:
    """Hear everything from here on."""
    said = Said()
    root = logging.getLogger()
    processors = structlog.get_config()["processors"]
    before = list(processors)
    processors[:] = [structlog.processors.format_exc_info, said.structured]
    root.addHandler(said)
    try:
        yield said
    finally:
        root.removeHandler(said)
        processors[:] = before
