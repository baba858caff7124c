"""The changes of a product, for people: prices as money, properties one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from penstock.cli.shown.price import shown_price
from penstock.cli.shown.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.cli.shown.text import Fields

_LONGEST_TEXT = 60
_NAMES = {
    "name_en": "name",
    "blueprint_id": "blueprint",
    "game_id": "game",
    "category_id": "category",
    "user_id": "seller",
}
_MONEY = frozenset({"price_cents", "price_currency"})


def changed_lines(
    changes: Mapping[str, Sequence[Any]], *, price_cents: int, price_currency: str
) -> list[str]:
    """One `column old → new` for each change; the given price is the one after the changes."""
    # `bundled_quantity` is the quantity times the size of a bundle, so it changes with it.
    hidden = _MONEY | {"bundled_quantity"} if "quantity" in changes else _MONEY
    lines = [
        line
        for name, (old, new) in changes.items()
        if name not in hidden
        for line in _lines(name, old, new)
    ]
    if _MONEY.isdisjoint(changes):
        return lines
    cents, *_ = changes.get("price_cents", [price_cents])
    currency, *_ = changes.get("price_currency", [price_currency])
    before = shown_price(cents, currency)
    return [f"price {before} → {shown_price(price_cents, price_currency)}", *lines]


def described(product: Fields) -> str:
    """A product in words, such as `4 × 1.99 EUR, Near Mint, en, foil`."""
    price = shown_price(product["price_cents"], product["price_currency"])
    flags = [name for name in ("foil", "signed", "altered") if product[name]]
    words = [one_line(product[name]) for name in ("condition", "language") if product[name]]
    return ", ".join([f"{product['quantity']:,} × {price}", *words, *graded(product), *flags])


def graded(product: Fields) -> list[str]:
    """`graded`, with the grade if it has one; empty for a product that is not graded."""
    grade = product["graded"]
    return [f"graded {one_line(grade)}" if isinstance(grade, str) else "graded"] if grade else []


def _lines(name: str, old: object, new: object) -> Iterator[str]:
    if (
        name == "properties"
        and isinstance(was := _object(old), dict)
        and isinstance(now := _object(new), dict)
    ):
        for key in was | now:
            if was.get(key) != now.get(key):
                yield f"{one_line(key)} {_word(was.get(key))} → {_word(now.get(key))}"
    else:
        yield f"{_NAMES.get(name, name)} {_word(old)} → {_word(new)}"


def _object(text: object) -> object:
    """The value of JSON stored as text."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _word(value: object) -> str:
    """A value for people; text is quoted, so that a missing and an empty one differ."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str():
            shown = one_line(value)
            return (
                f'"{shown[: _LONGEST_TEXT - 1]}…"' if len(shown) > _LONGEST_TEXT else f'"{shown}"'
            )
        case _:
            return one_line(json.dumps(value))
