"""Times as ISO 8601, UTC."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - `iso` appends Z
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
# The times that ISO 8601 can say.
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999


def iso(at_ms: int) -> str:
    """ISO 8601 with a Z, with milliseconds only if not zero.

    A time beyond the years 1 to 9999 is the nearest of them: every client can read that.
    """
    day, ms = divmod(min(max(at_ms, _FIRST), _LAST), _DAY_MS)
    minute, ms = divmod(ms, _MINUTE_MS)
    second, ms = divmod(ms, 1000)
    begin = f"{_date(day)}{_time(minute)}{second:02d}"
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
