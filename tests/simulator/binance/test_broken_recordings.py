"""A recording is read correctly, refused with its file name, or reported as skipped (input S)."""

from __future__ import annotations

import gzip
import json
import random
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import InvalidInputError
from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.exchange import Window
from penstock.simulator.binance.replay import read_folder
from tests.acceptance.commands import Penstock
from tests.simulator.binance.recordings import (
    FIRST_MS,
    HEADER,
    MINUTE,
    csv_text,
    frame,
    write_archive,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Say
    from tests.trials import Trials

_CSV, _ZIP, _FEATHER = (
    "ABCUSDT-1m-2024-01-01.csv",
    "ABCUSDT-1m-2024-01-01.zip",
    "ABC_USDT-1m.feather",
)


def opens(folder: Path, symbol: str = "ABCUSDT") -> list[int]:
    page = read_folder(folder)[symbol].page(
        Timeframe.M1, Window(None, None, 1000), FIRST_MS + 86_400_000, microseconds=False
    )
    return [row[0] for row in json.loads(page)]


def complaint(folder: Path) -> str:
    with pytest.raises(InvalidInputError) as refused:
        read_folder(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def write_feather(path: Path, columns: dict[str, list[Any]]) -> None:
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.feather").write_feather(pa.table(columns), str(path))


@pytest.mark.parametrize("header", ["", HEADER])
@pytest.mark.parametrize("time", [int, float, lambda at: at * 1000, lambda at: f"{at}.00"])
def test_times_in_the_usual_forms_are_numbers(
    tmp_path: Path, header: str, time: Callable[[int], object]
) -> None:
    (tmp_path / _CSV).write_text(header + csv_text(3, time=time))
    assert opens(tmp_path) == [FIRST_MS + minute * MINUTE for minute in range(3)]


def flipped(packed: bytes, at: int) -> bytes:
    return packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]


def with_entry(packed: bytes, field: int, value: int) -> bytes:
    """A zip with another two-byte value in its member's header and, two bytes later, directory."""
    directory = packed.index(b"PK\x01\x02")
    changed = bytearray(packed)
    for at in (field, directory + field + 2):
        struct.pack_into("<H", changed, at, value)
    return bytes(changed)


_MANY = csv_text(30)
_BROKEN = {
    "another header": (_CSV, (csv_text(2) + HEADER + csv_text(2, first=2)).encode(), "line 3"),
    "a time that is rounded": (
        _CSV,
        csv_text(2, time=lambda at: f"{at:.5e}").encode(),
        "line 1: '1.70407e+12' is not a whole number",
    ),
    "semicolons": (_CSV, csv_text(3).replace(",", ";").encode(), "separated by commas"),
    "semicolons with a header": (
        _CSV,
        (HEADER + csv_text(3)).replace(",", ";").encode(),
        "separated by commas",
    ),
    "seconds": (
        _CSV,
        csv_text(3, time=lambda at: at // 1000).encode(),
        "neither in milliseconds nor in microseconds",
    ),
    "nanoseconds": (
        _CSV,
        csv_text(3, time=lambda at: at * 1_000_000).encode(),
        "neither in milliseconds nor in microseconds",
    ),
    "an empty column": (_CSV, csv_text(2).replace("15.0", "").encode(), "column 8 is empty"),
    "a cut line": (_CSV, csv_text(3).encode()[:-10], "line 3"),
    "a header alone": (_CSV, HEADER.encode(), "no candle"),
    "nothing": (_CSV, b"", "no candle"),
    "a line without end": (_CSV, b"1" * 200_000, "field larger than"),
    "gzip with a flipped byte": (_CSV + ".gz", flipped(gzip.compress(_MANY.encode()), 40), ""),
    "gzip cut short": (_CSV + ".gz", gzip.compress(_MANY.encode())[:-20], "ended before"),
    "zip with a flipped byte": (_ZIP, flipped(zipped(_MANY), 60), ""),
    "zip cut short": (_ZIP, zipped(_MANY)[:-30], "not a zip file"),
    "zip that is encrypted": (_ZIP, with_entry(zipped(_MANY), 6, 1), "encrypted"),
    "zip with an unknown method": (_ZIP, with_entry(zipped(_MANY), 8, 97), "compression"),
    "zip without a member": (_ZIP, zipped(), "holds 0 files"),
    "zip with two members": (_ZIP, zipped(csv_text(1), csv_text(1, first=1)), "holds 2 files"),
    "answers cut short": ("answers.json", b'{"/api/v3/klines": {"GET": [', ""),
    "an exchangeInfo of futures": (
        "exchangeInfo.json",
        b'{"symbols":[{"symbol":"A","baseAsset":"A","quoteAsset":"B","contractType":"PERPETUAL"}]}',
        "spot",
    ),
    "an exchangeInfo without halves": (
        "exchangeInfo.json",
        b'{"symbols":[{"symbol":"AB"}]}',
        "baseAsset",
    ),
    "a symbol in small letters": (
        "exchangeInfo.json",
        b'{"symbols":[{"symbol":"aB","baseAsset":"a","quoteAsset":"B"}]}',
        "small letters",
    ),
}


@pytest.mark.parametrize("kind", _BROKEN)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    name, content, reason = _BROKEN[kind]
    (tmp_path / name).write_bytes(content)
    said = complaint(tmp_path)
    assert said.startswith(f"replay: {tmp_path / name} cannot be read: ")
    assert reason in said


_FRAMES = {
    "no volume": (frame(volume=None), "no column 'volume'"),
    "a null": (frame(volume=[1.0, None, 2.0]), "'volume' has no number in row 1"),
    "not a number": (frame(close=[1.0, float("nan"), 2.0]), "'close' has no number in row 1"),
    "text": (frame(open=["1.0", "2.0", "3.0"]), "'open' holds string values"),
    "dates that are numbers": (
        frame(date=[FIRST_MS, FIRST_MS + 1, FIRST_MS + 2]),
        "'date' holds int64 values",
    ),
    "no row": (frame(rows=0), "'date' holds null values"),
}


@pytest.mark.parametrize("kind", _FRAMES)
def test_a_feather_file_with_holes_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    columns, reason = _FRAMES[kind]
    write_feather(tmp_path / _FEATHER, columns)
    said = complaint(tmp_path)
    assert said.startswith(f"replay: {tmp_path / _FEATHER} cannot be read: ")
    assert reason in said


def test_a_file_with_damaged_bytes_is_read_or_refused(
    tmp_path: Path, trials: Trials, say: Say
) -> None:
    write_feather(tmp_path / _FEATHER, frame())
    whole = {
        _ZIP: zipped(_MANY),
        _CSV + ".gz": gzip.compress(_MANY.encode()),
        _FEATHER: (tmp_path / _FEATHER).read_bytes(),
    }
    (tmp_path / _FEATHER).unlink()
    draw, many = random.Random(trials.seed), trials.of(150, 15_000)
    for number in range(many):
        name = list(whole)[number % len(whole)]
        packed = bytearray(whole[name])
        packed[draw.randrange(len(packed))] ^= 1 << draw.randrange(8)
        (tmp_path / name).write_bytes(packed[: draw.choice([None, draw.randrange(len(packed))])])
        try:
            read_folder(tmp_path)
        except InvalidInputError as refused:
            assert name in str(refused)  # noqa: PT017 - it may be read, too
        (tmp_path / name).unlink()
    say(f"{many} damaged files, seed {trials.seed}")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "BTCUSD_PERP-1m-2024-01-01.zip",
            "BTCUSD_240329-1h-2024-03.csv",
            "cm_BTCUSD_PERP-1d-2024.csv.gz",
            "ETHUSDT_240329-1h-2024-03.zip",
        ),
        *(
            "XRP_USDT_USDT-1h-futures.feather",
            "XRP_USDT_USDT-8h-mark.feather",
            "XRP_USDT_USDT-8h-funding_rate.feather",
        ),
    ],
)
def test_candles_of_contracts_are_left_out_and_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    write_archive(tmp_path, _CSV, rows=3)
    said: list[str] = []
    assert list(read_folder(tmp_path, said.append)) == ["ABCUSDT"]
    why = "candles of futures contracts, and the simulator is a spot exchange"
    assert said == [f"replay: left out as {why}: {name}"]


