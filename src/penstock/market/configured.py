"""What is collected when nothing is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The exchange of an order or a config that names none.
DEFAULT_EXCHANGE = "binance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The default series: these symbols in these timeframes.

    `symbols` None: the `most_traded` ones with this quote currency.
    """

    symbols: Sequence[str] | None
    timeframes: Sequence[str]
    exchange: str = DEFAULT_EXCHANGE
    quote: str = "USDT"
    most_traded: int = 50

    @property
    def is_none(self) -> bool:
        """Whether the user wants no default series."""
        return self.symbols is not None and not self.symbols

    @property
    def params(self) -> dict[str, object]:
        """The params of the default schedule, so that every process sees what it collects."""
        symbols = None if self.symbols is None else list(self.symbols)
        return {
            "exchange": self.exchange,
            "symbols": symbols,
            "timeframes": list(self.timeframes),
        }

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The series of a default schedule's `params`."""
        return cls(
            exchange=params["exchange"],
            symbols=params["symbols"],
            timeframes=params["timeframes"],
        )
