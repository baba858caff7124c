"""What a run asks for, given what is covered, what the user wants and what the exchange has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.market.candle import Candle
from penstock.market.clock import ExchangeClock
from penstock.market.coverage import Coverage, Span, SpanState
from penstock.market.instrument import SeriesKey, Status
from penstock.market.page import Target
from penstock.market.plan import Plan, Planner
from penstock.market.timeframe import Timeframe
from tests.listed_source import ListedSource
from tests.market_builders import MINUTE, ORIGIN, candles, instrument

_NOW = ORIGIN + 200 * MINUTE + 30_000
_RUNNING = ORIGIN + 200 * MINUTE

STORED, OUTAGE, FAILED = SpanState.STORED, SpanState.OUTAGE, SpanState.FAILED


def minute(number: int) -> int:
    return ORIGIN + number * MINUTE


async def planned(source: ListedSource, *spans: Span, limit: int | None = None, since: int | None = None, status: Status = Status.TRADING) -> Plan:
    clock = ExchangeClock(source)
    await clock.sync()
    target = Target(SeriesKey(instrument(status=status), Timeframe.M1), 1, Coverage(spans))
    return await Planner(source, clock, limit=limit, since=since).plan(target)


def exchange(first: int = 0, count: int = 201) -> ListedSource:
    return ListedSource(candles(minute(first), count), _NOW, page_limit=1_000)


def ranges(plan: Plan) -> list[tuple[int, int | None]]:
    return [(piece.start, piece.end) for piece in plan.pieces]


async def test_an_empty_series_begins_with_the_hundred_newest_candles() -> None:
    assert ranges(await planned(exchange())) == [(minute(101), None)]


async def test_limit_says_how_many_candles_an_empty_series_begins_with() -> None:
    assert ranges(await planned(exchange(), limit=5)) == [(minute(196), None)]


async def test_limit_means_nothing_to_a_series_that_has_candles() -> None:
    plan = await planned(exchange(), Span(minute(50), minute(60), STORED), limit=5)
    assert ranges(plan) == [(minute(60), None)]


async def test_a_failed_or_refused_range_is_asked_for_again_and_an_outage_is_not() -> None:
    spans = [
        Span(minute(10), minute(20), STORED),
        Span(minute(20), minute(30), FAILED),
        Span(minute(30), minute(40), OUTAGE),
        Span(minute(40), minute(41), SpanState.REJECTED),
        Span(minute(41), minute(190), STORED),
    ]
    assert ranges(await planned(exchange(), *spans)) == [(minute(20), minute(30)), (minute(40), minute(41)), (minute(190), None)]


async def test_what_a_cap_left_out_is_asked_for_only_with_since() -> None:
    spans = [Span(minute(0), minute(150), SpanState.NOT_COLLECTED), Span(minute(150), minute(200), STORED)]
    assert ranges(await planned(exchange(), *spans)) == [(minute(200), None)]
    assert ranges(await planned(exchange(), *spans, since=minute(40))) == [(minute(40), minute(150)), (minute(200), None)]


async def test_since_with_a_limit_names_what_the_limit_leaves_out() -> None:
    plan = await planned(exchange(), since=minute(0), limit=10)
    assert plan.known == [Span(minute(0), minute(191), SpanState.NOT_COLLECTED)]
    assert ranges(plan) == [(minute(191), None)]


async def test_since_before_the_listing_is_not_paged_through() -> None:
    plan = await planned(exchange(first=90, count=111), since=minute(-5_000_000))
    assert plan.known == [Span(minute(-5_000_000), minute(90), SpanState.NOT_LISTED)]
    assert ranges(plan) == [(minute(90), None)]


async def test_a_delisted_instrument_ends_where_its_last_candle_does() -> None:
    plan = await planned(exchange(count=50), since=minute(0), status=Status.DELISTED)
    assert plan.known == [Span(minute(50), _RUNNING, SpanState.DELISTED)]
    assert ranges(plan) == [(minute(0), minute(50))]


async def test_an_instrument_that_is_listed_again_is_collected_again() -> None:
    plan = await planned(exchange(), Span(minute(0), minute(50), STORED), Span(minute(50), minute(180), SpanState.DELISTED))
    assert ranges(plan) == [(minute(50), None)]


@pytest.mark.parametrize("status", [Status.DELISTED, Status.HALTED])
async def test_the_limit_counts_back_from_the_last_candle_of_what_does_not_trade(status: Status) -> None:
    plan = await planned(exchange(count=50), limit=10, status=status)
    assert plan.pieces[0].start == minute(40)


async def test_a_series_whose_candles_have_ended_is_not_paged_through_up_to_now() -> None:
    source = ListedSource(candles(minute(0), 5), _NOW, page_limit=2)
    assert ranges(await planned(source, Span(minute(0), minute(5), STORED))) == []
    assert len(source.asked) == 1


async def test_a_range_that_is_known_to_lie_before_the_listing_is_not_looked_into_again() -> None:
    source = exchange(first=90)
    known = Span(minute(-5_000_000), minute(90), SpanState.NOT_LISTED), Span(minute(90), minute(200), STORED)
    assert ranges(await planned(source, *known, since=minute(-5_000_000))) == [(minute(200), None)]
    assert source.asked == []


async def test_what_could_not_be_planned_is_named_as_failed() -> None:
    source = exchange()
    clock = ExchangeClock(source)
    await clock.sync()
    target = Target(SeriesKey(instrument(), Timeframe.M1), 1, Coverage([Span(minute(50), minute(60), STORED)]))
    failed = Planner(source, clock, limit=None, since=minute(0)).failed(target)
    assert failed == [Span(minute(0), minute(50), FAILED), Span(minute(60), _RUNNING, FAILED)]


async def test_a_long_range_is_cut_into_pieces_that_join_without_a_gap() -> None:
    source = ListedSource(candles(minute(0), 201), _NOW, page_limit=2)
    plan = await planned(source, since=minute(0))
    assert [piece.start for piece in plan.pieces] == [minute(0), minute(40), minute(80), minute(120), minute(160), minute(200)]
    assert [piece.end for piece in plan.pieces] == [minute(40), minute(80), minute(120), minute(160), minute(200), None]
    assert [piece.first for piece in plan.pieces] == [True] + [False] * 5


def senseless(kind: str, row: Candle) -> Candle:
    far = {"microseconds": row.open_time * 1_000, "future": row.open_time + 100 * 365 * 86_400_000}[kind]
    return Candle(**({name: getattr(row, name) for name in row.__struct_fields__} | {"open_time": far, "close_time": far + MINUTE - 1}))


@pytest.mark.parametrize("kind", ["microseconds", "future"])
@pytest.mark.parametrize("status", [Status.TRADING, Status.DELISTED])
async def test_a_senseless_time_in_the_probe_for_the_first_or_last_candle_moves_neither_end(kind: str, status: Status) -> None:
    source = replace(exchange(), spoil=lambda rows: [senseless(kind, row) for row in rows])
    plan = await planned(source, since=minute(0), status=status)
    assert all(span.end <= _RUNNING + MINUTE for span in plan.known)
    assert plan.pieces[0].start == minute(0)
    assert all(piece.end is None or piece.end <= _RUNNING + MINUTE for piece in plan.pieces)


@given(
    st.lists(st.tuples(st.integers(0, 205), st.integers(0, 205), st.sampled_from(SpanState)), max_size=8),
    st.none() | st.integers(0, 200),
    st.none() | st.integers(1, 50),
)
async def test_no_instant_from_the_wanted_beginning_on_is_left_without_a_piece_or_a_state(
    marks: list[tuple[int, int, SpanState]], since: int | None, limit: int | None
) -> None:
    coverage = Coverage()
    for start, end, state in marks:
        coverage.mark(minute(start), minute(end), state)
    plan = await planned(exchange(), *coverage, since=None if since is None else minute(since), limit=limit)
    begins = [at for at in (coverage.known_from, None if since is None else minute(since)) if at is not None]
    after = Coverage([*coverage])
    for span in plan.known:
        after.mark(span.start, span.end, span.state)
    for piece in plan.pieces:
        after.mark(piece.start, _RUNNING + MINUTE if piece.end is None else piece.end, STORED)
    if begins:
        assert after.missing(min(begins), _RUNNING, frozenset()) == []
