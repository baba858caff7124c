"""How disturbed the machine is: a fixed piece of work takes the same time on a quiet one, and its slowest hundredth tells of other programs."""

from __future__ import annotations

import time

_STEPS = 60_000


def sample_ms() -> float:
    """Milliseconds of the fixed work, a few of them; it waits for nothing and needs no memory."""
    started = time.perf_counter()
    total = 0
    for step in range(_STEPS):
        total += step
    return (time.perf_counter() - started) * 1000


def samples_ms(count: int = 200) -> list[float]:
    """So many of them, one after the other."""
    return [sample_ms() for _ in range(count)]
