"""Parameters of a request, checked as Binance does, with its documented codes and sentences.

Codes: https://developers.binance.com/docs/binance-spot-api-docs/errors. Where the documentation
does not say when a code is used, the order is: unknown or repeated parameters, then each parameter
in the order of the endpoint's table.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.exchange import Window
from penstock.simulator.binance.info import LEGAL_SYMBOL
from penstock.simulator.binance.limits import WEIGHT_A_MINUTE

if TYPE_CHECKING:
    from collections.abc import Collection

    from penstock.simulator.binance.exchange import SimulatedExchange, SymbolSeries

# What is legal, in Binance's words: these are regular expressions of Java.
_SYMBOL = r"[\w\-._&&[^a-z]]{1,50}"
_SYMBOLS = rf"\[(\"{_SYMBOL}\"(,\"{_SYMBOL}\"){{0,}}){{0,1}}\]"
_NUMBER = "[0-9]{1,20}"
_LONGEST = 2**63 - 1
_FIRST_MICROSECOND = 10**14
_DEFAULT_LIMIT, _LARGEST_LIMIT = 500, 1000
_UTC = ("0", "00", "0:00", "00:00", "+0:00", "-0:00")
_STATUSES = ("TRADING", "HALT", "BREAK")


class QueryError(Exception):
    """Binance refuses the request, with `status` and its error body."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = msgspec.json.encode({"code": code, "msg": message})


def overweight() -> QueryError:
    """429, as under "-1003 TOO_MANY_REQUESTS" of the documented errors."""
    message = (
        f"Too much request weight used; current limit is {WEIGHT_A_MINUTE} request weight per "
        "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return QueryError(-1003, message, 429)


def banned(until_ms: int) -> QueryError:
    """418, from the same place."""
    message = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return QueryError(-1003, message, 418)


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a request, the exchange that it asks, and the simulated time."""

    exchange: SimulatedExchange
    values: dict[str, str]
    now_ms: int
    microseconds: bool

    def time(self, at_ms: int) -> int:
        """A moment in the unit that the client asked for."""
        return at_ms * 1000 if self.microseconds else at_ms

    def series(self) -> SymbolSeries:
        """The series of the mandatory `symbol`."""
        return self.known(self.text("symbol", _SYMBOL))

    def known(self, symbol: str) -> SymbolSeries:
        """The series of a symbol; -1121 when there is none."""
        series = self.exchange.find(symbol, self.now_ms)
        if series is None:
            raise QueryError(-1121, "Invalid symbol.")
        return series

    def symbols(self) -> list[str] | None:
        """The symbols of `symbols`, or the one of `symbol`; None when neither is sent."""
        if "symbol" in self.values and "symbols" in self.values:
            raise QueryError(-1128, "Combination of optional parameters invalid.")
        if "symbols" not in self.values:
            return [self.text("symbol", _SYMBOL)] if "symbol" in self.values else None
        listed = msgspec.json.decode(self.text("symbols", _SYMBOLS), type=list[str])
        if not listed:
            raise QueryError(-1105, "Parameter 'symbols' was empty.")
        if len(set(listed)) < len(listed):
            raise QueryError(-1151, "Symbol is present multiple times in the list.")
        return listed

    def status(self) -> str | None:
        """The optional `symbolStatus`."""
        status = self.values.get("symbolStatus")
        if status not in (None, *_STATUSES):
            raise QueryError(-1122, "Invalid symbolStatus.")
        return status

    def timeframe(self) -> Timeframe:
        """The mandatory `interval`; case matters."""
        interval = self.text("interval", ".*")
        try:
            return Timeframe(interval)
        except ValueError:
            raise QueryError(-1120, "Invalid interval.") from None

    def window(self) -> Window:
        """`startTime`, `endTime` and `limit`; a limit above 1000 counts as 1000."""
        start, end = self._moment("startTime"), self._moment("endTime")
        limit = self._number("limit")
        if limit == 0:
            raise QueryError(-1130, "Data sent for parameter 'limit' is not valid.")
        return Window(start, end, min(limit or _DEFAULT_LIMIT, _LARGEST_LIMIT))

    def check_utc(self) -> None:
        """Refuse another `timeZone`: all candles here are of UTC."""
        if self.values.get("timeZone", "0") not in _UTC:
            raise QueryError(-1130, "Data sent for parameter 'timeZone' is not valid.")

    def text(self, name: str, legal: str) -> str:
        """A mandatory parameter that matches `legal`."""
        if name not in self.values:
            message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
            raise QueryError(-1102, message)
        value = self.values[name]
        if not value:
            raise QueryError(-1105, f"Parameter '{name}' was empty.")
        if not re.fullmatch(legal.replace(_SYMBOL, LEGAL_SYMBOL), value):
            message = f"Illegal characters found in parameter '{name}'; legal range is '^{legal}$'."
            raise QueryError(-1100, message)
        return value

    def _moment(self, name: str) -> int | None:
        """A time in ms; the documentation allows microseconds too."""
        value = self._number(name)
        return value // 1000 if value is not None and value >= _FIRST_MICROSECOND else value

    def _number(self, name: str) -> int | None:
        if name not in self.values:
            return None
        value = int(self.text(name, _NUMBER))
        if value > _LONGEST:
            raise QueryError(-1108, f"Parameter '{name}' overflowed.")
        return value


def parameters(query_string: str, known: Collection[str]) -> dict[str, str]:
    """The decoded parameters, each of which is known and sent once."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        name = next(name for name, count in counts.items() if count > 1)
        raise QueryError(-1101, f"Duplicate values for parameter '{name}'.")
    read = sum(name in known for name in values)
    if read < len(values):
        sent = f"read '{read}' parameter(s) but was sent '{len(values)}'"
        raise QueryError(-1104, f"Not all sent parameters were read; {sent}.")
    return values
