"""What verify finds by asking the exchange, and what it repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import InvalidInputError, NotFoundError
from penstock.market.timeframe import Timeframe
from tests.market_builders import MINUTE, ORIGIN
from tests.simulated import ms
from tests.verify.shelf import STEPS, history, stocked
from tests.verify.test_inside import M1, M5, PLACE, PLANTS, found, planted

if TYPE_CHECKING:
    from penstock.market.source import PageRequest


def standing(report: dict[str, Any], which: str) -> list[tuple[str, str, int]]:
    return [
        (series["timeframe"], finding["kind"], ms(finding["start"][:-1]))
        for series in report["reports"]
        for finding in series["findings"]
        if finding["standing"] == which
    ]


async def test_collected_data_matches_the_exchange(database_url: str) -> None:
    async with stocked(database_url) as stock:
        report = await stock.verify(against="rest")
        assert (report["wrong"], report["failures"]) == (0, {})
        closed = await stock.store.value("SELECT count(*) FROM candle WHERE closed")
        assert report["compared"] == closed


async def test_a_different_value_is_reported_and_repaired_with_a_restatement(
    database_url: str,
) -> None:
    async with stocked(database_url) as stock:
        old = next(row for row in stock.shelf.of[M5] if row.open_time == PLACE)
        stock.shelf.change(M5, PLACE, volume="77.5")
        report = await stock.verify(timeframes=["5m"], against="rest")
        assert found(report) == [("5m", "different", PLACE, 1)]
        [finding] = report["reports"][0]["findings"]
        assert finding["detail"] == f"volume {old.volume}, exchange 77.5"
        assert await stock.store.value("SELECT count(*) FROM restatement") == 0

        mended = await stock.verify(timeframes=["5m"], against="rest", repair=True)
        assert (mended["wrong"], standing(mended, "mended")) == (0, [("5m", "different", PLACE)])
        kept = await stock.store.rows("SELECT CAST(volume AS text) AS volume FROM restatement")
        assert kept == [{"volume": old.volume}]
        assert (await stock.verify(timeframes=["5m"], against="rest"))["wrong"] == 0


@pytest.mark.parametrize("name", [name for name in PLANTS if name != "a row moved off the grid"])
async def test_repair_fixes_every_planted_fault(database_url: str, name: str) -> None:
    async with stocked(database_url) as stock:
        before = await stock.store.table()
        await planted(stock, name)
        report = await stock.verify(repair=True)
        assert (found(report), report["mended"] > 0) == ([], True)
        assert found(await stock.verify()) == []
        after = await stock.store.table()
        assert [{**row, "closed": bool(row["closed"])} for row in after] == [
            {**row, "closed": bool(row["closed"])} for row in before
        ]


async def test_repair_deletes_no_row(database_url: str) -> None:
    async with stocked(database_url) as stock:
        await planted(stock, "a row moved off the grid")
        held = await stock.store.value("SELECT count(*) FROM candle")
        report = await stock.verify(against="rest", repair=True)
        assert await stock.store.value("SELECT count(*) FROM candle") == held + 1
        assert ("1m", "missing", PLACE) in standing(report, "mended")
        assert standing(report, "wrong") == [("1m", "missing_there", PLACE + 17_000)]


async def test_sums_that_are_odd_at_the_exchange_are_not_a_finding(database_url: str) -> None:
    async with stocked(database_url) as stock:
        stock.shelf.change(M5, PLACE, volume="77.5")
        await stock.collect(M5, recheck=True)
        assert found(await stock.verify()) == [("5m", "sums", PLACE, 1)]
        asked = await stock.verify(against="rest")
        assert (asked["wrong"], standing(asked, "told")) == (0, [("5m", "sums", PLACE)])
        assert (
            await stock.store.value("SELECT count(*) FROM candle WHERE closed") == asked["compared"]
        )


async def test_rows_missing_on_either_side_are_reported(database_url: str) -> None:
    async with stocked(database_url) as stock:
        at, here = PLACE, PLACE + 30 * MINUTE
        stock.shelf.of[M1] = [row for row in stock.shelf.of[M1] if row.open_time != at]
        series = await stock.series_id()
        await stock.plant(
            "DELETE FROM candle WHERE series_id = :series AND open_time = @at",
            series=series,
            at=here,
        )
        report = await stock.verify(timeframes=["1m"], against="rest")
        assert sorted(found(report)) == [("1m", "missing", here, 1), ("1m", "missing_there", at, 1)]


async def test_a_row_that_was_never_requested_is_reported_and_stored_by_a_repair(
    database_url: str,
) -> None:
    gap = range(700, 760)
    async with stocked(database_url, gap=gap) as stock:
        stock.shelf.of[M1] = list(history(1_500, STEPS, range(0))[M1])
        report = await stock.verify(timeframes=["1m"], against="rest")
        assert report["reports"][0]["wrong"] == {"missing_here": 60}
        mended = await stock.verify(timeframes=["1m"], against="rest", repair=True)
        assert (mended["wrong"], mended["mended"]) == (0, 60)


async def test_one_answer_without_a_row_does_not_report_it_as_missing_there(
    sqlite_database: str,
) -> None:
    async with stocked(sqlite_database) as stock:
        asked: list[PageRequest] = []

        def once(rows: list[Any]) -> list[Any]:
            holds = [row for row in rows if row.open_time == PLACE]
            asked.extend(stock.shelf.asked[-1:] if holds else [])
            return [row for row in rows if row.open_time != PLACE] if len(asked) == 1 else rows

        stock.shelf.spoil = once
        report = await stock.verify(timeframes=["1m"], against="rest")
        assert (found(report), report["compared"]) == ([], 1_500)
        assert len(asked) >= 2
        assert asked[0] != asked[1]


async def test_a_span_without_candles_at_the_exchange_becomes_a_gap(database_url: str) -> None:
    async with stocked(database_url, gap=range(700, 760)) as stock:
        series = await stock.series_id()
        await stock.plant("DELETE FROM coverage WHERE series_id = :series", series=series)
        low, high = ORIGIN, ORIGIN + 1_500 * MINUTE
        await stock.plant(
            "INSERT INTO coverage (series_id, start_time, end_time, state, run_id)"
            " VALUES (:series, @low, @high, 'stored', 1)",
            series=series,
            low=low,
            high=high,
        )
        report = await stock.verify(timeframes=["1m"], repair=True)
        assert (found(report), report["mended"]) == ([], 60)
        gaps = [span for span in await stock.store.spans() if span.state == "unconfirmed"]
        assert [(span.start, span.end) for span in gaps] == [
            (ORIGIN + 700 * MINUTE, ORIGIN + 760 * MINUTE)
        ]


async def test_a_seed_selects_the_same_sample_again(sqlite_database: str) -> None:
    async with stocked(sqlite_database, count=4_000) as stock:
        stock.shelf.page_limit = 100
        asked = []
        for seed in (5, 5, 6):
            stock.shelf.asked.clear()
            report = await stock.verify(timeframes=["1m"], against="rest", sample=3, seed=seed)
            assert (report["sample"], report["seed"], report["wrong"]) == (3, seed, 0)
            assert report["compared"] == 300
            asked.append(sorted(request.start or 0 for request in stock.shelf.asked))
        assert asked[0] == asked[1] != asked[2]


async def test_a_silent_exchange_fails_only_the_series_it_was_asked_for(
    sqlite_database: str,
) -> None:
    async with stocked(sqlite_database) as stock:
        await planted(stock, "another volume")
        stock.shelf.fails_from = 0
        report = await stock.verify(against="rest")
        assert found(report) == [("5m", "sums", PLACE, 1)]
        assert set(report["failures"]) == {
            "BTC/USDT 1m",
            "BTC/USDT 5m",
            "BTC/USDT 1h",
            "BTC/USDT 1d",
        }


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"against": "archive"}, "against"),
        ({"against": "all"}, "against"),
        ({"sample": 3}, "sample"),
        ({"start": 5, "end": 5}, "end"),
        ({"timeframes": ["7m"]}, "timeframes"),
        ({"symbols": ["BTCUSTD"]}, "symbols"),
    ],
)
async def test_bad_input_is_refused_in_one_sentence_that_names_the_field(
    sqlite_database: str, order: dict[str, Any], field: str
) -> None:
    async with stocked(sqlite_database, steps=(Timeframe.D1,)) as stock:
        with pytest.raises(InvalidInputError) as refused:
            await stock.verify(**order)
        assert (refused.value.field, str(refused.value).startswith(f"{field}: ")) == (field, True)


async def test_a_series_that_is_not_stored_cannot_be_verified(sqlite_database: str) -> None:
    async with stocked(sqlite_database, steps=(Timeframe.D1,)) as stock:
        with pytest.raises(NotFoundError):
            await stock.verify(timeframes=["1m"])
