"""A database, an exchange and an application that only submits: the workers are other processes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.market.runs.orders import CollectOrder
from tests.engine.engines import PATIENCE_S, Engine
from tests.simulated import settings_for, simulated

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Sequence

    from penstock.app import App
    from tests.simulated import Exchange

HASTY: dict[str, Any] = {
    "heartbeat_s": 0.1,
    "dead_after_s": 0.6,
    "run_retry_s": 0.1,
    "request_concurrency": 2,
}
TIMEFRAMES = ("1m", "1h")
CANDLES = 60
_GIVEN = {
    *HASTY,
    "database_url",
    "binance_url",
    "binance_weight_per_minute",
    "request_deadline_s",
    "request_idle_s",
}


async def hang(exchange: Exchange, after: int = 0) -> None:
    """After this many answers no further candles arrive, however often they are requested."""
    await exchange.faults({"name": "hang", "path": "/api/v3/klines", "after": after})


async def until_hanging(exchange: Exchange, count: int = 1) -> None:
    """Wait until this many requests wait for candles that never arrive."""
    async with asyncio.timeout(PATIENCE_S):
        while sum(asked["status"] is None for asked in await exchange.asked()) < count:
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Collecting:
    """`given` are the settings of a worker."""

    app: App
    engine: Engine
    exchange: Exchange
    given: dict[str, Any]

    async def symbols(self, count: int) -> list[str]:
        listed = await (await self.app.of(MarketParts).sources.get("binance")).instruments()
        return [instrument.symbol for instrument in listed if instrument.status == "trading"][
            :count
        ]

    async def submit(
        self, symbols: Sequence[str], *, timeframes: Sequence[str] = TIMEFRAMES, wait: bool = False
    ) -> uuid.UUID:
        return await self.app.ledger.submit(
            await self.app.of(MarketParts).runs.submission(order(symbols, timeframes), wait=wait)
        )


def order(symbols: Sequence[str], timeframes: Sequence[str] = TIMEFRAMES) -> CollectOrder:
    return CollectOrder(symbols=symbols, timeframes=timeframes, limit=CANDLES)


def given_of(database_url: str, exchange_url: str, **settings: Any) -> dict[str, Any]:
    return settings_for(database_url, exchange_url, **(HASTY | settings)).model_dump(include=_GIVEN)


@contextlib.asynccontextmanager
async def collecting(database_url: str, **settings: Any) -> AsyncIterator[Collecting]:
    """Hanging requests time out only after the patience of a test."""
    settings = {"request_deadline_s": 2 * PATIENCE_S, "request_idle_s": 2 * PATIENCE_S} | settings
    async with (
        simulated(symbols=40) as exchange,
        open_app(settings_for(database_url, exchange.url, **(HASTY | settings))) as app,
        app.database.listening(),
    ):
        yield Collecting(
            app,
            Engine(app.database, app.ledger, app.dispatch),
            exchange,
            given_of(database_url, exchange.url, **settings),
        )
