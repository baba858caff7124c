"""CardTrader's limit: 200 requests in 10 seconds for each token, over all endpoints."""

from __future__ import annotations

from dataclasses import dataclass

_REQUESTS = 200
_SECONDS = 10


@dataclass(slots=True)
class _Bucket:
    filled_s: float
    left: float = _REQUESTS


class Buckets:
    """A bucket for each token, which fills up in 10 s: each request takes one.

    Unless `enforced`, nothing is refused.
    """

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._buckets: dict[str, _Bucket] = {}

    def take(self, token: str, now_s: float) -> bool:
        """Whether a request of `token` at `now_s`, a time that never goes back, may go on."""
        bucket = self._buckets.setdefault(token, _Bucket(now_s))
        bucket.left = min(_REQUESTS, bucket.left + (now_s - bucket.filled_s) * _REQUESTS / _SECONDS)
        bucket.filled_s = now_s
        if bucket.left < 1:
            return not self._enforced
        bucket.left -= 1
        return True
