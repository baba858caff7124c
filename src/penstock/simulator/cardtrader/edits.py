"""The changes of products between two exports: they change, sell, go, or come back.

A function of the seed, the product's index and the step.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

from penstock.errors import InvalidInputError
from penstock.simulator.cardtrader.names import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.simulator.cardtrader.stock import StockProduct

Percent: TypeAlias = Annotated[float, Meta(ge=0, le=100)]
Field: TypeAlias = Literal[
    "price", "quantity", "condition", "description", "user_data_field", "tag"
]
FIELDS: tuple[Field, ...] = get_args(Field)
# Of a hundred products that change, most change their price or quantity.
_USUAL = (*FIELDS[:1] * 8, *FIELDS[1:2] * 3, *FIELDS[1:])
_CONDITION = re.compile(rb'(?<="condition":")[^"]+')


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes in the next version, in percent of the products that were ever listed.

    `returned` is in percent of those that are gone. `fields` are those that may change (none named:
    all, mostly the price). `sold` takes one from the stock; the last one takes the product.
    """

    changed: Percent = 0
    gone: Percent = 0
    new: Percent = 0
    returned: Percent = 0
    sold: Percent = 0
    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        if self.changed + self.gone + self.sold > 100:  # noqa: PLR2004 - percent
            percent = f"{self.changed} + {self.gone} + {self.sold} is more than 100 percent"
            msg = f"changed, gone, sold: {percent}; no product is in two of them"
            raise InvalidInputError(msg, field="changed")


class VersionStep:
    """From version `number - 1`, with `before` products ever listed, to `number`, with `after`."""

    def __init__(self, key: str, number: int, before: int, changes: Changes) -> None:
        noise = hashlib.shake_128(f"{key} step {number}".encode()).digest(16)
        self.number = number
        self.before = before
        self.after = before + _share(before, changes.new)
        self._fields = changes.fields or _USUAL
        self._gone = _share(before, changes.gone)
        self._changed = self._gone + _share(before, changes.changed)
        self._sold = self._changed + _share(before, changes.sold)
        self._returned = changes.returned
        self._factor = _coprime(int.from_bytes(noise[:8]), before)
        self._shift = int.from_bytes(noise[8:])

    def take(self, product: StockProduct, index: int, *, present: bool) -> bool:
        """Apply this step to `product`; gives whether it is listed afterwards."""
        # A one-to-one map of the indices: each share is exact and costs no memory.
        place = (index * self._factor + self._shift) % self.before
        if not present:
            return place * 100 < self._returned * self.before and _restocked(product)
        if place < self._gone:
            return False
        if place < self._changed:
            _edit(product, self._fields[place % len(self._fields)], self.number)
            return True
        return place >= self._sold or _sell(product)


def aged(
    product: StockProduct, index: int, steps: Sequence[VersionStep], *, present: bool = True
) -> bool:
    """Apply the steps since a product's listing; gives whether it is listed at the end."""
    for step in steps:
        if index < step.before:
            present = step.take(product, index, present=present)
    return present


def _share(count: int, percent: float) -> int:
    return round(count * percent / 100)


def _coprime(factor: int, count: int) -> int:
    factor = factor % max(count, 1) | 1
    while math.gcd(factor, count) != 1:
        factor += 2
    return factor


def _restocked(product: StockProduct) -> bool:
    if not product.quantity:
        _stock(product, 1)
    return True


def _sell(product: StockProduct) -> bool:
    _stock(product, product.bundled_quantity - 1)
    return product.bundled_quantity > 0


def _stock(product: StockProduct, bundles: int) -> None:
    product.bundled_quantity, product.quantity = bundles, bundles * product.bundle_size


def _edit(product: StockProduct, field: Field, number: int) -> None:
    match field:
        case "price":
            product.price_cents += number
        case "quantity":
            _stock(product, product.bundled_quantity + 1)
        case "condition":
            _recondition(product, number)
        case "description":
            product.description = f"Reviewed: “version {number}”"
        case "user_data_field":
            product.user_data_field = f"MOVED-{number}"
        case "tag":
            # Through all three states: null and "" are not the same.
            product.tag = {None: "", "": f"v{number}"}.get(product.tag)


def _recondition(product: StockProduct, number: int) -> None:
    """The next condition; sealed goods have none, so their price changes."""
    properties = bytes(product.properties_hash)
    found = _CONDITION.search(properties)
    if not found:
        product.price_cents += number
        return
    place = CONDITIONS.index(found[0].decode()) + 1
    after = CONDITIONS[place % len(CONDITIONS)]
    product.properties_hash = msgspec.Raw(_CONDITION.sub(after.encode(), properties))
