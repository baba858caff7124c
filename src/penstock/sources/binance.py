"""Binance spot market data over REST.

Wire facts (weights, errors, range rule):
https://developers.binance.com/docs/binance-spot-api-docs/rest-api
"""

from __future__ import annotations

import json
import math
import re
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.errors import SourceRefusedError
from penstock.http.client import HttpClient, HttpHabits
from penstock.http.decoding import LIST_BYTES
from penstock.http.governor import Governor
from penstock.http.source import HttpSource, rows_of
from penstock.market.candle import Candle, Rejected
from penstock.market.instrument import Instrument, Status
from penstock.market.source import Declaration, Limit, PageAnswer, PageRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.market.source import SourceConfig

_URL = "https://api.binance.com"
# Market data only, also for regions that the first address refuses.
_PUBLIC_DATA_URL = "https://data-api.binance.vision"
_BAD_REQUEST = 400
_FIREWALL, _REGION = 403, 451
_WEIGHT_PER_MINUTE = 6_000
_MS_INCLUSIVE = 1
_MS_BOUND = 2**62
_RAW_CHARS = 2_000
_MOST_DIGITS = 40
_PAGE_WEIGHT = 2
_LISTING_WEIGHT = 20
_VOLUMES_WEIGHT = 80
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
    symbols: msgspec.Raw


class _Opened(msgspec.Struct, array_like=True):
    open_time: int


_time = msgspec.json.Decoder(_Time, strict=False).decode
_exchange_info = msgspec.json.Decoder(_ExchangeInfo).decode
_symbol = msgspec.json.Decoder(_Symbol).decode
_ticker = msgspec.json.Decoder(_Ticker).decode
_rows = msgspec.json.Decoder(list[Candle]).decode


class BinanceSource(HttpSource):
    """The spot exchange, a MarketSource."""

    documented_by = "Binance"
    declaration = Declaration(
        name="binance",
        page_limit=1_000,
        limit=Limit(amount=_WEIGHT_PER_MINUTE, page=_PAGE_WEIGHT, currency="weight"),
        hosts=("binance.com", "binance.vision"),
    )

    def __init__(self, config: SourceConfig) -> None:
        weight = config.limit_per_window or _WEIGHT_PER_MINUTE
        self.pages_per_minute = weight // _PAGE_WEIGHT
        # Real exchanges use https; a simulator without it may replay another day.
        self.real_time = (config.base_url or _URL).startswith("https:")
        habits = HttpHabits(
            weight_header="X-MBX-USED-WEIGHT-1M",
            advice=_advice(config.base_url or _PUBLIC_DATA_URL),
            blocked_statuses=frozenset({_FIREWALL, _REGION}),
            # A configured address gets no fallback.
            fallback_url="" if config.base_url else _PUBLIC_DATA_URL,
        )
        governor = Governor(weight, config.budget)
        super().__init__(HttpClient(config.base_url or _URL, governor, config.http, habits))

    async def server_time(self) -> int:
        """The exchange's clock, ms."""
        return (await self._get("/api/v3/time", _time)).serverTime

    async def instruments(self) -> Sequence[Instrument]:
        """Everything listed; Binance marks a delisted symbol as BREAK.

        Without the permission sets of the symbols, which make up nine tenths of the list.
        """
        ask = partial(
            self._get,
            "/api/v3/exchangeInfo",
            _listed,
            weight=_LISTING_WEIGHT,
            most_bytes=LIST_BYTES,
        )
        try:
            return await ask({"showPermissionSets": "false"})
        except SourceRefusedError as error:
            # Binance.US may not know the parameter: -1104.
            if error.status != _BAD_REQUEST:
                raise
        return await ask()

    async def volumes(self) -> Mapping[str, float]:
        """The quote volume of the last 24 hours by native symbol."""
        return await self._get(
            "/api/v3/ticker/24hr", _volumes, weight=_VOLUMES_WEIGHT, most_bytes=LIST_BYTES
        )

    async def candles(self, request: PageRequest) -> PageAnswer:
        """One page; Binance's range includes both ends and means open times."""
        params = {
            "symbol": request.series.instrument.native_symbol,
            "interval": request.series.timeframe.value,
            "limit": str(request.limit),
        }
        if request.start is not None:
            params["startTime"] = str(request.start)
        if request.end is not None:
            params["endTime"] = str(request.end - _MS_INCLUSIVE)
        decode = partial(_candles, limit=request.limit)
        return await self._get("/api/v3/klines", decode, params, weight=_PAGE_WEIGHT)


def _advice(url: str) -> Mapping[int, str]:
    """What to do when `url` refuses our address, by status."""
    fix = "set PENSTOCK_PROXY to a proxy elsewhere"
    if not url.startswith(_PUBLIC_DATA_URL):
        public = f"{_PUBLIC_DATA_URL}, which serves market data only"
        fix = f"set PENSTOCK_BINANCE_URL to {public}, or {fix}"
    return {
        _REGION: f"Binance does not serve the region of this request: {fix}",
        _FIREWALL: f"Binance's firewall refuses this address, perhaps temporarily: {fix}",
    }


def _listed(body: bytes) -> list[Instrument]:
    return [
        Instrument(
            exchange=BinanceSource.declaration.name,
            native_symbol=symbol.symbol,
            base=symbol.baseAsset,
            quote=symbol.quoteAsset,
            status=_STATUS.get(symbol.status, Status.HALTED),
        )
        for symbol in map(_symbol, rows_of(_exchange_info(body).symbols))
    ]


def _volumes(body: bytes) -> dict[str, float]:
    return {
        ticker.symbol: float(ticker.quoteVolume)
        for ticker in map(_ticker, rows_of(body))
        if ticker.quoteVolume is not None and _is_volume(ticker.quoteVolume)
    }


def _is_volume(given: str | float) -> bool:
    return _VOLUME.fullmatch(given) is not None if isinstance(given, str) else 0 <= given < math.inf


def _candles(body: bytes, limit: int) -> PageAnswer:
    try:
        return PageAnswer(_rows(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _row_by_row(body, limit)


def _row_by_row(body: bytes, limit: int) -> PageAnswer:
    """The slow path for a damaged answer: reject the rows that cannot be decoded, keep the rest.

    The standard library's parser also reads the bare NaN and Infinity that some servers send.
    """
    candles: list[Candle] = []
    rejected: list[Rejected] = []
    # One more than was asked for tells that the answer does not fit.
    for raw in islice(rows_of(body), limit + 1):
        # Python makes no number of too many digits, and no candle has one.
        row: Any = json.loads(raw, parse_float=str, parse_constant=str, parse_int=_integer)
        try:
            candles.append(_candle(row))
        except (msgspec.ValidationError, OverflowError) as error:
            rejected.append(
                Rejected("malformed", str(error), json.dumps(row)[:_RAW_CHARS], _opened(row))
            )
    return PageAnswer(candles, rejected)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _candle(row: object) -> Candle:
    """The candle of a row whose times may be text and whose amounts may be numbers."""
    given = (
        [str(value) if type(value) is int else value for value in row]
        if isinstance(row, list)
        else row
    )
    return msgspec.convert(given, Candle, strict=False)


def _opened(row: object) -> int | None:
    """The open time of a malformed row, if it can be read."""
    try:
        opened = msgspec.convert(row, _Opened, strict=False).open_time
    except msgspec.ValidationError:
        return None
    return opened if abs(opened) < _MS_BOUND else None
