"""Random examples for asynchronous checks: few in `make test`, many in `make faults`."""

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
    """Run `check` on random examples in one event loop; `counts` are the short and full number."""
    count = trials.of(*counts)
    with asyncio.Runner() as runner:

        @seed(trials.seed)
        @settings(max_examples=count, suppress_health_check=[HealthCheck.too_slow])
        @given(st.tuples(*drawn))
        def run(values: tuple[Any, ...]) -> None:
            runner.run(check(*values))

        run()
    say(f"seed {trials.seed}, n = {count} examples")
