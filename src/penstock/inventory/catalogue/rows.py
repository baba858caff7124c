"""CardTrader's blueprints and the user's own catalogue, as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintRow:
    """What products are examples of; the set code is that of its expansion, if it has one."""

    id: int
    game_id: int
    category_id: int
    expansion_id: int | None
    name: str
    version: str | None = None
    image_url: str | None = None
    scryfall_id: str | None = None
    tcgplayer_id: str | None = None
    cardmarket_ids: Sequence[str] = ()
    set_code: str | None = None
    collector_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """A row of the user's own catalogue."""

    sku: str
    name: str | None = None
    scryfall_id: str | None = None
    tcgplayer_id: str | None = None
    cardmarket_id: str | None = None
    set_code: str | None = None
    collector_number: str | None = None
