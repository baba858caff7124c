"""Candles of the generated instruments: any range of any timeframe, made on demand and never stored.

A closed candle is a pure function of (seed, symbol, timeframe, open time). The running one also depends on the clock: it holds what its closed
minutes and the seconds begun since then hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from decimal import Decimal
from functools import partial
from itertools import accumulate, chain, repeat, takewhile
from typing import TYPE_CHECKING, NamedTuple

from penstock.market.timeframe import Timeframe
from penstock.simulator.candle import Candle, RowWriter, decimal, merged
from penstock.simulator.catalogue import DAY_MS, Instrument
from penstock.simulator.exchange import Statistics, Window
from penstock.simulator.exchange_info import Info, Pair, symbol_info
from penstock.simulator.seconds import SECOND_MS, seconds
from penstock.simulator.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_PAGES_KEPT = 600
_ROWS_KEPT = 100
_NOTHING = Decimal(0)


class PageCache:
    """Rows of small pages of closed candles, which never change: the 600 last used pages, about 10 MB."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[object, ...], list[str]] = OrderedDict()

    def rows(self, key: tuple[object, ...], make: Callable[[], list[str]]) -> list[str]:
        """The rows kept for `key`, else new ones."""
        rows = self._pages.get(key)
        if rows is None:
            rows = self._pages[key] = make()
            if len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end(key)
        return rows


class _Closed(NamedTuple):
    """Which closed candles are asked for: they open within `opens`; the newest or the oldest `limit` of them."""

    timeframe: Timeframe
    opens: range
    newest: bool
    limit: int


