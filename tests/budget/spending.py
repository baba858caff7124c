"""What messages cost a service: work, memory, connections, rows, log; and what they may cost.

It bounds work, not time: so the result is the same on a slow machine.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import stat
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select

from penstock.columns import metadata
from penstock.logs import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.budget.calls import Answer
    from tests.budget.service import Served
    from tests.budget.threads import Threaded

# Function calls of one turn of the loop: about five milliseconds. A page of 1,000 candles takes
# thirty for each, and 52 where one of them is malformed.
MOST_STEPS, MOST_STEPS_OF_A_PAGE = 15_000, 60_000
_MB = 1_000_000
# The memory of a message while it is worked on, and of all of them afterwards: bytes, and times
# the bytes of the messages.
_AT_ONCE, _AT_ONCE_TIMES = 16 * _MB, 20
_KEPT, _KEPT_TIMES = 4 * _MB, 0.1
# A collection of 500 series has a claim and a row of its log for each.
_ROWS_A_MESSAGE, _ROWS_A_BYTE = 600, 0.1
_LINES, _LINES_A_MESSAGE, _LOG_BYTES = 100, 3, _MB
# Sockets of the process, in which a client, a service and its providers have both ends each.
_SOCKETS = 60


class OverBudgetError(AssertionError):
    """A message cost more than it may."""


@dataclass
class Spending:
    """The costs of the messages to a service; `log` is what it wrote."""

    service: Threaded[Served]
    log: io.StringIO
    steps: int = MOST_STEPS
    kept: int = _KEPT
    at_once: int = _AT_ONCE
    messages: int = 0
    sent: int = 0
    most_steps: int = 0
    most_sockets: int = 0
    statuses: set[int] = field(default_factory=set)
    _rows: int = 0
    _kept: int = 0
    _sockets: int = 0

    def begin(self) -> None:
        """Count from now on."""
        tracemalloc.start()
        self.messages = self.sent = self.most_steps = self.most_sockets = 0
        self.statuses.clear()
        self._rows, self._kept, self._sockets = self._count_rows(), _traced(), _open_sockets()
        self.service.value.steps.most = 0
        self.log.truncate(self.log.seek(0))

    @contextlib.contextmanager
    def message(self, what: object, sent: int) -> Iterator[None]:
        """Send a message of so many bytes in the block."""
        self.messages += 1
        self.sent += sent
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
        self._within("bytes at once", peak - before, self.at_once + _AT_ONCE_TIMES * sent, what)
        steps = self.service.value.steps
        self._within("steps", steps.most, self.steps, f"{steps.where} of {str(what)[:500]}")
        self.most_steps = max(self.most_steps, steps.most)
        sockets = _open_sockets() - self._sockets
        self._within("connections", sockets, _SOCKETS, what)
        self.most_sockets = max(self.most_sockets, sockets)

    def answer(self, what: object, answer: Answer) -> None:
        """Note an answer."""
        self.statuses.add(answer.status)
        if not answer.may_pass:
            raise OverBudgetError(f"{answer.status} to {str(what)[:2_000]}\n{self._log_end}")

    def check(self) -> str:
        """What all messages cost, in words; OverBudgetError when that is too much."""
        rows, kept = self._count_rows() - self._rows, _traced() - self._kept
        text = self.log.getvalue()
        self._within("rows", rows, _ROWS_A_MESSAGE * self.messages + _ROWS_A_BYTE * self.sent)
        self._within("bytes kept", kept, self.kept + _KEPT_TIMES * self.sent)
        self._within("lines", text.count("\n"), _LINES + _LINES_A_MESSAGE * self.messages)
        self._within("bytes of the log", len(text), _LOG_BYTES)
        if "Traceback" in text:
            raise OverBudgetError(f"a trace in the log\n{self._log_end}")
        return (
            f"{self.messages} messages, {self.sent} bytes: at most {self.most_steps} steps, "
            f"{self.most_sockets} sockets, {kept} bytes kept, {rows} rows, "
            f"{len(text)} bytes of log, {sorted(self.statuses)}"
        )

    def _within(self, what: str, found: float, most: float, message: object = "") -> None:
        if found > most:
            raise OverBudgetError(f"{what}: {found} of {most:.0f} {str(message)[:2_000]}")

    @property
    def _log_end(self) -> str:
        return self.log.getvalue()[-4_000:]

    def _count_rows(self) -> int:
        return self.service.run(self.service.value.app.database.read(_rows_of_all))


def _rows_of_all(connection: Connection) -> int:
    return sum(
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    )


def _open_sockets() -> int:
    found = 0
    for file in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            found += stat.S_ISSOCK(os.fstat(int(file.name)).st_mode)
    return found


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """What is logged while the block runs."""
    log, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers, root.level
    with contextlib.redirect_stderr(log):
        log_to_stderr("info")
    # A kept logger would write into this text also in later tests.
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield log
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()
