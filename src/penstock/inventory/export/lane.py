"""Concurrent work: a thread for heavy work, pipes between tasks, tasks that end together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable

T = TypeVar("T")
P = ParamSpec("P")


class Lane:
    """A separate thread while the block runs."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_ended: object) -> None:
        self._thread.shutdown(wait=False)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the work gives; if cancelled, only the next work of this lane waits for it."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: work(*args, **kwargs)
        )

    async def each(self, items: Iterable[T]) -> AsyncGenerator[T]:
        """The items, each made in the thread on request."""
        made = iter(items)
        while (item := await self.run(lambda: next(made, None))) is not None:
            yield item


class Pipe(Generic[T]):
    """Hands items from one task to another; `put` waits while `most` are in it."""

    def __init__(self, most: int) -> None:
        self._items: asyncio.Queue[T | None] = asyncio.Queue(most)

    async def put(self, item: T) -> None:
        """Hand over an item."""
        await self._items.put(item)

    async def end(self) -> None:
        """Say that no more items come."""
        await self._items.put(None)

    async def items(self) -> AsyncIterator[T]:
        """The items in order, until the end."""
        while (item := await self._items.get()) is not None:
            yield item


async def together(*workers: Coroutine[object, object, None]) -> None:
    """Run all workers; the first error ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def beside(work: Coroutine[object, object, T], other: Coroutine[object, object, None]) -> T:
    """What `work` gives; `other` runs until then, and an error of either ends both."""
    try:
        async with asyncio.TaskGroup() as group:
            side = group.create_task(other)
            main = group.create_task(work)
            main.add_done_callback(lambda _: side.cancel())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return main.result()
