"""Instruments and series: what can be collected, and the names users give it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Status(StrEnum):
    """Whether an instrument trades now."""

    TRADING = "trading"
    HALTED = "halted"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What an exchange trades: its own (native) symbol, `BTCUSDT`, and the unified one, `BTC/USDT`."""

    exchange: str
    native_symbol: str
    base: str
    quote: str
    status: Status
    market: str = "spot"

    @property
    def symbol(self) -> str:
        """The unified symbol."""
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What is collected: an instrument in one timeframe; `asked` is the name that the user gave it."""

    instrument: Instrument
    timeframe: Timeframe
    asked: str | None = field(default=None, compare=False)

    @property
    def resource(self) -> str:
        """The name under which a run claims the series."""
        return f"series:{self.instrument.exchange}:{self.instrument.native_symbol}:{self.timeframe}"

    def __str__(self) -> str:
        return f"{self.asked or self.instrument.symbol} {self.timeframe}"


def parse_timeframes(names: Sequence[str], *, field: str = "timeframe") -> list[Timeframe]:
    """The named timeframes without repetitions; InvalidInputError names the nearest valid ones, and the field that holds the names."""
    valid = [timeframe.value for timeframe in Timeframe]
    for name in names:
        if name not in valid:
            same = [one for one in valid if one.lower() == name.lower()]
            near = same or difflib.get_close_matches(name, valid, n=3, cutoff=0.3) or valid
            message = f"{field}: unknown timeframe {name[:40]!r}; use one of {', '.join(near)}"
            raise InvalidInputError(message, field=field)
    return [Timeframe(name) for name in dict.fromkeys(names)]


def find_instruments(names: Sequence[str], known: Iterable[Instrument], *, field: str = "symbol") -> list[Instrument]:
    """The named instruments (unified or native, any case) without repetitions.

    InvalidInputError names the nearest valid ones, and the field that holds the names.
    """
    return list(name_instruments(names, known, field=field))


def name_instruments(names: Sequence[str], known: Iterable[Instrument], *, field: str = "symbol") -> dict[Instrument, str]:
    """The same, each with the first name that it was asked for by."""
    by_name: dict[str, Instrument] = {}
    for instrument in known:
        by_name[instrument.native_symbol.upper()] = by_name[instrument.symbol.upper()] = instrument
    found: dict[Instrument, str] = {}
    for name in names:
        asked = name.strip().upper()
        if asked not in by_name:
            raise InvalidInputError(f"{field}: {_unknown_symbol(name, by_name)}", field=field)
        found.setdefault(by_name[asked], asked)
    return found


def _unknown_symbol(name: str, by_name: dict[str, Instrument]) -> str:
    near = difflib.get_close_matches(name.strip().upper(), by_name, n=6, cutoff=0.6)
    symbols = list(dict.fromkeys(by_name[match].symbol for match in near))[:3]
    hint = f"did you mean {', '.join(symbols)}?" if symbols else "use one that the exchange lists, such as BTC/USDT"
    return f"unknown symbol {name[:40]!r}; {hint}"
