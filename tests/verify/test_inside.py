"""What verify finds in stored data without asking the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from tests.market_builders import MINUTE, ORIGIN, candle
from tests.simulated import ms
from tests.verify.shelf import holding, replace_candle, stocked

if TYPE_CHECKING:
    from penstock.market.candle import Candle
    from tests.verify.shelf import Stocked

M1, M5, H1, D1 = Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.D1


def found(report: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """Step, kind, place and number of candles of each finding."""
    return [
        (series["timeframe"], finding["kind"], ms(finding["start"][:-1]), finding["candles"])
        for series in report["reports"]
        for finding in series["findings"]
        if finding["standing"] == "wrong"
    ]


async def test_collected_data_has_no_findings(database_url: str) -> None:
    async with stocked(database_url) as stock:
        report = await stock.verify()
        assert found(report) == []
        assert (report["series"], report["wrong"], report["series_wrong"]) == (4, 0, 0)
        assert report["candles"] == await stock.store.value("SELECT count(*) FROM candle")


async def test_a_report_names_where_the_first_candle_opens_and_the_last_ends(
    database_url: str,
) -> None:
    async with stocked(database_url) as stock:
        for series in (await stock.verify())["reports"]:
            step = Timeframe(series["timeframe"])
            opens = [
                row.open_time for row in stock.shelf.of[step] if row.open_time <= stock.shelf.now
            ]
            assert (series["from"], series["to"]) == (iso(opens[0]), iso(step.shift(opens[-1], 1)))


async def test_a_known_gap_is_not_a_finding(database_url: str) -> None:
    async with stocked(database_url, gap=range(700, 760)) as stock:
        assert found(await stock.verify()) == []


def hours_off_the_grid() -> list[Candle]:
    """Forty hours that open late after an outage; the last one closes inside the next hour."""
    hour, late = H1.longest_ms, 28 * MINUTE + 14_789
    opens = [ORIGIN + place * hour for place in range(30)]
    moved = [ORIGIN + (33 + place) * hour + late for place in range(40)]
    back = [ORIGIN + (73 + place) * hour for place in range(30)]
    rows = [candle(at, close_time=at + hour - 1) for at in (*opens, *moved, *back)]
    return [
        replace_candle(row, close_time=back[0] + 999) if row.open_time == moved[-1] else row
        for row in rows
    ]


def triple_days() -> list[Candle]:
    """Candles of three days, counted from the day of the listing."""
    step, first = Timeframe.D3.longest_ms, ORIGIN + 4 * D1.longest_ms
    return [candle(at, close_time=at + step - 1) for at in range(first, first + 40 * step, step)]


@pytest.mark.parametrize(
    ("step", "rows"),
    [(H1, hours_off_the_grid()), (Timeframe.D3, triple_days())],
    ids=["hours", "3d"],
)
async def test_candles_placed_off_the_grid_by_the_exchange_are_not_a_finding(
    database_url: str, step: Timeframe, rows: list[Candle]
) -> None:
    async with holding(database_url, {step: rows}, rows[-1].open_time + MINUTE) as stock:
        report = await stock.verify(against="rest")
        assert (found(report), report["failures"], report["candles"]) == ([], {}, len(rows))
        assert report["reports"][0]["off_grid"] == (40 if step is H1 else 0)


PLACE = ORIGIN + 605 * MINUTE
ROW = "series_id = :series AND open_time = @at"
PLANTS: dict[str, tuple[Timeframe, str, list[tuple[str, str, int, int]]]] = {
    "a row deleted": (M1, f"DELETE FROM candle WHERE {ROW}", [("1m", "missing", PLACE, 1)]),
    "rows deleted": (
        M1,
        "DELETE FROM candle WHERE series_id = :series AND open_time >= @at AND open_time < @later",
        [("1m", "missing", PLACE, 60)],
    ),
    "a row moved off the grid": (
        M1,
        f"UPDATE candle SET open_time = @off WHERE {ROW}",
        [("1m", "missing", PLACE, 1)],
    ),
    "high below open": (
        M1,
        f"UPDATE candle SET high = '1.00000000' WHERE {ROW}",
        [("1m", "impossible", PLACE, 1), ("5m", "sums", PLACE, 1)],
    ),
    "low above close": (
        H1,
        (
            "UPDATE candle SET low = high, close = '1.5'"
            " WHERE series_id = :series AND open_time = @hour"
        ),
        [],
    ),
    "a negative volume": (
        M5,
        f"UPDATE candle SET taker_base = '-1.00000000' WHERE {ROW}",
        [("5m", "impossible", PLACE, 1), ("5m", "sums", PLACE, 1)],
    ),
    "another volume": (
        M5,
        f"UPDATE candle SET volume = '0.00000001' WHERE {ROW}",
        [("5m", "sums", PLACE, 1)],
    ),
    "one trade more": (
        M5,
        f"UPDATE candle SET trades = trades + 1 WHERE {ROW}",
        [("5m", "sums", PLACE, 1)],
    ),
    "a row open again": (
        M1,
        f"UPDATE candle SET closed = (1 = 0) WHERE {ROW}",
        [("1m", "not_final", PLACE, 1)],
    ),
    "a span cut": (
        M1,
        (
            "UPDATE coverage SET end_time = @at"
            " WHERE series_id = :series AND state = 'stored' AND start_time <= @at"
        ),
        [("1m", "outside", PLACE, 1_500 - 605)],
    ),
}
PLANTS["low above close"] = (
    *PLANTS["low above close"][:2],
    [("1h", "impossible", ORIGIN + 600 * MINUTE, 1), ("1h", "sums", ORIGIN + 600 * MINUTE, 1)],
)


async def planted(stock: Stocked, name: str) -> None:
    step, statement, _ = PLANTS[name]
    times = {
        "at": PLACE,
        "off": PLACE + 17_000,
        "later": PLACE + 60 * MINUTE,
        "hour": ORIGIN + 600 * MINUTE,
    }
    used = {word: value for word, value in times.items() if f"@{word}" in statement}
    await stock.plant(statement, series=await stock.series_id(step), **used)


@pytest.mark.parametrize("name", PLANTS)
async def test_a_planted_fault_is_found_at_its_place(database_url: str, name: str) -> None:
    async with stocked(database_url) as stock:
        await planted(stock, name)
        assert found(await stock.verify()) == PLANTS[name][2]
