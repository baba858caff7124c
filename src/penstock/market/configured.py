"""What is collected when nothing is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
