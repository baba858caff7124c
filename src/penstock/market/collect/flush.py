"""Flushing: pages are written together, up to 10,000 rows or 250 ms of pages."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence, Sized


# A page, which has as many rows as it is long.
P = TypeVar("P", bound="Sized")


class Flusher(Generic[P]):
    """Collects pages and hands them to `write` in order, one write at a time.

    Leaving the block without an error writes the rest; leaving it with an error drops what is not
    written yet, which no run has reported. An error of `write` ends the flusher, and is raised by
    the next `put` and at the end of the block. Memory is bounded: `put` waits while a full flush is
    behind the one being written.
    """

    def __init__(
        self,
        write: Callable[[Sequence[P]], Awaitable[None]],
        *,
        max_rows: int = 10_000,
        max_wait_s: float = 0.25,
    ) -> None:
        self._write = write
        self._max_rows = max_rows
        self._max_wait_s = max_wait_s
        self._pages: list[P] = []
        self._rows = 0
        self._closing = False
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="flusher")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        task = self._running()
        if kind is not None:
            task.cancel()
            await asyncio.wait([task])
            return
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
        await task

    async def put(self, page: P) -> None:
        """Add a page; waits while too much is pending."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._rows < self._max_rows or self._running().done()
            )
            if self._running().done():
                await self._running()
            self._pages.append(page)
            self._rows += len(page)
            self._changed.notify_all()

    async def _run(self) -> None:
        try:
            while pages := await self._next():
                await self._write(pages)
        finally:
            async with self._changed:
                self._changed.notify_all()

    async def _next(self) -> list[P]:
        """Wait until a flush is due and take its pages; empty when the block has ended."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._pages or self._closing)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._max_wait_s):
                    await self._changed.wait_for(
                        lambda: self._rows >= self._max_rows or self._closing
                    )
            pages = self._take()
            self._changed.notify_all()
            return pages

    def _take(self) -> list[P]:
        """Whole pages up to the row limit, but at least one."""
        rows = taken = 0
        for page in self._pages:
            if taken and rows + len(page) > self._max_rows:
                break
            rows += len(page)
            taken += 1
        pages, self._pages = self._pages[:taken], self._pages[taken:]
        self._rows -= rows
        return pages

    def _running(self) -> asyncio.Task[None]:
        if self._task is None:
            raise RuntimeError("the flusher is used outside of its `async with` block")
        return self._task
