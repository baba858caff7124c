"""A verify of a million stored candles of 12 series, in a process whose memory is measured.

`python -m benchmarks.verify` is that process: it reads its task as JSON from standard input and
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
from benchmarks.noise import samples_ms
from benchmarks.places import KINDS
from benchmarks.report import Figure, median_of, percentile, worst_of
from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.foreground import foreground
from penstock.logs import log_to_stderr
from penstock.market.runs.orders import CollectOrder
from penstock.market.verify.order import VerifyOrder
from penstock.script import collect_into

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes

_SYMBOLS = 2
_TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_MOST_S = 5.0
_MOST_MEMORY_MB = 100


class _Task(TypedDict):
    database: str
    exchange: str
    rounds: int


class _Done(TypedDict):
    seconds: list[float]
    cpu_s: list[float]
    candles: int
    more_memory_mb: float


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Seconds and memory, on each database."""
    for kind in KINDS:
        with exchange() as simulator, places.fresh(kind) as url:
            asyncio.run(
                _fill(url, simulator.url, simulator.now_ms - sizes.verify_minutes * MINUTE_MS)
            )
            noise = samples_ms()
            done = _in_a_process(
                {"database": url, "exchange": simulator.url, "rounds": sizes.verify_rounds}
            )
        yield from _figures(kind, done, percentile(noise, 99) / percentile(noise, 50))


def _figures(kind: str, done: _Done, noise: float) -> Iterator[Figure]:
    note = f"{done['candles']:,} candles of {_SYMBOLS * len(_TIMEFRAMES)} series; noise {noise:.1f}"
    yield median_of(
        "verify of what is stored", kind, "s", done["seconds"], limit=_MOST_S, note=note
    )
    yield median_of(
        "the same, processor time",
        kind,
        "s",
        done["cpu_s"],
        note="of the verifying process; PostgreSQL's own is not in it",
    )
    yield worst_of(
        "verify, more memory",
        kind,
        "MB",
        [done["more_memory_mb"]],
        limit=_MOST_MEMORY_MB,
        note="peak, above what it had before",
    )


async def _fill(database: str, exchange_url: str, since: int) -> None:
    async with open_app(settings_for(database, exchange_url)) as app:
        order = CollectOrder(
            symbols=await listed(app, _SYMBOLS), timeframes=_TIMEFRAMES, since=since
        )
        await collect_into(app, order)


def _in_a_process(task: _Task) -> _Done:
    command = [sys.executable, "-m", "benchmarks.verify"]
    done = subprocess.run(
        command, input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True
    )
    answer: _Done = json.loads(done.stdout)
    return answer


async def _verify(task: _Task) -> _Done:
    seconds, cpu_s, candles = [], [], 0
    async with open_app(settings_for(task["database"], task["exchange"])) as app:
        before_mb = peak_memory_mb()
        for _ in range(task["rounds"]):
            started, cpu = time.perf_counter(), time.process_time()
            async with foreground(app) as here:
                task_id = await here.submit(
                    await app.of(MarketParts).verify.submission(VerifyOrder())
                )
                report = (await here.outcome(task_id)).summary()
            seconds.append(time.perf_counter() - started)
            cpu_s.append(time.process_time() - cpu)
            if report["wrong"]:
                message = f"what was collected is not whole: {json.dumps(report)[:2_000]}"
                raise RuntimeError(message)
            candles = int(str(report["candles"]))
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "candles": candles,
        "more_memory_mb": peak_memory_mb() - before_mb,
    }


if __name__ == "__main__":
    log_to_stderr("warning")
    print(json.dumps(asyncio.run(_verify(json.load(sys.stdin)))))
