"""A service while it collects: event-loop lag, and the answer times of 50 requests per second.

`python -m benchmarks.service URL` is the client process: it sends requests until its standard input
ends, and prints the answer times as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from benchmarks.cycle import TIMEFRAMES, listed, settings_for
from benchmarks.exchange import exchange
from benchmarks.places import KINDS
from benchmarks.report import Figure, percentile, worst_of
from benchmarks.sizes import FULL
from penstock.api.metrics.loop_lag import LoopLag
from penstock.api.server import listening, running
from penstock.app import open_app
from penstock.process import prepare_to_serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.exchange import Exchange
    from benchmarks.places import Places
    from benchmarks.sizes import Sizes

_CANDLES = 100
_ROUNDS = 12
_POLL_S = 0.02
_PATIENCE_S = 60.0
_OK = 200
_PREFIX = "/api/v1/data-collector"

_POLL_P99_MS = 50.0
_LAG_P99_MS, _LAG_MAX_MS = 50.0, 250.0


@dataclass(slots=True)
class _Seen:
    """Milliseconds of each wake-up of the loop and each answer; and the number of errors."""

    lags: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    errors: int = 0


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Loop lag and answer times during cold cycles, each on a new database."""
    for kind in KINDS:
        # The first request also imports, and builds the validators: it is shown separately.
        first, seen = _Seen(), _Seen()
        for place in range(1 + (_ROUNDS if sizes is FULL else 1)):
            with exchange() as simulator, places.fresh(kind) as url:
                asyncio.run(_round(url, simulator, sizes.cycle_symbols, seen if place else first))
        yield worst_of(
            "loop lag of the first collection after a start, worst", kind, "ms", first.lags
        )
        yield from _figures(
            kind,
            f"while {sizes.cycle_symbols} × {len(TIMEFRAMES)} × {_CANDLES} are collected",
            seen,
        )


def _figures(kind: str, when: str, seen: _Seen) -> Iterator[Figure]:
    for name, samples, limit in (
        ("loop lag", seen.lags, _LAG_P99_MS),
        ("/status", seen.polls, _POLL_P99_MS),
    ):
        yield Figure(
            name=f"{name} {when}, p99",
            database=kind,
            unit="ms",
            samples=samples,
            value=percentile(samples, 99),
            limit=limit,
        )
    yield worst_of(f"loop lag {when}, worst", kind, "ms", seen.lags, limit=_LAG_MAX_MS)
    yield worst_of(
        f"/status {when}, errors",
        kind,
        "",
        [float(seen.errors)],
        limit=0,
        note=f"of {len(seen.polls)} answers",
    )


async def _round(url: str, simulator: Exchange, symbols: int, seen: _Seen) -> None:
    settings = settings_for(url, simulator.url).model_copy(update={"port": 0})
    with listening(settings) as door:
        async with (
            open_app(settings) as app,
            app.working(),
            running(app, door),
            aiohttp.ClientSession(door.url) as client,
        ):
            body = {
                "symbols": await listed(app, symbols),
                "timeframes": TIMEFRAMES,
                "limit": _CANDLES,
            }
            prepare_to_serve()
            lag = LoopLag()
            async with _polled(door.url, seen), lag.measured():
                async with client.post(f"{_PREFIX}/start", json=body) as answer:
                    task_id = (await answer.json())["task_id"]
                await _ended(client, task_id)
            seen.lags += lag.all_ms()


async def _ended(client: aiohttp.ClientSession, task_id: str) -> None:
    """Wait on the WebSocket, as a user's program would."""
    async with asyncio.timeout(_PATIENCE_S), client.ws_connect("/api/v1/ws") as socket:
        await socket.send_json({"subscribe": [{"channel": "tasks", "task_id": task_id}]})
        async for message in socket:
            status = message.json().get("status")
            if status == "completed":
                return
            if status in {"failed", "cancelled"}:
                raise RuntimeError(message.data)


@contextlib.asynccontextmanager
async def _polled(url: str, seen: _Seen) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.service",
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdout is None or (await process.stdout.readline()).strip() != b"asking":
        message = "the process that asks did not start"
        raise RuntimeError(message)
    yield
    out, _ = await process.communicate(b"")
    answers = json.loads(out)
    seen.polls += answers["ms"]
    seen.errors += answers["errors"]


async def _poll(url: str) -> None:
    samples: list[float] = []
    errors = 0
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    async with aiohttp.ClientSession(url) as client:
        while not ended.done():
            asked = time.perf_counter()
            async with client.get(f"{_PREFIX}/status") as answer:
                await answer.read()
                errors += answer.status != _OK
            samples.append(1000 * (time.perf_counter() - asked))
            if len(samples) == 1:
                print("asking", flush=True)
            await asyncio.sleep(_POLL_S)
    # The first request opened the connection.
    print(json.dumps({"ms": samples[1:], "errors": errors}))


if __name__ == "__main__":
    asyncio.run(_poll(sys.argv[1]))
