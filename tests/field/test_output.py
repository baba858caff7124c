"""Consoles that cannot show every character: the right exit code, and no traceback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import Penstock
from tests.field.small_exchange import SmallExchange, small_exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def penstock(tmp_path: Path) -> AsyncIterator[Penstock]:
    """A program whose exchange lists a symbol with a letter that no old code page has."""
    async with small_exchange(SmallExchange(symbols=("BTCUSDT", "ΩMEGAUSDT"))) as exchange:
        yield Penstock(tmp_path).with_settings(binance_url=exchange.url, request_attempts="1")


def on_console(penstock: Penstock, encoding: str) -> Penstock:
    return Penstock(penstock.folder, {**penstock.environment, "PYTHONIOENCODING": encoding})


@pytest.mark.parametrize("encoding", ["cp437", "ascii", "cp1252", "ascii:strict", "utf-8"])
async def test_characters_a_console_cannot_show_are_escaped_and_the_exit_code_is_right(
    penstock: Penstock, encoding: str
) -> None:
    shown = on_console(penstock, encoding)
    done = await shown("collect", "BTCUSDT", "ΩMEGAUSDT", "-t", "1h", "--limit", "3")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "2 symbols × 1 timeframe into"
        if encoding in {"cp1252", "utf-8"}
        else r"2 symbols \xd7 1 timeframe into"
    )

    table = await shown("candles", "ΩMEGAUSDT", "-t", "1h")
    assert (table.code, table.err) == (0, "")
    assert len(table.out.splitlines()) > 3

    listed = await shown("candles", "ΩMEGAUSDT", "-t", "1h", "--json")
    assert [candle["close"] for candle in listed.json] == ["1.5"] * 3

    assert (await shown("collect", "--help")).code == 0
    refused = await shown("candles", "ΨUSDT", "-t", "1h")
    assert refused.code == 2
    assert ("ΨUSDT" if encoding == "utf-8" else r"\u03a8USDT") in refused.complaint


async def test_logging_continues_on_a_console_with_a_narrow_encoding(penstock: Penstock) -> None:
    logged = on_console(penstock, "ascii:strict").with_settings(log_level="info")
    done = await logged("collect", "ΩMEGAUSDT", "-t", "1h", "--limit", "3", "--json")
    assert done.code == 0
    assert json.loads(done.out)["candles_written"] == 3


@pytest.mark.parametrize(
    "words",
    [
        ("collect", "BTC\udcff", "-t", "1m"),
        ("candles", "BTCUSDT", "-t", "1\udcff"),
        ("candles", "BTCUSDT", "-t", "1m", "--database", "sqlite:///\udcff.db"),
        ("products", "-q", "\udcffland"),
        ("catalog", "upload", "\udcff.csv"),
        ("simulate", "--replay", "\udcff"),
        ("serve", "--host", "\udcff"),
        ("\udcff",),
    ],
    ids=lambda words: words[0].encode("ascii", "replace").decode(),
)
async def test_an_argument_that_is_not_text_is_refused_in_one_sentence(
    penstock: Penstock, words: tuple[str, ...]
) -> None:
    refused = await penstock(*words)
    assert refused.code == 2
    [wrong] = [number for number, word in enumerate(words, start=1) if "\udcff" in word]
    assert (
        refused.complaint
        == f"argument {wrong} is not UTF-8: it holds the byte 0xff; write it in UTF-8"
    )
    assert not penstock.data.exists()


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "SYMBOLS", "EXPORT_FOLDER", "PORT", "SECRET_KEY", "BINANCE_URL"]
)
async def test_a_setting_that_is_not_text_is_refused_in_one_sentence(
    penstock: Penstock, name: str
) -> None:
    refused = await penstock.with_settings(**{name: "x\udcff"})("collect", "BTCUSDT", "-t", "1m")
    assert refused.code == 2
    assert refused.complaint.startswith(
        f"PENSTOCK_{name}: is not UTF-8: it holds the byte 0xff; write it in UTF-8; it is "
    )
    assert (r"x\udcff" in refused.complaint) == (
        name not in {"SECRET_KEY", "DATABASE_URL", "BINANCE_URL"}
    )