class GeneratedSeries:
    """All candles of one instrument."""

    def __init__(self, seed: int, instrument: Instrument, pages: PageCache) -> None:
        self.instrument = instrument
        self._walk = Walk(seed, instrument)
        self._key = f"penstock {seed} {instrument.symbol}"
        self._writer = RowWriter(instrument.price_digits, instrument.lot_digits)
        self._pages = pages
        self._begun: tuple[int, Candle] | None = None

    def status(self, now_ms: int) -> str | None:
        """TRADING, BREAK or HALT; None before it is listed."""
        return self.instrument.status(now_ms) if now_ms >= self.instrument.listed_ms else None

    def info(self, now_ms: int) -> Info:
        """Its object in exchangeInfo."""
        one = self.instrument
        pair = Pair(symbol=one.symbol, base=one.base, quote=one.quote, price_digits=one.price_digits, lot_digits=one.lot_digits)
        return symbol_info(pair, one.status(now_ms))

    def price(self, now_ms: int) -> str:
        """The last price as Binance writes it."""
        minute_ms = now_ms - now_ms % _MINUTE_MS
        opens = range(self.instrument.listed_ms, min(self.instrument.last_ms(now_ms) + 1, minute_ms))
        newest = self._running(Timeframe.M1, minute_ms, now_ms) or self._closed(_Closed(Timeframe.M1, opens, newest=True, limit=1))
        return self._writer.price(newest[0][4])

    def statistics(self, now_ms: int) -> Statistics:
        """The last 24 hours, rounded to a whole minute at their beginning."""
        first_ms = max(now_ms - DAY_MS - now_ms % _MINUTE_MS + _MINUTE_MS, self.instrument.listed_ms)
        day = merged(first_ms, self._pieces(first_ms, now_ms))
        if day is None:
            last = Decimal(self.price(now_ms))
            return Statistics(open=last, high=last, low=last, last=last, volume=_NOTHING, quote_volume=_NOTHING, trades=0, first_trade=-1)
        _, *prices, volume, quote, trades, _, _ = day
        opened, high, low, last = (Decimal(self._writer.price(price)) for price in prices)
        return Statistics(
            open=opened,
            high=high,
            low=low,
            last=last,
            volume=Decimal(self._writer.volume(volume)),
            quote_volume=Decimal(decimal(quote)),
            trades=trades,
            first_trade=(first_ms - self.instrument.listed_ms) // _MINUTE_MS * self.instrument.trades_a_weight * 10,
        )

    def page(self, timeframe: Timeframe, window: Window, now_ms: int, *, microseconds: bool) -> str:
        """The JSON answer to a klines request, oldest first; the last row may be the running candle."""
        first = max(self.instrument.floor(timeframe, self.instrument.listed_ms), window.start_ms or 0)
        last = self.instrument.last_ms(now_ms)
        if window.end_ms is not None:
            last = min(last, window.end_ms)
        running_ms = self.instrument.floor(timeframe, now_ms)
        opens = range(first, min(last + 1, running_ms))
        running: Callable[[], list[str]] = list
        if first <= running_ms <= last:
            running = partial(self._running_rows, timeframe, running_ms, now_ms, microseconds=microseconds)
        if window.start_ms is None:
            rows = running()
            return _array([*self._rows(_Closed(timeframe, opens, newest=True, limit=window.limit - len(rows)), microseconds=microseconds), *rows])
        rows = self._rows(_Closed(timeframe, opens, newest=False, limit=window.limit), microseconds=microseconds)
        return _array(rows if len(rows) == window.limit else [*rows, *running()])

    def _rows(self, closed: _Closed, *, microseconds: bool) -> list[str]:
        def make() -> list[str]:
            return self._writer.rows(self._closed(closed), closed.timeframe, microseconds=microseconds)

        return make() if closed.limit > _ROWS_KEPT else self._pages.rows((self.instrument.symbol, closed, microseconds), make)

    def _running_rows(self, timeframe: Timeframe, open_ms: int, now_ms: int, *, microseconds: bool) -> list[str]:
        return self._writer.rows(self._running(timeframe, open_ms, now_ms), timeframe, microseconds=microseconds)

    def _closed(self, closed: _Closed) -> list[Candle]:
        return (self._newest if closed.newest else self._oldest)(closed.timeframe, closed.opens, closed.limit)

    def _oldest(self, timeframe: Timeframe, opens: range, limit: int) -> list[Candle]:
        """The first `limit` closed candles that open within `opens`."""
        found: list[Candle] = []
        for at in self._stretches(timeframe, opens):
            if len(found) == limit:
                break
            found += self._in_stretch(timeframe, at, opens, limit - len(found))
        return found

    def _newest(self, timeframe: Timeframe, opens: range, limit: int) -> list[Candle]:
        """The last `limit` closed candles that open within `opens`."""
        parts: list[list[Candle]] = []
        for at in reversed(self._stretches(timeframe, opens)):
            if limit == 0:
                break
            parts.append(self._in_stretch(timeframe, at, opens, -limit))
            limit -= len(parts[-1])
        return list(chain.from_iterable(reversed(parts)))

    def _in_stretch(self, timeframe: Timeframe, at: int, opens: range, limit: int) -> list[Candle]:
        """The closed candles of one stretch; at most its first `limit`, when negative its last -`limit`."""
        if timeframe is Timeframe.S1:
            found = [candle for candle in self._seconds(at, opens.stop - 1) if candle[0] >= opens.start]
        elif timeframe.longest_ms <= DAY_MS:
            return self._in_day(timeframe, at, opens, limit)
        else:
            found = self._of_days(timeframe, at) if at in opens else []
        return found[:limit] if limit > 0 else found[limit:]

    def _in_day(self, timeframe: Timeframe, at: int, opens: range, limit: int) -> list[Candle]:
        day = self._walk.day(at // DAY_MS)
        slots = day.slots(timeframe)
        low, high = 0, len(slots)
        if at < opens.start:
            low = bisect_left(slots, -((at - opens.start) // timeframe.longest_ms))
        if at + DAY_MS > opens.stop:
            high = bisect_left(slots, -((at - opens.stop) // timeframe.longest_ms))
        if limit > 0:
            return day.candles(timeframe, low, min(high, low + limit))
        return day.candles(timeframe, max(low, high + limit), high)

    def _of_days(self, timeframe: Timeframe, at: int) -> list[Candle]:
        """The closed 3d, 1w or 1M candle that opens `at`; none when it has no day."""
        candle = merged(at, self._days(at, self.instrument.last_ms(timeframe.shift(at, 1) - 1)))
        return [candle] if candle else []

    def _days(self, first_ms: int, last_ms: int) -> list[Candle]:
        """The daily candles that open in [first_ms, last_ms]."""
        first = max(first_ms, self.instrument.listed_ms) // DAY_MS
        return [candle for number in range(first, last_ms // DAY_MS + 1) for candle in self._walk.day(number).candles(Timeframe.D1, 0, 1)]

    def _running(self, timeframe: Timeframe, open_ms: int, now_ms: int) -> list[Candle]:
        """The candle that opens `open_ms` and has not ended; none while nothing of it is there."""
        if timeframe is Timeframe.S1:
            return self._seconds(now_ms - now_ms % _MINUTE_MS, now_ms)[-1:]
        today_ms = now_ms - now_ms % DAY_MS
        days = self._days(open_ms, today_ms - 1) if open_ms < today_ms else []
        candle = merged(open_ms, [*days, *self._pieces(max(open_ms, today_ms, self.instrument.listed_ms), now_ms)])
        return [candle] if candle else []

    def _pieces(self, first_ms: int, now_ms: int) -> list[Candle]:
        """Hours, minutes and the begun minute that together make up [first_ms, now]; `first_ms` is a whole minute."""
        minute_ms = now_ms - now_ms % _MINUTE_MS
        pieces = list(self._whole_minutes(first_ms, min(minute_ms, self.instrument.last_ms(now_ms) + 1)))
        begun = self._begun_minute(minute_ms, now_ms)
        return [*pieces, begun] if begun else pieces

    def _whole_minutes(self, first_ms: int, end_ms: int) -> Iterator[Candle]:
        while first_ms < end_ms:
            hour_end = min(first_ms - first_ms % _HOUR_MS + _HOUR_MS, end_ms)
            if first_ms % _HOUR_MS or hour_end - first_ms < _HOUR_MS:
                yield from self._slice(Timeframe.M1, first_ms, hour_end)
                first_ms = hour_end
            else:
                hours_end = min(end_ms - end_ms % _HOUR_MS, first_ms - first_ms % DAY_MS + DAY_MS)
                yield from self._slice(Timeframe.H1, first_ms, hours_end)
                first_ms = hours_end

    def _slice(self, timeframe: Timeframe, first_ms: int, end_ms: int) -> list[Candle]:
        """Closed candles of one day, [first_ms, end_ms)."""
        day = self._walk.day(first_ms // DAY_MS)
        slots = day.slots(timeframe)
        low, high = ((at - day.open_ms) // timeframe.longest_ms for at in (first_ms, end_ms))
        return day.candles(timeframe, bisect_left(slots, low), bisect_left(slots, high))

    def _begun_minute(self, minute_ms: int, now_ms: int) -> Candle | None:
        """What the running minute holds until now; kept, as all timeframes of a symbol ask for it within the same second."""
        second_ms = now_ms - now_ms % SECOND_MS
        if self._begun is None or self._begun[0] != second_ms:
            candle = merged(minute_ms, self._seconds(minute_ms, now_ms))
            if candle is None:
                return None
            self._begun = (second_ms, candle)
        return self._begun[1]

    def _seconds(self, minute_ms: int, last_ms: int) -> list[Candle]:
        """The seconds of one minute that open until `last_ms`."""
        last_ms = self.instrument.last_ms(last_ms)
        if not self.instrument.listed_ms <= minute_ms <= last_ms:
            return []
        return [
            candle
            for minute in self._slice(Timeframe.M1, minute_ms, minute_ms + _MINUTE_MS)
            for candle in seconds(self._key, minute)
            if candle[0] <= last_ms
        ]

    def _stretches(self, timeframe: Timeframe, opens: range) -> Sequence[int]:
        """Where the pieces of time start in which candles are made in one go: minutes for 1s, days for 1m to 1d, else the candles themselves."""
        if not opens:
            return ()
        if timeframe is Timeframe.MONTH:
            months = takewhile(lambda at: at < opens.stop, accumulate(repeat(1), timeframe.shift, initial=timeframe.floor(opens.start)))
            return list(months)
        if timeframe is Timeframe.S1:
            return range(opens.start - opens.start % _MINUTE_MS, opens.stop, _MINUTE_MS)
        if timeframe.longest_ms <= DAY_MS:
            return range(opens.start - opens.start % DAY_MS, opens.stop, DAY_MS)
        return range(self.instrument.floor(timeframe, opens.start), opens.stop, timeframe.longest_ms)


def _array(rows: list[str]) -> str:
    return f"[{','.join(rows)}]"


def generated_series(seed: int, instruments: dict[str, Instrument]) -> dict[str, GeneratedSeries]:
    """The series of all generated instruments by symbol; their small pages share one cache."""
    pages = PageCache()
    return {symbol: GeneratedSeries(seed, instrument, pages) for symbol, instrument in instruments.items()}
