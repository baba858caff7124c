"""Exports, and what is read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.inventory.export.pipeline import PackedReader
from penstock.inventory.export.reader import WINDOW_BYTES
from penstock.inventory.export.rows import PAGE_ROWS
from tests.inventory_builders import body_of, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.inventory.product import Product, RejectedRow

Read = tuple[list["Product"], list["RejectedRow"]]
NASTY = '},{"id":1},{ "},{" [ ] \\" \\\\ ☃ 🂡 ,"price_cents":'
# The same without escapes, which are slow to scan in large numbers.
LONG = "},{ [ ] ☃ 🂡 ,: " * 50


def read(body: bytes, size: int = WINDOW_BYTES, *, packed: bool = False) -> Read:
    reader = PackedReader(gzip=packed)
    products: list[Product] = []
    rejected: list[RejectedRow] = []
    for at in range(0, len(body), size):
        for page in reader.feed(body[at : at + size]):
            assert len(page) == PAGE_ROWS
            products += page.products
            rejected += page.rejected
    for page in reader.end():
        products += page.products
        rejected += page.rejected
    return products, rejected


def ids(products: Sequence[Product]) -> list[int]:
    return [product.id for product in products]


def large(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Rows of about 1.3 KB, so that few of them fill several windows."""
    return [
        row(number, description=f"{NASTY}{number}{LONG}{NASTY}", **fields)
        for number in range(1, count + 1)
    ]


SEVERAL_WINDOWS = large(900)
SEVERAL_TEXTS = [body_of([sent])[1:-1].decode() for sent in SEVERAL_WINDOWS]
