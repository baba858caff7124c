"""Every fault of the simulator in a collection: how the run ends, what it stores, how it heals."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.errors import (
    RateLimitedError,
    RunFailedError,
    RunUnavailableError,
    SourceUnavailableError,
)
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.runs.orders import CollectOrder
from penstock.script import collect_into
from tests.memory import forget_peak, peak_bytes
from tests.simulated import MINUTE, NOW, World, settings_for, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.script import CollectReport
    from tests.simulated import Exchange

RUNNING = NOW - NOW % MINUTE
START = RUNNING - 19 * MINUTE
STORED, FAILED, REJECTED = SpanState.STORED, SpanState.FAILED, SpanState.REJECTED

Fault = dict[str, Any]


# A deadline that only what never comes reaches, and one for tests of what never comes.
_PATIENCE_S, _SHORT_S = 60.0, 1.0


@contextlib.asynccontextmanager
async def asking(database_url: str, exchange: Exchange, **settings: Any) -> AsyncIterator[World]:
    """An application over the exchange."""
    async with open_app(
        settings_for(
            database_url,
            exchange.url,
            **({"request_deadline_s": _PATIENCE_S, "request_idle_s": _PATIENCE_S} | settings),
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


async def refused(one: World, symbol: str) -> list[str]:
    """The reasons in quarantine of a symbol's rows."""
    statement = """
        SELECT q.reason FROM quarantine q
        JOIN series s ON s.id = q.series_id JOIN instrument i ON i.id = s.instrument_id
        WHERE i.native_symbol = :symbol ORDER BY q.id
    """
    return [row["reason"] for row in await one.read(statement, symbol=symbol)]


async def assert_healed(one: World, *symbols: str) -> None:
    """Without the fault the next run completes the series."""
    await one.exchange.faults()
    await one.collect(*(symbols or ["BTCUSDT"]))
    for symbol in symbols or ("BTCUSDT",):
        assert await one.table(symbol) == await one.exchange.rows(symbol, "1m", START)
        assert await one.spans(symbol) == [Span(START, RUNNING, STORED)]
        await one.check_coverage(symbol)
    assert await one.read("SELECT * FROM restatement") == []


# ── Answers that are none ─────────────────────────────────────────────────────

UNAVAILABLE = [
    klines("server_error", code=500),
    klines("server_error", code=502),
    klines("server_error", code=503),
    klines("server_error", code=504),
    klines("hang"),
    klines("slow", pause_ms=20),
    klines("reset"),
    klines("truncated", variant="framing"),
    klines("truncated", variant="json"),
    klines("html", status=200),
    klines("redirect"),
    klines("redirect", location="/api/v3/klines?symbol=ETHUSDT&interval=1m"),
    klines("oversized", mib=40),
    klines("oversized", mib=40, gzip=True),
]


def named(fault: Fault) -> str:
    return "-".join(
        str(value) for name, value in fault.items() if name not in {"path", "location", "pause_ms"}
    )


def deadline_for(fault: Fault) -> float:
    return _SHORT_S if fault["name"] in {"hang", "slow"} else _PATIENCE_S


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=named)
async def test_an_answer_that_is_none_is_tried_again_and_then_the_run_may_be_tried_later(
    sqlite_database: str, fault: Fault
) -> None:
    async with simulated() as exchange:
        async with asking(sqlite_database, exchange, request_deadline_s=deadline_for(fault)) as one:
            await exchange.faults(fault)
            with pytest.raises(RunUnavailableError):
                await collect(one)
            # The HTTP library itself repeats a request once on a reused connection that is reset.
            assert len(await exchange.asked()) in ((2, 3, 4) if fault["name"] == "reset" else (2,))
            assert await one.stored() == []
            assert await one.spans() == [Span(START, RUNNING, FAILED)]
            assert (await one.last_run())["state"] == "failed"
        async with asking(sqlite_database, exchange) as one:
            await assert_healed(one)


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=named)
async def test_an_answer_that_fails_once_is_of_no_consequence(
    sqlite_database: str, fault: Fault
) -> None:
    # A proper answer needs one attempt, but on a busy machine it too can miss a short deadline.
    async with world(
        sqlite_database, request_deadline_s=deadline_for(fault), request_attempts=20
    ) as one:
        await one.exchange.faults(fault | {"count": 1})
        report = await collect(one)
        assert len(await one.exchange.asked()) >= 2
        assert report.result.failures == {}
        assert (await one.last_run())["state"] == "succeeded"
        await assert_healed(one)


async def test_a_provider_that_says_no_is_not_asked_again(sqlite_database: str) -> None:
    async with world(sqlite_database) as one:
        await one.exchange.faults(klines("html", status=403))
        with pytest.raises(RunFailedError, match="HTTP 403"):
            await collect(one)
        assert len(await one.exchange.asked()) == 1
        assert await one.spans() == [Span(START, RUNNING, FAILED)]
        await assert_healed(one)


