"""The checks of one series by itself: its rows against the ledger, its grid, and its values.

A series is walked part by part. If a part is whole, counting in SQL is enough; else its rows are
checked one by one. Times are ms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.market.candle import accept
from penstock.market.timeframe import Timeframe
from penstock.market.timeline import TimeRange, within
from penstock.market.verify.finding import FindingKind, VerifyFinding
from penstock.market.verify.stored import (
    ROWS,
    after,
    before,
    edges,
    places,
    stored_spans,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from penstock.market.verify.report import SeriesReport
    from penstock.market.verify.stored import Checks, Place, RowCounts

# The spans that one statement counts by; a part with more is checked row by row, as are timeframes
# longer than a day.
_MOST_SPANS = 16
_COUNTED = {step for step in Timeframe if step.longest_ms <= Timeframe.D1.longest_ms}


class SeriesWalk(ABC):
    """A walk, part by part, through what opens in `start ≤ t < end` of the series of a report.

    `did` says in the past tense what it does.
    """

    did: str

    def __init__(self, checks: Checks, report: SeriesReport, start: int, end: int) -> None:
        self._checks = checks
        self._stored = report.stored
        self._at = start
        self._end = end
        self.report = report

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= self._end

    @abstractmethod
    def part(self, connection: Connection) -> list[VerifyFinding]:
        """What is wrong in the next part."""


class Walk(SeriesWalk):
    """Compares the rows with the ledger; the report counts them."""

    did = "Checked"
    # The ledger is compared up to here, and the rows reach so far.
    _compared = 0
    _previous: Place | None = None

    def part(self, connection: Connection) -> list[VerifyFinding]:
        """What is wrong in the next part."""
        self._checks.snapshot(connection)
        if self.report.edges is None:
            self._begin(connection)
        if self.done:
            return []
        end, spans, facts = self._next(connection)
        findings = (
            [] if self._is_whole(facts, end, spans) else list(self._compare(connection, end, spans))
        )
        self.report.candles += facts.rows
        if facts.doubtful:
            findings += self._impossible(connection, end)
        self._go_on(connection, end)
        return joined(findings)

    def _begin(self, connection: Connection) -> None:
        there = edges(connection, self._stored)
        if there is None:
            self._at = self._end
            return
        start, self._end = max(self._at, there[0]), min(self._end, there[1])
        self.report.edges = start, self._end
        self._go_on(connection, start)

    def _go_on(self, connection: Connection, at: int) -> None:
        """Go on from there; the row before may reach beyond it."""
        self._at = at
        self._previous = before(connection, self._stored, at)
        self._compared = at if self._previous is None else max(at, self._previous.end)

    def _next(self, connection: Connection) -> tuple[int, list[TimeRange], RowCounts]:
        """The next part: ROWS steps from its first row, but at most ROWS rows and ROWS spans."""
        step = self._stored.timeframe
        first = after(connection, self._stored, self._at, self._end, 0)
        end = self._end if first is None else min(step.shift(step.floor(first), ROWS), self._end)
        while True:
            spans = stored_spans(connection, self._stored, self._at, end, ROWS + 1)
            if len(spans) > ROWS:
                end = min(end, spans.pop()[0])
            counted = spans[:_MOST_SPANS]
            facts = self._checks.facts(connection, self._stored, self._at, end, counted)
            many = facts.rows > ROWS
            beyond = after(connection, self._stored, self._at, end, ROWS) if many else None
            if beyond is None:
                return end, spans, facts
            end = beyond

    def _is_whole(self, facts: RowCounts, end: int, spans: Sequence[TimeRange]) -> bool:
        """Whether the rows are exactly what the ledger says: as many on the grid as possible."""
        step = self._stored.timeframe
        if step not in _COUNTED or len(spans) > _MOST_SPANS or facts.off_grid:
            return False
        expected = sum(step.candles_within(*part) for part in within(spans, self._at, end))
        return facts.inside == facts.closed_inside == facts.closed == expected

    def _compare(
        self, connection: Connection, end: int, spans: Sequence[TimeRange]
    ) -> Iterator[VerifyFinding]:
        step, compared, previous = self._stored.timeframe, self._compared, self._previous
        for place in places(connection, self._stored, self._at, end):
            yield from self._holes(compared, place.opened, spans)
            on_grid = not step.off_grid([place.opened])
            self.report.off_grid += not on_grid
            if place.closed and not within(spans, place.opened, place.end):
                yield VerifyFinding(FindingKind.OUTSIDE, place.opened, place.end)
            if not place.closed and within(spans, place.opened, place.opened + 1):
                yield VerifyFinding(FindingKind.NOT_FINAL, place.opened, place.end)
            if (
                not on_grid
                and previous is not None
                and place.opened < previous.end
                and not step.off_grid([previous.opened])
            ):
                yield VerifyFinding(FindingKind.OFF_GRID, place.opened, place.end)
            compared, previous = max(compared, place.end), place
        yield from self._holes(compared, end, spans)

    def _holes(self, start: int, end: int, spans: Sequence[TimeRange]) -> Iterator[VerifyFinding]:
        """The stored spans between two rows in which a candle could open."""
        step = self._stored.timeframe
        for low, high in within(spans, start, end):
            if step.opens_within(low, high):
                yield VerifyFinding(
                    FindingKind.MISSING, low, high, count=max(1, step.candles_within(low, high))
                )

    def _impossible(self, connection: Connection, end: int) -> Iterator[VerifyFinding]:
        """The rows that would be refused today."""
        step, start = self._stored.timeframe, self._at
        while found := self._checks.doubtful(connection, self._stored, start, end):
            _, bad = accept(found, step, start=start, end=end)
            for row in bad:
                at = start if row.open_time is None else row.open_time
                yield VerifyFinding(FindingKind.IMPOSSIBLE, at, step.shift(at, 1), row.detail)
            if len(found) < ROWS:
                return
            start = found[-1].open_time + 1


def joined(findings: Iterable[VerifyFinding]) -> list[VerifyFinding]:
    """The findings, with equal neighbours joined."""
    together: list[VerifyFinding] = []
    for finding in findings:
        last = together[-1] if together else None
        if last and last.kind is finding.kind and last.end == finding.start and not finding.detail:
            together[-1] = replace(last, end=finding.end, count=last.count + finding.count)
        else:
            together.append(finding)
    return together
