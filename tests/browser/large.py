"""A large installation: 1,000 series, 300 configs, and 100,000 runs with their logs."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from penstock.app import open_app
from penstock.collection.tables import collection_config
from penstock.market.tables import candle, coverage, instrument, series
from penstock.runs.tables import execution_log, run, schedule
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

SERIES, CONFIGS, RUNS = 1_000, 300, 100_000
_TIMEFRAMES = {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}
_CANDLES = 300
_DAY_MS = 86_400_000
_AT_ONCE = 20_000
# The last run, which wrote all candles.
_RUN_ID = RUNS


async def fill(database_url: str) -> None:
    """Fill an empty database, whose newest candles are of now."""
    now = int(time.time() * 1000)
    async with open_app(load_settings(database_url=database_url)) as app:
        await app.database.write(lambda connection: _fill(connection, now))


def _fill(connection: Connection, now: int) -> None:
    _market(connection, now)
    candles = _candles(now)
    while rows := [*islice(candles, _AT_ONCE)]:
        connection.execute(insert(candle), rows)
    _configs(connection, now)
    for first in range(1, RUNS + 1, _AT_ONCE):
        _runs(connection, now, first)


def _names(number: int) -> dict[str, str]:
    return {"native_symbol": f"C{number}USDT", "symbol": f"C{number}/USDT", "base": f"C{number}"}


def _series() -> Iterator[tuple[int, int, str]]:
    """The id of each series, of its instrument, and its timeframe."""
    for number in range(SERIES):
        yield number + 1, number // len(_TIMEFRAMES) + 1, [*_TIMEFRAMES][number % 3]


def _market(connection: Connection, now: int) -> None:
    of_all: dict[str, object] = {"exchange": "binance", "market": "spot", "quote": "USDT"}
    of_all |= {"status": "trading", "seen_at": now}
    instruments = [
        of_all | _names(number) | {"id": number, "quote_volume_24h": 1e6 / number}
        for number in range(1, SERIES // len(_TIMEFRAMES) + 2)
    ]
    connection.execute(insert(instrument), instruments)
    rows = [
        {"id": series_id, "instrument_id": of, "timeframe": timeframe, "price_kind": "last"}
        for series_id, of, timeframe in _series()
    ]
    connection.execute(insert(series), rows)
    connection.execute(insert(coverage), [*_spans(now)])


def _first(now: int, step: int) -> int:
    return now - now % step - (_CANDLES - 1) * step


def _spans(now: int) -> Iterator[dict[str, object]]:
    """What is stored; every fifth series lacks three candles."""
    evidence = ("asked", "first_asked", "last_asked", "source", "due_at")
    for series_id, _, timeframe in _series():
        step = _TIMEFRAMES[timeframe]
        first, gap = _first(now, step), _gap(now, step)
        end = first + _CANDLES * step
        whole = {"series_id": series_id, "run_id": _RUN_ID} | dict.fromkeys(evidence)
        if series_id % 5:
            yield whole | {"start_time": first, "end_time": end, "state": "stored"}
            continue
        yield whole | {"start_time": first, "end_time": gap, "state": "stored"}
        asked = {"asked": 3, "first_asked": now - _DAY_MS, "last_asked": now, "source": "binance"}
        yield whole | {"start_time": gap, "end_time": gap + 3 * step, "state": "outage"} | asked
        yield whole | {"start_time": gap + 3 * step, "end_time": end, "state": "stored"}


def _gap(now: int, step: int) -> int:
    return _first(now, step) + _CANDLES // 2 * step


def _candles(now: int) -> Iterator[dict[str, object]]:
    for series_id, of, timeframe in _series():
        step = _TIMEFRAMES[timeframe]
        gap = _gap(now, step)
        for number in range(_CANDLES):
            at = _first(now, step) + number * step
            if series_id % 5 == 0 and gap <= at < gap + 3 * step:
                continue
            price = of + (number * 7 % 31) / 10
            yield {
                "series_id": series_id,
                "open_time": at,
                "close_time": at + step - 1,
                "open": str(price),
                "high": str(price + 2),
                "low": str(price - 1),
                "close": str(price + (number % 3 - 1)),
                "volume": str(number % 17),
                "run_id": _RUN_ID,
                "closed": at + step <= now,
            }


def _configs(connection: Connection, now: int) -> None:
    numbers = range(1, CONFIGS + 1)
    of_all = {"exchange": "binance", "timeframes": ["1m", "1h", "1d"], "interval_minutes": 5}
    of_all |= {"enabled": True, "created_at": now, "updated_at": now}
    configs = [
        of_all | {"id": number, "symbol": f"C{number}/USDT", "job_id": f"collect_data_{number}"}
        for number in numbers
    ]
    connection.execute(insert(collection_config), configs)
    of_all = {"kind": "data_collection", "params": {}, "interval_s": 300, "enabled": True}
    schedules = [
        # Not due while a test looks.
        of_all | {"name": f"collect_data_{number}", "next_run_at": now + _DAY_MS + number * 1000}
        for number in numbers
    ]
    connection.execute(insert(schedule), schedules)


def _runs(connection: Connection, now: int, first: int) -> None:
    """Runs over 30 days, of which one in fifty failed."""
    numbers = range(first, first + _AT_ONCE)
    times = [now - (RUNS - number) * (30 * _DAY_MS // RUNS) - 1_000 for number in numbers]
    runs: list[dict[str, Any]] = [
        {
            "id": number,
            "task_id": f"00000000-0000-4000-8000-{number:012}",
            "kind": "data_collection",
            "state": "failed" if number % 50 == 0 else "succeeded",
            "params": {},
            "fence": 1,
            "created_at": at,
            "started_at": at,
            "finished_at": at + 500,
            "job_name": f"collect_data_{number % CONFIGS + 1}",
        }
        for number, at in zip(numbers, times, strict=True)
    ]
    connection.execute(insert(run), runs)
    logs = [
        {
            "run_id": one["id"],
            "job_name": one["job_name"],
            "job_type": one["kind"],
            "symbol": f"C{number % CONFIGS + 1}/USDT",
            "exchange": "binance",
            "started_at": one["started_at"],
            "finished_at": one["finished_at"],
            "duration_seconds": 0.5,
            "status": "failed" if one["state"] == "failed" else "success",
            "records_collected": 5,
            "metadata": {"timeframes_collected": 1, "timeframes_failed": 0},
        }
        for number, one in zip(numbers, runs, strict=True)
    ]
    connection.execute(insert(execution_log), logs)
