"""`penstock demo`: the whole way on one machine, from the built-in simulator to the API."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.app import open_app
from penstock.cli.client import ApiClient
from penstock.cli.commands.inventory.accounts import ACCOUNTS
from penstock.cli.commands.inventory.sync import synced
from penstock.cli.commands.market.collect import collected, show, summary_of
from penstock.cli.options import JsonSummary, Port
from penstock.cli.shown.sync_shown import show_in_a_line
from penstock.cli.shown.terminal import err, out, print_json
from penstock.cli.signals import run, until_signal
from penstock.domains.market import make_source
from penstock.errors import SecretKeyError
from penstock.foreground import foreground
from penstock.http.governor import LocalBudget
from penstock.logs import log_to_stderr
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.instrument import Status
from penstock.market.runs.orders import CollectOrder
from penstock.opening import masked_url
from penstock.settings import Settings, data_folder, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.cli.shown.text import Fields

_SYMBOLS = 50
_TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_CANDLES = 100
_COMMANDS = ("candles BTC/USDT -t 1h --limit 3", "series BTC/USDT", "products --limit 3")
# The seller's token at the simulator, also the name of the account here.
_SELLER = "demo"
_PRODUCTS = 3_000


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the summary instead of serving.")
    ] = False,
    as_json: JsonSummary = False,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Use this database instead of demo.db in the data folder.",
        ),
    ] = None,
    port: Port = None,
) -> None:
    """Collect from the simulator, then serve what was found.

    50 symbols × 6 timeframes × 100 candles and 3,000 products. The data is invented, so it goes
    to a database of its own.

    Examples:
      penstock demo
      penstock demo --once --json
    """
    url = database or f"sqlite:///{data_folder() / 'demo.db'}"
    settings = load_settings(database_url=url, port=port)
    log_to_stderr(settings.log_level or "critical")
    run(_demo(settings, once=once, as_json=as_json))


async def _demo(settings: Settings, *, once: bool, as_json: bool) -> None:
    # Importing the web framework takes longer than most commands do.
    from penstock.api.server import listening, refuse_open_door, running  # noqa: PLC0415 - slow
    from penstock.cli.in_process import InProcess  # noqa: PLC0415 - slow
    from penstock.simulator.server import SimulatorSettings  # noqa: PLC0415 - slow
    from penstock.simulator.server import running as simulating  # noqa: PLC0415 - slow

    if not once:
        await refuse_open_door(settings)
    with contextlib.nullcontext() if once else listening(settings) as door:
        accounts = (f"{_SELLER}:{_PRODUCTS}",)
        async with simulating(SimulatorSettings(accounts=accounts)) as simulator:
            urls = {"binance_url": simulator, "cardtrader_url": simulator}
            settings = settings.model_copy(update=urls)
            # Named, so that the seller's account does not put the default schedule to sleep.
            symbols = await _traded(settings)
            settings = settings.model_copy(update={"symbols": symbols})
            async with open_app(settings, serving=door.url if door else None) as app:
                async with foreground(app) as here:
                    client = ApiClient(InProcess(app, here), settings)
                    task = await _collect(client, symbols)
                    summary = summary_of(task, client.place, len(_TIMEFRAMES))
                    _show(task, summary, await _sync(client), as_json=as_json)
                    if not as_json:
                        out.print("\n".join(_next_steps(settings)))
                if door:
                    async with app.working(), app.scheduling(), running(app, door):
                        await until_signal(f"Penstock serves at {door.page} (press Ctrl-C to stop)")


async def _traded(settings: Settings) -> tuple[str, ...]:
    async with make_source(DEFAULT_EXCHANGE, settings, LocalBudget()) as source:
        listed = await source.instruments()
    trading = (one for one in listed if one.quote == "USDT" and one.status is Status.TRADING)
    return tuple(one.symbol for one in trading)[:_SYMBOLS]


async def _collect(client: ApiClient, symbols: Sequence[str]) -> Fields:
    order = CollectOrder(symbols=symbols, timeframes=_TIMEFRAMES, limit=_CANDLES)
    return await collected(client, order)


async def _sync(client: ApiClient) -> Fields | None:
    """The finished sync; None when the seller's token cannot be stored."""
    try:
        found = (await client.call("GET", ACCOUNTS))["items"]
        known = {account["name"]: account["id"] for account in found}
        seller = {"name": _SELLER, "token": _SELLER}
        account_id = known.get(_SELLER) or (await client.call("POST", ACCOUNTS, seller))["id"]
        return await synced(client, (f"{ACCOUNTS}/{account_id}/sync", {}))
    except SecretKeyError as error:
        err.print(f"no inventory is synced: {error}")
        return None


def _show(task: Fields, summary: Fields, synced: Fields | None, *, as_json: bool) -> None:
    if as_json:
        print_json(summary | {"inventory": synced})
        return
    show(task, summary)
    if synced is not None:
        show_in_a_line(_SELLER, synced)


def _next_steps(settings: Settings) -> list[str]:
    """What to type in a shell to see what was collected."""
    program = _program()
    return [
        "To see what was collected:",
        f"  export PENSTOCK_DATABASE_URL={_in_shell(masked_url(settings))}",
        *(f"  {program} {command}" for command in _COMMANDS),
    ]


def _program() -> str:
    """How this program is started from the folder that it was started in."""
    given = sys.argv[0]
    if Path(given).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m penstock"
    found = shutil.which("penstock")
    if found is not None and (os.sep not in given or Path(found).samefile(given)):
        return "penstock"
    return shlex.quote(given)


def _in_shell(url: str) -> str:
    """The URL of a database as a word for a shell; short in the home of its user."""
    if shlex.quote(url) != url:
        return shlex.quote(url)
    return url.replace(f"sqlite:///{Path.home()}/", "sqlite:///$HOME/", 1)
