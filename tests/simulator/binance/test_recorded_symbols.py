"""Recorded symbols are split into known assets or refused; every listed one works (input S)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from penstock.errors import InvalidInputError
from penstock.simulator.binance.assets import halves
from penstock.simulator.binance.replay import read_folder
from penstock.simulator.server import SimulatorSettings, running
from tests.acceptance.commands import Penstock
from tests.simulator.binance.recordings import FIRST_MS, MINUTE, frame, write_archive

if TYPE_CHECKING:
    from pathlib import Path


def listed(folder: Path) -> dict[str, tuple[object, object]]:
    infos = {symbol: series.info(FIRST_MS) for symbol, series in read_folder(folder).items()}
    return {symbol: (info["baseAsset"], info["quoteAsset"]) for symbol, info in infos.items()}


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [
        *(
            ("BTCBIDR", "BTC", "BIDR"),
            ("BTCIDRT", "BTC", "IDRT"),
            ("USDTIDR", "USDT", "IDR"),
            ("AAVEUSDC", "AAVE", "USDC"),
            ("ADAEUR", "ADA", "EUR"),
        ),
        *(
            ("BUSDVAI", "BUSD", "VAI"),
            ("BTCUSD1", "BTC", "USD1"),
            ("ETHU", "ETH", "U"),
            ("FTTUST", "FTT", "UST"),
            ("BTCTUSD", "BTC", "TUSD"),
        ),
        ("币安人生USDT", "币安人生", "USDT"),
    ],
)
def test_a_symbol_ends_in_the_quote_that_leaves_an_asset(
    symbol: str, base: str, quote: str
) -> None:
    assert halves(symbol) == (base, quote)


def test_a_symbol_with_two_or_no_possible_splits_is_not_guessed() -> None:
    assert halves("SRMBIDR") is None
    assert halves("SRMBIDR", {"SRM"}) == ("SRM", "BIDR")
    assert halves("XYZWHO") is None
    assert halves("USDT") is None


def test_a_recorded_exchange_info_gives_base_and_quote(recorded: Path) -> None:
    lines = (
        (recorded / "binance/rest/cryptofeed_BINANCE_exchangeInfo_2021-10-12.txt")
        .read_text()
        .splitlines()
    )
    infos = [
        info
        for line in lines
        if "exchangeInfo -> " in line
        for info in json.loads(line[line.index("{") :])["symbols"]
    ]
    pairs = [(halves(info["symbol"]), (info["baseAsset"], info["quoteAsset"])) for info in infos]
    assert [pair for pair in pairs if pair[0] not in (None, pair[1])] == []
    assert sum(pair[0] is None for pair in pairs) <= 1


def test_an_ambiguous_symbol_is_refused_until_the_folder_defines_it(tmp_path: Path) -> None:
    write_archive(tmp_path, "SRMBIDR-1m-2024-01-01.csv", rows=3)
    with pytest.raises(
        InvalidInputError, match=r"base and which the quote of SRMBIDR; put .* exchangeInfo\.json"
    ):
        read_folder(tmp_path)
    (tmp_path / "exchangeInfo.json").write_text(
        json.dumps({"symbols": [{"symbol": "SRMBIDR", "baseAsset": "SRM", "quoteAsset": "BIDR"}]})
    )
    assert listed(tmp_path) == {"SRMBIDR": ("SRM", "BIDR")}


def test_the_name_of_a_freqtrade_file_gives_its_symbol(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.feather").write_feather(
        pa.table(frame()), str(tmp_path / "SRM_BIDR-1m.feather")
    )
    assert listed(tmp_path) == {"SRMBIDR": ("SRM", "BIDR")}


async def test_a_symbol_in_another_script_is_listed_and_collected(
    tmp_path: Path, sqlite_database: str
) -> None:
    folder = tmp_path / "recorded"
    write_archive(folder, "币安人生USDT-1m-2024-01-01.zip", rows=3)
    settings = SimulatorSettings(
        replay=folder, replay_only=True, speed=0, now_ms=FIRST_MS + 4 * MINUTE
    )
    async with running(settings) as url:
        penstock = Penstock(tmp_path).with_settings(database_url=sqlite_database, binance_url=url)
        collected = await penstock("collect", "币安人生/USDT", "-t", "1m", "--since", str(FIRST_MS))
        assert collected.code == 0, collected.err
        assert [row[0] for row in await penstock.rows("SELECT open_time FROM candle")] == [
            FIRST_MS + minute * MINUTE for minute in range(3)
        ]
