"""A flush is one transaction: rows, coverage, quarantine and counters, all or nothing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from penstock.market.candle import Rejected
from penstock.market.collect.coverage import HELD, CoverageChange, Span, SpanState
from penstock.market.timeframe import Timeframe
from penstock.runs.run import Counters
from tests.market_builders import (
    MINUTE,
    ORIGIN,
    Opened,
    candle,
    candles,
    key,
    opened,
    page,
    unfenced,
)
from tests.statements import statements_sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.collect.page import SeriesTarget
    from penstock.runs.run import Run

STORED, OUTAGE, FAILED = SpanState.STORED, SpanState.OUTAGE, SpanState.FAILED


def covers(
    target: SeriesTarget, *spans: Span, deleted: Sequence[int] = ()
) -> list[tuple[int, CoverageChange]]:
    return [(target.series_id, CoverageChange(tuple(deleted), spans))]


async def everything(store: Opened) -> dict[str, list[dict[str, Any]]]:
    tables = ("candle", "coverage", "quarantine", "restatement", "run")
    return {table: await store.rows(f"SELECT * FROM {table}") for table in tables}


async def ready(store: Opened) -> tuple[SeriesTarget, Run]:
    """A series with stored candles, and a run that may write."""
    target, run = await store.target(), await store.run()
    await store.write(
        run,
        page(target, candles(ORIGIN, 3)),
        coverage=covers(target, Span(ORIGIN, ORIGIN + 3 * MINUTE, STORED)),
        requests=1,
    )
    return target, run


async def test_a_flush_of_any_number_of_candles_takes_as_many_statements(database_url: str) -> None:
    async with opened(database_url) as store:
        target, run = await ready(store)
        spent = []
        for rows in (candles(ORIGIN + 3 * MINUTE, 1), candles(ORIGIN + 4 * MINUTE, 500)):
            with statements_sent() as sent:
                await store.write(run, page(target, rows))
            spent.append([statement.split()[0] for statement in sent])
        merge = ["INSERT"] if store.database.file else ["CREATE", "COPY", "WITH"]
        assert spent == 2 * [[*merge, "UPDATE", "UPDATE"]]


@pytest.mark.parametrize("broken", ["row", "coverage", "quarantine"])
async def test_a_flush_refused_halfway_by_the_database_leaves_no_rows(
    database_url: str, broken: str
) -> None:
    async with opened(database_url) as store:
        target, run = await ready(store)
        before = await everything(store)
        # Values that the database refuses after it has written other rows of the flush.
        rows = [
            *candles(ORIGIN + MINUTE, 5),
            candle(
                ORIGIN + 9 * MINUTE, **({"trades": None, "open": None} if broken == "row" else {})
            ),
        ]
        rejected = [Rejected("negative", "volume", "[]")]
        if broken == "quarantine":
            rejected.append(Rejected(None, "x", "[1]"))  # type: ignore[arg-type]
        span = (
            Span(ORIGIN, ORIGIN + 10 * MINUTE, STORED)
            if broken != "coverage"
            else Span(ORIGIN + MINUTE, ORIGIN + MINUTE, STORED)
        )
        with pytest.raises(Exception, match=r"(?i)null|invalid|check|coverage_not_empty"):
            await store.write(
                run,
                page(target, rows, rejected=rejected),
                coverage=covers(target, span),
                requests=9,
            )
        assert await everything(store) == before
        assert (await store.write(run, page(target, candles(ORIGIN + 3 * MINUTE, 1)))).inserted == 1


async def test_coverage_changes_are_applied_to_the_recorded_coverage(database_url: str) -> None:
    async with opened(database_url) as store:
        target, run = await ready(store)
        later = [
            Span(ORIGIN, ORIGIN + MINUTE, STORED),
            Span(ORIGIN + MINUTE, ORIGIN + 2 * MINUTE, OUTAGE),
            Span(ORIGIN + 2 * MINUTE, ORIGIN + 3 * MINUTE, STORED),
        ]
        await store.write(run, coverage=covers(target, *later))
        assert await store.spans() == later
        await store.write(
            run,
            coverage=covers(
                target,
                Span(ORIGIN, ORIGIN + 9 * MINUTE, STORED),
                deleted=[span.start for span in later[1:]],
            ),
        )
        assert await store.spans() == [Span(ORIGIN, ORIGIN + 9 * MINUTE, STORED)]


async def test_each_series_has_its_own_spans(database_url: str) -> None:
    keys = [key(), key(timeframe=Timeframe.H1), key("ETHUSDT")]
    async with opened(database_url) as store:
        run = await store.run()
        for place, series_key in enumerate(keys):
            await store.write(
                run, coverage=covers(await store.target(series_key), Span(place, place + 1, FAILED))
            )
        assert [await store.spans(key) for key in keys] == [
            [Span(place, place + 1, FAILED)] for place in range(3)
        ]
        opened_again = await store.store.open_series(unfenced(store.database), keys[::-1])
        assert [series.series_id for series in opened_again] == [
            (await store.target(key)).series_id for key in keys[::-1]
        ]


async def test_the_same_bad_row_is_kept_once_and_counted(database_url: str) -> None:
    bad = [
        Rejected("negative", "volume is '-1'", '[1,"-1"]', ORIGIN),
        Rejected("malformed", "no row", "null"),
    ]
    async with opened(database_url) as store:
        target, run = await store.target(), await store.run()
        first = await store.write(run, page(target, [candle()], rejected=bad))
        second = await store.run()
        again = await store.write(second, page(target, [candle()], rejected=[*bad, bad[0]]))
        other = await store.target(key("ETHUSDT"))
        await store.write(second, page(other, [], rejected=bad[:1]))
        rows = await store.rows(
            "SELECT series_id, reason, detail, raw, open_time, seen, run_id"
            " FROM quarantine ORDER BY id"
        )
    assert (first.rejected, again.rejected) == (2, 3)
    assert [(row["series_id"], row["reason"], row["seen"], row["run_id"]) for row in rows] == [
        (target.series_id, "negative", 3, second.id),
        (target.series_id, "malformed", 2, second.id),
        (other.series_id, "negative", 1, second.id),
    ]
    assert [(row["raw"], row["open_time"]) for row in rows] == [
        ('[1,"-1"]', ORIGIN),
        ("null", None),
        ('[1,"-1"]', ORIGIN),
    ]


async def test_of_each_series_the_newest_bad_rows_are_kept(database_url: str) -> None:
    def bad(first: int, count: int) -> list[Rejected]:
        return [
            Rejected("malformed", "no row", str(number), number)
            for number in range(first, first + count)
        ]

    async with opened(database_url) as store:
        target, other = await store.target(), await store.target(key("ETHUSDT"))
        run = await store.run()
        await store.write(run, page(other, [], rejected=bad(1, 10)))
        await store.write(run, page(target, [], rejected=bad(1, 1_500)))
        await store.write(run, page(target, [], rejected=bad(2_001, 400)))
        kept: dict[int, list[int]] = {target.series_id: [], other.series_id: []}
        for row in await store.rows("SELECT series_id, open_time FROM quarantine ORDER BY id"):
            kept[row["series_id"]].append(row["open_time"])
    assert kept == {
        target.series_id: [*range(401, 1_001), *range(2_001, 2_401)],
        other.series_id: [*range(1, 11)],
    }


@pytest.mark.parametrize("opened_at", [2**63, -(2**63) - 1, 10**30, ORIGIN * 1_000_000])
async def test_a_bad_row_with_any_time_can_be_kept(database_url: str, opened_at: int) -> None:
    async with opened(database_url) as store:
        run = await store.run()
        await store.write(
            run,
            page(
                await store.target(),
                [],
                rejected=[Rejected("malformed", "x" * 9_000, "\u2603" * 9_000, opened_at)],
            ),
        )
        assert await store.value("SELECT seen FROM quarantine") == 1


async def test_a_flush_can_consist_of_request_counts_only(database_url: str) -> None:
    async with opened(database_url) as store:
        run = await store.run()
        assert await store.write(run, page(await store.target(), []), requests=4) == Counters()
        assert (await store.run_row(run))["requests"] == 4


async def test_market_data_supports_date_filters_as_users_write_them(database_url: str) -> None:
    at = int(dt.datetime(2024, 3, 1, tzinfo=dt.UTC).timestamp() * 1_000)
    async with opened(database_url) as store:
        run = await store.run()
        await store.write(run, page(await store.target(), candles(at - 2 * MINUTE, 5)))
        where = (
            "exchange = 'binance' AND symbol = 'BTC/USDT' AND timeframe = '1m'"
            " AND timestamp >= '2024-03-01' AND timestamp < '2024-03-01 00:02:00'"
        )
        rows = await store.rows(f"SELECT * FROM market_data WHERE {where} ORDER BY timestamp")
    assert len(rows) == 2
    assert [float(row["close"]) for row in rows] == [102.5, 103.5]
    assert str(rows[0]["timestamp"]).startswith("2024-03-01 00:00:00")
    assert [float(rows[0][name]) for name in ("open", "high", "low", "volume")] == [
        100,
        110,
        90,
        12.5,
    ]
    assert all(bool(row["closed"]) for row in rows)


async def test_the_gap_view_shows_every_reason_but_no_stored_range(database_url: str) -> None:
    async with opened(database_url) as store:
        target, run = await store.target(), await store.run()
        spans = [
            Span(ORIGIN + place * MINUTE, ORIGIN + (place + 1) * MINUTE, state)
            for place, state in enumerate(SpanState)
        ]
        await store.write(run, coverage=covers(target, *spans))
        gaps = await store.rows(
            "SELECT exchange, symbol, timeframe, start_time, reason, run_id"
            " FROM gap ORDER BY start_time"
        )
    assert [gap["reason"] for gap in gaps] == [
        state.value for state in SpanState if state not in HELD
    ]
    assert {(gap["exchange"], gap["symbol"], gap["timeframe"], gap["run_id"]) for gap in gaps} == {
        ("binance", "BTC/USDT", "1m", run.id)
    }


async def test_a_users_date_filter_on_postgresql_uses_the_key_of_the_table(
    postgres_database: str,
) -> None:
    async with opened(postgres_database) as store:
        run = await store.run()
        await store.write(run, page(await store.target(), candles(ORIGIN, 20_000)))
        await store.change("ANALYZE")
        plan = await store.rows(
            "EXPLAIN SELECT close FROM market_data WHERE symbol = 'BTC/USDT'"
            " AND timeframe = '1m' AND timestamp >= '2018-01-14 21:00'"
        )
    text = "\n".join(str(line["QUERY PLAN"]) for line in plan)
    assert "candle_pkey" in text
    assert "Seq Scan on candle" not in text
