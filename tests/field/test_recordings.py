"""Recorded series: starts before a series, odd close times, candles off the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from sqlalchemy import select

from penstock.market.tables import candle, coverage, quarantine
from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from tests.acceptance.commands import Penstock
from tests.field.exchange import DAY, HOUR, Exchange, answering, ms, row, rows

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Select

_LISTED = ms("2017-08-17T00:00")
# Off the grid since an outage, like the exchange's hours in February 2018.
_ODD = ms("2018-02-09T09:28:14.789")
_ODD_HOURS = 40
_GRID_AGAIN = ms("2018-02-11T01:00")
_WHOLE_CLOSE = _GRID_AGAIN + 999


@pytest.fixture
def on_both(tmp_path: Path, database_url: str) -> Penstock:
    """The program with either database, for odd times and values; `penstock` uses SQLite."""
    return Penstock(tmp_path).with_settings(database_url=database_url)


async def read(penstock: Penstock, query: Select[Any]) -> list[tuple[Any, ...]]:
    """Rows with their times in ms, on either database."""

    def rows_of(connection: Connection) -> list[tuple[Any, ...]]:
        return [tuple(found) for found in connection.execute(query)]

    async with open_reader(
        load_settings(database_url=penstock.environment["PENSTOCK_DATABASE_URL"])
    ) as database:
        return await database.read(rows_of)


async def opens(penstock: Penstock) -> list[int]:
    return [
        at
        for (at,) in await read(penstock, select(candle.c.open_time).order_by(candle.c.open_time))
    ]


async def spans(penstock: Penstock) -> list[tuple[int, int, str]]:
    return await read(
        penstock,
        select(coverage.c.start_time, coverage.c.end_time, coverage.c.state).order_by(
            coverage.c.start_time
        ),
    )


async def refused(penstock: Penstock) -> list[str]:
    return [reason for (reason,) in await read(penstock, select(quarantine.c.reason))]


_BEFORE_THE_FIRST = {
    "4h since the epoch": ("4h", "--since", "1970-01-01"),
    "1M": ("1M", "--limit", "1000"),
    "1w": ("1w", "--limit", "3000"),
    "1d": ("1d", "--limit", "100000"),
}


@pytest.mark.parametrize("kind", _BEFORE_THE_FIRST)
async def test_a_start_before_the_listing_gives_the_same_as_a_start_at_the_listing(
    penstock: Penstock, kind: str
) -> None:
    timeframe, *words = _BEFORE_THE_FIRST[kind]
    # Nothing closes while the commands run.
    async with running(
        SimulatorSettings(symbols=1, now_ms=ms("2018-01-15T12:00:30"), speed=0)
    ) as url:
        penstock = penstock.with_settings(binance_url=url)
        assert (await penstock("collect", "BTC/USDT", "-t", timeframe, *words)).code == 0
        known = await opens(penstock), await spans(penstock)
        [before, stored] = known[1]
        assert before[0] >= 0
        assert (before[1], before[2]) == (known[0][0], "not_listed")
        assert (stored[0], stored[2]) == (known[0][0], "stored")
        assert (await penstock("collect", "BTC/USDT", "-t", timeframe)).code == 0
        assert (await opens(penstock), await spans(penstock)) == known
        assert (
            await penstock(
                "collect", "BTC/USDT", "-t", timeframe, "--since", "2017-08-01", "--recheck"
            )
        ).code == 0
        assert await opens(penstock) == known[0]
    assert await refused(penstock) == []


async def test_later_runs_do_not_want_a_range_that_could_not_be_planned(
    penstock: Penstock,
) -> None:
    table = {("BTCUSDT", "4h"): rows("2018-01-01T00:00", "2018-03-01T00:00", 4 * HOUR)}
    async with answering(Exchange(ms("2018-03-01T00:00:30"), table)) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "BTCUSDT", "-t", "4h", "--limit", "20")).code == 0
        known = await opens(penstock), await spans(penstock)
        exchange.lie = lambda _query, _answer: web.json_response(
            {"code": -1100, "msg": "Illegal characters found in parameter 'endTime'."}, status=400
        )
        assert (await penstock("collect", "BTCUSDT", "-t", "4h", "--since", "1970-01-01")).code != 0
        exchange.lie = lambda _query, answer: answer
        assert (await penstock("collect", "BTCUSDT", "-t", "4h")).code == 0
        assert (await opens(penstock), await spans(penstock)) == known


def sent_in_2017() -> list[list[Any]]:
    """Three candles of 2017-09-06 as they were sent, and one that closes a millisecond late."""
    sound = {"high": "4662.87", "low": "4466.20", "close": "4619.43", "volume": "88.78"}
    same = dict.fromkeys(("open", "high", "low", "close"), "4619.43")
    return [
        row(ms("2017-09-06T14:00"), 2 * HOUR, open="4490.01", **sound),
        row(
            ms("2017-09-06T16:00"),
            2 * HOUR,
            **same,
            volume="0",
            trades=0,
            close_time=ms("2017-09-06T16:00"),
        ),
        row(
            ms("2017-09-06T22:00"),
            2 * HOUR,
            open="4619.43",
            **sound,
            close_time=ms("2017-09-07T00:00"),
        ),
        row(ms("2017-09-07T00:00"), 2 * HOUR, open="4619.77", **sound),
        row(ms("2017-09-07T02:00"), 2 * HOUR, open="4619.77", **sound),
    ]


async def test_candles_that_close_at_their_open_or_a_millisecond_late_are_stored(
    on_both: Penstock,
) -> None:
    sent = sent_in_2017()
    async with answering(Exchange(ms("2017-09-07T02:30"), {("BTCUSDT", "2h"): sent})) as exchange:
        penstock = on_both.with_settings(binance_url=exchange.url)
        for _ in range(2):
            assert (
                await penstock("collect", "BTC/USDT", "-t", "2h", "--since", "2017-09-06T14:00")
            ).code == 0
            assert await opens(penstock) == [row[0] for row in sent]
            assert await spans(penstock) == [
                (ms("2017-09-06T14:00"), ms("2017-09-06T18:00"), "stored"),
                (ms("2017-09-06T18:00"), ms("2017-09-06T22:00"), "unconfirmed"),
                (ms("2017-09-06T22:00"), ms("2017-09-07T02:00"), "stored"),
            ]
    assert await refused(penstock) == []


async def test_only_the_place_of_a_refused_row_is_rejected(on_both: Penstock) -> None:
    sent = [
        row
        for row in rows("2017-09-06T00:00", "2017-09-07T00:00", 2 * HOUR)
        if row[0] != ms("2017-09-06T18:00")
    ]
    sent[2] = row(ms("2017-09-06T04:00"), 2 * HOUR, volume="-1.0")
    async with answering(Exchange(ms("2017-09-07T00:30"), {("BTCUSDT", "2h"): sent})) as exchange:
        penstock = on_both.with_settings(binance_url=exchange.url)
        await penstock("collect", "BTC/USDT", "-t", "2h", "--since", "2017-09-06")
        assert await opens(penstock) == [row[0] for number, row in enumerate(sent) if number != 2]
        assert await spans(penstock) == [
            (ms("2017-09-06T00:00"), ms("2017-09-06T04:00"), "stored"),
            (ms("2017-09-06T04:00"), ms("2017-09-06T06:00"), "rejected"),
            (ms("2017-09-06T06:00"), ms("2017-09-06T18:00"), "stored"),
            (ms("2017-09-06T18:00"), ms("2017-09-06T20:00"), "unconfirmed"),
            (ms("2017-09-06T20:00"), ms("2017-09-07T00:00"), "stored"),
        ]
    assert await refused(penstock) == ["negative"]


def odd_hours() -> list[list[Any]]:
    """Hours on the grid, forty off it behind an outage, and hours on it again."""
    odd = [row(_ODD + number * HOUR, HOUR) for number in range(_ODD_HOURS)]
    odd[-1] = row(_ODD + (_ODD_HOURS - 1) * HOUR, HOUR, close_time=_WHOLE_CLOSE)
    return [
        *rows("2017-12-01T00:00", "2018-02-08T00:00", HOUR),
        *odd,
        *rows(_GRID_AGAIN, "2018-04-01T00:00", HOUR),
    ]


@pytest.mark.parametrize("behind", [-1, 0, 1])
async def test_a_candle_that_closes_after_the_next_one_opens_ends_a_page(
    penstock: Penstock, behind: int
) -> None:
    sent = odd_hours()
    last = next(number for number, row in enumerate(sent) if row[6] == _WHOLE_CLOSE)
    assert sent[last + 1][0] == _GRID_AGAIN
    # A page has 1,000 rows, from the one before the start on.
    since = sent[last + behind - 999][0]
    async with answering(Exchange(ms("2018-04-01T00:30"), {("BTCUSDT", "1h"): sent})) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "BTC/USDT", "-t", "1h", "--since", str(since))).code == 0
        assert await opens(penstock) == [row[0] for row in sent if row[0] >= since]
        assert await spans(penstock) == [
            (since, ms("2018-02-08T01:00"), "stored"),
            (ms("2018-02-08T01:00"), _ODD, "unconfirmed"),
            (_ODD, ms("2018-04-01T00:00"), "stored"),
        ]
    assert await refused(penstock) == []


async def test_a_range_can_begin_inside_a_candle_off_the_grid(on_both: Penstock) -> None:
    sent = odd_hours()
    async with answering(Exchange(ms("2018-04-01T00:30"), {("BTCUSDT", "1h"): sent})) as exchange:
        penstock = on_both.with_settings(binance_url=exchange.url)
        assert (
            await penstock("collect", "BTC/USDT", "-t", "1h", "--since", "2018-02-10T00:00")
        ).code == 0
        found = await opens(penstock)
        assert found == [row[0] for row in sent if row[0] >= ms("2018-02-09T23:00")]
        known = await spans(penstock)
        assert [state for *_, state in known] == ["stored"], known


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "2018-01-03"),
        ("--since", "2018-01-04"),
        ("--since", "2018-01-05"),
        ("--limit", "10"),
    ],
)
async def test_three_day_candles_are_counted_from_the_listing_day(
    penstock: Penstock, words: tuple[str, str]
) -> None:
    for later in range(3):
        # Each of the three days could be the running one.
        now = ms("2018-03-01T12:00:30") + later * DAY
        async with running(SimulatorSettings(symbols=1, now_ms=now, speed=0)) as url:
            collected = await penstock.with_settings(binance_url=url)(
                "collect", "BTC/USDT", "-t", "3d", *words
            )
        assert collected.code == 0
        assert "grid" not in collected.out + collected.err
        found = await opens(penstock)
        assert (found[0] - _LISTED) % (3 * DAY) == 0
        assert found == list(range(found[0], now, 3 * DAY))
        assert [state for *_, state in await spans(penstock)] == ["stored"]
    if words[0] == "--since":
        assert found[0] <= ms(f"{words[1]}T00:00") < found[0] + 6 * DAY


async def test_the_view_for_reading_has_milliseconds_and_the_nearest_doubles(
    penstock: Penstock,
) -> None:
    # SQLite 3.40's own cast gives another last bit for these.
    odd = {"low": "0.76210812", "volume": "21432086.38893863"}
    sent = [row(_ODD + number * HOUR, HOUR, **odd) for number in range(3)]
    async with answering(Exchange(_ODD + 2 * HOUR + 1, {("BTCUSDT", "1h"): sent})) as exchange:
        assert (
            await penstock.with_settings(binance_url=exchange.url)(
                "collect", "BTCUSDT", "-t", "1h", "--limit", "3"
            )
        ).code == 0
    seen = await penstock.rows(
        "SELECT timestamp, low, volume, open, quote_volume FROM market_data ORDER BY timestamp"
    )
    assert [at for at, *_ in seen] == [f"2018-02-09 {hour:02}:28:14.789" for hour in (9, 10, 11)]
    assert {tuple(values[:2]) for _, *values in seen} == {(0.76210812, 21432086.38893863)}
    assert [tuple(values[2:]) for _, *values in seen] == [
        (float(row[1]), float(row[7])) for row in sent
    ]


async def test_a_hole_longer_than_a_piece_becomes_an_outage_and_the_row_before_it_final(
    penstock: Penstock,
) -> None:
    # A run asks for 20,000 candles in one piece; yearly recordings have such holes between them.
    sent = [
        *rows("2020-06-01T00:00", "2020-07-01T03:00", HOUR),
        *rows("2023-01-01T00:00", "2023-01-08T00:00", HOUR),
    ]
    hole = (ms("2020-07-01T04:00"), ms("2023-01-01T00:00"))
    async with answering(Exchange(sent[-1][0] + 30_000, {("BTCUSDT", "1h"): sent})) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "BTCUSDT", "-t", "1h", "--since", "2020-06-01")).code == 0
        assert hole in [span[:2] for span in await spans(penstock)]
        assert await read(penstock, select(candle.c.open_time).where(~candle.c.closed)) == [
            (sent[-1][0],)
        ]
        for later in (HOUR, 24 * HOUR):
            exchange.now += later
            exchange.requests.clear()
            assert (await penstock("collect", "BTCUSDT", "-t", "1h")).code == 0
        assert (*hole, "outage") in await spans(penstock)
        exchange.requests.clear()
        assert (await penstock("collect", "BTCUSDT", "-t", "1h")).code == 0
        assert len(exchange.asked()) <= 2
