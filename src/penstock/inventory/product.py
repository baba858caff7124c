"""A product as CardTrader exports it, and a row that cannot be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from penstock.inventory.forms import AS_SENT, whole_number

# What a signed integer of so many bits in a database can hold.
MOST_64 = 2**63 - 1
_MOST_32 = 2**31 - 1

Id: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_64)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_32)]
# Money in another form may be in another unit, such as `12.5` euros: it is never read in one.
Cents: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_64, extra=AS_SENT)]
Currency: TypeAlias = Annotated[str, Meta(min_length=3, max_length=3)]


class Product(msgspec.Struct, frozen=True, gc=False):
    """One product of `GET /products/export`. Prices are in minor units; JSON objects and lists are kept as the text that was sent.

    `description`, `user_data_field` and `tag` have three states: null, empty, text. `graded` comes as a boolean, 0, 1 or null, or as the grade,
    text or number: see `grade_of`. Ids, counts and text come in other forms too, see penstock.inventory.forms; what the types refuse in each form (a
    number that no database column holds, a fraction of a cent) makes a RejectedRow.
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


def grade_of(graded: bool | float | str | None) -> str | None:  # noqa: FBT001 - this is what it is about
    """What is kept of `graded`: `true` or `false` of what says no more than whether it is, else the grade, such as `PSA 9.5` or `9`.

    0 and 1 are CardTrader's other form of false and true. A grade is the same as a number and as text. None: nothing is said.
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
    """A row of an export that is no product: `raw` is the text that was sent, cut to some length.

    The product with this id is there, whatever it is now; None when the id cannot be read.
    """

    reason: str
    detail: str
    raw: str
    product_id: int | None = None
