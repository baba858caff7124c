"""`penstock products` and `penstock history`: what is published, and its changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.options import Database
from penstock.cli.shown.changes import changed_lines, described, graded
from penstock.cli.shown.price import shown_price
from penstock.cli.shown.terminal import err, fitting_table, out, print_table, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.cli.stored import opened_inventories
from penstock.errors import InvalidInputError
from penstock.inventory.queries.products import ProductQuery
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.settings import Settings

_MOST = 100_000

Limit = Annotated[int, typer.Option(min=1, max=_MOST, metavar="N", help="Maximum to show.")]
SomeAccount = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Only this account.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array.")]


def products(
    account: SomeAccount = None,
    text: Annotated[
        str | None,
        typer.Option(
            "-q", metavar="TEXT", help="Only names that contain this text.", show_default=False
        ),
    ] = None,
    limit: Limit = 20,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show published products by name.

    Examples:
      penstock products my-shop
      penstock products -q "Black Lotus" --json
    """
    if text is not None and not text.isprintable():
        raise InvalidInputError("q: contains control characters; use plain text", field="q")
    found = run(_products(load_settings(database_url=database), account, text, limit))
    if as_json:
        typer.echo(json.dumps(found))
        return
    names = ("product", "name", "condition", "lang", "quantity", "price", "sku")
    table = fitting_table(
        *names, whole=("product", "lang", "quantity", "price"), right=("quantity", "price")
    )
    for one in found:
        price = shown_price(one["price_cents"], one["price_currency"])
        table.add_row(
            str(one["product_id"]),
            one_line(one["name_en"]),
            _condition(one),
            one["language"],
            str(one["quantity"]),
            price,
            one["sku"],
        )
    print_table(table)
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
    as_json: AsJson = False,
) -> None:
    """Show how syncs changed a product.

    The newest change comes first; the first import is not listed.

    Examples:
      penstock history 123456
    """
    known, changes = run(_history(load_settings(database_url=database), product, limit))
    if as_json:
        typer.echo(json.dumps(changes))
        return
    for one in known:
        out.print(f"{one_line(one['name_en'])}: {'gone' if one['gone_at'] else described(one)}")
    table = fitting_table("when (UTC)", "kind", "what", "sync", whole=("kind",))
    for one, lines in zip(changes, _walked_back(known, changes), strict=True):
        table.add_row(shown_time(one["changed_at"]), one["kind"], "\n".join(lines), one["task_id"])
    print_table(table)


async def _products(
    settings: Settings, account: str | None, text: str | None, limit: int
) -> list[dict[str, Any]]:
    async with opened_inventories(settings) as inventories:
        account_id = None if account is None else (await inventories.account(account))["id"]
        return await inventories.products(
            ProductQuery(limit=limit, account=account_id, q=text, gone=False, sort="name_en")
        )


async def _history(
    settings: Settings, product_id: int, limit: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with opened_inventories(settings) as inventories:
        return await inventories.product(product_id), await inventories.history(
            product_id, limit=limit
        )


def _condition(product: Mapping[str, Any]) -> str:
    condition = one_line(product["condition"]) if product["condition"] else ""
    return ", ".join(
        word for word in (condition, *graded(product), "foil" if product["foil"] else "") if word
    )


def _walked_back(
    known: Sequence[Mapping[str, Any]], changes: Sequence[Mapping[str, Any]]
) -> Iterator[list[str]]:
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
