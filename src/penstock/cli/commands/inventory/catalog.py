"""`penstock catalog` and `penstock unmapped`: the seller's card list, and what it lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.commands.inventory.products import AsJson, Limit, SomeAccount
from penstock.cli.options import Database
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import err, fitting_table, out, print_table
from penstock.cli.shown.text import counted, one_line
from penstock.cli.signals import run
from penstock.cli.stored import opened_inventories
from penstock.errors import InvalidInputError
from penstock.inventory.catalogue.card_list import MOST_BYTES
from penstock.settings import load_settings

if TYPE_CHECKING:
    from penstock.settings import Settings

catalog = Commands("""Upload your own list of cards.

Examples:
  penstock catalog upload cards.csv""")


@catalog.command()
def upload(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV with a header row, or a JSON array of objects."),
    ],
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Replace your list of cards, and map CardTrader's blueprints to it. No sync is needed.

    Columns: sku (yours, required), name, scryfall_id, tcgplayer_id, cardmarket_id, set_code and
    collector_number.
    """
    body, is_json = _read(file), file.suffix.lower() == ".json"
    side = reached(load_settings(database_url=database))
    uploaded = run(_upload(side, body, "application/json" if is_json else "text/csv"))
    if as_json:
        typer.echo(json.dumps(uploaded))
    else:
        mapped = counted(uploaded["mapped"], "blueprint")
        out.print(f"{counted(uploaded['rows'], 'row')} in your list, {mapped} mapped to it")


def unmapped(
    account: SomeAccount = None,
    limit: Limit = 20,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List blueprints that your card list lacks.

    Those with the most products come first.

    Examples:
      penstock unmapped my-shop
    """
    found = run(_unmapped(load_settings(database_url=database), account))
    if as_json:
        typer.echo(json.dumps(found[:limit]))
        return
    table = fitting_table(
        "blueprint", "name", "products", whole=("blueprint", "products"), right=("products",)
    )
    for one in found[:limit]:
        table.add_row(str(one["blueprint_id"]), one_line(one["name"]), f"{one['products']:,}")
    print_table(table)
    products = counted(sum(one["products"] for one in found), "product")
    total = f"{counted(len(found), 'blueprint')} with {products} not mapped"
    err.print(f"{total}; showing {limit:,}" if len(found) > limit else total)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            body = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(
            f"file: {file} cannot be read ({error.strerror})", field="file"
        ) from None
    if len(body) > MOST_BYTES:
        raise InvalidInputError(f"file: {file} is larger than {MOST_BYTES:,} bytes", field="file")
    return body


async def _upload(side: Reached, body: bytes, kind: str) -> dict[str, Any]:
    async with side as client:
        done: dict[str, Any] = await client.upload("/api/v1/inventory/catalog", body, kind)
        return done


async def _unmapped(settings: Settings, account: str | None) -> list[dict[str, Any]]:
    async with opened_inventories(settings) as inventories:
        account_id = None if account is None else (await inventories.account(account))["id"]
        return await inventories.unmapped(account_id)
