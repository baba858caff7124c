"""The generated catalogue: games, categories with their properties, expansions, blueprints. A function of the seed alone.

Ids of games and conditions, languages and property names are CardTrader's; names of expansions and cards are invented.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from penstock.simulator.cardtrader.names import COLORS, CONDITIONS, FIRST, GAMES, ODD, PLACES, RARITIES, SECOND, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLUEPRINTS_AN_ID = 1000
_FIRST_EXPANSION, _FIRST_CATEGORY = 1, 1
_SEALED = ("Booster Box", "Booster", "Bundle")
_SITE = "https://cardtrader.com/uploads/blueprints/image"


@dataclass(frozen=True, slots=True)
class Game:
    """A game; `prefix` begins the names of its own properties, `single`, `sealed` and `supply` are its categories' ids."""

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
class Expansion:
    """An expansion and how many blueprints it has."""

    id: int
    game: Game
    code: str
    name: str
    size: int

    def shown(self) -> dict[str, object]:
        """As `/expansions` lists it."""
        return {"id": self.id, "game_id": self.game.id, "code": self.code, "name": self.name}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a product is an example of; one that is not `single` is sealed goods or a supply, whose products have no properties."""

    id: int
    name: str
    version: str | None
    expansion: Expansion
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
        magic = {"cmc": str(self.noise[5] % 8), "mtg_card_colors": COLORS[self.noise[6] % len(COLORS)]} if prefix == "mtg" else {}
        return {"collector_number": self.number, f"{prefix}_rarity": self.rarity, "tournament_legal": True} | magic


class Catalogue:
    """Everything that all sellers share, made when it is first asked for: about 20,000 blueprints in 104 expansions of 5 games.

    A smaller one has the first `expansions` of each game alone.
    """

    def __init__(self, seed: int, expansions: int | None = None) -> None:
        self.seed = seed
        self._each = expansions

    @cached_property
    def games(self) -> list[Game]:
        return [
            Game(number, name, display, prefix, tuple(languages.split()), _FIRST_CATEGORY + 3 * index)
            for index, (number, name, display, prefix, _, languages) in enumerate(GAMES)
        ]

    @cached_property
    def expansions(self) -> list[Expansion]:
        sizes = {number: count for number, *_, count, _ in GAMES}
        places = [(game, place) for game in self.games for place in range(sizes[game.id])]
        return [
            self._expansion(_FIRST_EXPANSION + 7 * index, game)
            for index, (game, place) in enumerate(places)
            if self._each is None or place < self._each
        ]

    @cached_property
    def blueprints(self) -> list[Blueprint]:
        return [blueprint for expansion in self.expansions for blueprint in self.of(expansion)]

    def find(self, expansion_id: int) -> Expansion | None:
        """The expansion with this id."""
        return next((expansion for expansion in self.expansions if expansion.id == expansion_id), None)

    def of(self, expansion: Expansion) -> Iterator[Blueprint]:
        """The blueprints of one expansion, in order of their ids."""
        return (self._blueprint(expansion, number) for number in range(1, expansion.size + 1))

    def _expansion(self, expansion_id: int, game: Game) -> Expansion:
        noise = _noise(self.seed, f"expansion {expansion_id}")
        name = f"{FIRST[noise[0] % len(FIRST)]} {SECOND[noise[1] % len(SECOND)]}s of {PLACES[noise[2] % len(PLACES)]}"
        return Expansion(expansion_id, game, f"{game.prefix[0]}{expansion_id:x}{chr(97 + noise[3] % 26)}", name, 60 + noise[4])

    def _blueprint(self, expansion: Expansion, number: int) -> Blueprint:
        """The first three are sealed goods, the fourth is a supply, the others are single cards."""
        noise = _noise(self.seed, f"blueprint {expansion.id} {number}")
        game = expansion.game
        blueprint_id = expansion.id * _BLUEPRINTS_AN_ID + number
        if number <= len(_SEALED):
            return Blueprint(blueprint_id, f"{expansion.name} {_SEALED[number - 1]}", "", expansion, game.sealed, "", "", noise)
        if number == len(_SEALED) + 1:
            return Blueprint(blueprint_id, f"{expansion.name} Sleeves (60)", None, expansion, game.supply, "", "", noise)
        version = VERSIONS[noise[3] % len(VERSIONS)]
        return Blueprint(
            blueprint_id, _card(noise), version, expansion, game.single, RARITIES[noise[4] % len(RARITIES)], _number(game, expansion, number), noise
        )


@lru_cache(maxsize=2)
def catalogue_of(seed: int, expansions: int | None = None) -> Catalogue:
    """The catalogue of a seed, made once: it never changes."""
    return Catalogue(seed, expansions)


def expansion_of(blueprint_id: int) -> int:
    """The expansion to which a blueprint belongs."""
    return blueprint_id // _BLUEPRINTS_AN_ID


def shown_game(game: Game) -> dict[str, object]:
    """As `/games` lists it."""
    return {"id": game.id, "display_name": game.display_name, "name": game.name}


def shown_categories(game: Game) -> list[dict[str, object]]:
    """As `/categories` lists those of one game."""
    language = _property(f"{game.prefix}_language", game.languages)
    single = [
        _property(f"{game.prefix}_rarity", tuple(dict.fromkeys(RARITIES))),
        _property("condition", CONDITIONS),
        language,
        *(_property(name, (True, False)) for name in (game.flag, "signed", "altered", "tournament_legal")),
        _property("collector_number", ()),
    ]
    return [
        {"id": game.single, "name": f"{game.name} Single Card", "game_id": game.id, "properties": single},
        {"id": game.sealed, "name": f"{game.name} Sealed Products", "game_id": game.id, "properties": [language]},
        {"id": game.supply, "name": f"{game.name} Sleeves", "game_id": game.id, "properties": []},
    ]


def shown_blueprint(blueprint: Blueprint) -> dict[str, object]:
    """As `/blueprints/export` lists it; ids of other shops are missing for some, and Scryfall knows Magic cards only."""
    noise, game = blueprint.noise, blueprint.expansion.game
    magic = blueprint.single and game.prefix == "mtg"
    slug = f"{blueprint.id}/preview_{game.prefix}-{blueprint.expansion.code}-{blueprint.id}.jpg"
    return {
        "id": blueprint.id,
        "name": blueprint.name,
        "version": blueprint.version,
        "game_id": game.id,
        "category_id": blueprint.category_id,
        "expansion_id": blueprint.expansion.id,
        "fixed_properties": {key: value for key, value in blueprint.fixed().items() if key != "tournament_legal"},
        "editable_properties": _editable(blueprint),
        "card_market_ids": _market_ids(blueprint),
        "tcg_player_id": None if noise[8] % 16 == 0 else 100_000 + blueprint.id,
        "scryfall_id": str(uuid.UUID(bytes=noise[:16], version=4)) if magic and noise[9] % 32 else None,
        "image_url": f"{_SITE}/{slug}",
        "image": {"url": f"/uploads/blueprints/image/{slug}"},
        "back_image": None,
    }


def _editable(blueprint: Blueprint) -> list[dict[str, object]]:
    if not blueprint.single:
        return []
    game = blueprint.expansion.game
    values: dict[str, tuple[object, ...]] = {"condition": CONDITIONS, f"{game.prefix}_language": game.languages}
    values |= dict.fromkeys((game.flag, "signed", "altered"), (True, False))
    return [_property(name, possible) | {"default_value": "false" if possible[-1] is False else possible[0]} for name, possible in values.items()]


def _property(name: str, possible: tuple[object, ...]) -> dict[str, object]:
    return {"name": name, "type": "boolean" if possible == (True, False) else "string", "possible_values": possible}


def _market_ids(blueprint: Blueprint) -> list[int]:
    """None, one or two: Cardmarket counts some versions as cards of their own."""
    return [200_000 + blueprint.id * 2 + index for index in range((0, 1, 1, 1, 1, 1, 1, 2)[blueprint.noise[7] % 8])]


def _card(noise: bytes) -> str:
    if noise[0] % 64 == 0:
        return ODD[noise[1] % len(ODD)]
    name = f"{FIRST[noise[0] % len(FIRST)]} {SECOND[noise[1] % len(SECOND)]}"
    return name if noise[2] % 3 else f"{name} of {PLACES[noise[2] % len(PLACES)]}"


def _number(game: Game, expansion: Expansion, number: int) -> str:
    """Collector numbers are text: leading zeros, letters and slashes belong to them."""
    return {"mtg": f"{number:03}", "pokemon": f"{number}/{expansion.size}"}.get(game.prefix, f"{expansion.code.upper()}-EN{number:03}")


def _noise(seed: int, name: str) -> bytes:
    return hashlib.shake_128(f"penstock cardtrader {seed} {name}".encode()).digest(16)
