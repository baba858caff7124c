"""Counts requests by run, whichever client sends them."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestTally:
    """Requests sent by one start of a run, retries included, and how many its record has."""

    sent: int = 0
    recorded: int = 0

    @property
    def unrecorded(self) -> int:
        return self.sent - self.recorded


_tally: ContextVar[RequestTally | None] = ContextVar("requests", default=None)


def count_requests(tally: RequestTally) -> None:
    """Count the requests of this task and those it starts; several runs may share a client."""
    _tally.set(tally)


def request_sent() -> None:
    if (tally := _tally.get()) is not None:
        tally.sent += 1
