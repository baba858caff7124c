"""Candles that were recorded from a real exchange, answered as they are."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from penstock.simulator.binance.exchange import DayStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.market.timeframe import Timeframe
    from penstock.simulator.binance.exchange import Window
    from penstock.simulator.binance.info import Info

_DAY_MS = 86_400_000
_HIGH: Final = 2
_LOW: Final = 3
_CLOSE: Final = 4
_VOLUME: Final = 5
_CLOSE_TIME: Final = 6
_QUOTE: Final = 7
TRADES: Final = 8

# The twelve columns of a klines row; times and trades are integers, all else is text.
Row: TypeAlias = tuple[int, str, str, str, str, str, int, str, int, str, str, str]


@dataclass(frozen=True, slots=True)
class RecordedRows:
    """The candles of a timeframe in the order of their open times, each as its JSON text."""

    opens: array[int]
    closes: array[int]
    texts: list[bytes]

    @classmethod
    def of(cls, texts: Mapping[int, bytes]) -> RecordedRows:
        """From texts by open time, in any order."""
        opens = sorted(texts)
        closes = [int(texts[at].split(b",", _CLOSE_TIME + 1)[_CLOSE_TIME]) for at in opens]
        return cls(array("q", opens), array("q", closes), [texts[at] for at in opens])

    def within(self, window: Window, now_ms: int) -> list[bytes]:
        """The rows of a klines request, of candles that have closed.

        So a slower clock plays a recording as it happened.
        """
        first = 0 if window.start_ms is None else bisect_left(self.opens, window.start_ms)
        last = bisect_left(self.closes, now_ms)
        if window.end_ms is not None:
            last = min(last, bisect_right(self.opens, window.end_ms))
        if window.start_ms is None:
            return self.texts[max(first, last - window.limit) : last]
        return self.texts[first : min(last, first + window.limit)]

    def closed_between(self, first_ms: int, now_ms: int) -> list[bytes]:
        """The rows that open from `first_ms` on and have closed before `now_ms`."""
        return self.texts[bisect_left(self.opens, first_ms) : bisect_left(self.closes, now_ms)]


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """One symbol: its object of a recorded exchangeInfo, and its candles by recorded timeframe."""

    recorded_info: Info
    rows: Mapping[Timeframe, RecordedRows]

    @property
    def newest_ms(self) -> int:
        """The close time of the newest candle, 0 when there is none."""
        return max((rows.closes[-1] for rows in self.rows.values()), default=0)

    def status(self, now_ms: int) -> str | None:  # noqa: ARG002 - was listed when recorded
        return str(self.recorded_info["status"])

    def info(self, now_ms: int) -> Info:  # noqa: ARG002
        return self.recorded_info

    def page(self, timeframe: Timeframe, window: Window, now_ms: int, *, microseconds: bool) -> str:
        rows = self.rows.get(timeframe)
        texts = rows.within(window, now_ms) if rows else []
        return f"[{b','.join(map(_in_microseconds, texts) if microseconds else texts).decode()}]"

    def price(self, now_ms: int) -> str:
        """The close of the newest candle in any timeframe."""
        closed = (
            (rows.closes[end - 1], rows.texts[end - 1])
            for rows in self.rows.values()
            if (end := bisect_left(rows.closes, now_ms))
        )
        newest = max(closed, default=None)
        return _row(newest[1])[_CLOSE] if newest else "0.00000000"

    def statistics(self, now_ms: int) -> DayStatistics:
        """The last 24 hours, from the shortest timeframe that was recorded then."""
        shortest_first = sorted(self.rows, key=lambda timeframe: timeframe.longest_ms)
        days = (self.rows[each].closed_between(now_ms - _DAY_MS, now_ms) for each in shortest_first)
        day = list(map(_row, next(filter(None, days), [])))
        last, zero = Decimal(self.price(now_ms)), Decimal(0)
        return DayStatistics(
            open=Decimal(day[0][1]) if day else last,
            high=max((Decimal(row[_HIGH]) for row in day), default=last),
            low=min((Decimal(row[_LOW]) for row in day), default=last),
            last=last,
            volume=sum((Decimal(row[_VOLUME]) for row in day), zero),
            quote_volume=sum((Decimal(row[_QUOTE]) for row in day), zero),
            trades=sum(row[TRADES] for row in day),
            first_trade=0,
        )


def _row(text: bytes) -> Row:
    row: Row = msgspec.json.decode(text, type=Row)
    return row


def _in_microseconds(text: bytes) -> bytes:
    row = _row(text)
    closed = row[_CLOSE_TIME] * 1000 + 999
    return msgspec.json.encode((row[0] * 1000, *row[1:_CLOSE_TIME], closed, *row[_QUOTE:]))
