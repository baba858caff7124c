"""What is sent in budget tests is generated before anything is counted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def generated(strategy: SearchStrategy[T], count: int, number: int) -> list[T]:
    """So many examples of a seed."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(example: T) -> None:
        found.append(example)

    with warnings.catch_warnings():
        # It describes strategies as large as the service's document when a draw is given up.
        warnings.simplefilter("ignore", HypothesisWarning)
        keep()
    return found
