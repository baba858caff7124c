"""`penstock migrate`: bring the database to the present schema."""

from __future__ import annotations

from penstock.cli.options import Database
from penstock.cli.shown.terminal import out
from penstock.cli.signals import run
from penstock.opening import migrate_database
from penstock.settings import load_settings


def migrate(database: Database = None) -> None:
    """Bring the database to the present schema.

    Every command that writes does this first.

    Examples:
      penstock migrate --database postgresql://penstock@db/penstock
    """
    before, after = run(migrate_database(load_settings(database_url=database)))
    out.print(
        f"schema {after}, nothing to do"
        if before == after
        else f"schema {after}, was {before or 'empty'}"
    )
