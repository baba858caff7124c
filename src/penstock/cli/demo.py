"""`penstock demo`: everything on one machine, from the built-in simulator to the API."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.app import open_app
from penstock.cli.collect import AsJson, collect_with_bar, show
from penstock.cli.signals import run, until_signal
from penstock.cli.terminal import err
from penstock.core.logs import log_to_stderr
from penstock.market.instrument import Status
from penstock.market.runs import CollectOrder
from penstock.settings import Settings, data_folder, load_settings

if TYPE_CHECKING:
    from penstock.app import App, CollectReport

_SYMBOLS = 50
_TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_CANDLES = 100


def demo(
    once: Annotated[bool, typer.Option("--once", metavar="", help="Leave after the summary instead of serving.")] = False,
    as_json: AsJson = False,
    database: Annotated[str | None, typer.Option(metavar="URL", help="Another database than demo.db in the data folder.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, metavar="PORT", help="The port to serve at; 0 takes a free one.", show_default="8000"),
    ] = None,
) -> None:
    """Collect 50 symbols × 6 timeframes × 100 candles from a simulated exchange, then serve them.

    The candles are invented, so they go to a database of their own.
    """
    url = database or f"sqlite:///{data_folder() / 'demo.db'}"
    settings = load_settings(database_url=url, port=port)
    log_to_stderr(settings.log_level or "critical")
    run(_demo(settings, once=once, as_json=as_json))


async def _demo(settings: Settings, *, once: bool, as_json: bool) -> None:
    from penstock.api.server import listening, running  # noqa: PLC0415 - importing the web framework takes longer than most commands do
    from penstock.simulator.server import SimulatorSettings  # noqa: PLC0415 - the same
    from penstock.simulator.server import running as simulating  # noqa: PLC0415 - the same

    with contextlib.nullcontext() if once else listening(settings) as door:
        async with simulating(SimulatorSettings()) as exchange:
            settings = settings.model_copy(update={"binance_url": exchange})
            async with open_app(settings, serving=door.url if door else None) as app:
                show(await _collect(app), as_json=as_json)
                if door:
                    async with app.working(), app.scheduling(), running(app, door):
                        err.print(f"Penstock serves at {door.url} (Ctrl-C ends it)")
                        await until_signal()


async def _collect(app: App) -> CollectReport:
    listed = await (await app.sources.get("binance")).instruments()
    symbols = [one.symbol for one in listed if one.quote == "USDT" and one.status is Status.TRADING][:_SYMBOLS]
    return await collect_with_bar(app, CollectOrder(symbols=symbols, timeframes=_TIMEFRAMES, limit=_CANDLES))
