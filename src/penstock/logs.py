"""Log lines to standard error: readable on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog

from penstock.access.scopes import TOKEN_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, Processor, WrappedLogger

# Of warnings and errors in a minute: of one kind, and in all.
_LINES_OF_A_KIND, _LINES = 60, 600
_KINDS = 1_000
_KIND_CHARS = 200
_MINUTE_S = 60.0
_UNBOUNDED = frozenset({"debug", "info"})

_MOST_CHARS = 10_000
_MASK = "***"
_SECRET_NAMES = re.compile(r"token|secret|password|authorization|signing_key|cookie", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/]+(?=@)")


def log_to_stderr(level: str) -> None:
    """Write log lines of this level (`debug`, `info`, `warning`, `critical`) and above.

    Libraries write theirs in the same way, from `warning` on. Before this call structlog writes to
    standard output.
    """
    on_terminal = sys.stderr.isatty()
    rendering: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    begun: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ended: list[Processor] = [structlog.processors.format_exc_info, mask_secrets, rendering]
    limit = LineLimit()
    structlog.configure(
        processors=[*begun, limit, *ended],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(limit.lets_through)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=begun,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ended],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


class LineLimit:
    """Drops warnings and errors that repeat too often within a minute.

    What others send must not fill the disk with log lines. The next line of the kind says how many
    were left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = 0
        self._counts = Counter[object]()
        self._left_out = Counter[object]()

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """The processor for our own lines."""
        if event["level"] not in _UNBOUNDED:
            kind = event["event"]
            if not self._has_room(kind):
                raise structlog.DropEvent
            if left_out := self._left_out.pop(kind, 0):
                event["left_out"] = left_out
        return event

    def lets_through(self, record: logging.LogRecord) -> bool:
        """The filter for the lines of libraries, whose kind is the message before its values."""
        kind = record.name, str(record.msg)[:_KIND_CHARS]
        if not self._has_room(kind):
            return False
        if left_out := self._left_out.pop(kind, 0):
            record.msg = f"{record.msg} ({left_out} like this were left out)"
        return True

    def _has_room(self, kind: object) -> bool:
        minute = int(self._clock() // _MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        if self._counts[kind] < _LINES_OF_A_KIND and self._counts.total() < _LINES:
            self._counts[kind] += 1
            return True
        if len(self._left_out) < _KINDS or kind in self._left_out:
            self._left_out[kind] += 1
        return False


def log_to_stderr_unless_set(level: str) -> None:
    """The same unless the program has configured structlog itself."""
    if not structlog.is_configured():
        log_to_stderr(level)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide fields named like secrets, and tokens and URL passwords anywhere, also in tracebacks."""
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: str, value: Any) -> Any:  # noqa: ANN401 - a log line holds anything
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {inner: _masked(f"{name} {inner}", item) for inner, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(name, item) for item in value]
        case _ if _SECRET_NAMES.search(name):
            return _MASK
        case _:
            text = value if isinstance(value, str) else repr(value)
            masked = TOKEN_PATTERN.sub(_MASK, _URL_PASSWORD.sub(rf"\1{_MASK}", text))
            return masked if len(masked) <= _MOST_CHARS else f"{masked[:_MOST_CHARS]}…"
