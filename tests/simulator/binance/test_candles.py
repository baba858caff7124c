"""Generated candles: aggregates, determinism, quiet minutes, listings, outage, running candle."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.exchange import Window
from penstock.simulator.binance.generated import generated_series
from penstock.simulator.binance.instruments import catalogue
from tests.simulator.conftest import NOW_MS

if TYPE_CHECKING:
    from typing import Any

    Rows = list[list[Any]]

SERIES = generated_series(1, catalogue(1, 400))
SYMBOLS = [symbol for symbol, series in SERIES.items() if series.instrument.listed_ms < NOW_MS]
STARTED_MS = 1_503_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
OUTAGE = (1_593_309_600_000, 1_593_320_400_000)
LADDER = [
    *(
        ("1s", "1m"),
        ("1m", "3m"),
        ("1m", "5m"),
        ("5m", "15m"),
        ("15m", "30m"),
        ("30m", "1h"),
        ("1h", "2h"),
        ("2h", "4h"),
        ("2h", "6h"),
    ),
    *(
        ("4h", "8h"),
        ("6h", "12h"),
        ("12h", "1d"),
        ("1m", "4h"),
        ("1d", "3d"),
        ("1d", "1w"),
        ("1d", "1M"),
    ),
]

symbols = st.sampled_from(SYMBOLS)
moments = st.integers(STARTED_MS, NOW_MS + DAY)


def ask(
    symbol: str,
    interval: str,
    *,
    start: int | None = None,
    end: int | None = None,
    limit: int = 1000,
    now: int = NOW_MS,
) -> Rows:
    return list(
        json.loads(
            SERIES[symbol].page(
                Timeframe(interval), Window(start, end, limit), now, microseconds=False
            )
        )
    )


def aggregate(rows: Rows) -> list[Any]:
    """The prices and the summed columns, as exact decimals."""
    prices = [[Decimal(row[column]) for row in rows] for column in (1, 2, 3, 4)]
    sums = [sum(Decimal(row[column]) for row in rows) for column in (5, 7, 8, 9, 10)]
    return [prices[0][0], max(prices[1]), min(prices[2]), prices[3][-1], *sums]


@given(symbol=symbols, at=moments, ladder=st.sampled_from(LADDER))
def test_a_large_candle_is_exactly_the_aggregate_of_its_small_ones(
    symbol: str, at: int, ladder: tuple[str, str]
) -> None:
    small, large = ladder
    timeframe = Timeframe(large)
    open_ms = SERIES[symbol].instrument.floor(timeframe, at)
    whole = ask(symbol, large, start=open_ms, end=open_ms)
    parts = ask(symbol, small, start=open_ms, end=timeframe.shift(open_ms, 1) - 1)
    assert bool(whole) == bool(parts)
    if whole:
        assert aggregate(parts) == aggregate(whole)
        assert whole[0][6] == timeframe.shift(open_ms, 1) - 1


@given(
    symbol=symbols,
    interval=st.sampled_from([timeframe.value for timeframe in Timeframe]),
    at=moments,
    steps=st.integers(0, 40),
    page=st.integers(1, 7),
)
def test_any_way_of_paging_through_a_range_gives_the_same_rows(
    symbol: str, interval: str, at: int, steps: int, page: int
) -> None:
    end = at + steps * Timeframe(interval).longest_ms
    forward: Rows = []
    start = at
    while rows := ask(symbol, interval, start=start, end=end, limit=page):
        forward += rows
        start = rows[-1][0] + 1
    backward: Rows = []
    last = end
    while rows := [row for row in ask(symbol, interval, end=last, limit=page) if row[0] >= at]:
        backward = rows + backward
        last = rows[0][0] - 1
    assert forward == backward == ask(symbol, interval, start=at, end=end)


@given(
    symbol=symbols,
    interval=st.sampled_from(["5m", "1h", "1d", "3d", "1M"]),
    near=moments,
    ends=st.tuples(st.none() | st.integers(-50, 50), st.none() | st.integers(-50, 50)),
    limit=st.integers(1, 60),
)
def test_the_range_rule_agrees_with_a_brute_force_model(
    symbol: str, interval: str, near: int, ends: tuple[int | None, int | None], limit: int
) -> None:
    timeframe, instrument = Timeframe(interval), SERIES[symbol].instrument
    start, end = (
        None if steps is None else near + steps * timeframe.longest_ms // 3 for steps in ends
    )
    # The model: each candle from the listing on, requested by its own open time.
    oldest, last = (
        instrument.floor(timeframe, instrument.listed_ms),
        min(instrument.last_ms(NOW_MS), NOW_MS if end is None else end),
    )
    known: Rows = []
    if start is None:
        at = instrument.floor(timeframe, last)
        while len(known) < limit and at >= oldest:
            known = ask(symbol, interval, start=at, end=min(at, last)) + known
            at = timeframe.shift(at, -1)
    else:
        at = max(oldest, instrument.floor(timeframe, start))
        while len(known) < limit and at <= last:
            known += ask(symbol, interval, start=at, end=at) if at >= start else []
            at = timeframe.shift(at, 1)
    assert ask(symbol, interval, start=start, end=end, limit=limit) == known


@given(symbol=symbols, at=moments, interval=st.sampled_from(["1s", "1m", "15m", "1d", "1w"]))
def test_every_row_is_a_possible_candle(symbol: str, at: int, interval: str) -> None:
    for row in ask(symbol, interval, start=at, limit=50):
        opened, high, low, close, volume, quote, taker, taker_quote = (
            Decimal(row[column]) for column in (1, 2, 3, 4, 5, 7, 9, 10)
        )
        assert 0 < low <= min(opened, close) <= max(opened, close) <= high
        assert (row[8] > 0) == (volume > 0) == (quote > 0)
        assert 0 <= taker <= volume
        assert 0 <= taker_quote <= quote
        if interval != "1s":
            assert low * volume <= quote <= high * volume
        assert [type(value) for value in row] == [
            int,
            str,
            str,
            str,
            str,
            str,
            int,
            str,
            int,
            str,
            str,
            str,
        ]
        assert all(len(row[column].partition(".")[2]) == 8 for column in (1, 2, 3, 4, 5, 7, 9, 10))


@given(symbol=symbols, at=moments)
def test_a_minute_without_trades_stands_at_the_previous_close(symbol: str, at: int) -> None:
    rows = ask(symbol, "1m", start=at, limit=200)
    for previous, row in pairwise(rows):
        if row[8] == 0:
            assert row[1] == row[2] == row[3] == row[4] == previous[4]
            assert {row[5], row[7], row[9], row[10]} == {"0.00000000"}


def test_small_coins_have_quiet_minutes_and_large_ones_have_none() -> None:
    quiet = {symbol: sum(row[8] == 0 for row in ask(symbol, "1m", limit=500)) for symbol in SYMBOLS}
    assert quiet["BTCUSDT"] == quiet["ETHUSDT"] == 0
    assert sum(count > 150 for count in quiet.values()) > 100


@given(symbol=symbols)
def test_there_is_no_row_before_the_listing(symbol: str) -> None:
    listed_ms = SERIES[symbol].instrument.listed_ms
    for timeframe in Timeframe:
        first = ask(symbol, timeframe.value, start=0, limit=1)[0]
        # Recorded 3d candles begin on the day of the listing; for BTCUSDT on 2017-08-17.
        assert first[0] == (
            listed_ms - listed_ms % DAY if timeframe is Timeframe.D3 else timeframe.floor(listed_ms)
        )
    assert ask(symbol, "1m", end=listed_ms - 1) == []


def test_the_days_of_a_listing_take_turns_with_the_three_days_of_the_epoch() -> None:
    assert len({ask(symbol, "3d", limit=1)[0][0] % (3 * DAY) for symbol in SYMBOLS}) == 3


def test_a_delisted_symbol_keeps_its_candles_and_gets_no_new_ones() -> None:
    instruments = [series.instrument for series in SERIES.values()]
    ended = {
        instrument.symbol: at
        for instrument in instruments
        if (at := instrument.ended_ms) and at < NOW_MS
    }
    assert len(ended) > 20
    for symbol, at in ended.items():
        newest = ask(symbol, "1m", limit=3)
        assert [row[0] for row in newest] == [at - step * MINUTE for step in (3, 2, 1)]


@given(
    symbol=st.sampled_from(
        [symbol for symbol in SYMBOLS if SERIES[symbol].instrument.listed_ms < OUTAGE[0] - DAY]
    )
)
def test_the_outage_is_a_hole_for_every_symbol_in_every_timeframe(symbol: str) -> None:
    if (SERIES[symbol].instrument.ended_ms or NOW_MS) < OUTAGE[1] + DAY:
        return
    for interval in ("1m", "15m", "1h"):
        assert ask(symbol, interval, start=OUTAGE[0], end=OUTAGE[1] - 1) == []
        around = ask(symbol, interval, start=OUTAGE[0] - 2 * HOUR, end=OUTAGE[1])
        assert around[-1][0] == OUTAGE[1]
        assert around[-2][6] == OUTAGE[0] - 1
    four_hours = ask(symbol, "4h", start=OUTAGE[0] - 2 * HOUR, limit=2)
    assert aggregate(ask(symbol, "1m", start=OUTAGE[1], end=OUTAGE[1] + 3 * HOUR - 1)) == aggregate(
        four_hours[1:]
    )


@given(
    symbol=st.sampled_from(SYMBOLS[:40]),
    interval=st.sampled_from(["1s", "1m", "1h", "1d", "1M"]),
    seconds=st.lists(st.integers(0, 40 * 86_400), min_size=2),
)
def test_the_running_candle_only_grows_until_it_is_the_closed_one(
    symbol: str, interval: str, seconds: list[int]
) -> None:
    timeframe = Timeframe(interval)
    open_ms = timeframe.floor(NOW_MS)
    end = timeframe.shift(open_ms, 1) - 1
    states = [
        ask(symbol, interval, start=open_ms, end=open_ms, now=now)[0]
        for now in sorted(min(open_ms + 1000 * second, end) for second in seconds)
    ]
    final = ask(symbol, interval, start=open_ms, end=open_ms, now=end + 1)[0]
    for before, after in zip(states, [*states[1:], final], strict=True):
        assert before[1] == after[1]
        assert Decimal(before[2]) <= Decimal(after[2])
        assert Decimal(before[3]) >= Decimal(after[3])
        assert all(Decimal(before[column]) <= Decimal(after[column]) for column in (5, 7, 8, 9, 10))
    assert final == ask(symbol, interval, start=open_ms, end=open_ms, now=end)[0]


def test_another_process_and_another_order_of_requests_give_the_same_candles() -> None:
    program = (
        "from tests.simulator.binance.test_candles import fingerprint, SYMBOLS\n"
        "print(fingerprint(list(reversed(SYMBOLS[::20]))))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == fingerprint(SYMBOLS[::20])


def fingerprint(of: list[str]) -> str:
    texts = {
        symbol: json.dumps([ask(symbol, timeframe.value, limit=150) for timeframe in Timeframe])
        for symbol in of
    }
    return hashlib.sha256("".join(texts[symbol] for symbol in sorted(texts)).encode()).hexdigest()


def test_another_seed_is_another_market() -> None:
    other = generated_series(2, catalogue(2, 10))["BTCUSDT"]
    assert json.loads(
        other.page(Timeframe.D1, Window(None, None, 5), NOW_MS, microseconds=False)
    ) != ask("BTCUSDT", "1d", limit=5)


def test_the_catalogue_has_as_many_symbols_as_asked_for_with_every_status() -> None:
    for count in (1, 2, 10, 400, 2000):
        assert len(catalogue(1, count)) == count
    status = [series.status(NOW_MS) for series in SERIES.values()]
    assert {"TRADING", "BREAK", "HALT"} <= set(status)
    assert sum(symbol.endswith("USDT") for symbol in SYMBOLS) > 250
    assert SYMBOLS[:5] == ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT"]


def test_no_price_approaches_zero_in_many_years() -> None:
    for symbol in ["SHIBUSDT", "PEPEUSDT", *SYMBOLS[::12]]:
        weeks = ask(symbol, "1w", now=NOW_MS + 6 * 365 * DAY)
        assert min(Decimal(row[3]) for row in weeks) * 12 > Decimal(weeks[0][1])
