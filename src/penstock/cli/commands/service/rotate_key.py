"""`penstock rotate-key`: seal the stored secrets with a new key."""

from __future__ import annotations

from penstock.cli.options import Database
from penstock.cli.shown.terminal import out
from penstock.cli.shown.text import counted
from penstock.cli.signals import run
from penstock.keys import rotate_secret_key
from penstock.settings import load_settings


def rotate_key(database: Database = None) -> None:
    """Seal the stored secrets with a new key: of the key file, or the first one of PENSTOCK_SECRET_KEY; it can be run again at any time."""
    count = run(rotate_secret_key(load_settings(database_url=database)))
    out.print(
        f"{counted(count, 'secret')} sealed with the newest key; older keys are needed no longer"
    )
