"""Reads a folder of recorded data: Binance's CSV archives, recorded JSON answers, freqtrade's feather files.

| file | read as |
|---|---|
| `BTCUSDT-1m-2020-01-01.zip`, `.csv`, `.csv.gz`, also with prefix `um_` | Binance's archive: times in ms or µs, with or without a header |
| `*.json`: `{"/api/v3/klines": {"GET": [{"queryString": …, "data": …}]}}` | recorded answers of klines and exchangeInfo |
| `exchangeInfo.json` | one answer of exchangeInfo, or only `{"symbols": [{"symbol": …, "baseAsset": …, "quoteAsset": …}]}` |
| `*.txt`: `URL -> time: {json}` a line | recorded exchangeInfo |
| `XRP_ETH-1m.feather` | freqtrade: date, open, high, low, close, volume |

A file that is broken is refused. Any other file is left out, and told.
"""

from __future__ import annotations

import csv
import lzma
import re
import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from penstock.errors import InvalidInputError
from penstock.market.timeframe import Timeframe
from penstock.simulator.archive import archived_rows, milliseconds
from penstock.simulator.exchange_info import LEGAL_SYMBOL, Info, Pair, symbol_info
from penstock.simulator.feather import feather_rows
from penstock.simulator.halves import halves
from penstock.simulator.recorded import RecordedSeries, Row, Rows, row_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_SYMBOL = r"[^\W_a-z]+"
_STEP = r"\d+(?:mo|Mo|[smhdwM])"
_PACKED = r"\.(?:csv|csv\.gz|zip)"
_ARCHIVE = re.compile(rf"(um_)?({_SYMBOL})-({_STEP})-[\d-]+{_PACKED}")
_FEATHER = re.compile(rf"({_SYMBOL})_({_SYMBOL})-({_STEP})\.feather")
# Coin-margined and delivery contracts in Binance's archives, futures and what belongs to them among freqtrade's files.
_CONTRACT = re.compile(rf"cm_.+{_PACKED}|(?:um_)?{_SYMBOL}_(?:PERP|\d{{6}})-{_STEP}-[\d-]+{_PACKED}|\w+_\w+_\w+-{_STEP}-\w+\.feather")
_RECORDED_LINE = re.compile(r"https?://\S+/api/v3/exchangeInfo\S* -> [\d.]+: (\{.*\})")
_CONTRACTS = "candles of futures contracts, and the simulator is a spot exchange"
_NOT_RECORDED = "not named or written like a recording"
_NEEDED = frozenset({"symbol", "baseAsset", "quoteAsset"})
_NAMED = 5
_TRADES: Final = 8
# What the five readers raise when a file is broken.
_BROKEN = (
    *(ValueError, ArithmeticError, LookupError, OSError, EOFError, RuntimeError, MemoryError),
    *(csv.Error, lzma.LZMAError, zipfile.BadZipFile, zlib.error, msgspec.MsgspecError),
)


class _Answer(msgspec.Struct, rename="camel"):
    """One recorded answer."""

    query_string: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Recorded(msgspec.Struct):
    """What of a file of recorded answers is read."""

    klines: dict[str, list[_Answer]] = msgspec.field(name="/api/v3/klines", default_factory=dict)
    exchange_info: dict[str, list[_Answer]] = msgspec.field(name="/api/v3/exchangeInfo", default_factory=dict)


class _ExchangeInfo(msgspec.Struct, rename="camel"):
    symbols: list[Info]
    server_time: int = 0


