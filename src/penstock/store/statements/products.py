"""A product as the values of its staged row."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from penstock.inventory.product import grade_of
from penstock.inventory.tables import STAGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.inventory.product import Product

    Json: TypeAlias = bytes | msgspec.Raw

T = TypeVar("T")

# A property in whatever form it comes: an unusual one must not spoil the others.
_Sent: TypeAlias = bool | int | float | str | None

_PROPERTIES, _GRADED, _IMAGES = (
    STAGED.index(name) for name in ("properties", "graded", "uploaded_images")
)
_PREFIXED_KEY = re.compile(rb'"([a-z0-9]+_)(?:language|foil)"\s*:')


class Normalised(NamedTuple):
    """What is read from the properties, in the order of penstock.inventory.tables.NORMALISED."""

    condition: str | None = None
    language: str | None = None
    foil: bool | None = None
    signed: bool | None = None
    altered: bool | None = None


class Normaliser(Generic[T]):
    """Reads properties, and gives what `shown` makes of them.

    The keys of a game carry a prefix, known from its first product with such a key. All rows of a
    first import are read while they arrive; reading them in the database takes a second more. Of a
    later import only the differing rows are read.
    """

    def __init__(self, shown: Callable[[Normalised], T]) -> None:
        self._readers: dict[int, Callable[[Json], Any]] = {}
        # Most products share a few conditions and languages.
        self._shown = lru_cache(maxsize=16_384)(lambda found: shown(_normalised(found)))
        self._nothing = shown(Normalised())

    def of(self, game_id: int, properties: Json) -> T:
        """Nothing if the properties cannot be read."""
        read = self._readers.get(game_id) or self._learned(game_id, properties)
        try:
            return self._shown(read(properties))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._nothing

    def _learned(self, game_id: int, properties: Json) -> Callable[[Json], Any]:
        key = _PREFIXED_KEY.search(properties)
        if key is None:
            return _PLAIN
        self._readers[game_id] = reader = _reader(key[1].decode())
        return reader


def _reader(prefix: str) -> Callable[[Json], Any]:
    fields = {
        "condition": "condition",
        "language": f"{prefix}language",
        "plain_language": "language",
        "foil": f"{prefix}foil",
        "plain_foil": "foil",
        "signed": "signed",
        "altered": "altered",
    }
    made = msgspec.defstruct(
        "Properties", [(name, _Sent, None) for name in fields], rename=fields, frozen=True, gc=False
    )
    return msgspec.json.Decoder(made).decode


def _normalised(found: Any) -> Normalised:  # noqa: ANN401 - a struct of _reader's
    language = found.plain_language if found.language is None else found.language
    foil = found.plain_foil if found.foil is None else found.foil
    return Normalised(
        _word(found.condition),
        _word(language),
        _flag(foil),
        _flag(found.signed),
        _flag(found.altered),
    )


def _word(value: _Sent) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _flag(value: _Sent) -> bool | None:
    return None if value is None else value in {1, "1", "true"}


# No game has keys with this prefix.
_PLAIN = _reader("_")


def staged_values(one: Product) -> list[Any]:
    """The values in the order of STAGED, which is that of Product's fields; JSON as text."""
    values: list[Any] = [*msgspec.structs.astuple(one)]
    values[_PROPERTIES] = str(one.properties_hash, "utf-8", "replace")
    values[_IMAGES] = str(one.uploaded_images, "utf-8", "replace")
    values[_GRADED] = grade_of(one.graded)
    return values
