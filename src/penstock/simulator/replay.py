"""Reads a folder of recorded data: Binance's CSV archives, recorded JSON answers, freqtrade's feather files. Other files are passed over.

| file | read as |
|---|---|
| `BTCUSDT-1m-2020-01-01.zip`, `.csv`, `.csv.gz`, also with prefix `um_` or `cm_` | Binance's archive: times in ms or µs, with or without a header |
| `*.json`: `{"/api/v3/klines": {"GET": [{"queryString": …, "data": …}]}}` | recorded answers of klines and exchangeInfo |
| `*.txt`: `URL -> time: {json}` a line | recorded exchangeInfo |
| `XRP_ETH-1m.feather` | freqtrade: date, open, high, low, close, volume |
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from penstock.errors import InvalidInputError
from penstock.market.timeframe import Timeframe
from penstock.simulator.exchange_info import Info, Pair, symbol_info
from penstock.simulator.recorded import RecordedSeries, Row, Rows, row_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_ARCHIVE = re.compile(r"(?:um_|cm_)?([A-Z0-9]+)-(\d+(?:s|mo|m|h|d|w|M))-[\d-]+\.(?:csv|csv\.gz|zip)")
_FEATHER = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)-(\d+[smhdwM])\.feather")
_RECORDED_LINE = re.compile(r"https?://\S+/api/v3/exchangeInfo\S* -> [\d.]+: (\{.*\})")
_QUOTES = ("USDT", "USDC", "BUSD", "TUSD", "FDUSD", "BTC", "ETH", "BNB", "EUR", "TRY")
_FIRST_MICROSECOND = 10**14
_COLUMNS = 12
_TRADES: Final = 8


class _Answer(msgspec.Struct, rename="camel"):
    """One recorded answer."""

    query_string: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Recorded(msgspec.Struct):
    """What of a file of recorded answers is read."""

    klines: dict[str, list[_Answer]] = msgspec.field(name="/api/v3/klines", default_factory=dict)
    exchange_info: dict[str, list[_Answer]] = msgspec.field(name="/api/v3/exchangeInfo", default_factory=dict)


class _ExchangeInfo(msgspec.Struct, rename="camel"):
    server_time: int
    symbols: list[Info]


@dataclass(slots=True)
class Recording:
    """What was read so far; of two rows with one open time the one with more trades stays: the other was running, or was restated later."""

    texts: dict[tuple[str, Timeframe], dict[int, tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(dict))
    infos: dict[str, tuple[int, Info]] = field(default_factory=dict)

    def add(self, symbol: str, timeframe: Timeframe, rows: Iterable[Row]) -> None:
        """Rows of one series, in any order."""
        texts = self.texts[symbol, timeframe]
        for row in rows:
            if row[0] not in texts or texts[row[0]][0] < row[_TRADES]:
                texts[row[0]] = (row[_TRADES], row_text(row))

    def add_infos(self, recorded_ms: int, infos: Iterable[Info]) -> None:
        """Objects of an exchangeInfo; of two of one symbol the later recorded stays."""
        for info in infos:
            symbol = str(info["symbol"])
            if symbol not in self.infos or self.infos[symbol][0] < recorded_ms:
                self.infos[symbol] = (recorded_ms, info)

    def series(self) -> dict[str, RecordedSeries]:
        """The series by symbol: those with candles, then those that are only in an exchangeInfo."""
        by_symbol: dict[str, dict[Timeframe, Rows]] = defaultdict(dict)
        for (symbol, timeframe), texts in self.texts.items():
            if texts:
                by_symbol[symbol][timeframe] = Rows.of({at: text for at, (_, text) in texts.items()})
        names = [*by_symbol, *(symbol for symbol in self.infos if symbol not in by_symbol)]
        return {
            symbol: RecordedSeries(self.infos[symbol][1] if symbol in self.infos else _made_up(symbol), by_symbol.get(symbol, {})) for symbol in names
        }


def read_folder(folder: Path) -> dict[str, RecordedSeries]:
    """Every recorded series below `folder` by symbol. Raises InvalidInputError when a file is broken or nothing is found."""
    recording = Recording()
    if not folder.is_dir():
        msg = f"replay: {folder} is not a folder"
        raise InvalidInputError(msg, field="replay")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _read(path, recording)
    series = recording.series()
    if not series:
        msg = f"replay: {folder} holds no recorded data; put Binance CSV or zip archives, recorded JSON answers or freqtrade feather files there"
        raise InvalidInputError(msg, field="replay")
    return series


def _read(path: Path, recording: Recording) -> None:
    try:
        if archive := _ARCHIVE.fullmatch(path.name):
            recording.add(archive[1], Timeframe(archive[2].replace("mo", "M")), _csv_rows(path))
        elif feather := _FEATHER.fullmatch(path.name):
            timeframe = Timeframe(feather[3])
            recording.add(feather[1] + feather[2], timeframe, _feather_rows(path, timeframe))
        elif path.suffix == ".json":
            _read_answers(path.read_bytes(), recording)
        elif path.suffix == ".txt":
            _read_lines(path, recording)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        msg = f"replay: {path} cannot be read: {error}"
        raise InvalidInputError(msg, field="replay") from error


def _csv_rows(path: Path) -> Iterator[Row]:
    for values in csv.reader(_csv_lines(path)):
        if values and values[0].isdecimal():
            yield _csv_row(values)


def _csv_lines(path: Path) -> Iterator[str]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    yield from io.TextIOWrapper(file, "ascii")
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="ascii") as lines:
            yield from lines
    else:
        with path.open(encoding="ascii") as lines:
            yield from lines


def _csv_row(values: list[str]) -> Row:
    if len(values) != _COLUMNS:
        msg = f"a row of {len(values)} columns instead of {_COLUMNS}: {','.join(values)}"
        raise ValueError(msg)
    opened, o, h, l, c, volume, closed, quote, trades, taker, taker_quote, ignored = values  # noqa: E741 - the low
    return (_milliseconds(opened), o, h, l, c, volume, _milliseconds(closed), quote, int(trades), taker, taker_quote, ignored)


def _milliseconds(text: str) -> int:
    """Spot archives are in microseconds from 2025-01-01, in milliseconds before."""
    at = int(text)
    return at // 1000 if at >= _FIRST_MICROSECOND else at


def _read_answers(text: bytes, recording: Recording) -> None:
    if not text.lstrip().startswith(b"{"):
        return
    recorded = msgspec.json.decode(text, type=_Recorded)
    for answer in (one for answers in recorded.klines.values() for one in answers):
        asked = parse_qs(answer.query_string)
        if "symbol" in asked and "interval" in asked and bytes(answer.data).startswith(b"["):
            recording.add(asked["symbol"][0], Timeframe(asked["interval"][0]), msgspec.json.decode(answer.data, type=list[Row]))
    for answer in (one for answers in recorded.exchange_info.values() for one in answers):
        _add_info(bytes(answer.data), recording)


def _read_lines(path: Path, recording: Recording) -> None:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if recorded := _RECORDED_LINE.match(line):
                _add_info(recorded[1].encode(), recording)


def _add_info(text: bytes, recording: Recording) -> None:
    info = msgspec.json.decode(text, type=_ExchangeInfo)
    recording.add_infos(info.server_time, info.symbols)


def _feather_rows(path: Path, timeframe: Timeframe) -> Iterator[Row]:
    """What freqtrade keeps is six columns; what it does not keep is "0". Floats are written in full, so that nothing is lost or made up."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - only needed for these files
        from pyarrow import feather  # noqa: PLC0415
    except ImportError as error:
        msg = f"replay: {path.name} is a feather file; install penstock[replay] to read it"
        raise InvalidInputError(msg, field="replay") from error
    table = feather.read_table(path)
    dates = table["date"].cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64()).to_pylist()
    columns = [table[name].to_pylist() for name in ("open", "high", "low", "close", "volume")]
    for at, *values in zip(dates, *columns, strict=True):
        o, h, l, c, volume = (format(Decimal(repr(value)), "f") for value in values)  # noqa: E741 - the low
        yield (at, o, h, l, c, volume, timeframe.shift(at, 1) - 1, "0", 0, "0", "0", "0")


def _made_up(symbol: str) -> Info:
    """An exchangeInfo object for a symbol of which only candles were recorded."""
    quote = next((quote for quote in _QUOTES if symbol.endswith(quote) and symbol != quote), symbol[-3:])
    return symbol_info(Pair(symbol=symbol, base=symbol.removesuffix(quote), quote=quote, price_digits=8, lot_digits=8), "TRADING")
