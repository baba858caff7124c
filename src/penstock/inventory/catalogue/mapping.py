"""The references by which a blueprint is found in the user's own catalogue."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.inventory.catalogue.rows import BlueprintRow, CatalogueRow


class ReferenceKind(IntEnum):
    """Whose id it is; if two disagree, the lower one counts."""

    SCRYFALL = 1
    TCGPLAYER = 2
    CARDMARKET = 3
    COLLECTOR_NUMBER = 4


def blueprint_references(one: BlueprintRow) -> dict[tuple[ReferenceKind, str], None]:
    """The references of a blueprint, each once."""
    return _references(one, one.cardmarket_ids)


def catalogue_references(one: CatalogueRow) -> dict[tuple[ReferenceKind, str], None]:
    """The references of a row of the catalogue, each once."""
    return _references(one, [one.cardmarket_id])


def _references(
    one: BlueprintRow | CatalogueRow, cardmarket_ids: Sequence[str | None]
) -> dict[tuple[ReferenceKind, str], None]:
    found = [
        (ReferenceKind.SCRYFALL, one.scryfall_id),
        (ReferenceKind.TCGPLAYER, one.tcgplayer_id),
        *((ReferenceKind.CARDMARKET, number) for number in cardmarket_ids),
        (ReferenceKind.COLLECTOR_NUMBER, _printed(one.set_code, one.collector_number)),
    ]
    # Case and surrounding spaces make no difference.
    known = ((kind, (value or "").strip().lower()) for kind, value in found)
    return {reference: None for reference in known if reference[1]}


def _printed(set_code: str | None, number: str | None) -> str | None:
    """What is printed on a card: `neo` and `007` are `neo 7`."""
    code, digits = (set_code or "").strip(), (number or "").strip().lstrip("0")
    return f"{code} {digits}" if code and digits else None
