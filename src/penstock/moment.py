"""A moment as people and programs read it: ISO 8601, UTC."""

from __future__ import annotations

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, said by the Z: to format an offset takes as long as all the rest


def iso(at_ms: int) -> str:
    """ISO 8601 with a Z, with milliseconds only where there are some; a number of ms that no calendar has stays one."""
    seconds, ms = divmod(at_ms, 1000)
    try:
        at = _EPOCH + dt.timedelta(0, seconds)
    except OverflowError:
        return f"{at_ms} ms"
    return f"{at.isoformat()}.{ms:03d}Z" if ms else f"{at.isoformat()}Z"


def iso_or_none(at_ms: int | None) -> str | None:
    """The same for a time that may not have come."""
    return None if at_ms is None else iso(at_ms)
