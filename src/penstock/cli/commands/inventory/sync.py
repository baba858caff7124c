"""`penstock sync`: bring a seller's published inventory in step with CardTrader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.commands.inventory.accounts import AccountName
from penstock.cli.exit_codes import HELD
from penstock.cli.options import Database
from penstock.cli.seller_doors import opened_seller
from penstock.cli.shown.sync_shown import show_sync, sync_bar
from penstock.cli.signals import run
from penstock.cli.stored import opened_inventories
from penstock.logs import log_to_stderr
from penstock.settings import load_settings

if TYPE_CHECKING:
    from penstock.settings import Settings


def sync(
    account: AccountName,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only keep what would change, for `penstock diff`.")] = False,
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Bring a seller's inventory in step with CardTrader.

    Fetches all of it and publishes what is new, changed and gone.

    When something speaks against it, such as many missing products, it is held and nothing is changed: then this ends with 8.
    """
    if run(_sync(load_settings(database_url=database), account, dry_run=dry_run, as_json=as_json)):
        raise typer.Exit(HELD)


async def _sync(settings: Settings, account: str, *, dry_run: bool, as_json: bool) -> bool:
    """Whether it is held."""
    log_to_stderr(settings.log_level or "critical")
    async with opened_inventories(settings) as inventories:
        found = await inventories.account(account)
    async with opened_seller(settings) as door:
        with sync_bar() as advance:
            ended = await door.sync(found["id"], dry_run=dry_run, advance=advance)
        show_sync(found["name"], ended, as_json=as_json)
    return bool(ended["held"])
