"""Instruments and series: what can be collected, and the names that users give it."""

from __future__ import annotations

import difflib
import re
import string
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


SPOT = "spot"


class PriceKind(StrEnum):
    """What the prices of a candle are: of trades, mark, index, or premium of mark over index."""

    LAST = "last"
    MARK = "mark"
    INDEX = "index"
    PREMIUM = "premium"


class Status(StrEnum):
    """Whether an instrument trades now."""

    TRADING = "trading"
    HALTED = "halted"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What an exchange trades on one of its markets, by its native symbol, such as `BTCUSDT`.

    The unified symbol is `BTC/USDT` on the market `spot`, and `BTC/USDT:USDT` on `um`, whose
    contracts are settled in the quote currency. `gone`: the exchange has dropped it from its list,
    which alone does not mean that it is delisted.
    """

    exchange: str
    native_symbol: str
    base: str
    quote: str
    status: Status
    market: str = SPOT
    gone: bool = False

    @property
    def symbol(self) -> str:
        """The unified symbol."""
        pair = f"{self.base}/{self.quote}"
        return pair if self.market == SPOT else f"{pair}:{self.quote}"


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """An instrument in one timeframe, with candles of one price kind.

    `asked` is the name that the user gave it.
    """

    instrument: Instrument
    timeframe: Timeframe
    asked: str | None = field(default=None, compare=False)
    price_kind: PriceKind = PriceKind.LAST

    @property
    def resource(self) -> str:
        """The name under which a run claims the series."""
        return f"series:{self.instrument.exchange}:{self.instrument.native_symbol}:{self.timeframe}"

    def __str__(self) -> str:
        return f"{self.asked or self.instrument.symbol} {self.timeframe}"


_TIMEFRAMES = [timeframe.value for timeframe in Timeframe]


def parse_timeframes(names: Sequence[str], *, field: str = "timeframe") -> list[Timeframe]:
    """The named timeframes, each once; InvalidInputError names the field and the nearest ones."""
    for name in names:
        if name not in _TIMEFRAMES:
            same = [other for other in _TIMEFRAMES if other.lower() == name.lower()]
            close = difflib.get_close_matches(name, _TIMEFRAMES, n=3, cutoff=0.3)
            near = same or close or _TIMEFRAMES
            raise InvalidInputError(
                f"{field}: unknown timeframe {name[:40]!r}; use one of {', '.join(near)}",
                field=field,
            )
    return [Timeframe(name) for name in dict.fromkeys(names)]


def check_symbol(name: str, *, field: str = "symbol") -> None:
    """InvalidInputError for a name that no instrument can have, whatever exchanges list."""
    base, slash, quote = name.partition("/")
    if not _NAME.fullmatch(base) or (slash and not _NAME.fullmatch(quote)):
        raise InvalidInputError(
            f"{field}: {name[:40]!r} cannot be a symbol; write it like BTC/USDT", field=field
        )


def folded(name: str) -> str:
    """A name with its ASCII letters in capitals: the same for all spellings of a name."""
    return name.strip().translate(_CAPITALS)


_NAME = re.compile(r"[^\s/,]{1,50}")
_USUAL_QUOTE = "USDT"
_CAPITALS = {ord(letter): letter.upper() for letter in string.ascii_lowercase}


class Directory:
    """Instruments by the names that users give them: unified or native, exact or in any case."""

    def __init__(self, known: Iterable[Instrument]) -> None:
        self._folded: dict[str, dict[str, Instrument]] = {}
        for instrument in known:
            for name in (instrument.native_symbol, instrument.symbol):
                self._folded.setdefault(folded(name), {})[name] = instrument

    def knows(self, name: str) -> bool:
        """Whether some instrument has the name, in any case."""
        return folded(name) in self._folded

    def find(self, name: str, *, field: str = "symbol") -> tuple[Instrument, str]:
        """The instrument and its exact name.

        InvalidInputError names the nearest ones, or what an ambiguous spelling could mean.
        """
        asked = name.strip()
        spelled = self._folded.get(folded(asked), {})
        if asked in spelled:
            return spelled[asked], asked
        if not spelled:
            raise InvalidInputError(f"{field}: {self._unknown(asked)}", field=field)
        if len(spelled) > 1:
            could = " or ".join(sorted(spelled))
            raise InvalidInputError(
                f"{field}: {asked[:40]!r} could mean {could}; write the exact name", field=field
            )
        [(written, instrument)] = spelled.items()
        return instrument, written

    def _unknown(self, name: str) -> str:
        matches = difflib.get_close_matches(folded(name), self._folded, n=6, cutoff=0.6)
        near = (
            instrument.symbol for match in matches for instrument in self._folded[match].values()
        )
        symbols = list(dict.fromkeys([*self._with_base(folded(name)), *near]))[:3]
        hint = (
            f"did you mean {', '.join(symbols)}?"
            if symbols
            else "use one that the exchange lists, such as BTC/USDT"
        )
        return f"unknown symbol {name[:40]!r}; {hint}"

    def _with_base(self, base: str) -> list[str]:
        """The symbols of a base asset, those in USDT first: `BTC` probably means BTC/USDT."""
        named = chain.from_iterable(spelled.values() for spelled in self._folded.values())
        found = {instrument.symbol: instrument for instrument in named if instrument.base == base}
        return sorted(found, key=lambda symbol: found[symbol].quote != _USUAL_QUOTE)


def unlisted(names: Sequence[str], known: Iterable[Instrument]) -> list[str]:
    """What is wrong with each name that is none of an instrument that is listed."""
    directory = Directory(one for one in known if not one.gone)
    problems = []
    for name in names:
        try:
            directory.find(name)
        except InvalidInputError as error:
            problems.append(str(error).partition(": ")[2])
    return problems


def name_instruments(
    names: Sequence[str], known: Iterable[Instrument], *, field: str = "symbol"
) -> dict[Instrument, str]:
    """The named instruments, each with the first name that it was asked for.

    InvalidInputError as in `Directory.find`.
    """
    directory = Directory(known)
    found: dict[Instrument, str] = {}
    for name in names:
        instrument, written = directory.find(name, field=field)
        found.setdefault(instrument, written)
    return found
