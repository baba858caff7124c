"""The coverage ledger as it is stored: a row of the table `coverage` is a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.market.collect.coverage import Span, SpanState
from penstock.market.collect.evidence import Evidence
from penstock.market.tables import coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = ("start_time", "end_time", "state", "asked", "first_asked", "last_asked", "source")
SPAN_COLUMNS = tuple(coverage.c[name] for name in (*_NAMES, "due_at"))

# Ten times as fast as the enumeration's own lookup, which counts with thousands of spans.
_STATES = {state.value: state for state in SpanState}


def span_of(columns: Sequence[Any]) -> Span:
    """The span of a row of SPAN_COLUMNS."""
    # By position: reading one value of a row by name takes as long as making the whole span.
    start, end, state, asked, first_asked, last_asked, source, due = columns
    evidence = None if asked is None else Evidence(asked, first_asked, last_asked, source, due)
    return Span(start, end, _STATES[state], evidence)
