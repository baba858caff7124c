"""What happens to a product between two exports: one field changes, it is sold, it goes, it comes back. A function of (seed, index, step)."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from penstock.errors import InvalidInputError
from penstock.simulator.cardtrader.names import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.simulator.cardtrader.product import Product

Percent: TypeAlias = Annotated[float, Meta(ge=0, le=100)]
Field: TypeAlias = Literal["price", "quantity", "condition", "description", "user_data_field", "tag"]
FIELDS: tuple[Field, ...] = ("price", "quantity", "condition", "description", "user_data_field", "tag")
# Of a hundred products that change, most change their price or quantity.
_USUAL: tuple[Field, ...] = (*("price",) * 8, *("quantity",) * 4, "condition", "description", "user_data_field", "tag")


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the next version of an inventory holds, in percent of the products that were ever listed; `returned` is in percent of those that are gone.

    `fields` are those that may change (none named: all, mostly the price); `sold` takes one from the stock, and the last one takes the product.
    """

    changed: Percent = 0
    gone: Percent = 0
    new: Percent = 0
    returned: Percent = 0
    sold: Percent = 0
    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        if self.changed + self.gone + self.sold > 100:  # noqa: PLR2004 - percent
            msg = f"changed, gone, sold: {self.changed} + {self.gone} + {self.sold} is more than 100 percent; no product is in two of them"
            raise InvalidInputError(msg, field="changed")


class Step:
    """The way from version `number - 1` to `number`, when `before` products had been listed; afterwards `after` have."""

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

    def take(self, product: Product, index: int, *, present: bool) -> bool:
        """Change `product` as this step does; gives whether it is there afterwards."""
        # A one-to-one map of the indices, so that each share is exact and costs no memory.
        place = (index * self._factor + self._shift) % self.before
        if not present:
            return place * 100 < self._returned * self.before and _restocked(product)
        if place < self._gone:
            return False
        if place < self._changed:
            _EDITS[self._fields[place % len(self._fields)]](product, self.number)
            return True
        return place >= self._sold or _sell(product)


def aged(product: Product, index: int, steps: Sequence[Step], *, present: bool = True) -> bool:
    """Take a product through those steps before which it was listed; gives whether it is there at the end."""
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


def _restocked(product: Product) -> bool:
    if not product.quantity:
        _stock(product, 1)
    return True


def _sell(product: Product) -> bool:
    _stock(product, product.bundled_quantity - 1)
    return product.bundled_quantity > 0


def _stock(product: Product, bundles: int) -> None:
    product.bundled_quantity, product.quantity = bundles, bundles * product.bundle_size


def _price(product: Product, number: int) -> None:
    product.price_cents += number


def _quantity(product: Product, _: int) -> None:
    _stock(product, product.bundled_quantity + 1)


def _condition(product: Product, number: int) -> None:
    """The next condition; sealed goods have none, so their price changes."""
    properties = bytes(product.properties_hash)
    for condition, after in zip(CONDITIONS, (*CONDITIONS[1:], CONDITIONS[0]), strict=True):
        if (written := f'"condition":"{condition}"'.encode()) in properties:
            product.properties_hash = msgspec.Raw(properties.replace(written, f'"condition":"{after}"'.encode()))
            return
    _price(product, number)


def _description(product: Product, number: int) -> None:
    product.description = f"Reviewed: “version {number}”"


def _user_data_field(product: Product, number: int) -> None:
    product.user_data_field = f"MOVED-{number}"


def _tag(product: Product, number: int) -> None:
    """Through all three states, as null and "" are not the same."""
    match product.tag:
        case None:
            product.tag = ""
        case "":
            product.tag = f"v{number}"
        case _:
            product.tag = None


_EDITS: dict[Field, Callable[[Product, int], None]] = {
    "price": _price,
    "quantity": _quantity,
    "condition": _condition,
    "description": _description,
    "user_data_field": _user_data_field,
    "tag": _tag,
}
