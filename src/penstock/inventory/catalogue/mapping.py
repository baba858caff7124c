"""The references by which a blueprint is found in the user's own catalogue."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from penstock.inventory.catalogue.rows import CatalogueRow

if TYPE_CHECKING:
    from penstock.inventory.catalogue.rows import BlueprintRow


class ReferenceKind(IntEnum):
    """Whose id it is; if two disagree, the lower one counts."""

    SCRYFALL = 1
    TCGPLAYER = 2
    CARDMARKET = 3
    COLLECTOR_NUMBER = 4


def references_of(row: BlueprintRow | CatalogueRow) -> dict[tuple[ReferenceKind, str], None]:
    """The references of a blueprint, or of a row of the catalogue, each once."""
    cardmarket = [row.cardmarket_id] if isinstance(row, CatalogueRow) else row.cardmarket_ids
    found = [
        (ReferenceKind.SCRYFALL, row.scryfall_id),
        (ReferenceKind.TCGPLAYER, row.tcgplayer_id),
        *((ReferenceKind.CARDMARKET, number) for number in cardmarket),
        (ReferenceKind.COLLECTOR_NUMBER, _printed(row.set_code, row.collector_number)),
    ]
    # Case and surrounding spaces make no difference.
    known = ((kind, (value or "").strip().lower()) for kind, value in found)
    return {reference: None for reference in known if reference[1]}


def _printed(set_code: str | None, number: str | None) -> str | None:
    """What is printed on a card: `neo` and `007` are `neo 7`."""
    code, digits = (set_code or "").strip(), (number or "").strip().lstrip("0")
    return f"{code} {digits}" if code and digits else None
