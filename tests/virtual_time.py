"""An event loop whose time is a number: whoever waits for it, it jumps there. Hours of waiting take milliseconds, and nothing is measured."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Where the loop would wait, its clock goes on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nobody for the time")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time` starts at `start` seconds and moves only while all tasks wait."""

    def __init__(self, start: float = 0.0) -> None:
        self._jump = _Jump()
        self._jump.now = start
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]], *, start: float = 0.0) -> T:
    """What `main` gives; it gets the loop that it runs in, whose time nothing else moves."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(main(loop))
