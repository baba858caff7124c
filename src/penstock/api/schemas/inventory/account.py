"""A seller's account as the API and the commands show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape

if TYPE_CHECKING:
    from penstock.inventory.queries import Found


class AccountShown(Shape):
    """A seller's account; its token is never shown.

    `products` are in the inventory as it was last published.
    """

    id: int
    name: str
    user_id: int = Field(description="CardTrader's number of the seller")
    created_at: Moment
    products: int = Field(description="0 before the first sync")
    published_at: Moment | None

    @classmethod
    def of(cls, row: Found) -> Self:
        """The shape of a row of `penstock.inventory.queries.accounts.list_accounts`."""
        return cls(**cls.fields_of(row, products=row.products or 0))
