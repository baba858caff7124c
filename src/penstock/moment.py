"""Times as ISO 8601, UTC."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - `iso` appends Z
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000


def iso(at_ms: int) -> str:
    """ISO 8601 with a Z, with milliseconds only if not zero; out of the calendar, `… ms`."""
    day, ms = divmod(at_ms, _DAY_MS)
    minute, ms = divmod(ms, _MINUTE_MS)
    second, ms = divmod(ms, 1000)
    try:
        begin = f"{_date(day)}{_time(minute)}{second:02d}"
    except OverflowError:
        return f"{at_ms} ms"
    return f"{begin}.{ms:03d}Z" if ms else f"{begin}Z"


def iso_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)


# A page of rows has thousands of times on few days: caching halves the time.
@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    return (_EPOCH + dt.timedelta(day)).isoformat()[:11]


@lru_cache(maxsize=1440)
def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}:"
