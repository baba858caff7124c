"""Products, and what changes of them, as the API and the commands show them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec
from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape
from penstock.inventory.tables import NORMALISED, STAGED
from penstock.moment import iso_or_none

if TYPE_CHECKING:
    from penstock.inventory.queries import Found

ChangeKind = Literal["changed", "gone", "new", "returned"]

_EXPORTED = (*STAGED, *NORMALISED)
_exported_of = attrgetter(*_EXPORTED)
# Kept as the JSON text that was sent, and shown as what it says.
_RAW = ("properties", "uploaded_images")
_OWN = ("account_id", "sku", "expansion_id", "external_stock_id")
_CHANGES = "column: its old and its new value"


class _Exported(Shape):
    """What an export says of a product, and what is read from its properties."""

    product_id: int
    name_en: str
    quantity: int
    price_cents: int
    price_currency: str
    blueprint_id: int
    user_id: int
    game_id: int
    category_id: int
    properties: dict[str, Any] = Field(description="as they were sent")
    bundle_size: int
    bundled_quantity: int | None
    description: str | None
    user_data_field: str | None
    tag: str | None
    graded: bool | str | None = Field(description="whether it is graded, or its grade, as text")
    uploaded_images: Any = Field(description="as they were sent")
    condition: str | None
    language: str | None
    foil: bool | None
    signed: bool | None
    altered: bool | None


class DiffItem(_Exported):
    """A product as it would be; a gone one as it is."""

    kind: ChangeKind
    changes: dict[str, tuple[Any, Any]] = Field(description=_CHANGES)

    @classmethod
    def of(cls, row: Found) -> Self:
        """The shape of a row of `penstock.inventory.queries.syncs.list_diff`."""
        return cls.made({"kind": row.kind, **_exported(row), "changes": row.changes})


class ProductShown(_Exported):
    """A product of the inventory.

    `sku` is the row of the user's own catalogue that its blueprint is mapped to.
    """

    account_id: int
    sku: str | None
    expansion_id: int | None = Field(
        description="null until the blueprint is known, or when it belongs to none"
    )
    external_stock_id: str
    gone_at: Moment | None

    @classmethod
    def of(cls, row: Found) -> Self:
        """The shape of a row of `penstock.inventory.queries.products.list_products`."""
        fields = _exported(row)
        fields |= {name: getattr(row, name) for name in _OWN}
        fields["gone_at"] = iso_or_none(row.gone_at)
        return cls.made(fields)


class HistoryItem(Shape):
    """What a sync changed of a product; its first import leaves nothing."""

    id: int
    account_id: int
    product_id: int
    kind: ChangeKind
    changed_at: Moment
    changes: dict[str, tuple[Any, Any]] = Field(description=_CHANGES)
    task_id: str | None = Field(description="the sync")

    @classmethod
    def of(cls, row: Found, task_id: str | None) -> Self:
        """The shape of a row of `list_history`, with the task of its run."""
        return cls.made(cls.fields_of(row, task_id=task_id))


class ChangeItem(Shape):
    """What a sync changed of a product, and what the product is now."""

    id: int
    product_id: int
    kind: ChangeKind
    changed_at: Moment
    changes: dict[str, tuple[Any, Any]] = Field(description=_CHANGES)
    name_en: str
    quantity: int
    price_cents: int
    price_currency: str

    @classmethod
    def of(cls, row: Found) -> Self:
        """The shape of a row of `penstock.inventory.queries.syncs.list_changes`."""
        return cls.made(cls.fields_of(row))


def _exported(row: Found) -> dict[str, Any]:
    fields = dict(zip(_EXPORTED, _exported_of(row), strict=True))
    # Not decoded: a number that JSON can write and Python cannot hold comes out as it came in.
    for name in _RAW:
        fields[name] = msgspec.Raw(fields[name].encode())
    return fields