def test_files_that_are_not_recordings_are_left_out_and_named(tmp_path: Path) -> None:
    write_archive(tmp_path, _ZIP, rows=3)
    for name in (
        *(f"{letter}.md" for letter in "abcdef"),
        "abcusdt-1m-2024-01-01.csv",
        "ABC_USDT-trades.feather",
        f"{_ZIP}.CHECKSUM",
        ".hidden",
    ):
        (tmp_path / name).write_text("[]")
    said: list[str] = []
    read_folder(tmp_path, said.append)
    names = "ABC_USDT-trades.feather, a.md, abcusdt-1m-2024-01-01.csv, b.md, c.md and 3 more"
    assert said == [f"replay: left out as not named or written like a recording: {names}"]


def test_spot_and_futures_of_one_symbol_are_not_mixed(tmp_path: Path) -> None:
    write_archive(tmp_path, _CSV, rows=3)
    write_archive(tmp_path, f"um_{_ZIP}", rows=3)
    assert "keep the two in folders of their own" in complaint(tmp_path)


async def test_the_program_names_skipped_files_and_refuses_broken_ones_in_one_line(
    tmp_path: Path,
) -> None:
    penstock = Penstock(tmp_path)
    folder = tmp_path / "recorded"
    write_archive(folder, _CSV, rows=3)
    (folder / "BTCUSD_PERP-1m-2024-01-01.zip").write_bytes(b"")
    async with penstock.started("simulate", "--port", "0", "--replay", str(folder)) as simulator:
        assert "BTCUSD_PERP-1m-2024-01-01.zip" in await simulator.says("left out")
        await simulator.says("answers at")
    (folder / _ZIP).write_bytes(flipped(zipped(_MANY), 60))
    refused = await penstock("simulate", "--port", "0", "--replay", str(folder))
    assert refused.code == 2
    assert _ZIP in refused.err.splitlines()[-1]
    assert zipfile.is_zipfile(folder / _ZIP)
