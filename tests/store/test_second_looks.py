"""Claims of one answer, clock or row are checked again; unknowable ranges are not requested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from penstock.errors import SourceRefusedError
from penstock.market.candle import Rejected
from penstock.market.collect.ranges import Wish
from penstock.market.instrument import SeriesKey, Status
from penstock.market.timeframe import Timeframe
from tests.listed_source import ListedSource
from tests.market_builders import ORIGIN, candle, candles, instrument, opened
from tests.store.lying_source import HOUR
from tests.store.test_truth import DAY, run_once

if TYPE_CHECKING:
    from penstock.market.candle import Candle
    from penstock.market.source import PageAnswer, PageRequest
    from tests.market_builders import Opened

_KEY = SeriesKey(instrument(), Timeframe.H1)
_NOW = ORIGIN + 190 * HOUR + 5_000


def hour(number: int) -> int:
    return ORIGIN + number * HOUR


def exchange(first: int = 0, count: int = 2_000, page_limit: int = 1_000) -> ListedSource:
    return ListedSource(candles(hour(first), count, step=HOUR), _NOW, page_limit=page_limit)


def corrected(row: Candle) -> Candle:
    return candle(row.open_time, close_time=row.close_time, volume="777.0", trades=row.trades)


async def ledger(store: Opened) -> list[tuple[float, float, str]]:
    return [
        ((span.start - ORIGIN) / HOUR, (span.end - ORIGIN) / HOUR, span.state.value)
        for span in await store.spans(_KEY)
    ]


async def asked_in(
    store: Opened,
    source: ListedSource,
    key: SeriesKey = _KEY,
    *,
    days: float = 0,
    wish: Wish | None = None,
) -> int:
    """The number of requests of a run this much later."""
    source.now, before = source.now + int(days * DAY), source.requests
    await run_once(store, source, wish or Wish(), key)
    return source.requests - before


# ── Second reads ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wish",
    [Wish(since=hour(150), recheck=True), Wish(newest_ms=48 * HOUR)],
    ids=["recheck", "audit"],
)
async def test_a_stored_range_up_to_now_is_read_again_on_request(
    sqlite_database: str, wish: Wish
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange()
        await run_once(store, source, Wish(since=ORIGIN))
        source.rows = [corrected(row) if row.open_time == hour(160) else row for row in source.rows]
        await run_once(store, source, wish)
        assert await store.rows("SELECT count(*) AS n FROM restatement") == [{"n": 1}]


async def test_after_a_partial_reread_later_runs_still_collect_new_candles(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange()
        await run_once(store, source, Wish(since=ORIGIN))
        await asked_in(
            store, source, days=0.5, wish=Wish(since=hour(10), until=hour(20), recheck=True)
        )
        await asked_in(store, source, days=0.5)
        assert await ledger(store) == [(0, 214, "stored")]


# ── The exchange's clock ──────────────────────────────────────────────────────


@dataclass
class _Ahead(ListedSource):
    async def server_time(self) -> int:
        return self.now + 20 * HOUR


async def test_after_a_clock_was_ahead_later_runs_still_send_requests(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange()
        await run_once(store, source, Wish(since=ORIGIN))
        await run_once(store, _Ahead(source.rows, source.now, page_limit=1_000), Wish())
        source.now += 2 * HOUR
        await run_once(store, source, Wish())
        assert (await ledger(store))[0] == (0, 192, "stored")


# ── Where a series begins ─────────────────────────────────────────────────────


async def test_a_not_listed_range_is_requested_again_after_a_week(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange(first=60, page_limit=100)
        await run_once(store, source, Wish(since=ORIGIN))
        assert await ledger(store) == [(0, 60, "not_listed"), (60, 190, "stored")]
        source.rows = exchange().rows
        await asked_in(store, source, days=7.1)
        assert await ledger(store) == [(0, 360, "stored")]


@pytest.mark.parametrize("wish", [Wish(), Wish(gaps=True)], ids=["by itself", "backfill"])
async def test_a_not_listed_range_stays_not_listed_after_another_request(
    sqlite_database: str, wish: Wish
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange(first=60, page_limit=100)
        await run_once(store, source, Wish(since=ORIGIN))
        source.asked.clear()
        for days in (7.1, 24, 1, 365):
            await asked_in(store, source, days=days, wish=wish)
        assert (await ledger(store))[0] == (0, 60, "not_listed")
        assert (
            len(
                [
                    request
                    for request in source.asked
                    if request.start is not None and request.start < hour(50)
                ]
            )
            <= 6
        )


async def test_a_range_before_the_listing_doubted_by_an_upgrade_is_settled_again(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange(first=60, page_limit=100)
        await run_once(store, source, Wish(since=ORIGIN))
        await store.change(
            f"UPDATE coverage SET state = 'unconfirmed', due_at = {_NOW} WHERE state = 'not_listed'"
        )
        await asked_in(store, source, days=1)
        assert (await ledger(store))[0] == (0, 60, "not_listed")


async def test_a_series_without_a_final_candle_continues_from_its_open_candle(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange()
        for _ in range(4):
            await run_once(store, source, Wish(limit=1))
            source.now += 2 * HOUR
        assert await ledger(store) == [(190, 196, "stored")]
        assert await store.rows("SELECT count(*) AS n FROM candle WHERE NOT closed") == [{"n": 1}]


# ── Where a series ends ───────────────────────────────────────────────────────


async def test_candles_after_a_wrong_end_are_found_by_the_next_request(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        ended = SeriesKey(instrument(status=Status.DELISTED), Timeframe.H1)
        source = exchange(count=90)
        await run_once(store, source, Wish(since=ORIGIN), ended)
        source.rows = exchange(count=100).rows
        for days in (7.1, 1):
            await asked_in(store, source, ended, days=days)
        assert await ledger(store) == [(0, 100, "stored"), (100, 360, "delisted")]


@dataclass
class _Unlisted(ListedSource):
    """An exchange that refuses the symbol, or every request."""

    blanket: bool = False

    async def candles(self, request: PageRequest) -> PageAnswer:
        self.requests += 1
        raise SourceRefusedError(f"{request.series} is no symbol", status=400, blanket=self.blanket)


async def gone(store: Opened, page_limit: int) -> _Unlisted:
    """An exchange whose symbol with a hole has just vanished from the list."""
    source = ListedSource(
        [row for row in exchange().rows if not hour(40) <= row.open_time < hour(43)],
        _NOW,
        page_limit=page_limit,
    )
    await run_once(store, source, Wish(since=ORIGIN))
    return _Unlisted([], _NOW + 100 * HOUR, page_limit=page_limit)


@pytest.mark.parametrize(
    "page_limit", [1_000, 3], ids=["while it is fetched", "while it is planned"]
)
async def test_a_refused_vanished_series_is_delisted_after_its_last_candle_and_rarely_requested(
    sqlite_database: str, page_limit: int
) -> None:
    async with opened(sqlite_database) as store:
        source = await gone(store, page_limit)
        vanished = SeriesKey(replace(_KEY.instrument, gone=True), Timeframe.H1)
        await run_once(store, source, Wish(), vanished)
        hole, last = (40, 43, "unconfirmed"), (190, 191, "failed")
        assert await ledger(store) == [
            (0, 40, "stored"),
            hole,
            (43, 190, "stored"),
            last,
            (191, 290, "delisted"),
        ]
        delisted = SeriesKey(replace(vanished.instrument, status=Status.DELISTED), Timeframe.H1)
        # A little more than a day, so that gaps due in a day are due despite the time of a run.
        assert sum([await asked_in(store, source, delisted, days=1.0005) for _ in range(30)]) < 10
        assert await ledger(store) == [
            (0, 40, "stored"),
            hole,
            (43, 190, "stored"),
            last,
            (191, 962, "delisted"),
        ]


async def test_a_refusal_of_the_caller_says_nothing_about_a_vanished_symbol(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = replace(await gone(store, 1_000), blanket=True)
        await run_once(
            store, source, Wish(), SeriesKey(replace(_KEY.instrument, gone=True), Timeframe.H1)
        )
        assert "delisted" not in {state for *_, state in await ledger(store)}


# ── What answers prove ────────────────────────────────────────────────────────


async def test_an_outage_at_the_start_of_a_series_becomes_an_outage_in_the_ledger(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange(first=-50)
        source.rows = [row for row in source.rows if not ORIGIN <= row.open_time < hour(5)]
        await run_once(store, source, Wish(since=ORIGIN))
        for _ in range(3):
            await asked_in(store, source, days=0.5)
        assert await ledger(store) == [(0, 5, "outage"), (5, 226, "stored")]


async def test_collection_continues_on_an_exchange_without_old_candles_and_keeps_stored_ones(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = exchange()
        await run_once(store, source, Wish(since=ORIGIN))
        source.rows = exchange(first=200).rows
        await asked_in(store, source, days=1)
        assert await ledger(store) == [
            (0, 190, "stored"),
            (190, 200, "unconfirmed"),
            (200, 214, "stored"),
        ]


async def test_rows_of_a_shorter_timeframe_are_not_stored(sqlite_database: str) -> None:
    async with opened(sqlite_database) as store:
        source = exchange()
        await run_once(store, source, Wish(since=ORIGIN))
        for step in (HOUR // 60, HOUR // 2):
            source.now += 3 * HOUR
            source.rows = candles(hour(150), 2_000, step=step)
            await run_once(store, source, Wish())
        source.rows = exchange().rows
        await run_once(store, source, Wish())
        assert await store.rows("SELECT count(*) AS n FROM candle") == [{"n": 197}]
        assert await ledger(store) == [(0, 196, "stored")]


class _OneMore(ListedSource):
    """Ends each page with an unreadable row whose time is in microseconds."""

    async def candles(self, request: PageRequest) -> PageAnswer:
        answer = await super().candles(request)
        return (
            answer
            if request.limit < self.page_limit
            else replace(
                answer, rejected=[Rejected("malformed", "no text", "[]", hour(190) * 1_000)]
            )
        )


async def test_an_undecodable_row_elsewhere_makes_no_candle_final(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = _OneMore(exchange(count=190).rows, _NOW, page_limit=1_000)
        await run_once(store, source, Wish(since=hour(100)))
        assert await store.rows(
            "SELECT count(*) AS n FROM candle WHERE closed AND open_time = :at", at=hour(189)
        ) == [{"n": 0}]


async def test_a_gap_between_single_rows_is_requested_in_a_different_way_each_time(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        source = ListedSource(
            [row for row in exchange().rows if row.open_time % (3 * HOUR) == 0], _NOW, page_limit=20
        )
        await run_once(store, source, Wish(since=ORIGIN))
        source.asked.clear()
        for _ in range(5):
            await asked_in(store, source, days=0.3)
        first = [
            (request.start, request.end)
            for request in source.asked
            if request.start is not None and request.start <= hour(1)
        ]
        assert len(set(first)) == len(first) >= 2
