"""Answers of exchanges to requests for candles: one answer proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.field.exchange import DAY, HOUR, MINUTE, Exchange, answering, ms, row, rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.acceptance.commands import Penstock

_LONG = 54_001
_HELD = "SELECT count(*) FROM candle"
_GAPS = "SELECT reason FROM gap"


def long_history(**given: Any) -> Exchange:
    """54,001 minutes up to the running one."""
    table = {("BTCUSDT", "1m"): rows("2025-02-01T00:00", "2025-03-10T12:00")}
    return Exchange(ms("2025-03-10T12:00:30"), table, **given)


async def count(penstock: Penstock) -> int:
    [(held,)] = await penstock.rows(_HELD)
    return int(held)


@pytest.mark.parametrize("most_rows", [500, 999])
async def test_pages_shorter_than_requested_leave_no_gap(
    penstock: Penstock, most_rows: int
) -> None:
    async with answering(long_history(most_rows=most_rows)) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        for _ in range(3):
            assert (
                await penstock("collect", "BTCUSDT", "-t", "1m", "--since", "2025-02-01")
            ).code == 0
            assert await count(penstock) == _LONG
            assert await penstock.rows("SELECT state, count(*) FROM coverage GROUP BY state") == [
                ("stored", 1)
            ]


async def test_shorter_pages_reach_the_running_candle_from_an_old_database(
    penstock: Penstock,
) -> None:
    async with answering(long_history()) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        now, exchange.now = exchange.now, exchange.now - 3_000 * MINUTE
        assert (await penstock("collect", "BTCUSDT", "-t", "1m", "--since", "2025-02-01")).code == 0
        assert await count(penstock) == _LONG - 3_000
        exchange.now, exchange.most_rows = now, 500
        assert (await penstock("collect", "BTCUSDT", "-t", "1m")).code == 0
        assert await count(penstock) == _LONG


_PAGE_OF = ms("2025-02-05T00:00")


@pytest.mark.parametrize("kept", [0, 300, "small"])
async def test_one_bad_answer_in_a_long_history_leaves_no_gap(
    penstock: Penstock, kept: int | str
) -> None:
    lied: list[object] = []

    def once(query: Mapping[str, str], answer: list[Any]) -> list[Any]:
        small = int(query.get("limit", 500)) <= 10
        holds = len(answer) > 100 and answer[0][0] <= _PAGE_OF <= answer[-1][0]
        if lied or not (small if kept == "small" else holds):
            return answer
        lied.append(query)
        return [] if kept == "small" else answer[: int(kept)]

    async with answering(long_history(lie=once)) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        await penstock("collect", "BTCUSDT", "-t", "1m", "--since", "2025-02-01")
        assert lied
        await penstock("collect", "BTCUSDT", "-t", "1m", "--since", "2025-02-01")
        assert await count(penstock) == _LONG
        assert await penstock.rows(_GAPS) == []


async def test_a_candle_from_a_server_some_seconds_behind_is_completed_later(
    penstock: Penstock,
) -> None:
    whole = rows("2025-03-10T11:00", "2025-03-10T12:00")
    true = row(ms("2025-03-10T11:59"), volume="5069.75517748", trades=113, close="77.00000000")
    stale = row(
        ms("2025-03-10T11:59"),
        open="99.0",
        high="99.0",
        low="99.0",
        close="99.0",
        volume="1.00000000",
        trades=3,
    )
    async with answering(
        Exchange(ms("2025-03-10T12:00:10"), {("BTCUSDT", "1m"): [*whole[:-2], stale]})
    ) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "BTCUSDT", "-t", "1m", "--limit", "20")).code == 0
        exchange.table["BTCUSDT", "1m"] = [*whole[:-2], true, whole[-1]]
        assert (await penstock("collect", "BTCUSDT", "-t", "1m")).code == 0
        found = await penstock.rows(
            f"SELECT volume, trades, closed FROM candle WHERE open_time = {true[0]}"
        )
        assert found == [("5069.75517748", 113, 1)]
        assert await penstock.rows("SELECT * FROM restatement") == []


async def test_a_quiet_coin_becomes_final_and_is_not_requested_for_ever(
    penstock: Penstock,
) -> None:
    quiet = rows("2025-03-10T08:00", "2025-03-10T08:59")
    async with answering(
        Exchange(ms("2025-03-10T12:00:10"), {("BTCUSDT", "1m"): quiet})
    ) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        for _ in range(3):
            exchange.requests.clear()
            assert (await penstock("collect", "BTCUSDT", "-t", "1m", "--limit", "200")).code == 0
            exchange.now += HOUR
        assert await penstock.rows("SELECT closed, count(*) FROM candle GROUP BY closed") == [
            (1, 19)
        ]
        assert len(exchange.asked()) <= 2


_IGNORING = {
    "start without end": {"ignores_start": lambda query: "endTime" not in query},
    "start": {"ignores_start": lambda _query: True},
    "both": {"ignores_start": lambda _query: True, "ignores_end": True},
}


@pytest.mark.parametrize("kind", _IGNORING)
async def test_an_exchange_that_ignores_the_start_proves_nothing(
    penstock: Penstock, kind: str
) -> None:
    table = {("BTCUSDT", "1h"): rows("2024-01-01T00:00", "2025-03-10T12:00", HOUR)}
    options: Any = _IGNORING[kind]
    ignoring = Exchange(ms("2025-03-10T12:00:30"), table, **options)
    async with answering(ignoring) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        first = await penstock("collect", "BTCUSDT", "-t", "1h", "--since", "2024-01-01")
        assert first.code != 0
        assert {reason for (reason,) in await penstock.rows(_GAPS)} <= {"failed"}
        exchange.ignores_start, exchange.ignores_end = lambda _query: False, False
        assert (await penstock("collect", "BTCUSDT", "-t", "1h", "--since", "2024-01-01")).code == 0
        assert await count(penstock) == 10_429


async def test_a_filled_hole_and_a_corrected_candle_are_stored_days_later(
    penstock: Penstock,
) -> None:
    whole = rows("2020-11-30T00:00", "2020-12-02T00:00")
    hole = range(ms("2020-11-30T06:00"), ms("2020-11-30T07:00"))
    table = {("ETHBTC", "1m"): [candle for candle in whole if candle[0] not in hole]}
    async with answering(
        Exchange(ms("2020-12-02T00:00:30"), table, {"ETHBTC": ("ETH", "BTC")})
    ) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        collect = ("collect", "ETHBTC", "-t", "1m")
        assert (await penstock(*collect, "--since", "2020-11-30")).code == 0
        assert await penstock.rows("SELECT reason, asked FROM gap") == [("unconfirmed", 1)]
        at = ms("2020-11-30T03:00")
        exchange.table["ETHBTC", "1m"] = [
            candle if candle[0] != at else row(at, volume="777.00000000") for candle in whole
        ]
        assert (await penstock(*collect)).code == 0
        exchange.now += HOUR
        assert (await penstock(*collect)).code == 0
        assert await penstock.rows(
            "SELECT count(*) FROM candle"
            f" WHERE open_time >= {hole.start} AND open_time < {hole.stop}"
        ) == [(60,)]
        assert await penstock.rows(f"SELECT * FROM gap WHERE start_time < {hole.stop}") == []
        exchange.now += 8 * DAY
        assert (await penstock(*collect, "--since", "2020-11-30", "--recheck")).code == 0
        assert await penstock.rows(f"SELECT volume FROM candle WHERE open_time = {at}") == [
            ("777.00000000",)
        ]
        old = row(at)[5]
        assert await penstock.rows("SELECT open_time, volume FROM restatement") == [(at, old)]


async def test_a_clock_in_microseconds_is_refused(penstock: Penstock) -> None:
    table = {
        ("BTCUSDT", step): rows("2025-03-10T10:00", "2025-03-10T12:00") for step in ("1m", "1M")
    }
    async with answering(Exchange(ms("2025-03-10T12:00:10"), table)) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        assert (await penstock("collect", "BTCUSDT", "-t", "1m")).code == 0
        exchange.time = lambda now: now * 1_000
        exchange.requests.clear()
        for step in ("1m", "1M"):
            refused = await penstock("collect", "BTCUSDT", "-t", step)
            assert refused.code not in {0, 1}
            assert "not a time in milliseconds" in refused.complaint
        assert len(exchange.requests) <= 15
        assert exchange.asked() == []
        assert await penstock.rows(
            f"SELECT closed FROM candle WHERE open_time = {ms('2025-03-10T12:00')}"
        ) == [(0,)]


async def test_rows_in_microseconds_are_refused(penstock: Penstock) -> None:
    micro = [
        [row[0] * 1_000, *row[1:6], row[6] * 1_000, *row[7:]]
        for row in rows("2025-03-10T10:00", "2025-03-10T12:00")
    ]
    async with answering(
        Exchange(ms("2025-03-10T12:00:10"), {}, lie=lambda _query, _answer: micro)
    ) as exchange:
        penstock = penstock.with_settings(binance_url=exchange.url)
        refused = await penstock("collect", "BTCUSDT", "-t", "1m")
        assert refused.code not in {0, 1}
        assert "did not answer the question" in refused.complaint
        assert await count(penstock) == 0
        assert len(exchange.requests) <= 15
