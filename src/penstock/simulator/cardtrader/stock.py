"""A seller's products as first listed: each a function of (seed, seller, index)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import product
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from penstock.simulator.cardtrader.names import CONDITIONS, DESCRIPTIONS, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.simulator.cardtrader.catalogue import Catalogue, SimulatedBlueprint, SimulatedGame

# Products are made a block at a time.
BLOCK = 1024
# Ids are scattered over 2^24 numbers for each seller. The factor is odd, so the map is one-to-one.
_IDS, _FACTOR = 2**24, 0x9E3779
_FIRST_ID = 100_000_000
# Some ids need all 64 bits of an integer: JavaScript and floats lose them.
_LARGE_EVERY, _LARGE = 997, 2**53
_GRADED = (True, 0, 0, 1, None)


class ExpansionPart(msgspec.Struct, frozen=True, gc=False):
    """What some products say about their expansion."""

    id: int
    code: str
    name_en: str


class StockProduct(msgspec.Struct, gc=False):
    """One product, field by field as CardTrader sends it."""

    id: int
    name_en: str
    quantity: int
    bundle_size: int
    bundled_quantity: int
    description: str | None
    user_data_field: str | None
    tag: str | None
    price_cents: int
    price_currency: str
    game_id: int
    category_id: int
    blueprint_id: int
    user_id: int
    properties_hash: msgspec.Raw
    graded: bool | int | None
    uploaded_images: tuple[str, ...]
    expansion: ExpansionPart | msgspec.UnsetType


class _Noise(NamedTuple):
    """The random numbers behind a product."""

    blueprint: int
    price: int
    variant: int
    quantity: int
    bundle: int
    description: int
    sku: int
    tag: int
    graded: int
    images: int
    expansion: int
    twin: int


_NOISE = Struct("<IIIBBBBBBBBB")


class _Listing:
    """The fields that all products of a blueprint share, encoded once."""

    def __init__(self, blueprint: SimulatedBlueprint) -> None:
        expansion = blueprint.expansion
        self.blueprint = blueprint
        self.game_id = expansion.game.id
        self.expansion = ExpansionPart(expansion.id, expansion.code, expansion.name)
        self.image = f"https://cardtrader.com/uploads/products/{expansion.code}/{blueprint.id}"
        self._head = msgspec.json.encode(blueprint.fixed())[:-1]
        self._variants = _variants(expansion.game)

    def properties(self, variant: int) -> msgspec.Raw:
        """`properties_hash` in one of its variants; empty for sealed goods and supplies."""
        if not self.blueprint.single:
            return msgspec.Raw(b"{}")
        return msgspec.Raw(self._head + self._variants[variant % len(self._variants)])


class Stock:
    """Every product that a seller ever lists, by index."""

    def __init__(self, catalogue: Catalogue, token: str, user_id: int) -> None:
        self._catalogue = catalogue
        self._key = f"penstock cardtrader {catalogue.seed} {token}"
        self._user_id = user_id
        self._first_id = _FIRST_ID + user_id * _IDS

    def products(self, start: int, end: int) -> Iterator[tuple[int, StockProduct]]:
        """Each index in [start, end) and its product as first listed."""
        listings = _listings(self._catalogue)
        for number in range(start // BLOCK, -(-end // BLOCK)):
            first = number * BLOCK
            noises = self._noises(number)
            for at in range(max(start - first, 0), min(end - first, BLOCK)):
                yield first + at, self._product(listings, first + at, noises[at], noises[at - 1])

    def _noises(self, number: int) -> list[_Noise]:
        noise = hashlib.shake_128(f"{self._key} {number}".encode()).digest(_NOISE.size * BLOCK)
        return [_Noise._make(numbers) for numbers in _NOISE.iter_unpack(noise)]

    def id_of(self, index: int) -> int:
        """The product id of an index: no two have the same, and they are in no order."""
        number = self._first_id + index * _FACTOR % _IDS
        return number if index % _LARGE_EVERY else number + _LARGE

    def _product(
        self, listings: Sequence[_Listing], index: int, noise: _Noise, before: _Noise
    ) -> StockProduct:
        # Some sellers list the same product twice at different prices.
        listed = before if noise.twin % 16 == 0 else noise
        listing = listings[listed.blueprint % len(listings)]
        bundle = _bundle(noise.bundle)
        bundles = 1 + (noise.quantity & noise.quantity >> 4)
        return StockProduct(
            id=self.id_of(index),
            name_en=listing.blueprint.name,
            quantity=bundles * bundle,
            bundle_size=bundle,
            bundled_quantity=bundles,
            description=_text(noise.description, DESCRIPTIONS),
            user_data_field=_sku(noise.sku, index),
            tag=_text(noise.tag // 2, TAGS),
            price_cents=_price_cents(noise.price),
            price_currency="EUR",
            game_id=listing.game_id,
            category_id=listing.blueprint.category_id,
            blueprint_id=listing.blueprint.id,
            user_id=self._user_id,
            properties_hash=listing.properties(listed.variant),
            graded=False if noise.graded >= len(_GRADED) else _GRADED[noise.graded],
            uploaded_images=_images(noise.images, listing.image, index),
            expansion=listing.expansion if noise.expansion % 4 == 0 else msgspec.UNSET,
        )


@lru_cache(maxsize=2)
def _listings(catalogue: Catalogue) -> list[_Listing]:
    """One for each blueprint; all sellers of a simulator share them."""
    return [_Listing(blueprint) for blueprint in catalogue.blueprints]


@lru_cache(maxsize=16)
def _variants(game: SimulatedGame) -> list[bytes]:
    """The end of `properties_hash` for every condition, language, flag and mark.

    Good conditions, the first language and plain cards come more than once.
    """
    names = ("condition", f"{game.prefix}_language", game.flag, "signed", "altered")
    combinations = product(
        (*CONDITIONS[:1] * 4, *CONDITIONS[:2], *CONDITIONS),
        (*game.languages[:1] * 4, *game.languages),
        (False, False, True),
        (*((False, False),) * 6, (True, False), (False, True)),
    )
    return [
        b"," + msgspec.json.encode(dict(zip(names, (*values, *marks), strict=True)))[1:]
        for *values, marks in combinations
    ]


def _bundle(noise: int) -> int:
    return {0: 4, 1: 4, 2: 10}.get(noise, 1)


def _text(noise: int, texts: tuple[str, ...]) -> str | None:
    """Three states, each of which some sellers have: null, empty, text."""
    match noise % 4:
        case 0:
            return None
        case 1:
            return ""
        case _:
            return texts[noise // 4 % len(texts)]


def _sku(noise: int, index: int) -> str | None:
    """The seller's own number; free text, so some stand on several products."""
    match noise % 8:
        case 0 | 1:
            return None
        case 2 | 3:
            return ""
        case 4:
            return f"BOX-{noise // 8}"
        case _:
            return f"SKU-{index:08}/{noise}"


def _price_cents(noise: int) -> int:
    """Most cards cost cents, few cost hundreds of euros."""
    return 2 + (noise & 0xFFFF) % (20 << (noise >> 16) % 12)


def _images(noise: int, image: str, index: int) -> tuple[str, ...]:
    """One product in four has pictures of its own."""
    if noise % 4 and noise % 32 != 1:
        return ()
    sides = ("front", "back")[: noise % 2 + 1]
    return tuple(f"{image}/{index:08}-{side}.jpg" for side in sides)
