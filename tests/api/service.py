"""The API behind a real socket, served by a thread of the test over a database of the test."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from penstock.api.server import listening, running
from penstock.app import open_app
from penstock.market.runs.orders import CollectOrder
from penstock.script import collect_into
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings
from penstock.simulator.server import running as simulating

if TYPE_CHECKING:
    from collections.abc import Iterator

# The simulated exchange's clock stands still at 30 s after this noon, so every candle is known.
NOON = 1_768_478_400_000
ORDER = CollectOrder(symbols=["BTC/USDT", "ETH/USDT"], timeframes=["1m", "1h"], limit=25)
_PATIENCE_S = 60


@contextlib.contextmanager
def served(
    database_url: str, order: CollectOrder | None = ORDER, *, timeout_s: float = 20, **given: object
) -> Iterator[str]:
    """Collect `order`, then serve during the block with `given` settings; the base URL."""
    ready: Future[str] = Future()
    stop: Future[None] = Future()

    async def answer() -> None:
        async with simulating(
            SimulatorSettings(symbols=30, now_ms=NOON + 30_000, speed=0)
        ) as exchange:
            settings = load_settings(
                database_url=database_url,
                binance_url=exchange,
                cardtrader_url=exchange,
                port=0,
                database_timeout_s=timeout_s,
                **given,
            )
            with listening(settings) as door:
                async with open_app(settings, serving=door.url) as app:
                    if order is not None:
                        await collect_into(app, order)
                    async with running(app, door):
                        ready.set_result(door.url)
                        await asyncio.wrap_future(stop)

    def run() -> None:
        try:
            asyncio.run(answer())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="service")
    thread.start()
    try:
        yield ready.result(_PATIENCE_S)
    finally:
        stop.set_result(None)
        thread.join()
