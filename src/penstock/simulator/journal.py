"""What was asked of the simulator, and when: so that a test can prove how often a client came, and that it stayed away when told to."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field

_REQUESTS_KEPT = 10_000


@dataclass(slots=True)
class Asked:
    """One request; `at_s` is real time in seconds since the epoch, `status` stays None while, or when, it is not answered."""

    at_s: float
    path: str
    query: str
    status: int | None = None
    faults: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, object]:
        """As the admin path answers it."""
        return {"at": self.at_s, "path": self.path, "query": self.query, "status": self.status, "faults": self.faults}


class Journal:
    """Counts of all requests by path, and the newest 10,000 of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._newest: deque[Asked] = deque(maxlen=_REQUESTS_KEPT)

    def enter(self, path: str, query: str) -> Asked:
        """Note a request on its arrival."""
        asked = Asked(time.time(), path, query)
        self.counts[path] += 1
        self._newest.append(asked)
        return asked

    def newest(self, limit: int) -> list[Asked]:
        """The last `limit` requests, oldest first."""
        return list(self._newest)[-limit:] if limit > 0 else []

    def forget(self) -> None:
        """Start counting at zero."""
        self.counts.clear()
        self._newest.clear()
