"""Drawn examples for checks that wait: few in `make test`, many in `make faults`, the same ones for the same seed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.conftest import Say
    from tests.trials import Trials


def try_examples(
    trials: Trials,
    say: Say,
    counts: tuple[int, int],
    check: Callable[..., Coroutine[Any, Any, None]],
    *drawn: st.SearchStrategy[Any],
) -> None:
    """Run `check` with what is drawn so many times, short and full, all in one event loop."""
    count = trials.of(*counts)
    with asyncio.Runner() as runner:

        @seed(trials.seed)
        @settings(
            max_examples=count, suppress_health_check=[HealthCheck.too_slow]
        )  # of a busy machine it says nothing
        @given(st.tuples(*drawn))
        def one(values: tuple[Any, ...]) -> None:
            runner.run(check(*values))

        one()
    say(f"seed {trials.seed}, n = {count} examples")
