"""Candles against the finer ones in their range.

Amounts and trades are sums; there are also the highest, the lowest, the first open and the last
close. Each timeframe is compared with the longest finer one that is stored in full: 1d with 1h,
1h with 5m, 5m with 1m. So where all agree, all add up. Only complete sets count: a closed candle,
and every finer one in its range, closed too. Times are ms.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Context
from functools import reduce
from typing import TYPE_CHECKING

from penstock.market.timeframe import Timeframe
from penstock.market.timeline import TimeRange, joined
from penstock.market.verify.finding import FindingKind, VerifyFinding
from penstock.market.verify.stored import ROWS, after, rows
from penstock.market.verify.walk import SeriesWalk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from penstock.market.candle import Candle
    from penstock.market.instrument import Instrument
    from penstock.market.verify.report import SeriesReport
    from penstock.market.verify.stored import Checks, Stored

_DAY = Timeframe.D1.longest_ms
_ADDED = ("volume", "quote_volume", "taker_base", "taker_quote", "trades")
# Enough digits for any sum of amounts: nothing is rounded.
_EXACT = Context(prec=120)
# Candles that are compared value by value in one transaction.
_AT_ONCE = 50
# Ranges without a finer timeframe that are checked one by one.
_MOST_RANGES = 50


def link_finer(reports: Iterable[SeriesReport]) -> None:
    """Give each report those of the finer series that its candles are made of, longest first."""
    by_instrument: defaultdict[Instrument, list[SeriesReport]] = defaultdict(list)
    for report in sorted(reports, key=_longest, reverse=True):
        if _longest(report) <= _DAY:
            by_instrument[report.stored.key.instrument].append(report)
    for together in by_instrument.values():
        for place, coarse in enumerate(together, start=1):
            coarse.finer = [
                fine for fine in together[place:] if _longest(coarse) % _longest(fine) == 0
            ]


def _longest(report: SeriesReport) -> int:
    return report.stored.timeframe.longest_ms


class SumsWalk(SeriesWalk):
    """Adds up the finer candles of those that have them."""

    did = "Added up"

    def __init__(self, checks: Checks, report: SeriesReport, start: int, end: int) -> None:
        super().__init__(checks, report, report.stored.timeframe.floor(start), end)
        self._finer = [fine.stored for fine in report.finer]
        self._doubted: list[int] = []

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return super().done and not self._doubted

    def part(self, connection: Connection) -> list[VerifyFinding]:
        """The candles of the next part that do not add up."""
        self._checks.snapshot(connection)
        if not self._doubted:
            self._doubted = self._next(connection)
        now, self._doubted = self._doubted[:_AT_ONCE], self._doubted[_AT_ONCE:]
        return [found for opened in now if (found := self._compared(connection, opened))]

    def _next(self, connection: Connection) -> list[int]:
        """The candles of the next part that are not proved to add up."""
        begins = [
            at
            for fine in self._finer
            if (at := after(connection, fine, self._at, self._end, 0)) is not None
        ]
        there = after(connection, self._stored, self._at, self._end, 0)
        if not begins or there is None:
            self._at = self._end
            return []
        start = max(min(begins), there) // _DAY * _DAY
        days = max(1, ROWS * self._finer[0].timeframe.longest_ms // _DAY)
        start, end = max(self._at, start), min(start + days * _DAY, self._end)
        self._at = end
        opens: list[int] = []
        ranges = [(start, end)]
        for fine in self._finer:
            found = [self._checks.unequal(connection, self._stored, fine, *part) for part in ranges]
            opens += [opened for unequal in found for opened in unequal.opens]
            ranges = self._ranges([opened for unequal in found for opened in unequal.bare])
        return sorted(opens)

    def _ranges(self, opens: Sequence[int]) -> list[TimeRange]:
        """The ranges of these candles, neighbours joined; as one when they are many."""
        step = self._stored.timeframe.longest_ms
        ranges = joined((opened, opened + step) for opened in opens)
        return ranges if len(ranges) <= _MOST_RANGES else [(ranges[0][0], ranges[-1][1])]

    def _compared(self, connection: Connection, opened: int) -> VerifyFinding | None:
        """What is wrong with a candle.

        Nothing if it adds up from some finer ones: then those in between are wrong themselves.
        """
        step = self._stored.timeframe.longest_ms
        stored = rows(connection, self._stored, opened, opened + 1)
        if not stored:
            return None
        details: list[str] = []
        for fine in self._finer:
            parts = rows(
                connection,
                fine,
                opened,
                opened + step,
                limit=step // fine.timeframe.longest_ms + 1,
            )
            if not _is_whole(fine, parts, opened, opened + step):
                continue
            unlike = list(_unlike(stored[0][0], [part for part, _ in parts], fine.timeframe))
            if not unlike:
                return None
            details.append("; ".join(unlike))
        return (
            VerifyFinding(FindingKind.SUMS, opened, opened + step, details[0]) if details else None
        )


def _is_whole(fine: Stored, parts: Sequence[tuple[Candle, bool]], start: int, end: int) -> bool:
    return [part.open_time for part, closed in parts if closed] == list(
        range(start, end, fine.timeframe.longest_ms)
    )


def _unlike(coarse: Candle, parts: Sequence[Candle], step: Timeframe) -> Iterator[str]:
    """In words, what does not add up."""
    exact = _EXACT.create_decimal
    made = {
        "open": exact(parts[0].open),
        "high": max(exact(part.high) for part in parts),
        "low": min(exact(part.low) for part in parts),
        "close": exact(parts[-1].close),
    }
    for name in _ADDED:
        values = [getattr(part, name) for part in parts]
        # An unknown amount cannot be added up.
        if None not in values and getattr(coarse, name) is not None:
            made[name] = reduce(_EXACT.add, map(exact, values))
    for name, value in made.items():
        if exact(held := getattr(coarse, name)) != value:
            yield f"{name} {held}, by its {step} candles {value:f}"
