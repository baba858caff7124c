"""The log of the simulator's requests, which proves when a client asked and when it did not."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field

_REQUESTS_KEPT = 10_000


@dataclass(slots=True)
class LoggedRequest:
    """A request; `at` is real time in seconds since the epoch, `status` None while unanswered."""

    at: float
    path: str
    query: str
    status: int | None = None
    faults: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, object]:
        """As the admin path shows it."""
        return asdict(self)


class Journal:
    """Counts of all requests by path, and the newest 10,000 of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._newest: deque[LoggedRequest] = deque(maxlen=_REQUESTS_KEPT)

    def enter(self, path: str, query: str) -> LoggedRequest:
        """Log a request on arrival."""
        asked = LoggedRequest(time.time(), path, query)
        self.counts[path] += 1
        self._newest.append(asked)
        return asked

    def newest(self, limit: int) -> list[LoggedRequest]:
        """The last `limit` requests, oldest first."""
        return list(self._newest)[-limit:] if limit > 0 else []

    def forget(self) -> None:
        self.counts.clear()
        self._newest.clear()
