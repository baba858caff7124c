"""The body of an export, a JSON array of products: cut between rows, decoded in bounded memory.

A boundary is proven, not guessed: what precedes it decodes as an array. That survives `},{` inside
strings and nested arrays. A window that does not decode is read row by row, so that a bad row costs
no other. Nothing here waits: the reader is fed, in one thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import SourceUnavailableError
from penstock.inventory.export.rows import (
    MOST_ROW_BYTES,
    PAGE_ROWS,
    WindowReader,
    fault_of,
)
from penstock.inventory.forms import UNREADABLE
from penstock.inventory.product import Product

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.inventory.product import RejectedRow

WINDOW_BYTES = 256 * 1024
_BOUNDARY = b'},{"'
# Enough for text that contains boundaries; after that, rows are read one by one.
_MOST_TRIES = 4
_OPENING = re.compile(rb'\s*(?:\[|(\{)\s*"array"\s*:\s*\[)')
_LONGEST_OPENING = 64
# Escapes of U+0000 and of half characters, which no database stores; valid characters use two.
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_U = ord("u")
_SHOWN_BYTES = 120

_decode = msgspec.json.Decoder(list[Product]).decode


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Up to 5,000 rows in the order of the export, good and bad ones apart."""

    products: Sequence[Product]
    rejected: Sequence[RejectedRow]

    def __len__(self) -> int:
        return len(self.products) + len(self.rejected)


class ExportReader:
    """Takes the body in pieces of any size and gives pages.

    SourceUnavailableError for a body that is no export, or not complete.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = self._wrapped = self._ended = False
        # How much there must be before it is read: more, after reading it was in vain.
        self._enough = WINDOW_BYTES
        self._windows = WindowReader()
        self._products: list[Product] = []
        self._rejected: list[RejectedRow] = []

    def feed(self, piece: bytes) -> Iterator[ExportPage]:
        """The pages that this piece completes."""
        self._buffer += piece
        if not self._begun:
            self._open(last=False)
        while (
            self._begun and not self._ended and len(self._buffer) >= self._enough and self._window()
        ):
            yield from self._full_pages()
        if self._ended:
            self._check_end(last=False)

    def end(self) -> Iterator[ExportPage]:
        """The remaining pages; the array must be closed, with nothing after it."""
        if not self._begun:
            self._open(last=True)
        if not self._ended:
            self._last_window()
        while not self._ended:
            self._one_by_one(last=True)
            yield from self._full_pages()
        self._check_end(last=True)
        yield from self._full_pages()
        if self._products or self._rejected:
            yield self._page()

    def stop(self) -> None:
        """Read no further row; called from another thread than the reader's."""
        self._windows.stop()

    def _open(self, *, last: bool) -> None:
        """Find where the array begins, and drop what precedes it."""
        opening = _OPENING.match(self._buffer)
        if opening is not None:
            self._begun, self._wrapped = True, opening[1] is not None
            del self._buffer[: opening.end()]
        elif last or len(self._buffer.lstrip()) > _LONGEST_OPENING:
            raise _no_export(self._buffer)

    def _check_end(self, *, last: bool) -> None:
        """Only the end of the wrapper may follow the array, and must, at the end of the body."""
        rest, proper = bytes(self._buffer.strip()), b"}" if self._wrapped else b""
        if rest != proper and (rest or last):
            raise SourceUnavailableError(
                f"the export does not end with its array, but with {rest[:_SHOWN_BYTES]!r}"
            )
        self._buffer = bytearray(rest)

    def _window(self) -> bool:
        """Take rows from the buffer; False if it holds no whole row."""
        before = len(self._buffer)
        if not self._quickly():
            self._one_by_one(last=False)
        in_vain = len(self._buffer) == before
        self._enough = min(before + WINDOW_BYTES, MOST_ROW_BYTES) if in_vain else WINDOW_BYTES
        return not in_vain

    def _quickly(self) -> bool:
        """Take all rows up to the last boundary; False if they must be read one by one."""
        end = 2 * WINDOW_BYTES
        for _ in range(_MOST_TRIES):
            end = self._buffer.rfind(_BOUNDARY, 0, end)
            if end < 0:
                return False
            try:
                if not self._took(end + 1):
                    return False
            except msgspec.ValidationError:
                return False
            except UNREADABLE:
                # This was no boundary, or a row is broken: reading row by row tells.
                continue
            del self._buffer[: end + 2]
            return True
        return False

    def _last_window(self) -> None:
        """Take the rest with its closing brackets, if it decodes."""
        text = self._buffer.rstrip()
        if self._wrapped:
            text = text.removesuffix(b"}").rstrip()
        try:
            if not (text.endswith(b"]") and self._took(len(text) - 1)):
                return
        except UNREADABLE:
            return
        del self._buffer[: len(text)]
        self._ended = True

    def _took(self, size: int) -> bool:
        """Take this much of the buffer if it is storable rows; raises what the decoder raises."""
        with memoryview(self._buffer) as view:
            window = b"".join((b"[", view[:size], b"]"))
        products = _decode(window)
        if not _storable(window, products):
            return False
        self._products += products
        return True

    def _one_by_one(self, *, last: bool) -> None:
        rows = self._windows.read(bytes(self._buffer), last=last)
        self._products += rows.products
        self._rejected += rows.rejected
        self._buffer, self._ended = bytearray(rows.rest), rows.ended

    def _full_pages(self) -> Iterator[ExportPage]:
        while len(self._products) + len(self._rejected) >= PAGE_ROWS:
            yield self._page()

    def _page(self) -> ExportPage:
        rejected = self._rejected[:PAGE_ROWS]
        products = self._products[: PAGE_ROWS - len(rejected)]
        del self._rejected[:PAGE_ROWS], self._products[: len(products)]
        return ExportPage(products, rejected)


def _storable(window: bytes, products: Sequence[Product]) -> bool:
    """Whether a database can store all of them, also what the decoder does not check.

    That is raw JSON, and zeros in text; checked here in few calls.
    """
    if not products:
        return True
    if _suspicious(window):
        return all(fault_of(product) is None for product in products)
    properties = [bytes(product.properties_hash) for product in products]
    # No other JSON value begins with so high a character as an object does.
    return (
        min(properties) >= b"{"
        and _is_unicode(properties)
        and _is_unicode([product.uploaded_images for product in products])
    )


def _suspicious(window: bytes) -> bool:
    """Whether the pattern occurs.

    Going from backslash to backslash takes half as long as a search; such escapes are rare.
    """
    at = window.find(b"\\")
    while at >= 0:
        if window[at + 1] == _U:
            return _SUSPICIOUS.search(window, at) is not None
        at = window.find(b"\\", at + 2)
    return False


def _is_unicode(texts: Sequence[bytes | msgspec.Raw]) -> bool:
    try:
        b"".join(texts).decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_export(body: bytes | bytearray) -> SourceUnavailableError:
    shown = bytes(body[:_SHOWN_BYTES]).decode("utf-8", "replace")
    what = "an HTML page" if shown.lstrip().startswith("<") else "no array of products"
    return SourceUnavailableError(f"the export is {what}: {shown!r}")
