"""`penstock rotate-key`: seal the stored secrets with a new key."""

from __future__ import annotations

from penstock.cli.options import Database
from penstock.cli.shown.terminal import out
from penstock.cli.signals import run
from penstock.keys import rotate_secret_key
from penstock.name import counted
from penstock.settings import load_settings


def rotate_key(database: Database = None) -> None:
    """Seal the stored secrets with a new key.

    The key comes from the key file, or is the first of PENSTOCK_SECRET_KEY. It is safe to repeat.

    Examples:
      PENSTOCK_SECRET_KEY=NEW,OLD penstock rotate-key
    """
    count = run(rotate_secret_key(load_settings(database_url=database)))
    out.print(
        f"{counted(count, 'secret')} sealed with the newest key; older keys are no longer needed"
    )
