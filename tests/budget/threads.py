"""Servers of a test in threads with loops of their own, so that only their work is counted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")
R = TypeVar("R")

PATIENCE_S = 60


@dataclass(frozen=True)
class Threaded(Generic[T]):
    """What a context manager gave in a thread."""

    value: T
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """The result of work that is done there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)


@contextlib.contextmanager
def in_thread(opened: AbstractAsyncContextManager[T], name: str) -> Iterator[Threaded[T]]:
    """Keep a context manager open in a thread while the block runs."""
    ready: Future[Threaded[T]] = Future()
    stop: Future[None] = Future()

    async def stay_open() -> None:
        async with opened as value:
            ready.set_result(Threaded(value, asyncio.get_running_loop()))
            await asyncio.wrap_future(stop)

    def run() -> None:
        try:
            asyncio.run(stay_open())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        yield ready.result(PATIENCE_S)
    finally:
        stop.set_result(None)
        thread.join()
