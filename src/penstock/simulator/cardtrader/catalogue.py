"""The generated catalogue: games, categories, expansions, blueprints. It follows from the seed.

Game ids, conditions, languages and property names are CardTrader's; expansions and cards are
invented.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeVar

from penstock.simulator.cardtrader.names import (
    COLORS,
    CONDITIONS,
    FIRST,
    GAMES,
    ODD,
    PLACES,
    RARITIES,
    SECOND,
    VERSIONS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_T = TypeVar("_T")

_BLUEPRINTS_AN_ID = 1000
_FIRST_EXPANSION, _FIRST_CATEGORY = 1, 1
_SEALED = ("Booster Box", "Booster", "Bundle")
_SITE = "https://cardtrader.com/uploads/blueprints/image"


@dataclass(frozen=True, slots=True)
class SimulatedGame:
    """A game; `prefix` begins the names of its properties.

    `single`, `sealed` and `supply` are the ids of its categories.
    """

    id: int
    name: str
    display_name: str
    prefix: str
    languages: tuple[str, ...]
    single: int

    @property
    def sealed(self) -> int:
        return self.single + 1

    @property
    def supply(self) -> int:
        return self.single + 2

    @property
    def flag(self) -> str:
        """The property that only some games have, true or false."""
        return "first_edition" if self.prefix in {"yugioh", "pokemon"} else f"{self.prefix}_foil"


@dataclass(frozen=True, slots=True)
class SimulatedExpansion:
    """An expansion and how many blueprints it has."""

    id: int
    game: SimulatedGame
    code: str
    name: str
    size: int

    def shown(self) -> dict[str, object]:
        """As `/expansions` lists it."""
        return {"id": self.id, "game_id": self.game.id, "code": self.code, "name": self.name}


@dataclass(frozen=True, slots=True)
class SimulatedBlueprint:
    """What a product is an example of: a `single` card, sealed goods, or a supply.

    Only cards have properties.
    """

    id: int
    name: str
    version: str | None
    expansion: SimulatedExpansion
    category_id: int
    rarity: str
    number: str
    noise: bytes

    @property
    def single(self) -> bool:
        return self.category_id == self.expansion.game.single

    def fixed(self) -> dict[str, object]:
        """The properties that all its products share."""
        if not self.single:
            return {}
        prefix = self.expansion.game.prefix
        properties: dict[str, object] = {
            "collector_number": self.number,
            f"{prefix}_rarity": self.rarity,
            "tournament_legal": True,
        }
        if prefix == "mtg":
            properties["cmc"] = str(self.noise[5] % 8)
            properties["mtg_card_colors"] = _pick(COLORS, self.noise[6])
        return properties


class Catalogue:
    """What all sellers share, made when first asked for: 21,000 blueprints in 104 expansions.

    A smaller one has only the first `expansions` of each game.
    """

    def __init__(self, seed: int, expansions: int | None = None) -> None:
        self.seed = seed
        self._each = expansions

    @cached_property
    def games(self) -> list[SimulatedGame]:
        return [
            SimulatedGame(
                number, name, display, prefix, tuple(languages.split()), _FIRST_CATEGORY + 3 * index
            )
            for index, (number, name, display, prefix, _, languages) in enumerate(GAMES)
        ]

    @cached_property
    def expansions(self) -> list[SimulatedExpansion]:
        sizes = {number: count for number, *_, count, _ in GAMES}
        places = [(game, place) for game in self.games for place in range(sizes[game.id])]
        return [
            self._expansion(_FIRST_EXPANSION + 7 * index, game)
            for index, (game, place) in enumerate(places)
            if self._each is None or place < self._each
        ]

    @cached_property
    def blueprints(self) -> list[SimulatedBlueprint]:
        return [blueprint for expansion in self.expansions for blueprint in self.of(expansion)]

    def find(self, expansion_id: int) -> SimulatedExpansion | None:
        return next((each for each in self.expansions if each.id == expansion_id), None)

    def of(self, expansion: SimulatedExpansion) -> Iterator[SimulatedBlueprint]:
        """The blueprints of one expansion, in order of their ids."""
        return (self._blueprint(expansion, number) for number in range(1, expansion.size + 1))

    def _expansion(self, expansion_id: int, game: SimulatedGame) -> SimulatedExpansion:
        noise = _noise(self.seed, f"expansion {expansion_id}")
        first, second, place = map(_pick, (FIRST, SECOND, PLACES), noise)
        code = f"{game.prefix[0]}{expansion_id:x}{chr(97 + noise[3] % 26)}"
        return SimulatedExpansion(
            expansion_id, game, code, f"{first} {second}s of {place}", 60 + noise[4]
        )

    def _blueprint(self, expansion: SimulatedExpansion, number: int) -> SimulatedBlueprint:
        """The first three are sealed goods, the fourth is a supply, the others are single cards."""
        noise = _noise(self.seed, f"blueprint {expansion.id} {number}")
        game = expansion.game
        rarity, printed = _pick(RARITIES, noise[4]), _number(game, expansion, number)
        name, version, category = _card(noise), _pick(VERSIONS, noise[3]), game.single
        if number <= len(_SEALED):
            name, version, category = f"{expansion.name} {_SEALED[number - 1]}", "", game.sealed
        elif number == len(_SEALED) + 1:
            name, version, category = f"{expansion.name} Sleeves (60)", None, game.supply
        blueprint_id = expansion.id * _BLUEPRINTS_AN_ID + number
        return SimulatedBlueprint(
            blueprint_id, name, version, expansion, category, rarity, printed, noise
        )


@lru_cache(maxsize=2)
def catalogue_of(seed: int, expansions: int | None = None) -> Catalogue:
    """The catalogue of a seed, made once: it never changes."""
    return Catalogue(seed, expansions)


def expansion_of(blueprint_id: int) -> int:
    """The expansion to which a blueprint belongs."""
    return blueprint_id // _BLUEPRINTS_AN_ID


def shown_game(game: SimulatedGame) -> dict[str, object]:
    """As `/games` lists it."""
    return {"id": game.id, "display_name": game.display_name, "name": game.name}


def shown_categories(game: SimulatedGame) -> list[dict[str, object]]:
    """As `/categories` lists those of one game."""
    language = _property(f"{game.prefix}_language", game.languages)
    single = [
        _property(f"{game.prefix}_rarity", tuple(dict.fromkeys(RARITIES))),
        _property("condition", CONDITIONS),
        language,
        *map(_flag, (game.flag, "signed", "altered", "tournament_legal")),
        _property("collector_number", ()),
    ]
    categories = [
        (game.single, "Single Card", single),
        (game.sealed, "Sealed Products", [language]),
        (game.supply, "Sleeves", []),
    ]
    return [
        {"id": id_, "name": f"{game.name} {name}", "game_id": game.id, "properties": properties}
        for id_, name, properties in categories
    ]


def shown_blueprint(blueprint: SimulatedBlueprint) -> dict[str, object]:
    """As `/blueprints/export` lists it; some lack the ids of other shops.

    Scryfall knows Magic cards only.
    """
    noise, game = blueprint.noise, blueprint.expansion.game
    scryfall = blueprint.single and game.prefix == "mtg" and noise[9] % 32
    fixed = blueprint.fixed()
    fixed.pop("tournament_legal", None)
    slug = f"{blueprint.id}/preview_{game.prefix}-{blueprint.expansion.code}-{blueprint.id}.jpg"
    return {
        "id": blueprint.id,
        "name": blueprint.name,
        "version": blueprint.version,
        "game_id": game.id,
        "category_id": blueprint.category_id,
        "expansion_id": blueprint.expansion.id,
        "fixed_properties": fixed,
        "editable_properties": _editable(blueprint),
        "card_market_ids": _market_ids(blueprint),
        "tcg_player_id": None if noise[8] % 16 == 0 else 100_000 + blueprint.id,
        "scryfall_id": str(uuid.UUID(bytes=noise, version=4)) if scryfall else None,
        "image_url": f"{_SITE}/{slug}",
        "image": {"url": f"/uploads/blueprints/image/{slug}"},
        "back_image": None,
    }


def _editable(blueprint: SimulatedBlueprint) -> list[dict[str, object]]:
    if not blueprint.single:
        return []
    game = blueprint.expansion.game
    return [
        _property("condition", CONDITIONS) | {"default_value": CONDITIONS[0]},
        _property(f"{game.prefix}_language", game.languages) | {"default_value": game.languages[0]},
        *(_flag(name) | {"default_value": "false"} for name in (game.flag, "signed", "altered")),
    ]


def _property(name: str, possible: tuple[object, ...], kind: str = "string") -> dict[str, object]:
    return {"name": name, "type": kind, "possible_values": possible}


def _flag(name: str) -> dict[str, object]:
    return _property(name, (True, False), "boolean")


def _market_ids(blueprint: SimulatedBlueprint) -> list[int]:
    """None, one or two: Cardmarket counts some versions as cards of their own."""
    count = (0, 1, 1, 1, 1, 1, 1, 2)[blueprint.noise[7] % 8]
    return [200_000 + blueprint.id * 2 + index for index in range(count)]


def _card(noise: bytes) -> str:
    if noise[0] % 64 == 0:
        return _pick(ODD, noise[1])
    first, second, place = map(_pick, (FIRST, SECOND, PLACES), noise)
    return f"{first} {second}" if noise[2] % 3 else f"{first} {second} of {place}"


def _number(game: SimulatedGame, expansion: SimulatedExpansion, number: int) -> str:
    """Collector numbers are text: leading zeros, letters and slashes belong to them."""
    match game.prefix:
        case "mtg":
            return f"{number:03}"
        case "pokemon":
            return f"{number}/{expansion.size}"
        case _:
            return f"{expansion.code.upper()}-EN{number:03}"


def _pick(choices: Sequence[_T], noise: int) -> _T:
    return choices[noise % len(choices)]


def _noise(seed: int, name: str) -> bytes:
    return hashlib.shake_128(f"penstock cardtrader {seed} {name}".encode()).digest(16)
