"""The candle, and the rules by which one is accepted.

Prices and volumes are the exchange's own strings from the wire to the database: what is stored
never becomes a float or a Decimal.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from operator import lt
from typing import TYPE_CHECKING

import msgspec

from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from penstock.market.timeframe import Timeframe

# Enough digits for every amount that a market has quoted, also for one that went through a double
# (0.00010756000000000001 in real recordings); longer ones are garbage, not money.
_NUMBER = re.compile(r"[0-9]{1,24}(?:\.[0-9]{1,30})?")
_MICROSECONDS = 100_000_000_000_000
_MOST_TRADES = 2**63 - 1
TEXTS = ("open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote")
# What a candle has besides prices, if its source sends it.
AMOUNTS = frozenset({"volume", "quote_volume", "trades", "taker_base", "taker_quote"})
_EVERY_DIGIT_AS_0 = bytes.maketrans(b"123456789", b"000000000")


class Candle(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One step of a series. Times in ms UTC, `close_time` inclusive (open + step − 1).

    Numbers are as the exchange sent them, None if it does not send them. The fields are in the
    order of a Binance row, so that one is decoded as it is; other sources make one by name.
    """

    open_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    close_time: int
    quote_volume: str | None
    trades: int | None
    taker_base: str | None
    taker_quote: str | None


