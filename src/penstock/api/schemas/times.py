"""Times as they come in: ISO 8601 outside, integer milliseconds inside."""

from __future__ import annotations

import datetime as dt

from penstock.errors import InvalidInputError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(9999, 12, 31, tzinfo=dt.UTC) - _EPOCH
_MS = dt.timedelta(milliseconds=1)
# The first time, in ms, that is too late for a database.
LATEST = _END // _MS


def ms(at: dt.datetime, *, field: str) -> int:
    """Milliseconds since the epoch; a time without an offset is UTC.

    InvalidInputError for one before 1970 or, in UTC, after 9999.
    """
    since = (at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - _EPOCH
    if not dt.timedelta(0) <= since < _END:
        message = f"{field}: the time has to lie between 1970 and 9999"
        raise InvalidInputError(message, field=field)
    return since // _MS
