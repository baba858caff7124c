"""A seller's inventory in all its versions: products, and the difference of two versions."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import InvalidInputError
from penstock.simulator.cardtrader.edits import Changes, VersionStep, aged
from penstock.simulator.cardtrader.stock import Stock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.simulator.cardtrader.catalogue import Catalogue
    from penstock.simulator.cardtrader.stock import StockProduct

MOST_PRODUCTS = 10_000_000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SimulatedSeller:
    """A seller: its token, its CardTrader user, and how many products version 1 has."""

    token: str
    user_id: int
    products: int


@dataclass(slots=True)
class Totals:
    """Sums that SQL can compute over a table of products, to compare it with a version."""

    products: int = 0
    quantity: int = 0
    price_cents: int = 0
    ids: int = 0

    def shown(self) -> dict[str, object]:
        """As the admin path shows it: `ids` may need more than 64 bits, so it is text."""
        return asdict(self) | {"ids": str(self.ids)}


@dataclass(slots=True)
class Difference:
    """How many products two versions do not share, and how many changed."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    returned: int = 0


class SellerInventory:
    """The products of an account; version 1 exists from the start, `advance` makes the next."""

    def __init__(self, catalogue: Catalogue, account: SimulatedSeller) -> None:
        self.account = account
        self._key = f"penstock cardtrader {catalogue.seed} {account.token}"
        self._stock = Stock(catalogue, account.token, account.user_id)
        self._steps: list[VersionStep] = []

    @property
    def version(self) -> int:
        """The newest version, which is the one that an export shows."""
        return len(self._steps) + 1

    def advance(self, changes: Changes) -> int:
        """Make the next version and give its number.

        Raises InvalidInputError when it would list too many products.
        """
        step = VersionStep(self._key, self.version + 1, self.listed(self.version), changes)
        if step.after > MOST_PRODUCTS:
            most = f"{step.after} products are more than {MOST_PRODUCTS}"
            msg = f"new: {most}; give a smaller percentage"
            raise InvalidInputError(msg, field="new")
        self._steps.append(step)
        return self.version

    def products(
        self, version: int, start: int = 0, end: int | None = None
    ) -> Iterator[StockProduct]:
        """The products of a version with indices in [start, end), in the order of an export."""
        steps, listed = self._steps[: version - 1], self.listed(version)
        stock = self._stock.products(start, listed if end is None else min(end, listed))
        return (product for index, product in stock if not steps or aged(product, index, steps))

    def totals(self, version: int) -> Totals:
        totals = Totals()
        for product in self.products(version):
            totals.products += 1
            totals.quantity += product.quantity
            totals.price_cents += product.price_cents
            totals.ids += product.id
        return totals

    def difference(self, base: int, version: int) -> Difference:
        """What a client finds that has `base` and gets the later `version`.

        A product that was gone in `base` is returned, not new.
        """
        found, known = Difference(), self.listed(base)
        early, late = self._steps[: base - 1], self._steps[base - 1 : version - 1]
        for index, product in self._stock.products(0, self.listed(version)):
            was_there = aged(product, index, early)
            before = copy(product)
            is_there = aged(product, index, late, present=was_there)
            if index >= known:
                found.new += is_there
            elif was_there and is_there:
                found.changed += before != product
            else:
                found.gone, found.returned = found.gone + was_there, found.returned + is_there
        return found

    def listed(self, version: int) -> int:
        """How many products have ever been listed up to a version."""
        return self._steps[version - 2].after if version > 1 else self.account.products

    def check(self, version: int) -> int:
        """The version if it exists, or InvalidInputError."""
        if not 1 <= version <= self.version:
            msg = f"version: there is no version {version}; there are 1 to {self.version}"
            raise InvalidInputError(msg, field="version")
        return version


def encoded(product: StockProduct) -> bytes:
    """A product as JSON in an export."""
    return _encode(product)
