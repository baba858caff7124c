"""What verify finds, where, and what became of it. Times are ms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.market.candle import Candle


class Kind(StrEnum):
    """What is wrong at a place of a series."""

    MISSING = "missing"
    OUTSIDE = "outside"
    NOT_FINAL = "not_final"
    OFF_GRID = "off_grid"
    IMPOSSIBLE = "impossible"
    SUMS = "sums"
    DIFFERENT = "different"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"


MEANINGS: dict[Kind, str] = {
    Kind.MISSING: "the ledger says stored, and the candle is not there",
    Kind.OUTSIDE: "a closed candle stands where the ledger does not say stored",
    Kind.NOT_FINAL: "the ledger says stored, and the candle is still open",
    Kind.OFF_GRID: "a candle opens off the grid, inside of the one before it",
    Kind.IMPOSSIBLE: "values that no candle can have",
    Kind.SUMS: "a candle and the finer candles in its range do not add up",
    Kind.DIFFERENT: "the exchange has other values",
    Kind.MISSING_HERE: "the exchange has the candle, and it is not stored",
    Kind.MISSING_THERE: "the exchange, asked twice, does not have the candle",
}


class Standing(StrEnum):
    """What became of a finding: it still stands, the exchange itself says so, or it was mended."""

    WRONG = "wrong"
    TOLD = "told"
    MENDED = "mended"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in `start ≤ t < end` of a series; `count` candles are concerned. `there` is what the exchange has."""

    kind: Kind
    start: int
    end: int
    detail: str = ""
    count: int = 1
    there: Candle | None = None
