"""Collections from a simulated exchange with faults; the next run repairs them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from penstock.app import open_app
from penstock.market.collect.coverage import Span, SpanState
from tests.simulated import MINUTE, NOW, World, settings_for, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.script import CollectReport
    from tests.simulated import Exchange

RUNNING = NOW - NOW % MINUTE
START = RUNNING - 19 * MINUTE
STORED, FAILED, REJECTED = SpanState.STORED, SpanState.FAILED, SpanState.REJECTED
Fault = dict[str, Any]
# A deadline that only an endless wait reaches.
PATIENCE_S = 60.0


@contextlib.asynccontextmanager
async def asking(database_url: str, exchange: Exchange, **settings: Any) -> AsyncIterator[World]:
    """An application over the exchange."""
    async with open_app(
        settings_for(
            database_url,
            exchange.url,
            **({"request_deadline_s": PATIENCE_S, "request_idle_s": PATIENCE_S} | settings),
        )
    ) as app:
        yield World(app, exchange)


@contextlib.asynccontextmanager
async def open_world(database_url: str, *, seed: int = 1, **settings: Any) -> AsyncIterator[World]:
    async with (
        simulated(seed=seed) as exchange,
        asking(database_url, exchange, **settings) as world,
    ):
        yield world


def klines(name: str, **parameters: object) -> Fault:
    return {"name": name, "path": "klines"} | parameters


async def collect(world: World) -> CollectReport:
    return await world.collect("BTCUSDT", limit=20)


async def assert_healed(world: World, *symbols: str) -> None:
    """Assert that without the fault the next run completes the series."""
    await world.exchange.faults()
    await world.collect(*(symbols or ["BTCUSDT"]))
    for symbol in symbols or ("BTCUSDT",):
        assert await world.table(symbol) == await world.exchange.rows(symbol, "1m", START)
        assert await world.spans(symbol) == [Span(START, RUNNING, STORED)]
        await world.check_coverage(symbol)
    assert await world.read("SELECT * FROM restatement") == []
