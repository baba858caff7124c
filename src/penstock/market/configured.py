"""What is collected when nothing is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


# What is meant where no exchange is named.
DEFAULT_EXCHANGE = "binance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What is collected when nothing is named: these symbols, else the `most_traded` ones with this quote, in these timeframes."""

    symbols: Sequence[str]
    timeframes: Sequence[str]
    exchange: str = DEFAULT_EXCHANGE
    quote: str = "USDT"
    most_traded: int = 50
