"""What the answers to a piece prove, on any history of an exchange: rows given on exactly once, and every instant of the piece accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceUnavailableError
from penstock.market.candle import Candle, Rejected
from penstock.market.clock import ExchangeClock
from penstock.market.coverage import Coverage, Span, SpanState
from penstock.market.fetch import PieceFetcher, spans_of
from penstock.market.page import Target
from penstock.market.plan import Piece, Planner
from tests.listed_source import ListedSource
from tests.market_builders import MINUTE, ORIGIN, candle, key

if TYPE_CHECKING:
    from penstock.market.page import CandlePage

_STEPS = 30
_END = ORIGIN + _STEPS * MINUTE
_LONG_AFTER = _END + 60 * MINUTE

histories = st.sets(st.integers(-3, _STEPS - 1)).map(lambda steps: [candle(ORIGIN + step * MINUTE) for step in sorted(steps)])


async def fetched(source: ListedSource, piece: Piece) -> list[CandlePage]:
    clock = ExchangeClock(source)
    await clock.sync()
    fetcher = PieceFetcher(source, clock, Planner(source, clock, limit=None, since=None), grace_ms=3_000)
    target = Target(key(), 1, Coverage())
    return [page async for page in fetcher.pages(target, piece)]


def covered(pages: list[CandlePage]) -> Coverage:
    coverage = Coverage()
    for page in pages:
        for span in page.spans:
            coverage.mark(span.start, span.end, span.state)
    return coverage


def stored(coverage: Coverage) -> set[int]:
    """The minutes that coverage calls stored."""
    return {at for span in coverage if span.state is SpanState.STORED for at in range(span.start, span.end, MINUTE)}


@given(histories, st.integers(1, 5))
async def test_every_row_of_a_piece_comes_exactly_once_in_order(history: list[Candle], page_limit: int) -> None:
    pages = await fetched(ListedSource(history, _LONG_AFTER, page_limit), Piece(ORIGIN, _END, first=False))
    assert [row.open_time for page in pages for row in page.candles] == [row.open_time for row in history if row.open_time >= ORIGIN]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]


@given(histories, st.integers(1, 5))
async def test_a_finished_piece_is_accounted_for_to_the_last_instant_and_stored_only_where_rows_are(history: list[Candle], page_limit: int) -> None:
    later = [row for row in history if row.open_time < _END] + [candle(_END)]
    coverage = covered(await fetched(ListedSource(later, _LONG_AFTER, page_limit), Piece(ORIGIN, _END, first=False)))
    assert coverage.missing(ORIGIN, _END, frozenset()) == []
    assert min(span.start for span in coverage) == ORIGIN
    assert max(span.end for span in coverage) == _END
    assert stored(coverage) == {row.open_time for row in history if row.open_time >= ORIGIN}
    assert {span.state for span in coverage} <= {SpanState.STORED, SpanState.OUTAGE}


@given(histories, st.integers(1, 5))
async def test_a_hole_is_an_outage_only_if_the_exchange_has_a_later_row(history: list[Candle], page_limit: int) -> None:
    coverage = covered(await fetched(ListedSource(history, _LONG_AFTER, page_limit), Piece(ORIGIN, _END, first=False)))
    end = max((row.close_time + 1 for row in history if row.open_time >= ORIGIN), default=ORIGIN)
    assert coverage.missing(ORIGIN, _END, frozenset()) == ([(end, _END)] if end < _END else [])


@given(histories.filter(bool))
async def test_a_hole_ahead_of_the_first_row_is_an_outage_only_if_the_exchange_has_older_rows(history: list[Candle]) -> None:
    coverage = covered(await fetched(ListedSource(history, _LONG_AFTER), Piece(ORIGIN, _END, first=True)))
    opened = [row.open_time for row in history if row.open_time >= ORIGIN]
    if opened and opened[0] > ORIGIN:
        [state] = [span.state for span in coverage if span.start == ORIGIN]
        assert state is (SpanState.OUTAGE if history[0].open_time < ORIGIN else SpanState.NOT_LISTED)


@given(histories, st.integers(ORIGIN, _END), st.integers(1, 5))
async def test_an_open_candle_is_given_on_as_open_and_is_not_covered(history: list[Candle], now: int, page_limit: int) -> None:
    pages = await fetched(ListedSource(history, now, page_limit), Piece(ORIGIN, None, first=False))
    final = {row.open_time for page in pages for row in page.candles[: page.closed]}
    unfinished = {row.open_time for page in pages for row in page.candles[page.closed :]}
    assert all(row.close_time < now - 2_000 for page in pages for row in page.candles[: page.closed])
    assert stored(covered(pages)) == final
    assert final | unfinished == {row.open_time for row in history if ORIGIN <= row.open_time <= now}


@given(histories, st.sets(st.integers(0, _STEPS - 1), max_size=4))
async def test_a_refused_row_leaves_a_range_that_is_asked_for_again_and_the_good_rows_are_all_there(history: list[Candle], bad: set[int]) -> None:
    refused = {ORIGIN + step * MINUTE for step in bad}
    spoiled = [candle(row.open_time, volume="-1") if row.open_time in refused else row for row in history]
    pages = await fetched(ListedSource(spoiled, _LONG_AFTER, page_limit=10), Piece(ORIGIN, _END, first=False))
    good = {row.open_time for row in history if row.open_time >= ORIGIN} - refused
    coverage = covered(pages)
    assert stored(coverage) == good
    again = coverage.missing(ORIGIN, _END)
    lost = {row.open_time for row in history if row.open_time >= ORIGIN} & refused
    assert all(any(low <= at < high for low, high in again) for at in lost)


async def test_a_page_without_one_good_row_is_an_error_and_not_an_endless_loop() -> None:
    source = ListedSource([candle(ORIGIN + step * MINUTE, close="NaN") for step in range(9)], _LONG_AFTER)
    with pytest.raises(SourceUnavailableError, match="none of the 3 rows"):
        await fetched(source, Piece(ORIGIN, _END, first=False))


async def test_an_answer_without_rows_proves_nothing_of_what_is_still_to_come() -> None:
    [page] = await fetched(ListedSource([], ORIGIN), Piece(ORIGIN, None, first=False))
    assert list(page.spans) == []


@pytest.mark.parametrize("opened", [ORIGIN * 1_000, 2**61, -(2**61), _END + 10_000 * MINUTE])
async def test_the_senseless_time_of_a_malformed_row_marks_nothing_outside_of_the_piece(opened: int) -> None:
    rows = [candle(ORIGIN), candle(ORIGIN + MINUTE)]
    rejected = [Rejected("malformed", "Expected `str`, got `null`", "[]", opened)]
    pages = await fetched(ListedSource(rows, ORIGIN + 10 * MINUTE, page_limit=10, rejected=rejected), Piece(ORIGIN, None, first=False))
    assert covered(pages).missing(ORIGIN, ORIGIN + 2 * MINUTE, frozenset()) == []
    assert all(ORIGIN <= span.start < span.end <= ORIGIN + 11 * MINUTE for page in pages for span in page.spans)


def test_a_malformed_row_behind_the_last_good_one_is_asked_for_again() -> None:
    rejected = [Rejected("malformed", "", "[]", ORIGIN + MINUTE)]
    spans = spans_of(ORIGIN, [candle(ORIGIN)], rejected, end=None, until=_END, before=SpanState.OUTAGE)
    assert spans == [Span(ORIGIN, ORIGIN + MINUTE, SpanState.STORED), Span(ORIGIN + MINUTE, ORIGIN + MINUTE + 1, SpanState.REJECTED)]
