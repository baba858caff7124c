"""Coverage against a brute-force model: the state of each single instant."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from penstock.market.collect.coverage import HELD, Coverage, CoverageChange, Look, Span, SpanState
from penstock.market.collect.evidence import Evidence

if TYPE_CHECKING:
    import pytest

_LAST = 40


@dataclass(frozen=True)
class Mark:
    start: int
    end: int
    state: SpanState


Model = list[SpanState | None]

instants = st.integers(0, _LAST)
marks = st.lists(st.builds(Mark, instants, instants, st.sampled_from(SpanState)), max_size=12)
repeated = st.sets(st.sampled_from(SpanState))


def apply(coverage: Coverage, model: Model, marks: list[Mark]) -> None:
    for mark in marks:
        coverage.mark(mark.start, mark.end, mark.state)
        for instant in range(mark.start, mark.end):
            # An answer without a candle does not remove a stored one.
            if mark.state in HELD or model[instant] not in HELD:
                model[instant] = mark.state


def marked(marks: list[Mark]) -> tuple[Coverage, Model]:
    coverage, model = Coverage(), Model([None] * _LAST)
    apply(coverage, model, marks)
    return coverage, model


def state_at(coverage: Coverage, instant: int) -> SpanState | None:
    found = [span.state for span in coverage if span.start <= instant < span.end]
    assert len(found) <= 1
    return found[0] if found else None


@given(marks)
def test_every_instant_has_the_state_it_was_marked_with_last(marks: list[Mark]) -> None:
    coverage, model = marked(marks)
    assert [state_at(coverage, instant) for instant in range(_LAST)] == model


@given(marks)
def test_spans_are_ordered_never_empty_never_overlap_and_neighbours_of_one_state_are_joined(
    marks: list[Mark],
) -> None:
    spans = list(marked(marks)[0])
    assert all(span.start < span.end for span in spans)
    for left, right in pairwise(spans):
        assert left.end < right.start or (left.end == right.start and left.state is not right.state)


@given(marks, instants, instants, repeated)
def test_missing_names_exactly_the_instants_to_request_as_joined_ranges(
    marks: list[Mark], start: int, end: int, again: set[SpanState]
) -> None:
    coverage, model = marked(marks)
    ranges = coverage.missing(start, end, lambda span: span.state in again)
    asked = [instant for low, high in ranges for instant in range(low, high)]
    assert asked == [
        instant
        for instant in range(start, end)
        if model[instant] is None or model[instant] in again
    ]
    assert all(low < high for low, high in ranges)
    assert all(left[1] < right[0] for left, right in pairwise(ranges))


@given(marks, marks)
def test_applying_the_changes_to_the_recorded_spans_gives_the_current_spans(
    before: list[Mark], after: list[Mark]
) -> None:
    coverage, model = marked(before)
    recorded = {span.start: span for span in coverage}
    coverage.recorded()
    apply(coverage, model, after)
    change = coverage.changes()
    for start in change.deleted:
        del recorded[start]
    recorded |= {span.start: span for span in change.put}
    assert sorted(recorded.values(), key=lambda span: span.start) == list(coverage)


@given(marks, marks)
def test_changes_contain_no_unchanged_span(before: list[Mark], after: list[Mark]) -> None:
    coverage, model = marked(before)
    recorded = set(coverage)
    coverage.recorded()
    apply(coverage, model, after)
    assert not recorded & set(coverage.changes().put)


@given(marks)
def test_there_are_no_changes_after_they_are_recorded(marks: list[Mark]) -> None:
    coverage, _ = marked(marks)
    coverage.recorded()
    assert coverage.changes() == CoverageChange(deleted=(), put=())


@given(marks)
def test_coverage_read_back_from_its_spans_is_equal_and_has_no_changes(
    marks: list[Mark],
) -> None:
    coverage, _ = marked(marks)
    again = Coverage(reversed(list(coverage)))
    assert list(again) == list(coverage)
    assert again.changes().put == ()


@given(marks, instants)
def test_stored_before_and_known_from_agree_with_the_model(marks: list[Mark], at: int) -> None:
    coverage, model = marked(marks)
    never_asked = {None, SpanState.NOT_COLLECTED, SpanState.NOT_LISTED}
    newest = coverage.stored_before(at)
    assert (newest is not None) == (SpanState.STORED in model[:at])
    if newest is not None:
        assert SpanState.STORED not in model[newest.end : at]
    assert coverage.known_from == next(
        (instant for instant, state in enumerate(model) if state not in never_asked), None
    )


def test_a_stored_range_stays_stored_when_an_answer_lacks_it() -> None:
    coverage = Coverage([Span(0, 30, SpanState.STORED)])
    for state in set(SpanState) - HELD:
        coverage.mark(10, 40, state, Look(5, "rest"))
        assert next(iter(coverage)) == Span(0, 30, SpanState.STORED)


# ── Evidence ──────────────────────────────────────────────────────────────────

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def looked(coverage: Coverage, *moments: int, start: int = 10, end: int = 20) -> Span:
    """The gap after empty answers at these moments."""
    for at in moments:
        coverage.mark(start, end, SpanState.UNCONFIRMED, Look(at, "rest"))
    [gap] = [span for span in coverage if span.start == start]
    return gap


def between() -> Coverage:
    return Coverage([Span(0, 10, SpanState.STORED), Span(20, 30, SpanState.STORED)])


def test_one_empty_answer_makes_no_outage() -> None:
    gap = looked(between(), 0)
    assert (gap.state, gap.evidence) == (SpanState.UNCONFIRMED, Evidence(1, 0, 0, "rest", MINUTE))


def test_a_gap_is_requested_at_growing_intervals_and_is_an_outage_after_a_day() -> None:
    coverage, due = between(), [MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY]
    at = 0
    for expected in due:
        gap = looked(coverage, at)
        assert gap.state is SpanState.UNCONFIRMED
        assert gap.evidence is not None
        assert gap.evidence.due == expected
        at = expected
    gap = looked(coverage, at)
    assert (gap.state, gap.evidence) == (SpanState.OUTAGE, Evidence(6, 0, DAY, "rest", 7 * DAY))


def test_an_outage_is_requested_after_a_week_and_a_month_and_then_only_on_demand() -> None:
    coverage = between()
    dues = [
        evidence.due
        for at in (0, DAY, 2 * DAY, 7 * DAY, 30 * DAY)
        if (evidence := looked(coverage, at).evidence)
    ]
    assert dues == [MINUTE, 2 * DAY, 7 * DAY, 30 * DAY, None]
    assert looked(coverage).state is SpanState.OUTAGE


def test_neither_many_answers_within_a_day_nor_two_over_a_week_make_an_outage() -> None:
    assert looked(between(), *range(0, DAY, HOUR)).state is SpanState.UNCONFIRMED
    assert looked(between(), 0, 7 * DAY).state is SpanState.UNCONFIRMED


def test_a_gap_without_later_candles_is_never_an_outage() -> None:
    assert (
        looked(Coverage([Span(0, 10, SpanState.STORED)]), 0, DAY, 2 * DAY, 9 * DAY).state
        is SpanState.UNCONFIRMED
    )


def test_neighbouring_gaps_merge_to_the_weaker_evidence() -> None:
    coverage = Coverage()
    looked(coverage, 0, DAY, start=10, end=20)
    coverage.mark(20, 30, SpanState.UNCONFIRMED, Look(2 * DAY, "rest"))
    assert list(coverage) == [
        Span(10, 30, SpanState.UNCONFIRMED, Evidence(1, 2 * DAY, 2 * DAY, "rest", 2 * DAY + MINUTE))
    ]


def test_merged_gaps_have_the_last_request_of_the_newer_one() -> None:
    coverage = Coverage()
    coverage.mark(10, 20, SpanState.UNCONFIRMED, Look(0, "rest"))
    coverage.mark(20, 30, SpanState.UNCONFIRMED, Look(HOUR, "rest"))
    assert list(coverage) == [
        Span(10, 30, SpanState.UNCONFIRMED, Evidence(1, HOUR, HOUR, "rest", HOUR + MINUTE))
    ]


def test_a_range_rejected_for_a_day_is_requested_twice_more_and_then_only_on_demand() -> None:
    coverage = Coverage()
    for at in (0, MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY):
        coverage.mark(10, 20, SpanState.REJECTED, Look(at, "rest"))
    [span] = coverage
    assert (span.state, span.evidence) == (
        SpanState.REJECTED,
        Evidence(6, 0, 30 * DAY, "rest", None),
    )


def test_late_candles_are_cut_out_of_a_gap_and_the_rest_keeps_its_evidence() -> None:
    coverage = between()
    looked(coverage, 0, MINUTE)
    coverage.mark(12, 15, SpanState.STORED, Look(HOUR, "rest"))
    twice = Evidence(2, 0, MINUTE, "rest", 10 * MINUTE)
    assert [span for span in coverage if span.evidence] == [
        Span(10, 12, SpanState.UNCONFIRMED, twice),
        Span(15, 20, SpanState.UNCONFIRMED, twice),
    ]


def test_a_failure_does_not_change_a_known_gap() -> None:
    coverage = between()
    known = looked(coverage, 0)
    coverage.mark(10, 25, SpanState.FAILED, Look(MINUTE, "rest"))
    assert [span for span in coverage if span.evidence] == [known]


def test_a_flush_of_a_series_with_many_gaps_compares_only_changed_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gap = Evidence(1, 0, 0, "rest", 0)
    spans = [
        Span(at, at + 1, SpanState.STORED)
        if at % 2 == 0
        else Span(at, at + 1, SpanState.UNCONFIRMED, gap)
        for at in range(20_000)
    ]
    coverage = Coverage(spans)
    compared: list[object] = []

    def equal(span: Span, other: object) -> bool:
        compared.append(span)
        return isinstance(other, Span) and (span.start, span.end, span.state) == (
            other.start,
            other.end,
            other.state,
        )

    monkeypatch.setattr(Span, "__eq__", equal)
    coverage.mark(10_001, 10_002, SpanState.STORED)
    change = coverage.changes()
    assert (set(change.deleted), [(span.start, span.end) for span in change.put]) == (
        {10_001, 10_002},
        [(10_000, 10_003)],
    )
    assert len(compared) < 10
