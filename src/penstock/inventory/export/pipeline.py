"""The way of an export into its staging area: receive, unpack, cut, decode, stage.

Meanwhile the raw body is kept. One thread decodes and another one keeps. The slowest step holds up
those before it, back to the socket, so that memory is bounded.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import structlog

from penstock.errors import SourceMisfitError
from penstock.inventory.export.lane import Lane, Pipe, together
from penstock.inventory.export.reader import ExportPage, ExportReader
from penstock.inventory.export.unpack import Unpacker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence

    from penstock.inventory.export.spool import SpoolWriter
    from penstock.inventory.store import Staging

_log = structlog.stdlib.get_logger()

_MEGABYTE = 1_000_000
# Thirteen times the export of 250,000 products.
MOST_BYTES = 2_000 * _MEGABYTE

# Blocks are of 256 KiB, pages of 5,000 rows.
_BLOCKS_WAITING = 4
_PAGES_WAITING = 2


class PackedReader:
    """Reads an export, plain or gzipped, of up to `most_bytes` unpacked."""

    def __init__(self, *, gzip: bool, most_bytes: int = MOST_BYTES) -> None:
        self._reader = ExportReader()
        self._unpacker = Unpacker() if gzip else None
        self._most_bytes = self._left = most_bytes

    def feed(self, block: bytes) -> Iterator[ExportPage]:
        """The pages that are complete with this block; SourceMisfitError if there are too many."""
        for piece in self._unpacker.feed(block) if self._unpacker else (block,):
            self._left -= len(piece)
            if self._left < 0:
                raise SourceMisfitError(
                    f"the export is larger than {self._most_bytes // _MEGABYTE:,} MB"
                    " (PENSTOCK_EXPORT_MEGABYTES)"
                )
            yield from self._reader.feed(piece)

    def end(self) -> Iterator[ExportPage]:
        """The last pages; SourceUnavailableError if the body is not complete."""
        if self._unpacker:
            self._unpacker.end()
        yield from self._reader.end()

    def stop(self) -> None:
        """Read no further row; called from another thread than the reader's."""
        self._reader.stop()


class Keeper:
    """Keeps the raw body in a thread.

    A failing disk ends the keeping, not the sync: the body only saves a second export.
    """

    def __init__(self, writer: SpoolWriter, lane: Lane) -> None:
        self._writer = writer
        self._lane = lane
        self._failed = False

    async def keep(self, blocks: AsyncIterator[bytes]) -> None:
        """Write the blocks as they arrive."""
        async for block in blocks:
            if not self._failed:
                await self._do(self._writer.write, block)

    async def finish(self) -> None:
        """Mark the body as complete, so that a later start of the run can use it."""
        if not self._failed:
            await self._do(self._writer.finish)

    async def _do(self, work: Callable[..., None], *arguments: bytes) -> None:
        try:
            await self._lane.run(work, *arguments)
        except OSError as error:
            self._failed = True
            _log.warning("the export cannot be kept until its sync ends", error=str(error))


async def stage(
    blocks: AsyncGenerator[bytes],
    staging: Staging,
    *,
    gzip: bool,
    most_bytes: int,
    writer: SpoolWriter | None,
    on_staged: Callable[[int], None],
) -> None:
    """Stage a whole body, or raise what is wrong with it; `writer` has then kept it.

    `on_staged` is called with the number of rows of each page.
    """
    to_read: Pipe[bytes] = Pipe(_BLOCKS_WAITING)
    to_keep: Pipe[bytes] = Pipe(_BLOCKS_WAITING)
    pages: Pipe[ExportPage] = Pipe(_PAGES_WAITING)
    with Lane("parse") as parsing, Lane("spool") as spooling:
        workers = [
            _read(to_read, pages, PackedReader(gzip=gzip, most_bytes=most_bytes), parsing),
            _stage(pages, staging, on_staged),
        ]
        if writer is None:
            await together(_receive(blocks, [to_read]), *workers)
            return
        keeper = Keeper(writer, spooling)
        await together(_receive(blocks, [to_read, to_keep]), keeper.keep(to_keep.items()), *workers)
        await keeper.finish()


async def _receive(blocks: AsyncGenerator[bytes], pipes: Sequence[Pipe[bytes]]) -> None:
    async with contextlib.aclosing(blocks):
        async for block in blocks:
            for pipe in pipes:
                await pipe.put(block)
    for pipe in pipes:
        await pipe.end()


async def _read(
    blocks: Pipe[bytes], pages: Pipe[ExportPage], reader: PackedReader, lane: Lane
) -> None:
    try:
        async for block in blocks.items():
            async for page in lane.each(reader.feed(block)):
                await pages.put(page)
        async for page in lane.each(reader.end()):
            await pages.put(page)
    finally:
        # A cancelled run leaves its thread in the middle of a block.
        reader.stop()
    await pages.end()


async def _stage(
    pages: Pipe[ExportPage], staging: Staging, on_staged: Callable[[int], None]
) -> None:
    async for page in pages.items():
        if page.products:
            await staging.add(page.products)
        if page.rejected:
            await staging.refuse(page.rejected)
        on_staged(len(page))
