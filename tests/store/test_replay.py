"""Real recordings, replayed and collected: stored values equal recorded ones to the digit."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import zipfile
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pyarrow.feather
import pytest

from penstock.market.collect.coverage import SpanState
from tests.simulated import MINUTE, World, ms, open_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_DATA = Path(__file__).parents[2].parent / "shared" / "data"
_ARCHIVE = _DATA / "binance" / "archive"
_RECORDED = _DATA / "binance" / "rest" / "gocryptotrader_binance_http_subset.json"
_FREQTRADE = _DATA / "freqtrade"
_FIRST_MICROSECOND = 10**14

pytestmark = pytest.mark.skipif(
    not _DATA.is_dir(), reason="the recorded data is not beside this checkout: ../shared/data"
)

Row = list[Any]


def recorded(lines: Sequence[Sequence[str]]) -> list[Row]:
    """Rows of an archive as the store keeps them: in ms, without a header."""
    return [_row(line) for line in lines if line[0].isdecimal()]


def _row(line: Sequence[str]) -> Row:
    opened, *values, closed, quote, trades, taker, taker_quote = line[:11]
    scale = 1_000 if int(opened) >= _FIRST_MICROSECOND else 1
    return [
        int(opened) // scale,
        *values,
        int(closed) // scale,
        quote,
        int(trades),
        taker,
        taker_quote,
    ]


def csv_rows(text: str) -> list[Row]:
    return recorded(list(csv.reader(io.StringIO(text))))


def zipped(path: Path) -> list[Row]:
    with zipfile.ZipFile(path) as archive:
        [name] = archive.namelist()
        return csv_rows(archive.read(name).decode())


def numbers(rows: Sequence[Row]) -> list[list[Decimal]]:
    return [[Decimal(value) for value in row] for row in rows]


async def collected(world: World, symbol: str, timeframe: str, rows: Sequence[Row]) -> list[Row]:
    """The stored rows after a collection from the first recorded row on."""
    await world.collect(symbol, timeframes=timeframe, since=rows[0][0])
    await world.check_coverage(symbol, timeframe)
    assert await world.refused() == []
    return await world.table(symbol, timeframe)


async def holes(world: World, symbol: str, timeframe: str) -> list[tuple[int, int]]:
    """The ranges without a row between rows; one answer makes no outage of them."""
    spans = list(await world.spans(symbol, timeframe))
    newest = max(span.start for span in spans if span.state is SpanState.STORED)
    return [
        (span.start, span.end)
        for span in spans
        if span.state is SpanState.UNCONFIRMED and span.start < newest
    ]


def missing(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """The ranges between neighbouring rows in which nothing was recorded."""
    return [
        (before[6] + 1, after[0]) for before, after in pairwise(rows) if after[0] > before[6] + 1
    ]


@contextlib.asynccontextmanager
async def replaying(database_url: str, folder: Path, files: Sequence[Path]) -> AsyncIterator[World]:
    """An exchange that answers only from these archive files; all of them take a second to read."""
    for file in files:
        (folder / file.name).symlink_to(file)
    async with open_world(
        database_url,
        simulator={"replay": folder, "replay_only": True, "now_ms": ms("2025-03-01T00:00:30")},
    ) as world:
        yield world


async def test_three_days_of_minutes_from_the_archive(database_url: str, tmp_path: Path) -> None:
    files = [_ARCHIVE / f"BTCUSDT-1m-2020-01-0{day}.zip" for day in (1, 2, 3)]
    rows = [row for file in files for row in zipped(file)]
    assert len(rows) == 3 * 1_440
    async with replaying(database_url, tmp_path, files) as world:
        stored = await collected(world, "BTCUSDT", "1m", rows)
    assert stored == rows
    assert missing(stored) == []


async def test_hours_across_the_change_from_milliseconds_to_microseconds(
    database_url: str, tmp_path: Path
) -> None:
    files = [_ARCHIVE / f"BTCUSDT-1h-{month}.csv" for month in ("2024-12", "2025-01")]
    rows = [row for file in files for row in csv_rows(file.read_text())]
    assert len(rows) == 744 + 744
    async with replaying(database_url, tmp_path, files) as world:
        stored = await collected(world, "BTCUSDT", "1h", rows)
        assert numbers(stored) == numbers(rows)
        assert missing(stored) == []
        assert await holes(world, "BTCUSDT", "1h") == []


async def test_minutes_without_a_trade_are_stored_as_rows(
    sqlite_database: str, tmp_path: Path
) -> None:
    file = _ARCHIVE / "um_ALGOUSDT-1m-2024-02.csv.gz"
    rows = csv_rows(gzip.decompress(file.read_bytes()).decode())
    async with replaying(sqlite_database, tmp_path, [file]) as world:
        await world.exchange.move_to(rows[-1][6] + 30 * MINUTE)
        stored = await collected(world, "ALGOUSDT", "1m", rows)
        assert numbers(stored) == numbers(rows)
        assert (len(stored), sum(row[8] == 0 for row in stored)) == (41_760, 39)
        assert await holes(world, "ALGOUSDT", "1m") == []


async def test_the_real_outage_of_2020_is_a_gap_and_no_row_is_invented(
    database_url: str,
) -> None:
    answers = json.loads(_RECORDED.read_bytes())["/api/v3/klines"]["GET"]
    rows: dict[int, Row] = {}
    for answer in answers:
        asked = parse_qs(answer["queryString"])
        if asked["symbol"] == ["BTCUSDT"] and asked["interval"] == ["1h"]:
            rows |= {
                row[0]: row[:11]
                for row in answer["data"]
                if row[0] not in rows or rows[row[0]][8] < row[8]
            }
    hole = (ms("2020-06-28T02:00:00"), ms("2020-06-28T05:00:00"))
    around = [
        rows[opened]
        for opened in sorted(rows)
        if ms("2020-06-09T00:00:00") <= opened < ms("2020-07-05T00:00:00")
    ]
    assert len(around) >= 468
    async with open_world(
        database_url, simulator={"replay": _RECORDED.parent, "now_ms": around[-1][6] + 30 * MINUTE}
    ) as world:
        stored = await collected(world, "BTCUSDT", "1h", around)
        assert numbers(stored) == numbers(around)
        assert [row for row in stored if hole[0] <= row[0] < hole[1]] == []
        assert hole in await holes(world, "BTCUSDT", "1h")


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe", "count"),
    [("XRP_ETH-1m", "XRPETH", "1m", 2_469), ("TRX_BTC-5m", "TRXBTC", "5m", 5_754)],
)
async def test_every_hole_of_a_freqtrade_recording_is_a_gap(
    database_url: str, name: str, symbol: str, timeframe: str, count: int
) -> None:
    table = pyarrow.feather.read_table(_FREQTRADE / f"{name}.feather").to_pydict()
    opens = [int(moment.timestamp() * 1_000) for moment in table["date"]]
    assert len(opens) == count
    async with open_world(
        database_url,
        simulator={"replay": _FREQTRADE, "replay_only": True, "now_ms": max(opens) + 60 * MINUTE},
    ) as world:
        stored = await collected(world, symbol, timeframe, [[min(opens)]])
        assert [row[0] for row in stored] == opens
        for place, column in enumerate(("open", "high", "low", "close", "volume"), start=1):
            # The recording holds doubles; their shortest decimal is what was recorded.
            assert [Decimal(row[place]) for row in stored] == [
                Decimal(repr(value)) for value in table[column]
            ], column
        assert await holes(world, symbol, timeframe) == missing(stored)
        if symbol == "XRPETH":
            lengths = Counter(
                (end - start) // MINUTE for start, end in await holes(world, symbol, timeframe)
            )
            # The longest one has candles 9 minutes apart, so 8 are missing.
            assert (
                lengths.total(),
                sum(minutes * n for minutes, n in lengths.items()),
                max(lengths),
            ) == (676, 1_091, 8)


async def test_volumes_of_twenty_digits_are_kept_to_the_last_one(
    database_url: str, tmp_path: Path
) -> None:
    """The archive has such volumes for tokens of many decimals; these are written in its format."""
    digits = [
        "12345678901234567890.12345678",
        "99999999999999999999.99999999",
        "0.000000000000000001",
    ]
    start = ms("2024-03-01T00:00:00")
    opens = range(start, start + len(digits) * MINUTE, MINUTE)
    lines = [
        f"{at},1.0,2.0,0.5,1.5,{volume},{at + MINUTE - 1},1.0,3,0.5,0.25,0"
        for at, volume in zip(opens, digits, strict=True)
    ]
    (tmp_path / "SHIBUSDT-1m-2024-03-01.csv").write_text("\n".join(lines))
    async with open_world(
        database_url,
        simulator={"replay": tmp_path, "replay_only": True, "now_ms": start + 10 * MINUTE},
    ) as world:
        stored = await collected(world, "SHIBUSDT", "1m", [[start]])
    assert [row[5] for row in stored] == digits


async def test_candles_off_the_grid_are_stored_at_their_own_time_and_reported(
    database_url: str, tmp_path: Path
) -> None:
    start = ms("2018-02-09T00:00:00")
    # As after the outage of 2018: two hours open at :28:15, and the grid is found again later.
    opens = [
        start,
        start + 60 * MINUTE,
        start + 9 * 60 * MINUTE + 28 * MINUTE + 15_000,
        start + 10 * 60 * MINUTE,
        start + 11 * 60 * MINUTE,
    ]
    lines = [
        f"{opened},1.0,2.0,0.5,1.5,7.0,"
        f"{opened - opened % (60 * MINUTE) + 60 * MINUTE - 1},1.0,3,0.5,0.25,0"
        for opened in opens
    ]
    (tmp_path / "BTCUSDT-1h-2018-02.csv").write_text("\n".join(lines))
    async with open_world(
        database_url,
        simulator={"replay": tmp_path, "replay_only": True, "now_ms": opens[-1] + 90 * MINUTE},
    ) as world:
        report = await world.collect("BTCUSDT", timeframes="1h", since=start)
        assert [row[0] for row in await world.table("BTCUSDT", "1h")] == opens
        assert report.result.misaligned == {"BTCUSDT 1h": 1}
        assert await holes(world, "BTCUSDT", "1h") == [(opens[1] + 60 * MINUTE, opens[2])]
        assert (await world.collect("BTCUSDT", timeframes="1h")).result.counters.written == 0
