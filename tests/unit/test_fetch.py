"""What answers prove, for any history of an exchange: each row once, every instant covered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceMisfitError, SourceUnavailableError
from penstock.market.candle import Candle, Rejected
from penstock.market.collect.ask import Asker
from penstock.market.collect.clock import ExchangeClock
from penstock.market.collect.coverage import Coverage, Span, SpanState
from penstock.market.collect.fetch import PieceFetcher
from penstock.market.collect.page import SeriesTarget
from penstock.market.collect.plan import Piece
from penstock.market.timeframe import Timeframe
from tests.listed_source import ListedSource
from tests.market_builders import MINUTE, ORIGIN, candle, candles, key

if TYPE_CHECKING:
    from penstock.market.collect.page import CandlePage

_STEPS = 30
_END = ORIGIN + _STEPS * MINUTE
_LONG_AFTER = _END + 60 * MINUTE

STORED, UNCONFIRMED, REJECTED = SpanState.STORED, SpanState.UNCONFIRMED, SpanState.REJECTED

histories = st.sets(st.integers(-3, _STEPS - 1)).map(
    lambda steps: [candle(ORIGIN + step * MINUTE) for step in sorted(steps)]
)
page_limits = st.integers(2, 6)


def minute(number: int) -> int:
    return ORIGIN + number * MINUTE


async def fetched(
    source: ListedSource, piece: Piece, target: SeriesTarget | None = None
) -> list[CandlePage]:
    clock = ExchangeClock(source)
    await clock.sync()
    fetcher = PieceFetcher(Asker(source, clock), grace_ms=3_000)
    return [
        page async for page in fetcher.pages(target or SeriesTarget(key(), 1, Coverage()), piece)
    ]


def covered(pages: list[CandlePage]) -> Coverage:
    coverage = Coverage()
    for page in pages:
        for span in page.spans:
            coverage.mark(span.start, span.end, span.state, page.look)
    return coverage


def states(coverage: Coverage) -> list[tuple[int, int, SpanState]]:
    return [(span.start, span.end, span.state) for span in coverage]


def stored(coverage: Coverage) -> set[int]:
    """The minutes that are stored by the coverage."""
    return {
        at
        for span in coverage
        if span.state is STORED
        for at in range(span.start, span.end, MINUTE)
    }


def unanswered(coverage: Coverage, start: int = ORIGIN, end: int = _END) -> list[tuple[int, int]]:
    return coverage.missing(start, end, lambda _: False)


@given(histories, page_limits)
async def test_every_row_of_a_piece_comes_exactly_once_in_order(
    history: list[Candle], page_limit: int
) -> None:
    pages = await fetched(
        ListedSource(history, _LONG_AFTER, page_limit), Piece(ORIGIN, _END, first=False)
    )
    assert [row.open_time for page in pages for row in page.candles] == [
        row.open_time for row in history if row.open_time >= ORIGIN
    ]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]


@given(histories, page_limits)
async def test_a_finished_piece_is_fully_accounted_for_and_stored_only_where_rows_are(
    history: list[Candle], page_limit: int
) -> None:
    later = [row for row in history if row.open_time < _END] + candles(_END, 3)
    coverage = covered(
        await fetched(
            ListedSource(later, _LONG_AFTER, page_limit), Piece(ORIGIN, _END, first=False)
        )
    )
    assert unanswered(coverage) == []
    assert (min(span.start for span in coverage), max(span.end for span in coverage)) == (
        ORIGIN,
        _END,
    )
    assert stored(coverage) == {row.open_time for row in history if row.open_time >= ORIGIN}
    assert {span.state for span in coverage} <= {STORED, UNCONFIRMED}


@given(histories, st.integers(2, 6), st.integers(2, 12))
async def test_the_rest_of_a_short_page_is_requested(
    history: list[Candle], rows: int, limit: int
) -> None:
    later = [*history, candle(_END)]
    source = replace(
        ListedSource(later, _LONG_AFTER, max(rows, limit)), spoil=lambda answer: answer[:rows]
    )
    pages = await fetched(source, Piece(ORIGIN, _END, first=False))
    assert [row.open_time for page in pages for row in page.candles] == [
        row.open_time for row in history if row.open_time >= ORIGIN
    ]


@given(histories, page_limits)
async def test_the_last_row_of_an_exchange_is_open_until_a_later_read_gives_the_same(
    history: list[Candle], page_limit: int
) -> None:
    source = ListedSource(history, _LONG_AFTER, page_limit)
    pages = await fetched(source, Piece(ORIGIN, None, first=False))
    seen = [row.open_time for row in history if row.open_time >= ORIGIN]
    final = [row.open_time for page in pages for row in page.candles[: page.closed]]
    assert final == seen[:-1]
    coverage = covered(pages)
    assert stored(coverage) == set(final)
    assert unanswered(coverage, ORIGIN, _LONG_AFTER - MINUTE) == []
    if seen:
        pending = next(row for row in history if row.open_time == seen[-1])
        for changed, closed in ((False, True), (True, False)):
            known = SeriesTarget(key(), 1, coverage, replace_row(pending, changed=changed))
            later = replace(source, now=_LONG_AFTER + 2 * MINUTE)
            again = await fetched(later, Piece(seen[-1], None, first=False), known)
            assert again[-1].closed == len(again[-1].candles) - (not closed)


def replace_row(row: Candle, *, changed: bool) -> Candle:
    return candle(row.open_time, trades=(row.trades or 0) + changed)


async def test_a_read_within_a_minute_does_not_count_as_a_later_one() -> None:
    source = ListedSource(candles(ORIGIN, 3), _LONG_AFTER, page_limit=50)
    coverage = covered(await fetched(source, Piece(ORIGIN, None, first=False)))
    known = SeriesTarget(key(), 1, coverage, source.rows[-1])
    [page] = await fetched(
        replace(source, now=_LONG_AFTER + MINUTE // 2), Piece(minute(2), None, first=False), known
    )
    assert page.closed == len(page.candles) - 1


@given(histories.filter(bool))
async def test_a_hole_before_the_first_row_is_not_listed_only_without_an_older_row(
    history: list[Candle],
) -> None:
    coverage = covered(
        await fetched(ListedSource(history, _LONG_AFTER), Piece(ORIGIN, _END, first=True))
    )
    opened = [row.open_time for row in history if row.open_time >= ORIGIN]
    if opened and opened[0] > ORIGIN:
        [state] = [span.state for span in coverage if span.start == ORIGIN]
        assert state is (UNCONFIRMED if history[0].open_time < ORIGIN else SpanState.NOT_LISTED)


@given(histories, st.integers(ORIGIN, _END), page_limits)
async def test_an_open_candle_is_passed_on_as_open_and_not_covered(
    history: list[Candle], now: int, page_limit: int
) -> None:
    pages = await fetched(ListedSource(history, now, page_limit), Piece(ORIGIN, None, first=False))
    final = {row.open_time for page in pages for row in page.candles[: page.closed]}
    unfinished = {row.open_time for page in pages for row in page.candles[page.closed :]}
    assert all(
        row.close_time < now - 2_000 for page in pages for row in page.candles[: page.closed]
    )
    assert stored(covered(pages)) == final
    assert final | unfinished == {
        row.open_time for row in history if ORIGIN <= row.open_time <= now
    }
    assert all(span.end <= now for page in pages for span in page.spans)


@given(histories, st.sets(st.integers(0, _STEPS - 1), max_size=4))
async def test_only_the_place_of_a_refused_row_is_rejected_and_all_valid_rows_are_stored(
    history: list[Candle], bad: set[int]
) -> None:
    refused = {minute(step) for step in bad} & {row.open_time for row in history}
    spoiled = [
        candle(row.open_time, volume="-1") if row.open_time in refused else row for row in history
    ]
    coverage = covered(
        await fetched(
            ListedSource([*spoiled, candle(_END)], _LONG_AFTER, page_limit=50),
            Piece(ORIGIN, _END, first=False),
        )
    )
    assert (
        stored(coverage) == {row.open_time for row in history if row.open_time >= ORIGIN} - refused
    )
    assert {
        at
        for start, end, state in states(coverage)
        if state is REJECTED
        for at in range(start, end, MINUTE)
    } == refused


@pytest.mark.parametrize("missing", [frozenset[int](), frozenset({5})])
async def test_a_refused_row_leaves_a_valid_row_of_the_same_time_stored(
    missing: frozenset[int],
) -> None:
    rows = [candle(minute(step)) for step in range(9) if step not in missing]
    source = ListedSource(
        rows,
        _LONG_AFTER,
        page_limit=50,
        rejected=[Rejected("malformed", "Expected `str`, got `null`", "[]", minute(2))],
    )
    coverage = covered(await fetched(source, Piece(ORIGIN, minute(8), first=False)))
    assert stored(coverage) == {row.open_time for row in rows if row.open_time < minute(8)}


async def test_a_page_without_a_valid_row_is_an_error_and_not_an_endless_loop() -> None:
    source = ListedSource([candle(minute(step), close="NaN") for step in range(9)], _LONG_AFTER)
    with pytest.raises(SourceUnavailableError, match="none of the 3 rows"):
        await fetched(source, Piece(ORIGIN, _END, first=False))


async def test_an_empty_answer_is_checked_from_the_other_side_before_anything_is_marked() -> None:
    source = ListedSource([candle(minute(-10))], minute(5))
    coverage = covered(await fetched(source, Piece(ORIGIN, None, first=False)))
    assert states(coverage) == [(ORIGIN, minute(4), UNCONFIRMED)], (
        "up to the last candle whose grace is over"
    )
    assert [(request.start is None, request.limit) for request in source.asked] == [
        (False, 3),
        (True, 2),
    ]


async def test_a_contradicted_empty_answer_is_requested_once_more_and_marks_nothing() -> None:
    source = ListedSource(candles(ORIGIN, 10), _LONG_AFTER, page_limit=50)
    source.spoil = lambda rows: (
        [] if source.asked[-1].start is not None and source.requests == 1 else rows
    )
    assert stored(covered(await fetched(source, Piece(ORIGIN, _END, first=False)))) == {
        minute(step) for step in range(9)
    }
    source.spoil = lambda rows: [] if source.asked[-1].start is not None else rows
    with pytest.raises(SourceMisfitError, match="contradicts itself"):
        await fetched(source, Piece(ORIGIN, _END, first=False))


async def test_an_answer_must_contain_the_candle_that_it_continues_from() -> None:
    source = ListedSource(candles(ORIGIN, 10), minute(10) - 1, page_limit=50)
    source.spoil = lambda rows: rows[5:] if source.asked[-1].start is not None else rows
    known = SeriesTarget(key(), 1, Coverage([Span(ORIGIN, minute(5), STORED)]))
    with pytest.raises(SourceMisfitError, match="a candle that it sent before is missing"):
        await fetched(source, Piece(minute(5), None, first=False), known)
    assert len(source.asked) == 3, "two requests, and one whether the candle exists at all"


async def test_the_last_closed_candles_are_read_again_with_what_follows_them() -> None:
    source = ListedSource(candles(ORIGIN, 10), minute(10) - 1, page_limit=50)
    [page] = await fetched(
        source,
        Piece(minute(8), None, first=False),
        SeriesTarget(key(), 1, Coverage([Span(ORIGIN, minute(8), STORED)])),
    )
    assert [row.open_time for row in page.candles] == [minute(step) for step in range(5, 10)]
    assert len(source.asked) == 1, "no further request"


@pytest.mark.parametrize("kind", ["microseconds", "outside", "backwards", "too many"])
async def test_an_answer_that_does_not_fit_is_requested_once_more_and_then_fails(
    kind: str,
) -> None:
    rows = candles(ORIGIN, 10)
    spoilt = {
        "microseconds": [moved(row.open_time * 1_000) for row in rows],
        "outside": [moved(row.open_time - 100 * MINUTE) for row in rows],
        "backwards": rows[::-1],
        "too many": rows * 6,
    }[kind]
    source = ListedSource(rows, _LONG_AFTER, page_limit=50, spoil=lambda _: spoilt)
    with pytest.raises(
        SourceMisfitError,
        match=r"binance did not answer the question: .* Nothing was stored or marked",
    ):
        await fetched(source, Piece(ORIGIN, _END, first=False))
    assert source.requests == 2
    source.requests = 0
    source.spoil = lambda answer: spoilt if source.requests == 1 else answer
    assert len(stored(covered(await fetched(source, Piece(ORIGIN, _END, first=False))))) == 9


def moved(opened: int) -> Candle:
    return candle(opened, close_time=opened + MINUTE - 1)


@pytest.mark.parametrize("opened", [ORIGIN * 1_000, 2**61, -(2**61), _END + 10_000 * MINUTE])
async def test_an_implausible_time_of_a_malformed_row_marks_nothing_outside_the_piece(
    opened: int,
) -> None:
    rows = [candle(ORIGIN), candle(minute(1)), candle(minute(2))]
    rejected = [Rejected("malformed", "Expected `str`, got `null`", "[]", opened)]
    pages = await fetched(
        ListedSource(rows, minute(10), page_limit=10, rejected=rejected),
        Piece(ORIGIN, None, first=False),
    )
    assert unanswered(covered(pages), ORIGIN, minute(2)) == []
    assert all(
        ORIGIN <= span.start < span.end <= minute(11) for page in pages for span in page.spans
    )


async def test_a_candle_covers_its_range_and_the_next_page_starts_after_its_open() -> None:
    """Opens off the grid, as after an outage of 2018, until one closes after the next opened."""
    hour, off = 3_600_000, 28 * MINUTE + 14_789
    rows = [
        candle(ORIGIN + step * hour + off, close_time=ORIGIN + (step + 1) * hour + off - 1)
        for step in range(3)
    ]
    rows.append(candle(ORIGIN + 3 * hour + off, close_time=ORIGIN + 4 * hour + 999))
    rows += [
        candle(ORIGIN + step * hour, close_time=ORIGIN + (step + 1) * hour - 1)
        for step in range(4, 9)
    ]
    for page_limit in range(2, 8):
        source = ListedSource(rows, ORIGIN + 9 * hour - 1, page_limit)
        target = SeriesTarget(key(timeframe=Timeframe.H1), 1, Coverage())
        pages = await fetched(source, Piece(ORIGIN + off, None, first=False), target)
        assert [row.open_time for page in pages for row in page.candles] == [
            row.open_time for row in rows
        ]
        assert states(covered(pages)) == [(ORIGIN + off, ORIGIN + 8 * hour, STORED)]


async def test_a_candle_that_closes_at_its_open_covers_its_step() -> None:
    """Binance's two-hour candles of 2017-09-06; the exchange was out from 16:00 to 22:00."""
    step, opens = (
        7_200_000,
        (1_504_706_400_000, 1_504_713_600_000, 1_504_735_200_000, 1_504_742_400_000),
    )
    rows = [candle(at, close_time=at + (0 if at == opens[1] else step - 1)) for at in opens]
    target = SeriesTarget(key(timeframe=Timeframe.H2), 1, Coverage())
    coverage = covered(
        await fetched(
            ListedSource(rows, opens[3] + MINUTE, 50), Piece(opens[0], None, first=False), target
        )
    )
    assert states(coverage) == [
        (opens[0], opens[1] + step, STORED),
        (opens[1] + step, opens[2], UNCONFIRMED),
        (opens[2], opens[3], STORED),
    ]


async def test_a_three_day_candle_that_reaches_into_the_range_begins_it() -> None:
    """Binance anchors them to the day on which a symbol was listed."""
    day = 86_400_000
    rows = candles(ORIGIN + 1 * day, 6, step=3 * day)
    target = SeriesTarget(key(timeframe=Timeframe.D3), 1, Coverage())
    for begin in (0, 1, 2, 3):
        source = ListedSource(rows, ORIGIN + 18 * day, 50)
        start = Timeframe.D3.floor(rows[1].open_time + begin * day)
        coverage = covered(await fetched(source, Piece(start, None, first=True), target))
        assert {state for _, _, state in states(coverage)} == {STORED}
