"""`penstock catalog` and `penstock unmapped`: the seller's card list, and what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.commands.inventory.products import SomeAccount
from penstock.cli.options import Database, JsonArray, JsonObject, Limit
from penstock.cli.reached import reach
from penstock.cli.reading import read_file
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import err, out, print_json, print_rows
from penstock.cli.stored import stored_unmapped
from penstock.inventory.catalogue.card_list import MOST_BYTES
from penstock.name import counted

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
    as_json: JsonObject = False,
) -> None:
    """Replace your list of cards, and map CardTrader's blueprints to it. No sync is needed.

    Columns: sku (yours, required), name, scryfall_id, tcgplayer_id, cardmarket_id, set_code and
    collector_number.
    """
    body = read_file(file, MOST_BYTES)
    kind = "application/json" if file.suffix.lower() == ".json" else "text/csv"
    uploaded = reach(
        database,
        lambda client: client.upload("/api/v1/inventory/catalog", body, kind),
    )
    if as_json:
        print_json(uploaded)
    else:
        mapped = counted(uploaded["mapped"], "blueprint")
        out.print(f"{counted(uploaded['rows'], 'row')} in your list, {mapped} mapped to it")


def unmapped(
    account: SomeAccount = None,
    limit: Limit = 20,
    database: Database = None,
    as_json: JsonArray = False,
) -> None:
    """List blueprints that your card list lacks.

    Those with the most products come first.

    Examples:
      penstock unmapped my-shop
    """
    found = stored_unmapped(database, account)
    if as_json:
        print_json(found[:limit])
        return
    rows = ((item["blueprint_id"], item["name"], f"{item['products']:,}") for item in found[:limit])
    names = ("blueprint", "name", "products")
    print_rows(names, rows, whole=("blueprint", "products"), right=("products",))
    products = counted(sum(item["products"] for item in found), "product")
    total = f"{counted(len(found), 'blueprint')} with {products} not mapped"
    err.print(f"{total}; showing {limit:,}" if len(found) > limit else total)
