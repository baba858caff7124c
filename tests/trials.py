"""The number of random trials: few in `make test`, enough to show rare faults in `make faults`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trials:
    """`seed` is the seed of all random values; `full` asks for many trials.

    `minutes` is how long trials go on that are measured.
    """

    seed: int
    full: bool
    minutes: float

    def of(self, short: int, full: int) -> int:
        """The number of trials."""
        return full if self.full else short
