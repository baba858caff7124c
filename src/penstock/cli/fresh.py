"""Checks for a machine without a database: bad input must not create one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app import App, make_sender
from penstock.cli.signals import run
from penstock.domains.market import make_source
from penstock.http.governor import LocalBudget
from penstock.market.instrument import name_instruments
from penstock.opening import is_fresh, open_database
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from penstock.settings import Settings


def when_fresh(
    database: str | None, check: Callable[[Settings], Coroutine[Any, Any, None]]
) -> None:
    """Run a check if the database is a SQLite file that does not exist yet."""
    settings = load_settings(database_url=database)
    if is_fresh(settings):
        run(check(settings))


async def refuse_unlisted(settings: Settings, exchange: str, symbols: Sequence[str]) -> None:
    """InvalidInputError for symbols that the exchange does not list, or an unknown exchange."""
    async with make_source(exchange, settings, LocalBudget()) as source:
        name_instruments(symbols, await source.instruments())


async def refuse_unknown(settings: Settings, exchange: str) -> None:
    """InvalidInputError for an exchange of no domain."""
    async with open_database(settings) as database:
        App(settings, database).domains.of_exchange(exchange)


async def refuse_address(settings: Settings, url: str, signing_key: str | None) -> None:
    """InvalidInputError for an address that no alert can be sent to."""
    await make_sender(settings).address(url, signing_key)
