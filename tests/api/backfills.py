"""A service over an exchange with holes, and its backfills."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from penstock.columns import metadata
from tests.api.collector import collector
from tests.field.exchange import DAY, HOUR, Exchange, answering, ms, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from tests.api.collector import Collector


BACKFILL = "/api/v1/backfill"


BTC = {"symbols": ["BTC/USDT"], "timeframes": ["1h"]}


NOW = "2025-03-10T12:00:30"


FIRST = ms("2025-03-01T00:00")


HOLE = range(ms("2025-03-05T06:00"), ms("2025-03-05T09:00"), HOUR)


def holed(*holes: range) -> Exchange:
    """Hours up to the running one, without those in the holes."""
    table = [row for row in rows(FIRST, NOW, HOUR) if not any(row[0] in hole for hole in holes)]
    return Exchange(
        ms(NOW), {("BTCUSDT", "1h"): table, ("BTCUSDT", "1d"): rows("2025-03-01T00:00", NOW, DAY)}
    )


@contextlib.asynccontextmanager
async def serving(database_url: str, exchange: Exchange, **given: Any) -> AsyncIterator[Collector]:
    async with (
        answering(exchange),
        collector(database_url, binance_url=exchange.url, **given) as service,
    ):
        yield service


async def backfill(service: Collector, **body: object) -> dict[str, Any]:
    """Submit a backfill and return its ended task."""
    status, answer = await service.call("POST", BACKFILL, BTC | body)
    assert status == 202, answer
    assert answer.keys() == {"task_id", "status", "message"}
    return await service.ended(answer["task_id"])


async def dry_run(service: Collector, **body: object) -> dict[str, Any]:
    status, answer = await service.call("POST", BACKFILL, BTC | {"dry_run": True} | body)
    assert status == 200, answer
    return dict(answer)


async def read(service: Collector, query: str) -> list[tuple[Any, ...]]:
    def found(connection: Connection) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(text(query))]

    return await service.app.database.read(found)


async def rows_of_tables(service: Collector) -> dict[str, int]:
    """How many rows each table has."""
    counts = {
        table.name: select(func.count()).select_from(table) for table in metadata.sorted_tables
    }
    return await service.app.database.read(
        lambda connection: {name: connection.scalar(count) or 0 for name, count in counts.items()}
    )


async def opens(service: Collector) -> list[int]:
    status, page = await service.call(
        "GET", "/api/v1/candles?symbol=BTCUSDT&timeframe=1h&limit=1000&start=2025-01-01"
    )
    assert status == 200, page
    return [ms(candle["open_time"].removesuffix("Z")) for candle in page["candles"]]
