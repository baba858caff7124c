"""Reads a folder of recorded data.

- `BTCUSDT-1m-2020-01-01.zip`, `.csv`, `.csv.gz`, also with the prefix `um_`: an archive of Binance,
  times in ms or µs, with or without a header.
- `*.json` with `{"/api/v3/klines": {"GET": [{"queryString": …, "data": …}]}}`: recorded answers of
  klines and exchangeInfo.
- `exchangeInfo.json`: an answer of exchangeInfo, or only
  `{"symbols": [{"symbol": …, "baseAsset": …, "quoteAsset": …}]}`.
- `*.txt` with lines of `URL -> time: {json}`: recorded exchangeInfo.
- `XRP_ETH-1m.feather`, of freqtrade: date, open, high, low, close, volume.

A broken file is refused. Any other file is left out and named.
"""

from __future__ import annotations

import csv
import lzma
import re
import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec

from penstock.errors import InvalidInputError
from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.archive import archived_rows, milliseconds
from penstock.simulator.binance.assets import halves
from penstock.simulator.binance.feather import feather_rows
from penstock.simulator.binance.info import LEGAL_SYMBOL, Info, Pair, symbol_info
from penstock.simulator.binance.recorded import TRADES, RecordedRows, RecordedSeries, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_SYMBOL = r"[^\W_a-z]+"
_STEP = r"\d+(?:mo|Mo|[smhdwM])"
_PACKED = r"\.(?:csv|csv\.gz|zip)"
_ARCHIVE = re.compile(rf"(um_)?({_SYMBOL})-({_STEP})-[\d-]+{_PACKED}")
_FEATHER = re.compile(rf"({_SYMBOL})_({_SYMBOL})-({_STEP})\.feather")
# Coin-margined and delivery contracts in Binance's archives; freqtrade's futures.
_CONTRACT = re.compile(
    rf"cm_.+{_PACKED}"
    rf"|(?:um_)?{_SYMBOL}_(?:PERP|\d{{6}})-{_STEP}-[\d-]+{_PACKED}"
    rf"|\w+_\w+_\w+-{_STEP}-\w+\.feather"
)
_RECORDED_LINE = re.compile(r"https?://\S+/api/v3/exchangeInfo\S* -> [\d.]+: (\{.*\})")
_CONTRACTS = "candles of futures contracts, and the simulator is a spot exchange"
_NOT_RECORDED = "not named or written like a recording"
_NEEDED = frozenset({"symbol", "baseAsset", "quoteAsset"})
_NAMED = 5
# The errors of the five readers for a broken file.
_BROKEN = (
    *(ValueError, ArithmeticError, LookupError, OSError, EOFError, RuntimeError, MemoryError),
    *(csv.Error, lzma.LZMAError, zipfile.BadZipFile, zlib.error, msgspec.MsgspecError),
)


class _Answer(msgspec.Struct, rename="camel"):
    """One recorded answer."""

    query_string: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Recorded(msgspec.Struct):
    """The relevant parts of a file of recorded answers."""

    klines: dict[str, list[_Answer]] = msgspec.field(name="/api/v3/klines", default_factory=dict)
    exchange_info: dict[str, list[_Answer]] = msgspec.field(
        name="/api/v3/exchangeInfo", default_factory=dict
    )


class _RecordedInfo(msgspec.Struct, rename="camel"):
    symbols: list[Info]
    server_time: int = 0