async def test_a_huge_answer_is_not_taken_into_memory(sqlite_database: str) -> None:
    async with world(sqlite_database, request_attempts=1, request_deadline_s=5) as one:
        await collect(one)
        forget_peak()
        before = peak_bytes()
        # The simulator runs in this process too, and streams piece by piece.
        await one.exchange.faults(klines("oversized", mib=400, gzip=True))
        with pytest.raises(RunUnavailableError):
            await one.collect("BTCUSDT")
        assert peak_bytes() - before < 64 * 2**20


# Without its list of symbols nothing is begun; without its clock a run is, and fails.
@pytest.mark.parametrize(("path", "runs"), [("time", 3), ("exchangeInfo", 0)])
async def test_the_other_answers_of_the_exchange_may_fail_too(
    sqlite_database: str, path: str, runs: int
) -> None:
    async with world(sqlite_database) as one:
        for fault in (
            {"name": "server_error"},
            {"name": "html", "status": 200},
            {"name": "truncated", "variant": "json"},
        ):
            await one.exchange.faults(fault | {"path": path})
            with pytest.raises(SourceUnavailableError):
                await collect(one)
        assert await one.stored() == []
        assert [row["state"] for row in await one.read("SELECT state FROM run")] == [
            "failed"
        ] * runs
        await one.exchange.faults()
        await collect(one)
        await assert_healed(one)


# ── Told to wait ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["rate_limit", "ban"])
async def test_not_one_request_is_sent_before_the_providers_pause_is_over(
    sqlite_database: str, name: str
) -> None:
    async with world(sqlite_database, request_concurrency=1) as one:
        await one.exchange.faults(klines(name, retry_after=1, after=1, count=1))
        report = await one.collect("BTCUSDT", "ETHUSDT", "BNBUSDT", limit=20)
        asked = await one.exchange.asked()
        assert [request["status"] for request in asked] == [
            200,
            429 if name == "rate_limit" else 418,
            200,
            200,
        ]
        assert asked[2]["at"] - asked[1]["at"] >= 1
        assert report.result.failures == {}
        await assert_healed(one, "BTCUSDT", "ETHUSDT", "BNBUSDT")


async def test_a_pause_holds_for_all_requests_that_go_side_by_side(sqlite_database: str) -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "SOLUSDT")
    async with world(sqlite_database, request_concurrency=3, request_attempts=4) as one:
        await one.exchange.faults(klines("rate_limit", retry_after=1, after=2, count=1))
        await one.collect(*symbols, limit=20)
        asked = await one.exchange.asked()
        [told] = [request["at"] for request in asked if request["status"] == 429]
        # The other two of three were on their way when the answer came.
        assert sum(told < request["at"] < told + 1 for request in asked) <= 2
        assert sum(request["at"] >= told + 1 for request in asked) >= 1
        await assert_healed(one, *symbols)


@pytest.mark.parametrize("name", ["rate_limit", "ban"])
async def test_a_pause_that_is_too_long_ends_the_run_and_nothing_more_is_asked(
    sqlite_database: str, name: str
) -> None:
    async with world(sqlite_database, request_concurrency=1) as one:
        await one.exchange.faults(klines(name, retry_after=120))
        with pytest.raises(RunUnavailableError, match="HTTP 4"):
            await one.collect("BTCUSDT", "ETHUSDT", "BNBUSDT", limit=20)
        assert len(await one.exchange.asked()) == 1
        for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT"):
            assert await one.spans(symbol) == [Span(START, RUNNING, FAILED)]


async def test_who_is_told_to_wait_again_and_again_gives_up_after_the_last_attempt(
    sqlite_database: str,
) -> None:
    async with world(sqlite_database, request_attempts=2) as one:
        await one.exchange.faults(klines("rate_limit", retry_after=1))
        with pytest.raises(RunUnavailableError):
            await collect(one)
        first, second = await one.exchange.asked()
        assert second["at"] - first["at"] >= 1


async def test_the_error_says_how_long_to_wait(sqlite_database: str) -> None:
    async with world(sqlite_database) as one:
        source = await one.app.of(MarketParts).sources.get("binance")
        await one.exchange.faults({"name": "ban", "retry_after": 90})
        with pytest.raises(RateLimitedError) as told:
            await source.server_time()
        assert told.value.retry_after_s == 90
        with pytest.raises(RateLimitedError) as again:
            await source.instruments()
        assert 80 < again.value.retry_after_s <= 90
        assert await one.exchange.asked("/api/v3/exchangeInfo") == []


