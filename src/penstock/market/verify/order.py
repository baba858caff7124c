"""What to verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError
from penstock.market.instrument import parse_timeframes
from penstock.market.timeline import END_OF_TIME, TimeRange

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOrder:
    """What to verify; without symbols, timeframes or an exchange, everything that is stored.

    `start` and `end` (ms) bound it. `against` is `none` or `rest`; `sample` limits that to so many
    pages, drawn with `seed`; `repair` mends what differs.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str | None = None
    start: int | None = None
    end: int | None = None
    sample: int | None = None
    seed: int | None = None
    against: str = "none"
    repair: bool = False

    @property
    def edges(self) -> TimeRange:
        """What is verified opens in `start ≤ t < end`."""
        return self.start or 0, END_OF_TIME if self.end is None else self.end

    @property
    def compares(self) -> bool:
        """Whether it is compared with the exchange."""
        return self.against == "rest"

    @property
    def asks(self) -> bool:
        """Whether the exchange is asked at all."""
        return self.compares or self.repair

    def refuse_bad(self) -> None:
        """InvalidInputError for an order that can never be verified."""
        if self.against == "archive":
            raise InvalidInputError(
                "against: comparing with the exchange's archive is not available yet;"
                " use rest, which asks its API",
                field="against",
            )
        if self.against not in {"none", "rest"}:
            raise InvalidInputError(
                f"against: {self.against[:40]!r} is not known; use rest to compare with the"
                " exchange's API, or none",
                field="against",
            )
        if self.sample is not None and not self.compares:
            raise InvalidInputError(
                "sample: only a comparison with the exchange can be sampled;"
                " add against rest, or leave the sample out",
                field="sample",
            )
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise InvalidInputError(
                "end: it is not after the start; give a later time", field="end"
            )
        parse_timeframes(self.timeframes or (), field="timeframes")
