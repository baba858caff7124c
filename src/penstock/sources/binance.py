"""Binance spot market data over REST.

Wire facts: https://developers.binance.com/docs/binance-spot-api-docs/rest-api (weights, errors, range rule).
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from penstock.errors import SourceRefusedError, SourceUnavailableError
from penstock.http.client import HttpClient, HttpHabits
from penstock.http.governor import Governor
from penstock.market.candle import Candle, Rejected
from penstock.market.instrument import Instrument, Status
from penstock.market.source import Declaration, Limit, PageAnswer, PageRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from penstock.http.governor import Wait
    from penstock.market.source import SourceConfig

T = TypeVar("T")

_URL = "https://api.binance.com"
# Market data only, which is all that is asked for, and also for places that the first one refuses.
_ELSEWHERE = "https://data-api.binance.vision"
_BAD_REQUEST = 400
_FIREWALL, _REGION = 403, 451
_WEIGHT_PER_MINUTE = 6_000
_MS_INCLUSIVE = 1
_MS_BOUND = 2**62
_RAW_CHARS = 2_000
_WEIGHT = {
    "/api/v3/time": 1,
    "/api/v3/exchangeInfo": 20,
    "/api/v3/klines": 2,
    "/api/v3/ticker/24hr": 80,
}
_VOLUME = re.compile(r"[0-9]{1,24}(\.[0-9]{1,18})?")
_STATUS = {"TRADING": Status.TRADING, "BREAK": Status.DELISTED}


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815 - the wire's name


class _Symbol(msgspec.Struct):
    symbol: str
    status: str
    baseAsset: str  # noqa: N815 - the wire's name
    quoteAsset: str  # noqa: N815 - the wire's name


class _Ticker(msgspec.Struct):
    symbol: str
    quoteVolume: str | float | None = None  # noqa: N815 - the wire's name


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Symbol]


_decode_time = msgspec.json.Decoder(_Time, strict=False)
_decode_info = msgspec.json.Decoder(_ExchangeInfo)
_decode_tickers = msgspec.json.Decoder(list[_Ticker])
_decode_candles = msgspec.json.Decoder(list[Candle])


class BinanceSource:
    """The spot exchange; see MarketSource for what each method promises."""

    declaration = Declaration(
        name="binance",
        page_limit=1_000,
        limit=Limit(amount=_WEIGHT_PER_MINUTE, page=_WEIGHT["/api/v3/klines"], currency="weight"),
        hosts=("binance.com", "binance.vision"),
    )

    def __init__(self, config: SourceConfig) -> None:
        weight = config.limit_per_window or _WEIGHT_PER_MINUTE
        self.pages_per_minute = weight // _WEIGHT["/api/v3/klines"]
        # An exchange is reached by https; who answers without it plays one, maybe of another day.
        self.in_our_time = (config.base_url or _URL).startswith("https:")
        self._governor = Governor(weight, config.budget)
        habits = HttpHabits(
            weight_header="X-MBX-USED-WEIGHT-1M",
            means=_meanings(config.base_url or _ELSEWHERE),
            bars=frozenset({_FIREWALL, _REGION}),
            # Who has chosen an address himself wants no other.
            elsewhere="" if config.base_url else _ELSEWHERE,
        )
        self._http = HttpClient(config.base_url or _URL, self._governor, config.http, habits)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    def waiting(self) -> Wait | None:
        """See MarketSource."""
        return self._http.waiting

    @property
    def way(self) -> str:
        """See MarketSource."""
        return self._http.way

    async def server_time(self) -> int:
        """The exchange's clock, ms."""
        return (await self._get("/api/v3/time", _decode_time)).serverTime

    async def instruments(self) -> Sequence[Instrument]:
        """Everything listed; BREAK is how Binance marks a symbol that was taken off."""
        info = await self._listing()
        return [
            Instrument(
                exchange=self.declaration.name,
                native_symbol=symbol.symbol,
                base=symbol.baseAsset,
                quote=symbol.quoteAsset,
                status=_STATUS.get(symbol.status, Status.HALTED),
            )
            for symbol in info.symbols
        ]

    async def _listing(self) -> _ExchangeInfo:
        """The sets of permissions make nine tenths of the list and are not needed; since 2024-10 it can come without them."""
        path = "/api/v3/exchangeInfo"
        try:
            return await self._get(path, _decode_info, {"showPermissionSets": "false"})
        except SourceRefusedError as error:
            # A Binance of another house (Binance.US) may not know the parameter: -1104.
            if error.status != _BAD_REQUEST:
                raise
        return await self._get(path, _decode_info)

    async def volumes(self) -> Mapping[str, float]:
        """See MarketSource; what Binance calls quoteVolume."""
        tickers = await self._get("/api/v3/ticker/24hr", _decode_tickers)
        return {
            ticker.symbol: float(ticker.quoteVolume)
            for ticker in tickers
            if ticker.quoteVolume is not None and _is_volume(ticker.quoteVolume)
        }

    async def candles(self, request: PageRequest) -> PageAnswer:
        """One page; both ends of Binance's range are inclusive and mean open times."""
        params = {
            "symbol": request.series.instrument.native_symbol,
            "interval": request.series.timeframe.value,
            "limit": str(request.limit),
        }
        if request.start is not None:
            params["startTime"] = str(request.start)
        if request.end is not None:
            params["endTime"] = str(request.end - _MS_INCLUSIVE)
        path = "/api/v3/klines"
        return await self._http.get(path, params, weight=_WEIGHT[path], decode=_candles)

    async def _get(
        self, path: str, decoder: msgspec.json.Decoder[T], params: Mapping[str, str] | None = None
    ) -> T:
        def decode(body: bytes) -> T:
            try:
                return decoder.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise _unreadable(path, body, error) from error

        return await self._http.get(path, params or {}, weight=_WEIGHT[path], decode=decode)


