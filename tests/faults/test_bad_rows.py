"""Answers with bad rows: what is refused, what is stored, and how the series recovers."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import RunFailedError
from penstock.market.collect.coverage import Span
from penstock.market.runs.orders import CollectOrder
from penstock.script import collect_into
from tests.faults.exchanges import (
    REJECTED,
    RUNNING,
    START,
    STORED,
    assert_healed,
    collect,
    klines,
    open_world,
)
from tests.simulated import MINUTE, World


async def refused(world: World, symbol: str) -> list[str]:
    """The reasons in quarantine of a symbol's rows."""
    statement = """
        SELECT q.reason FROM quarantine q
        JOIN series s ON s.id = q.series_id JOIN instrument i ON i.id = s.instrument_id
        WHERE i.native_symbol = :symbol ORDER BY q.id
    """
    return [row["reason"] for row in await world.read(statement, symbol=symbol)]


REASONS = {
    "nan": "not_a_number",
    "nan_token": "not_a_number",
    "inf": "not_a_number",
    "inf_token": "not_a_number",
    "high_below_low": "high_below_low",
    "negative": "negative",
    "duplicate": "duplicate",
    "microseconds": "microseconds",
    "future": "future",
}
ROWS = {"BTCUSDT": 0, "ETHUSDT": 7, "BNBUSDT": -1}


@pytest.mark.parametrize("kind", REASONS)
async def test_a_bad_row_is_refused_with_its_reason_and_the_others_are_stored(
    database_url: str, kind: str
) -> None:
    async with open_world(database_url) as world:
        for symbol, row in ROWS.items():
            proper = await world.exchange.rows(symbol, "1m", START)
            await world.exchange.faults(klines("bad_rows", kind=kind, row=row))
            report = await world.collect(symbol, limit=20)
            assert await refused(world, symbol) == [REASONS[kind]], symbol
            lost = set() if kind == "duplicate" else {proper[row][0]}
            assert await world.table(symbol) == [
                values for values in proper if values[0] not in lost
            ], symbol
            assert report.result.rejected == {f"{symbol} 1m": 1}
            assert ((await world.last_run())["state"], (await world.last_run())["rejected"]) == (
                "succeeded",
                1,
            )
            await world.check_coverage(symbol)
            await assert_healed(world, symbol)


async def test_a_row_out_of_order_is_refused_and_the_displaced_range_is_fetched_again(
    database_url: str,
) -> None:
    async with open_world(database_url) as world:
        for symbol, row in ROWS.items():
            await world.exchange.faults(klines("bad_rows", kind="out_of_order", row=row))
            if row == -1:
                # The newest row before all others: then more than one row is out of order.
                with pytest.raises(RunFailedError, match="19 of 20 rows are out of range"):
                    await world.collect(symbol, limit=20)
                assert await world.stored(symbol) == []
            else:
                await world.collect(symbol, limit=20)
                assert set(await refused(world, symbol)) == {"out_of_order"}, symbol
                await world.check_coverage(symbol)
            await assert_healed(world, symbol)


@pytest.mark.parametrize("kind", ["nan", "microseconds", "future", "high_below_low"])
async def test_bad_rows_in_every_page_of_a_long_range_spoil_neither_the_pages_nor_the_ends(
    database_url: str, kind: str
) -> None:
    since = RUNNING - 2_500 * MINUTE
    async with open_world(database_url) as world:
        await world.exchange.faults(klines("bad_rows", kind=kind, row=0))
        await world.collect("BTCUSDT", since=since)
        await world.check_coverage()
        spans = await world.spans()
        assert (min(span.start for span in spans), max(span.end for span in spans)) == (
            since,
            RUNNING,
        )
        assert {span.state for span in spans} == {STORED, REJECTED}
        await world.exchange.faults()
        await world.collect("BTCUSDT")
        assert await world.table() == await world.exchange.rows("BTCUSDT", "1m", since)
        assert await world.spans() == [Span(since, RUNNING, STORED)]


async def test_the_same_bad_row_in_two_runs_is_kept_once(database_url: str) -> None:
    async with open_world(database_url) as world:
        for _ in range(2):
            await world.exchange.faults(klines("bad_rows", kind="negative", row=3))
            await collect(world)
            await world.exchange.faults()
        # The second run requested the refused range again, and the open candle.
        kept = await world.read("SELECT reason, seen, raw FROM quarantine ORDER BY id")
        assert kept[0]["reason"] == "negative"
        assert '"-1.00000000"' in kept[0]["raw"]
        # Refused twice, it is due in a minute; the clock stands still.
        await collect_into(
            world.app,
            CollectOrder(symbols=("BTCUSDT",), timeframes=("1m",), since=START, recheck=True),
        )
        await assert_healed(world)


async def test_a_closed_candle_that_changes_at_the_exchange_leaves_a_restatement(
    database_url: str,
) -> None:
    async with open_world(database_url) as world:
        await collect(world)
        before = await world.stored()
        # A second read of the range, such as a repair, sees other values in the closed row 3.
        await world.exchange.faults(klines("changed", row=3))
        report = await collect_into(
            world.app,
            CollectOrder(symbols=("BTCUSDT",), timeframes=("1m",), since=START, recheck=True),
        )
        assert (report.result.counters.updated, report.result.counters.inserted) == (1, 0)
        [kept] = await world.read("SELECT * FROM restatement")
        after = await world.stored()
        assert str(kept["close"]) == before[3]["close"] != after[3]["close"]
        assert (kept["run_id"], kept["restated_by"]) == (
            before[3]["run_id"],
            (await world.last_run())["id"],
        )
        assert [row for place, row in enumerate(after) if place != 3] == [
            row for place, row in enumerate(before) if place != 3
        ]


async def test_a_series_is_complete_after_many_simultaneous_faults_end(
    database_url: str,
) -> None:
    since = RUNNING - 3_000 * MINUTE
    storm = [
        klines("server_error", probability=0.3),
        klines("truncated", variant="json", probability=0.2),
        klines("bad_rows", kind="nan", row=11, probability=0.3),
        klines("bad_rows", kind="future", row=0, probability=0.3),
        klines("reset", probability=0.1),
    ]
    async with open_world(database_url, seed=7) as world:
        for _ in range(3):
            await world.exchange.faults(*storm)
            await asyncio.gather(world.collect("BTCUSDT", since=since), return_exceptions=True)
            await world.check_coverage()
        await world.exchange.faults()
        await world.collect("BTCUSDT", since=since)
        assert await world.table() == await world.exchange.rows("BTCUSDT", "1m", since)
        assert await world.spans() == [Span(since, RUNNING, STORED)]
