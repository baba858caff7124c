"""How often a test tries what it draws: a few times in `make test`, as often as it takes to show something rare in `make faults`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trials:
    """`seed` is for all that the test draws; it says both when it has ended, since a zero says nothing without its n."""

    seed: int
    full: bool

    def of(self, short: int, full: int) -> int:
        """So many."""
        return full if self.full else short