def _meanings(url: str) -> Mapping[int, str]:
    """What to do about a refusal of the place that the requests come from, at this address."""
    way_out = "set PENSTOCK_PROXY to a proxy elsewhere"
    if not url.startswith(_ELSEWHERE):
        way_out = (
            f"set PENSTOCK_BINANCE_URL to {_ELSEWHERE}, which serves market data only, or {way_out}"
        )
    return {
        _REGION: f"Binance does not serve the place that this request comes from: {way_out}",
        _FIREWALL: f"Binance's firewall refuses the address that this request comes from, maybe for a while only: {way_out}",
    }


def _is_volume(given: str | float) -> bool:
    return _VOLUME.fullmatch(given) is not None if isinstance(given, str) else 0 <= given < math.inf


def _candles(body: bytes) -> PageAnswer:
    try:
        return PageAnswer(_decode_candles.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _row_by_row(body)


def _row_by_row(body: bytes) -> PageAnswer:
    """The slow way for an answer in which something is wrong: refuse the rows that cannot be decoded, keep the rest.

    The standard library's parser is used because it also reads the bare NaN and Infinity that no JSON allows and some servers send.
    """
    try:
        rows: Any = json.loads(body, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise _unreadable("/api/v3/klines", body, error) from error
    if not isinstance(rows, list):
        raise _unreadable("/api/v3/klines", body, TypeError("not an array of rows"))
    candles: list[Candle] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            candles.append(_candle(row))
        except (msgspec.ValidationError, OverflowError) as error:
            rejected.append(
                Rejected("malformed", str(error), json.dumps(row)[:_RAW_CHARS], _opened(row))
            )
    return PageAnswer(candles, rejected)


def _candle(row: object) -> Candle:
    """A row whose times may be text and whose amounts may be numbers: each means what it says, digit by digit."""
    given = (
        [str(value) if type(value) is int else value for value in row]
        if isinstance(row, list)
        else row
    )
    return msgspec.convert(given, Candle, strict=False)


def _opened(row: object) -> int | None:
    """Where a row that cannot be read would open, if that can be."""
    try:
        opened = (
            msgspec.convert(row[0], int, strict=False) if isinstance(row, list) and row else None
        )
    except msgspec.ValidationError:
        return None
    return opened if opened is not None and abs(opened) < _MS_BOUND else None


def _unreadable(path: str, body: bytes, error: Exception) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"GET {path}: the answer is not what Binance documents ({error}): {body[:120].decode('utf-8', 'replace')}"
    )
