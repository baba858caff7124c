"""Collections from the simulator into both databases: every range is stored or has a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.domains.market import MarketParts
from penstock.errors import InvalidInputError, RunFailedError, RunUnavailableError
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.runs.orders import CollectOrder
from penstock.market.timeframe import Timeframe
from penstock.script import collect_into
from penstock.store.write.candles import SqlCandleStore
from tests.simulated import DAY, HOUR, MINUTE, NOW, World, ms, open_world

if TYPE_CHECKING:
    from penstock.market.collect.page import CandleFlush, Flushed
    from penstock.runs.context import RunContext, Shown
    from penstock.store.session.database import Database

STORED, UNCONFIRMED, FAILED = SpanState.STORED, SpanState.UNCONFIRMED, SpanState.FAILED
RUNNING = NOW - NOW % MINUTE


async def assert_complete(
    world: World, symbol: str, timeframe: str, start: int, end: int | None = None
) -> None:
    """Assert that from `start` on exactly the rows of the exchange are stored."""
    assert await world.table(symbol, timeframe) == await world.exchange.rows(
        symbol, timeframe, start, end
    )
    await world.check_coverage(symbol, timeframe)


async def test_a_first_collection_stores_the_newest_candles_row_by_row(database_url: str) -> None:
    async with open_world(database_url) as world:
        report = await world.collect("BTCUSDT", "ETH/USDT", timeframes="1m 1h 1d 1w 1M", limit=30)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            for timeframe in ("1m", "1h", "1d", "1w", "1M"):
                step = Timeframe(timeframe)
                await assert_complete(world, symbol, timeframe, step.shift(step.floor(NOW), -29))
                rows = await world.stored(symbol, timeframe)
                assert [bool(row["closed"]) for row in rows] == [True] * 29 + [False]
        run = await world.last_run()
        assert (run["state"], run["inserted"], run["updated"], run["rejected"]) == (
            "succeeded",
            300,
            0,
            0,
        )
        assert (report.symbols, report.timeframes, report.result.counters.written) == (2, 5, 300)


async def test_the_requests_of_a_run_are_all_counted(sqlite_database: str) -> None:
    async with open_world(sqlite_database) as world:
        await world.collect("BTCUSDT")
        await world.exchange.faults()
        report = await world.collect("BTCUSDT", "ETHUSDT", timeframes="1m 1h", since=NOW - 2 * DAY)
        asked = len(await world.exchange.asked()) + len(await world.exchange.asked("/api/v3/time"))
        assert report.result.counters.requests == asked
        assert (await world.last_run())["requests"] == asked


async def test_a_second_collection_at_the_same_moment_writes_nothing(database_url: str) -> None:
    async with open_world(database_url) as world:
        await world.collect("BTCUSDT", timeframes="1m 1h")
        before = await world.stored()
        report = await world.collect("BTCUSDT", timeframes="1m 1h")
        assert report.result.counters.written == 0
        assert await world.stored() == before


async def test_a_later_collection_writes_only_new_candles_and_completes_the_open_one(
    database_url: str,
) -> None:
    async with open_world(database_url) as world:
        await world.collect("BTCUSDT", limit=20)
        await world.exchange.move_to(NOW + 5 * MINUTE)
        report = await world.collect("BTCUSDT", limit=20)
        assert (report.result.counters.inserted, report.result.counters.updated) == (5, 1)
        await assert_complete(world, "BTCUSDT", "1m", RUNNING - 19 * MINUTE)
        assert [bool(row["closed"]) for row in await world.stored()] == [True] * 24 + [False]
        assert await world.read("SELECT * FROM restatement") == []


async def test_a_candle_is_open_until_the_grace_is_over(database_url: str) -> None:
    async with open_world(database_url, grace_s=10) as world:
        await world.exchange.move_to(RUNNING + 2_000)
        await world.collect("BTCUSDT", limit=3)
        assert [bool(row["closed"]) for row in await world.stored()] == [True, False, False]
        await world.exchange.move_to(RUNNING + 30_000)
        await world.collect("BTCUSDT")
        assert [bool(row["closed"]) for row in await world.stored()] == [True, True, False]


async def test_limit_applies_to_an_empty_series_only(database_url: str) -> None:
    async with open_world(database_url) as world:
        await world.collect("BTCUSDT", limit=10)
        await world.exchange.move_to(NOW + 60 * MINUTE)
        await world.collect("BTCUSDT", "ETHUSDT", limit=3)
        assert len(await world.stored("BTCUSDT")) == 70
        assert len(await world.stored("ETHUSDT")) == 3


async def test_since_reaches_back_over_many_pages(database_url: str) -> None:
    async with open_world(database_url) as world:
        await world.collect("BTCUSDT", limit=5)
        await world.collect("BTCUSDT", since=NOW - 8 * DAY)
        await assert_complete(world, "BTCUSDT", "1m", RUNNING - 8 * DAY)
        assert await world.spans() == [Span(RUNNING - 8 * DAY, RUNNING, STORED)]


async def test_since_before_the_listing_is_recorded_as_not_listed(database_url: str) -> None:
    async with open_world(database_url) as world:
        listed = await world.exchange.first("ETHUSDT", "1d")
        since = ms("2017-01-01T00:00:00")
        await world.collect("ETHUSDT", timeframes="1d", since=since)
        await assert_complete(world, "ETHUSDT", "1d", 0)
        assert await world.spans("ETHUSDT", "1d") == [
            Span(since, listed, SpanState.NOT_LISTED),
            Span(listed, NOW - NOW % DAY, STORED),
        ]
        await world.exchange.faults()
        await world.collect("ETHUSDT", timeframes="1d", since=since)
        # Two probes for the first candle, and the open one: no paging through empty years.
        assert len(await world.exchange.asked()) <= 3


async def test_an_outage_is_recorded_and_no_candle_is_invented(
    database_url: str,
) -> None:
    start, hole, back, now = (
        ms(f"2020-06-28T{time}") for time in ("00:00:00", "02:00:00", "05:00:00", "08:00:30")
    )
    async with open_world(database_url, simulator={"now_ms": now}) as world:
        await world.collect("BTCUSDT", timeframes="1m 1h", since=start)
        for timeframe, step in (("1m", MINUTE), ("1h", HOUR)):
            await assert_complete(world, "BTCUSDT", timeframe, start)
            expected = [
                Span(start, hole, STORED),
                Span(hole, back, UNCONFIRMED),
                Span(back, now - now % step, STORED),
            ]
            assert await world.spans("BTCUSDT", timeframe) == expected
        gaps = await world.read(
            "SELECT reason FROM gap WHERE symbol = 'BTC/USDT' AND timeframe = '1m'"
        )
        assert gaps == [{"reason": "unconfirmed"}]
        await world.exchange.faults()
        await world.collect("BTCUSDT", timeframes="1h")
        assert len(await world.exchange.asked()) == 1


async def test_three_agreeing_answers_over_a_day_make_a_gap_an_outage_which_is_then_settled(
    database_url: str,
) -> None:
    start, hole, back, now = (
        ms(f"2020-06-28T{time}") for time in ("00:00:00", "02:00:00", "05:00:00", "08:00:30")
    )
    async with open_world(database_url, simulator={"now_ms": now}) as world:
        await world.collect("BTCUSDT", timeframes="1h", since=start)
        for after, reason in (
            (2 * MINUTE, "unconfirmed"),
            (2 * DAY, "outage"),
            (3 * DAY, "outage"),
        ):
            await world.exchange.move_to(now + after)
            await world.exchange.faults()
            await world.collect("BTCUSDT", timeframes="1h")
            [gap] = await world.read("SELECT reason, asked FROM gap")
            assert gap["reason"] == reason
        assert gap["asked"] == 3, "an outage is requested again after a week"
        assert (await world.spans("BTCUSDT", "1h"))[:2] == [
            Span(start, hole, STORED),
            Span(hole, back, SpanState.OUTAGE),
        ]
        await world.exchange.move_to(now + 8 * DAY)
        await world.collect("BTCUSDT", timeframes="1h")
        assert await world.read("SELECT reason, asked FROM gap") == [
            {"reason": "outage", "asked": 4}
        ]


async def test_a_series_that_begins_within_an_outage_is_not_marked_as_not_listed(
    database_url: str,
) -> None:
    start, back, now = (ms(f"2020-06-28T{time}") for time in ("03:00:00", "05:00:00", "06:00:30"))
    async with open_world(database_url, simulator={"now_ms": now}) as world:
        await world.collect("BTCUSDT", since=start)
        assert await world.spans() == [
            Span(start, back, UNCONFIRMED),
            Span(back, now - now % MINUTE, STORED),
        ]


async def test_a_range_cut_off_by_a_limit_is_recorded_and_filled_later(database_url: str) -> None:
    since = RUNNING - 2 * DAY
    async with open_world(database_url) as world:
        await world.collect("BTCUSDT", since=since, limit=50)
        cut = RUNNING - 49 * MINUTE
        assert await world.spans() == [
            Span(since, cut, SpanState.NOT_COLLECTED),
            Span(cut, RUNNING, STORED),
        ]
        await world.collect("BTCUSDT")
        assert len(await world.stored()) == 50
        await world.collect("BTCUSDT", since=since)
        await assert_complete(world, "BTCUSDT", "1m", since)
        assert await world.spans() == [Span(since, RUNNING, STORED)]


async def test_a_failing_symbol_leaves_a_gap_for_the_next_run_and_does_not_stop_the_others(
    database_url: str,
) -> None:
    async with open_world(database_url, request_attempts=1) as world:
        await world.exchange.faults({"name": "server_error", "symbol": "ETHUSDT"})
        report = await world.collect("BTCUSDT", "ETHUSDT", "BNBUSDT", limit=30)
        assert list(report.result.failures) == ["ETHUSDT 1m"], "under the requested name"
        assert "HTTP 500" in report.result.failures["ETHUSDT 1m"]
        assert (await world.last_run())["state"] == "succeeded"
        assert [
            len(await world.stored(symbol)) for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT")
        ] == [
            30,
            0,
            30,
        ]
        assert await world.spans("ETHUSDT") == [Span(RUNNING - 29 * MINUTE, RUNNING, FAILED)]
        await world.exchange.faults()
        await world.collect("ETHUSDT")
        await assert_complete(world, "ETHUSDT", "1m", RUNNING - 29 * MINUTE)
        assert await world.spans("ETHUSDT") == [Span(RUNNING - 29 * MINUTE, RUNNING, STORED)]


async def test_a_failure_within_a_long_range_marks_only_the_missing_part_as_failed(
    database_url: str,
) -> None:
    since = RUNNING - 5 * DAY
    async with open_world(database_url, request_attempts=1, request_concurrency=1) as world:
        # Two requests for the first candle, and two pages, whose last rows are read twice.
        await world.exchange.faults({"name": "server_error", "path": "klines", "after": 4})
        kept = "0 of 1 series finished; 1,998 candles kept; run again to continue; BTCUSDT 1m: "
        with pytest.raises(RunUnavailableError, match=kept):
            await world.collect("BTCUSDT", since=since)
        assert await world.spans() == [
            Span(since, since + 1_998 * MINUTE, STORED),
            Span(since + 1_998 * MINUTE, RUNNING, FAILED),
        ]
        assert len(await world.stored()) == 1_998
        assert (await world.last_run())["inserted"] == 1_998
        await world.exchange.faults()
        await world.collect("BTCUSDT")
        await assert_complete(world, "BTCUSDT", "1m", since)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"name": "server_error"}, RunUnavailableError),
        ({"name": "html", "status": 403}, RunFailedError),
    ],
)
async def test_when_every_series_fails_the_run_fails_with_their_error(
    sqlite_database: str, fault: dict[str, object], kind: type[Exception]
) -> None:
    async with open_world(sqlite_database, request_attempts=1) as world:
        await world.exchange.faults(fault | {"path": "klines"})
        with pytest.raises(kind, match=r"0 of 2 series finished; BTCUSDT 1m: .*GET "):
            await world.collect("BTCUSDT", "ETHUSDT")
        run = await world.last_run()
        assert run["state"] == "failed"
        assert "0 of 2 series finished" in run["error"]
        assert await world.read("SELECT * FROM run_claim") == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (CollectOrder(symbols=["BTCUSDT", "BTCUSD"], timeframes=["1m"]), "BTC/USDT"),
        (CollectOrder(symbols=["BTCUSDT"], timeframes=["1m", "1H"]), "1h"),
        (CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"], exchange="binanse"), "binance"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_written(
    sqlite_database: str, order: CollectOrder, words: str
) -> None:
    async with open_world(sqlite_database) as world:
        with pytest.raises(InvalidInputError, match=words):
            await collect_into(world.app, order)
        for table in ("instrument", "series", "run", "candle"):
            assert await world.read(f"SELECT * FROM {table}") == []


async def test_a_delisted_symbol_is_collected_to_its_end_and_then_marked_as_delisted(
    database_url: str,
) -> None:
    async with open_world(database_url, simulator={"symbols": 120}) as world:
        source = await world.app.of(MarketParts).sources.get("binance")
        [symbol, *_] = [
            item.native_symbol for item in await source.instruments() if item.status == "delisted"
        ]
        first = await world.exchange.first(symbol, "1d")
        await world.collect(symbol, timeframes="1d", since=first - 3 * DAY)
        await assert_complete(world, symbol, "1d", 0)
        end = (await world.stored(symbol, "1d"))[-1]["close_time"] + 1
        # Its last candle is final when a later read gives the same values.
        await world.exchange.move_to(NOW + 2 * MINUTE)
        await world.collect(symbol, timeframes="1d")
        expected = [
            Span(first - 3 * DAY, first, SpanState.NOT_LISTED),
            Span(first, end, STORED),
            Span(end, NOW - NOW % DAY, SpanState.DELISTED),
        ]
        assert await world.spans(symbol, "1d") == expected
        assert all(row["closed"] for row in await world.stored(symbol, "1d"))


async def test_progress_follows_each_flush_and_ends_with_all_series_done(
    sqlite_database: str,
) -> None:
    async with open_world(sqlite_database) as world:
        seen = ShownStore(world.app.database)
        world.app.of(MarketParts).runs._store = seen
        report = await world.collect("BTCUSDT", "ETHUSDT", since=NOW - 12 * DAY)
        [run] = await world.read("SELECT message, inserted FROM run")
    done = [shown.work.done for shown in seen.shown if shown.work is not None]
    assert len(done) == len(seen.shown) >= 3
    assert (done, [shown.percent for shown in seen.shown]) == (
        sorted(done),
        sorted(shown.percent for shown in seen.shown),
    )
    assert (seen.shown[-1].percent, seen.shown[-1].message) == (100, run["message"])
    assert run["message"].endswith("(2/2)")
    assert run["inserted"] == report.result.counters.written == done[-1]


class ShownStore(SqlCandleStore):
    """Records what each flush shows."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.shown: list[Shown] = []

    async def flush(self, context: RunContext, flush: CandleFlush) -> Flushed:
        flushed = await super().flush(context, flush)
        self.shown.append(flush.shown)
        return flushed
