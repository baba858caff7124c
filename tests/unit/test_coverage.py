"""Coverage against a brute-force model: the state of each single instant."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from penstock.market.coverage import LEFT_OUT, RETRIED, Coverage, CoverageChange, Span, SpanState

_LAST = 40


@dataclass(frozen=True)
class Mark:
    start: int
    end: int
    state: SpanState


Model = list[SpanState | None]

instants = st.integers(0, _LAST)
marks = st.lists(st.builds(Mark, instants, instants, st.sampled_from(SpanState)), max_size=12)
repeated = st.sampled_from([frozenset[SpanState](), RETRIED, RETRIED | LEFT_OUT, frozenset(SpanState)])


def apply(coverage: Coverage, model: Model, wanted: list[Mark]) -> None:
    for mark in wanted:
        coverage.mark(mark.start, mark.end, mark.state)
        for instant in range(mark.start, mark.end):
            model[instant] = mark.state


def marked(wanted: list[Mark]) -> tuple[Coverage, Model]:
    coverage, model = Coverage(), Model([None] * _LAST)
    apply(coverage, model, wanted)
    return coverage, model


def state_at(coverage: Coverage, instant: int) -> SpanState | None:
    found = [span.state for span in coverage if span.start <= instant < span.end]
    assert len(found) <= 1
    return found[0] if found else None


@given(marks)
def test_every_instant_has_the_state_it_was_marked_with_last(wanted: list[Mark]) -> None:
    coverage, model = marked(wanted)
    assert [state_at(coverage, instant) for instant in range(_LAST)] == model


@given(marks)
def test_spans_are_ordered_never_empty_never_overlap_and_neighbours_of_one_state_are_joined(wanted: list[Mark]) -> None:
    spans = list(marked(wanted)[0])
    assert all(span.start < span.end for span in spans)
    for left, right in pairwise(spans):
        assert left.end < right.start or (left.end == right.start and left.state is not right.state)


@given(marks, instants, instants, repeated)
def test_missing_names_exactly_the_instants_to_ask_for_as_joined_ranges(
    wanted: list[Mark], start: int, end: int, again: frozenset[SpanState]
) -> None:
    coverage, model = marked(wanted)
    ranges = coverage.missing(start, end, again)
    asked = [instant for low, high in ranges for instant in range(low, high)]
    assert asked == [instant for instant in range(start, end) if model[instant] is None or model[instant] in again]
    assert all(low < high for low, high in ranges)
    assert all(left[1] < right[0] for left, right in pairwise(ranges))


@given(marks, marks)
def test_replaying_the_changes_onto_what_was_recorded_gives_the_present_spans(before: list[Mark], after: list[Mark]) -> None:
    coverage, model = marked(before)
    recorded = {span.start: span for span in coverage}
    coverage.recorded()
    apply(coverage, model, after)
    change = coverage.changes()
    for start in change.deleted:
        del recorded[start]
    recorded |= {span.start: span for span in change.put}
    assert sorted(recorded.values()) == list(coverage)


@given(marks, marks)
def test_changes_name_nothing_that_stayed_as_it_was(before: list[Mark], after: list[Mark]) -> None:
    coverage, model = marked(before)
    recorded = set(coverage)
    coverage.recorded()
    apply(coverage, model, after)
    assert not recorded & set(coverage.changes().put)


@given(marks)
def test_nothing_is_to_change_once_it_is_recorded(wanted: list[Mark]) -> None:
    coverage, _ = marked(wanted)
    coverage.recorded()
    assert coverage.changes() == CoverageChange(deleted=(), put=())


@given(marks)
def test_coverage_read_back_from_its_spans_is_the_same_and_has_nothing_to_change(wanted: list[Mark]) -> None:
    coverage, _ = marked(wanted)
    again = Coverage(reversed(list(coverage)))
    assert list(again) == list(coverage)
    assert again.changes().put == ()


@given(marks, instants)
def test_stored_before_and_known_from_agree_with_the_single_instants(wanted: list[Mark], at: int) -> None:
    coverage, model = marked(wanted)
    never_asked = {None, SpanState.NOT_COLLECTED, SpanState.NOT_LISTED}
    assert coverage.stored_before(at) == (SpanState.STORED in model[:at])
    assert coverage.known_from == next((instant for instant, state in enumerate(model) if state not in never_asked), None)


def test_a_span_keeps_its_place_when_it_is_split() -> None:
    coverage = Coverage([Span(0, 30, SpanState.STORED)])
    coverage.mark(10, 20, SpanState.OUTAGE)
    assert list(coverage) == [Span(0, 10, SpanState.STORED), Span(10, 20, SpanState.OUTAGE), Span(20, 30, SpanState.STORED)]
    assert coverage.changes().put == tuple(coverage)
