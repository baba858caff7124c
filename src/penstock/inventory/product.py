"""A product as CardTrader exports it, and a row that is not a product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from penstock.inventory.forms import AS_SENT, whole_number

# The largest signed integers of 64 and 32 bits in a database.
MOST_64 = 2**63 - 1
_MOST_32 = 2**31 - 1

Id: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_64)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_32)]
# Money in another form may be in another unit, such as `12.5` euros, so it is not read.
Cents: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_64, extra=AS_SENT)]
Currency: TypeAlias = Annotated[str, Meta(min_length=3, max_length=3)]


class Product(msgspec.Struct, frozen=True, gc=False):
    """One product of `GET /products/export`, with prices in minor units.

    JSON objects and lists are kept as the text that was sent. `description`, `user_data_field` and
    `tag` are null, empty or text. `graded` is a boolean, 0, 1 or null, or the grade (`grade_of`).
    Ids, counts and text come in other forms too (penstock.inventory.forms). What the types refuse
    in every form, such as a fraction of a cent, makes a RejectedRow.
    """

    id: Id
    name_en: str
    quantity: Count
    price_cents: Cents
    price_currency: Currency
    blueprint_id: Id
    user_id: Id
    game_id: Id
    category_id: Id
    properties_hash: msgspec.Raw
    bundle_size: Count = 1
    bundled_quantity: Count | None = None
    description: str | None = None
    user_data_field: str | None = None
    tag: str | None = None
    graded: bool | int | float | str | None = None
    uploaded_images: msgspec.Raw = msgspec.Raw(b"[]")


def grade_of(graded: bool | float | str | None) -> str | None:  # noqa: FBT001 - a flag or a grade
    """The stored text of `graded`: `true`, `false`, or the grade, such as `PSA 9.5` or `9`.

    CardTrader also sends 0 and 1 for false and true. A grade is the same as number and as text.
    """
    if graded is None or isinstance(graded, bool):
        return _FLAGS[graded]
    written = str(graded).strip()
    number = whole_number(written)
    plain = written if number is None else str(number)
    return _FLAG_TEXTS.get(plain.lower(), plain)


_FLAGS = {True: "true", False: "false", None: None}
_FLAG_TEXTS = {"1": "true", "true": "true", "0": "false", "false": "false", "": None}


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of an export that is no product; `raw` is its text, cut.

    `product_id` is None if it cannot be read; else that product is known to be there.
    """

    reason: str
    detail: str
    raw: str
    product_id: int | None = None
