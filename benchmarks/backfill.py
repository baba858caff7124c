"""A backfill of a million 1m candles, in a separate process whose memory is measured.

`python -m benchmarks.backfill` is that process: it reads its task as JSON from standard input and
writes its result as JSON to standard output.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, TypedDict

from benchmarks.cycle import listed, settings_for
from benchmarks.exchange import MINUTE_MS, exchange
from benchmarks.memory import peak_memory_mb
from benchmarks.places import KINDS
from benchmarks.report import Figure, median_of, percentile, worst_of
from penstock.app import open_app
from penstock.logs import log_to_stderr
from penstock.market.runs.orders import CollectOrder
from penstock.script import collect_into

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes

_MOST_MEMORY_MB = 250
_HEARTBEAT_S = 0.01


class _Task(TypedDict):
    database: str
    exchange: str
    now_ms: int
    symbols: int
    minutes: int


class _Done(TypedDict):
    seconds: float
    cpu_s: float
    written: int
    memory_mb: float
    memory_before_mb: float
    lags_ms: list[float]


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Rows per second, memory, and event-loop lag."""
    for kind in KINDS:
        with exchange() as simulator, places.fresh(kind) as url:
            size = {"symbols": sizes.backfill_symbols, "minutes": sizes.backfill_minutes}
            task = {"database": url, "exchange": simulator.url, "now_ms": simulator.now_ms, **size}
            done = _in_a_process(task)  # type: ignore[arg-type]
        yield from _figures(kind, done)


def _figures(kind: str, done: _Done) -> Iterator[Figure]:
    note = f"{done['written']:,} candles written"
    yield median_of(
        "backfill, rows a second", kind, "/s", [done["written"] / done["seconds"]], note=note
    )
    yield median_of(
        "backfill",
        kind,
        "s",
        [done["seconds"]],
        note=f"{done['cpu_s']:.1f} s of processor time in the collecting process",
    )
    note = f"{done['memory_before_mb']:.0f} MB before it began"
    yield worst_of(
        "backfill, peak memory", kind, "MB", [done["memory_mb"]], limit=_MOST_MEMORY_MB, note=note
    )
    lags = done["lags_ms"]
    yield Figure(
        name="backfill, loop lag p99",
        database=kind,
        unit="ms",
        samples=lags,
        value=percentile(lags, 99),
        note="of a 10 ms heartbeat",
    )
    yield worst_of("backfill, loop lag max", kind, "ms", lags)


def _in_a_process(task: _Task) -> _Done:
    command = [sys.executable, "-m", "benchmarks.backfill"]
    done = subprocess.run(
        command, input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True
    )
    answer: _Done = json.loads(done.stdout)
    return answer


async def _backfill(task: _Task) -> _Done:
    async with open_app(settings_for(task["database"], task["exchange"])) as app:
        since = task["now_ms"] - task["minutes"] * MINUTE_MS
        order = CollectOrder(
            symbols=await listed(app, task["symbols"]), timeframes=["1m"], since=since
        )
        lags: list[float] = []
        heart = asyncio.create_task(_beat(lags))
        before_mb = peak_memory_mb()
        started, cpu = time.perf_counter(), time.process_time()
        report = await collect_into(app, order)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        heart.cancel()
    if report.result.failures or report.result.rejected:
        result = report.result
        message = f"the backfill has failures: {dict(result.failures)} {dict(result.rejected)}"
        raise RuntimeError(message)
    written, peak_mb = report.result.counters.written, peak_memory_mb()
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "written": written,
        "memory_mb": peak_mb,
        "memory_before_mb": before_mb,
        "lags_ms": lags,
    }


async def _beat(lags_ms: list[float]) -> None:
    """The lag of each wake-up of the loop."""
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(_HEARTBEAT_S)
        lags_ms.append((time.perf_counter() - asked - _HEARTBEAT_S) * 1000)


if __name__ == "__main__":
    log_to_stderr("warning")
    print(json.dumps(asyncio.run(_backfill(json.load(sys.stdin)))))
