"""Unpacks gzip as it arrives, in bounded memory, up to a limit on its size."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from penstock.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 256 * 1024
_GZIP = zlib.MAX_WBITS | 16
# Real exports shrink to a seventh, the dullest inventory to a fiftieth; more is an attack.
_MOST_RATIO = 250
_ALWAYS_ALLOWED = 16 * 1024 * 1024


class Unpacker:
    """Gives the unpacked body in pieces of at most 256 KiB; SourceUnavailableError if damaged."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=_GZIP)
        self._begun = False
        self._packed = self._unpacked = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        """What a block of the packed body holds."""
        self._packed += len(block)
        while block:
            if self._member.eof:
                # gzip allows several members, one after another.
                self._member = zlib.decompressobj(wbits=_GZIP)
            self._begun = True
            piece, block = self._step(block)
            if piece:
                yield piece

    def end(self) -> None:
        """Check that the end marker with its checksum has arrived."""
        if not (self._begun and self._member.eof):
            raise SourceUnavailableError("the export was cut: its gzip end marker is missing")

    def _step(self, block: bytes) -> tuple[bytes, bytes]:
        try:
            piece = self._member.decompress(block, PIECE_BYTES)
        except zlib.error as error:
            raise SourceUnavailableError(f"the export is damaged: {error}") from error
        self._unpacked += len(piece)
        if self._unpacked > max(_ALWAYS_ALLOWED, self._packed * _MOST_RATIO):
            raise SourceUnavailableError(
                f"the export unpacks to more than {_MOST_RATIO} times its size,"
                " which no inventory does"
            )
        return piece, self._member.unused_data if self._member.eof else self._member.unconsumed_tail
