"""`penstock sync`: brings a seller's published inventory in step with CardTrader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.commands.inventory.accounts import ACCOUNTS, AccountName
from penstock.cli.exit_codes import HELD
from penstock.cli.options import Database
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.sync_shown import show_sync, sync_bar
from penstock.cli.signals import run
from penstock.cli.stored import opened_inventories
from penstock.cli.waited import waited
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.cli.client import ApiClient
    from penstock.cli.waited import Order
    from penstock.settings import Settings

SYNCS = "/api/v1/inventory/syncs"


def sync(
    account: AccountName,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Publish nothing; show the changes with `penstock diff`."),
    ] = False,
    database: Database = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object.")
    ] = False,
) -> None:
    """Bring a seller's inventory in step with CardTrader.

    Fetches the whole inventory and publishes what is new, changed and gone. A suspicious result,
    such as many missing products, is held: nothing changes and the exit code is 8.

    Examples:
      penstock sync my-shop
      penstock sync my-shop --dry-run
    """
    settings = load_settings(database_url=database)
    if run(_sync(settings, reached(settings), account, dry_run=dry_run, as_json=as_json)):
        raise typer.Exit(HELD)


async def _sync(
    settings: Settings, side: Reached, account: str, *, dry_run: bool, as_json: bool
) -> bool:
    """Whether it is held."""
    async with opened_inventories(settings) as inventories:
        found = await inventories.account(account)
    async with side as client:
        order = (f"{ACCOUNTS}/{found['id']}/sync", {"dry_run": dry_run})
        ended = await synced(client, order)
        show_sync(found["name"], ended, as_json=as_json)
    return bool(ended["held"])


async def synced(client: ApiClient, order: Order) -> dict[str, Any]:
    """The completed sync of an order."""
    with sync_bar() as advance:
        return await waited(client, order, advance, cancelled=_cut_short, at=SYNCS)


def _cut_short(sync: Mapping[str, Any]) -> str:
    if sync.get("state") == "published":
        return "cancelled too late: it is published"
    return "cancelled: nothing was published"
