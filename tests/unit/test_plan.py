"""What a run requests, given the coverage, the user's wish and the exchange's data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceMisfitError
from penstock.market.candle import Candle
from penstock.market.collect.ask import Asker
from penstock.market.collect.clock import ExchangeClock
from penstock.market.collect.coverage import Coverage, Look, Span, SpanState
from penstock.market.collect.evidence import Evidence
from penstock.market.collect.page import SeriesTarget
from penstock.market.collect.plan import Plan, Planner
from penstock.market.collect.ranges import Wish
from penstock.market.collect.repeats import AllRepeats, choose_due
from penstock.market.instrument import SeriesKey, Status
from penstock.market.timeframe import Timeframe
from tests.listed_source import ListedSource
from tests.market_builders import MINUTE, ORIGIN, candles, instrument

_NOW = ORIGIN + 200 * MINUTE + 30_000
_RUNNING = ORIGIN + 200 * MINUTE

STORED, OUTAGE, FAILED, UNCONFIRMED = (
    SpanState.STORED,
    SpanState.OUTAGE,
    SpanState.FAILED,
    SpanState.UNCONFIRMED,
)
_SETTLED = Evidence(6, 0, 0, "rest", None)
_DUE = Evidence(1, 0, 0, "rest", _NOW)


def minute(number: int) -> int:
    return ORIGIN + number * MINUTE


async def planned(
    source: ListedSource,
    *spans: Span,
    limit: int | None = None,
    since: int | None = None,
    status: Status = Status.TRADING,
    timeframe: Timeframe = Timeframe.M1,
) -> Plan:
    clock = ExchangeClock(source)
    await clock.sync()
    target = SeriesTarget(SeriesKey(instrument(status=status), timeframe), 1, Coverage(spans))
    await choose_due(
        [target], clock.now(), page_limit=source.declaration.page_limit, repeats=AllRepeats()
    )
    return await planner(source, clock, limit=limit, since=since).plan(target)


def planner(
    source: ListedSource,
    clock: ExchangeClock,
    *,
    limit: int | None = None,
    since: int | None = None,
) -> Planner:
    return Planner(Asker(source, clock), Wish(limit=limit, since=since), grace_ms=3_000)


def exchange(first: int = 0, count: int = 201) -> ListedSource:
    return ListedSource(candles(minute(first), count), _NOW, page_limit=1_000)


def ranges(plan: Plan) -> list[tuple[int, int | None]]:
    return [(piece.start, piece.end) for piece in plan.pieces]


async def test_an_empty_series_begins_with_the_hundred_newest_candles() -> None:
    assert ranges(await planned(exchange())) == [(minute(101), None)]


async def test_an_empty_series_begins_with_limit_candles() -> None:
    assert ranges(await planned(exchange(), limit=5)) == [(minute(196), None)]


async def test_limit_has_no_effect_on_a_series_with_candles() -> None:
    plan = await planned(exchange(), Span(minute(50), minute(60), STORED), limit=5)
    assert ranges(plan) == [(minute(60), None)]


async def test_failed_and_due_ranges_are_requested_again_and_settled_ones_are_not() -> None:
    source = replace(exchange(first=0, count=3_001), now=_NOW + 2_800 * MINUTE)
    spans = [
        Span(minute(0), minute(10), STORED),
        Span(minute(10), minute(20), FAILED),
        Span(minute(20), minute(700), STORED),
        Span(minute(700), minute(710), UNCONFIRMED, _DUE),
        Span(minute(710), minute(1_400), STORED),
        Span(
            minute(1_400),
            minute(1_410),
            UNCONFIRMED,
            Evidence(1, 0, 0, "rest", source.now + MINUTE),
        ),
        Span(minute(1_410), minute(1_420), OUTAGE, _SETTLED),
        Span(minute(1_420), minute(2_990), STORED),
    ]
    assert ranges(await planned(source, *spans)) == [
        (minute(10), minute(20)),
        (minute(700), minute(710)),
        (minute(2_990), None),
    ]


async def test_gaps_on_one_page_are_covered_by_one_request() -> None:
    gaps = [Span(minute(start), minute(start + 1), UNCONFIRMED, _DUE) for start in (20, 50, 190)]
    stored = [
        Span(minute(0), minute(20), STORED),
        Span(minute(21), minute(50), STORED),
        Span(minute(51), minute(190), STORED),
    ]
    assert ranges(
        await planned(exchange(), *gaps, *stored, Span(minute(191), minute(200), STORED))
    ) == [(minute(20), None)]


async def test_a_range_left_out_by_a_limit_is_requested_only_with_since() -> None:
    spans = [
        Span(minute(0), minute(150), SpanState.NOT_COLLECTED),
        Span(minute(150), minute(200), STORED),
    ]
    assert ranges(await planned(exchange(), *spans)) == [(minute(200), None)]
    few = replace(exchange(), page_limit=100)
    assert ranges(await planned(few, *spans, since=minute(40))) == [
        (minute(40), minute(150)),
        (minute(200), None),
    ]


async def test_since_with_a_limit_records_the_left_out_range() -> None:
    plan = await planned(exchange(), since=minute(0), limit=10)
    assert plan.known == [Span(minute(0), minute(191), SpanState.NOT_COLLECTED)]
    assert ranges(plan) == [(minute(191), None)]


async def test_since_before_the_listing_is_not_paged_through() -> None:
    plan = await planned(exchange(first=90, count=111), since=minute(-5_000_000))
    assert plan.known == [Span(minute(-5_000_000), minute(90), SpanState.NOT_LISTED)]
    assert ranges(plan) == [(minute(90), None)]


async def test_nothing_before_time_0_is_requested() -> None:
    source = ListedSource(candles(0, 10), _NOW, page_limit=1_000)
    for wished in (
        {"since": -5 * MINUTE},
        {"limit": 100_000},
        {"limit": 100_000, "since": -5 * MINUTE},
    ):
        plan = await planned(source, timeframe=Timeframe.MONTH, **wished)  # type: ignore[arg-type]
        assert [piece.start for piece in plan.pieces] == [0]
        assert all(span.start >= 0 for span in plan.known)
    assert all(request.start is None or request.start >= 0 for request in source.asked)


async def test_a_delisted_instrument_ends_with_its_last_candle() -> None:
    plan = await planned(exchange(count=50), since=minute(0), status=Status.DELISTED)
    assert plan.known == [Span(minute(50), _RUNNING, SpanState.DELISTED)]
    assert ranges(plan) == [(minute(0), minute(50))]


async def test_an_instrument_that_is_listed_again_is_collected_again() -> None:
    plan = await planned(
        exchange(),
        Span(minute(0), minute(50), STORED),
        Span(minute(50), minute(180), SpanState.DELISTED),
    )
    assert ranges(plan) == [(minute(50), None)]


@pytest.mark.parametrize("status", [Status.DELISTED, Status.HALTED])
async def test_limit_counts_back_from_the_last_candle_of_a_delisted_instrument(
    status: Status,
) -> None:
    plan = await planned(exchange(count=50), limit=10, status=status)
    assert plan.pieces[0].start == minute(40)


async def test_a_series_whose_candles_have_ended_is_not_paged_through_up_to_now() -> None:
    source = ListedSource(candles(minute(0), 5), _NOW, page_limit=2)
    plan = await planned(source, Span(minute(0), minute(5), STORED))
    assert (ranges(plan), plan.known) == ([], [Span(minute(5), _RUNNING, UNCONFIRMED)])
    assert len(source.asked) == 2, "the second one from the other side"


async def test_a_range_known_to_precede_the_listing_is_not_requested_again() -> None:
    source = exchange(first=90)
    known = (
        Span(minute(-5_000_000), minute(90), SpanState.NOT_LISTED, _SETTLED),
        Span(minute(90), minute(200), STORED),
    )
    assert ranges(await planned(source, *known, since=minute(-5_000_000))) == [(minute(200), None)]
    assert source.asked == []


async def test_a_failure_in_planning_is_recorded_and_does_not_widen_the_wanted_range() -> None:
    source = exchange()
    clock = ExchangeClock(source)
    await clock.sync()
    known = SeriesTarget(
        SeriesKey(instrument(), Timeframe.M1), 1, Coverage([Span(minute(50), minute(60), STORED)])
    )
    assert planner(source, clock, since=minute(0)).failed(known) == [
        Span(minute(60), _RUNNING, FAILED)
    ]
    empty = SeriesTarget(SeriesKey(instrument(), Timeframe.M1), 1, Coverage())
    assert planner(source, clock, since=minute(-9_000)).failed(empty) == [
        Span(minute(101), _RUNNING, FAILED)
    ]


async def test_a_long_range_is_cut_into_pieces_that_join_without_a_gap() -> None:
    source = ListedSource(candles(minute(0), 201), _NOW, page_limit=2)
    plan = await planned(source, since=minute(0))
    assert [piece.start for piece in plan.pieces] == [
        minute(0),
        minute(40),
        minute(80),
        minute(120),
        minute(160),
        minute(200),
    ]
    assert [piece.end for piece in plan.pieces] == [
        minute(40),
        minute(80),
        minute(120),
        minute(160),
        minute(200),
        None,
    ]
    assert [piece.first for piece in plan.pieces] == [True] + [False] * 5


def senseless(kind: str, row: Candle) -> Candle:
    far = {"microseconds": row.open_time * 1_000, "future": row.open_time + 100 * 365 * 86_400_000}[
        kind
    ]
    return Candle(
        **(
            {name: getattr(row, name) for name in row.__struct_fields__}
            | {"open_time": far, "close_time": far + MINUTE - 1}
        )
    )


@pytest.mark.parametrize("kind", ["microseconds", "future"])
@pytest.mark.parametrize("status", [Status.TRADING, Status.DELISTED])
async def test_an_implausible_time_of_the_first_or_last_candle_proves_nothing(
    kind: str, status: Status
) -> None:
    source = replace(exchange(), spoil=lambda rows: [senseless(kind, row) for row in rows])
    if status is Status.DELISTED:
        with pytest.raises(SourceMisfitError, match="did not answer the question: 1 of 1 rows"):
            await planned(source, since=minute(0), status=status)
    else:
        plan = await planned(source, since=minute(0), status=status)
        assert (plan.known, plan.pieces[0].start) == ([], minute(0)), "the pages will show it"
    assert len(source.asked) == 2, "asked once more"


async def test_a_candle_with_older_ones_before_it_is_not_the_first() -> None:
    source = replace(exchange(), spoil=lambda rows: rows[-1:])
    source.ignores_start = True
    with pytest.raises(
        SourceMisfitError, match="the exchange contradicts itself: its first candle opens at"
    ):
        await planned(source, since=minute(0))


@given(
    st.lists(
        st.tuples(st.integers(0, 205), st.integers(0, 205), st.sampled_from(SpanState)), max_size=8
    ),
    st.none() | st.integers(0, 200),
    st.none() | st.integers(1, 50),
)
async def test_every_instant_from_the_wanted_start_has_a_piece_or_a_state(
    marks: list[tuple[int, int, SpanState]], since: int | None, limit: int | None
) -> None:
    coverage = Coverage()
    for start, end, state in marks:
        coverage.mark(minute(start), minute(end), state)
    plan = await planned(
        exchange(), *coverage, since=None if since is None else minute(since), limit=limit
    )
    begins = [
        at
        for at in (coverage.known_from, None if since is None else minute(since))
        if at is not None
    ]
    after = Coverage([*coverage])
    for span in plan.known:
        after.mark(span.start, span.end, span.state, Look(_NOW, "rest"))
    for piece in plan.pieces:
        after.mark(piece.start, _RUNNING + MINUTE if piece.end is None else piece.end, STORED)
    if begins:
        assert after.missing(min(begins), _RUNNING, lambda _: False) == []
