"""What verify finds, where, and what became of it. Times are ms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.market.candle import Candle


class FindingKind(StrEnum):
    """What is wrong in a range of a series."""

    MISSING = "missing"
    OUTSIDE = "outside"
    NOT_FINAL = "not_final"
    OFF_GRID = "off_grid"
    IMPOSSIBLE = "impossible"
    SUMS = "sums"
    DIFFERENT = "different"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"


MEANINGS: dict[FindingKind, str] = {
    FindingKind.MISSING: "the ledger says stored, but the candle is not there",
    FindingKind.OUTSIDE: "a closed candle is stored where the ledger does not say so",
    FindingKind.NOT_FINAL: "the ledger says stored, but the candle is still open",
    FindingKind.OFF_GRID: "a candle opens off the grid, inside the one before it",
    FindingKind.IMPOSSIBLE: "no candle can have these values",
    FindingKind.SUMS: "a candle and the finer candles in its range do not add up",
    FindingKind.DIFFERENT: "the exchange has other values",
    FindingKind.MISSING_HERE: "the exchange has the candle, but it is not stored",
    FindingKind.MISSING_THERE: "the exchange, asked twice, does not have the candle",
}


class Standing(StrEnum):
    """What became of a finding: it is still wrong, the exchange itself says so, or it is mended."""

    WRONG = "wrong"
    TOLD = "told"
    MENDED = "mended"


@dataclass(slots=True)
class VerifyFinding:
    """A fault in `count` candles in `start ≤ t < end`; `there` is what the exchange has."""

    kind: FindingKind
    start: int
    end: int
    detail: str = ""
    count: int = 1
    there: Candle | None = None
    standing: Standing = Standing.WRONG
