"""The merge: any order and grouping of pages gives the same table; a closed candle is final."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from penstock.runs.run import Counters
from tests.examples import try_examples
from tests.market_builders import MINUTE, ORIGIN, Opened, candle, candles, key, opened, page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.candle import Candle
    from penstock.market.collect.page import CandlePage, SeriesTarget
    from tests.conftest import Say
    from tests.trials import Trials

_MINUTES = 12
_SYMBOLS = ("BTCUSDT", "ETHUSDT")

_MANY = (8, 60)


@dataclass(frozen=True)
class Seen:
    """The candles of a symbol from `first` to before `last`, as an exchange shows them.

    The last one is open after `trades` trades, or closed (None).
    """

    symbol: str
    first: int
    last: int
    trades: int | None

    def rows(self) -> list[Candle]:
        return [self._row(minute) for minute in range(self.first, self.last)]

    def _row(self, minute: int) -> Candle:
        trades = 1_000 if self.trades is None or minute < self.last - 1 else self.trades
        return candle(
            ORIGIN + minute * MINUTE,
            trades=trades,
            volume=f"{trades}.{minute:02d}",
            close=f"{100 + trades % 10}",
        )

    @property
    def closed(self) -> int:
        return self.last - self.first - (self.trades is not None)


seen = st.builds(
    lambda symbol, first, count, trades: Seen(symbol, first, min(_MINUTES, first + count), trades),
    st.sampled_from(_SYMBOLS),
    st.integers(0, _MINUTES - 1),
    st.integers(1, 6),
    st.none() | st.integers(0, 900),
)
histories = st.lists(seen, min_size=1, max_size=6)


async def targets(store: Opened) -> dict[str, SeriesTarget]:
    return {symbol: await store.target(key(symbol)) for symbol in _SYMBOLS}


async def collected(store: Opened, flushes: Sequence[Sequence[Seen]]) -> list[dict[str, Any]]:
    """The table after these flushes alone."""
    for table in ("candle", "restatement"):
        await store.change(f"DELETE FROM {table}")
    by_symbol = await targets(store)
    run = await store.run()
    total = Counters()
    for flush in flushes:
        total += await store.write(
            run, *[page(by_symbol[seen.symbol], seen.rows(), closed=seen.closed) for seen in flush]
        )
    await store.finish(run)
    row = await store.run_row(run)
    assert total == Counters(row["inserted"], row["updated"], row["unchanged"])
    assert total.inserted + total.updated + total.unchanged == sum(
        len(seen.rows()) for flush in flushes for seen in flush
    )
    return await store.table()


def expected(history: Sequence[Seen]) -> dict[tuple[str, int], tuple[int, bool]]:
    """Trades and finality of each candle: closed wins, then the one with more trades."""
    best: dict[tuple[str, int], tuple[int, bool]] = {}
    for seen in history:
        for place, row in enumerate(seen.rows()):
            found = (row.trades or 0, place < seen.closed)
            known = best.get((seen.symbol, row.open_time), found)
            best[seen.symbol, row.open_time] = max(
                known, found, key=lambda pair: (pair[1], pair[0])
            )
    return best


def test_any_order_and_grouping_of_the_same_pages_gives_the_same_table(
    database_url: str, trials: Trials, say: Say
) -> None:
    async def check(data: st.DataObject, history: list[Seen]) -> None:
        shuffled = data.draw(st.permutations(history))
        cuts = sorted(data.draw(st.sets(st.integers(1, len(history)), max_size=3)))
        groups = [
            shuffled[low:high]
            for low, high in zip([0, *cuts], [*cuts, len(history)], strict=True)
            if low < high
        ]
        async with opened(database_url) as store:
            one_by_one = await collected(store, [[seen] for seen in history])
            assert await collected(store, groups) == one_by_one
            assert await collected(store, [history]) == one_by_one
            ids = {target.series_id: symbol for symbol, target in (await targets(store)).items()}
            assert await store.value("SELECT count(*) AS n FROM restatement") == 0
        found = {
            (ids[row["series_id"]], row["open_time"]): (row["trades"], bool(row["closed"]))
            for row in one_by_one
        }
        assert found == expected(history)

    try_examples(trials, say, _MANY, check, st.data(), histories)


def test_the_same_pages_twice_write_nothing_the_second_time(
    database_url: str, trials: Trials, say: Say
) -> None:
    async def check(history: list[Seen]) -> None:
        async with opened(database_url) as store:
            await collected(store, [history])
            # Of open states only the newest is kept, so the second time sends those of the table.
            newest = {(seen.symbol, seen.first): seen for seen in history if seen.trades is None}
            before = await physical(store)
            run = await store.run()
            by_symbol = await targets(store)
            pages = [page(by_symbol[seen.symbol], seen.rows()) for seen in newest.values()]
            counters = await store.write(run, *pages)
            await store.finish(run)
            assert (counters.inserted, counters.unchanged) == (0, sum(len(page) for page in pages))
            assert counters.updated == 0
            assert await physical(store) == before

    try_examples(trials, say, _MANY, check, histories)


async def physical(store: Opened) -> list[dict[str, Any]]:
    """The rows with their physical place, which changes when a row is rewritten."""
    version = (
        "xmin::text AS version"
        if store.database.url.get_backend_name() == "postgresql"
        else "run_id AS version"
    )
    return await store.rows(
        f"SELECT series_id, open_time, {version}, run_id FROM candle ORDER BY series_id, open_time"
    )


async def put(store: Opened, *rows: Candle, closed: int | None = None) -> Counters:
    run = await store.run()
    counters = await store.write(run, page(await store.target(), rows, closed=closed))
    await store.finish(run)
    return counters


async def stored(store: Opened) -> dict[str, Any]:
    [row] = await store.table()
    return row


async def test_an_open_candle_never_replaces_a_closed_one(database_url: str) -> None:
    async with opened(database_url) as store:
        await put(store, candle(trades=7))
        counters = await put(store, candle(trades=9, close="99"), closed=0)
        assert counters == Counters(unchanged=1)
        assert ((await stored(store))["close"], bool((await stored(store))["closed"])) == (
            "105.00000000",
            True,
        )


async def test_an_older_open_candle_never_replaces_a_newer_one(database_url: str) -> None:
    async with opened(database_url) as store:
        await put(store, candle(trades=9, close="99"), closed=0)
        assert await put(store, candle(trades=8, close="98"), closed=0) == Counters(unchanged=1)
        assert (await stored(store))["close"] == "99"
        assert await put(store, candle(trades=10, close="97"), closed=0) == Counters(updated=1)
        assert ((await stored(store))["close"], bool((await stored(store))["closed"])) == (
            "97",
            False,
        )


async def test_an_open_candle_is_completed_and_leaves_no_restatement(database_url: str) -> None:
    async with opened(database_url) as store:
        await put(store, candle(trades=9), closed=0)
        assert await put(store, candle(trades=9)) == Counters(updated=1)
        assert (await stored(store))["closed"]
        assert await store.value("SELECT count(*) AS n FROM restatement") == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("close", "105.00000001"),
        ("trades", 8),
        ("taker_quote", "620.1"),
        ("close_time", ORIGIN + 1),
        ("high", "110.000000000000000001"),
    ],
)
async def test_a_changed_closed_candle_leaves_a_restatement_with_old_values_and_both_runs(
    database_url: str, field: str, value: object
) -> None:
    async with opened(database_url) as store:
        first = await store.run()
        target = await store.target()
        await store.write(first, page(target, [candle()]))
        await store.finish(first)
        before = await stored(store)
        second = await store.run()
        assert await store.write(second, page(target, [candle(**{field: value})])) == Counters(
            updated=1
        )
        await store.finish(second)
        assert (await stored(store))[field] == value
        [kept] = await store.rows("SELECT * FROM restatement")
        numbers = {
            name: str(kept[name])
            for name in (
                "open",
                "high",
                "low",
                "close",
                "volume",
                "quote_volume",
                "taker_base",
                "taker_quote",
                "trades",
            )
        }
    assert numbers == {name: str(before[name]) for name in numbers}
    assert (kept["run_id"], kept["restated_by"], kept["reason"]) == (
        first.id,
        second.id,
        "changed at the source",
    )


@pytest.mark.parametrize(
    ("old", "new"), [("1.0", "1.00"), ("100", "100.000000000000000000"), ("0", "0.0")]
)
async def test_the_same_number_in_another_form_is_not_a_change(
    database_url: str, old: str, new: str
) -> None:
    async with opened(database_url) as store:
        await put(store, candle(volume=old))
        assert await put(store, candle(volume=new)) == Counters(unchanged=1)
        assert await store.value("SELECT count(*) AS n FROM restatement") == 0
        assert (await stored(store))["volume"] == old


async def test_a_candle_twice_in_one_flush_is_stored_once_in_its_better_form(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        run = await store.run()
        target = await store.target()
        first = page(target, candles(ORIGIN, 3), closed=3)
        overlapping = page(
            target,
            [
                candle(ORIGIN + 2 * MINUTE, close="1", low="1", trades=9),
                candle(ORIGIN + 3 * MINUTE),
            ],
            closed=0,
        )
        counters = await store.write(run, overlapping, first, overlapping)
        table = await store.table()
    assert counters.inserted == 4
    assert [(row["open_time"], bool(row["closed"])) for row in table] == [
        (ORIGIN + place * MINUTE, place < 3) for place in range(4)
    ]
    assert table[2]["close"] == "102.5"


async def test_the_counters_of_a_flush_with_overlapping_pages_count_each_row_once(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        run = await store.run()
        target = await store.target()
        pages: list[CandlePage] = [
            page(target, candles(ORIGIN, 5)),
            page(target, candles(ORIGIN, 5)),
            page(target, candles(ORIGIN + 5 * MINUTE, 2)),
        ]
        assert await store.write(run, *pages, requests=3) == Counters(inserted=7, unchanged=5)
        row = await store.run_row(run)
    assert (row["inserted"], row["updated"], row["unchanged"], row["requests"]) == (7, 0, 5, 3)


async def test_rows_of_more_than_one_statement_are_all_written(database_url: str) -> None:
    async with opened(database_url) as store:
        run = await store.run()
        target = await store.target()
        assert (await store.write(run, page(target, candles(ORIGIN, 1_203)))).inserted == 1_203
        assert await store.write(run, page(target, candles(ORIGIN + MINUTE, 1_203))) == Counters(
            inserted=1, updated=1_202
        )
        assert await store.value("SELECT count(*) AS n FROM restatement") == 1_202
