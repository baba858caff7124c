"""An event loop with virtual time: when all tasks wait, time jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Advances the clock instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("all tasks wait, but none of them for a time")
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
    """The result of `main`, which gets the loop that it runs in."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(main(loop))
