"""Asking a source: an answer that does not fit its question proves nothing.

It is asked for once more; then the series fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from penstock.errors import SourceMisfitError
from penstock.market.candle import MISPLACED, accept, judged
from penstock.market.collect.coverage import Look
from penstock.market.source import PageRequest
from penstock.market.timeline import earliest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.candle import Candle, Rejected
    from penstock.market.collect.clock import ExchangeClock
    from penstock.market.instrument import SeriesKey
    from penstock.market.source import MarketSource, PageAnswer

# Rows requested where one candle is wanted: if one is unusable, the other may do.
_LOOK = 2
# Exchanges have been seen to return to their grid with one short candle, never with two.
_MOST_CROWDED = 1
_GONE = "a candle that it sent before is missing"


@dataclass(frozen=True)
class Reading:
    """An answer that fits its question; asked `at` this time, by the provider's clock.

    `good` rows are in order of time, `bad` ones are refused. The provider flags as closed what
    opens before `closed_before` (None: it flags nothing).
    """

    at: int
    rows: int
    good: Sequence[Candle]
    closed_before: int | None
    bad: Sequence[Rejected]

    @cached_property
    def opens(self) -> list[int]:
        """Where it has a row, good or bad, in order."""
        if not self.bad:
            return [candle.open_time for candle in self.good]
        return sorted(
            {candle.open_time for candle in self.good}
            | {row.place for row in self.bad if row.place is not None}
        )

    @property
    def doubtful(self) -> bool:
        """Whether rows were out of place: a missing candle may be one of them."""
        return any(row.reason in MISPLACED for row in self.bad)


class Asker:
    """Asks for the candles of series, of a source that has `declared` itself; `now` is its time."""

    def __init__(self, source: MarketSource, clock: ExchangeClock) -> None:
        self._source = source
        self._clock = clock
        self.declared = source.declaration
        self.now = clock.now

    def look(self) -> Look:
        """A look at what is known now, without an answer."""
        return Look(self.now(), self.declared.name)

    async def read(self, request: PageRequest, *, known_before: int | None = None) -> Reading:
        """The answer to a question, asked again if it does not fit.

        SourceMisfitError if it still does not. `known_before`: the exchange has sent a candle that
        opens between the start of the question and this time, so the answer must have it.
        """
        reading, fault = await self._ask(request, known_before)
        if fault or reading.doubtful:
            reading, fault = await self._ask(request, known_before)
        if not fault or (
            fault == _GONE
            and known_before is not None
            and await self._forgot(request, known_before)
        ):
            return reading
        raise SourceMisfitError(
            f"{request.series}: {self.declared.name} did not answer the question:"
            f" {fault}. Nothing was stored or marked."
        )

    async def _forgot(self, request: PageRequest, known_before: int) -> bool:
        """Whether another question shows too that a candle is gone: some keep no old ones."""
        newest = await self.newest_before(request.series, known_before)
        return newest is None or newest < (request.start or 0)

    async def newest_before(self, series: SeriesKey, end: int | None) -> int | None:
        """Where the newest candle before `end` opens (None: there is none).

        Pages are read in the other direction, so the two answers are independent.
        """
        reading = await self.read(PageRequest(series=series, limit=_LOOK, end=end))
        return max(reading.opens, default=None)

    async def oldest_from(self, series: SeriesKey, start: int) -> int | None:
        """Where the oldest candle at `start` or later opens (None: there is none)."""
        reading = await self.read(PageRequest(series=series, limit=_LOOK, start=start))
        return min(reading.opens, default=None)

    async def _ask(self, request: PageRequest, known_before: int | None) -> tuple[Reading, str]:
        # Taken before the request: what is closed by then is closed in the answer too.
        at = self.now()
        answer = await self._answer(request)
        if answer.rows > request.limit:
            # However many they are, none of them is looked at.
            most = f"at most {request.limit} were asked for"
            return Reading(at, 0, (), None, ()), f"it sent {answer.rows} rows, where {most}"
        start, end = request.start or 0, await self._end(request, answer)
        good, bad = accept(
            answer.candles,
            request.series.timeframe,
            start=start,
            end=end,
            columns=self.declared.columns,
        )
        reading = Reading(
            at,
            answer.rows,
            good,
            answer.closed_before,
            [*(judged(row, start=start, end=end) for row in answer.rejected), *bad],
        )
        return reading, _misfit(request, answer, reading, known_before)

    async def _answer(self, request: PageRequest) -> PageAnswer:
        """The answer in ascending order.

        A provider that sends the newest rows of a range is asked for one page from its start.
        """
        step = request.series.timeframe
        if not self.declared.newest_first:
            return await self._source.candles(request)
        if request.start is not None:
            end = step.shift(step.floor(request.start), request.limit)
            request = replace(request, end=earliest(end, request.end))
        answer = await self._source.candles(request)
        return replace(answer, candles=answer.candles[::-1])

    async def _end(self, request: PageRequest, answer: PageAnswer) -> int:
        """Where the answer must end: as asked, but not after the exchange's present."""
        newest = max((candle.open_time for candle in answer.candles[-2:]), default=0)
        if newest > self.now() and (request.end is None or newest < request.end):
            await self._clock.sync()
        return earliest(self.now() + 1, request.end)


def _misfit(
    request: PageRequest, answer: PageAnswer, reading: Reading, known_before: int | None
) -> str:
    """What is wrong with the answer as a whole; empty if nothing is."""
    misplaced = [row for row in reading.bad if row.reason in MISPLACED]
    if 2 * len(misplaced) > answer.rows:
        return (
            f"{len(misplaced)} of {answer.rows} rows are out of range, out of order or not in"
            f" milliseconds ({misplaced[0].detail})"
        )
    crowded = request.series.timeframe.crowded(
        [candle.open_time for candle in reading.good] if reading.bad else reading.opens
    )
    if crowded > _MOST_CROWDED and 2 * crowded >= len(reading.good):
        step = request.series.timeframe
        return f"{crowded} of {answer.rows} rows are closer together than {step}"
    if (
        known_before is not None
        and not reading.doubtful
        and not (reading.opens and reading.opens[0] < known_before)
    ):
        return _GONE
    return ""
