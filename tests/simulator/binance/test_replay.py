"""Recorded data is answered as recorded: values, holes, units, ranges."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import aiohttp
import pytest

from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.exchange import Window
from penstock.simulator.binance.replay import read_folder
from penstock.simulator.server import SimulatorSettings, running
from tests.simulator.binance.recordings import write_archive

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.simulator.binance.recorded import RecordedSeries

HOUR = 3_600_000
FAR_MS = 4_000_000_000_000


@pytest.fixture(scope="module")
def series(recorded: Path) -> dict[str, RecordedSeries]:
    return read_folder(recorded)


def ask(
    series: RecordedSeries,
    interval: str,
    start: int | None = None,
    end: int | None = None,
    limit: int = 1000,
    now: int = FAR_MS,
) -> list[list[Any]]:
    return list(
        json.loads(
            series.page(Timeframe(interval), Window(start, end, limit), now, microseconds=False)
        )
    )


def everything(series: RecordedSeries, interval: str) -> list[list[Any]]:
    rows: list[list[Any]] = []
    while page := ask(series, interval, start=rows[-1][0] + 1 if rows else 0):
        rows += page
    return rows


def test_each_recorded_request_gets_the_recorded_rows(
    recorded: Path, series: dict[str, RecordedSeries]
) -> None:
    answers = json.loads(
        (recorded / "binance/rest/gocryptotrader_binance_http_subset.json").read_text()
    )["/api/v3/klines"]["GET"]
    assert len(answers) == 13
    restated = 0
    for answer in answers:
        asked = {name: values[0] for name, values in parse_qs(answer["queryString"]).items()}
        start, end = (
            int(asked[name]) if name in asked else None for name in ("startTime", "endTime")
        )
        rows = ask(
            series[asked["symbol"]], asked["interval"], start, end, int(asked.get("limit", 500))
        )
        assert [row[0] for row in rows] == [row[0] for row in answer["data"]]
        for got, was in zip(rows, answer["data"], strict=True):
            # Binance restated three days between two recordings; the later one has more trades.
            assert got == was or got[8] > was[8]
            restated += got != was
    assert restated == 6


def test_an_archive_is_answered_text_for_text(
    recorded: Path, series: dict[str, RecordedSeries]
) -> None:
    with zipfile.ZipFile(recorded / "binance/archive/BTCUSDT-1m-2020-01-02.zip") as archive:
        lines = archive.read("BTCUSDT-1m-2020-01-02.csv").decode().splitlines()
    sent = list(csv.reader(lines))
    rows = [
        *ask(series["BTCUSDT"], "1m", int(sent[0][0]), limit=1000),
        *ask(series["BTCUSDT"], "1m", int(sent[1000][0]), limit=440),
    ]
    assert [[str(value) for value in row] for row in rows] == sent


def test_the_change_to_microseconds_in_2025_leaves_no_seam(
    recorded: Path, series: dict[str, RecordedSeries]
) -> None:
    rows = ask(series["BTCUSDT"], "1h", 1_733_011_200_000) + ask(
        series["BTCUSDT"], "1h", 1_733_011_200_000 + 1000 * HOUR
    )
    assert [row[0] for row in rows] == [1_733_011_200_000 + hour * HOUR for hour in range(1488)]
    assert all(row[6] == row[0] + HOUR - 1 for row in rows)
    with (recorded / "binance/archive/BTCUSDT-1h-2025-01.csv").open() as lines:
        assert [row[1:6] for row in rows[744:]] == [values[1:6] for values in csv.reader(lines)]


def test_the_hole_of_2020_is_still_a_hole(series: dict[str, RecordedSeries]) -> None:
    rows = ask(series["BTCUSDT"], "1h", 1_593_306_000_000, 1_593_320_400_000)
    assert [row[0] for row in rows] == [1_593_306_000_000, 1_593_320_400_000]


def test_a_futures_archive_with_a_header_keeps_its_minutes_without_trades(
    recorded: Path, series: dict[str, RecordedSeries]
) -> None:
    rows = everything(series["ALGOUSDT"], "1m")
    assert (len(rows), sum(row[8] == 0 for row in rows)) == (41_760, 39)
    with gzip.open(recorded / "binance/archive/um_ALGOUSDT-1m-2024-02.csv.gz", "rt") as lines:
        assert [[str(value) for value in row] for row in rows] == list(csv.reader(lines))[1:]


def test_a_feather_file_loses_no_digit_and_fills_no_minute(
    recorded: Path, series: dict[str, RecordedSeries]
) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    table = feather.read_table(recorded / "freqtrade/XRP_ETH-1m.feather").to_pydict()
    rows = everything(series["XRPETH"], "1m")
    assert len(rows) == 2469
    assert [row[0] for row in rows] == [round(date.timestamp() * 1000) for date in table["date"]]
    for column, name in ((1, "open"), (2, "high"), (3, "low"), (4, "close"), (5, "volume")):
        assert [float(row[column]) for row in rows] == table[name]
        assert not any("e" in row[column] for row in rows)
    assert {tuple(row[7:]) for row in rows} == {("0", 0, "0", "0", "0")}


async def test_the_clock_starts_after_the_recording_and_generated_symbols_stay_beside_it(
    recorded: Path,
) -> None:
    async with (
        running(SimulatorSettings(replay=recorded, speed=0, symbols=50)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        async with session.get("/api/v3/time") as response:
            assert await response.json() == {"serverTime": 1_738_368_000_000}
        async with session.get("/api/v3/exchangeInfo") as response:
            infos = {symbol["symbol"]: symbol for symbol in (await response.json())["symbols"]}
        async with session.get("/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=1") as response:
            assert (await response.json())[0][0] == 1_738_368_000_000 - HOUR
        async with session.get("/api/v3/klines?symbol=BTCUSDT&interval=15m") as response:
            assert await response.json() == []
        async with session.get("/api/v3/klines?symbol=ETHUSDT&interval=15m&limit=7") as response:
            assert len(await response.json()) == 7
        async with session.get("/api/v3/ticker/24hr?symbol=BTCUSDT") as response:
            assert Decimal((await response.json())["quoteVolume"]) > 10**8
    assert infos["YOYOBTC"]["status"] == "BREAK"
    assert {"ALGOUSDT", "XRPETH", "SOLUSDT"} <= set(infos)


async def test_only_recorded_symbols_when_asked_for(tmp_path: Path) -> None:
    write_archive(tmp_path, "ABCUSDT-1m-2024-01-01.csv", rows=3)
    async with (
        running(SimulatorSettings(replay=tmp_path, replay_only=True, speed=0)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        async with session.get("/api/v3/exchangeInfo") as response:
            assert [
                (symbol["symbol"], symbol["baseAsset"])
                for symbol in (await response.json())["symbols"]
            ] == [("ABCUSDT", "ABC")]
        async with session.get(
            "/api/v3/klines?symbol=ABCUSDT&interval=1m", headers={"X-MBX-TIME-UNIT": "MICROSECOND"}
        ) as response:
            assert next((row[0], row[6]) for row in await response.json()) == (
                1_704_067_200_000_000,
                1_704_067_259_999_999,
            )


def test_overlapping_files_are_merged_sorted_and_without_doubles(tmp_path: Path) -> None:
    write_archive(tmp_path, "ABCUSDT-1m-2024-01-02.csv", first=5, rows=10)
    write_archive(tmp_path, "ABCUSDT-1m-2024-01-01.csv.gz", first=0, rows=8)
    write_archive(tmp_path / "older", "ABCUSDT-1m-2023-12.zip", first=-5, rows=10)
    write_archive(tmp_path, "ABCUSDT-1mo-2024-01.csv", rows=1)
    series = read_folder(tmp_path)["ABCUSDT"]
    assert [row[0] for row in ask(series, "1m")] == [
        1_704_067_200_000 + minute * 60_000 for minute in range(-5, 15)
    ]
    assert len(ask(series, "1M")) == 1


def test_a_row_appears_once_its_candle_has_closed(tmp_path: Path) -> None:
    write_archive(tmp_path, "ABCUSDT-1m-2024-01-01.csv", rows=10)
    series = read_folder(tmp_path)["ABCUSDT"]
    assert len(ask(series, "1m", now=1_704_067_200_000 + 3 * 60_000 - 1)) == 2
    assert len(ask(series, "1m", now=1_704_067_200_000 + 3 * 60_000)) == 3
