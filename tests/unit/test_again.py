"""Which gaps a run requests again: due ones, oldest first, and those on the newest page."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.market.collect.coverage import Coverage, Span, SpanState
from penstock.market.collect.evidence import Evidence
from penstock.market.collect.page import SeriesTarget
from penstock.market.collect.repeats import AllRepeats, choose_due
from tests.market_builders import MINUTE, ORIGIN, key

_PAGE = 1_000
_STEPS = 100_000
_NOW = ORIGIN + _STEPS * MINUTE + 30_000
UNCONFIRMED = SpanState.UNCONFIRMED


@dataclass
class Some:
    """A budget of this many requests; `requests` are the numbers asked for."""

    left: int
    requests: list[int] = field(default_factory=list)

    async def take(self, wanted: int) -> int:
        self.requests.append(wanted)
        taken = min(wanted, self.left)
        self.left -= taken
        return taken


def gap(
    at: int, *, due: int | None = 0, state: SpanState = UNCONFIRMED, asked: int = 2, length: int = 1
) -> Span:
    """A gap at this minute, due `due` minutes before now."""
    when = None if due is None else _NOW - due * MINUTE
    start = ORIGIN + at * MINUTE
    return Span(
        start, start + length * MINUTE, state, Evidence(asked, ORIGIN, ORIGIN, "rest", when)
    )


def target(*gaps: Span, native: str = "BTCUSDT") -> SeriesTarget:
    spans: list[Span] = []
    at = ORIGIN
    for missing in sorted(gaps, key=lambda span: span.start):
        if at < missing.start:
            spans.append(Span(at, missing.start, SpanState.STORED))
        spans.append(missing)
        at = missing.end
    return SeriesTarget(
        key(native),
        1,
        Coverage([*spans, Span(at, ORIGIN + (_STEPS + 1) * MINUTE, SpanState.STORED)]),
    )


async def chosen(repeats: Some | AllRepeats, *targets: SeriesTarget) -> list[set[int]]:
    """The minutes of the gaps that are requested, for each series."""
    await choose_due(targets, _NOW, page_limit=_PAGE, repeats=repeats)
    return [{(start - ORIGIN) // MINUTE for start in target.due} for target in targets]


async def test_the_oldest_due_gaps_of_all_series_come_first() -> None:
    some = Some(3)
    series = target(gap(1_000, due=10), gap(5_000, due=40), gap(9_000, due=20))
    other = target(gap(2_000, due=30), gap(8_000, due=5), native="ETHUSDT")
    assert await chosen(some, series, other) == [{5_000, 9_000}, {2_000}]
    assert some.requests == [5], "the budget is asked once for all gaps"


async def test_holes_on_one_page_share_a_request() -> None:
    some = Some(2)
    series = target(
        gap(1_000, due=9), gap(1_300), gap(1_499), gap(1_600, due=5), gap(2_050), gap(9_000, due=1)
    )
    assert await chosen(some, series) == [{1_000, 1_300, 1_499, 1_600, 2_050}]
    assert some.requests == [3]


async def test_holes_of_different_series_share_no_request() -> None:
    some = Some(1)
    assert await chosen(some, target(gap(1_000)), target(gap(1_000, due=1), native="ETHUSDT")) == [
        set(),
        {1_000},
    ]
    assert some.requests == [2]


async def test_gaps_on_the_newest_page_need_no_extra_request() -> None:
    some = Some(0)
    series = target(gap(_STEPS - 500), gap(_STEPS - 20), gap(_STEPS - 501), gap(100))
    assert await chosen(some, series) == [{_STEPS - 500, _STEPS - 20}]
    assert some.requests == [2]
    only_new = Some(9)
    assert await chosen(only_new, target(gap(_STEPS - 20))) == [{_STEPS - 20}]
    assert only_new.requests == [], "without a scattered gap the budget is not used"


@pytest.mark.parametrize(
    "span",
    [
        gap(1_000, due=-1),
        gap(1_000, due=None, state=SpanState.OUTAGE),
        gap(1_000, state=SpanState.NOT_COLLECTED),
        gap(1_000, state=SpanState.DELISTED),
        gap(1_000, state=SpanState.FAILED),
        gap(_STEPS - 20, due=-1),
    ],
    ids=[
        "not yet",
        "never by itself",
        "nobody wants it",
        "delisted",
        "asked by each run anyway",
        "not yet, on the newest page",
    ],
)
async def test_a_gap_that_is_not_due_is_not_requested(span: Span) -> None:
    some = Some(9)
    assert await chosen(some, target(span)) == [set()]
    assert some.requests == []


@pytest.mark.parametrize(
    "state", [UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED, SpanState.NOT_LISTED]
)
async def test_a_due_gap_is_requested_again(state: SpanState) -> None:
    assert await chosen(AllRepeats(), target(gap(1_000, state=state))) == [{1_000}]


gaps = st.lists(
    st.tuples(st.integers(0, _STEPS - 600), st.integers(-50, 5_000)),
    max_size=40,
    unique_by=lambda drawn_gap: drawn_gap[0],
)


@given(gaps, st.integers(0, 12))
async def test_at_most_the_allowed_pages_are_requested_the_longest_due_first(
    drawn: list[tuple[int, int]], allowed: int
) -> None:
    series = target(*(gap(2 * at, due=due) for at, due in drawn if 2 * at < _STEPS - 600))
    due_of = {2 * at: due for at, due in drawn if 2 * at < _STEPS - 600 and due >= 0}
    [found] = await chosen(Some(allowed), series)
    assert found <= due_of.keys()
    pages: list[list[int]] = []
    for at in sorted(due_of):
        if not pages or at + 1 > pages[-1][0] + _PAGE // 2:
            pages.append([])
        pages[-1].append(at)
    asked = [page for page in pages if page[0] in found]
    assert found == {at for page in asked for at in page}, (
        "a requested page includes all its due gaps"
    )
    assert len(asked) == min(allowed, len(pages))
    oldest = [max(due_of[at] for at in page) for page in asked]
    assert not [
        page
        for page in pages
        if page not in asked and oldest and max(due_of[at] for at in page) > min(oldest)
    ]
