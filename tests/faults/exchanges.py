"""Collections from a simulated exchange with faults, and the check that the next run heals them."""

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
# A deadline that only what never comes reaches.
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
async def world(database_url: str, *, seed: int = 1, **settings: Any) -> AsyncIterator[World]:
    async with simulated(seed=seed) as exchange, asking(database_url, exchange, **settings) as one:
        yield one


def klines(name: str, **parameters: object) -> Fault:
    return {"name": name, "path": "klines"} | parameters


async def collect(one: World) -> CollectReport:
    return await one.collect("BTCUSDT", limit=20)


async def assert_healed(one: World, *symbols: str) -> None:
    """Without the fault the next run completes the series."""
    await one.exchange.faults()
    await one.collect(*(symbols or ["BTCUSDT"]))
    for symbol in symbols or ("BTCUSDT",):
        assert await one.table(symbol) == await one.exchange.rows(symbol, "1m", START)
        assert await one.spans(symbol) == [Span(START, RUNNING, STORED)]
        await one.check_coverage(symbol)
    assert await one.read("SELECT * FROM restatement") == []
