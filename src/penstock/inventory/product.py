"""A product as CardTrader exports it, and a row that cannot be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

# What a signed integer of so many bits in a database can hold.
_MOST_64 = 2**63 - 1
_MOST_32 = 2**31 - 1

Id: TypeAlias = Annotated[int, Meta(ge=1, le=_MOST_64)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_32)]
Cents: TypeAlias = Annotated[int, Meta(ge=0, le=_MOST_64)]
Currency: TypeAlias = Annotated[str, Meta(min_length=3, max_length=3)]


class Product(msgspec.Struct, frozen=True, gc=False):
    """One product of `GET /products/export`. Prices are in minor units; JSON objects and lists are kept as the text that was sent.

    `description`, `user_data_field` and `tag` have three states: null, empty, text. `graded` comes as a boolean, 0, 1 or null. What the types
    refuse (a number that no database column holds, a fraction of a cent) makes a RejectedRow.
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
    graded: bool | Count | None = None
    uploaded_images: msgspec.Raw = msgspec.Raw(b"[]")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of an export that is no product: `raw` is the text that was sent, cut to some length."""

    reason: str
    detail: str
    raw: str
    product_id: int | None = None
