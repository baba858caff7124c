"""Log lines to standard error: readable on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import structlog

from penstock.access.scopes import TOKEN_PATTERN

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

_MASK = "***"
_SECRET_NAMES = re.compile(r"token|secret|password|authorization|signing_key|cookie", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/]+(?=@)")


def log_to_stderr(level: str) -> None:
    """Write log lines of this level (`debug`, `info`, `warning`, `critical`) and above.

    Before this call structlog writes to standard output.
    """
    on_terminal = sys.stderr.isatty()
    rendering: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_secrets,
            rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


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
            return TOKEN_PATTERN.sub(
                _MASK,
                _URL_PASSWORD.sub(rf"\1{_MASK}", value if isinstance(value, str) else repr(value)),
            )
