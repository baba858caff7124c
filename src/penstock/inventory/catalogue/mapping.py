"""By what a blueprint is recognised in the user's own catalogue."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.inventory.catalogue.rows import BlueprintRow, CatalogueRow


class ReferenceKind(IntEnum):
    """Whose number it is; where two disagree the lower one counts."""

    SCRYFALL = 1
    TCGPLAYER = 2
    CARDMARKET = 3
    COLLECTOR_NUMBER = 4


def blueprint_references(one: BlueprintRow) -> dict[tuple[ReferenceKind, str], None]:
    """What it can be told by, each once."""
    found = [(ReferenceKind.SCRYFALL, one.scryfall_id), (ReferenceKind.TCGPLAYER, one.tcgplayer_id)]
    found += [(ReferenceKind.CARDMARKET, number) for number in one.cardmarket_ids]
    return dict.fromkeys(_written([*found, _printed(one.set_code, one.collector_number)]))


def catalogue_references(one: CatalogueRow) -> dict[tuple[ReferenceKind, str], None]:
    """The same of a row of the catalogue."""
    found = [(ReferenceKind.SCRYFALL, one.scryfall_id), (ReferenceKind.TCGPLAYER, one.tcgplayer_id)]
    found += [
        (ReferenceKind.CARDMARKET, one.cardmarket_id),
        _printed(one.set_code, one.collector_number),
    ]
    return dict.fromkeys(_written(found))


def _printed(set_code: str | None, number: str | None) -> tuple[ReferenceKind, str | None]:
    """What is printed on a card: `neo` and `007` are `neo 7`."""
    code, digits = (set_code or "").strip(), (number or "").strip().lstrip("0")
    return ReferenceKind.COLLECTOR_NUMBER, f"{code} {digits}" if code and digits else None


def _written(found: list[tuple[ReferenceKind, str | None]]) -> Iterator[tuple[ReferenceKind, str]]:
    """Those that are there; capitals and spaces around make no difference."""
    return ((kind, value.strip().lower()) for kind, value in found if value and value.strip())