# A row refused for one of these is out of place: its open time does not say where it belongs.
MISPLACED = frozenset({"microseconds", "out_of_order", "future"})
_AT_THEIR_PLACE = frozenset(
    {"malformed", "negative", "not_a_number", "high_below_low", "bad_close_time"}
)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is not stored, the reason, and its text."""

    reason: str
    detail: str
    raw: str
    open_time: int | None = None

    @property
    def place(self) -> int | None:
        """The open time of the candle that the row should have been, if that is known."""
        return self.open_time if self.reason in _AT_THEIR_PLACE else None


def end_of(candle: Candle, timeframe: Timeframe) -> int:
    """Where the range of a candle ends: just after its close, or after its step if it has none."""
    if candle.close_time > candle.open_time:
        return candle.close_time + 1
    return timeframe.shift(candle.open_time, 1)


def accept(
    candles: Sequence[Candle],
    timeframe: Timeframe,
    *,
    start: int,
    end: int,
    columns: AbstractSet[str] = AMOUNTS,
) -> tuple[list[Candle], list[Rejected]]:
    """Split an ascending page into rows to store and rows to refuse.

    The request asked for rows that open in `start ≤ t < end`; without an asked end, `end` is just
    after the exchange's time. The source sends `columns` of each candle.
    """
    longest = timeframe.longest_ms
    prices = _shape([f"{c.open},{c.high},{c.low},{c.close}" for c in candles])
    # Where a column is missing, row by row is fast enough: that is not an answer of Binance.
    if (
        columns == AMOUNTS
        and _are_all_numbers(prices, 4 * len(candles))
        and _have_all_amounts(candles)
        and _are_in_time(candles, longest, start, end)
        and _are_ordered(candles, prices)
    ):
        return list(candles), []
    good: list[Candle] = []
    bad: list[Rejected] = []
    previous = start - 1
    for candle in candles:
        fault = (
            _time_fault(candle, previous, longest, end)
            or _text_fault(candle, columns)
            or _order_fault(candle, columns)
        )
        if fault is None:
            good.append(candle)
            previous = candle.open_time
        else:
            bad.append(reject(candle, *fault))
    return good, bad


def judged(row: Rejected, *, start: int, end: int) -> Rejected:
    """A row that could not be decoded, with its reason changed if it is out of place."""
    if row.open_time is None or start <= row.open_time < end:
        return row
    return replace(
        row,
        reason="future" if row.open_time >= end else "out_of_order",
        detail=f"{iso(row.open_time)} was not asked for; {row.detail}",
    )


def reject(candle: Candle, reason: str, detail: str) -> Rejected:
    """The candle as a refused row."""
    # The standard library's writer also takes half a surrogate pair, which a bad row may hold.
    raw = json.dumps(msgspec.structs.astuple(candle), separators=(",", ":"))
    return Rejected(reason, detail, raw, candle.open_time)


def _time_fault(candle: Candle, previous: int, longest: int, end: int) -> tuple[str, str] | None:
    opened = candle.open_time
    if previous < opened < end and 0 <= candle.close_time - opened <= longest:
        return None
    if opened >= _MICROSECONDS:
        return "microseconds", f"open_time {opened} is not in milliseconds"
    if opened == previous:
        return "duplicate", f"{iso(opened)} is in the page twice"
    if opened <= previous:
        return "out_of_order", f"{iso(opened)} comes after {iso(previous)}"
    if opened >= end:
        return "future", f"{iso(opened)} is not before {iso(end)}, where the answer must end"
    return (
        "bad_close_time",
        f"the close time {iso(candle.close_time)} does not fit the open time {iso(opened)}",
    )


def _are_in_time(candles: Sequence[Candle], longest: int, start: int, end: int) -> bool:
    """Whether no row of a page has a fault in its times or trades."""
    opens = [start - 1, *[candle.open_time for candle in candles], end]
    lengths = [candle.close_time - candle.open_time for candle in candles]
    trades = [candle.trades or 0 for candle in candles]
    ascending = all(map(lt, opens, islice(opens, 1, None)))
    return ascending and (
        not candles
        or (
            min(lengths) >= 0
            and max(lengths) <= longest
            and min(trades) >= 0
            and max(trades) <= _MOST_TRADES
        )
    )


def _have_all_amounts(candles: Sequence[Candle]) -> bool:
    amounts = _shape(
        [f"{c.volume},{c.quote_volume},{c.taker_base},{c.taker_quote}" for c in candles]
    )
    return _are_all_numbers(amounts, 4 * len(candles)) and None not in [c.trades for c in candles]


def _shape(rows: Sequence[str]) -> bytes:
    """The numbers of rows between commas, with every digit as 0; empty for other characters."""
    text = f",{','.join(rows)},"
    return text.encode("ascii").translate(_EVERY_DIGIT_AS_0) if text.isascii() else b""


def _are_all_numbers(shape: bytes, count: int) -> bool:
    """Whether these are `count` numbers, each with digits, a point and digits, none too long.

    Fast, and never wrong when True. A regular expression on each row would take as long as all the
    rest that happens to it on its way to the database.
    """
    return (
        shape.translate(None, b"0") == b",." * count + b","
        and b",." not in shape
        and b".," not in shape
        and b"0" * 25 not in shape
        and b"." + b"0" * 19 not in shape
    )


def _are_ordered(candles: Sequence[Candle], prices: bytes) -> bool:
    """Whether low ≤ open, close ≤ high holds for every row.

    Numbers with equally many digits before and after the point are in the order of their texts;
    parsing them takes three times as long.
    """
    unclear = candles
    digits = prices.partition(b".")[2].partition(b",")[0]
    if prices.count(b"." + digits + b",") == 4 * len(candles):
        unclear = [
            c
            for c in candles
            if not (
                len(c.low) == len(c.open) == len(c.close) == len(c.high)
                and c.low <= c.open <= c.high
                and c.low <= c.close <= c.high
            )
        ]
    return all(map(_is_ordered, unclear))


def _text_fault(candle: Candle, columns: AbstractSet[str]) -> tuple[str, str] | None:
    for name in TEXTS:
        value: str | None = getattr(candle, name)
        if value is None:
            if name in columns:
                return "not_a_number", f"{name} is missing"
            continue
        if _NUMBER.fullmatch(value) is None:
            reason = (
                "negative"
                if value.startswith("-") and _NUMBER.fullmatch(value[1:])
                else "not_a_number"
            )
            return reason, f"{name} is {value[:40]!r}"
    return None


def _order_fault(candle: Candle, columns: AbstractSet[str]) -> tuple[str, str] | None:
    trades = candle.trades
    if trades is None and "trades" in columns:
        return "not_a_number", "trades is missing"
    if trades is not None and not 0 <= trades <= _MOST_TRADES:
        return "negative" if trades < 0 else "not_a_number", f"trades is {trades}"
    if not _is_ordered(candle):
        between = f"open {candle.open}, close {candle.close}"
        detail = f"low {candle.low} ≤ {between} ≤ high {candle.high} does not hold"
        return "high_below_low", detail
    return None


def _is_ordered(candle: Candle) -> bool:
    prices = candle.low, candle.open, candle.close, candle.high
    low, first, last, high = map(float, prices)
    if low < first < high and low < last < high:
        # Fast, and never wrong: rounding to a double keeps a strict order or makes a tie.
        return True
    exact_low, *between, exact_high = map(Decimal, prices)
    return exact_low <= min(between) and max(between) <= exact_high
