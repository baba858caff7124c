"""A source reports a wait for a retry while no request is in flight, and only until the retry."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from penstock.errors import StoreUnavailableError
from penstock.http.client import HttpLimits
from penstock.http.governor import Grant, LocalBudget, Wait, WaitReason
from penstock.market.source import PageRequest, SourceConfig
from penstock.sources.binance import BinanceSource
from tests.market_builders import key
from tests.simulated import simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.simulated import Exchange

_PATIENCE_S = 60
_KLINES = "/api/v3/klines"


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with simulated() as simulator:
        yield simulator


@contextlib.asynccontextmanager
async def asking(exchange: Exchange, *, backoff_s: float) -> AsyncIterator[BinanceSource]:
    limits = HttpLimits(attempts=2, backoff_s=backoff_s, idle_s=_PATIENCE_S)
    async with BinanceSource(SourceConfig(base_url=exchange.url, http=limits)) as source:
        yield source


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always wait for the longest random pause."""
    monkeypatch.setattr("penstock.http.client.random.uniform", lambda _low, high: high)


def ask(source: BinanceSource, native: str = "BTCUSDT") -> asyncio.Task[Any]:
    return asyncio.create_task(source.candles(PageRequest(series=key(native), limit=5)))


async def until(source: BinanceSource, reason: WaitReason | None) -> Wait | None:
    async with asyncio.timeout(_PATIENCE_S):
        while (wait := source.waiting()) is None or wait.reason is not reason:
            await asyncio.sleep(0.01)
    return wait


async def test_a_wait_for_a_retry_is_shown_until_the_retry_is_sent(exchange: Exchange) -> None:
    await exchange.faults({"name": "server_error", "path": _KLINES, "count": 1})
    async with asking(exchange, backoff_s=0.2) as source:
        assert source.waiting() is None
        asked = ask(source)
        wait = await until(source, WaitReason.NO_ANSWER)
        assert wait is not None
        assert -1 < wait.until - time.time() <= 0.4
        assert (await asked).rows == 5
        assert source.waiting() is None


async def test_no_wait_is_shown_while_another_request_is_in_flight(exchange: Exchange) -> None:
    await exchange.faults(
        {"name": "server_error", "path": _KLINES, "symbol": "BTCUSDT"},
        {"name": "hang", "path": _KLINES, "symbol": "ETHUSDT"},
    )
    async with asking(exchange, backoff_s=15.0) as source:
        failing = ask(source)
        await until(source, WaitReason.NO_ANSWER)
        hanging = ask(source, "ETHUSDT")
        async with asyncio.timeout(_PATIENCE_S):
            while source.waiting() is not None:
                await asyncio.sleep(0.01)
        hanging.cancel()
        await asyncio.wait([hanging])
        assert (await until(source, WaitReason.NO_ANSWER)) is not None
        failing.cancel()
        await asyncio.wait([failing])
        assert source.waiting() is None, "a cancelled request waits for nothing"


class LockedBudget(LocalBudget):
    """A budget in a database that is locked."""

    asked = 0

    async def reserve(self, least: int, limit: int) -> Grant:  # noqa: ARG002 - the port's form
        self.asked += 1
        raise StoreUnavailableError("the database is locked")


async def test_a_database_that_cannot_count_requests_is_asked_once_and_no_fault_of_the_provider(
    exchange: Exchange,
) -> None:
    budget = LockedBudget()
    config = SourceConfig(base_url=exchange.url, http=HttpLimits(backoff_s=0.0), budget=budget)
    with capture_logs() as logs:
        async with BinanceSource(config) as source:
            with pytest.raises(StoreUnavailableError):
                await source.instruments()
    assert (budget.asked, logs) == (1, [])
