"""Products and their history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, literal, select, tuple_

from penstock.columns import contains, if_given
from penstock.errors import InvalidInputError, NotFoundError
from penstock.inventory.tables import (
    account,
    blueprint,
    catalogue,
    mapping,
    product,
    product_history,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from penstock.inventory.queries import Found

SORTS = ("product_id", "name_en", "price_cents", "quantity")
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductQuery:
    """Which products to list; None means any.

    `after` is the key of the last row seen (`product_key`). `sort` is one of SORTS, with a minus
    for descending. `q` is a part of the name, in any case; `expansion` is an id.
    """

    limit: int
    account: int | None = None
    q: str | None = None
    game: int | None = None
    expansion: int | None = None
    condition: str | None = None
    language: str | None = None
    foil: bool | None = None
    mapped: bool | None = None
    gone: bool | None = None
    sort: str = "product_id"
    after: tuple[object, int, int] | None = None


def list_products(connection: Connection, query: ProductQuery) -> Sequence[Found]:
    """Rows of `product` with `sku` (None: not mapped) and `expansion_id`.

    InvalidInputError for an unknown sort, and for a `q` that is too long.
    """
    return connection.execute(_products(query)).all()


def _products(query: ProductQuery) -> Select[Any]:
    order = _order(query)
    descending = query.sort.startswith("-")
    # Sort narrow rows; the other columns are read for the rows of the page alone.
    keys = (
        select(product.c.account_id, product.c.product_id)
        .where(*_filters(query))
        .limit(query.limit)
    )
    if query.after is not None:
        keys = keys.where(_after(order, query, descending=descending))
    directed = [column.desc() if descending else column.asc() for column in order]
    page = keys.order_by(*directed).subquery()
    return (
        select(product, catalogue.c.sku, blueprint.c.expansion_id)
        .join(
            page,
            and_(
                page.c.account_id == product.c.account_id, page.c.product_id == product.c.product_id
            ),
        )
        .outerjoin(mapping, mapping.c.blueprint_id == product.c.blueprint_id)
        .outerjoin(catalogue, catalogue.c.id == mapping.c.catalogue_id)
        .outerjoin(blueprint, blueprint.c.id == product.c.blueprint_id)
        .order_by(*directed)
    )


def product_key(row: Found, sort: str) -> tuple[object, int, int]:
    """The cursor of the page after this row."""
    return getattr(row, sort.removeprefix("-")), row.account_id, row.product_id


def _order(query: ProductQuery) -> list[ColumnElement[Any]]:
    """The sort columns, ending with the key, so that no two rows are equal.

    A column that is the same in all rows is left out: it would keep an index from being used.
    """
    name = query.sort.removeprefix("-")
    if name not in SORTS:
        raise InvalidInputError(
            f"sort: {query.sort[:40]!r} is not known; use one of {', '.join(SORTS)},"
            " with a minus in front for descending",
            field="sort",
        )
    columns = [product.c[name], product.c.account_id, product.c.product_id]
    return [
        column
        for column in columns[name == "product_id" :]
        if query.account is None or column.name != "account_id"
    ]


def _after(
    order: list[ColumnElement[Any]], query: ProductQuery, *, descending: bool
) -> ColumnElement[bool]:
    value, account_id, product_id = query.after or (None, 0, 0)
    last = {"account_id": account_id, "product_id": product_id, query.sort.removeprefix("-"): value}
    here, there = tuple_(*order), tuple_(*(literal(last[one.name], one.type) for one in order))
    return here < there if descending else here > there


def _filters(query: ProductQuery) -> list[ColumnElement[bool]]:
    found = [
        if_given(product.c.account_id, query.account),
        if_given(product.c.game_id, query.game),
        if_given(product.c.condition, query.condition),
        if_given(product.c.language, query.language),
        if_given(product.c.foil, query.foil),
    ]
    if query.expansion is not None:
        found.append(
            product.c.blueprint_id.in_(
                select(blueprint.c.id).where(blueprint.c.expansion_id == query.expansion)
            )
        )
    if query.q:
        if len(query.q) > _LONGEST_TEXT:
            raise InvalidInputError(f"q: at most {_LONGEST_TEXT} characters", field="q")
        found.append(contains(product.c.name_en, query.q))
    if query.mapped is not None:
        is_mapped = (
            select(mapping.c.blueprint_id)
            .where(mapping.c.blueprint_id == product.c.blueprint_id)
            .exists()
        )
        found.append(is_mapped if query.mapped else ~is_mapped)
    if query.gone is not None:
        found.append(product.c.gone_at.is_not(None) if query.gone else product.c.gone_at.is_(None))
    return found


def list_history(
    connection: Connection,
    product_id: int,
    *,
    account_id: int | None = None,
    before_id: int | None = None,
    limit: int,
) -> Sequence[Found]:
    """The changes of a product, the newest first; NotFoundError if it never existed."""
    # By account, since the index begins with it.
    there = (
        select(product.c.product_id)
        .where(product.c.account_id == account.c.id, product.c.product_id == product_id)
        .exists()
    )
    known = select(account.c.id).where(there, if_given(account.c.id, account_id))
    owners = connection.scalars(known).all()
    if not owners:
        raise NotFoundError(f"product: there is no product {product_id}")
    wanted = select(product_history).where(
        product_history.c.account_id.in_(owners), product_history.c.product_id == product_id
    )
    if before_id is not None:
        wanted = wanted.where(product_history.c.id < before_id)
    return connection.execute(wanted.order_by(product_history.c.id.desc()).limit(limit)).all()


def product_rows(connection: Connection, product_id: int) -> Sequence[Found]:
    """Rows of `product`, one for each account that has or had it."""
    # By account, as above.
    of_accounts = select(product).join(account, account.c.id == product.c.account_id)
    return connection.execute(
        of_accounts.where(product.c.product_id == product_id).order_by(product.c.account_id)
    ).all()
