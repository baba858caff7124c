"""Times in ms, and half-open ranges of them as pairs of their start and end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The last ms of the year 9999, which every database can store.
END_OF_TIME = 253_402_300_799_999

# What begins at the first time and ends just before the second.
TimeRange: TypeAlias = tuple[int, int]

_start, _end = itemgetter(0), itemgetter(1)


def earliest(*times: int | None) -> int:
    """The earliest of the times that are known."""
    return min(at for at in times if at is not None)


def joined(ranges: Iterable[TimeRange]) -> list[TimeRange]:
    """The ordered ranges, with those that touch as one."""
    found: list[TimeRange] = []
    for start, end in ranges:
        begin = found.pop()[0] if found and found[-1][1] == start else start
        found.append((begin, end))
    return found


def within(ranges: Sequence[TimeRange], start: int, end: int) -> list[TimeRange]:
    """The parts of ordered ranges that do not overlap which lie in `start ≤ t < end`."""
    first, last = bisect_right(ranges, start, key=_end), bisect_left(ranges, end, key=_start)
    return [(max(start, low), min(end, high)) for low, high in ranges[first:last]]
