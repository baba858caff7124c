"""Timeframes against the calendar of the standard library."""

from __future__ import annotations

import datetime as dt
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.market.timeframe import Timeframe

_LAST_MS = 4_102_444_800_000
_FIXED = [timeframe for timeframe in Timeframe if timeframe not in {Timeframe.W1, Timeframe.MONTH}]

timeframes = st.sampled_from(Timeframe)
moments = st.integers(7 * 86_400_000, _LAST_MS)


def utc(at_ms: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=at_ms)


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000)


@given(timeframes, moments)
def test_a_moment_lies_in_the_candle_that_floor_gives_and_before_the_next(
    timeframe: Timeframe, at: int
) -> None:
    opened = timeframe.floor(at)
    assert opened <= at < timeframe.shift(opened, 1)
    assert timeframe.floor(opened) == opened


@given(timeframes, moments)
def test_the_candle_before_ends_where_this_one_begins(timeframe: Timeframe, at: int) -> None:
    opened = timeframe.floor(at)
    assert timeframe.floor(opened - 1) == timeframe.shift(opened, -1)


@given(timeframes, moments, st.integers(-200, 200), st.integers(-200, 200))
def test_shifts_add_up(timeframe: Timeframe, at: int, first: int, other: int) -> None:
    opened = timeframe.floor(at)
    if timeframe.longest_ms * 400 < opened:
        assert timeframe.shift(timeframe.shift(opened, first), other) == timeframe.shift(
            opened, first + other
        )


@given(timeframes, moments)
def test_no_candle_is_longer_than_longest(timeframe: Timeframe, at: int) -> None:
    opened = timeframe.floor(at)
    length = timeframe.shift(opened, 1) - opened
    assert length <= timeframe.longest_ms
    assert length == timeframe.longest_ms or timeframe is Timeframe.MONTH


@given(moments)
def test_weeks_begin_on_monday_at_midnight(at: int) -> None:
    monday = utc(at).date() - dt.timedelta(days=utc(at).weekday())
    assert utc(Timeframe.W1.floor(at)) == dt.datetime.combine(monday, dt.time(), tzinfo=dt.UTC)


@given(moments)
def test_months_begin_on_their_first_day_at_midnight(at: int) -> None:
    assert utc(Timeframe.MONTH.floor(at)) == utc(at).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


@pytest.mark.parametrize("timeframe", _FIXED)
def test_fixed_steps_count_from_the_epoch(timeframe: Timeframe) -> None:
    assert timeframe.floor(timeframe.longest_ms * 1_000 + 1) == timeframe.longest_ms * 1_000


@pytest.mark.parametrize("timeframe", Timeframe)
def test_the_name_says_the_length(timeframe: Timeframe) -> None:
    seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 31 * 86_400}
    number, unit = timeframe.value.rstrip(string.ascii_letters), timeframe.value[-1]
    assert timeframe.longest_ms == int(number) * seconds[unit] * 1_000


@pytest.mark.parametrize(
    ("timeframe", "opened", "steps", "expected"),
    [
        (Timeframe.MONTH, "2024-12-01", 1, "2025-01-01"),
        (Timeframe.MONTH, "2025-01-01", -1, "2024-12-01"),
        (Timeframe.MONTH, "2024-02-01", 1, "2024-03-01"),
        (Timeframe.MONTH, "2023-11-01", 14, "2025-01-01"),
        (Timeframe.MONTH, "2024-03-01", -27, "2021-12-01"),
        (Timeframe.W1, "2024-12-30", 1, "2025-01-06"),
        (Timeframe.W1, "2025-01-06", -1, "2024-12-30"),
        (Timeframe.D1, "2024-02-28", 2, "2024-03-01"),
    ],
)
def test_steps_cross_the_ends_of_months_and_years(
    timeframe: Timeframe, opened: str, steps: int, expected: str
) -> None:
    assert utc(timeframe.shift(ms(opened), steps)) == utc(ms(expected))


def test_months_before_1970_are_cut_there() -> None:
    assert Timeframe.MONTH.shift(ms("1970-02-01"), -50) == 0
