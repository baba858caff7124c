"""The flusher: which pages are written together, in which order, and after a failed write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.market.collect.flush import Flusher
from tests import virtual_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.virtual_time import VirtualLoop

_MAX = 10


class BrokenError(Exception):
    pass


@dataclass(frozen=True)
class Page:
    number: int
    rows: int

    def __len__(self) -> int:
        return self.rows

    def __bool__(self) -> bool:
        return True


@dataclass
class Writer:
    """Takes `takes_s` for each write; the write with number `breaks_at` fails."""

    takes_s: float = 0.0
    breaks_at: int | None = None
    flushes: list[list[Page]] = field(default_factory=list)
    attempts: int = 0
    finished: int = 0

    async def write(self, pages: Sequence[Page]) -> None:
        self.attempts += 1
        assert self.finished == self.attempts - 1, "one write at a time"
        await asyncio.sleep(self.takes_s)
        self.finished += 1
        if self.attempts == self.breaks_at:
            raise BrokenError
        self.flushes.append(list(pages))


def pages(sizes: Sequence[int]) -> list[Page]:
    return [Page(number, rows) for number, rows in enumerate(sizes)]


sizes_of_pages = st.lists(st.integers(0, 15), max_size=40)
pauses = st.lists(st.sampled_from([0.0, 0.1, 0.3]), min_size=40, max_size=40)


@given(sizes_of_pages, pauses, st.sampled_from([0.0, 0.05, 1.0]))
def test_all_pages_are_written_once_in_order_and_no_flush_is_larger_than_allowed(
    sizes: list[int], waits: list[float], takes_s: float
) -> None:
    writer = Writer(takes_s)

    async def main(_: VirtualLoop) -> None:
        async with Flusher[Page](writer.write, max_rows=_MAX, max_wait_s=0.25) as flusher:
            for page, wait_s in zip(pages(sizes), waits, strict=False):
                await asyncio.sleep(wait_s)
                await flusher.put(page)

    virtual_time.run(main)
    assert [page for flush in writer.flushes for page in flush] == pages(sizes)
    assert all(
        flush and (sum(map(len, flush)) <= _MAX or len(flush) == 1) for flush in writer.flushes
    )


@given(sizes_of_pages, st.integers(1, 5))
def test_pending_rows_are_bounded_also_with_many_concurrent_puts(
    sizes: list[int], putters: int
) -> None:
    writer = Writer(takes_s=5.0)
    most = 0

    async def main(_: VirtualLoop) -> None:
        nonlocal most
        flusher = Flusher[Page](writer.write, max_rows=_MAX, max_wait_s=0.25)

        async def put(mine: list[Page]) -> None:
            nonlocal most
            for page in mine:
                await flusher.put(page)
                most = max(most, sum(map(len, flusher._pages)))

        async with flusher:
            await asyncio.gather(*(put(pages(sizes)[start::putters]) for start in range(putters)))

    virtual_time.run(main)
    assert most < _MAX + 15
    assert sum(map(len, (page for flush in writer.flushes for page in flush))) == sum(sizes)


def test_pages_wait_for_more_pages_but_not_for_ever() -> None:
    writer = Writer()

    async def main(loop: VirtualLoop) -> None:
        async with Flusher[Page](writer.write, max_rows=_MAX, max_wait_s=0.25) as flusher:
            for page in pages([1, 1, 1]):
                await flusher.put(page)
            await asyncio.sleep(0.2)
            assert writer.flushes == []
            await asyncio.sleep(0.1)
            assert writer.flushes == [pages([1, 1, 1])]
            assert loop.time() < 1

    virtual_time.run(main)


def test_a_full_flush_does_not_wait_for_more() -> None:
    writer = Writer()

    async def main(loop: VirtualLoop) -> None:
        async with Flusher[Page](writer.write, max_rows=_MAX, max_wait_s=100.0) as flusher:
            await flusher.put(Page(0, _MAX))
            await flusher.put(Page(1, _MAX))
        assert loop.time() < 1

    virtual_time.run(main)
    assert [len(flush) for flush in writer.flushes] == [1, 1]


@given(st.lists(st.integers(1, 10), min_size=4, max_size=30), st.integers(1, 3))
def test_after_a_failed_write_the_next_put_raises_its_error_and_nothing_is_written(
    sizes: list[int], breaks_at: int
) -> None:
    writer = Writer(breaks_at=breaks_at)
    raised_by_put = False

    async def main(_: VirtualLoop) -> None:
        nonlocal raised_by_put
        async with Flusher[Page](writer.write, max_rows=1, max_wait_s=0.01) as flusher:
            for page in pages(sizes):
                try:
                    await flusher.put(page)
                except BrokenError:
                    raised_by_put = True
                    raise
                await asyncio.sleep(1)

    with pytest.raises(BrokenError):
        virtual_time.run(main)
    assert raised_by_put
    assert writer.attempts == breaks_at
    assert [page for flush in writer.flushes for page in flush] == pages(sizes)[: breaks_at - 1]


def test_a_failed_write_releases_waiting_puts() -> None:
    writer = Writer(takes_s=5.0, breaks_at=1)
    outcomes: list[BaseException | None] = []

    async def main(_: VirtualLoop) -> None:
        async with Flusher[Page](writer.write, max_rows=1, max_wait_s=0.01) as flusher:
            outcomes.extend(
                await asyncio.gather(
                    *(flusher.put(page) for page in pages([1] * 6)), return_exceptions=True
                )
            )

    with pytest.raises(BrokenError):
        virtual_time.run(main)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [BrokenError] * 4
    assert writer.attempts == 1


def test_an_error_of_the_last_write_is_raised_at_the_end_of_the_block() -> None:
    writer = Writer(breaks_at=1)

    async def main(_: VirtualLoop) -> None:
        async with Flusher[Page](writer.write) as flusher:
            await flusher.put(Page(0, 1))

    with pytest.raises(BrokenError):
        virtual_time.run(main)


def test_an_error_of_the_block_drops_unwritten_pages_and_is_raised() -> None:
    writer = Writer()

    async def main(_: VirtualLoop) -> None:
        async with Flusher[Page](writer.write, max_wait_s=100.0) as flusher:
            await flusher.put(Page(0, 1))
            raise LookupError

    with pytest.raises(LookupError):
        virtual_time.run(main)
    assert writer.attempts == 0


def test_a_cancelled_block_ends_its_writer_too() -> None:
    writer = Writer(takes_s=50.0)

    async def main(loop: VirtualLoop) -> None:
        async def block() -> None:
            async with Flusher[Page](writer.write, max_rows=1) as flusher:
                await flusher.put(Page(0, 1))
                await asyncio.sleep(1_000)

        task = asyncio.create_task(block())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {
            other for other in asyncio.all_tasks(loop) if other is not asyncio.current_task()
        } == set()

    virtual_time.run(main)
    assert writer.flushes == []


async def test_a_flusher_cannot_be_used_outside_its_block() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Flusher[Page](Writer().write).put(Page(0, 1))
