"""`penstock sync`: brings a seller's published inventory in step with CardTrader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.commands.inventory.accounts import ACCOUNTS, AccountName
from penstock.cli.exit_codes import HELD
from penstock.cli.options import Database, JsonSummary
from penstock.cli.reached import reach
from penstock.cli.shown.sync_shown import show_sync, sync_bar
from penstock.cli.stored import stored
from penstock.cli.waited import waited

if TYPE_CHECKING:
    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields
    from penstock.cli.waited import Order

SYNCS = "/api/v1/inventory/syncs"


def sync(
    account: AccountName,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Publish nothing; show the changes with `penstock diff`."),
    ] = False,
    database: Database = None,
    as_json: JsonSummary = False,
) -> None:
    """Bring a seller's inventory in step with CardTrader.

    Fetches the whole inventory and publishes what is new, changed and gone. A suspicious result,
    such as many missing products, is held: nothing changes and the exit code is 8.

    Examples:
      penstock sync my-shop
      penstock sync my-shop --dry-run
    """
    found = stored(database, lambda inventories: inventories.account(account))
    order = (f"{ACCOUNTS}/{found['id']}/sync", {"dry_run": dry_run})
    if reach(database, lambda client: _sync(client, order, found["name"], as_json=as_json)):
        raise typer.Exit(HELD)


async def _sync(client: ApiClient, order: Order, name: str, *, as_json: bool) -> bool:
    """Whether it is held; shows it before new products are looked up."""
    ended = await synced(client, order)
    show_sync(name, ended, as_json=as_json)
    return bool(ended["held"])


async def synced(client: ApiClient, order: Order) -> Fields:
    """The completed sync of an order."""
    with sync_bar() as advance:
        return await waited(client, order, advance, cancelled=_cut_short, at=SYNCS)


def _cut_short(sync: Fields) -> str:
    if sync.get("state") == "published":
        return "cancelled too late: it is published"
    return "cancelled: nothing was published"