# ── Answers with bad rows ─────────────────────────────────────────────────────

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
    async with world(database_url) as one:
        for symbol, row in ROWS.items():
            proper = await one.exchange.rows(symbol, "1m", START)
            await one.exchange.faults(klines("bad_rows", kind=kind, row=row))
            report = await one.collect(symbol, limit=20)
            assert await refused(one, symbol) == [REASONS[kind]], symbol
            lost = set() if kind == "duplicate" else {proper[row][0]}
            assert await one.table(symbol) == [
                values for values in proper if values[0] not in lost
            ], symbol
            assert report.result.rejected == {f"{symbol} 1m": 1}
            assert ((await one.last_run())["state"], (await one.last_run())["rejected"]) == (
                "succeeded",
                1,
            )
            await one.check_coverage(symbol)
            await assert_healed(one, symbol)


async def test_a_row_out_of_order_is_refused_and_what_it_displaced_is_fetched_again(
    database_url: str,
) -> None:
    async with world(database_url) as one:
        for symbol, row in ROWS.items():
            await one.exchange.faults(klines("bad_rows", kind="out_of_order", row=row))
            if row == -1:
                # The newest row ahead of all others: then it is not one row that is out of order.
                with pytest.raises(RunFailedError, match="19 of 20 rows are out of range"):
                    await one.collect(symbol, limit=20)
                assert await one.stored(symbol) == []
            else:
                await one.collect(symbol, limit=20)
                assert set(await refused(one, symbol)) == {"out_of_order"}, symbol
                await one.check_coverage(symbol)
            await assert_healed(one, symbol)


@pytest.mark.parametrize("kind", ["nan", "microseconds", "future", "high_below_low"])
async def test_bad_rows_in_every_page_of_a_long_range_spoil_neither_the_pages_nor_the_ends(
    database_url: str, kind: str
) -> None:
    since = RUNNING - 2_500 * MINUTE
    async with world(database_url) as one:
        await one.exchange.faults(klines("bad_rows", kind=kind, row=0))
        await one.collect("BTCUSDT", since=since)
        await one.check_coverage()
        spans = await one.spans()
        assert (min(span.start for span in spans), max(span.end for span in spans)) == (
            since,
            RUNNING,
        )
        assert {span.state for span in spans} == {STORED, REJECTED}
        await one.exchange.faults()
        await one.collect("BTCUSDT")
        assert await one.table() == await one.exchange.rows("BTCUSDT", "1m", since)
        assert await one.spans() == [Span(since, RUNNING, STORED)]


async def test_the_same_bad_row_in_two_runs_is_kept_once(database_url: str) -> None:
    async with world(database_url) as one:
        for _ in range(2):
            await one.exchange.faults(klines("bad_rows", kind="negative", row=3))
            await collect(one)
            await one.exchange.faults()
        # The second run asked for the refused range again, and for the open candle.
        kept = await one.read("SELECT reason, seen, raw FROM quarantine ORDER BY id")
        assert kept[0]["reason"] == "negative"
        assert '"-1.00000000"' in kept[0]["raw"]
        # Refused twice, it is due in a minute; the clock stands still.
        await collect_into(
            one.app,
            CollectOrder(symbols=("BTCUSDT",), timeframes=("1m",), since=START, recheck=True),
        )
        await assert_healed(one)


async def test_a_closed_candle_that_changes_at_the_exchange_leaves_a_restatement(
    database_url: str,
) -> None:
    async with world(database_url) as one:
        await collect(one)
        before = await one.stored()
        # Whoever reads the range again, such as a repair, sees other values in the closed row 3.
        await one.exchange.faults(klines("changed", row=3))
        report = await collect_into(
            one.app,
            CollectOrder(symbols=("BTCUSDT",), timeframes=("1m",), since=START, recheck=True),
        )
        assert (report.result.counters.updated, report.result.counters.inserted) == (1, 0)
        [kept] = await one.read("SELECT * FROM restatement")
        after = await one.stored()
        assert str(kept["close"]) == before[3]["close"] != after[3]["close"]
        assert (kept["run_id"], kept["restated_by"]) == (
            before[3]["run_id"],
            (await one.last_run())["id"],
        )
        assert [row for place, row in enumerate(after) if place != 3] == [
            row for place, row in enumerate(before) if place != 3
        ]


async def test_many_faults_at_once_end_in_a_whole_series_when_they_are_over(
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
    async with world(database_url, seed=7) as one:
        for _ in range(3):
            await one.exchange.faults(*storm)
            await asyncio.gather(one.collect("BTCUSDT", since=since), return_exceptions=True)
            await one.check_coverage()
        await one.exchange.faults()
        await one.collect("BTCUSDT", since=since)
        assert await one.table() == await one.exchange.rows("BTCUSDT", "1m", since)
        assert await one.spans() == [Span(since, RUNNING, STORED)]
