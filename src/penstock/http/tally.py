"""How many requests are sent for whom, whichever client sends them."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestTally:
    """Requests that one start of a run has sent, retries included, and how many of them its record counts already."""

    sent: int = 0
    recorded: int = 0

    @property
    def unrecorded(self) -> int:
        """Those that the record does not count yet."""
        return self.sent - self.recorded


_tally: ContextVar[RequestTally | None] = ContextVar("requests", default=None)


def count_requests(tally: RequestTally) -> None:
    """Count there, from now on, what this task and those it starts send; several runs may share a client."""
    _tally.set(tally)


def request_sent() -> None:
    """One more."""
    if (tally := _tally.get()) is not None:
        tally.sent += 1