@dataclass(slots=True)
class Recording:
    """What was read so far.

    Of two rows with one open time the one with more trades stays: the other was still running, or
    was restated later.
    """

    texts: dict[tuple[str, Timeframe], dict[int, tuple[int, bytes]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    infos: dict[str, tuple[int, Info]] = field(default_factory=dict)
    # What file names say of a symbol: its base and quote, its market.
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    markets: dict[str, str] = field(default_factory=dict)

    def add(self, symbol: str, timeframe: Timeframe, rows: Iterable[Row]) -> None:
        """Rows of one series, in any order; ValueError when there are none."""
        texts = self.texts[_legal(symbol), timeframe]
        row = None
        for row in rows:
            if row[0] not in texts or texts[row[0]][0] < row[TRADES]:
                texts[row[0]] = (row[TRADES], msgspec.json.encode(row))
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
        by_symbol: dict[str, dict[Timeframe, RecordedRows]] = defaultdict(dict)
        for (symbol, timeframe), texts in self.texts.items():
            by_symbol[symbol][timeframe] = RecordedRows.of(
                {at: text for at, (_, text) in texts.items()}
            )
        infos = self._made_up([symbol for symbol in by_symbol if symbol not in self.infos])
        infos |= {symbol: info for symbol, (_, info) in self.infos.items()}
        symbols = dict.fromkeys([*by_symbol, *self.infos])
        return {each: RecordedSeries(infos[each], by_symbol.get(each, {})) for each in symbols}

    def _made_up(self, symbols: Iterable[str]) -> dict[str, Info]:
        """The exchangeInfo objects of symbols of which only candles were recorded."""
        assets = {asset for pair in self.pairs.values() for asset in pair}
        for _, info in self.infos.values():
            assets |= {str(info["baseAsset"]), str(info["quoteAsset"])}
        pairs = {symbol: self.pairs.get(symbol) or halves(symbol, assets) for symbol in symbols}
        if unclear := [symbol for symbol, pair in pairs.items() if pair is None]:
            msg = (
                f"replay: nothing says which is the base and which the quote of {_listed(unclear)};"
                " put the exchange's answer of /api/v3/exchangeInfo into the folder as"
                " exchangeInfo.json"
            )
            raise InvalidInputError(msg, field="replay")
        return {symbol: _info(symbol, *pair) for symbol, pair in pairs.items() if pair}


def read_folder(
    folder: Path, tell: Callable[[str], None] = lambda _: None
) -> dict[str, RecordedSeries]:
    """Every recorded series below `folder` by symbol; `tell` is called for each skipped file.

    Raises InvalidInputError when a file is broken or nothing is found.
    """
    recording = Recording()
    if not folder.is_dir():
        msg = f"replay: {folder} is not a folder"
        raise InvalidInputError(msg, field="replay")
    left_out: dict[str, list[str]] = defaultdict(list)
    for path in filter(_is_shown, sorted(folder.rglob("*"))):
        if reason := _read(path, recording):
            left_out[reason].append(str(path.relative_to(folder)))
    for reason, names in left_out.items():
        tell(f"replay: left out as {reason}: {_listed(names)}")
    series = recording.series()
    if not series:
        msg = (
            f"replay: {folder} holds no recorded data; put Binance CSV or zip archives, recorded"
            " JSON answers or freqtrade feather files there"
        )
        raise InvalidInputError(msg, field="replay")
    return series


def _is_shown(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".CHECKSUM"


def _read(path: Path, recording: Recording) -> str | None:
    """Add the file's content, or say why it is skipped."""
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
    _, symbol, step = name.groups()
    market = "futures" if name[1] or "futures" in path.parts else "spot"
    if (other := recording.markets.setdefault(symbol, market)) != market:
        keep = "keep the two in folders of their own"
        msg = f"another file has {symbol} of the {other} market; {keep}"
        raise ValueError(msg)
    recording.add(symbol, _timeframe(step), archived_rows(path))


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
            rows = map(_in_milliseconds, msgspec.json.decode(answer.data, type=list[Row]))
            recording.add(asked["symbol"][0], Timeframe(asked["interval"][0]), rows)
    for answer in (one for answers in recorded.exchange_info.values() for one in answers):
        _add_info(bytes(answer.data), recording)
    return bool(recorded.klines or recorded.exchange_info)


def _in_milliseconds(row: Row) -> Row:
    return (milliseconds(row[0]), *row[1:6], milliseconds(row[6]), *row[7:])


def _read_lines(path: Path, recording: Recording) -> bool:
    found = False
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if recorded := _RECORDED_LINE.match(line):
                _add_info(recorded[1].encode(), recording)
                found = True
    return found


def _add_info(text: bytes, recording: Recording) -> None:
    info = msgspec.json.decode(text, type=_RecordedInfo)
    recording.add_infos(info.server_time, info.symbols)


def _legal(symbol: str) -> str:
    """A symbol that can be asked for: what is listed can be collected."""
    if not re.fullmatch(LEGAL_SYMBOL, symbol):
        msg = f"{symbol!r} is not a symbol; Binance has no small letters in one"
        raise ValueError(msg)
    return symbol


def _whole_info(info: Info) -> Info:
    """An object as recorded; if it has only the assets, completed as Binance would write it."""
    if "status" in info:
        return info
    return _info(*(str(info[field]) for field in ("symbol", "baseAsset", "quoteAsset"))) | info


def _info(symbol: str, base: str, quote: str) -> Info:
    pair = Pair(symbol=symbol, base=base, quote=quote, price_digits=8, lot_digits=8)
    return symbol_info(pair, "TRADING")


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
