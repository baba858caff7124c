"""`penstock doctor`: check everything that the installation uses."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from penstock import __version__
from penstock.cli.commands.service.heartbeat import check_workers
from penstock.cli.options import Database
from penstock.cli.shown.terminal import out
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.errors import PenstockError, RateLimitedError
from penstock.opening import check_database, masked_url
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.settings import Settings


def doctor(
    exchange: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only this exchange, instead of all providers that are used.",
            show_default="what is used",
        ),
    ] = None,
    database: Database = None,
    worker: Annotated[
        bool,
        typer.Option("--worker", help="Only the database and this machine's workers; no provider."),
    ] = False,
) -> None:
    """Check the database, the secrets and the providers.

    Only providers that are used are asked, and none that wants no request now. Exits with 1 when a
    check fails.

    Examples:
      penstock doctor
      penstock doctor --database postgresql://penstock@db/penstock --worker
    """
    settings = load_settings(database_url=database)
    out.print(f"penstock {__version__}, Python {platform.python_version()} ({sys.executable})")
    out.print(f"database: {masked_url(settings)}")
    healthy = run(_check(settings, exchange, worker=worker))
    if not healthy:
        raise typer.Exit(1)


async def _check(settings: Settings, exchange: str | None, *, worker: bool) -> bool:
    if not await _passes("database", lambda: check_database(settings)):
        out.print("The rest is checked once the database can be used.")
        return False
    if worker:
        return await _passes("worker", lambda: _check_workers(settings))
    # Most of the program, which a health check of a worker does without.
    from penstock.domains.checks import checks_of  # noqa: PLC0415 - see above

    verdicts = [await _passes(*check) for check in await checks_of(settings, exchange)]
    return all(verdicts)


async def _check_workers(settings: Settings) -> str:
    return check_workers(settings.dead_after_s)


async def _passes(name: str, check: Callable[[], Awaitable[str]]) -> bool:
    """Print how a check ends; whether it does not fail."""
    try:
        _say("ok  ", "green", f"{name}: {await check()}")
    except RateLimitedError as error:
        _say("wait", "yellow", f"{name}: {error}")
    except PenstockError as error:
        _say("FAIL", "red", f"{name}: {error}")
        return False
    except Exception as error:  # noqa: BLE001 - a check that breaks has found something
        _say("FAIL", "red", f"{name}: unexpected error: {type(error).__name__}: {error}")
        return False
    return True


def _say(verdict: str, colour: str, finding: str) -> None:
    out.print(Text.assemble((verdict, colour), f" {one_line(finding)}"))
