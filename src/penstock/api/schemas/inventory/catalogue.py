"""The catalogue as the API shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import RowShape, Shape

if TYPE_CHECKING:
    from penstock.inventory.queries import Found


class GameShown(RowShape):
    """A game."""

    id: int
    name: str
    display_name: str | None


class ExpansionShown(RowShape):
    """An expansion of a game."""

    id: int
    game_id: int
    code: str
    name: str


class BlueprintShown(Shape):
    """What products are copies of, and the row of the user's own catalogue it is mapped to."""

    id: int
    game_id: int
    category_id: int
    expansion_id: int | None = Field(description="null when it belongs to none")
    name: str
    version: str | None
    image_url: str | None
    scryfall_id: str | None
    tcgplayer_id: str | None
    cardmarket_ids: list[str]
    set_code: str | None
    collector_number: str | None
    sku: str | None

    @classmethod
    def of(cls, row: Found) -> Self:
        """The shape of a row, which may be without `cardmarket_ids`."""
        return cls.made(cls.fields_of(row, cardmarket_ids=row.cardmarket_ids or []))


class UnmappedItem(RowShape):
    """A blueprint that is not mapped: how many products have it, and the name of one of them."""

    blueprint_id: int
    name: str
    products: int


class PropertyValues(Shape):
    """What products can be filtered by, in CardTrader's order."""

    conditions: list[str]
    languages: list[str]

    @classmethod
    def of(cls, found: tuple[list[str], list[str]]) -> Self:
        """The shape of what `penstock.inventory.queries.catalogue.property_values` gives."""
        conditions, languages = found
        return cls(conditions=conditions, languages=languages)
