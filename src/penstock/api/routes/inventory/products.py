"""The inventory: products, and what was changed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from penstock.api.routes.parts import FromQuery, RunsDep, StoreDep
from penstock.api.schemas.answer import answer
from penstock.api.schemas.cursor import LONGEST, cursor_of, key_of
from penstock.api.schemas.input import Id, Input, Limit, Name
from penstock.api.schemas.inventory.product import HistoryItem, ProductShown
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page
from penstock.inventory.queries import products as queries

if TYPE_CHECKING:
    from collections.abc import Callable


router = APIRouter(prefix="/api/v1/inventory/products", tags=["inventory"])

ProductId = Annotated[int, Path(ge=1, lt=2**63)]
BigId = Annotated[int, Field(ge=1, lt=2**63)]
_Int64 = Annotated[int, msgspec.Meta(ge=0, lt=2**63 - 1)]
_Int32 = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


def _true_false_or_any(value: object, check: Callable[[object], object]) -> object:
    """Check with one error: each type of a union has its own, under a name that is no field."""
    try:
        return check(value)
    except ValidationError:
        message = "use true, false or any"
        raise PydanticCustomError("gone", message) from None


class ProductsQuery(Input):
    """Which products, a page at a time."""

    account: Id | None = Field(None, description="the id of an account")
    q: Name | None = Field(None, description="a part of the name, in capitals or not")
    game: BigId | None = None
    expansion: BigId | None = None
    condition: Name | None = Field(None, description="such as Near Mint")
    language: Name | None = Field(None, description="such as en")
    foil: bool | None = None
    mapped: bool | None = Field(
        None, description="whether it is mapped to the user's own catalogue"
    )
    gone: Annotated[bool | Literal["any"], WrapValidator(_true_false_or_any)] = Field(
        default=False, description="true: those that have left the inventory; any: both"
    )
    sort: Literal[
        "product_id",
        "-product_id",
        "name_en",
        "-name_en",
        "price_cents",
        "-price_cents",
        "quantity",
        "-quantity",
    ] = Field(
        "product_id",
        description="a minus for descending; by product_id the accounts come one after the other",
    )
    cursor: str | None = Field(
        None, max_length=LONGEST, description="`next_cursor` of the page before, with the same sort"
    )
    limit: Limit = 100


class ProductPage(Page):
    """Products of all accounts, or of one."""

    items: list[ProductShown]
    next_cursor: str | None


@router.get("", response_model=ProductPage, responses=documented(422, 503))
async def list_products(store: StoreDep, query: FromQuery[ProductsQuery]) -> Response:
    """The inventory as it was last published."""
    wanted = _wanted(query)
    return await store.answer(
        lambda connection: ProductPage.of(
            queries.list_products(connection, wanted),
            wanted.limit,
            ProductShown.of,
            lambda row: cursor_of(queries.product_key(row, wanted.sort)),
        )
    )


def _wanted(query: ProductsQuery) -> queries.ProductQuery:
    given = query.model_dump(exclude={"cursor", "gone"})
    kind = (
        tuple[str, _Int32, _Int64]
        if query.sort.endswith("name_en")
        else tuple[_Int64, _Int32, _Int64]
    )
    after: Any = None if query.cursor is None else key_of(query.cursor, kind)
    return queries.ProductQuery(
        **given, gone=None if query.gone == "any" else query.gone, after=after
    )


class HistoryQuery(Input):
    """Which changes, the newest first."""

    account: Id | None = Field(None, description="the id of an account")
    cursor: str | None = Field(
        None, pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the page before"
    )
    limit: Limit = 100


class HistoryPage(Page):
    """What was changed of a product, when, and by which sync."""

    items: list[HistoryItem]
    next_cursor: str | None


@router.get(
    "/{product_id}/history", response_model=HistoryPage, responses=documented(404, 422, 503)
)
async def get_product_history(
    store: StoreDep,
    runs: RunsDep,
    product_id: ProductId,
    query: FromQuery[HistoryQuery],
) -> Response:
    """What was changed of a product, the newest first."""
    before = None if query.cursor is None else int(query.cursor)
    found, syncs = await store.read(
        lambda connection: (
            rows := queries.list_history(
                connection,
                product_id,
                account_id=query.account,
                before_id=before,
                limit=query.limit,
            ),
            runs.named(connection, ids={row.run_id for row in rows}),
        )
    )
    tasks = {run.id: run.task_id for run in syncs}
    return answer(
        HistoryPage.of(
            found,
            query.limit,
            lambda row: HistoryItem.of(row, tasks.get(row.run_id)),
            lambda row: str(row.id),
        )
    )
