"""Penstock for scripts and notebooks: collect candles, and read stored ones.

```python
from penstock.script import candles, collect

report = collect(["BTC/USDT"], ["1m", "1h"], database="sqlite:////tmp/mine.db")
for candle in candles("BTC/USDT", "1h", limit=10, database="sqlite:////tmp/mine.db"):
    print(candle.open_time, candle.close)
```

Each function has an asynchronous twin, `…_async`. Other settings come from the environment
(docs/settings.md).
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.foreground import foreground
from penstock.logs import log_to_stderr_unless_set
from penstock.market.collect.result import CollectResult
from penstock.market.instrument import parse_timeframes
from penstock.market.queries.candles import CandleQuery, read_candles
from penstock.market.runs.orders import CollectOrder
from penstock.opening import masked_url, open_reader
from penstock.settings import load_settings

if TYPE_CHECKING:
    import uuid
    from collections.abc import Coroutine, Sequence

    from penstock.app import App
    from penstock.market.queries.candles import StoredCandle

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """The result of a collection; `seconds` exclude the lookup of the symbols."""

    task_id: uuid.UUID
    result: CollectResult
    symbols: int
    timeframes: int
    seconds: float
    database: str


def collect(
    symbols: Sequence[str],
    timeframes: Sequence[str],
    *,
    exchange: str = "binance",
    limit: int | None = None,
    since: int | None = None,
    database: str | None = None,
) -> CollectReport:
    """Collect missing candles up to now, and return when they are stored.

    An empty series starts with the newest `limit` candles (100), or at `since` (ms since the
    epoch). InvalidInputError for unknown names, ConflictError when another process owns the SQLite
    file or collects the same series; see `penstock.errors` for others.
    """
    return _wait(
        collect_async(
            symbols, timeframes, exchange=exchange, limit=limit, since=since, database=database
        )
    )


async def collect_async(
    symbols: Sequence[str],
    timeframes: Sequence[str],
    *,
    exchange: str = "binance",
    limit: int | None = None,
    since: int | None = None,
    database: str | None = None,
) -> CollectReport:
    """`collect` for a running event loop; if cancelled, it cancels the run and keeps its pages."""
    order = CollectOrder(
        symbols=symbols, timeframes=timeframes, exchange=exchange, limit=limit, since=since
    )
    settings = load_settings(database_url=database)
    log_to_stderr_unless_set(settings.log_level or "warning")
    async with open_app(settings) as app:
        return await collect_into(app, order)


async def collect_into(app: App, order: CollectOrder) -> CollectReport:
    """`collect_async` into an open database."""
    submission = await app.of(MarketParts).runs.submission(order)
    series: Any = submission.params["series"]
    async with foreground(app) as here:
        started = time.monotonic()
        task_id = await here.submit(submission)
        result = await here.outcome(task_id)
    if not isinstance(result, CollectResult):
        raise TypeError
    return CollectReport(
        task_id=task_id,
        result=result,
        symbols=len({native for native, _, _ in series}),
        timeframes=len({timeframe for _, timeframe, _ in series}),
        seconds=time.monotonic() - started,
        database=masked_url(app.settings),
    )


def candles(
    symbol: str,
    timeframe: str,
    *,
    limit: int = 500,
    exchange: str = "binance",
    start: int | None = None,
    end: int | None = None,
    database: str | None = None,
) -> Sequence[StoredCandle]:
    """The newest stored candles that open in `start ≤ t < end` (ms), in ascending order.

    Numbers are the exchange's strings. NotFoundError for a series that was never collected.
    """
    return _wait(
        candles_async(
            symbol,
            timeframe,
            limit=limit,
            exchange=exchange,
            start=start,
            end=end,
            database=database,
        )
    )


async def candles_async(
    symbol: str,
    timeframe: str,
    *,
    limit: int = 500,
    exchange: str = "binance",
    start: int | None = None,
    end: int | None = None,
    database: str | None = None,
) -> Sequence[StoredCandle]:
    """`candles` for a running event loop."""
    (step,) = parse_timeframes([timeframe])
    query = CandleQuery(
        exchange=exchange, symbol=symbol, timeframe=step, limit=limit, start=start, end=end
    )
    async with open_reader(load_settings(database_url=database)) as reader:
        return await reader.read(lambda connection: read_candles(connection, query))


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work; in a notebook, whose own loop is running, from a loop in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    thread = ThreadPoolExecutor(1, thread_name_prefix="penstock script")
    result = thread.submit(asyncio.run, work)
    thread.shutdown(wait=False)
    return result.result()
