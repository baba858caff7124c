"""A dry run of a backfill estimates the cost and sends no request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from penstock.market.tables import instrument
from tests.api.backfills import (
    BACKFILL,
    BTC,
    HOLE,
    backfill,
    dry_run,
    holed,
    read,
    rows_of_tables,
    serving,
)
from tests.field.exchange import DAY, HOUR, Exchange, ms, rows

if TYPE_CHECKING:
    from tests.api.collector import Collector


_DRY: dict[str, tuple[dict[str, Any], bool]] = {
    "an empty series": ({"start": "2025-03-02T00:00:00Z"}, False),
    "an empty series from before its listing on": ({"start": "2024-12-01T00:00:00Z"}, False),
    "an empty series without a start": ({}, False),
    "an empty series up to an end": ({"end": "2025-03-05T00:00:00Z"}, False),
    "a range of an empty series": (
        {"start": "2025-03-02T00:00:00Z", "end": "2025-03-05T00:00:00Z"},
        False,
    ),
    "gaps": ({}, True),
    "gaps of a range": ({"start": "2025-03-04T00:00:00Z", "end": "2025-03-06T00:00:00Z"}, True),
    "before what is stored": ({"start": "2025-03-01T00:00:00Z"}, True),
    "nothing": ({"start": "2025-03-06T00:00:00Z", "end": "2025-03-07T00:00:00Z"}, True),
    "all of it": ({"recheck": True}, True),
    "a range once more": (
        {"recheck": True, "start": "2025-03-02T05:00:00Z", "end": "2025-03-08T00:00:00Z"},
        True,
    ),
}


_HOLES = (
    HOLE,
    range(ms("2025-03-03T06:00"), ms("2025-03-03T07:00"), HOUR),
    range(ms("2025-03-08T01:00"), ms("2025-03-08T03:00"), HOUR),
)


async def _check_dry_run(
    service: Collector, exchange: Exchange, request: dict[str, Any]
) -> dict[str, Any]:
    """Assert that the estimate bounds the run, and that the dry run requests and writes nothing."""
    exchange.requests.clear()
    before = await rows_of_tables(service)
    estimate = await dry_run(service, **request)
    assert estimate.keys() == {"gaps", "candles", "requests", "share", "seconds"}
    assert exchange.requests == []
    assert await rows_of_tables(service) == before
    did = (await backfill(service, **request))["counters"]
    assert estimate["candles"] >= did["inserted"] + did["updated"]
    assert estimate["requests"] >= did["requests"]
    # A bound far above the cost would be useless.
    assert estimate["requests"] <= 3 * did["requests"] + 6
    assert estimate["seconds"] >= 1
    return estimate


@pytest.mark.parametrize("name", _DRY)
async def test_a_dry_run_gives_an_upper_bound_of_the_cost_of_the_run(
    sqlite_database: str, name: str
) -> None:
    request, collected = _DRY[name]
    exchange = holed(*_HOLES)
    async with serving(sqlite_database, exchange) as service:
        # Only a collection shows Penstock the exchange's time.
        await service.collect("BTC/USDT", "1d")
        if collected:
            await service.collect("BTC/USDT", "1h", since="2025-03-02T00:00:00Z")
        await _check_dry_run(service, exchange, request)


async def test_a_dry_run_counts_due_gaps_and_the_cost_of_a_long_range(database_url: str) -> None:
    exchange = holed(*_HOLES)
    exchange.table["BTCUSDT", "1m"] = rows("2025-02-20T00:00", "2025-03-10T12:00")
    async with serving(database_url, exchange, binance_weight_per_minute=6_000) as service:
        await service.collect("BTC/USDT", "1h", since="2025-03-01T00:00:00Z")
        for _ in range(2):
            exchange.now += DAY
            exchange.table["BTCUSDT", "1h"] += rows(
                exchange.table["BTCUSDT", "1h"][-1][0] + HOUR, exchange.now, HOUR
            )
            await backfill(service)
        assert await read(service, "SELECT DISTINCT reason FROM gap") == [("outage",)]
        settled = await dry_run(service, end="2025-03-09T00:00:00Z")
        assert (settled["gaps"], settled["candles"]) == (0, 0)
        exchange.now += 8 * DAY
        await service.collect("BTC/USDT", "1h", until="2025-03-01T01:00:00Z")
        due = await _check_dry_run(service, exchange, {"end": "2025-03-09T00:00:00Z"})
        assert due["gaps"] > 0
        long = await _check_dry_run(
            service,
            exchange,
            {"timeframes": ["1m"], "start": "2025-02-20T00:00:00Z", "end": "2025-03-10T12:00:00Z"},
        )
        assert (long["gaps"], long["candles"]) == (1, 18 * 1440 + 720)
        assert long["share"] == round(100 * long["requests"] / 3_000, 2) > 0


async def test_a_dry_run_uses_the_ledger_however_old_it_is(sqlite_database: str) -> None:
    exchange = holed()
    async with serving(sqlite_database, exchange) as service:
        for symbols in (["BTC/USDT"], None):
            status, problem = await service.call(
                "POST", BACKFILL, BTC | {"symbols": symbols, "dry_run": True}
            )
            assert (status, problem["field"]) == (422, "symbols")
            assert "first symbol refresh" in problem["detail"]
        assert exchange.requests == []
        await service.ended((await service.call("POST", "/refresh-symbols"))[1]["task_id"])
        old = update(instrument).values(seen_at=instrument.c.seen_at - 10 * DAY)
        await service.app.database.write(lambda connection: connection.execute(old))
        await _check_dry_run(service, exchange, {})
        exchange.requests.clear()
        status, problem = await service.call(
            "POST", BACKFILL, BTC | {"symbols": ["BTCUSTD"], "dry_run": True}
        )
        assert (status, problem["field"]) == (422, "symbols")
        assert "did you mean BTC/USDT" in problem["detail"]
        assert exchange.requests == []
