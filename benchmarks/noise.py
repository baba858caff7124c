"""The noise of the machine: on a quiet one a fixed piece of work always takes the same time."""

from __future__ import annotations

import time

_STEPS = 60_000


def sample_ms() -> float:
    """Milliseconds of a few runs of the fixed work, which needs only the CPU."""
    started = time.perf_counter()
    total = 0
    for step in range(_STEPS):
        total += step
    return (time.perf_counter() - started) * 1000


def samples_ms(count: int = 200) -> list[float]:
    """The durations of `count` runs."""
    return [sample_ms() for _ in range(count)]
