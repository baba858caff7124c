"""The body of `/products/export`, written once into a file without a name and served from there."""

from __future__ import annotations

import asyncio
import os
import tempfile
import weakref
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from penstock.simulator.cardtrader.catalogue import expansion_of
from penstock.simulator.cardtrader.inventory import encoded
from penstock.simulator.traffic.outgoing import gzipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.simulator.cardtrader.inventory import SellerInventory
    from penstock.simulator.cardtrader.stock import StockProduct
    from penstock.simulator.traffic.outgoing import Content

_ROWS_A_PIECE = 500
_READ = 256 * 1024
_KEPT = 4


class BodyFile:
    """A finished file without a name, which needs no cleaning up, even after kill -9."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        with tempfile.TemporaryFile() as file:
            for piece in pieces:
                file.write(piece)
            self.length = file.tell()
            file.flush()
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)

    def read(self, first: int, size: int) -> bytes:
        return os.pread(self._file, size, first)

    def pieces(self) -> Iterator[bytes]:
        return (self.read(first, _READ) for first in range(0, self.length, _READ))


@dataclass(frozen=True, slots=True)
class Export:
    """The versions that an export shows; `later_version` in its second half after a sale."""

    press: Press
    inventory: SellerInventory
    version: int
    expansion_id: int | None = None
    blueprint_id: int | None = None
    twists: tuple[Callable[[Iterator[bytes]], Iterator[bytes]], ...] = ()
    wrapped: bool = False
    later_version: int | None = None

    async def opened(self, *, compressed: bool) -> Content:
        return await self.press.spool(self, compressed=compressed)

    def pieces(self) -> Iterator[bytes]:
        """The body, in pieces that end with whole rows."""
        rows: Iterator[bytes] = map(encoded, filter(self._asked, self._products()))
        for twist in self.twists:
            rows = twist(rows)
        yield b'{"array":[' if self.wrapped else b"["
        comma = b""
        while joined := b",".join(islice(rows, _ROWS_A_PIECE)):
            yield comma + joined
            comma = b","
        yield b"]}" if self.wrapped else b"]"

    def _products(self) -> Iterator[StockProduct]:
        if self.later_version is None:
            return self.inventory.products(self.version)
        middle = self.inventory.listed(self.version) // 2
        return chain(
            self.inventory.products(self.version, 0, middle),
            self.inventory.products(self.later_version, middle),
        )

    def _asked(self, product: StockProduct) -> bool:
        expansion = self.expansion_id in (None, expansion_of(product.blueprint_id))
        return expansion and self.blueprint_id in (None, product.blueprint_id)


class Press:
    """Writes bodies in a thread, each once, and keeps the newest four."""

    def __init__(self) -> None:
        self._written: dict[tuple[Export, bool], asyncio.Task[BodyFile]] = {}

    async def spool(self, export: Export, *, compressed: bool) -> BodyFile:
        """The body of `export`; concurrent callers share one."""
        key = (export, compressed)
        if key not in self._written:
            if len(self._written) >= _KEPT:
                del self._written[next(iter(self._written))]
            self._written[key] = asyncio.create_task(self._write(export, compressed=compressed))
        return await asyncio.shield(self._written[key])

    async def _write(self, export: Export, *, compressed: bool) -> BodyFile:
        try:
            if compressed:
                plain = await self.spool(export, compressed=False)
                return await asyncio.to_thread(BodyFile, gzipped(plain.pieces()))
            return await asyncio.to_thread(BodyFile, export.pieces())
        except BaseException:
            # A full disk may have room again at the next request.
            self._written.pop((export, compressed), None)
            raise
