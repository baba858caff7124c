"""`penstock products` and `penstock history`: what is published, and its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.options import Database, JsonArray, Limit
from penstock.cli.shown.changes import changed_lines, described, graded
from penstock.cli.shown.price import shown_price
from penstock.cli.shown.terminal import err, out, print_json, print_rows, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.stored import stored
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.cli.shown.text import Fields

SomeAccount = Annotated[str | None, typer.Argument(metavar="NAME", help="Only this account.")]


def products(
    account: SomeAccount = None,
    text: Annotated[
        str | None,
        typer.Option("-q", metavar="TEXT", help="Only names that contain this text."),
    ] = None,
    limit: Limit = 20,
    database: Database = None,
    as_json: JsonArray = False,
) -> None:
    """Show published products by name.

    Examples:
      penstock products my-shop
      penstock products -q "Black Lotus" --json
    """
    if text is not None and not text.isprintable():
        raise InvalidInputError("q: contains control characters; use plain text", field="q")
    found = stored(
        database,
        lambda inventories: inventories.products(account, text, limit=limit),
    )
    if as_json:
        print_json(found)
        return
    names = ("product", "name", "condition", "lang", "quantity", "price", "sku")
    rows = (
        (
            item["product_id"],
            item["name_en"],
            _condition(item),
            item["language"],
            item["quantity"],
            shown_price(item["price_cents"], item["price_currency"]),
            item["sku"],
        )
        for item in found
    )
    whole = ("product", "lang", "quantity", "price")
    print_rows(names, rows, whole=whole, right=("quantity", "price"))
    if not found:
        err.print("no published products match")
    elif len(found) == limit:
        err.print(f"Showing {limit:,}; --limit for more, -q to filter")


def history(
    product: Annotated[
        int,
        typer.Argument(
            metavar="PRODUCT", min=1, max=2**63 - 1, help="The product's id at CardTrader."
        ),
    ],
    limit: Limit = 20,
    database: Database = None,
    as_json: JsonArray = False,
) -> None:
    """Show how syncs changed a product.

    The newest change comes first; the first import is not listed.

    Examples:
      penstock history 123456
    """
    known, changes = stored(
        database,
        lambda inventories: (
            inventories.product(product),
            inventories.history(product, limit=limit),
        ),
    )
    if as_json:
        print_json(changes)
        return
    for one in known:
        out.print(f"{one_line(one['name_en'])}: {'gone' if one['gone_at'] else described(one)}")
    rows = (
        (shown_time(change["changed_at"]), change["kind"], lines, change["task_id"])
        for change, lines in zip(changes, _walked_back(known, changes), strict=True)
    )
    print_rows(("when (UTC)", "kind", "what", "sync"), rows, whole=("kind",))


def _condition(product: Fields) -> str:
    condition = one_line(product["condition"]) if product["condition"] else ""
    return ", ".join(
        word for word in (condition, *graded(product), "foil" if product["foil"] else "") if word
    )


def _walked_back(known: Sequence[Fields], changes: Sequence[Fields]) -> Iterator[list[str]]:
    """The lines of each change, the newest first.

    A price change names no currency: it is the present one, back to a change of currency.
    """
    prices = {
        one["account_id"]: {name: one[name] for name in ("price_cents", "price_currency")}
        for one in known
    }
    for one in changes:
        price = prices[one["account_id"]]
        yield changed_lines(one["changes"], **price)
        price.update({name: one["changes"][name][0] for name in price if name in one["changes"]})
