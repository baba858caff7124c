"""`penstock demo`: everything on one machine, from the built-in simulator to the API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.api.server import serve
from penstock.app import CollectOrder, open_app
from penstock.cli.collect import collect_with_bar, show
from penstock.cli.terminal import err
from penstock.market.instrument import Status
from penstock.settings import Settings, data_folder, load_settings
from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    from penstock.app import App, CollectReport

_SYMBOLS = 50
_TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_CANDLES = 100


def demo(
    once: Annotated[bool, typer.Option("--once", help="Leave after the summary instead of serving.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
    database: Annotated[str | None, typer.Option(help="Another database than demo.db in the data folder.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="The port to serve at.  [default: 8000]", show_default=False)] = None,
) -> None:
    """Collect 50 symbols × 6 timeframes × 100 candles from a simulated exchange, then serve them.

    The candles are invented, so they go to a database of their own.
    """
    url = database or f"sqlite:///{data_folder() / 'demo.db'}"
    asyncio.run(_demo(load_settings(database_url=url, port=port), once=once, as_json=as_json))


async def _demo(settings: Settings, *, once: bool, as_json: bool) -> None:
    async with running(SimulatorSettings()) as exchange:
        settings = settings.model_copy(update={"binance_url": exchange})
        async with open_app(settings, serving=None if once else f"http://{settings.host}:{settings.port}") as app:
            show(await _collect(app), as_json=as_json)
            if not once:
                await serve(app, on_ready=lambda url: err.print(f"Penstock serves at {url} (Ctrl-C ends it)"))


async def _collect(app: App) -> CollectReport:
    async with app.source("binance") as source:
        listed = await source.instruments()
    symbols = [one.symbol for one in listed if one.quote == "USDT" and one.status is Status.TRADING][:_SYMBOLS]
    return await collect_with_bar(app, CollectOrder(symbols=symbols, timeframes=_TIMEFRAMES, limit=_CANDLES))
