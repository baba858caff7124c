"""Names as exchanges write them: collected symbols can be read, delisted ones are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.field.exchange import HOUR, Exchange, answering, ms, rows

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_NOW = ms("2025-03-10T12:00:30")


def listing(**symbols: tuple[str, str]) -> Exchange:
    hours = rows("2025-03-01T00:00", "2025-03-10T12:00", HOUR)
    return Exchange(_NOW, {(native, "1h"): hours for native in symbols}, dict(symbols))


async def test_every_command_finds_a_name_with_small_letters(penstock: Penstock) -> None:
    async with answering(listing(kPEPEUSDT=("kPEPE", "USDT"))) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "kPEPE/USDT", "-t", "1h")).code == 0
        for name in ("kPEPE/USDT", "kpepeusdt", "KPEPE/USDT"):
            assert len((await penstock("candles", name, "-t", "1h", "--json")).json) == 20
        async with penstock.serving() as service:
            for path in (
                "candles?symbol=kPEPE/USDT&timeframe=1h",
                "candles?symbol=kpepeusdt&timeframe=1h",
            ):
                async with service.session.get(f"/api/v1/{path}") as answer:
                    assert len((await answer.json())["candles"]) == 100
            for path, key in (
                ("series?symbol=kPEPEUSDT", "series"),
                ("coverage?symbol=KPEPEUSDT", "items"),
            ):
                async with service.session.get(f"/api/v1/{path}") as answer:
                    assert len((await answer.json())[key]) == 1


@pytest.mark.parametrize("order", [("TONUSDT", "tonUSDT"), ("tonUSDT", "TONUSDT")])
async def test_names_that_differ_only_in_case_are_different_symbols(
    penstock: Penstock, order: tuple[str, ...]
) -> None:
    async with answering(
        listing(**{native: (native.removesuffix("USDT"), "USDT") for native in order})
    ) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "TONUSDT", "-t", "1h")).code == 0
        assert {query["symbol"] for query in exchange.asked()} == {"TONUSDT"}
        ambiguous = await penstock("collect", "TonUsdt", "-t", "1h")
        assert (ambiguous.code, ambiguous.complaint) == (
            2,
            "SYMBOL: 'TonUsdt' could mean TONUSDT or tonUSDT; write the exact name",
        )


async def test_a_symbol_that_is_no_longer_listed_is_marked_and_not_requested_again(
    penstock: Penstock,
) -> None:
    async with answering(listing(BTCUSDT=("BTC", "USDT"), FTMUSDT=("FTM", "USDT"))) as exchange:
        exchange.table["FTMUSDT", "1h"] = rows("2025-03-01T00:00", "2025-03-10T08:00", HOUR)
        async with penstock.with_settings(binance_url=exchange.url).serving() as service:

            async def collected(symbols: str) -> dict[str, Any]:
                return await service.ended(await service.start(symbols, "1h"))

            await collected("BTCUSDT FTMUSDT")
            del exchange.symbols["FTMUSDT"]
            await service.ended((await service.call("POST", "/refresh-symbols"))["task_id"])
            exchange.requests.clear()
            said = [
                await collected(symbols)
                for symbols in ("BTCUSDT FTMUSDT", "BTCUSDT FTMUSDT", "FTMUSDT")
            ]
            assert len(exchange.asked(symbol="FTMUSDT")) <= 1
            assert "no longer listed" in str(said[0]["result"]["failures"])
            assert [task["status"] for task in said] == ["completed"] * 3
        gaps = await penstock.rows(
            "SELECT reason, start_time FROM gap WHERE symbol = 'FTM/USDT' AND reason = 'delisted'"
        )
        assert gaps == [("delisted", ms("2025-03-10T09:00"))]


async def test_a_listed_symbol_without_a_row_in_the_range_appears_in_the_ledger(
    penstock: Penstock,
) -> None:
    async with answering(listing(BTCUSDT=("BTC", "USDT"))) as exchange:
        exchange.table["BTCUSDT", "1h"] = rows("2025-01-01T00:00", "2025-01-10T00:00", HOUR)
        penstock = penstock.with_settings(binance_url=exchange.url)
        await penstock("collect", "BTCUSDT", "-t", "1h", "--limit", "48")
        [(start, end)] = await penstock.rows("SELECT min(start_time), max(end_time) FROM gap")
        assert (start, end) == (_NOW - _NOW % HOUR - 47 * HOUR, _NOW - _NOW % HOUR)


async def test_a_symbol_refused_during_its_last_candle_is_marked_later_and_then_not_requested(
    penstock: Penstock,
) -> None:
    async with answering(listing(BTCUSDT=("BTC", "USDT"), FTMUSDT=("FTM", "USDT"))) as exchange:
        async with penstock.with_settings(binance_url=exchange.url).serving() as service:

            async def collected() -> dict[str, Any]:
                exchange.requests.clear()
                return await service.ended(await service.start("BTCUSDT FTMUSDT", "1h"))

            await collected()
            del exchange.symbols["FTMUSDT"]
            await service.ended((await service.call("POST", "/refresh-symbols"))["task_id"])
            for _ in range(3):
                task = await collected()
                exchange.now += HOUR
            assert task["result"]["failures"] == {
                "FTMUSDT 1h": "FTM/USDT is no longer listed at binance"
            }
            assert (await collected())["result"]["failures"] == {}
            assert exchange.asked(symbol="FTMUSDT") == []
            exchange.now += 8 * 24 * HOUR
            # Requested once more, like settled gaps, and then not again.
            await collected()
            assert (await collected())["result"]["failures"] == {}
            assert len(exchange.asked(symbol="FTMUSDT")) <= 1
        gaps = await penstock.rows(
            "SELECT start_time FROM gap WHERE symbol = 'FTM/USDT' AND reason = 'delisted'"
        )
        assert gaps == [(ms("2025-03-10T13:00"),)]
