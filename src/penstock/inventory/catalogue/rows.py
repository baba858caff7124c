"""CardTrader's catalogue and the user's own one, as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class GameRow:
    """A game, such as Magic; `name` is CardTrader's own, `display_name` for people."""

    id: int
    name: str
    display_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """A category, such as single cards; `properties` are name, type and possible values of each."""

    id: int
    game_id: int
    name: str
    properties: Sequence[object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpansionRow:
    """An expansion, such as Neon Dynasty, code `neo`."""

    id: int
    game_id: int
    code: str
    name: str


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
