"""Which rows are accepted, by exact decimal arithmetic, and why others are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.market.candle import Candle, accept
from penstock.market.timeframe import Timeframe
from tests.market_builders import MINUTE, ORIGIN, candle

_END = ORIGIN + 1_000 * MINUTE
_VALUES = ("open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote")

# Digits that a market can send: up to 24, 18 of them after the point, with trailing zeros.
amounts = st.builds(
    lambda number, places: f"{Decimal(number).scaleb(-places):f}",
    st.integers(0, 10**24 - 1),
    st.integers(0, 18),
)
# Twenty digits that differ in the last few, beyond the precision of a double.
close_amounts = st.integers(0, 999).map(lambda last: f"12345678901234567.{last:03d}")


@st.composite
def prices(draw: st.DrawFn, source: st.SearchStrategy[str]) -> dict[str, str]:
    """Four prices in the order that a candle requires."""
    low, first, second, high = sorted((draw(source) for _ in range(4)), key=Decimal)
    opened, closed = draw(st.permutations([first, second]))
    return {"low": low, "open": opened, "close": closed, "high": high}


def faults(*rows: Candle, timeframe: Timeframe = Timeframe.M1, end: int = _END) -> list[str]:
    return [row.reason for row in accept(rows, timeframe, start=ORIGIN, end=end)[1]]


@given(
    prices(amounts) | prices(close_amounts),
    amounts,
    amounts,
    amounts,
    amounts,
    st.integers(0, 2**63 - 1),
)
def test_a_valid_row_is_never_refused_whatever_its_digits(
    ohlc: dict[str, str], volume: str, quote: str, taker: str, taker_quote: str, trades: int
) -> None:
    row = candle(
        volume=volume,
        quote_volume=quote,
        taker_base=taker,
        taker_quote=taker_quote,
        trades=trades,
        **ohlc,
    )
    assert accept([row], Timeframe.M1, start=ORIGIN, end=_END) == ([row], [])


@given(*[close_amounts | amounts] * 4)
def test_a_row_is_accepted_exactly_when_its_prices_are_in_order_to_the_last_digit(
    low: str, opened: str, close: str, high: str
) -> None:
    ordered = (
        Decimal(low)
        <= min(Decimal(opened), Decimal(close))
        <= max(Decimal(opened), Decimal(close))
        <= Decimal(high)
    )
    assert faults(candle(low=low, open=opened, close=close, high=high)) == (
        [] if ordered else ["high_below_low"]
    )


def test_a_high_below_open_by_less_than_double_precision_is_refused() -> None:
    row = candle(low="1", open="12345678901234567.891", close="2", high="12345678901234567.890")
    assert faults(row) == ["high_below_low"]


@pytest.mark.parametrize("name", _VALUES)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("-Infinity", "not_a_number"),
        ("", "not_a_number"),
        ("1e5", "not_a_number"),
        ("+1", "not_a_number"),
        ("1.", "not_a_number"),
        (".5", "not_a_number"),
        ("1,5", "not_a_number"),
        ("1 ", "not_a_number"),
        ("1\n", "not_a_number"),
        ("0x10", "not_a_number"),
        ("1_000", "not_a_number"),
        ("١٢٣", "not_a_number"),
        ("1\t2", "not_a_number"),
        ("\\N", "not_a_number"),
        ("1" * 25, "not_a_number"),
        ("0." + "1" * 31, "not_a_number"),
        ("-1", "negative"),
        ("-0.5", "negative"),
        ("--1", "not_a_number"),
    ],
)
def test_an_invalid_amount_is_refused_with_its_name(name: str, value: str, reason: str) -> None:
    _, [bad] = accept([candle(**{name: value})], Timeframe.M1, start=ORIGIN, end=_END)
    assert bad.reason == reason
    assert bad.detail.startswith(f"{name} is ")


@given(st.sampled_from(_VALUES), st.text(max_size=50))
def test_any_text_is_accepted_as_an_amount_or_refused_without_an_exception(
    name: str, value: str
) -> None:
    good, bad = accept([candle(**{name: value})], Timeframe.M1, start=ORIGIN, end=_END)
    assert len(good) + len(bad) == 1
    if good:
        assert Decimal(value) >= 0


@given(
    st.lists(
        st.dictionaries(st.sampled_from(_VALUES), st.text("0159.,-e\n", max_size=6), max_size=3),
        min_size=2,
        max_size=5,
    )
)
def test_a_row_is_judged_independently_of_the_other_rows_of_its_page(
    pages: list[dict[str, str]],
) -> None:
    rows = [candle(ORIGIN + place * MINUTE, **values) for place, values in enumerate(pages)]
    good, bad = accept(rows, Timeframe.M1, start=ORIGIN, end=_END)
    alone = [accept([row], Timeframe.M1, start=ORIGIN, end=_END) for row in rows]
    assert good == [row for accepted, _ in alone for row in accepted]
    assert bad == [row for _, rejected in alone for row in rejected]


@pytest.mark.parametrize(
    ("given_fields", "reason"),
    [
        (
            {"open_time": ORIGIN * 1_000, "close_time": (ORIGIN + MINUTE) * 1_000 - 1},
            "microseconds",
        ),
        ({"open_time": _END, "close_time": _END + MINUTE - 1}, "future"),
        ({"open_time": ORIGIN - 1}, "duplicate"),
        ({"open_time": ORIGIN - MINUTE}, "out_of_order"),
        ({"open_time": -5}, "out_of_order"),
        ({"close_time": ORIGIN - 1}, "bad_close_time"),
        ({"close_time": ORIGIN + MINUTE + 1}, "bad_close_time"),
        ({"close_time": 10**30}, "bad_close_time"),
        ({"open_time": 10**30}, "microseconds"),
        ({"trades": -1}, "negative"),
        ({"trades": 2**63}, "not_a_number"),
        ({"trades": 10**30}, "not_a_number"),
        ({"high": "89"}, "high_below_low"),
        ({"low": "101"}, "high_below_low"),
        ({"open": "111"}, "high_below_low"),
        ({"close": "89.99999999"}, "high_below_low"),
    ],
)
def test_each_kind_of_bad_row_has_its_reason(given_fields: dict[str, Any], reason: str) -> None:
    [found] = faults(candle(**({"close_time": ORIGIN + MINUTE - 1} | given_fields)))
    assert found == reason


def test_a_row_that_occurs_twice_is_stored_once() -> None:
    good, bad = accept(
        [candle(), candle(), candle(ORIGIN + MINUTE)], Timeframe.M1, start=ORIGIN, end=_END
    )
    assert [row.open_time for row in good] == [ORIGIN, ORIGIN + MINUTE]
    assert [row.reason for row in bad] == ["duplicate"]


def test_a_row_out_of_order_is_refused_and_the_rows_after_it_are_accepted() -> None:
    late = candle(ORIGIN)
    good, bad = accept(
        [candle(ORIGIN + MINUTE), late, candle(ORIGIN + 2 * MINUTE)],
        Timeframe.M1,
        start=ORIGIN,
        end=_END,
    )
    assert [row.open_time for row in good] == [ORIGIN + MINUTE, ORIGIN + 2 * MINUTE]
    assert [(row.reason, row.open_time) for row in bad] == [("out_of_order", ORIGIN)]


def test_a_refused_row_does_not_hide_the_good_ones_around_it() -> None:
    future = candle(_END + MINUTE)
    good, bad = accept(
        [candle(ORIGIN), future, candle(ORIGIN + MINUTE)], Timeframe.M1, start=ORIGIN, end=_END
    )
    assert [row.open_time for row in good] == [ORIGIN, ORIGIN + MINUTE]
    assert [row.reason for row in bad] == ["future"]


def test_a_misaligned_candle_of_the_right_length_is_accepted() -> None:
    opened = ORIGIN + 28 * MINUTE + 15_000
    row = candle(opened, close_time=Timeframe.H1.floor(opened) + Timeframe.H1.longest_ms - 1)
    assert faults(row, timeframe=Timeframe.H1) == []


def test_a_month_can_have_any_length_up_to_31_days() -> None:
    february = candle(1_706_745_600_000, close_time=1_709_251_200_000 - 1)
    assert accept([february], Timeframe.MONTH, start=february.open_time, end=2 * ORIGIN) == (
        [february],
        [],
    )


def test_a_refused_row_keeps_the_sent_text() -> None:
    bad = candle(volume="-1")
    _, [rejected] = accept([bad], Timeframe.M1, start=ORIGIN, end=_END)
    assert msgspec.json.decode(rejected.raw) == msgspec.to_builtins(bad)
    assert rejected.open_time == ORIGIN


@pytest.mark.parametrize("value", ["\ud800", "1\x00", "\U0001f4a9"])
def test_a_value_that_cannot_be_written_as_json_does_not_break_the_page(value: str) -> None:
    good, bad = accept(
        [candle(close=value), candle(ORIGIN + MINUTE)], Timeframe.M1, start=ORIGIN, end=_END
    )
    assert [row.open_time for row in good] == [ORIGIN + MINUTE]
    assert [row.reason for row in bad] == ["not_a_number"]
