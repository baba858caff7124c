"""The audit: once a day it reads the last 48 hours again, and keeps both sides of a change."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from penstock.moment import iso
from penstock.runs.tables import schedule
from tests.api.collector import collector
from tests.field.exchange import DAY, HOUR, Exchange, answering, ms, row, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.collector import Collector

_NOW = "2025-03-10T12:00:30"
_RECENT, _OLD = ms("2025-03-09T03:00"), ms("2025-03-05T03:00")
_DUE = itertools.count(1_000)
_SYMBOLS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}


def ten_days() -> Exchange:
    table = {(symbol, "1h"): rows("2025-03-01T00:00", _NOW, HOUR) for symbol in _SYMBOLS}
    return Exchange(ms(_NOW), table, dict(_SYMBOLS))


def changed(exchange: Exchange, symbol: str, *opens: int) -> None:
    """The exchange with other values in these hours."""
    known = exchange.table[symbol, "1h"]
    exchange.table[symbol, "1h"] = [
        row(candle[0], HOUR, volume="777.00000000") if candle[0] in opens else candle
        for candle in known
    ]


@contextlib.asynccontextmanager
async def auditing(database_url: str, exchange: Exchange) -> AsyncIterator[Collector]:
    """A service whose only active schedule is the audit, due when a test sets it."""
    async with (
        answering(exchange),
        collector(database_url, binance_url=exchange.url, scheduler_delay_s=36_000) as service,
        service.app.scheduling(),
    ):
        await service.until(lambda: service.get("/tasks/active"), lambda found: not found["tasks"])
        off = update(schedule).where(schedule.c.name != "audit").values(enabled=False)
        await service.app.database.write(lambda connection: connection.execute(off))
        yield service


async def audit(service: Collector) -> dict[str, Any] | None:
    """The ended task of the audit; None when there was nothing to do."""
    task_id = await due(service)
    return None if task_id is None else await service.ended(task_id)


async def due(service: Collector) -> str | None:
    # A due time gives one run, however often it is checked: each call uses another time.
    now = update(schedule).where(schedule.c.name == "audit").values(next_run_at=next(_DUE))
    await service.app.database.write(lambda connection: connection.execute(now))
    ticked = await service.app.schedules.tick(50)
    if not ticked.submitted:
        assert ticked.skipped == ["audit"]
        return None
    return str((await service.get("/tasks?task_type=audit"))["tasks"][0]["task_id"])


async def test_the_audit_stores_a_changed_value_of_the_last_48_hours_and_keeps_the_old_one(
    database_url: str,
) -> None:
    exchange = ten_days()
    async with auditing(database_url, exchange) as service:
        await service.collect("BTC/USDT ETH/USDT", "1h", since=iso(ms("2025-03-01T00:00")))
        changed(exchange, "BTCUSDT", _RECENT, _OLD)
        exchange.requests.clear()
        task = await audit(service)
        assert task is not None
        assert (task["task_type"], task["job_name"], task["status"]) == (
            "audit",
            "audit",
            "completed",
        )
        assert (task["counters"]["inserted"], task["counters"]["updated"]) == (0, 1)
        assert task["result"]["series"] == 2
        first = min(int(query["startTime"]) for query in exchange.asked() if "startTime" in query)
        assert ms("2025-03-08T00:00") < first <= ms("2025-03-08T12:00")
        assert len(exchange.asked()) <= 4
        kept = "SELECT r.open_time, r.volume, c.volume, r.restated_by FROM restatement r"
        kept += " JOIN candle c ON c.series_id = r.series_id AND c.open_time = r.open_time"
        [found] = await service.app.database.read(
            lambda connection: connection.exec_driver_sql(kept).all()
        )
        assert (float(found[1]), float(found[2])) == (float(row(_RECENT, HOUR)[5]), 777.0)
        assert (await audit(service) or {})["counters"]["updated"] == 0


async def test_the_audit_skips_series_that_are_no_longer_collected(sqlite_database: str) -> None:
    exchange = ten_days()
    async with auditing(sqlite_database, exchange) as service:
        assert await audit(service) is None, "nothing was ever collected"
        await service.collect("ETH/USDT", "1h", since=iso(ms("2025-03-01T00:00")))
        exchange.now += 3 * DAY
        exchange.table["BTCUSDT", "1h"] += rows(
            exchange.table["BTCUSDT", "1h"][-1][0] + HOUR, exchange.now, HOUR
        )
        await service.collect("BTC/USDT", "1h", since=iso(ms("2025-03-10T00:00")))
        exchange.requests.clear()
        task = await audit(service)
        assert task is not None
        assert task["result"]["series"] == 1
        assert {query["symbol"] for query in exchange.asked()} == {"BTCUSDT"}


async def test_an_audit_waits_for_a_running_collection(sqlite_database: str) -> None:
    exchange = ten_days()
    async with auditing(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT ETH/USDT", "1h", since=iso(ms("2025-03-01T00:00")))
        free = asyncio.Event()
        exchange.answers = free
        held = await service.start("BTC/USDT", "1h")
        await service.running(held)
        waiting = await due(service)
        assert waiting is not None
        assert (await service.task(waiting))["status"] == "pending"
        free.set()
        assert (
            (await service.ended(held))["status"]
            == (await service.ended(waiting))["status"]
            == "completed"
        )


async def test_the_audit_skips_symbols_that_are_no_longer_listed(sqlite_database: str) -> None:
    exchange = ten_days()
    async with auditing(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT ETH/USDT", "1h", since=iso(ms("2025-03-01T00:00")))
        del exchange.symbols["ETHUSDT"]
        await service.ended((await service.call("POST", "/refresh-symbols"))[1]["task_id"])
        # The first collection learns that the symbol is gone, and marks its end.
        exchange.now += 3 * HOUR
        exchange.table["BTCUSDT", "1h"] += rows(
            exchange.table["BTCUSDT", "1h"][-1][0] + HOUR, exchange.now, HOUR
        )
        await service.collect("BTC/USDT ETH/USDT", "1h")
        exchange.requests.clear()
        task = await audit(service)
        assert task is not None
        assert (task["status"], task["result"]["failures"]) == ("completed", {})
        assert {query["symbol"] for query in exchange.asked()} == {"BTCUSDT"}