@dataclass(slots=True)
class Recording:
    """What was read so far; of two rows with one open time the one with more trades stays: the other was running, or was restated later."""

    texts: dict[tuple[str, Timeframe], dict[int, tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(dict))
    infos: dict[str, tuple[int, Info]] = field(default_factory=dict)
    # What the names of files say of a symbol: its base and quote, the market it is of.
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    markets: dict[str, str] = field(default_factory=dict)

    def add(self, symbol: str, timeframe: Timeframe, rows: Iterable[Row]) -> None:
        """Rows of one series, in any order; ValueError when there are none."""
        texts = self.texts[_legal(symbol), timeframe]
        row = None
        for row in rows:
            if row[0] not in texts or texts[row[0]][0] < row[_TRADES]:
                texts[row[0]] = (row[_TRADES], row_text(row))
        if row is None:
            msg = "it holds no candle"
            raise ValueError(msg)

    def add_infos(self, recorded_ms: int, infos: Iterable[Info]) -> None:
        """Objects of an exchangeInfo; of two of one symbol the later recorded stays."""
        for info in infos:
            if missing := _NEEDED - info.keys():
                msg = f"a symbol in it has no {min(missing)!r}"
                raise ValueError(msg)
            symbol = _legal(str(info["symbol"]))
            if "contractType" in info:
                msg = f"{symbol} is a futures contract there, and the simulator is a spot exchange"
                raise ValueError(msg)
            if symbol not in self.infos or self.infos[symbol][0] < recorded_ms:
                self.infos[symbol] = (recorded_ms, _whole_info(info))

    def series(self) -> dict[str, RecordedSeries]:
        """The series by symbol: those with candles, then those that are only in an exchangeInfo."""
        by_symbol: dict[str, dict[Timeframe, Rows]] = defaultdict(dict)
        for (symbol, timeframe), texts in self.texts.items():
            by_symbol[symbol][timeframe] = Rows.of({at: text for at, (_, text) in texts.items()})
        infos = self._made_up(symbol for symbol in by_symbol if symbol not in self.infos) | {name: info for name, (_, info) in self.infos.items()}
        names = [*by_symbol, *(symbol for symbol in self.infos if symbol not in by_symbol)]
        return {symbol: RecordedSeries(infos[symbol], by_symbol.get(symbol, {})) for symbol in names}

    def _made_up(self, symbols: Iterable[str]) -> dict[str, Info]:
        """The exchangeInfo objects of symbols of which only candles were recorded."""
        assets = {str(info[half]) for _, info in self.infos.values() for half in ("baseAsset", "quoteAsset")}
        assets |= {asset for pair in self.pairs.values() for asset in pair}
        pairs = {symbol: self.pairs.get(symbol) or halves(symbol, assets) for symbol in symbols}
        if unclear := [symbol for symbol, pair in pairs.items() if pair is None]:
            fix = "put the exchange's answer of /api/v3/exchangeInfo into the folder as exchangeInfo.json"
            msg = f"replay: nothing says which is the base and which the quote of {_listed(unclear)}; {fix}"
            raise InvalidInputError(msg, field="replay")
        return {symbol: _info(symbol, *pair) for symbol, pair in pairs.items() if pair}


def read_folder(folder: Path, tell: Callable[[str], None] = lambda _: None) -> dict[str, RecordedSeries]:
    """Every recorded series below `folder` by symbol; what is left out is told in a sentence for each reason.

    Raises InvalidInputError when a file is broken or nothing is found.
    """
    recording = Recording()
    if not folder.is_dir():
        msg = f"replay: {folder} is not a folder"
        raise InvalidInputError(msg, field="replay")
    left_out: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".CHECKSUM" and (reason := _read(path, recording)):
            left_out[reason].append(str(path.relative_to(folder)))
    for reason, names in left_out.items():
        tell(f"replay: left out as {reason}: {_listed(names)}")
    series = recording.series()
    if not series:
        msg = f"replay: {folder} holds no recorded data; put Binance CSV or zip archives, recorded JSON answers or freqtrade feather files there"
        raise InvalidInputError(msg, field="replay")
    return series


def _read(path: Path, recording: Recording) -> str | None:
    """Add what the file holds; why it is left out, if it is."""
    try:
        if archive := _ARCHIVE.fullmatch(path.name):
            _read_archive(path, archive, recording)
        elif feather := _FEATHER.fullmatch(path.name):
            _read_feather(path, feather, recording)
        elif _CONTRACT.fullmatch(path.name):
            return _CONTRACTS
        elif not _read_answers(path, recording):
            return _NOT_RECORDED
    except _BROKEN as error:
        msg = f"replay: {path} cannot be read: {error}"
        raise InvalidInputError(msg, field="replay") from error
    return None


def _read_archive(path: Path, name: re.Match[str], recording: Recording) -> None:
    market = "futures" if name[1] or "futures" in path.parts else "spot"
    if recording.markets.setdefault(name[2], market) != market:
        msg = f"another file has {name[2]} of the {recording.markets[name[2]]} market; keep the two in folders of their own"
        raise ValueError(msg)
    recording.add(name[2], _timeframe(name[3]), archived_rows(path))


def _read_feather(path: Path, name: re.Match[str], recording: Recording) -> None:
    pair, symbol, timeframe = (name[1], name[2]), name[1] + name[2], _timeframe(name[3])
    if recording.pairs.setdefault(symbol, pair) != pair:
        msg = f"another file has {symbol} as {'/'.join(recording.pairs[symbol])}"
        raise ValueError(msg)
    recording.add(symbol, timeframe, feather_rows(path, timeframe))


def _timeframe(text: str) -> Timeframe:
    return Timeframe(text.replace("mo", "M").replace("Mo", "M"))


def _read_answers(path: Path, recording: Recording) -> bool:
    """Whether the file holds recorded answers."""
    if path.name == "exchangeInfo.json":
        _add_info(path.read_bytes(), recording)
        return True
    if path.suffix == ".json":
        return _read_json(path.read_bytes(), recording)
    return path.suffix == ".txt" and _read_lines(path, recording)


def _read_json(text: bytes, recording: Recording) -> bool:
    if not text.lstrip().startswith(b"{"):
        return False
    recorded = msgspec.json.decode(text, type=_Recorded)
    for answer in (one for answers in recorded.klines.values() for one in answers):
        asked = parse_qs(answer.query_string)
        if "symbol" in asked and "interval" in asked and bytes(answer.data).startswith(b"["):
            rows = msgspec.json.decode(answer.data, type=list[Row])
            recording.add(asked["symbol"][0], Timeframe(asked["interval"][0]), map(_in_milliseconds, rows))
    for answer in (one for answers in recorded.exchange_info.values() for one in answers):
        _add_info(bytes(answer.data), recording)
    return bool(recorded.klines or recorded.exchange_info)


def _in_milliseconds(row: Row) -> Row:
    opened, o, h, l, c, volume, closed, quote, trades, taker, taker_quote, ignored = row  # noqa: E741 - the low
    return (milliseconds(opened), o, h, l, c, volume, milliseconds(closed), quote, trades, taker, taker_quote, ignored)


def _read_lines(path: Path, recording: Recording) -> bool:
    found = False
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if recorded := _RECORDED_LINE.match(line):
                _add_info(recorded[1].encode(), recording)
                found = True
    return found


def _add_info(text: bytes, recording: Recording) -> None:
    info = msgspec.json.decode(text, type=_ExchangeInfo)
    recording.add_infos(info.server_time, info.symbols)


def _legal(symbol: str) -> str:
    """A symbol that can be asked for. What is listed can be collected."""
    if not re.fullmatch(LEGAL_SYMBOL, symbol):
        msg = f"{symbol!r} is not a symbol; Binance has no small letters in one"
        raise ValueError(msg)
    return symbol


def _whole_info(info: Info) -> Info:
    """An object as it was recorded; one that somebody wrote, with the two assets alone, as Binance would write it."""
    return info if "status" in info else _info(str(info["symbol"]), str(info["baseAsset"]), str(info["quoteAsset"])) | info


def _info(symbol: str, base: str, quote: str) -> Info:
    return symbol_info(Pair(symbol=symbol, base=base, quote=quote, price_digits=8, lot_digits=8), "TRADING")


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
