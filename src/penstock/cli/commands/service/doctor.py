"""`penstock doctor`: check everything a collection needs."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from penstock import __version__
from penstock.cli.options import Database, Exchange
from penstock.cli.shown.terminal import out
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.domains.market import check_exchange
from penstock.errors import PenstockError
from penstock.keys import check_secrets
from penstock.opening import check_database, masked_url
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.settings import Settings


def doctor(database: Database = None, exchange: Exchange = "binance") -> None:
    """Check the database, the secrets and the exchange.

    Exits with 1 when a check fails.

    Examples:
      penstock doctor
      penstock doctor --database postgresql://penstock@db/penstock
    """
    settings = load_settings(database_url=database)
    out.print(f"penstock {__version__}, Python {platform.python_version()} ({sys.executable})")
    out.print(f"database: {masked_url(settings)}")
    healthy = run(_check(settings, exchange))
    if not healthy:
        raise typer.Exit(1)


async def _check(settings: Settings, exchange: str) -> bool:
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("database", lambda: check_database(settings)),
        ("secrets", lambda: check_secrets(settings)),
        (exchange, lambda: check_exchange(settings, exchange)),
    ]
    healthy = True
    for name, check in checks:
        try:
            _say("ok  ", "green", f"{name}: {await check()}")
        except PenstockError as error:
            healthy = False
            _say("FAIL", "red", f"{name}: {error}")
    return healthy


def _say(verdict: str, colour: str, finding: str) -> None:
    out.print(Text.assemble((verdict, colour), f" {one_line(finding)}"))
