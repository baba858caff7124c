"""A clock shared by several processes, which moves only when all of them sleep.

It is a file of numbers: the time, and for each process the end of its sleep.
"""

from __future__ import annotations

import asyncio
import fcntl
import math
import mmap
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.http.governor import Governor

_NUMBER = struct.Struct("d")
_LOOK_S = 0.001
_SKIPS = 0.1
# A budget counts whole milliseconds: the rest of a minute is exact only in such steps.
_GRAIN_S = 0.25


def _grained(seconds: float) -> float:
    return math.ceil(seconds / _GRAIN_S) * _GRAIN_S


def make_clock(path: Path, askers: int, now: float) -> None:
    """A clock for this many processes, all of them awake."""
    path.write_bytes(_NUMBER.pack(now) * (1 + askers))


class SharedClock:
    """The clock of the process with number `place`."""

    def __init__(self, path: str | Path, place: int) -> None:
        self._file = Path(path).open("r+b")  # noqa: SIM115 - as long as the clock
        self._numbers = mmap.mmap(self._file.fileno(), 0)
        self._place = 1 + place
        self.seen = 0.0

    def __call__(self) -> float:
        self.seen = self._read(0)
        return self.seen

    async def sleep(self, seconds: float) -> None:
        """Sleep this long. If all sleep, the clock moves to the first one that wakes up."""
        until = _grained(self._read(0) + seconds)
        self._write(self._place, until)
        while self._read(0) < until:
            self._move()
            await asyncio.sleep(_LOOK_S if self._read(0) < until else 0)

    def leave(self) -> None:
        """Leave the clock: the others no longer wait for this process."""
        self._write(self._place, float("inf"))
        self._numbers.close()
        self._file.close()

    def skip(self, seconds: float) -> None:
        """Move the time while others are awake, even between their request and its answer."""
        self._move(by_s=_grained(seconds))

    def _move(self, *, by_s: float = 0.0) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            now = self._read(0)
            if by_s:
                self._write(0, now + by_s)
            elif (first := min(self._sleepers())) > now:
                self._write(0, first)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _sleepers(self) -> Iterator[float]:
        return (self._read(place) for place in range(1, len(self._numbers) // _NUMBER.size))

    def _read(self, place: int) -> float:
        number: float = _NUMBER.unpack_from(self._numbers, place * _NUMBER.size)[0]
        return number

    def _write(self, place: int, number: float) -> None:
        _NUMBER.pack_into(self._numbers, place * _NUMBER.size, number)


async def spend(
    clock: SharedClock, governor: Governor, *, minutes: int, seed: str
) -> list[tuple[float, int]]:
    """Request weight for some minutes; the granted times and weights by the governor's clock."""
    chosen, until = random.Random(seed), clock() + 60 * minutes
    spent: list[tuple[float, int]] = []
    while clock() < until:
        weight = 1 + len(spent) % 5
        assert await governor.admit(weight, longest_pause_s=1e9) == 0
        spent.append((clock.seen, weight))
        if chosen.random() < _SKIPS:
            clock.skip(chosen.uniform(0, 5))
        await clock.sleep(chosen.uniform(0, 3))
    clock.leave()
    return spent
